//! A real encoder against the session: ffmpeg publishes over a socket, and what arrives is what it says it
//! sent. The socket loop here is all that the protocol leaves to its caller.

#![expect(clippy::unwrap_used, reason = "helpers of a test fail by panicking")]

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use reprise_media::rtmp::{Event, Limits, Media, MediaKind, Output, RefusalCode, Session, SessionConfig, Stage};

/// What one connection came to.
#[derive(Default)]
struct Seen {
    requests: Vec<(String, Option<String>)>,
    video: Vec<Media>,
    audio: Vec<Media>,
    width: Option<f64>,
    unpublished: bool,
    most_buffered: usize,
}

/// Serves one connection to its end; `refuse` answers every publish with a refusal.
fn serve(mut socket: TcpStream, read_bytes: usize, refuse: bool) -> Seen {
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut session = Session::new(SessionConfig { limits: Limits::default(), handshake_nonce: [5; 32] });
    let mut seen = Seen::default();
    let mut buffer = vec![0; read_bytes];
    loop {
        let count = unless_gone(socket.read(&mut buffer)).unwrap_or(0);
        if count == 0 {
            return seen;
        }
        let mut output = session.receive(&buffer[..count]).unwrap();
        loop {
            take(&mut seen, &output);
            unless_gone(socket.write_all(&output.send));
            if session.stage() != Stage::PublishPending {
                break;
            }
            output = match refuse {
                true => session.refuse_publish(RefusalCode::Denied, "not today").unwrap(),
                false => session.accept_publish().unwrap(),
            };
        }
        seen.most_buffered = seen.most_buffered.max(session.buffered_bytes());
    }
}

/// Encoders close without reading the last answers, which the kernel turns into a reset. What they sent before
/// can still be read, so a failed write ends nothing.
fn unless_gone<T>(result: io::Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            let kind = error.kind();
            assert!(matches!(kind, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe), "{error}");
            None
        }
    }
}

fn take(seen: &mut Seen, output: &Output) {
    for event in &output.events {
        match event {
            Event::PublishRequested(request) => {
                let key = request.argument("auth_key").map(str::to_owned);
                seen.requests.push((format!("{}/{}", request.app, request.stream), key));
            }
            Event::Media(media) => match media.kind {
                MediaKind::Video => seen.video.push(media.clone()),
                MediaKind::Audio => seen.audio.push(media.clone()),
            },
            Event::Metadata(metadata) => seen.width = metadata.number("width"),
            Event::Unpublished => seen.unpublished = true,
            Event::Connected(_) => {}
        }
    }
}

/// Publishes four seconds of generated picture and sound; returns what arrived and what ffmpeg said.
fn publish(offset: &str, read_bytes: usize, refuse: bool) -> (Seen, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rtmp://{}/live/cam01?auth_key=1-0-0-ab", listener.local_addr().unwrap());
    let ffmpeg = Command::new("ffmpeg")
        .args(["-nostdin", "-loglevel", "warning"])
        .args(["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=4"])
        .args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=4"])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "50", "-c:a", "aac"])
        .args(["-output_ts_offset", offset, "-f", "flv", &url])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ffmpeg is installed");
    let (socket, _) = listener.accept().unwrap();
    let seen = serve(socket, read_bytes, refuse);
    let output = ffmpeg.wait_with_output().unwrap();
    (seen, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Frames that carry a picture or sound: not codec headers, not the end of a sequence.
fn frames(media: &[Media]) -> usize {
    media.iter().filter(|media| media.data.get(1) == Some(&1)).count()
}

#[test]
fn every_frame_of_an_encoder_arrives_however_the_bytes_are_read() {
    for read_bytes in [11, 1460, 65_536] {
        let (seen, log) = publish("0", read_bytes, false);
        let key = Some("1-0-0-ab".to_owned());
        assert_eq!(seen.requests, [("live/cam01".to_owned(), key)], "{log}");
        assert_eq!(frames(&seen.video), 100, "{log}");
        // 4 s of 1024 samples at 48 kHz, and the encoder's priming.
        assert!((188..=190).contains(&frames(&seen.audio)), "{} audio frames", frames(&seen.audio));
        assert_eq!(seen.width, Some(640.0));
        assert!(seen.unpublished);
        assert!(seen.video.windows(2).all(|pair| pair[0].timestamp_ms <= pair[1].timestamp_ms));
        assert!(seen.most_buffered < 256 * 1024);
    }
}

#[test]
fn times_beyond_24_bits_arrive_whole() {
    // 16,777 s is where the extended timestamp begins.
    let (seen, log) = publish("16775", 4096, false);
    assert_eq!(frames(&seen.video), 100, "{log}");
    let times: Vec<u32> = seen.video.iter().filter(|m| m.data.get(1) == Some(&1)).map(|m| m.timestamp_ms).collect();
    assert!(times[0] < 0x00ff_ffff && times[99] > 0x00ff_ffff, "{} to {}", times[0], times[99]);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 40), "{times:?}");
}

#[test]
fn a_refused_encoder_is_told_why() {
    let (seen, log) = publish("0", 4096, true);
    assert_eq!(seen.requests.len(), 1);
    assert!(seen.video.is_empty() && seen.audio.is_empty());
    assert!(log.contains("not today"), "{log}");
}
