//! Real encoder in, real decoder out: what ffmpeg pushes is what ffmpeg finds in the parts, frame for frame.
//!
//! ffmpeg writes an FLV file, whose tags are what it would send over RTMP; the tags go through the cutter; ffprobe
//! counts the frames of each part by decoding them. Needs `ffmpeg` and `ffprobe` on the path.

#![expect(clippy::unwrap_used, reason = "a test helper's failure is the test's failure")]

use std::fs;
use std::path::Path;
use std::process::Command;

use reprise_media::fmp4::{FragmentEntry, FragmentIndex, scan};
use reprise_media::hls::{PlaylistOptions, PlaylistPart, Variant, bandwidth, check, master_playlist, media_playlist};
use reprise_media::part::{CloseCause, PartCutter, PartFacts, PartOptions, PartOutput};
use reprise_media::timeline::TrackKind;

/// Runs a tool and returns what it prints; anything on standard error is a failure.
fn run(tool: &str, dir: &Path, arguments: &[&str]) -> String {
    let output = Command::new(tool).current_dir(dir).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{tool} cannot be run ({error}): please install ffmpeg"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{tool} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Makes an FLV file from ffmpeg's test sources with the given encoder arguments.
fn encode(dir: &Path, arguments: &str) -> Vec<u8> {
    let mut all = vec!["-v", "error", "-y"];
    all.extend(arguments.split(' '));
    all.push("in.flv");
    run("ffmpeg", dir, &all);
    fs::read(dir.join("in.flv")).unwrap()
}

/// The tags of an FLV file: kind, timestamp, body. Script tags are left out.
fn tags(flv: &[u8]) -> Vec<(TrackKind, u32, Vec<u8>)> {
    const FILE_HEADER: usize = 9;
    const TAG_HEADER: usize = 11;
    const PREVIOUS_SIZE: usize = 4;
    let mut tags = Vec::new();
    let mut rest = &flv[FILE_HEADER + PREVIOUS_SIZE..];
    while rest.len() >= TAG_HEADER {
        let size = u32::from_be_bytes([0, rest[1], rest[2], rest[3]]) as usize;
        let timestamp = u32::from_be_bytes([rest[7], rest[4], rest[5], rest[6]]);
        let body = rest[TAG_HEADER..][..size].to_vec();
        match rest[0] {
            8 => tags.push((TrackKind::Audio, timestamp, body)),
            9 => tags.push((TrackKind::Video, timestamp, body)),
            _ => {}
        }
        rest = &rest[TAG_HEADER + size + PREVIOUS_SIZE..];
    }
    tags
}

/// A closed part on disk.
struct Part {
    name: String,
    bytes: Vec<u8>,
    entries: Vec<FragmentEntry>,
    facts: PartFacts,
}

/// Feeds tags through a cutter and writes the parts.
fn record(dir: &Path, tags: &[(TrackKind, u32, Vec<u8>)], cycle_ms: u64, offset: u32) -> Vec<Part> {
    let mut cutter = PartCutter::new(PartOptions::new(cycle_ms));
    let mut outputs = Vec::new();
    for (kind, timestamp, body) in tags {
        let body = body.clone().into();
        outputs.extend(cutter.push(*kind, timestamp.wrapping_add(offset), body).unwrap());
    }
    outputs.extend(cutter.flush().unwrap());
    let (mut parts, mut bytes, mut entries) = (Vec::new(), Vec::new(), Vec::new());
    for output in outputs {
        match output {
            PartOutput::Open { init, .. } => bytes = init.to_vec(),
            PartOutput::Fragment { bytes: fragment, entry } => {
                bytes.extend(fragment);
                entries.push(entry);
            }
            PartOutput::Close { facts, cause } => {
                assert!(matches!(cause, CloseCause::Cycle | CloseCause::Flush), "{cause:?}");
                let name = format!("part{}.mp4", parts.len());
                fs::write(dir.join(&name), &bytes).unwrap();
                let (bytes, entries) = (std::mem::take(&mut bytes), std::mem::take(&mut entries));
                parts.push(Part { name, bytes, entries, facts });
            }
            PartOutput::Gap { jump, .. } => panic!("{jump:?}"),
        }
    }
    parts
}

/// Frames of a stream that a decoder finds; 0 if there is no such stream.
fn count(dir: &Path, file: &str, stream: &str) -> u64 {
    let arguments = [
        "-v",
        "error",
        "-count_frames",
        "-select_streams",
        stream,
        "-show_entries",
        "stream=nb_read_frames",
        "-of",
        "csv=p=0",
        file,
    ];
    let text = run("ffprobe", dir, &arguments);
    let line = text.lines().find(|line| !line.is_empty());
    line.map_or(0, |line| line.trim_end_matches(',').parse().unwrap())
}

/// Times of a stream's packets, in seconds.
fn times(dir: &Path, file: &str, stream: &str) -> Vec<f64> {
    let arguments =
        ["-v", "error", "-select_streams", stream, "-show_entries", "packet=dts_time", "-of", "csv=p=0", file];
    let text = run("ffprobe", dir, &arguments);
    text.lines().map(|line| line.trim_end_matches(',').parse().unwrap()).collect()
}

/// The whole round: encode, cut, decode every part, play all parts as one playlist.
fn round_trip(arguments: &str, cycle_ms: u64, expected_parts: usize) -> Vec<Part> {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let flv = encode(dir, arguments);
    // The stamps wrap after 3 s.
    let parts = record(dir, &tags(&flv), cycle_ms, u32::MAX - 3_000);
    assert_eq!(parts.len(), expected_parts);
    for (stream, of_part) in
        [("v", (|facts| facts.video_frames) as fn(&PartFacts) -> u64), ("a", |facts| facts.audio_frames)]
    {
        let mut sum = 0;
        let mut last = f64::MIN;
        for part in &parts {
            let frames = count(dir, &part.name, stream);
            assert_eq!(frames, of_part(&part.facts), "{} {stream}", part.name);
            sum += frames;
            for time in times(dir, &part.name, stream) {
                assert!(time > last, "{} {stream}: {time} after {last}", part.name);
                assert!(last == f64::MIN || time - last < 0.1, "{} {stream}: {time} after {last}", part.name);
                last = time;
            }
        }
        assert_eq!(sum, count(dir, "in.flv", stream), "{stream}");
    }
    for part in &parts {
        assert_eq!(part.facts.dropped_frames, 0);
        assert_eq!(part.facts.bytes, part.bytes.len() as u64);
        run("ffmpeg", dir, &["-v", "error", "-i", &part.name, "-f", "null", "-"]);
        let scan = scan(&mut std::io::Cursor::new(&part.bytes), true).unwrap();
        assert_eq!((scan.lost_bytes(), &scan.fragments), (0, &part.entries));
        let index = FragmentIndex::from_scan(&scan).unwrap();
        assert_eq!(FragmentIndex::from_bytes(&index.to_bytes().into()), Ok(index));
    }
    play(dir, &parts);
    parts
}

/// ffmpeg reads the playlists and finds every frame in them.
fn play(dir: &Path, parts: &[Part]) {
    let scans: Vec<_> = parts.iter().map(|part| scan(&mut std::io::Cursor::new(&part.bytes), false).unwrap()).collect();
    let listed: Vec<_> = parts
        .iter()
        .zip(&scans)
        .map(|(part, scan)| PlaylistPart {
            uri: &part.name,
            init: scan.init.unwrap(),
            tracks: &scan.tracks,
            fragments: &part.entries,
        })
        .collect();
    let options = PlaylistOptions { target_ms: 2_000, ..PlaylistOptions::default() };
    let media = media_playlist(&listed, &options).unwrap();
    let checked = check::check(&media).unwrap();
    assert!(checked.independent);
    let recorded: u64 = parts.iter().map(|part| part.facts.duration_ms()).sum();
    assert!(checked.duration_ms().abs_diff(recorded) < 100 * parts.len() as u64);
    assert!(checked.segments.iter().all(|segment| !segment.discontinuity));
    fs::write(dir.join("media.m3u8"), media).unwrap();
    let variant = Variant {
        uri: "media.m3u8",
        tracks: &scans[0].tracks,
        bandwidth: bandwidth(&listed, 2_000),
        fps: parts[0].facts.fps(),
    };
    fs::write(dir.join("master.m3u8"), master_playlist(&[variant]).unwrap()).unwrap();
    run("ffmpeg", dir, &["-v", "error", "-i", "master.m3u8", "-f", "null", "-"]);
    for (stream, frames) in [
        ("v", parts.iter().map(|part| part.facts.video_frames).sum::<u64>()),
        ("a", parts.iter().map(|part| part.facts.audio_frames).sum()),
    ] {
        assert_eq!(count(dir, "media.m3u8", stream), frames, "{stream} of the playlist");
    }
}

#[test]
fn h264_with_b_frames_and_aac() {
    let parts = round_trip(
        "-f lavfi -i testsrc2=s=320x240:r=30 -f lavfi -i sine=r=44100 -t 10 -c:v libx264 -preset veryfast -g 45 -bf 2 \
         -pix_fmt yuv420p -c:a aac -b:a 64k",
        2_000,
        4,
    );
    let facts = &parts[0].facts;
    assert_eq!((facts.width(), facts.height()), (Some(320), Some(240)));
    assert!((facts.fps().unwrap() - 30.0).abs() < 0.5, "{:?}", facts.fps());
    assert_eq!(facts.tracks.codecs().split(',').nth(1), Some("mp4a.40.2"));
}

#[test]
fn ntsc_rate_at_48_khz() {
    round_trip(
        "-f lavfi -i testsrc2=s=320x180:r=30000/1001 -f lavfi -i sine=r=48000 -t 9 -c:v libx264 -preset ultrafast \
         -g 30 -pix_fmt yuv420p -c:a aac -ac 2",
        3_000,
        3,
    );
}

#[test]
fn video_alone() {
    let parts = round_trip(
        "-f lavfi -i testsrc2=s=320x240:r=25 -t 6 -c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p -an",
        2_000,
        3,
    );
    assert!(parts.iter().all(|part| !part.facts.has_audio() && part.facts.tracks.audio.is_none()));
}

#[test]
fn audio_alone() {
    let parts = round_trip("-f lavfi -i sine=r=44100 -t 6 -c:a aac -vn", 2_000, 3);
    assert!(parts.iter().all(|part| !part.facts.has_video() && part.facts.tracks.video.is_none()));
}

/// ffmpeg before 6.1 cannot write HEVC into FLV, so the samples of an MP4 are sent as an enhanced encoder would.
#[test]
fn hevc_by_four_cc_and_by_legacy_id() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    run(
        "ffmpeg",
        dir,
        &"-v error -y -f lavfi -i testsrc2=s=320x240:r=25 -t 5 -c:v libx265 -preset ultrafast -g 25 -bf 2 \
          -x265-params log-level=error -pix_fmt yuv420p -tag:v hvc1 -movflags empty_moov+frag_keyframe in.mp4"
            .split_whitespace()
            .collect::<Vec<_>>(),
    );
    let (record_bytes, frames) = hevc_samples(&fs::read(dir.join("in.mp4")).unwrap());
    assert_eq!(frames.len(), 125);
    for legacy in [false, true] {
        let mut tags = Vec::new();
        let header: &[u8] = if legacy { &[0x1c, 0, 0, 0, 0] } else { b"\x90hvc1" };
        tags.push((TrackKind::Video, 0, [header, &record_bytes].concat()));
        for (index, (keyframe, offset_ms, data)) in frames.iter().enumerate() {
            let kind = if *keyframe { 1u8 } else { 2 };
            let [_, a, b, c] = offset_ms.to_be_bytes();
            let start = match legacy {
                true => vec![kind << 4 | 12, 1, a, b, c],
                false => [&[0x80 | kind << 4 | 1][..], b"hvc1", &[a, b, c]].concat(),
            };
            tags.push((TrackKind::Video, index as u32 * 40, [start, data.clone()].concat()));
        }
        let parts = record(dir, &tags, 2_000, 0);
        assert_eq!(parts.len(), 3);
        assert!(parts[0].facts.tracks.codecs().starts_with("hvc1.1.6."));
        let decoded: u64 = parts.iter().map(|part| count(dir, &part.name, "v")).sum();
        assert_eq!(decoded, 125);
        for part in &parts {
            run("ffmpeg", dir, &["-v", "error", "-i", &part.name, "-f", "null", "-"]);
        }
        play(dir, &parts);
    }
}

/// Keyframe mark, composition offset in milliseconds, bytes.
type HevcSample = (bool, i32, Vec<u8>);

/// The `hvcC` record and the samples of a fragmented MP4 by ffmpeg.
fn hevc_samples(file: &[u8]) -> (Vec<u8>, Vec<HevcSample>) {
    use mp4_atom::{Any, Atom, Codec, Decode};
    let (mut rest, mut record, mut samples, mut timescale) = (file, Vec::new(), Vec::new(), 0);
    while !rest.is_empty() {
        let offset = file.len() - rest.len();
        match Any::decode(&mut rest).unwrap() {
            Any::Moov(moov) => {
                timescale = i64::from(moov.trak[0].mdia.mdhd.timescale);
                match &moov.trak[0].mdia.minf.stbl.stsd.codecs[0] {
                    Codec::Hvc1(entry) => entry.hvcc.encode_body(&mut record).unwrap(),
                    other => panic!("{other:?}"),
                }
            }
            Any::Moof(moof) => {
                let traf = &moof.traf[0];
                for trun in &traf.trun {
                    let mut at = offset + trun.data_offset.unwrap() as usize;
                    for entry in trun.samples.iter() {
                        let size = entry.size.or(traf.tfhd.default_sample_size).unwrap() as usize;
                        let flags = entry.flags.or(traf.tfhd.default_sample_flags).unwrap();
                        let offset_ms = entry.cts.unwrap_or(0) * 1000 / timescale;
                        samples.push((flags & 0x1_0000 == 0, offset_ms as i32, file[at..at + size].to_vec()));
                        at += size;
                    }
                }
            }
            _ => {}
        }
    }
    (record, samples)
}
