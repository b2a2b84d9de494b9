//! Transcode tasks and their jobs as the VOD actions show them.

use serde_json::{Value, json};

use super::links::Links;
use super::videos::time;
use crate::api::error::Error;
use crate::api::names;
use crate::api::reply::{Answer, fields};
use crate::api::urls::SOURCE_MP4;
use crate::jobs::progress::Progress;
use crate::store::videos::{JobRow, TaskRow};

/// A job's status once its rendition plays.
pub(crate) const JOB_DONE: &str = "TranscodeSuccess";

/// A task's header.
pub(crate) fn show(task: &TaskRow) -> Answer {
    let mut shown = fields(json!({
        "TranscodeTaskId": task.id,
        "TranscodeTemplateGroupId": task.group_id,
        "VideoId": task.video,
        "TaskStatus": task.status,
        "Trigger": task.trigger_kind,
        "CreationTime": time(task.created_at),
    }));
    complete(&mut shown, task.completed_at);
    shown
}

/// A job, with its output once there is one.
pub(crate) fn show_job(job: &JobRow, links: &Links<'_>, progress: &Progress) -> Result<Value, Error> {
    let template = job.template()?;
    let mut shown = fields(json!({
        "TranscodeJobId": job.id,
        "TranscodeTemplateId": template.id.as_str(),
        "TranscodeJobStatus": job.status,
        "TranscodeProgress": match job.completed_at {
            Some(_) => 100,
            None => progress.percent(&job.id).unwrap_or(0),
        },
        "Priority": job.priority.to_string(),
        "Definition": template.definition,
        "InputFileUrl": links.to(&job.video, SOURCE_MP4),
        "CreationTime": time(job.created_at),
    }));
    complete(&mut shown, job.completed_at);
    if let Some(code) = &job.error_code {
        shown.insert("ErrorCode".to_owned(), code.as_str().into());
        shown.insert("ErrorMessage".to_owned(), job.error.as_deref().unwrap_or_default().into());
    }
    if let Some(output) = job.output()? {
        let streams = |present: bool, value: Value| {
            if present { value.to_string() } else { "[]".to_owned() }
        };
        let audio = output.audio.iter().map(|audio| {
            json!({
                "CodecName": audio.codec,
                "SampleRate": audio.sample_rate.to_string(),
                "Channels": audio.channels.to_string(),
            })
        });
        let file = json!({
            "OutputFileUrl": links.to(&job.video, &output.file),
            "Format": template.format,
            "Width": output.width.to_string(),
            "Height": output.height.to_string(),
            "Duration": names::rate(output.duration_ms as f64 / 1000.0),
            "Bitrate": output.bitrate_kbps.to_string(),
            "Fps": names::rate(output.fps),
            "Filesize": output.bytes,
            "Encryption": "",
            "WatermarkIdList": [],
            "VideoStreamList": streams(output.width > 0, json!([{
                "CodecName": output.codec,
                "Width": output.width.to_string(),
                "Height": output.height.to_string(),
                "Fps": names::rate(output.fps),
            }])),
            "AudioStreamList": Value::from_iter(audio).to_string(),
            "SubtitleStreamList": "[]",
        });
        shown.insert("OutputFile".to_owned(), file);
    }
    Ok(Value::Object(shown))
}

fn complete(shown: &mut Answer, at: Option<i64>) {
    if let Some(at) = at {
        shown.insert("CompleteTime".to_owned(), time(at).into());
    }
}
