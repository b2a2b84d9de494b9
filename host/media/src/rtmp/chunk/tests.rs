use proptest::prelude::*;

use super::super::testkit::Script;
use super::*;

const BOUNDS: Bounds = Bounds { chunk_streams: 8, message_bytes: 1 << 20, partial_bytes: 1 << 20 };

/// Time, message stream, type and body of each message.
type Seen = Vec<(u32, u32, u8, Vec<u8>)>;

/// Reads everything in pieces of `step` bytes, obeying Set Chunk Size and Abort as a session does.
fn read_in(script: &[u8], step: usize) -> Result<Seen, Error> {
    let mut reader = Reader::new(BOUNDS);
    let mut seen = Vec::new();
    for piece in script.chunks(step) {
        let mut input = piece;
        while let Some(message) = reader.next_message(&mut input, |_| Ok(Intake::Keep))? {
            let field = message.payload.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
            match (message.header.type_id, field) {
                (1, Some(size)) => reader.set_chunk_size(size),
                (2, Some(chunk_stream)) => reader.abort(chunk_stream),
                _ => seen.push((
                    message.header.timestamp,
                    message.header.stream_id,
                    message.header.type_id,
                    message.payload.to_vec(),
                )),
            }
        }
        assert!(input.is_empty());
    }
    Ok(seen)
}

/// However the input is divided, the result must be the same.
fn read(script: Script) -> Result<Seen, Error> {
    let bytes = script.bytes();
    let whole = read_in(&bytes, bytes.len().max(1));
    for step in [1, 2, 3, 7, 128, 129] {
        assert_eq!(read_in(&bytes, step), whole, "in pieces of {step}");
    }
    whole
}

fn times(script: Script) -> Vec<u32> {
    read(script).unwrap().into_iter().map(|(time, ..)| time).collect()
}

#[test]
fn the_four_header_types() {
    let script = Script::new()
        .chunk0(4, 1000, 2, 8, 1, b"aa")
        .chunk1(4, 20, 3, 8, b"bbb")
        .chunk2(4, 30, b"ccc")
        .chunk3(4, b"ddd")
        .chunk3(4, b"eee");
    assert_eq!(
        read(script).unwrap(),
        [
            (1000, 1, 8, b"aa".to_vec()),
            (1020, 1, 8, b"bbb".to_vec()),
            (1050, 1, 8, b"ccc".to_vec()),
            (1080, 1, 8, b"ddd".to_vec()),
            (1110, 1, 8, b"eee".to_vec()),
        ]
    );
}

#[test]
fn type_3_after_type_0_adds_its_time_once_more() {
    assert_eq!(times(Script::new().chunk0(4, 23, 1, 8, 1, b"a").chunk3(4, b"b")), [23, 46]);
    assert_eq!(times(Script::new().chunk0(4, 0, 1, 8, 1, b"a").chunk3(4, b"b")), [0, 0]);
}

#[test]
fn chunk_stream_numbers_in_all_three_forms() {
    let mut script = Script::new();
    let ids = [2, 3, 63, 64, 319, 320, 65_599];
    for csid in ids {
        script = script.chunk0(csid, csid, 1, 9, 1, b"x");
    }
    assert_eq!(times(script), ids);
    // The same number in two forms is the same chunk stream.
    let both = Script::new().chunk0(64, 5, 1, 9, 1, b"x").raw(&[0xc1, 0, 0, b'y']);
    assert_eq!(times(both), [5, 10]);
}

#[test]
fn messages_interleave_over_chunk_streams() {
    let script = Script::new()
        .chunk0(6, 10, 300, 9, 1, &[1; 128])
        .chunk0(4, 11, 130, 8, 1, &[2; 128])
        .chunk3(6, &[1; 128])
        .chunk3(4, &[2; 2])
        .chunk3(6, &[1; 44]);
    assert_eq!(read(script).unwrap(), [(11, 1, 8, vec![2; 130]), (10, 1, 9, vec![1; 300])]);
}

#[test]
fn extended_times_repeated_or_not() {
    for time in [0x00ff_ffff, 0x0100_0000, 0x0102_0304, u32::MAX] {
        let ext = time.to_be_bytes();
        let want = vec![(time, 1, 9, vec![0x17; 300])];
        let repeated = Script::new()
            .chunk0(6, time, 300, 9, 1, &[0x17; 128])
            .chunk3(6, &[&ext[..], &[0x17; 128]].concat())
            .chunk3(6, &[&ext[..], &[0x17; 44]].concat());
        assert_eq!(read(repeated).unwrap(), want, "repeated {time:#x}");
        let absent =
            Script::new().chunk0(6, time, 300, 9, 1, &[0x17; 128]).chunk3(6, &[0x17; 128]).chunk3(6, &[0x17; 44]);
        assert_eq!(read(absent).unwrap(), want, "absent {time:#x}");
    }
}

#[test]
fn a_payload_that_looks_like_the_start_of_a_repeated_time_is_payload() {
    let time = 0x0102_0304;
    for tail in [&[1][..], &[1, 2], &[1, 2, 3], &[1, 2, 3, 5, 6]] {
        let length = 128 + tail.len() as u32;
        let script = Script::new().chunk0(6, time, length, 9, 1, &[9; 128]).chunk3(6, tail).chunk0(5, 0, 1, 8, 1, b"a");
        let want = [&[9; 128][..], tail].concat();
        assert_eq!(read(script).unwrap(), [(time, 1, 9, want), (0, 1, 8, b"a".to_vec())], "{tail:?}");
    }
}

#[test]
fn an_extended_time_is_forgotten_with_the_next_plain_one() {
    let script = Script::new()
        .chunk0(6, 0x0100_0000, 1, 9, 1, b"a")
        .chunk1(6, 40, 130, 9, &[0; 128])
        .chunk3(6, &[0, 0])
        .chunk3(6, &[7; 128])
        .chunk3(6, &[7; 2]);
    assert_eq!(times(script), [0x0100_0000, 0x0100_0028, 0x0100_0050]);
}

#[test]
fn times_wrap_at_32_bits() {
    let start = u32::MAX - 9;
    assert_eq!(times(Script::new().chunk0(6, start, 1, 9, 1, b"a").chunk1(6, 40, 1, 9, b"b")), [start, 30]);
    let by_type_2 = Script::new().chunk0(6, start, 1, 9, 1, b"a").chunk2(6, 40, b"b").chunk3(6, b"c");
    assert_eq!(times(by_type_2), [start, 30, 70]);
    // A difference so large that it needs the extended form steps back.
    let back = Script::new().chunk0(6, 1000, 1, 9, 1, b"a").chunk1(6, 40u32.wrapping_neg(), 1, 9, b"b");
    assert_eq!(times(back), [1000, 960]);
}

#[test]
fn a_type_1_chunk_may_come_first_and_types_2_and_3_may_not() {
    let first = Script::new().chunk1(5, 7, 2, 8, b"ab").chunk3(5, b"cd");
    assert_eq!(read(first).unwrap(), [(7, 0, 8, b"ab".to_vec()), (14, 0, 8, b"cd".to_vec())]);
    for script in [Script::new().chunk2(5, 0, b"x"), Script::new().chunk3(5, b"x")] {
        assert_eq!(read(script), Err(Error::NoPriorHeader { chunk_stream: 5 }));
    }
}

#[test]
fn empty_bodies_are_messages() {
    let script = Script::new().chunk0(4, 5, 0, 8, 1, b"").chunk3(4, b"").chunk1(4, 1, 2, 8, b"ab");
    let bodies: Vec<_> = read(script).unwrap().into_iter().map(|(.., body)| body).collect();
    assert_eq!(bodies, [b"".to_vec(), b"".to_vec(), b"ab".to_vec()]);
}

#[test]
fn a_shorter_next_message_is_fine_and_a_change_in_the_middle_is_not() {
    let next = Script::new()
        .chunk0(6, 0, 200, 9, 1, &[1; 128])
        .chunk3(6, &[1; 72])
        .chunk1(6, 40, 3, 9, b"abc")
        .chunk2(6, 40, b"def");
    assert_eq!(read(next).unwrap().len(), 3);
    for (length, type_id) in [(100, 9), (199, 9), (201, 9), (0x00ff_ffff, 9), (0, 9), (200, 8)] {
        let middle = Script::new().chunk0(6, 0, 200, 9, 1, &[1; 128]).chunk1(6, 0, length, type_id, &[1; 72]);
        assert_eq!(read(middle), Err(Error::HeaderChanged { chunk_stream: 6 }), "{length} {type_id}");
    }
    // A fuller header that says the same goes on with the message.
    for same in [
        Script::new().chunk0(6, 9, 200, 9, 1, &[1; 128]).chunk0(6, 9, 200, 9, 1, &[1; 72]),
        Script::new().chunk0(6, 9, 200, 9, 1, &[1; 128]).chunk1(6, 0, 200, 9, &[1; 72]),
        Script::new().chunk0(6, 9, 200, 9, 1, &[1; 128]).chunk2(6, 0, &[1; 72]),
    ] {
        assert_eq!(read(same).unwrap(), [(9, 1, 9, vec![1; 200])]);
    }
}

#[test]
fn abort_drops_one_message_and_keeps_the_others() {
    let script = Script::new()
        .chunk0(6, 0, 300, 9, 1, &[1; 128])
        .chunk0(4, 0, 200, 8, 1, &[2; 128])
        .control(2, &6u32.to_be_bytes())
        .chunk3(4, &[2; 72])
        .chunk0(6, 40, 3, 9, 1, b"new")
        .control(2, &77u32.to_be_bytes())
        .chunk3(6, b"nxt");
    assert_eq!(
        read(script).unwrap(),
        [(0, 1, 8, vec![2; 200]), (40, 1, 9, b"new".to_vec()), (80, 1, 9, b"nxt".to_vec())]
    );
}

#[test]
fn chunk_sizes_from_zero_to_the_largest() {
    let body = vec![5; 70_000];
    for size in [1, 2, 127, 4096, 65_536, 69_999, 70_000, 0x00ff_ffff, 0x0100_0000, 0x7fff_ffff] {
        let script = Script::new().set_chunk_size(size).message(6, 0, 9, 1, &body).message(4, 1, 8, 1, b"a");
        assert_eq!(read_in(&script.bytes(), 1000).unwrap().len(), 2, "size {size}");
    }
    // Zero changes nothing.
    let script = Script::new().set_chunk_size(0).message(6, 0, 9, 1, &[1; 300]);
    assert_eq!(read(script).unwrap(), [(0, 1, 9, vec![1; 300])]);
}

#[test]
fn a_new_chunk_size_holds_for_messages_under_way() {
    let script = Script::new()
        .chunk0(6, 0, 600, 9, 1, &[1; 128])
        .set_chunk_size(400)
        .chunk3(6, &[1; 400])
        .set_chunk_size(10)
        .chunk3(6, &[1; 10])
        .set_chunk_size(1000)
        .chunk3(6, &[1; 62]);
    assert_eq!(read(script).unwrap(), [(0, 1, 9, vec![1; 600])]);
}

#[test]
fn chunk_streams_and_lengths_are_bounded() {
    let mut script = Script::new();
    for csid in 3..=11 {
        script = script.chunk0(csid, 0, 1, 8, 1, b"x");
    }
    assert_eq!(read(script), Err(Error::TooManyChunkStreams { limit: 8 }));
    let long = Script::new().chunk0(6, 0, (1 << 20) + 1, 9, 1, b"");
    let error = Error::MessageTooLong { type_id: 9, length: (1 << 20) + 1, limit: 1 << 20 };
    assert_eq!(read(long), Err(error));
}

#[test]
fn unfinished_messages_are_bounded_together_and_grow_as_bytes_arrive() {
    let bounds = Bounds { partial_bytes: 1000, ..BOUNDS };
    let mut reader = Reader::new(bounds);
    let mut keep = |bytes: Vec<u8>| reader.next_message(&mut &bytes[..], |_| Ok(Intake::Keep)).map(|_| ());
    for csid in 3..10 {
        let declared = Script::new().chunk0(csid, 0, 1 << 20, 9, 1, &[0; 128]).bytes();
        assert_eq!(keep(declared), Ok(()), "{csid}");
    }
    let one_more = Script::new().chunk0(10, 0, 1 << 20, 9, 1, &[0; 128]).bytes();
    assert_eq!(keep(one_more), Err(Error::TooMuchBuffered { limit: 1000 }));
    assert!(reader.buffered_bytes() >= 7 * 128);
    let capacity: usize =
        reader.streams.iter().filter_map(|stream| stream.partial.as_ref()?.kept.as_ref()).map(Vec::capacity).sum();
    assert!(capacity <= 2 * 8 * 128, "{capacity} bytes reserved");
}

#[test]
fn skipped_bodies_take_no_memory() {
    let script = Script::new().message(6, 0, 9, 1, &[1; 5000]).message(4, 0, 8, 1, b"kept").bytes();
    let mut reader = Reader::new(Bounds { partial_bytes: 10, ..BOUNDS });
    let admit = |header: &Header| Ok(if header.type_id == 9 { Intake::Skip } else { Intake::Keep });
    let message = reader.next_message(&mut &script[..], admit).unwrap().unwrap();
    assert_eq!(&message.payload[..], b"kept");
    assert_eq!(reader.buffered_bytes(), 0);
}

#[test]
fn what_the_writer_writes_the_reader_reads() {
    for (size, length) in [(1, 10), (128, 128), (128, 129), (128, 0), (60_000, 70_000)] {
        let mut writer = Writer::new();
        writer.set_chunk_size(size);
        let body = vec![3; length];
        let mut bytes = Vec::new();
        writer.write(&mut bytes, 5, 20, 1, &body);
        let mut reader = Reader::new(BOUNDS);
        reader.set_chunk_size(size);
        let message = reader.next_message(&mut &bytes[..], |_| Ok(Intake::Keep)).unwrap().unwrap();
        assert_eq!(&message.payload[..], body);
    }
}

proptest! {
    #[test]
    fn messages_on_many_chunk_streams_arrive_whole(
        messages in prop::collection::vec((2u32..10, any::<u32>(), 0usize..700), 1..20),
        size in prop_oneof![Just(128u32), 1u32..600],
        step in 1usize..400,
    ) {
        let mut script = Script::new().set_chunk_size(size);
        let mut want = Vec::new();
        for (index, (csid, time, length)) in messages.into_iter().enumerate() {
            let body = vec![index as u8; length];
            script = script.message(csid, time, 9, 1, &body);
            want.push((time, 1, 9, body));
        }
        prop_assert_eq!(read_in(&script.bytes(), step), Ok(want));
    }

    #[test]
    fn any_bytes_read_the_same_in_any_pieces(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0u8..9], 0..400),
        step in 1usize..30,
    ) {
        prop_assert_eq!(read_in(&bytes, step), read_in(&bytes, 1000));
    }
}
