//! Whole sessions: what encoders do, what else they might, and what strangers try.

mod commands;
mod hostile;
mod publishing;
mod seeds;

use super::testkit::{Replies, Reply, Script};
use super::*;

/// A session and what came out of it.
struct Run {
    session: Session,
    replies: Replies,
    answers: Vec<Reply>,
    events: Vec<Event>,
}

fn session() -> Session {
    Session::new(SessionConfig { limits: Limits::default(), handshake_nonce: [7; 32] })
}

impl Run {
    fn new() -> Self {
        Run { session: session(), replies: Replies::new(), answers: Vec::new(), events: Vec::new() }
    }

    /// A session that publishes `cam01`, with what led there forgotten.
    fn publishing() -> Self {
        let mut run = Run::new();
        run.feed(Script::publisher("cam01")).unwrap();
        run.accept().unwrap();
        assert_eq!(run.session.stage(), Stage::Publishing);
        run.answers.clear();
        run.events.clear();
        run
    }

    fn feed(&mut self, script: Script) -> Result<(), Error> {
        let result = self.session.receive(&script.bytes());
        self.take(result)
    }

    fn accept(&mut self) -> Result<(), Error> {
        let result = self.session.accept_publish();
        self.take(result)
    }

    fn take(&mut self, result: Result<Output, Failure>) -> Result<(), Error> {
        let (output, result) = match result {
            Ok(output) => (output, Ok(())),
            Err(failure) => (failure.output, Err(failure.error)),
        };
        self.answers.extend(self.replies.read(&output.send));
        self.events.extend(output.events);
        result
    }

    /// Kind, time and body of the media seen since the last call.
    fn media(&mut self) -> Vec<(MediaKind, u32, Vec<u8>)> {
        let media = self.events.drain(..).filter_map(|event| match event {
            Event::Media(media) => Some((media.kind, media.timestamp_ms, media.data.to_vec())),
            _ => None,
        });
        media.collect()
    }

    /// The codes of all answers since the last call.
    fn codes(&mut self) -> Vec<String> {
        let answers = self.answers.drain(..);
        answers.map(|reply| reply.code().to_owned()).filter(|code| !code.is_empty()).collect()
    }

    fn request(&self) -> Option<&PublishRequest> {
        self.events.iter().rev().find_map(|event| match event {
            Event::PublishRequested(request) => Some(&**request),
            _ => None,
        })
    }
}
