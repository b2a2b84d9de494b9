//! What is told about streams and recordings beside the VOD events, in the vendor's words: the query of an on/off
//! notice, the body of a recording notice, the question whether to record.

use reprise_lifecycle::broadcast::{Broadcast, PartState};
use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::record::{EndCause, LeaveCause, Record};
use serde_json::{Map, Value, json};

use crate::files;
use crate::store::live_notices::NewNotice;
use crate::store::live_publishes::Publish;

/// Push-URL arguments with this begin are given back with each file.
const CALLBACK_ARGUMENTS: &str = "callback_";

/// A stream is on; the picture's size as far as it is known.
pub fn published(publish: &Publish, picture: Option<(u16, u16)>, node: &str, at: i64) -> NewNotice {
    stream_notice(publish, "publish", picture, node, at)
}

/// A stream is off.
pub fn unpublished(publish: &Publish, node: &str, at: i64) -> NewNotice {
    stream_notice(publish, "publish_done", None, node, at)
}

fn stream_notice(
    publish: &Publish,
    action: &'static str,
    picture: Option<(u16, u16)>,
    node: &str,
    at: i64,
) -> NewNotice {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("action", action)
        .append_pair("ip", &publish.client)
        .append_pair("id", &publish.stream)
        // The vendor's: `app` is the domain and `appname` the application.
        .append_pair("app", &publish.domain)
        .append_pair("appname", &publish.app)
        .append_pair("time", &at.div_euclid(1000).to_string())
        .append_pair("usrargs", &publish.arguments)
        .append_pair("node", node);
    if let Some((width, height)) = picture {
        query.append_pair("height", &height.to_string()).append_pair("width", &width.to_string());
    }
    NewNotice {
        tenant: publish.tenant.clone(),
        domain: publish.domain.clone(),
        app: publish.app.clone(),
        stream: publish.stream.clone(),
        kind: action,
        status: false,
        content: query.finish(),
        at,
    }
}

/// The query of the question whether a stream is recorded.
pub fn record_question(domain: &str, app: &str, stream: &str, codec: Option<&str>, video_kbps: u64) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("app", app).append_pair("domain", domain).append_pair("stream", stream);
    query.append_pair("vbitrate", &video_kbps.to_string());
    if let Some(codec) = codec {
        query.append_pair("codec", codec);
    }
    query.finish()
}

/// The answer to that question; nothing where it says nothing that can be read.
pub fn record_answer(text: &str) -> Option<bool> {
    let answer: Value = serde_json::from_str(text).ok()?;
    match answer.get("NeedRecord")? {
        Value::Bool(need) => Some(*need),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// What is told of a record that was just folded into a broadcast.
pub fn of_record(after: &Broadcast, record: &Record) -> Option<NewNotice> {
    let (kind, status) = match record {
        Record::PartClosed { .. } => ("file_created", false),
        Record::PublisherJoined { epoch: 1, .. } => ("record_started", true),
        Record::PublisherJoined { .. } => ("record_resumed", true),
        Record::Ended { cause: EndCause::Storage, .. } => ("record_error", false),
        Record::PublisherLeft { cause: LeaveCause::Storage, .. } => return None,
        Record::PublisherLeft { .. } if !after.is_over() => ("record_paused", true),
        _ => return None,
    };
    let content = match record {
        Record::PartClosed { part, .. } => file(after, *part)?,
        _ => json!({
            "domain": after.play_domain,
            "app": after.stream.app,
            "stream": after.stream.name,
            "event": kind,
        }),
    };
    Some(NewNotice {
        tenant: after.tenant.as_str().to_owned(),
        domain: after.play_domain.clone(),
        app: after.stream.app.clone(),
        stream: after.stream.name.clone(),
        kind,
        status,
        content: content.to_string(),
        at: record.at().0,
    })
}

fn file(after: &Broadcast, index: u32) -> Option<Value> {
    let part = after.parts.get(index as usize)?;
    let PartState::Closed { facts, ended_at } = &part.state else { return None };
    let arguments: Map<String, Value> = after
        .push_args
        .iter()
        .filter(|(name, _)| name.starts_with(CALLBACK_ARGUMENTS))
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect();
    Some(json!({
        "domain": after.play_domain,
        "app": after.stream.app,
        "stream": after.stream.name,
        "uri": format!("{}/{}", VideoId::of_part(&after.id, index), files::SOURCE),
        "duration": facts.duration_ms as f64 / 1000.0,
        "start_time": part.started_at.0.div_euclid(1000),
        "stop_time": ended_at.0.div_euclid(1000),
        "push_args": arguments,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publish() -> Publish {
        Publish {
            id: "p1".to_owned(),
            tenant: "acme".to_owned(),
            domain: "push.example.org".to_owned(),
            play_domain: "play.example.org".to_owned(),
            app: "studio".to_owned(),
            stream: "cam 01".to_owned(),
            client: "198.51.100.7".to_owned(),
            arguments: "vhost=push.example.org&x=1".to_owned(),
            published_at: 0,
            stopped_at: None,
        }
    }

    #[test]
    fn the_domain_is_called_app_and_the_arguments_are_encoded_once_more() {
        let told = published(&publish(), Some((1920, 1080)), "203.0.113.9", 1_798_761_600_999);
        assert_eq!(
            told.content,
            "action=publish&ip=198.51.100.7&id=cam+01&app=push.example.org&appname=studio&time=1798761600&\
             usrargs=vhost%3Dpush.example.org%26x%3D1&node=203.0.113.9&height=1080&width=1920"
        );
        let told = unpublished(&publish(), "203.0.113.9", 1_798_761_600_999);
        assert!(told.content.starts_with("action=publish_done&") && !told.content.contains("width"));
    }

    #[test]
    fn only_a_clear_answer_is_one() {
        for (text, answer) in [
            ("{\"ApiVersion\":\"1.0\",\"NeedRecord\":true,\"Interval\":{\"Mp4\":3600}}", Some(true)),
            ("{\"NeedRecord\":false}", Some(false)),
            ("{\"NeedRecord\":\"False\"}", Some(false)),
            ("{\"NeedRecord\":0}", None),
            ("{}", None),
            ("no", None),
            ("", None),
        ] {
            assert_eq!(record_answer(text), answer, "{text}");
        }
    }
}
