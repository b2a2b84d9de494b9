use proptest::prelude::*;

use super::super::amf0::Value;
use super::super::message::id;
use super::super::testkit::{Script, command_body, text};
use super::*;

/// AMF0 arrays, each holding the next.
fn nested(levels: usize) -> Vec<u8> {
    [&b"\x0a\x00\x00\x00\x01"[..]].repeat(levels).concat()
}

#[test]
fn the_bodies_that_end_other_servers() {
    let bomb = [&command_body("connect", 1.0, &[])[..], &[10, 0xff, 0xff, 0xff, 0xff]].concat();
    let error = Run::new().feed(Script::new().handshake().message(3, 0, id::COMMAND_AMF0, 0, &bomb));
    assert_eq!(error, Err(Error::Amf0(amf0::Error::Truncated)));
    // 4,250 levels are 21 KiB, 12,000 are 60: both more than a command may have. As many as fit it:
    let deep = [&command_body("connect", 1.0, &[])[..], &nested(3_200)].concat();
    let error = Run::new().feed(Script::new().handshake().message(3, 0, id::COMMAND_AMF0, 0, &deep));
    assert_eq!(error, Err(Error::Amf0(amf0::Error::TooDeep(16))));
    for levels in [4_250, 12_000] {
        let deep = [&command_body("connect", 1.0, &[])[..], &nested(levels)].concat();
        let error = Run::new().feed(Script::new().handshake().message(3, 0, id::COMMAND_AMF0, 0, &deep));
        assert!(matches!(error, Err(Error::MessageTooLong { limit: 16_384, .. })), "{error:?}");
    }
}

#[test]
fn the_same_bodies_as_data_cost_only_the_description() {
    let mut run = Run::publishing();
    let name = b"\x02\x00\x0aonMetaData";
    for body in [
        [&name[..], &nested(12_000)].concat(),
        [&name[..], &[10, 0xff, 0xff, 0xff, 0xff]].concat(),
        [&name[..], &[8, 0xff, 0xff, 0xff, 0xff]].concat(),
        vec![0; 65_537],
        vec![2; 7 << 20],
    ] {
        run.feed(Script::new().message(4, 0, id::DATA_AMF0, 1, &body).video(1, b"v")).unwrap();
        assert_eq!(run.media().len(), 1);
        assert_eq!(run.session.buffered_bytes(), 0);
    }
}

#[test]
fn before_a_publish_little_is_kept() {
    // Media for nobody passes through.
    let mut run = Run::new();
    run.feed(Script::new().handshake().connect("live", "")).unwrap();
    run.feed(Script::new().set_chunk_size(65_536).video(0, &[1; 4 << 20])).unwrap();
    assert_eq!(run.session.buffered_bytes(), 0);
    assert_eq!(run.media(), []);
    // Commands that never end are bounded by number and length.
    run.feed(Script::new().control(id::SET_CHUNK_SIZE, &15_999u32.to_be_bytes())).unwrap();
    for csid in 3..10 {
        run.feed(Script::new().chunk0(csid, 0, 16_000, id::COMMAND_AMF0, 0, &[2; 15_999])).unwrap();
    }
    assert!(run.session.buffered_bytes() < 256 * 1024);
    let error = run.feed(Script::new().chunk0(10, 0, 16_000, id::COMMAND_AMF0, 0, &[2; 15_999]));
    assert_eq!(error, Err(Error::TooManyChunkStreams { limit: 8 }));
}

#[test]
fn a_pending_publish_holds_a_bounded_amount() {
    let mut run = Run::new();
    run.feed(Script::publisher("cam01")).unwrap();
    let piece = [0; 64 * 1024];
    for _ in 0..4 {
        run.feed(Script::new().raw(&piece)).unwrap();
    }
    assert_eq!(run.session.buffered_bytes(), 256 * 1024);
    let error = run.feed(Script::new().raw(&[0]));
    assert_eq!(error, Err(Error::TooMuchBuffered { limit: 256 * 1024 }));
    // All at once is the same.
    let mut run = Run::new();
    let error = run.feed(Script::publisher("cam01").raw(&vec![0; 256 * 1024 + 1]));
    assert_eq!(error, Err(Error::TooMuchBuffered { limit: 256 * 1024 }));
    assert_eq!(run.request().unwrap().stream, "cam01");
}

#[test]
fn a_publisher_is_bounded_too() {
    let mib = 1 << 20;
    let mut run = Run::publishing();
    run.feed(Script::new().set_chunk_size(0x7fff_ffff)).unwrap();
    run.feed(Script::new().chunk0(6, 0, 8 * mib, id::VIDEO, 1, &vec![0; 8 << 20])).unwrap();
    assert_eq!(run.media().len(), 1, "the longest message is fine");
    let error = run.feed(Script::new().chunk0(6, 0, 8 * mib + 1, id::VIDEO, 1, b""));
    assert_eq!(error, Err(Error::MessageTooLong { type_id: 9, length: 8 * mib + 1, limit: 8 * mib }));

    let mut run = Run::publishing();
    run.feed(Script::new().set_chunk_size(1 << 20)).unwrap();
    for csid in 10..26 {
        run.feed(Script::new().chunk0(csid, 0, 8 * mib, id::VIDEO, 1, &vec![0; 1 << 20])).unwrap();
    }
    assert_eq!(run.session.buffered_bytes(), 16 << 20);
    let error = run.feed(Script::new().chunk0(26, 0, 8 * mib, id::VIDEO, 1, b"1"));
    assert_eq!(error, Err(Error::TooMuchBuffered { limit: 16 << 20 }));

    let mut run = Run::publishing();
    let error = (10..80).try_for_each(|csid| run.feed(Script::new().chunk0(csid, 0, 1, id::AUDIO, 1, b"x")));
    assert_eq!(error, Err(Error::TooManyChunkStreams { limit: 64 }));
}

#[test]
fn questions_cannot_pile_up_answers() {
    let question = Script::new().command(0, "x", 1.0, &[]).bytes();
    let error = {
        let mut run = Run::new();
        run.feed(Script::new().handshake().connect("live", "")).unwrap();
        run.feed(Script::new().raw(&question.repeat(10_000)))
    };
    assert_eq!(error, Err(Error::TooManyReplies { limit: 256 * 1024 }));
}

#[test]
fn aggregates_cannot_pile_up_events() {
    let part = [&[8, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7][..], &[0, 0, 0, 12]].concat();
    let mut run = Run::publishing();
    run.feed(Script::new().message(6, 0, id::AGGREGATE, 1, &part.repeat(4096))).unwrap();
    assert_eq!(run.media().len(), 4096);
    let error = run.feed(Script::new().message(6, 0, id::AGGREGATE, 1, &part.repeat(4097)));
    assert_eq!(error, Err(Error::TooManyAggregated { limit: 4096 }));
}

#[test]
fn chunk_size_zero_one_and_the_largest_leave_a_session_at_work() {
    for size in [0, 1, 0x7fff_ffff] {
        let mut run = Run::publishing();
        run.feed(Script::new().set_chunk_size(size).video(0, &[9; 3000]).audio(1, b"a")).unwrap();
        assert_eq!(run.media().len(), 2, "{size}");
    }
    // The first bit must be zero and is not part of the size.
    let mut run = Run::publishing();
    run.feed(Script::new().control(id::SET_CHUNK_SIZE, &[0x80, 0, 0, 128]).video(0, &[9; 3000])).unwrap();
    assert_eq!(run.media().len(), 1);
}

#[test]
fn control_messages_too_short_to_mean_anything() {
    for type_id in [id::SET_CHUNK_SIZE, id::ABORT, id::WINDOW_ACK_SIZE] {
        for body in [&b""[..], &[1], &[1, 2, 3]] {
            let error = Run::publishing().feed(Script::new().control(type_id, body));
            assert_eq!(error, Err(Error::ControlTooShort { type_id }));
        }
        Run::publishing().feed(Script::new().control(type_id, &[0; 9000]).video(0, b"v")).unwrap();
    }
}

#[test]
fn other_protocols_are_turned_away_at_their_first_byte() {
    for hello in [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x03\x01", b"SSH-2.0-x\r\n", b"\x06"] {
        let mut session = session();
        let error = session.receive(hello).unwrap_err().error;
        assert_eq!(error, Error::UnsupportedVersion(hello[0]));
        assert_eq!(session.receive(b"more").unwrap_err().error, Error::Ended);
        assert_eq!(session.buffered_bytes(), 0);
    }
}

/// One line of a made-up trace.
fn line() -> impl Strategy<Value = Script> {
    let body = prop::collection::vec(any::<u8>(), 0..200);
    let command = prop::sample::select(vec![
        "connect",
        "createStream",
        "publish",
        "FCPublish",
        "FCUnpublish",
        "deleteStream",
        "closeStream",
        "play",
        "zz",
    ]);
    prop_oneof![
        (2u32..70, any::<u32>(), 0u8..24, body.clone())
            .prop_map(|(csid, time, kind, body)| Script::new().message(csid, time, kind, 1, &body)),
        (2u32..9, any::<u32>(), 0u32..400, 0u8..24, body.clone())
            .prop_map(|(csid, time, length, kind, part)| Script::new().chunk1(csid, time, length, kind, &part)),
        (2u32..9, body.clone()).prop_map(|(csid, part)| Script::new().chunk3(csid, &part)),
        any::<u32>().prop_map(|size| Script::new().control(id::SET_CHUNK_SIZE, &(size >> (size % 32)).to_be_bytes())),
        (2u32..9).prop_map(|csid| Script::new().control(id::ABORT, &csid.to_be_bytes())),
        (command, "[a-z/?=&.]{0,12}").prop_map(|(name, argument)| {
            Script::new().command(1, name, 2.0, &[Value::Null, text(&argument), text("live")])
        }),
        body.prop_map(|bytes| Script::new().raw(&bytes)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever is said after whatever beginning: no panic, bounded memory, and the same result however the
    /// bytes are divided.
    #[test]
    fn any_trace_in_any_pieces(
        begun in 0usize..4,
        lines in prop::collection::vec(line(), 0..30),
        step in 1usize..200,
    ) {
        let mut opening = Script::new();
        if begun > 0 { opening = opening.handshake(); }
        if begun > 1 { opening = opening.connect("live", "rtmp://h/live"); }
        if begun > 2 { opening = opening.publish("cam01"); }
        let bytes = lines.into_iter().fold(opening, |all, line| all.raw(&line.bytes())).bytes();
        let play = |step: usize| {
            let mut run = Run::new();
            for piece in bytes.chunks(step) {
                let mut result = run.feed(Script::new().raw(piece));
                while result.is_ok() && run.session.stage() == Stage::PublishPending {
                    result = run.accept();
                }
                assert!(run.session.buffered_bytes() <= 256 * 1024 + bytes.len());
                if let Err(error) = result {
                    return (run.events, Some(error));
                }
            }
            (run.events, None)
        };
        prop_assert_eq!(play(step), play(bytes.len().max(1)));
    }
}
