//! A session under a script: a compact form in which a mutation changes what is said, not only whether it is
//! well-formed. Bytes are read as operations until they run out.

use reprise_media::rtmp::amf0::{self, Value};
use reprise_media::rtmp::{EndCode, Error, Event, Failure, Limits, Output, RefusalCode, Session, SessionConfig, Stage};

use super::pieces;

const COMMANDS: [&str; 12] = [
    "connect",
    "createStream",
    "publish",
    "releaseStream",
    "FCPublish",
    "FCUnpublish",
    "deleteStream",
    "closeStream",
    "play",
    "@setDataFrame",
    "_result",
    "unknown",
];

/// Longest body of one operation: more would only be slower.
const MAX_BODY: u16 = 2048;

/// The first byte says how far the connection is when the script starts, the second is the size of the
/// pieces in which input is fed. The same script in one piece must come to the same.
pub fn rtmp_session_sequence(data: &[u8]) {
    let Some(([opening, step], script)) = data.split_first_chunk::<2>() else {
        return;
    };
    let (whole, divided) = (play(*opening, 0, script), play(*opening, *step, script));
    // How many answers one call may give is a matter of how much it is given.
    let by_call = |run: &(String, Option<Error>)| matches!(run.1, Some(Error::TooManyReplies { .. }));
    if !by_call(&whole) && !by_call(&divided) {
        assert_eq!(whole, divided);
    }
}

/// Events in text form (numbers that are not numbers compare too) and what ended the session.
fn play(opening: u8, step: u8, script: &[u8]) -> (String, Option<Error>) {
    let mut player = Player {
        session: Session::new(SessionConfig { limits: Limits::default(), handshake_nonce: [opening; 32] }),
        step,
        chunk_size: 128,
        log: String::new(),
        fed: 0,
        publishing: false,
    };
    let result = player.open(opening).and_then(|()| {
        let mut bytes = Bytes(script);
        while let Some(operation) = bytes.u8() {
            player.operation(operation, &mut bytes)?;
        }
        Ok(())
    });
    if result.is_err() {
        assert_eq!(player.session.receive(b"more").map_err(|failure| failure.error).err(), Some(Error::Ended));
    }
    (player.log, result.err())
}

struct Player {
    session: Session,
    step: u8,
    chunk_size: usize,
    log: String,
    fed: usize,
    publishing: bool,
}

impl Player {
    fn open(&mut self, opening: u8) -> Result<(), Error> {
        let text = |text: &str| Value::String(text.to_owned());
        if opening >= 1 {
            self.feed(&[&[3][..], &[0; 2 * 1536]].concat())?;
        }
        if opening >= 2 {
            let properties = vec![("app".to_owned(), text("live")), ("tcUrl".to_owned(), text("rtmp://h/live?k=1"))];
            self.command("connect", 0, 1.0, &[Value::Object(properties)])?;
        }
        if opening >= 3 {
            self.command("publish", 1, 0.0, &[Value::Null, text("cam01?auth_key=1"), text("live")])?;
        }
        if opening >= 4 {
            let accepted = self.session.accept_publish();
            self.take(accepted)?;
        }
        Ok(())
    }

    fn operation(&mut self, operation: u8, bytes: &mut Bytes<'_>) -> Result<(), Error> {
        match operation % 10 {
            0 => {
                let length = bytes.u16();
                let raw = bytes.take(usize::from(length));
                self.feed(raw)
            }
            1 => {
                let (csid, time, type_id) = (bytes.byte(), bytes.u32(), bytes.byte());
                let body = vec![bytes.byte(); usize::from(bytes.u16() % MAX_BODY)];
                self.message(csid, time, type_id, 1, &body)
            }
            2 => {
                let (format, csid, field) = (bytes.byte() % 3, bytes.byte(), bytes.u32());
                let (declared, type_id) = (bytes.u32() >> 8, bytes.byte());
                let part = vec![bytes.byte(); usize::from(bytes.byte())];
                self.feed(&chunk(format, csid, field, declared, type_id, 1, &part))
            }
            3 => {
                let mut chunk = vec![0xc0 | (bytes.byte() & 0x3f)];
                chunk.extend(vec![bytes.byte(); usize::from(bytes.byte())]);
                self.feed(&chunk)
            }
            4 => {
                let name = COMMANDS[usize::from(bytes.byte()) % COMMANDS.len()];
                let (stream, transaction) = (bytes.byte(), f64::from(bytes.byte()));
                let length = bytes.byte();
                let text = String::from_utf8_lossy(bytes.take(usize::from(length))).into_owned();
                let argument = Value::String(text);
                let object = Value::Object(vec![("app".to_owned(), argument.clone())]);
                self.command(name, u32::from(stream), transaction, &[object, argument])
            }
            5 => {
                let size = bytes.u32();
                let result = self.message(2, 0, 1, 0, &size.to_be_bytes());
                if size & 0x7fff_ffff != 0 {
                    self.chunk_size = (size & 0x7fff_ffff) as usize;
                }
                result
            }
            6 => {
                let csid = u32::from(bytes.byte());
                self.message(2, 0, 2, 0, &csid.to_be_bytes())
            }
            7 | 8 => {
                if self.session.stage() != Stage::PublishPending {
                    return Ok(());
                }
                let answered = match operation % 10 {
                    7 => self.session.accept_publish(),
                    _ => self.session.refuse_publish(RefusalCode::Denied, "no"),
                };
                self.take(answered)
            }
            _ => {
                self.session.ping(u32::from(operation));
                self.session.reconnect_request("bye");
                self.session.end_publish(EndCode::Failed, "over");
                self.publishing = false;
                Ok(())
            }
        }
    }

    fn command(&mut self, name: &str, stream: u32, transaction: f64, arguments: &[Value]) -> Result<(), Error> {
        let mut body = Vec::new();
        amf0::encode_string(name, &mut body);
        amf0::encode(&Value::Number(transaction), &mut body);
        for argument in arguments {
            amf0::encode(argument, &mut body);
        }
        self.message(3, 0, if name.starts_with('@') { 18 } else { 20 }, stream, &body)
    }

    fn message(&mut self, csid: u8, time: u32, type_id: u8, stream: u32, body: &[u8]) -> Result<(), Error> {
        let mut parts = body.chunks(self.chunk_size);
        let mut bytes = chunk(0, csid, time, body.len() as u32, type_id, stream, parts.next().unwrap_or_default());
        for part in parts {
            bytes.push(0xc0 | (csid & 0x3f));
            bytes.extend_from_slice(part);
        }
        self.feed(&bytes)
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for piece in pieces(bytes, self.step) {
            let result = self.session.receive(piece);
            self.fed += piece.len();
            self.take(result)?;
            assert!(self.session.buffered_bytes() <= self.fed);
            assert!(self.publishing || self.session.stage() != Stage::Publishing);
        }
        Ok(())
    }

    fn take(&mut self, result: Result<Output, Failure>) -> Result<(), Error> {
        let (output, result) = match result {
            Ok(output) => (output, Ok(())),
            Err(failure) => (failure.output, Err(failure.error)),
        };
        if self.session.stage() == Stage::Publishing {
            self.publishing = true;
        }
        for event in output.events {
            match &event {
                Event::Media(media) => {
                    assert!(!media.data.is_empty());
                    // Text of a whole body would take most of the time.
                    let sum = media.data.iter().fold(0u32, |sum, byte| sum.rotate_left(5) ^ u32::from(*byte));
                    let line = format!("{:?} {} {} {sum}\n", media.kind, media.timestamp_ms, media.data.len());
                    self.log.push_str(&line);
                    continue;
                }
                Event::PublishRequested(request) => {
                    assert!(!request.stream.contains(['/', '?', '\0']) && !request.stream.is_empty());
                    assert!(request.stream.len() <= 255 && request.app.len() <= 255);
                }
                _ => {}
            }
            self.log.push_str(&format!("{event:?}\n"));
        }
        result
    }
}

/// One chunk whose header may say anything.
fn chunk(format: u8, csid: u8, field: u32, length: u32, type_id: u8, stream: u32, part: &[u8]) -> Vec<u8> {
    let mut bytes = vec![(format << 6) | (csid & 0x3f)];
    // The two long forms of the number take further bytes.
    bytes.extend(vec![csid; [1, 2].get(usize::from(csid & 0x3f)).copied().unwrap_or(0)]);
    bytes.extend_from_slice(&field.min(0x00ff_ffff).to_be_bytes()[1..]);
    if format < 2 {
        bytes.extend_from_slice(&length.to_be_bytes()[1..]);
        bytes.push(type_id);
    }
    if format == 0 {
        bytes.extend_from_slice(&stream.to_le_bytes());
    }
    if field >= 0x00ff_ffff {
        bytes.extend_from_slice(&field.to_be_bytes());
    }
    bytes.extend_from_slice(part);
    bytes
}

/// The script, read from the front; past its end everything is zero.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).first().copied()
    }

    fn byte(&mut self) -> u8 {
        self.u8().unwrap_or(0)
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }
}
