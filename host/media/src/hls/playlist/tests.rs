use super::*;
use crate::fmp4::TRAILER_BYTES;
use crate::hls::check::{CheckError, check};
use crate::timeline::TimelinePosition;
use crate::track::samples;

const INIT: ByteRange = ByteRange { offset: 0, len: 700 };

/// Fragments of 1 s and 1000 bytes from `first_ms`; `keys` says which start with a keyframe.
fn fragments(first_ms: u64, keys: &str) -> Vec<FragmentEntry> {
    let mut offset = INIT.len + u64::from(TRAILER_BYTES);
    let mut entries = Vec::new();
    for (index, key) in keys.chars().enumerate() {
        let entry = FragmentEntry {
            offset,
            size: 1000,
            total_size: 1000 + TRAILER_BYTES,
            number: index as u32 + 1,
            first_ms: first_ms + index as u64 * 1000,
            duration_ms: 1000,
            keyframe: key == 'K',
            video_frames: 25,
            audio_frames: 43,
            ends: TimelinePosition::default(),
        };
        offset = entry.end_offset();
        entries.push(entry);
    }
    entries
}

fn part<'a>(uri: &'a str, tracks: &'a Tracks, fragments: &'a [FragmentEntry]) -> PlaylistPart<'a> {
    PlaylistPart { uri, init: INIT, tracks, fragments }
}

#[test]
fn segments_start_at_keyframes() {
    let durations = |keys: &str| -> Vec<u64> {
        segments(&fragments(7_000, keys), 4_000).iter().map(|segment| segment.duration_ms).collect()
    };
    assert_eq!(durations("K-K-K-K-K-"), [4000, 4000, 2000]);
    assert_eq!(durations("K----K----"), [5000, 5000]);
    assert_eq!(durations("KKKKKKKKK"), [4000, 4000, 1000]);
    assert_eq!(durations("K---------"), [10_000]);
    assert_eq!(durations("-K----K---"), [6000, 4000]);
    assert_eq!(durations(""), []);
}

#[test]
fn one_part_as_text() {
    let tracks = samples::both();
    let fragments = fragments(0, "K-K-K-");
    let text = media_playlist(&[part("1.mp4", &tracks, &fragments)], &PlaylistOptions::default()).unwrap();
    assert_eq!(
        text,
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXT-X-BYTERANGE:4336@784\n#EXT-X-MAP:URI=\"1.mp4\",BYTERANGE=\"700@0\"\n#EXTINF:4,\n1.mp4\n\
         #EXT-X-BYTERANGE:2168@5120\n#EXTINF:2,\n1.mp4\n#EXT-X-ENDLIST\n"
    );
    assert_eq!(check(&text).unwrap().duration_ms(), 6000);
}

#[test]
fn parts_join_and_changes_are_marked() {
    let (tracks, other) = (samples::both(), Tracks { video: None, ..samples::both() });
    let lists = [fragments(0, "K-K-K-"), fragments(6_000, "K-K-"), fragments(10_000, "KKKK"), fragments(60_000, "KK")];
    let parts = [
        part("a.mp4", &tracks, &lists[0]),
        part("b.mp4", &tracks, &lists[1]),
        part("c.mp4", &other, &lists[2]),
        part("d.mp4", &other, &lists[3]),
    ];
    let sign = |uri: &str| format!("?auth_key={}", uri.len());
    let options = PlaylistOptions { uri_suffix: Some(&sign), ..PlaylistOptions::default() };
    let text = media_playlist(&parts, &options).unwrap();
    let checked = check(&text).unwrap();
    let seen: Vec<_> = checked.segments.iter().map(|s| (s.uri.as_str(), s.discontinuity)).collect();
    assert_eq!(
        seen,
        [
            ("a.mp4?auth_key=5", false),
            ("a.mp4?auth_key=5", false),
            ("b.mp4?auth_key=5", false),
            ("c.mp4?auth_key=5", true),
            ("d.mp4?auth_key=5", true),
        ]
    );
    assert_eq!(checked.duration_ms(), 6000 + 4000 + 4000 + 2000);
    assert!(checked.independent);
    assert!(text.find("#EXT-X-DISCONTINUITY").unwrap() < text.find("#EXT-X-MAP:URI=\"c.mp4").unwrap());
}

#[test]
fn a_part_without_a_first_keyframe_is_not_called_independent() {
    let tracks = samples::both();
    let fragments = fragments(0, "--K---");
    let text = media_playlist(&[part("1.mp4", &tracks, &fragments)], &PlaylistOptions::default()).unwrap();
    assert!(!check(&text).unwrap().independent);
}

#[test]
fn refusals() {
    let tracks = samples::both();
    let list = fragments(0, "K");
    let options = PlaylistOptions::default();
    assert!(matches!(media_playlist(&[], &options), Err(PlaylistError::Empty)));
    assert!(matches!(media_playlist(&[part("1.mp4", &tracks, &[])], &options), Err(PlaylistError::Empty)));
    for uri in ["", "a b", "a\nb", "a\"b", "#a"] {
        assert!(matches!(media_playlist(&[part(uri, &tracks, &list)], &options), Err(PlaylistError::Uri(_))));
    }
    assert!(matches!(master_playlist(&[]), Err(PlaylistError::Empty)));
}

#[test]
fn broken_promises_are_found() {
    let tracks = samples::both();
    let list = fragments(0, "K---K---");
    let good = media_playlist(&[part("1.mp4", &tracks, &list)], &PlaylistOptions::default()).unwrap();
    for (from, to, error) in [
        ("#EXTM3U", "#EXTINF", CheckError::Syntax),
        ("VERSION:7", "VERSION:3", CheckError::Head),
        ("#EXT-X-ENDLIST\n", "", CheckError::Head),
        ("@784", "", CheckError::Range(0)),
        ("URI=\"1.mp4\"", "URI=\"2.mp4\"", CheckError::Map(0)),
        ("@5120", "@5119", CheckError::Order(1)),
        ("#EXTINF:4,", "#EXTINF:9,", CheckError::Duration(0)),
    ] {
        assert!(good.contains(from), "{from}");
        assert_eq!(check(&good.replacen(from, to, 1)), Err(error), "{from}");
    }
}

#[test]
fn master_playlists_name_codecs_and_size() {
    let (both, audio) = (samples::both(), Tracks { video: None, ..samples::both() });
    let list = fragments(0, "K---K---");
    let bandwidth = bandwidth(&[part("1.mp4", &both, &list)], 4_000);
    assert_eq!(bandwidth, Bandwidth { peak: 8672, average: 8672 });
    let text = master_playlist(&[
        Variant { uri: "v.m3u8", tracks: &both, bandwidth, fps: Some(29.970_029) },
        Variant { uri: "a.m3u8", tracks: &audio, bandwidth, fps: Some(29.97) },
    ])
    .unwrap();
    assert_eq!(
        text,
        "#EXTM3U\n#EXT-X-VERSION:7\n\
         #EXT-X-STREAM-INF:BANDWIDTH=8672,AVERAGE-BANDWIDTH=8672,CODECS=\"avc1.64000d,mp4a.40.2\",\
         RESOLUTION=320x240,FRAME-RATE=29.97\nv.m3u8\n\
         #EXT-X-STREAM-INF:BANDWIDTH=8672,AVERAGE-BANDWIDTH=8672,CODECS=\"mp4a.40.2\"\na.m3u8\n"
    );
}
