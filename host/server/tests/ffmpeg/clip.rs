//! What tests with real media share: the tools, and clips made on the spot.

use std::path::{Path, PathBuf};
use std::process::Command;

use reprise::ffmpeg::{AudioSource, Source, Tools, VideoCodec, VideoSource};
use tempfile::TempDir;

/// The installed ffmpeg, boxed by the binary under test.
pub(crate) fn tools() -> Tools {
    let tools = Tools::find().expect("these tests need ffmpeg and ffprobe in PATH");
    Tools { helper: PathBuf::from(env!("CARGO_BIN_EXE_reprise")), ..tools }
}

/// Runs ffmpeg to prepare something.
pub(crate) fn ffmpeg(args: &[&str]) {
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y"])
        .args(args)
        .status()
        .expect("these tests need ffmpeg in PATH");
    assert!(status.success(), "ffmpeg {args:?}");
}

/// Both tracks count time in these, so that one number moves both.
pub(crate) const TICKS: u64 = 44_100;

/// Two seconds of fragmented MP4, 320×240 at 25 frames a second with a tone, as a recorder would leave it.
pub(crate) struct Clip {
    start_seconds: u32,
    filter: &'static str,
    picture: bool,
    sound: bool,
}

pub(crate) struct MadeClip {
    pub(crate) path: PathBuf,
    clip: Clip,
    _folder: TempDir,
}

impl Clip {
    pub(crate) fn new() -> Self {
        Clip { start_seconds: 0, filter: "null", picture: true, sound: true }
    }

    pub(crate) fn starting_at(self, start_seconds: u32) -> Self {
        Clip { start_seconds, ..self }
    }

    pub(crate) fn filtered(self, filter: &'static str) -> Self {
        Clip { filter, ..self }
    }

    pub(crate) fn without_sound(self) -> Self {
        Clip { sound: false, ..self }
    }

    pub(crate) fn without_picture(self) -> Self {
        Clip { picture: false, ..self }
    }

    pub(crate) fn made(self) -> MadeClip {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part.mp4");
        let mut args = vec!["-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=2"];
        args.extend(["-f", "lavfi", "-i", "sine=f=440:d=2:r=44100"]);
        if self.picture {
            args.extend(["-map", "0:v", "-vf", self.filter, "-fps_mode", "vfr"]);
            args.extend(["-c:v", "libx264", "-preset", "veryfast", "-g", "25"]);
        }
        if self.sound {
            args.extend(["-map", "1:a", "-c:a", "aac"]);
        }
        args.extend(["-use_editlist", "0", "-video_track_timescale", "44100"]);
        let flags = "+frag_keyframe+empty_moov+default_base_moof";
        args.extend(["-movflags", flags, "-f", "mp4", path.to_str().unwrap()]);
        ffmpeg(&args);
        move_clock(&path, u64::from(self.start_seconds) * TICKS);
        MadeClip { path, clip: self, _folder: folder }
    }
}

/// Adds to the decode time of every fragment, which ffmpeg itself always starts at zero.
pub(crate) fn move_clock(path: &Path, ticks: u64) {
    let mut bytes = std::fs::read(path).unwrap();
    let mut fragments = 0;
    for at in 0..bytes.len().saturating_sub(16) {
        // The name, a version of 1 and no flags.
        if bytes[at..].starts_with(b"tfdt\x01\0\0\0") {
            let time = &mut bytes[at + 8..at + 16];
            let before = u64::from_be_bytes((&*time).try_into().unwrap());
            time.copy_from_slice(&(before + ticks).to_be_bytes());
            fragments += 1;
        }
    }
    assert!(fragments > 0, "the clip is fragmented");
    std::fs::write(path, bytes).unwrap();
}

impl MadeClip {
    /// As the recorder would describe it.
    pub(crate) fn source(&self) -> Source {
        Source {
            path: self.path.clone(),
            size_bytes: self.path.metadata().unwrap().len(),
            duration_ms: 2000,
            video: self.clip.picture.then_some(VideoSource {
                codec: VideoCodec::H264,
                width: 320,
                height: 240,
                fps: 25.0,
            }),
            audio: self.clip.sound.then_some(AudioSource { sample_rate: 44_100, channels: 1 }),
        }
    }
}
