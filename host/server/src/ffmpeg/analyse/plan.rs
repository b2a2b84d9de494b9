//! From a source to the command that looks at it. Pure.

use std::ffi::OsString;

use super::super::plan::{Args, MAX_THREADS, Refusal, Source, input};

/// Where the detectors write: black and standing pictures, scene changes, the cover, silence.
pub const PICTURE: &str = "picture.txt";
pub const SCENES: &str = "scenes.txt";
pub const COVER: &str = "cover.txt";
pub const SOUND: &str = "sound.txt";
/// Where the signature filter writes.
pub const SIGNATURE: &str = "signature.bin";

/// All detectors look at pictures of this width: their answers are the same as at full size, and looking costs little
/// beside decoding.
const SEEN_WIDTH: u32 = 320;

/// What counts as black: this part of full brightness at most, in 98 of 100 pixels (the filter's own default).
const BLACK_PIXEL: f64 = 0.10;

/// A standing picture that was encoded still flickers; below this mean difference it stands. Measured with x264 at the
/// bitrates of live encoders; people who sit still move more.
const STILL_NOISE_DB: i32 = -50;

/// A stadium between two shouts is never this quiet; a muted microphone with its hiss is.
const SILENCE_DB: i32 = -50;

/// How different two pictures are at a cut, of 100; the filter's own default.
pub(super) const SCENE_SCORE: u32 = 10;

/// Candidates for the cover, spread evenly. They are all kept until the end, 90 KB each.
const COVER_CANDIDATES: u64 = 100;
/// Candidates closer together than this show the same picture.
const LEAST_CANDIDATE_DISTANCE_MS: u64 = 500;
/// A candidate's mean brightness, 16 to 235, is at least this: the title before the show is black too.
const COVER_BRIGHTNESS: u32 = 40;

/// Pictures of a signature per second: a match is exact to a fifth of a second, and an hour takes 1.6 MB.
pub const SIGNATURE_PACE: u32 = 5;

/// The least length of what is told, in milliseconds: shorter black is a flash, shorter silence a breath, and shorter
/// standing a lost frame or two.
pub(super) const LEAST_BLACK_MS: u64 = 500;
pub(super) const LEAST_STILL_MS: u64 = 2000;
pub(super) const LEAST_SILENCE_MS: u64 = 1000;

/// All detectors in one command.
///
/// # Errors
/// When there is nothing to look at.
pub fn plan(source: &Source, threads: u32) -> Result<Vec<OsString>, Refusal> {
    let mut graph = Vec::new();
    let mut outputs = Vec::new();
    if source.video.is_some() {
        graph.push(picture(source));
        outputs.extend(["seen", "cover"]);
    }
    if source.audio.is_some() {
        graph.push(sound());
        outputs.push("heard");
    }
    if outputs.is_empty() {
        return Err(Refusal::Nothing);
    }
    let mut args = Args::default();
    input(&mut args, source, threads.clamp(1, MAX_THREADS));
    args.pair("-filter_complex", graph.join(";"));
    for output in outputs {
        args.pair("-map", format!("[{output}]"));
        if output != "heard" {
            // Frames that a constant rate would add are not in the source.
            args.pair("-fps_mode", "passthrough");
        }
        // An output of its own each: in one, the first would wait for the cover, which comes last.
        args.pair("-f", "null");
        args.flags(&["-"]);
    }
    Ok(args.0)
}

/// The signature of the picture.
///
/// # Errors
/// When there is none.
pub fn signature(source: &Source, threads: u32) -> Result<Vec<OsString>, Refusal> {
    if source.video.is_none() {
        return Err(Refusal::NoVideo);
    }
    let mut args = Args::default();
    input(&mut args, source, threads.clamp(1, MAX_THREADS));
    args.pair("-map", "0:v:0");
    let (seen, pace) = (seen(), SIGNATURE_PACE);
    args.pair("-vf", format!("fps={pace},{seen},signature=format=binary:filename={SIGNATURE}"));
    args.pair("-fps_mode", "passthrough");
    args.pair("-f", "null");
    args.flags(&["-"]);
    Ok(args.0)
}

/// Pictures as the detectors see them.
fn seen() -> String {
    format!("scale={SEEN_WIDTH}:-2:flags=fast_bilinear,format=yuv420p")
}

fn picture(source: &Source) -> String {
    let seen = seen();
    // blackdetect marks every black picture and leaves their length to the reader.
    let black = format!("blackdetect=d={}:pix_th={BLACK_PIXEL}", seconds(LEAST_BLACK_MS));
    let still = format!("freezedetect=n={STILL_NOISE_DB}dB:d={}", seconds(LEAST_STILL_MS));
    // Without a key, what is printed is every frame that carries anything: those two mark few.
    let marks = format!("metadata=mode=print:file={PICTURE}");
    let cuts = format!(
        "scdet=t={SCENE_SCORE},metadata=mode=print:key=lavfi.scd.score:value={SCENE_SCORE}:function=expr:\
         expr='gte(VALUE1,{SCENE_SCORE})':file={SCENES}"
    );
    let distance = (source.duration_ms / COVER_CANDIDATES).max(LEAST_CANDIDATE_DISTANCE_MS);
    let candidates = format!(
        "select='isnan(prev_selected_t)+gte(t-prev_selected_t,{})',signalstats,\
         metadata=mode=select:key=lavfi.signalstats.YAVG:value={COVER_BRIGHTNESS}:function=greater",
        seconds(distance)
    );
    // One more than there can be, so that all are compared before one is chosen.
    let cover = format!(
        "thumbnail=n={},metadata=mode=add:key=cover:value=1,metadata=mode=print:key=cover:file={COVER}",
        COVER_CANDIDATES + 1
    );
    format!(
        "[0:v:0]{seen},split=2[all][some];[all]{black},{still},{marks},{cuts}[seen];[some]{candidates},{cover}[cover]"
    )
}

fn sound() -> String {
    let silence = format!("silencedetect=n={SILENCE_DB}dB:d={}", seconds(LEAST_SILENCE_MS));
    // ebur128 says what it measured at the very end, in the log.
    format!("[0:a:0]{silence},ametadata=mode=print:file={SOUND},ebur128=peak=true:framelog=verbose[heard]")
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::super::plan::{AudioSource, VideoSource};
    use super::super::super::template::VideoCodec;
    use super::*;

    fn source(picture: bool, sound: bool) -> Source {
        Source {
            path: PathBuf::from("/m/v/source.mp4"),
            size_bytes: 1,
            duration_ms: 3_600_000,
            video: picture.then_some(VideoSource { codec: VideoCodec::H264, width: 1920, height: 1080, fps: 25.0 }),
            audio: sound.then_some(AudioSource { sample_rate: 48_000, channels: 2 }),
        }
    }

    fn words(args: Result<Vec<OsString>, Refusal>) -> Vec<String> {
        args.unwrap().into_iter().map(|word| word.into_string().unwrap()).collect()
    }

    #[test]
    fn every_track_is_mapped_once_and_decoded_once() {
        for (picture, sound, maps) in [
            (true, true, vec!["[seen]", "[cover]", "[heard]"]),
            (true, false, vec!["[seen]", "[cover]"]),
            (false, true, vec!["[heard]"]),
        ] {
            let words = words(plan(&source(picture, sound), 2));
            let mapped: Vec<&str> =
                words.windows(2).filter(|pair| pair[0] == "-map").map(|pair| pair[1].as_str()).collect();
            assert_eq!(mapped, maps);
            let graph = &words[words.iter().position(|word| word == "-filter_complex").unwrap() + 1];
            assert_eq!(graph.matches("[0:v:0]").count(), usize::from(picture));
            assert_eq!(graph.matches("[0:a:0]").count(), usize::from(sound));
            assert_eq!(words.iter().filter(|word| *word == "-i").count(), 1);
        }
        assert_eq!(plan(&source(false, false), 2), Err(Refusal::Nothing));
        assert_eq!(signature(&source(false, true), 2), Err(Refusal::NoVideo));
    }

    #[test]
    fn candidates_for_the_cover_are_as_far_apart_as_the_source_is_long() {
        for (duration_ms, distance) in [(3_600_000, "36.000"), (50_000, "0.500"), (1000, "0.500")] {
            let source = Source { duration_ms, ..source(true, false) };
            let expected = format!("gte(t-prev_selected_t,{distance})");
            assert!(words(plan(&source, 2)).iter().any(|word| word.contains(&expected)), "{duration_ms}");
        }
    }
}
