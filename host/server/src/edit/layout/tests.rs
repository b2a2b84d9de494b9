//! Timelines as text, laid over two videos, a sound and an image.

use super::*;
use crate::edit::plain::{PlainRange, plain_ranges};

fn materials() -> Materials {
    let video = |duration_ms, picture, has_sound| VideoMaterial { duration_ms, picture, has_sound, bitrate_kbps: 900 };
    let picture = |width, height, fps| Some(PictureFacts { width, height, fps });
    Materials {
        videos: BTreeMap::from([
            ("match".to_owned(), video(10_000, picture(1280, 720, 25.0), true)),
            ("again".to_owned(), video(10_000, picture(1280, 720, 25.0), true)),
            ("tall".to_owned(), video(3000, picture(720, 1280, 29.97), false)),
            ("song".to_owned(), video(60_000, None, true)),
        ]),
        images: BTreeMap::from([("logo".to_owned(), ImageMaterial { width: 200, height: 100 })]),
    }
}

fn laid(timeline: &str) -> Result<Layout, LayoutError> {
    lay(&serde_json::from_str(timeline).unwrap(), &materials())
}

/// `from-to what@source`, shot by shot.
fn shots(timeline: &str) -> String {
    let layout = laid(timeline).unwrap();
    let shot = |shot: &Shot| {
        let what = match &shot.content {
            Content::Black => "black".to_owned(),
            Content::Still { id } => id.clone(),
            Content::Video { id, from_ms, .. } => format!("{id}@{from_ms}"),
        };
        format!("{}-{} {what}", shot.from_ms, shot.to_ms)
    };
    layout.shots.iter().map(shot).collect::<Vec<_>>().join(", ")
}

#[test]
fn clips_follow_each_other_or_lie_where_they_are_put() {
    let table = [
        (r#"{"clips":[{"material":{"video":"match"}}]}"#, "0-10000 match@0"),
        (
            r#"{"clips":[{"material":{"video":"match"},"from_ms":0,"to_ms":4000},{"material":{"video":"tall"}},
                {"material":{"video":"match"},"from_ms":4000,"to_ms":99999}]}"#,
            "0-4000 match@0, 4000-7000 tall@0, 7000-13000 match@4000",
        ),
        (
            r#"{"clips":[{"material":{"video":"match"},"to_ms":1000,"at_ms":500},
                {"material":{"video":"match"},"from_ms":2000,"at_ms":3000,"until_ms":3500},
                {"material":{"image":"logo"},"to_ms":250}]}"#,
            "0-500 black, 500-1500 match@0, 1500-3000 black, 3000-3500 match@2000, 3500-3750 logo",
        ),
        // A rounding error of the editor is no overlap.
        (
            r#"{"clips":[{"material":{"video":"match"},"to_ms":1001},{"material":{"video":"tall"},"at_ms":1000}]}"#,
            "0-1001 match@0, 1001-4001 tall@0",
        ),
    ];
    for (timeline, expected) in table {
        assert_eq!(shots(timeline), expected, "{timeline}");
    }
}

#[test]
fn the_result_is_as_large_as_the_largest_sides() {
    let size = |timeline| {
        let canvas = laid(timeline).unwrap().canvas.unwrap();
        (canvas.width, canvas.height, canvas.rate.frames, canvas.rate.seconds)
    };
    let both = r#"{"clips":[{"material":{"video":"match"}},{"material":{"video":"tall"}}]}"#;
    assert_eq!(size(both), (1280, 1280, 30_000, 1001));
    let asked = r#"{"clips":[{"material":{"video":"match"}}],"width":641}"#;
    assert_eq!(size(asked), (640, 360, 25, 1));
    let larger = r#"{"clips":[{"material":{"video":"match"}}],"width":1920,"height":1080}"#;
    assert_eq!(size(larger), (1920, 1080, 25, 1));
}

#[test]
fn sound_past_the_end_of_the_video_is_cut_and_sound_alone_is_a_result() {
    let over = laid(
        r#"{"clips":[{"material":{"video":"match"}}],
            "sounds":[[{"video":"song","at_ms":8000}],[{"video":"song","at_ms":10000}]]}"#,
    )
    .unwrap();
    let times: Vec<(u64, u64)> = over.sounds.iter().flatten().map(|heard| (heard.from_ms, heard.to_ms)).collect();
    assert_eq!((over.total_ms, times), (10_000, vec![(8000, 10_000)]));
    let alone = laid(r#"{"sounds":[[{"video":"song","to_ms":2000},{"video":"song","from_ms":9000,"to_ms":9500}]]}"#);
    let alone = alone.unwrap();
    assert_eq!((alone.total_ms, alone.canvas, alone.shots.len()), (2500, None, 0));
}

#[test]
fn effects_apply_within_their_clip() {
    let layout = laid(
        r#"{"clips":[{"material":{"video":"tall"}},{"material":{"video":"match"},"from_ms":2000,"to_ms":6000,"effects":[
            {"volume":{"gain_permille":0,"span":{"source":{"from_ms":1000,"to_ms":3000}}}},
            {"volume":{"gain_permille":500,"span":{"timeline":{"from_ms":9000,"to_ms":null}}}},
            {"blur":{"x":{"share":0},"y":{"pixels":0},"width":{"share":10000},"height":{"pixels":8},
                "span":{"source":{"from_ms":5000,"to_ms":null}}}},
            {"text":{"content":"x","x":{"share":5000},"y":{"share":0},"font":"","size":9,"color":[0,0,0],
                "opacity_permille":1,"span":{"timeline":{"from_ms":0,"to_ms":4000}}}}]}],
            "overlays":[[{"image":"logo","x":{"pixels":8},"y":{"pixels":8},"width":{"share":5000}}]]}"#,
    )
    .unwrap();
    let Content::Video { gains, .. } = &layout.shots[1].content else { panic!("{layout:?}") };
    assert_eq!(gains, &[Gain { from_ms: 0, to_ms: 1000, permille: 0 }]);
    assert_eq!(layout.blurs, [Blurred { x: 1, y: 1, width: 1278, height: 7, from_ms: 6000, to_ms: 7000 }]);
    let written = &layout.texts[0];
    assert_eq!((written.x, written.from_ms, written.to_ms), (640, 3000, 4000));
    let placed = &layout.overlays[0];
    assert_eq!((placed.width, placed.height, placed.from_ms, placed.to_ms), (640, 320, 0, 7000));
}

#[test]
fn a_picture_past_the_end_is_cut_for_one_video_and_on_black_for_several() {
    let overlay = r#""overlays":[[{"image":"logo","x":{"pixels":8},"y":{"pixels":8},"at_ms":9000,"until_ms":12000}]]"#;
    let one = laid(&format!(r#"{{"clips":[{{"material":{{"video":"match"}}}}],{overlay}}}"#)).unwrap();
    assert_eq!((one.total_ms, one.overlays[0].to_ms), (10_000, 10_000));
    let clip = r#"{"material":{"video":"match"},"to_ms":5000}"#;
    let two = laid(&format!(r#"{{"clips":[{clip},{clip}],{overlay}}}"#)).unwrap();
    assert_eq!((two.total_ms, two.overlays[0].to_ms), (12_000, 12_000));
    assert_eq!(two.shots.last().unwrap().content, Content::Black);
}

#[test]
fn what_cannot_be_made_is_named() {
    let table = [
        (r#"{"clips":[],"sounds":[[]]}"#, "timeline: there is nothing on the timeline"),
        (r#"{"clips":[{"material":{"video":"none"}}]}"#, "video clip 1: there is no video none that can be used"),
        (r#"{"clips":[{"material":{"video":"song"}}]}"#, "video clip 1: video song has no picture"),
        (r#"{"sounds":[[{"video":"tall"}]]}"#, "clip 1 of sound track 1: video tall has no sound"),
        (
            r#"{"clips":[{"material":{"video":"match"},"from_ms":10000}]}"#,
            "video clip 1: it begins at 10000 ms, but its material has only 10000 ms",
        ),
        (
            r#"{"clips":[{"material":{"video":"match"},"from_ms":2000,"to_ms":1000}]}"#,
            "video clip 1: it ends before it begins",
        ),
        (
            r#"{"clips":[{"material":{"video":"match"}},{"material":{"video":"match"},"at_ms":5000}]}"#,
            "video clip 2: it begins at 5000 ms, before the one in front of it ends at 10000 ms",
        ),
        (
            r#"{"clips":[{"material":{"image":"logo"}}]}"#,
            "video clip 1: a still picture needs the length for which it is shown",
        ),
        (
            r#"{"clips":[{"material":{"video":"match"},"at_ms":18446744073709551615}]}"#,
            "video clip 1: the result would be longer than 24 hours",
        ),
        (
            r#"{"clips":[{"material":{"image":"logo"},"to_ms":18446744073709551615}]}"#,
            "video clip 1: the result would be longer than 24 hours",
        ),
        (
            r#"{"clips":[{"material":{"video":"match"}}],"width":5000}"#,
            "timeline: a result of 5000x2812 is not possible",
        ),
        (
            r#"{"clips":[{"material":{"video":"match"}}],"overlays":[[{"image":"logo","x":{"pixels":1280},"y":{"share":0}}]]}"#,
            "picture 1 of image track 1: it lies outside of the picture",
        ),
        (
            r#"{"clips":[{"material":{"video":"match"},"effects":[{"blur":{"x":{"pixels":1279},"y":{"share":0},
                "width":{"pixels":8},"height":{"pixels":8}}}]}]}"#,
            "effect 1 of video clip 1: it lies outside of the picture",
        ),
    ];
    for (timeline, expected) in table {
        assert_eq!(laid(timeline).unwrap_err().to_string(), expected, "{timeline}");
    }
}

#[test]
fn cuts_and_joins_alone_are_plain() {
    let plain = |timeline: &str| plain_ranges(&laid(timeline).unwrap(), &materials());
    let cut =
        r#"{"clips":[{"material":{"video":"match"},"to_ms":4000},{"material":{"video":"again"},"from_ms":6000}]}"#;
    let range = |video: &str, from_ms, to_ms| PlainRange { video: video.to_owned(), from_ms, to_ms };
    assert_eq!(plain(cut), Some(vec![range("match", 0, Some(4000)), range("again", 6000, None)]));
    for other in [
        r#"{"clips":[{"material":{"video":"match"}},{"material":{"video":"tall"}}]}"#,
        r#"{"clips":[{"material":{"video":"match"}}],"width":640}"#,
        r#"{"clips":[{"material":{"video":"match"},"at_ms":1000}]}"#,
        r#"{"clips":[{"material":{"video":"match"},"effects":[{"volume":{"gain_permille":500}}]}]}"#,
        r#"{"clips":[{"material":{"video":"match"}}],"sounds":[[{"video":"song"}]]}"#,
        r#"{"clips":[{"material":{"video":"match"}}],"overlays":[[{"image":"logo","x":{"pixels":8},"y":{"pixels":8}}]]}"#,
    ] {
        assert_eq!(plain(other), None, "{other}");
    }
}

#[test]
fn rates_are_as_they_were_meant() {
    let rate = |fps| (Rate::of(fps).frames, Rate::of(fps).seconds);
    for (fps, expected) in [
        (25.0, (25, 1)),
        (29.97, (30_000, 1001)),
        (30.0, (30, 1)),
        (24.991, (25, 1)),
        (22.444, (22_444, 1000)),
        (120.0, (60, 1)),
        (0.0, (25, 1)),
        (f64::NAN, (25, 1)),
    ] {
        assert_eq!(rate(fps), expected, "{fps}");
    }
    // An hour of a rate with a fraction has the frames of an hour.
    assert_eq!(Rate::of(29.97).frame_at(3_600_000), 107_892);
}
