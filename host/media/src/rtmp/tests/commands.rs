use super::super::amf0::Value;
use super::super::message::{id, user_control};
use super::super::testkit::{Reply, Script, command_body, object, text};
use super::*;

fn connected() -> Run {
    let mut run = Run::new();
    run.feed(Script::new().handshake().connect("live", "rtmp://h/live")).unwrap();
    run.answers.clear();
    run.events.clear();
    run
}

/// The properties object and the information object of the answer to `connect`.
fn connect_answer(more: Vec<(&str, Value)>) -> (Value, Value) {
    let mut run = Run::new();
    run.feed(Script::new().handshake().connect_with("live", "rtmp://h/live", more)).unwrap();
    let types: Vec<u8> = run
        .answers
        .iter()
        .map_while(|reply| match reply {
            Reply::Other(message) => Some(message.header.type_id),
            Reply::Command { .. } => None,
        })
        .collect();
    assert_eq!(types, [id::WINDOW_ACK_SIZE, id::SET_PEER_BANDWIDTH, id::SET_CHUNK_SIZE]);
    let Some(Reply::Command { stream: 0, command }) = run.answers.last() else { panic!("{:?}", run.answers) };
    assert_eq!((command.name.as_str(), command.transaction), ("_result", 1.0));
    (command.arguments[0].clone(), command.arguments[1].clone())
}

#[test]
fn connect_is_answered_with_what_encoders_look_for() {
    let (properties, info) = connect_answer(vec![("objectEncoding", Value::Number(3.0))]);
    assert_eq!(properties.get("fmsVer").and_then(Value::as_str), Some("FMS/3,0,1,123"));
    assert_eq!(info.get("code").and_then(Value::as_str), Some("NetConnection.Connect.Success"));
    assert_eq!(info.get("objectEncoding"), Some(&Value::Number(0.0)), "amf3 is declined");
    assert_eq!(properties.get("fourCcList"), None);
    assert_eq!(properties.get("capsEx"), None);
}

#[test]
fn enhanced_rtmp_is_answered_in_the_form_it_was_offered() {
    let list = Value::StrictArray(vec![text("hvc1"), text("av01")]);
    let (properties, info) = connect_answer(vec![("fourCcList", list)]);
    for object in [&properties, &info] {
        let ours = Value::StrictArray(vec![text("avc1"), text("hvc1"), text("mp4a")]);
        assert_eq!(object.get("fourCcList"), Some(&ours));
        assert_eq!(object.get("videoFourCcInfoMap"), None);
    }
    let map = object(vec![("*", Value::Number(7.0))]);
    let (properties, _) = connect_answer(vec![("videoFourCcInfoMap", map), ("capsEx", Value::Number(15.0))]);
    let forward = |codec| properties.get("videoFourCcInfoMap").and_then(|map| map.get(codec)).cloned();
    assert_eq!(forward("hvc1"), Some(Value::Number(4.0)));
    assert_eq!(forward("av01"), None);
    assert_eq!(properties.get("capsEx"), Some(&Value::Number(1.0)));
    // Numbers that are none of ours to believe.
    for caps in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
        connect_answer(vec![("capsEx", Value::Number(caps))]);
    }
}

#[test]
fn a_reconnect_is_asked_only_of_those_who_know_it() {
    let mut run = Run::new();
    let more = vec![("capsEx", Value::Number(1.0))];
    run.feed(Script::new().handshake().connect_with("live", "rtmp://h/live", more)).unwrap();
    let send = run.session.reconnect_request("going down").unwrap();
    assert_eq!(run.replies.read(&send)[0].code(), "NetConnection.Connect.ReconnectRequest");
    assert_eq!(connected().session.reconnect_request("going down"), None);
    assert_eq!(session().reconnect_request("going down"), None);
}

#[test]
fn the_usual_opening_commands_get_results() {
    let mut run = connected();
    let script = Script::new()
        .command(0, "releaseStream", 2.0, &[Value::Null, text("cam01")])
        .command(0, "FCPublish", 3.0, &[Value::Null, text("cam01")])
        .command(0, "createStream", 4.0, &[Value::Null])
        .command(0, "createStream", 5.0, &[Value::Null]);
    run.feed(script).unwrap();
    let answers: Vec<(String, f64, Option<Value>)> = run
        .answers
        .iter()
        .filter_map(|reply| match reply {
            Reply::Command { command, .. } => {
                Some((command.name.clone(), command.transaction, command.argument(1).cloned()))
            }
            Reply::Other(_) => None,
        })
        .collect();
    assert_eq!(answers[0], ("_result".to_owned(), 2.0, Some(Value::Undefined)));
    assert_eq!(answers[1], ("_result".to_owned(), 3.0, Some(Value::Undefined)));
    assert_eq!(answers[2].0, "onFCPublish");
    assert_eq!(answers[3], ("_result".to_owned(), 4.0, Some(Value::Number(1.0))));
    assert_eq!(answers[4], ("_result".to_owned(), 5.0, Some(Value::Number(2.0))));
}

#[test]
fn unknown_commands_are_refused_if_they_ask_and_ignored_if_not() {
    let mut run = connected();
    for name in ["getStreamLength", "FCSubscribe", "_checkbw", "", "drop table"] {
        run.feed(Script::new().command(0, name, 9.0, &[Value::Null])).unwrap();
        let Some(Reply::Command { command, .. }) = run.answers.pop() else { panic!("{name}") };
        assert_eq!((command.name.as_str(), command.transaction), ("_error", 9.0));
        run.feed(Script::new().command(0, name, 0.0, &[Value::Null])).unwrap();
        assert_eq!(run.answers, []);
    }
    run.feed(Script::new().command(0, "_result", 1.0, &[]).command(0, "onStatus", 1.0, &[])).unwrap();
    assert_eq!(run.answers, []);
}

#[test]
fn playing_is_refused_with_a_status() {
    let mut run = connected();
    run.feed(Script::new().create_stream().command(1, "play", 0.0, &[Value::Null, text("cam01")])).unwrap();
    let Some(Reply::Command { stream, .. }) = run.answers.last() else { panic!() };
    assert_eq!(*stream, 1);
    assert_eq!(run.codes(), ["NetStream.Play.StreamNotFound"]);
}

#[test]
fn amf3_commands_are_amf0_behind_one_byte() {
    let mut run = Run::new();
    let connect = command_body("connect", 1.0, &[object(vec![("app", text("live"))])]);
    let publish = command_body("publish", 0.0, &[Value::Null, text("cam01"), text("live")]);
    let prefixed = |body: &[u8]| [&[0], body].concat();
    run.feed(Script::new().handshake().message(3, 0, id::COMMAND_AMF3, 0, &prefixed(&connect))).unwrap();
    assert_eq!(run.codes(), ["NetConnection.Connect.Success"]);
    run.feed(Script::new().message(3, 0, id::COMMAND_AMF3, 1, &prefixed(&publish))).unwrap();
    assert_eq!(run.request().unwrap().stream, "cam01");
    // Some encoders leave the byte away.
    let mut run = Run::new();
    run.feed(Script::new().handshake().message(3, 0, id::COMMAND_AMF3, 0, &connect)).unwrap();
    assert_eq!(run.codes(), ["NetConnection.Connect.Success"]);
    // Real AMF3 inside is not understood.
    let amf3 = [&command_body("publish", 0.0, &[Value::Null])[..], &[0x11, 0x06, 0x03, b'a']].concat();
    let error = run.feed(Script::new().message(3, 0, id::COMMAND_AMF3, 1, &prefixed(&amf3)));
    assert_eq!(error, Err(Error::Amf0(amf0::Error::Marker(0x11))));
}

#[test]
fn commands_with_arguments_left_away() {
    let mut run = connected();
    for name in ["createStream", "releaseStream", "FCPublish", "FCUnpublish", "deleteStream", "closeStream", "play"] {
        run.feed(Script::new().command(0, name, 2.0, &[])).unwrap();
    }
    run.feed(Script::new().command(1, "publish", 3.0, &[])).unwrap();
    assert_eq!(run.codes().last().unwrap(), "NetStream.Publish.BadName");
    // A name alone, without transaction.
    run.feed(Script::new().message(3, 0, id::COMMAND_AMF0, 0, b"\x02\x00\x0ccreateStream")).unwrap();
    assert_eq!(run.session.stage(), Stage::Connecting);
}

#[test]
fn commands_before_connect_and_without_a_name_end_the_connection() {
    for name in ["publish", "createStream", "whatever"] {
        let mut run = Run::new();
        let error = run.feed(Script::new().handshake().command(0, name, 1.0, &[Value::Null]));
        assert_eq!(error, Err(Error::NotConnected));
    }
    for body in [&b""[..], b"\x05", b"\x00\x3f\xf0\0\0\0\0\0\0"] {
        let error = connected().feed(Script::new().message(3, 0, id::COMMAND_AMF0, 0, body));
        assert!(matches!(error, Err(Error::MalformedCommand(_) | Error::Amf0(_))), "{body:?} {error:?}");
    }
}

#[test]
fn names_that_are_not_names() {
    for stream in ["", "?auth_key=x", "a/b", "..", "a\0b", "a b", &"x".repeat(256)] {
        let mut run = connected();
        run.feed(Script::new().publish(stream)).unwrap();
        assert_eq!(run.codes(), ["NetStream.Publish.BadName"], "{stream:?}");
        assert_eq!(run.session.stage(), Stage::Connecting);
    }
    for app in ["", "/", "a/b", "..", "?x=1", "a\r\nb"] {
        let mut run = Run::new();
        let error = run.feed(Script::new().handshake().connect(app, "rtmp://h/a"));
        assert!(matches!(error, Err(Error::BadApp(_))), "{app:?}");
        assert_eq!(run.codes(), ["NetConnection.Connect.InvalidApp"], "the refusal is sent before closing");
    }
    let long = format!("rtmp://h/{}", "u".repeat(5000));
    let error = Run::new().feed(Script::new().handshake().connect("live", &long));
    assert!(matches!(error, Err(Error::MalformedCommand(_))));
}

#[test]
fn connecting_twice_is_refused_and_changes_nothing() {
    let mut run = connected();
    run.feed(Script::new().connect("other", "rtmp://h/other").publish("cam01")).unwrap();
    assert_eq!(run.codes(), ["NetConnection.Connect.Failed"]);
    assert_eq!(run.request().unwrap().app, "live");
}

#[test]
fn pings_are_answered_and_can_be_sent() {
    let mut run = connected();
    run.feed(Script::new().control(id::USER_CONTROL, &user_control::body(6, 123))).unwrap();
    let Some(Reply::Other(pong)) = run.answers.pop() else { panic!() };
    assert_eq!(user_control::parse(&pong.payload), Some((user_control::PING_RESPONSE, 123)));
    let send = run.session.ping(55);
    let Some(Reply::Other(ping)) = run.replies.read(&send).pop() else { panic!() };
    assert_eq!(user_control::parse(&ping.payload), Some((user_control::PING_REQUEST, 55)));
    assert_eq!(session().ping(1), b"", "nothing goes before the handshake");
    // Events that ask for nothing, and short ones.
    for body in [&user_control::body(7, 1)[..], &user_control::body(3, 1), &[0, 6], &[], &[0, 6, 1, 2, 3]] {
        run.feed(Script::new().control(id::USER_CONTROL, body)).unwrap();
        assert_eq!(run.answers, []);
    }
}

#[test]
fn bytes_are_acknowledged_by_the_window_of_the_peer() {
    let acks = |run: &mut Run| -> Vec<u32> {
        let acks = run.answers.drain(..).filter_map(|reply| match reply {
            Reply::Other(m) if m.header.type_id == id::ACKNOWLEDGEMENT => m.payload.first_chunk().copied(),
            _ => None,
        });
        acks.map(u32::from_be_bytes).collect()
    };
    let mut run = Run::new();
    let opening = Script::publisher("cam01").bytes();
    let mut total = opening.len();
    run.feed(Script::new().raw(&opening)).unwrap();
    run.accept().unwrap();
    let window = Script::new().control(id::WINDOW_ACK_SIZE, &10_000u32.to_be_bytes()).bytes();
    total += window.len();
    run.feed(Script::new().raw(&window)).unwrap();
    assert_eq!(acks(&mut run), [] as [u32; 0]);
    let mut seen = Vec::new();
    for time in 0..60 {
        let video = Script::new().video(time, &[0; 1000]).bytes();
        total += video.len();
        run.feed(Script::new().raw(&video)).unwrap();
        seen.extend(acks(&mut run));
    }
    assert_eq!(seen.len(), 6);
    assert!(seen.windows(2).all(|pair| pair[1] - pair[0] >= 10_000));
    assert!(total as u32 - seen.last().unwrap() < 10_000);
    // Zero and nonsense are survived: at most one acknowledgement for each call.
    run.feed(Script::new().control(id::WINDOW_ACK_SIZE, &[0; 4]).control(id::SET_PEER_BANDWIDTH, b"")).unwrap();
    run.feed(Script::new().video(0, &[0; 5000])).unwrap();
    assert_eq!(acks(&mut run).len(), 2);
}
