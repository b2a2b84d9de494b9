use super::*;

/// What ffmpeg 5.1 wrote over 18 s: moving, 4.08 to 6.08 black and silent, moving, 10.08 to 14.08 standing, then silent,
/// and black from 16.08.
const PICTURE: &str = "frame:100  pts:52224   pts_time:4.08
lavfi.black_start=4.08
frame:150  pts:77824   pts_time:6.08
lavfi.black_end=6.08
lavfi.freezedetect.freeze_start=4.08
lavfi.freezedetect.freeze_duration=2
lavfi.freezedetect.freeze_end=6.08
frame:300  pts:154624  pts_time:12.08
lavfi.freezedetect.freeze_start=10.08
frame:350  pts:180224  pts_time:14.08
lavfi.freezedetect.freeze_duration=4
lavfi.freezedetect.freeze_end=14.08
frame:400  pts:205824  pts_time:16.08
lavfi.black_start=16.08
";

const SCENES: &str = "frame:100  pts:52224   pts_time:4.08
lavfi.scd.score=41.603
frame:250  pts:129024  pts_time:10.08
lavfi.scd.score=22.683
";

const COVER: &str = "frame:0    pts:127488  pts_time:9.96
cover=1
";

const SOUND: &str = "frame:216  pts:223688  pts_time:5.07229
lavfi.silence_start=4.0829
frame:259  pts:267720  pts_time:6.07075
lavfi.silence_end=6.08002
lavfi.silence_duration=1.99712
frame:646  pts:664008  pts_time:15.0569
lavfi.silence_start=14.08
";

const LOG: &str = "[Parsed_ebur128_16 @ 0x555d729657c0] [info] Summary:

  Integrated loudness:
    I:         -70.0 LUFS
    Threshold:   0.0 LUFS

  True peak:
    Peak:       -inf dBFS
[info] Stream mapping:
[Parsed_ebur128_16 @ 0x555d729dd200] [info] Summary:

  Integrated loudness:
    I:          -9.9 LUFS
    Threshold: -19.9 LUFS

  Loudness range:
    LRA:         4.8 LU
    Threshold: -31.0 LUFS
    LRA low:   -14.5 LUFS
    LRA high:   -9.7 LUFS

  True peak:
    Peak:       -1.1 dBFS
[silencedetect @ 0x555d729dce00] [info] silence_end: 18.0987 | silence_duration: 4.01868
";

fn notes() -> Notes {
    Notes {
        picture: PICTURE.to_owned(),
        scenes: SCENES.to_owned(),
        cover: COVER.to_owned(),
        sound: SOUND.to_owned(),
        log: LOG.to_owned(),
    }
}

fn span(from_ms: u64, to_ms: u64) -> Span {
    Span { from_ms, to_ms }
}

#[test]
fn all_that_was_written_is_found() {
    let expected = Findings {
        silences: vec![span(4083, 6080), span(14_080, 18_080)],
        blacks: vec![span(4080, 6080), span(16_080, 18_080)],
        freezes: vec![span(4080, 6080), span(10_080, 14_080)],
        scenes_ms: vec![4080, 10_080],
        loudness_lufs: Some(-9.9),
        true_peak_dbfs: Some(-1.1),
        loudness_range_lu: Some(4.8),
        cover_ms: Some(9960),
    };
    assert_eq!(read(&notes(), 18_080), expected);
}

#[test]
fn nothing_written_is_nothing_found() {
    assert_eq!(read(&Notes::default(), 10_000), Findings::default());
}

#[test]
fn stretches_are_merged_bounded_and_long_enough() {
    /// Name, begins and ends as the filter writes them, stretches.
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [Span]);
    let table: [Row<'_>; 7] = [
        ("a flash in the dark", &[("1", "1.4"), ("1.5", "2")], &[span(1000, 2000)]),
        ("two", &[("1", "2"), ("2.4", "3")], &[span(1000, 2000), span(2400, 3000)]),
        ("too short", &[("1", "1.2")], &[]),
        ("short, and open at the end", &[("9.8", "")], &[]),
        ("past the end", &[("8", "11")], &[span(8000, 10_000)]),
        ("nonsense", &[("nan", "2"), ("3", "inf"), ("x", "4")], &[span(3000, 4000)]),
        ("before the beginning", &[("-0.02", "1")], &[span(0, 1000)]),
    ];
    for (name, marks, expected) in table {
        let mut picture = String::new();
        for (from, to) in marks {
            picture += &format!("lavfi.black_start={from}\n");
            if !to.is_empty() {
                picture += &format!("lavfi.black_end={to}\n");
            }
        }
        assert_eq!(read(&Notes { picture, ..Notes::default() }, 10_000).blacks, expected, "{name}");
    }
}

#[test]
fn a_flood_is_cut_to_what_matters_most() {
    let (mut sound, mut scenes) = (String::new(), String::new());
    for index in 0..5000_u32 {
        let at = index * 10;
        // Every tenth is longer.
        let length = if index % 10 == 0 { 5 } else { 2 };
        sound += &format!("lavfi.silence_start={at}\nlavfi.silence_end={}\n", at + length);
        scenes += &format!("frame:1 pts:1 pts_time:{at}\nlavfi.scd.score={}\n", 10 + index % 10);
    }
    let found = read(&Notes { sound, scenes, ..Notes::default() }, 50_000_000);
    assert_eq!(found.silences.len(), MOST_SPANS);
    assert!(found.silences.iter().all(|span| span.to_ms - span.from_ms == 5000));
    assert!(found.silences.is_sorted_by_key(|span| span.from_ms));
    assert_eq!(found.scenes_ms.len(), MOST_SCENES);
    assert!(found.scenes_ms.iter().all(|at| at / 10_000 % 10 == 9), "the clearest stay");
    assert!(found.scenes_ms.is_sorted());
}

#[test]
fn what_is_silent_has_no_loudness() {
    let (silent, _) = LOG.split_once("[info] Stream mapping").unwrap();
    let found = read(&Notes { log: silent.to_owned(), ..Notes::default() }, 1000);
    assert_eq!((found.loudness_lufs, found.true_peak_dbfs, found.loudness_range_lu), (None, None, None));
}
