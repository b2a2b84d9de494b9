//! Events as a receiver reads them that trusts nobody: which fields each has and of which type, written from the
//! vendor's protocol and not from the code that makes them.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Map, Value};

use crate::receiver::Receiver;

/// A field: its name, whether each success has it, and what it looks like.
struct Field(&'static str, Need, Kind);

#[derive(Clone, Copy, PartialEq)]
enum Need {
    Always,
    Sometimes,
}

enum Kind {
    Text,
    /// UTC, whole seconds.
    Time,
    /// 32 lower-case hexadecimal digits.
    Id,
    /// Plain HTTP, never signed.
    Url,
    /// A whole number.
    Count,
    /// A number of seconds.
    Seconds,
    /// A number written as text.
    Digits,
    Flag,
    List(&'static [Field]),
    Object(&'static [Field]),
}

use Kind::{Count, Digits, Flag, Id, List, Object, Seconds, Text, Time, Url};
use Need::{Always, Sometimes};

/// What each event begins with; what it is about follows.
const COMMON: [Field; 3] =
    [Field("EventTime", Always, Time), Field("EventType", Always, Text), Field("Status", Always, Text)];

/// Events by name, with the fields of their success beside the common ones.
const EVENTS: &[(&str, &[Field])] = &[
    (
        "AddLiveRecordVideoComplete",
        &[
            Field("VideoId", Always, Id),
            Field("StreamName", Always, Text),
            Field("DomainName", Always, Text),
            Field("AppName", Always, Text),
            Field("RecordStartTime", Always, Time),
            Field("RecordEndTime", Always, Time),
        ],
    ),
    (
        "LiveRecordVideoComposeStart",
        &[
            Field("VideoId", Always, Id),
            Field("StreamName", Always, Text),
            Field("DomainName", Always, Text),
            Field("AppName", Always, Text),
        ],
    ),
    (
        "FileUploadComplete",
        &[
            Field("VideoId", Always, Id),
            Field("Size", Always, Count),
            Field("FileUrl", Always, Url),
            Field("Extend", Sometimes, Text),
        ],
    ),
    (
        "VideoAnalysisComplete",
        &[
            Field("VideoId", Always, Id),
            Field("Width", Always, Count),
            Field("Height", Always, Count),
            Field("Duration", Always, Seconds),
            Field("Bitrate", Always, Digits),
            Field("Fps", Always, Digits),
            Field("Size", Always, Count),
        ],
    ),
    (
        "SnapshotComplete",
        &[
            Field("VideoId", Always, Id),
            Field("SubType", Sometimes, Text),
            Field("CoverUrl", Sometimes, Url),
            Field(
                "SnapshotInfos",
                Always,
                List(&[
                    Field("Status", Always, Text),
                    Field("SnapshotType", Always, Text),
                    Field("SnapshotCount", Always, Count),
                    Field("SnapshotFormat", Always, Text),
                    Field("SnapshotRegular", Always, Url),
                    Field("JobId", Always, Id),
                ]),
            ),
            Field("Extend", Sometimes, Text),
        ],
    ),
    (
        "StreamTranscodeComplete",
        &[
            Field("VideoId", Always, Id),
            Field("JobId", Always, Id),
            Field("Definition", Always, Text),
            Field("Format", Always, Text),
            Field("Codec", Always, Text),
            Field("IsAudio", Always, Flag),
            Field("Bitrate", Always, Digits),
            Field("Fps", Always, Digits),
            Field("Duration", Always, Seconds),
            Field("Width", Always, Count),
            Field("Height", Always, Count),
            Field("Size", Always, Count),
            Field("Encrypt", Always, Flag),
            Field("FileUrl", Always, Url),
            Field("StartTime", Always, Time),
            Field("FinishTime", Always, Time),
            Field("Extend", Sometimes, Text),
        ],
    ),
    (
        "TranscodeComplete",
        &[
            Field("VideoId", Always, Id),
            Field(
                "StreamInfos",
                Always,
                List(&[
                    Field("Status", Always, Text),
                    Field("JobId", Always, Id),
                    Field("Definition", Always, Text),
                    Field("Format", Always, Text),
                    Field("Codec", Sometimes, Text),
                    Field("IsAudio", Always, Flag),
                    Field("Bitrate", Always, Digits),
                    Field("Fps", Always, Digits),
                    Field("Duration", Always, Seconds),
                    Field("Width", Always, Count),
                    Field("Height", Always, Count),
                    Field("Size", Always, Count),
                    Field("Encrypt", Always, Flag),
                    Field("FileUrl", Always, Url),
                    Field("StartTime", Always, Time),
                    Field("FinishTime", Always, Time),
                ]),
            ),
            Field("Extend", Sometimes, Text),
        ],
    ),
    (
        "ProduceMediaComplete",
        &[Field("MediaId", Always, Id), Field("ProjectId", Always, Text), Field("Extend", Sometimes, Text)],
    ),
    (
        "DeleteMediaComplete",
        &[
            Field("MediaId", Always, Id),
            Field("MediaType", Always, Text),
            Field("DeleteType", Always, Text),
            Field("JobIds", Sometimes, Text),
        ],
    ),
    (
        "MediaBaseChangeComplete",
        &[
            Field("MediaId", Always, Id),
            Field("MediaType", Always, Text),
            Field("OperateMode", Always, Text),
            Field(
                "MediaContent",
                Always,
                Object(&[
                    Field("Title", Sometimes, Text),
                    Field("Description", Sometimes, Text),
                    Field("CoverURL", Sometimes, Text),
                    Field("CateId", Sometimes, Text),
                    Field("Tags", Sometimes, Text),
                ]),
            ),
        ],
    ),
];

/// Checks one event's success: nothing is missing, nothing is there that has no name, each has its type.
///
/// # Errors
/// What is wrong with it.
pub fn check(event: &Value) -> anyhow::Result<()> {
    let object = event.as_object().with_context(|| format!("not an object: {event}"))?;
    let kind = event["EventType"].as_str().with_context(|| format!("no EventType: {event}"))?;
    let (_, fields) = EVENTS.iter().find(|(name, _)| *name == kind).with_context(|| format!("an unknown {kind}"))?;
    ensure!(event["Status"] == "success", "it tells a failure: {event}");
    members(object, &[&COMMON, fields]).with_context(|| format!("{kind}: {event}"))
}

fn members(object: &Map<String, Value>, fields: &[&[Field]]) -> anyhow::Result<()> {
    let all = || fields.iter().copied().flatten();
    for Field(name, need, kind) in all() {
        match object.get(*name) {
            Some(value) => looks_like(value, kind).with_context(|| (*name).to_owned())?,
            None => ensure!(*need == Sometimes, "{name} is missing"),
        }
    }
    let stranger = object.keys().find(|key| all().all(|Field(name, ..)| name != key));
    stranger.map_or(Ok(()), |key| bail!("{key} is not a field of it"))
}

fn looks_like(value: &Value, kind: &Kind) -> anyhow::Result<()> {
    let text = value.as_str();
    let fits = match kind {
        Text => text.is_some(),
        Time => text.is_some_and(is_time),
        Id => text
            .is_some_and(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))),
        Url => text.is_some_and(|url| url.starts_with("http://") && !url.contains("auth_key")),
        Count => value.as_u64().is_some(),
        Seconds => value.as_f64().is_some_and(|seconds| seconds > 0.0),
        Digits => text.is_some_and(|digits| digits.parse::<f64>().is_ok()),
        Flag => value.is_boolean(),
        Object(fields) => {
            members(value.as_object().context("not an object")?, &[fields])?;
            true
        }
        List(fields) => {
            for item in value.as_array().context("not a list")? {
                members(item.as_object().context("not an object")?, &[fields])?;
            }
            true
        }
    };
    ensure!(fits, "not of its type: {value}");
    Ok(())
}

/// `yyyy-MM-ddTHH:mm:ssZ`.
fn is_time(text: &str) -> bool {
    const FORM: &str = "0000-00-00T00:00:00Z";
    text.len() == FORM.len()
        && text.chars().zip(FORM.chars()).all(|(c, form)| if form == '0' { c.is_ascii_digit() } else { c == form })
}

/// What a receiver was told, each event once, in order of arrival.
pub fn told(receiver: &Receiver) -> Vec<Value> {
    let mut seen = BTreeMap::new();
    let received = receiver.received();
    received.iter().filter(|one| seen.insert(one.id(), ()).is_none()).map(crate::receiver::Received::event).collect()
}

/// The id of what an event is about.
pub fn subject(event: &Value) -> &str {
    event["VideoId"].as_str().or_else(|| event["MediaId"].as_str()).unwrap_or_default()
}

/// The names of the events about each video, in order of name; as often as they came.
pub fn by_video(events: &[Value]) -> BTreeMap<String, Vec<String>> {
    let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in events {
        let kind = event["EventType"].as_str().unwrap_or_default().to_owned();
        kinds.entry(subject(event).to_owned()).or_default().push(kind);
    }
    kinds.values_mut().for_each(|kinds| kinds.sort());
    kinds
}
