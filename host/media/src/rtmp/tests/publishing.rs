use bytes::Bytes;

use super::super::amf0::Value;
use super::super::message::id;
use super::super::testkit::{Script, object, text};
use super::*;

use MediaKind::{Audio, Video};

#[test]
fn a_broadcast_from_handshake_to_end_in_any_pieces() {
    let opening = Script::publisher("cam01?auth_key=1-0-0-ab").bytes();
    let body = Script::new()
        .data(&[text("@setDataFrame"), text("onMetaData"), object(vec![("width", Value::Number(640.0))])])
        .video(0, b"\x17\x00")
        .audio(0, b"\xaf\x00")
        .video(40, &[0x17; 1000])
        .command(0, "FCUnpublish", 6.0, &[Value::Null, text("cam01")])
        .command(0, "deleteStream", 7.0, &[Value::Null, Value::Number(1.0)])
        .bytes();
    let mut results = Vec::new();
    for step in [1, 13, 1000, 100_000] {
        let mut run = Run::new();
        for piece in opening.chunks(step) {
            run.feed(Script::new().raw(piece)).unwrap();
        }
        assert_eq!(run.session.stage(), Stage::PublishPending);
        run.accept().unwrap();
        for piece in body.chunks(step) {
            run.feed(Script::new().raw(piece)).unwrap();
        }
        assert_eq!(run.session.stage(), Stage::Idle);
        assert_eq!(run.session.buffered_bytes(), 0);
        results.push((run.events, run.answers));
    }
    let (events, answers) = results.swap_remove(0);
    for other in results {
        assert_eq!(other, (events.clone(), answers.clone()));
    }
    let metadata = Metadata { values: vec![("width".to_owned(), MetadataValue::Number(640.0))] };
    let media = |kind, timestamp_ms, data: &'static [u8]| {
        Event::Media(Media { kind, timestamp_ms, data: Bytes::from_static(data) })
    };
    assert!(matches!(&events[0], Event::Connected(c) if c.app == "live" && c.flash_ver.starts_with("FMLE")));
    assert!(matches!(&events[1], Event::PublishRequested(r) if r.stream == "cam01"));
    assert_eq!(
        events[2..],
        [
            Event::Metadata(metadata),
            media(Video, 0, b"\x17\x00"),
            media(Audio, 0, b"\xaf\x00"),
            media(Video, 40, &[0x17; 1000]),
            Event::Unpublished,
        ]
    );
    let names: Vec<&str> = answers.iter().map(|reply| reply.name()).filter(|name| !name.is_empty()).collect();
    assert_eq!(names, ["_result", "_result", "onStatus", "_result", "onFCUnpublish"]);
    assert_eq!(answers.iter().filter(|reply| reply.code() == "NetStream.Publish.Start").count(), 1);
}

#[test]
fn stages_follow_the_connection() {
    let mut run = Run::new();
    assert_eq!(run.session.stage(), Stage::Handshaking);
    run.feed(Script::new().handshake()).unwrap();
    assert_eq!(run.session.stage(), Stage::Connecting);
    run.feed(Script::new().connect("live", "").create_stream()).unwrap();
    assert_eq!(run.session.stage(), Stage::Connecting);
    run.feed(Script::new().publish("a")).unwrap();
    assert_eq!(run.session.stage(), Stage::PublishPending);
    let refused = run.session.refuse_publish(RefusalCode::Denied, "no such stream");
    run.take(refused).unwrap();
    assert_eq!(run.session.stage(), Stage::Connecting);
    assert_eq!(run.codes().last().unwrap(), "NetStream.Publish.Denied");
    run.feed(Script::new().publish("b")).unwrap();
    run.accept().unwrap();
    assert_eq!(run.session.stage(), Stage::Publishing);
    run.feed(Script::new().command(1, "closeStream", 0.0, &[Value::Null])).unwrap();
    assert_eq!(run.session.stage(), Stage::Idle);
}

#[test]
fn input_behind_a_publish_waits_for_the_answer() {
    let mut run = Run::new();
    run.feed(Script::publisher("cam01").video(0, b"v0").audio(5, b"a5")).unwrap();
    run.feed(Script::new().video(40, b"v40")).unwrap();
    assert_eq!(run.media(), []);
    assert!(run.session.buffered_bytes() > 0);
    run.accept().unwrap();
    let media = [(Video, 0, b"v0".to_vec()), (Audio, 5, b"a5".to_vec()), (Video, 40, b"v40".to_vec())];
    assert_eq!(run.media(), media);
    assert_eq!(run.session.buffered_bytes(), 0);
}

#[test]
fn a_refused_publish_drops_what_came_behind_it_and_the_next_one_is_asked_again() {
    let mut run = Run::new();
    run.feed(Script::publisher("taken").video(0, b"v0").publish("free").video(9, b"v9")).unwrap();
    let refused = run.session.refuse_publish(RefusalCode::BadName, "already live");
    run.take(refused).unwrap();
    assert_eq!(run.session.stage(), Stage::PublishPending);
    assert_eq!(run.request().unwrap().stream, "free");
    run.accept().unwrap();
    assert_eq!(run.media(), [(Video, 9, b"v9".to_vec())]);
    assert_eq!(run.codes(), ["NetConnection.Connect.Success", "NetStream.Publish.BadName", "NetStream.Publish.Start"]);
}

#[test]
fn one_connection_publishes_again_and_again() {
    let mut run = Run::publishing();
    for round in 0..3 {
        run.feed(Script::new().video(round, b"v").command(0, "FCUnpublish", 0.0, &[Value::Null, text("cam01")]))
            .unwrap();
        run.feed(Script::new().command(0, "deleteStream", 0.0, &[Value::Null, Value::Number(1.0)])).unwrap();
        assert_eq!(run.events.pop(), Some(Event::Unpublished));
        assert_eq!(run.media().len(), 1);
        run.feed(Script::new().video(0, b"between").create_stream().publish("cam02")).unwrap();
        assert_eq!(run.media(), [], "media between publishes belongs to nobody");
        run.accept().unwrap();
    }
}

#[test]
fn a_second_publish_beside_the_first_is_refused_and_harms_nothing() {
    let mut run = Run::publishing();
    run.feed(Script::new().publish("other").video(1, b"v")).unwrap();
    assert_eq!(run.codes(), ["NetStream.Publish.BadName"]);
    assert_eq!(run.media(), [(Video, 1, b"v".to_vec())]);
}

#[test]
fn deleting_another_stream_ends_nothing() {
    let mut run = Run::publishing();
    run.feed(Script::new().command(0, "deleteStream", 0.0, &[Value::Null, Value::Number(2.0)])).unwrap();
    assert_eq!(run.session.stage(), Stage::Publishing);
    run.feed(Script::new().command(0, "deleteStream", 0.0, &[])).unwrap();
    assert_eq!(run.session.stage(), Stage::Idle);
}

#[test]
fn keys_travel_in_three_queries_and_debug_output_hides_them() {
    let mut run = Run::new();
    let script = Script::new()
        .handshake()
        .connect("live/?vhost=a.example&x=2", "rtmp://User@Push.Example.ORG:1935/live?x=3&t=secret%20three")
        .create_stream()
        .publish("cam01?auth_key=1798761600-0-0-2ed04d96&x=1");
    run.feed(script).unwrap();
    let request = run.request().unwrap();
    assert_eq!((request.app.as_str(), request.stream.as_str()), ("live", "cam01"));
    assert_eq!(request.tc_url, "rtmp://User@Push.Example.ORG:1935/live");
    assert_eq!(request.host().as_deref(), Some("push.example.org"));
    let query: Vec<(&str, &str)> = request.query.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let want = [("auth_key", "1798761600-0-0-2ed04d96"), ("x", "1"), ("vhost", "a.example"), ("t", "secret three")];
    assert_eq!(query, want);
    let debug = format!("{:?} {:?}", run.events, run.session);
    assert!(!debug.contains("2ed04d96") && !debug.contains("secret"), "{debug}");
}

#[test]
fn hosts_of_urls() {
    let host = |tc_url: &str| {
        let mut run = Run::new();
        run.feed(Script::new().handshake().connect("live", tc_url).publish("s")).unwrap();
        run.request().unwrap().host()
    };
    assert_eq!(host("rtmp://h/live").as_deref(), Some("h"));
    assert_eq!(host("rtmp://10.0.0.1:1935/live").as_deref(), Some("10.0.0.1"));
    assert_eq!(host("rtmp://[2001:DB8::1]:1935/live").as_deref(), Some("2001:db8::1"));
    assert_eq!(host("rtmp:///live"), None);
    assert_eq!(host("live"), None);
    assert_eq!(host(""), None);
}

#[test]
fn publish_kinds() {
    let kind = |arguments: &[Value]| {
        let mut run = Run::new();
        run.feed(Script::new().handshake().connect("live", "").command(1, "publish", 0.0, arguments)).unwrap();
        run.request().unwrap().kind
    };
    assert_eq!(kind(&[Value::Null, text("s")]), PublishKind::Live);
    assert_eq!(kind(&[Value::Null, text("s"), text("live")]), PublishKind::Live);
    assert_eq!(kind(&[Value::Null, text("s"), text("record")]), PublishKind::Record);
    assert_eq!(kind(&[Value::Null, text("s"), text("append")]), PublishKind::Append);
    assert_eq!(kind(&[Value::Null, text("s"), Value::Number(4.0)]), PublishKind::Live);
}

#[test]
fn enhanced_media_and_unknown_codecs_pass_untouched() {
    let bodies: [&[u8]; 5] = [b"\x90hvc1\x01", b"\x91av01\0\0\0", b"\x96\x10hvc1\x00", b"\x90Opus", b"\xff"];
    let mut run = Run::publishing();
    for (time, body) in bodies.iter().enumerate() {
        run.feed(Script::new().video(time as u32, body).audio(time as u32, body)).unwrap();
    }
    let media = run.media();
    assert_eq!(media.len(), 10);
    assert!(media.iter().step_by(2).zip(bodies).all(|((_, _, data), body)| data == body));
}

#[test]
fn empty_media_unknown_types_and_odd_streams_do_no_harm() {
    let mut run = Run::publishing();
    let script = Script::new()
        .audio(0, b"")
        .video(0, b"")
        .chunk3(6, b"")
        .message(7, 0, 0, 0, b"what")
        .message(7, 0, 7, 1, &[1; 500])
        .message(7, 0, 16, 1, b"shared object")
        .message(7, 0, 99, 1, &[1; 5000])
        .message(7, 0, 255, 9, b"")
        .chunk1(8, 5, 2, id::AUDIO, b"a0")
        .message(6, 7, id::VIDEO, 0, b"v0")
        .message(6, 8, id::VIDEO, 77, b"v77");
    run.feed(script).unwrap();
    let media = [(Audio, 5, b"a0".to_vec()), (Video, 7, b"v0".to_vec()), (Video, 8, b"v77".to_vec())];
    assert_eq!(run.media(), media);
}

#[test]
fn aggregates_are_unpacked_on_the_timeline_of_the_message() {
    let part = |type_id: u8, time: u8, body: &[u8]| {
        [&[type_id, 0, 0, body.len() as u8, 0, 0, time, 0, 0, 0, 0], body, &[0, 0, 0, 11 + body.len() as u8]].concat()
    };
    let nested = part(id::AGGREGATE, 3, &part(id::VIDEO, 0, b"no"));
    let parts = [part(id::VIDEO, 5, b"v"), part(id::AUDIO, 8, b"a"), nested, part(id::VIDEO, 45, b"")].concat();
    let mut run = Run::publishing();
    run.feed(Script::new().message(6, 1000, id::AGGREGATE, 1, &parts)).unwrap();
    assert_eq!(run.media(), [(Video, 1000, b"v".to_vec()), (Audio, 1003, b"a".to_vec())]);
}

#[test]
fn metadata_in_every_usual_form() {
    let values = vec![
        ("width", Value::Number(1280.0)),
        ("encoder", text("obs")),
        ("stereo", Value::Boolean(true)),
        ("nested", object(vec![("x", Value::Null)])),
    ];
    let plain = object(values.clone());
    let Value::Object(properties) = plain.clone() else { unreachable!() };
    let array = Value::EcmaArray(properties);
    for body in [
        vec![text("onMetaData"), plain.clone()],
        vec![text("onMetaData"), array.clone()],
        vec![text("@setDataFrame"), text("onMetaData"), array],
    ] {
        let mut run = Run::publishing();
        run.feed(Script::new().data(&body)).unwrap();
        let [Event::Metadata(metadata)] = &run.events[..] else { panic!("{:?}", run.events) };
        assert_eq!(metadata.number("width"), Some(1280.0));
        assert_eq!(metadata.values.len(), 3);
    }
    let mut run = Run::publishing();
    let amf3 = [&[0][..], &super::super::testkit::command_body("onMetaData", 0.0, &[])].concat();
    run.feed(Script::new().message(4, 0, id::DATA_AMF3, 1, &amf3)).unwrap();
    run.feed(Script::new().data(&[text("onCuePoint"), plain]).data(&[]).data(&[Value::Null])).unwrap();
    assert_eq!(run.events, []);
}

#[test]
fn the_server_can_end_a_publish() {
    let mut run = Run::publishing();
    let send = run.session.end_publish(EndCode::Failed, "disk is full");
    let answers = run.replies.read(&send);
    assert_eq!(answers[0].code(), "NetStream.Publish.Failed");
    assert_eq!(run.session.stage(), Stage::Idle);
    run.feed(Script::new().video(0, b"late").command(1, "closeStream", 0.0, &[])).unwrap();
    assert_eq!(run.events, []);
    assert_eq!(run.session.end_publish(EndCode::Unpublished, ""), b"");
}

#[test]
fn answers_without_a_question_are_errors_of_the_caller() {
    for mut run in [Run::new(), Run::publishing()] {
        assert_eq!(run.accept(), Err(Error::NoPublishPending));
        assert_eq!(run.feed(Script::new()), Err(Error::Ended));
    }
}

#[test]
fn what_was_seen_before_an_error_comes_with_it() {
    let mut run = Run::publishing();
    let error = run.feed(Script::new().video(1, b"v").chunk3(50, b"x").video(2, b"lost"));
    assert_eq!(error, Err(Error::NoPriorHeader { chunk_stream: 50 }));
    assert_eq!(run.media(), [(Video, 1, b"v".to_vec())]);
}
