//! Says where a video plays: its renditions, or its source when nothing is made of it.
//!
//! As at the vendor's, the source of a transcoded video is not among its streams, although it plays here too; the
//! native API shows it.

use reprise_lifecycle::id::{GroupId, JobId, VideoId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::shared::links::{Links, Wishes};
use super::shared::tasks::JOB_DONE;
use super::shared::videos::{self, four_decimals, time};
use crate::api::error::{self, Error};
use crate::api::params::Params;
use crate::api::reply::{Answer, fields};
use crate::api::urls::{SOURCE_HLS, SOURCE_MP4};
use crate::api::{Call, names};
use crate::store::videos::VideoRow;

/// URLs to files live at most this long, in seconds; the vendor's limit for its storage, used for both outputs.
const MAX_LIFE_S: i64 = 2_592_000;

/// The vendor's default life of a URL to its storage, in seconds.
const STORAGE_LIFE_S: i64 = 3600;

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let request = Request::read(params)?;
    let video = videos::named(call, params).await?;
    if names::video_status(&video.status) != "Normal" {
        return Err(illegal_status(&video));
    }
    let links = Links::new(call, request.wishes.clone()).await?;
    let no_transcode = video.group_id.as_deref().is_some_and(|group| GroupId::new(group).is_no_transcode());
    let mut streams = if no_transcode && !video.source_deleted { source(&video)? } else { Vec::new() };
    streams.extend(renditions(call, &video, request.all_results).await?);
    let shown: Vec<Value> =
        streams.iter().filter(|stream| request.wants(stream)).map(|stream| stream.show(&video, &links)).collect();
    if shown.is_empty() {
        return Err(request.nothing());
    }
    let mut base = fields(json!({
        "VideoId": video.id,
        "Title": video.title,
        "Duration": names::rate(videos::seconds(video.duration_ms)),
        "Status": "Normal",
        "MediaType": if streams.iter().any(|stream| stream.is_video()) { "video" } else { "audio" },
        "CreationTime": time(video.created_at),
        "TranscodeMode": if no_transcode { "NoTranscode" } else { "FastTranscode" },
        "OutputType": request.output_type,
    }));
    if let Some(cover) = videos::cover_url(&video, &links) {
        base.insert("CoverURL".to_owned(), cover.into());
    }
    Ok(fields(json!({ "VideoBase": base, "PlayInfoList": { "PlayInfo": shown } })))
}

fn illegal_status(video: &VideoRow) -> Error {
    let status = names::video_status(&video.status);
    let text = format!("Currently Video Status is {status} and AuditStatus is Init.");
    Error::VendorText(&error::ILLEGAL_STATUS_FOR_PLAYBACK, text)
}

/// What is asked for.
struct Request<'a> {
    formats: Vec<&'a str>,
    definitions: Vec<&'a str>,
    stream_types: Vec<&'a str>,
    output_type: &'static str,
    /// Every finished stream instead of the newest per definition and format.
    all_results: bool,
    /// Whether streams without encryption, which all are, will do.
    unencrypted: bool,
    wishes: Wishes,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PlayConfig {
    #[serde(rename = "EncryptType")]
    encrypt_type: Option<String>,
}

#[derive(Deserialize)]
struct ReAuthInfo {
    uid: Option<String>,
    rand: Option<String>,
}

impl<'a> Request<'a> {
    fn read(params: &'a Params) -> Result<Self, Error> {
        let output_type = params.choice("OutputType", &["cdn", "oss"])?.unwrap_or("cdn");
        let mut wishes = Wishes {
            life_s: params.optional_int("AuthTimeout", 1..=MAX_LIFE_S)?,
            ..Wishes::default()
        };
        if output_type == "oss" {
            wishes.life_s = wishes.life_s.or(Some(STORAGE_LIFE_S));
        }
        if let Some(info) = object::<ReAuthInfo>(params, "ReAuthInfo")? {
            let part = |part: Option<String>| match part {
                Some(part) if part.is_empty() || part.contains('-') => {
                    Err(Error::invalid("ReAuthInfo", "uid and rand must not be empty or contain hyphens"))
                }
                part => Ok(part.unwrap_or_else(|| "0".to_owned())),
            };
            wishes.uid = part(info.uid)?;
            wishes.rand = part(info.rand)?;
        }
        let encrypt_type = object::<PlayConfig>(params, "PlayConfig")?.unwrap_or_default().encrypt_type;
        Ok(Self {
            formats: params.commas("Formats"),
            definitions: params.commas("Definition"),
            stream_types: params.commas("StreamType"),
            output_type,
            all_results: params.choice("ResultType", &["Single", "Multiple"])? == Some("Multiple"),
            unencrypted: encrypt_type.is_none_or(|kind| kind.is_empty() || kind == "Unencrypted"),
            wishes,
        })
    }

    fn wants(&self, stream: &Stream) -> bool {
        let in_list = |list: &[&str], value: &str| list.is_empty() || list.iter().any(|v| v.eq_ignore_ascii_case(value));
        self.unencrypted
            && in_list(&self.formats, &stream.format)
            && in_list(&self.definitions, &stream.definition)
            && in_list(&self.stream_types, stream.kind())
    }

    fn nothing(&self) -> Error {
        let filters = [("Formats", &self.formats), ("Definition", &self.definitions), ("StreamType", &self.stream_types)];
        let filters: Vec<String> = filters
            .iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(name, values)| format!("{name}={}", values.join(",")))
            .collect();
        let text = format!("The video has no stream to play for the request parameter {}.", filters.join(" "));
        Error::VendorText(&error::VIDEO_NONE_STREAM, text)
    }
}

/// A parameter that is a JSON object in a string.
fn object<T: for<'de> Deserialize<'de>>(params: &Params, name: &str) -> Result<Option<T>, Error> {
    let Some(text) = params.get(name) else {
        return Ok(None);
    };
    let object = serde_json::from_str(text).map_err(|_| Error::invalid(name, "it must be a JSON object"))?;
    Ok(Some(object))
}

/// One thing that plays.
struct Stream {
    job: String,
    file: String,
    format: String,
    definition: String,
    specification: String,
    width: u32,
    height: u32,
    fps: f64,
    bytes: u64,
    bitrate_kbps: u64,
    duration_ms: u64,
    created_at: i64,
    modified_at: i64,
}

impl Stream {
    fn is_video(&self) -> bool {
        self.width > 0
    }

    fn kind(&self) -> &'static str {
        if self.is_video() { "video" } else { "audio" }
    }

    fn show(&self, video: &VideoRow, links: &Links<'_>) -> Value {
        json!({
            "JobId": self.job,
            "PlayURL": links.to(&video.id, &self.file),
            "Format": self.format,
            "Definition": self.definition,
            "StreamType": self.kind(),
            "Specification": self.specification,
            "Width": self.width,
            "Height": self.height,
            "Size": self.bytes,
            "Bitrate": self.bitrate_kbps.to_string(),
            "Fps": names::rate(self.fps),
            "Duration": four_decimals(self.duration_ms as f64 / 1000.0),
            "Encrypt": 0,
            "NarrowBandType": "0",
            "Status": "Normal",
            "PreprocessStatus": "UnPreprocess",
            "CreationTime": time(self.created_at),
            "ModificationTime": time(self.modified_at),
        })
    }
}

/// The source: one recording that plays both as a playlist and as a file.
fn source(video: &VideoRow) -> Result<Vec<Stream>, Error> {
    let Some(facts) = video.facts()? else {
        return Ok(Vec::new());
    };
    let (width, height, fps) = facts.video.as_ref().map_or((0, 0, 0.0), |video| (video.width, video.height, video.fps));
    let stream = |format: &str, file: &str| Stream {
        job: JobId::of_source(&VideoId::new(video.id.as_str())).as_str().to_owned(),
        file: file.to_owned(),
        format: format.to_owned(),
        definition: names::ORIGINAL_DEFINITION.to_owned(),
        specification: "Original".to_owned(),
        width,
        height,
        fps,
        bytes: facts.bytes,
        bitrate_kbps: facts.bitrate_kbps(),
        duration_ms: facts.duration_ms,
        created_at: video.created_at,
        modified_at: video.created_at,
    };
    Ok(vec![stream("m3u8", SOURCE_HLS), stream("mp4", SOURCE_MP4)])
}

/// The finished renditions: all, or the newest per definition and format.
async fn renditions(call: &Call<'_>, video: &VideoRow, all: bool) -> Result<Vec<Stream>, Error> {
    let mut streams: Vec<Stream> = Vec::new();
    for job in call.store().jobs_of_video(call.tenant(), &video.id).await? {
        let Some(output) = job.output()?.filter(|_| job.status == JOB_DONE) else {
            continue;
        };
        let template = job.template()?;
        let definition = names::play_definition(&template.definition).to_owned();
        let specification = if definition == names::ORIGINAL_DEFINITION {
            "Segmentation".to_owned()
        } else {
            names::specification(&output.codec, output.width, output.height)
        };
        let stream = Stream {
            specification,
            file: output.file,
            format: template.format,
            definition,
            width: output.width,
            height: output.height,
            fps: output.fps,
            bytes: output.bytes,
            bitrate_kbps: output.bitrate_kbps,
            duration_ms: output.duration_ms,
            created_at: job.created_at,
            modified_at: job.completed_at.unwrap_or(job.created_at),
            job: job.id,
        };
        if !all {
            streams.retain(|older| (&older.definition, &older.format) != (&stream.definition, &stream.format));
        }
        streams.push(stream);
    }
    Ok(streams)
}
