//! Server-sent events, read as they come and come back to when they break off.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::{ANSWER_BYTES, Rest};

/// How long nothing at all may be heard: three heartbeats of the server. Then the connection is taken for dead.
const SILENCE: Duration = Duration::from_secs(45);

/// The first pause before a broken stream is come back to; it doubles up to the longest.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: String,
    /// What it says.
    pub data: String,
}

impl Rest {
    /// Hands over every event of a stream, for as long as `each` takes them. It begins after `last`, or with what
    /// happens next, and comes back by itself with the last id.
    ///
    /// # Errors
    /// When the first request is not answered, when the server refuses one for good, or when `each` fails.
    pub async fn follow(
        &self,
        path: &str,
        mut last: Option<String>,
        mut each: impl FnMut(Event) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (mut is_known, mut pause) = (false, PAUSE);
        loop {
            let heard = self.listen(path, &mut last, &mut is_known, &mut pause, &mut each).await;
            match heard {
                Ok(()) => {}
                Err(Broken::ForGood(error)) => return Err(error),
                Err(Broken::ForNow(error)) if !is_known => return Err(error),
                Err(Broken::ForNow(error)) => eprintln!("{error:#}; trying again in {} s", pause.as_secs()),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn listen(
        &self,
        path: &str,
        last: &mut Option<String>,
        is_known: &mut bool,
        pause: &mut Duration,
        each: &mut impl FnMut(Event) -> anyhow::Result<()>,
    ) -> Result<(), Broken> {
        let mut request = Request::builder()
            .method(Method::GET)
            .uri(format!("{}{path}", self.url))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token.expose_secret()))
            .header(header::ACCEPT, "text/event-stream");
        if let Some(last) = &*last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Full::new(Bytes::new())).context("the URL is not valid").map_err(Broken::ForGood)?;
        let answer = self.client.request(request).await.with_context(|| format!("no answer from {}", self.url));
        let answer = answer.map_err(Broken::ForNow)?;
        let status = answer.status();
        if !status.is_success() {
            let read = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
            let body = read.map(|body| body.to_bytes()).unwrap_or_default();
            let value: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let message = value.pointer("/error/message").and_then(Value::as_str).map(str::to_owned);
            let error = anyhow::anyhow!("{}", message.unwrap_or_else(|| format!("the server answered {status}")));
            let is_passing = status.is_server_error() || status.as_u16() == 429;
            return Err(if is_passing { Broken::ForNow(error) } else { Broken::ForGood(error) });
        }
        (*is_known, *pause) = (true, PAUSE);
        let (mut body, mut lines) = (answer.into_body(), Lines::default());
        loop {
            let Ok(frame) = tokio::time::timeout(SILENCE, body.frame()).await else { return Ok(()) };
            let Some(Ok(frame)) = frame else { return Ok(()) };
            let Ok(bytes) = frame.into_data() else { continue };
            for event in lines.push(&bytes).map_err(Broken::ForGood)? {
                each(event).map_err(Broken::ForGood)?;
            }
            if lines.last.is_some() {
                last.clone_from(&lines.last);
            }
        }
    }
}

/// Why a stream broke.
enum Broken {
    ForNow(anyhow::Error),
    ForGood(anyhow::Error),
}

/// Bytes that become events: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.
#[derive(Debug, Default)]
struct Lines {
    rest: Vec<u8>,
    last: Option<String>,
    data: String,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) -> anyhow::Result<Vec<Event>> {
        self.rest.extend_from_slice(bytes);
        let mut events = Vec::new();
        let mut from = 0;
        while let Some(length) = self.rest[from..].iter().position(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(&self.rest[from..from + length]).into_owned();
            from += length + 1;
            self.line(line.trim_end_matches('\r'), &mut events);
        }
        self.rest.drain(..from);
        if self.rest.len() + self.data.len() > ANSWER_BYTES {
            bail!("the server sent an event of more than {ANSWER_BYTES} bytes");
        }
        Ok(events)
    }

    fn line(&mut self, line: &str, events: &mut Vec<Event>) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" if line.is_empty() && !self.data.is_empty() => {
                let data = std::mem::take(&mut self.data);
                events.push(Event { id: self.last.clone().unwrap_or_default(), data });
            }
            "id" => self.last = Some(value.to_owned()),
            "data" => {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_however_they_are_cut() {
        let text = "retry: 2000\nid: 4\n\nid: 5\nevent: decision\ndata: {\"a\":\ndata: 1}\n\n: still here\nid: 9\n\n\
                    id: 12\r\ndata:x\r\n\r\n";
        let event = |id: &str, data: &str| Event { id: id.to_owned(), data: data.to_owned() };
        let expected = vec![event("5", "{\"a\":\n1}"), event("12", "x")];
        for size in [1, 2, 7, text.len()] {
            let mut lines = Lines::default();
            let mut events = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                events.extend(lines.push(piece).unwrap());
            }
            assert_eq!((events, lines.last.as_deref()), (expected.clone(), Some("12")), "in pieces of {size}");
        }
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        let mut lines = Lines::default();
        let piece = vec![b'x'; ANSWER_BYTES / 2];
        assert!(lines.push(&piece).is_ok() && lines.push(&piece).is_ok());
        assert!(lines.push(b"x").is_err());
    }
}
