//! Pictures and sound of a stretch of one file, encoded to a given form: what a composed video needs where it cannot
//! copy. From what is wanted to one command; and running it.
//!
//! Pictures are encoded without reordering, so that whoever places them may count them; times come out relative to the
//! first. Both outputs are fragmented MP4 of one track each.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::error::{Failure, complaint};
use super::limits::Limits;
use super::plan::{DECODERS, MAX_PIXELS};
use super::process::{self, Outcome, RunSpec};
use super::tools::Tools;

/// Profiles of H.264 that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Baseline,
    Main,
    High,
}

/// What to encode of one file.
#[derive(Clone, Debug, PartialEq)]
pub struct Stretch {
    /// Absolute, or relative to the job's folder.
    pub input: PathBuf,
    pub input_bytes: u64,
    /// How much of it is decoded.
    pub duration_ms: u64,
    pub picture: Option<PictureStretch>,
    pub sound: Option<SoundStretch>,
    pub threads: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct PictureStretch {
    /// The output, relative to the job's folder.
    pub file: String,
    /// Presentation time of the first picture that is meant, on the input's own clock.
    pub from_ms: Option<u64>,
    /// That of the first which is not.
    pub to_ms: Option<u64>,
    /// The picture is put into these sides whole, with black beside it.
    pub width: u32,
    pub height: u32,
    pub profile: Profile,
    /// The number of its parameter sets.
    pub set_id: u8,
    /// One picture that stands, instead of those that move.
    pub still: Option<Still>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Still {
    /// How often it is shown, [`STILL_STEP_MS`] each.
    pub frames: u32,
    /// Covered by a slate.
    pub slate: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundStretch {
    /// The output, relative to the job's folder.
    pub file: String,
    /// Where the sound begins, on the input's own clock; silence if the input begins later.
    pub from_ms: u64,
    pub to_ms: Option<u64>,
    pub rate: u32,
    pub channels: u8,
    /// Nothing is to be heard.
    pub silent: bool,
}

/// How long one frame of a standing picture is shown. Few are needed, and players want some.
pub const STILL_STEP_MS: u64 = 100;

/// Constant quality at which nobody sees the difference to what was pushed.
const CRF: u32 = 18;
/// Two seconds at 25 pictures: every such stretch can be cut and sought in.
const GOP: u32 = 50;
const STILL_GOP: u32 = 20;
const AUDIO_KBPS: u32 = 160;

/// A slate: a dark field with the two bars of a pause.
const SLATE: &str = "drawbox=c=0x101418:t=fill,\
    drawbox=x=iw/2-iw/20:y=ih*2/5:w=iw/40:h=ih/5:c=0x8090a0:t=fill,\
    drawbox=x=iw/2+iw/40:y=ih*2/5:w=iw/40:h=ih/5:c=0x8090a0:t=fill";

/// The command of a stretch.
pub fn arguments(stretch: &Stretch) -> Vec<OsString> {
    let threads = stretch.threads.to_string();
    let pixels = MAX_PIXELS.to_string();
    let mut args = Args::default();
    args.words(&["-hide_banner", "-nostdin", "-y", "-nostats", "-loglevel", "level+info", "-progress", "pipe:1"]);
    args.words(&["-filter_threads", &threads, "-threads", &threads, "-protocol_whitelist", "file,pipe"]);
    args.words(&["-codec_whitelist", DECODERS, "-max_pixels", &pixels, "-noautorotate", "-enable_drefs", "0"]);
    // Times are those of the file: what is cut is named in them.
    args.words(&["-copyts", "-f", "mov", "-i"]);
    let mut url = OsString::from("file:");
    url.push(&stretch.input);
    args.0.push(url);
    if let Some(picture) = &stretch.picture {
        picture_output(&mut args, picture, &threads);
    }
    if let Some(sound) = &stretch.sound {
        sound_output(&mut args, sound);
    }
    args.0
}

fn picture_output(args: &mut Args, picture: &PictureStretch, threads: &str) {
    let (width, height) = (picture.width, picture.height);
    let mut filters = Vec::new();
    if picture.from_ms.is_some() || picture.to_ms.is_some() {
        filters.push(window("trim", picture.from_ms, picture.to_ms));
    }
    filters.push(format!("scale={width}:{height}:force_original_aspect_ratio=decrease:force_divisible_by=2"));
    filters.push(format!("pad={width}:{height}:(ow-iw)/2:(oh-ih)/2"));
    filters.push("setsar=1".to_owned());
    // One encoder's parameter sets for all stretches: colours would make them differ.
    filters.push("setparams=range=tv:color_primaries=unknown:color_trc=unknown:colorspace=unknown".to_owned());
    if let Some(still) = picture.still {
        if still.slate {
            filters.push(SLATE.to_owned());
        }
        if still.frames > 1 {
            filters.push(format!("loop=loop={}:size=1:start=0", still.frames - 1));
        }
        filters.push(format!("setpts=N*{STILL_STEP_MS}/1000/TB"));
    }
    let gop = if picture.still.is_some() { STILL_GOP } else { GOP };
    args.words(&["-map", "0:v:0", "-vf", &filters.join(",")]);
    args.words(&["-fps_mode", "passthrough", "-enc_time_base", "1:1000"]);
    args.words(&["-c:v", "libx264", "-preset", "veryfast", "-profile:v", picture.profile.name()]);
    args.words(&["-level:v", level(width, height), "-crf", &CRF.to_string(), "-bf", "0"]);
    args.words(&["-g", &gop.to_string(), "-keyint_min", &gop.to_string(), "-sc_threshold", "0"]);
    args.words(&["-x264-params", &format!("sps-id={}", picture.set_id)]);
    args.words(&["-pix_fmt", "yuv420p", "-threads:v", threads, "-video_track_timescale", "1000"]);
    fragmented(args, "+empty_moov+default_base_moof+frag_keyframe", &picture.file);
}

fn sound_output(args: &mut Args, sound: &SoundStretch) {
    let SoundStretch { rate, channels, from_ms, .. } = sound;
    let mut filters = vec![window("atrim", Some(*from_ms), sound.to_ms)];
    filters.push(format!("asetpts=PTS-{}/TB", seconds(*from_ms)));
    // Silence fills what a publisher left out, and what is missing at the beginning.
    filters.push(format!("aresample={rate}:async=1:first_pts=0"));
    if sound.silent {
        filters.push("volume=0".to_owned());
    }
    args.words(&["-map", "0:a:0", "-af", &filters.join(","), "-c:a", "aac", "-b:a", &format!("{AUDIO_KBPS}k")]);
    args.words(&["-ar", &rate.to_string(), "-ac", &channels.to_string(), "-frag_duration", "1000000"]);
    fragmented(args, "+empty_moov+default_base_moof", &sound.file);
}

fn fragmented(args: &mut Args, flags: &str, file: &str) {
    args.words(&["-map_metadata", "-1", "-map_chapters", "-1", "-movflags", flags, "-use_editlist", "0"]);
    args.words(&["-f", "mp4", file]);
}

/// A cut by time. Pictures are named by milliseconds, so half of one is on no picture's time.
fn window(filter: &str, from_ms: Option<u64>, to_ms: Option<u64>) -> String {
    let before = |ms: u64| if filter == "trim" && ms > 0 { format!("{}5", seconds_tenths(ms)) } else { seconds(ms) };
    match (from_ms, to_ms) {
        (Some(from), Some(to)) => format!("{filter}=start={}:end={}", before(from), before(to)),
        (Some(from), None) => format!("{filter}=start={}", before(from)),
        (None, Some(to)) => format!("{filter}=end={}", before(to)),
        (None, None) => filter.to_owned(),
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// The millisecond before, to which half a millisecond is appended.
fn seconds_tenths(ms: u64) -> String {
    seconds(ms - 1)
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Main => "main",
            Self::High => "high",
        }
    }
}

/// A level that any usual rate of pictures fits at this size, so that it is the same for all stretches.
fn level(width: u32, height: u32) -> &'static str {
    const LEVELS: [(u64, &str); 4] = [(414_720, "3.1"), (921_600, "4.0"), (2_088_960, "4.2"), (8_912_896, "5.2")];
    let pixels = u64::from(width) * u64::from(height);
    LEVELS.iter().find(|(most, _)| pixels <= *most).map_or("6.0", |(_, level)| level)
}

/// Runs the command of a stretch in `work_dir`.
///
/// # Errors
/// How it failed, without a path of the host.
pub async fn encode(
    tools: &Tools,
    work_dir: &Path,
    stretch: &Stretch,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    let spec = RunSpec {
        program: tools.ffmpeg.clone(),
        args: arguments(stretch),
        work_dir: work_dir.to_owned(),
        readable: stretch.input.is_absolute().then(|| stretch.input.clone()).into_iter().collect(),
        limits: limits(stretch),
        helper: tools.helper.clone(),
        strict: tools.strict,
    };
    match process::run(&spec, cancel, |_| ()).await {
        Outcome::Done => Ok(()),
        Outcome::Failed { reason, stderr_tail, .. } => {
            let (input, work) = (stretch.input.display().to_string(), work_dir.display().to_string());
            Err(Failure { reason, detail: complaint(&stderr_tail, &[(&input, "part"), (&work, "job")]) })
        }
    }
}

/// As for a transcode: three times the length and a minute; what is written is bounded by what is read, and by a bit for
/// every third pixel.
fn limits(stretch: &Stretch) -> Limits {
    const RATE: u64 = 60;
    let stills = stretch.picture.as_ref().and_then(|picture| picture.still).map_or(0, |still| u64::from(still.frames));
    let duration_ms = stretch.duration_ms.max(stills * STILL_STEP_MS);
    let wall = Duration::from_millis(duration_ms.saturating_mul(3)).saturating_add(Duration::from_secs(60));
    let pixels = stretch.picture.as_ref().map_or(0, |p| u64::from(p.width) * u64::from(p.height));
    let pictures = pixels.saturating_mul(RATE) / 3 / 8 * duration_ms.div_ceil(1000);
    Limits {
        wall,
        no_progress: Duration::from_secs(30),
        cpu_seconds: wall.as_secs().saturating_mul(u64::from(stretch.threads.max(1))),
        memory_bytes: 4 << 30,
        file_size_bytes: (64 << 20) + stretch.input_bytes.saturating_mul(4) + pictures,
    }
}

#[derive(Default)]
struct Args(Vec<OsString>);

impl Args {
    fn words(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(OsString::from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(stretch: &Stretch) -> String {
        let args = arguments(stretch);
        args.iter().map(|arg| arg.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_cut_names_pictures_by_half_milliseconds() {
        let picture = PictureStretch {
            file: "v.mp4".to_owned(),
            from_ms: Some(300_080),
            to_ms: Some(301_000),
            width: 320,
            height: 240,
            profile: Profile::Main,
            set_id: 3,
            still: None,
        };
        let stretch = Stretch {
            input: PathBuf::from("in.mp4"),
            input_bytes: 1,
            duration_ms: 2_000,
            picture: Some(picture.clone()),
            sound: None,
            threads: 2,
        };
        let line = text(&stretch);
        assert!(
            line.contains("-copyts -f mov -i file:in.mp4 -map 0:v:0 -vf trim=start=300.0795:end=300.9995,"),
            "{line}"
        );
        assert!(line.contains("-profile:v main -level:v 3.1") && line.contains("sps-id=3"), "{line}");
        assert!(!line.contains("-map 0:a"), "{line}");
        let still = PictureStretch { still: Some(Still { frames: 20, slate: true }), to_ms: None, ..picture };
        let line = text(&Stretch { picture: Some(still), ..stretch });
        assert!(
            line.contains("drawbox") && line.contains("loop=loop=19:size=1") && line.contains("setpts=N*100"),
            "{line}"
        );
    }

    #[test]
    fn sound_begins_where_it_is_said_to() {
        let sound = SoundStretch {
            file: "a.mp4".to_owned(),
            from_ms: 1_250,
            to_ms: None,
            rate: 48_000,
            channels: 2,
            silent: true,
        };
        let stretch = Stretch {
            input: PathBuf::from("/d/p.mp4"),
            input_bytes: 1,
            duration_ms: 2_000,
            picture: None,
            sound: Some(sound),
            threads: 1,
        };
        let line = text(&stretch);
        let filters = "-af atrim=start=1.250,asetpts=PTS-1.250/TB,aresample=48000:async=1:first_pts=0,volume=0 ";
        assert!(line.contains(filters), "{line}");
        assert!(line.ends_with("-f mp4 a.mp4") && !line.contains("-map 0:v"), "{line}");
    }
}
