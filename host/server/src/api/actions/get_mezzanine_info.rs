//! Shows a video's source file.

use reprise_lifecycle::media::{AudioTrack, PartFacts, VideoTrack};
use serde_json::{Value, json};

use super::shared::links::{Links, Wishes};
use super::shared::videos::{self, four_decimals};
use crate::api::error::{self, Error};
use crate::api::params::{Params, one_of};
use crate::api::reply::{Answer, fields};
use crate::api::urls::SOURCE_MP4;
use crate::api::{Call, names};
use crate::store::videos::VideoRow;

/// The vendor's longest life of a URL to the source, in seconds.
const MAX_LIFE_S: i64 = 2_592_000;

const DEFAULT_LIFE_S: i64 = 3600;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let output_type = params.choice("OutputType", &["cdn", "oss"])?.unwrap_or("cdn");
    let life_s = params.int("AuthTimeout", DEFAULT_LIFE_S, 1..=MAX_LIFE_S)?;
    let addition = params.commas("AdditionType");
    let addition: Vec<&str> =
        addition.into_iter().map(|kind| one_of("AdditionType", kind, &["video", "audio"])).collect::<Result<_, _>>()?;
    let video = videos::named(call, params).await?;
    let facts = video.facts()?.ok_or(&error::FILE_NOT_FOUND)?;
    let links = Links::new(call, Wishes::living(life_s)).await?;
    let (width, height, fps) = facts.video.as_ref().map_or((0, 0, 0.0), |video| (video.width, video.height, video.fps));
    let mut shown = fields(json!({
        "VideoId": video.id,
        "FileName": SOURCE_MP4,
        "Size": facts.bytes,
        "Width": width,
        "Height": height,
        "Duration": four_decimals(facts.duration_ms as f64 / 1000.0),
        "Bitrate": four_decimals(facts.bitrate_kbps() as f64),
        "Fps": four_decimals(fps),
        "Status": status(&video),
        "OutputType": output_type,
        "CreationTime": videos::time(video.created_at),
        "PreprocessStatus": "UnPreprocess",
        "StorageClass": "Standard",
    }));
    if video.has_file() {
        shown.insert("FileURL".to_owned(), links.to(&video.id, SOURCE_MP4).into());
    }
    if addition.contains(&"video") {
        let streams: Vec<Value> = facts.video.iter().map(|video| video_stream(&facts, video)).collect();
        shown.insert("VideoStreamList".to_owned(), streams.into());
    }
    if addition.contains(&"audio") {
        let index = usize::from(facts.video.is_some());
        let streams: Vec<Value> = facts.audio.iter().map(|audio| audio_stream(&facts, index, audio)).collect();
        shown.insert("AudioStreamList".to_owned(), streams.into());
    }
    Ok(fields(json!({ "Mezzanine": shown })))
}

/// How far the file is. A composed video has facts and plays before it has a file.
fn status(video: &VideoRow) -> &'static str {
    match video.status.as_str() {
        _ if video.source_deleted => "Deleted",
        "uploading" => "Uploading",
        "produce_failed" => "UploadFail",
        _ => "Normal",
    }
}

fn video_stream(facts: &PartFacts, video: &VideoTrack) -> Value {
    json!({
        "Index": "0",
        "CodecName": if video.codec == "H.265" { "hevc" } else { "h264" },
        "Profile": video.profile,
        "Width": video.width.to_string(),
        "Height": video.height.to_string(),
        "Fps": names::rate(video.fps),
        "AvgFPS": names::rate(video.fps),
        "Duration": duration(facts),
        "NumFrames": facts.video_frames.to_string(),
    })
}

fn audio_stream(facts: &PartFacts, index: usize, audio: &AudioTrack) -> Value {
    json!({
        "Index": index.to_string(),
        "CodecName": audio.codec.to_ascii_lowercase(),
        "SampleRate": audio.sample_rate.to_string(),
        "Channels": audio.channels.to_string(),
        "ChannelLayout": if audio.channels == 1 { "mono" } else { "stereo" },
        "Duration": duration(facts),
        "NumFrames": facts.audio_frames.to_string(),
    })
}

fn duration(facts: &PartFacts) -> String {
    names::rate(facts.duration_ms as f64 / 1000.0)
}
