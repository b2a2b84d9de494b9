//! Writes the seeds of the fuzz targets. By hand, after the form of a target's input has changed:
//! `cargo test -p reprise-media --lib -- --ignored write_the_seeds`.

use std::fs;
use std::path::Path;

use super::super::amf0::{self, Value};
use super::super::message::id;
use super::super::testkit::{Script, object, text};

/// How far a session is when a sequence starts; the first byte of its seeds.
const FRESH: u8 = 0;
const PUBLISHING: u8 = 4;

#[test]
#[ignore = "writes into the source tree"]
fn write_the_seeds() {
    write("amf0_decode", amf0());
    write("rtmp_chunk_stream", chunk_stream());
    write("rtmp_handshake", handshake());
    write("rtmp_session_sequence", session_sequence());
}

fn write(target: &str, seeds: Vec<(&str, Vec<u8>)>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in seeds {
        fs::write(folder.join(format!("seed-{name}")), bytes).unwrap();
    }
}

fn encoded(values: &[Value]) -> Vec<u8> {
    let mut body = Vec::new();
    for value in values {
        amf0::encode(value, &mut body);
    }
    body
}

fn amf0() -> Vec<(&'static str, Vec<u8>)> {
    let properties = vec![
        ("width", Value::Number(1280.0)),
        ("stereo", Value::Boolean(true)),
        ("encoder", text("Lavf")),
        ("list", Value::StrictArray(vec![Value::Null, Value::Undefined, Value::Date(0.0)])),
    ];
    let plain = object(properties);
    let array = Value::EcmaArray(plain.properties().cloned().unwrap_or_default());
    vec![
        ("connect", encoded(&[text("connect"), Value::Number(1.0), plain.clone()])),
        ("metadata", encoded(&[text("@setDataFrame"), text("onMetaData"), array])),
        ("typed-and-long", b"\x10\x00\x01C\x00\x01a\x0c\x00\x00\x00\x02hi\x00\x00\x09\x07\x00\x00\x0d".to_vec()),
        ("open-array", b"\x08\x00\x00\x00\x01\x00\x01a\x05".to_vec()),
        ("huge-count", vec![10, 0xff, 0xff, 0xff, 0xff]),
        ("deep-arrays", b"\x0a\x00\x00\x00\x01".repeat(400)),
        ("deep-objects", b"\x03\x00\x01a".repeat(400)),
        ("many", vec![5; 300]),
    ]
}

fn chunk_stream() -> Vec<(&'static str, Vec<u8>)> {
    // The first byte is the size of the pieces.
    let seed = |step: u8, script: Script| [&[step][..], &script.bytes()].concat();
    let ext = 0x0102_0304u32;
    vec![
        (
            "four-types",
            seed(
                1,
                Script::new().chunk0(4, 10, 2, 8, 1, b"ab").chunk1(4, 5, 1, 8, b"c").chunk2(4, 6, b"d").chunk3(4, b"e"),
            ),
        ),
        (
            "interleaved",
            seed(7, Script::new().chunk0(6, 0, 200, 9, 1, &[1; 128]).chunk0(4, 0, 3, 8, 1, b"abc").chunk3(6, &[1; 72])),
        ),
        ("extended-repeated", seed(3, Script::new().message(6, ext, 9, 1, &[7; 300]))),
        ("extended-absent", seed(2, Script::new().chunk0(6, ext, 200, 9, 1, &[7; 128]).chunk3(6, &[7; 72]))),
        (
            "sizes",
            seed(
                5,
                Script::new()
                    .set_chunk_size(1)
                    .message(6, 0, 9, 1, b"abcdef")
                    .set_chunk_size(0x7fff_ffff)
                    .message(6, 0, 9, 1, &[1; 400]),
            ),
        ),
        (
            "abort",
            seed(
                1,
                Script::new()
                    .chunk0(6, 0, 200, 9, 1, &[1; 128])
                    .control(2, &6u32.to_be_bytes())
                    .chunk3(6, &[2; 128])
                    .chunk3(6, &[2; 72]),
            ),
        ),
        (
            "long-numbers",
            seed(1, Script::new().chunk0(64, 0, 1, 9, 1, b"a").chunk0(320, 0, 1, 9, 1, b"a").chunk3(65_599, b"x")),
        ),
        ("changed-length", seed(0, Script::new().chunk0(6, 0, 200, 9, 1, &[1; 128]).chunk1(6, 0, 100, 9, b"x"))),
        (
            "wrap",
            seed(
                4,
                Script::new().chunk0(6, u32::MAX, 1, 9, 1, b"a").chunk2(6, 40, b"b").chunk1(6, u32::MAX, 1, 9, b"c"),
            ),
        ),
    ]
}

fn handshake() -> Vec<(&'static str, Vec<u8>)> {
    let seed = |step: u8, bytes: &[u8]| [&[step], bytes].concat();
    let plain = Script::new().handshake().bytes();
    vec![
        ("plain", seed(0, &plain)),
        ("in-pieces", seed(200, &[&plain[..], b"and more"].concat())),
        ("cut", seed(9, plain.get(..2000).unwrap())),
        ("http", seed(1, b"GET / HTTP/1.1\r\n\r\n")),
        ("encrypted", seed(1, &[6, 0, 0, 0])),
    ]
}

/// A raw operation for each piece of a trace.
fn raw(script: Script) -> Vec<u8> {
    let mut operations = Vec::new();
    for piece in script.bytes().chunks(60_000) {
        operations.push(0);
        operations.extend((piece.len() as u16).to_be_bytes());
        operations.extend_from_slice(piece);
    }
    operations
}

fn session_sequence() -> Vec<(&'static str, Vec<u8>)> {
    let seed = |opening: u8, step: u8, operations: &[&[u8]]| [&[opening, step], &operations.concat()[..]].concat();
    let (accept, refuse, end) = (&[7][..], &[8][..], &[9][..]);
    let part =
        |type_id: u8, time: u8| [&[type_id, 0, 0, 2, 0, 0, time, 0, 0, 0, 0], &b"ab"[..], &[0, 0, 0, 13]].concat();
    let aggregate = [part(9, 1), part(8, 9), part(22, 0), part(18, 0)].concat();
    let metadata =
        Script::new().data(&[text("@setDataFrame"), text("onMetaData"), object(vec![("fps", Value::Number(25.0))])]);
    let unpublish = Script::new().command(0, "FCUnpublish", 6.0, &[Value::Null]).command(
        0,
        "deleteStream",
        7.0,
        &[Value::Null, Value::Number(1.0)],
    );
    vec![
        (
            "broadcast",
            seed(
                FRESH,
                100,
                &[
                    &raw(Script::publisher("cam?k=v")),
                    accept,
                    &raw(metadata.video(0, b"\x17\x00").audio(0, b"\xaf").video(40, &[1; 300])),
                    &raw(unpublish),
                ],
            ),
        ),
        ("refused", seed(FRESH, 0, &[&raw(Script::publisher("cam").video(0, b"v").publish("b")), refuse, accept])),
        ("aggregate", seed(PUBLISHING, 3, &[&raw(Script::new().message(6, 50, id::AGGREGATE, 1, &aggregate))])),
        (
            "republish",
            seed(
                PUBLISHING,
                0,
                &[&[4, 7, 0, 0, 0], &[4, 2, 1, 0, 3, b'a', b'?', b'b'], accept, &[1, 6, 0, 0, 0, 0, 9, 5, 0, 9], end],
            ),
        ),
        (
            "lengths",
            seed(
                PUBLISHING,
                1,
                &[
                    &[2, 0, 6, 0, 0, 0, 0, 0, 0, 9, 0, 9, 1, 20],
                    &[3, 6, 1, 5],
                    &[2, 1, 6, 0, 0, 0, 1, 0, 0, 200, 0, 9, 1, 20],
                ],
            ),
        ),
        (
            "controls",
            seed(
                PUBLISHING,
                0,
                &[
                    &[5, 0, 0, 0, 1],
                    &[1, 6, 0, 0, 0, 0, 9, 5, 0, 40],
                    &[6, 6],
                    &[5, 0x7f, 0xff, 0xff, 0xff],
                    &[1, 2, 0, 0, 0, 0, 4, 6, 0, 6],
                ],
            ),
        ),
        (
            "commands",
            seed(
                2,
                0,
                &[
                    &[4, 0, 0, 1, 0],
                    &[4, 1, 0, 2, 0],
                    &[4, 8, 1, 0, 1, b'x'],
                    &[4, 11, 0, 9, 0],
                    &[4, 9, 1, 0, 3, b'a', b'b', b'c'],
                ],
            ),
        ),
    ]
}
