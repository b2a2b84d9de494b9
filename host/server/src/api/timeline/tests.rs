//! Timelines as editors send them, and as nobody should.

use super::*;
use crate::edit::timeline::{Blur, Effect, Length, Span, Text, Volume};

#[test]
fn an_editors_timeline_with_all_its_state() {
    let read = read(
        r##"{"Id":"t1","Title":"x","Duration":20.5,"CurrentRuler":3,"SubtitleTracks":[],"MainTrack":{"a":1},
        "VideoTracks":[{"Id":"track","VideoTrackClips":[
            {"MediaId":"0123456789abcdef0123456789abcdef","Type":"Video","In":"1.5","Out":4.25,"TimelineIn":0,
             "TimelineOut":"2.75","Title":"y","VirginDuration":9,"SpriteURLs":["a","b"],"CutFlag":true,"Effects":[
                {"Type":"Volume","Gain":"0","In":"1.5","Out":"2"},
                {"Type":"Text","Content":"Tor!\r\n3:2","X":0.5,"Y":"16","FontSize":"32","FontColor":"#ff8000",
                 "FontColorOpacity":0.5,"FontFace":{"Bold":true,"Italic":"false","Underline":false},
                 "TimelineIn":"0.5","TimelineOut":1,"FEWidth":100},
                {"Type":"DeWatermark","SubType":"Delogo_Blur","X":"0.1","Y":0.1,"Width":40,"Height":0.05}]},
            {"VideoId":"v2","Effects":null},
            {"MediaId":"i1","Type":"Image","TimelineIn":3,"TimelineOut":5}]}],
        "AudioTracks":[{"AudioTrackClips":[{"MediaId":"a1","TimelineIn":1,"Effects":[{"Type":"Volume","Gain":2.5}]}]},
            {"AudioTrackClips":[]}],
        "ImageTracks":[{"ImageTrackClips":[{"ImageId":"i1","X":0.9999,"Y":8,"Width":0.2,"TimelineOut":4}]}]}"##,
    )
    .unwrap();
    let id = "0123456789abcdef0123456789abcdef".to_owned();
    let first = &read.clips[0];
    assert_eq!(first.material, Material::Video(id));
    assert_eq!(first.cut, Cut { from_ms: 1500, to_ms: Some(4250), at_ms: Some(0), until_ms: Some(2750) });
    let text = Text {
        content: "Tor!\n3:2".to_owned(),
        x: Length::Share(5000),
        y: Length::Pixels(16),
        font: "SimSun".to_owned(),
        size: 32,
        color: [255, 128, 0],
        opacity_permille: 500,
        bold: true,
        italic: false,
        span: Some(Span::Timeline { from_ms: 500, to_ms: Some(1000) }),
    };
    let blur = Blur {
        x: Length::Share(1000),
        y: Length::Share(1000),
        width: Length::Pixels(40),
        height: Length::Share(500),
        span: None,
    };
    let volume = Volume { gain_permille: 0, span: Some(Span::Source { from_ms: 1500, to_ms: Some(2000) }) };
    assert_eq!(first.effects, [Effect::Volume(volume), Effect::Text(text), Effect::Blur(blur)]);
    assert_eq!(read.clips[1].material, Material::Video("v2".to_owned()));
    assert_eq!(read.clips[2].material, Material::Image("i1".to_owned()));
    assert_eq!(read.sounds.len(), 2);
    assert_eq!(read.sounds[0][0].volumes, [Volume { gain_permille: 2500, span: None }]);
    let overlay = &read.overlays[0][0];
    assert_eq!((overlay.x, overlay.y, overlay.height), (Length::Share(9999), Length::Pixels(8), None));
    assert_eq!((overlay.at_ms, overlay.until_ms), (0, Some(4000)));
}

#[test]
fn nothing_is_an_empty_timeline() {
    for empty in ["", "  ", "{}", r#"{"VideoTracks":[]}"#, r#"{"VideoTracks":null,"Unknown":[1,{"a":[]}]}"#] {
        assert!(read(empty).unwrap().is_empty(), "{empty}");
    }
}

#[test]
fn what_is_wrong_is_named_by_its_path() {
    let clip =
        |members: &str| format!(r#"{{"VideoTracks":[{{"VideoTrackClips":[{{"MediaId":"v"}},{{{members}}}]}}]}}"#);
    let effect = |members: &str| clip(&format!(r#""MediaId":"v","Effects":[{{{members}}}]"#));
    let at_clip = |rest: &str| format!("Timeline.VideoTracks[0].VideoTrackClips[1]{rest}");
    let at_effect = |rest: &str| at_clip(&format!(".Effects[0]{rest}"));
    let many = |count: usize, member: &str| vec![member; count].join(",");
    let long = "x".repeat(1001);
    let table = [
        ("[]".to_owned(), "Timeline".to_owned(), "it must be an object"),
        ("{".to_owned(), "Timeline".to_owned(), "it is not JSON"),
        ("[".repeat(100_000), "Timeline".to_owned(), "it is not JSON"),
        (r#"{"VideoTracks":{}}"#.to_owned(), "Timeline.VideoTracks".to_owned(), "it must be a list"),
        (r#"{"VideoTracks":[3]}"#.to_owned(), "Timeline.VideoTracks[0]".to_owned(), "it must be an object"),
        (
            r#"{"VideoTracks":[{},{"VideoTrackClips":[{"MediaId":"v"}]}]}"#.to_owned(),
            "Timeline.VideoTracks[1]".to_owned(),
            "there can be one video track",
        ),
        (clip(""), at_clip(".MediaId"), "it is mandatory"),
        (clip(r#""MediaId":"../v""#), at_clip(".MediaId"), "it is no id"),
        (clip(r#""VideoId":["v"]"#), at_clip(".VideoId"), "it must be a string"),
        (clip(r#""MediaId":"v","Type":"Text""#), at_clip(".Type"), "it must be Video or Image"),
        (clip(r#""MediaId":"v","In":"x""#), at_clip(".In"), "it must be a number"),
        (clip(r#""MediaId":"v","In":-1"#), at_clip(".In"), "it must not be negative"),
        (clip(r#""MediaId":"v","Out":"NaN""#), at_clip(".Out"), "it must be a number"),
        (clip(r#""MediaId":"v","Out":"inf""#), at_clip(".Out"), "it must be a number"),
        (clip(r#""MediaId":"v","TimelineIn":{}"#), at_clip(".TimelineIn"), "it must be a string"),
        (effect(r#""Type":"Wipe""#), at_effect(".Type"), "it must be Volume, Text or DeWatermark"),
        (effect(r#""Type":"Volume","Gain":11"#), at_effect(".Gain"), "it must be between 0 and 10"),
        (effect(r#""Type":"Volume","In":2,"Out":2"#), at_effect(".Out"), "it must be after In"),
        (effect(r#""Type":"Text""#), at_effect(".Content"), "it is mandatory"),
        (effect(&format!(r#""Type":"Text","Content":"{long}""#)), at_effect(".Content"), "it must be at most 1000"),
        (effect(r#""Type":"Text","Content":"x","X":1.5"#), at_effect(".X"), "it must be a fraction from 0 to 1"),
        (effect(r#""Type":"Text","Content":"x","Y":-3"#), at_effect(".Y"), "it must be a fraction from 0 to 1"),
        (effect(r#""Type":"Text","Content":"x","FontSize":1e9"#), at_effect(".FontSize"), "it must be between"),
        (effect(r#""Type":"Text","Content":"x","FontColor":"red""#), at_effect(".FontColor"), "it must be a colour"),
        (
            effect(r#""Type":"Text","Content":"x","FontFace":{"Underline":true}"#),
            at_effect(".FontFace.Underline"),
            "this server does not underline",
        ),
        (effect(r#""Type":"DeWatermark","X":0,"Y":0,"Width":9"#), at_effect(".Height"), "it is mandatory"),
        (
            effect(r#""Type":"DeWatermark","SubType":"Mosaic","X":0,"Y":0,"Width":9,"Height":9"#),
            at_effect(".SubType"),
            "it must be Delogo_Blur",
        ),
        (
            r#"{"AudioTracks":[{"AudioTrackClips":[{"MediaId":"v","Effects":[{"Type":"Text"}]}]}]}"#.to_owned(),
            "Timeline.AudioTracks[0].AudioTrackClips[0].Effects[0].Type".to_owned(),
            "it must be Volume",
        ),
        (
            format!(
                r#"{{"AudioTracks":[{{"AudioTrackClips":[{}]}}]}}"#,
                many(4, &format!(r#"{{"MediaId":"v","Effects":[{}]}}"#, many(60, r#"{"Type":"Volume"}"#)))
            ),
            "Timeline.AudioTracks[0].AudioTrackClips[3]".to_owned(),
            "sound tracks can have 200 effects",
        ),
        (
            r#"{"ImageTracks":[{"ImageTrackClips":[{"X":0}]}]}"#.to_owned(),
            "Timeline.ImageTracks[0].ImageTrackClips[0].ImageId".to_owned(),
            "it is mandatory",
        ),
        (
            format!(r#"{{"VideoTracks":[{{"VideoTrackClips":[{}]}}]}}"#, many(101, r#"{"MediaId":"v"}"#)),
            "Timeline.VideoTracks[0].VideoTrackClips".to_owned(),
            "there can be at most 100 of these",
        ),
        (
            format!(r#"{{"AudioTracks":[{}]}}"#, many(9, r#"{"AudioTrackClips":[{"MediaId":"v"}]}"#)),
            "Timeline.AudioTracks".to_owned(),
            "there can be at most 8 of these",
        ),
        (
            format!(r#"{{"ImageTracks":[{{"ImageTrackClips":[{}]}}]}}"#, many(33, r#"{"ImageId":"i"}"#)),
            "Timeline.ImageTracks[0].ImageTrackClips".to_owned(),
            "there can be at most 32 of these",
        ),
        (
            clip(&format!(r#""MediaId":"v","Effects":[{}]"#, many(65, r#"{"Type":"Volume"}"#))),
            at_clip(".Effects"),
            "there can be at most 64 of these",
        ),
        (format!("{{}}{}", " ".repeat(MAX_TIMELINE_BYTES)), "Timeline".to_owned(), "it must be at most 524288 bytes"),
    ];
    for (text, path, reason) in table {
        let error = read(&text).unwrap_err();
        assert_eq!(error.code(), "InvalidParameter");
        let expected = format!("The specified parameter \"{path}\" is not valid: {reason}");
        let shown = &text[..text.len().min(200)];
        assert!(error.to_string().starts_with(&expected), "{error} for {shown}, not {expected}");
    }
}
