//! Running ffmpeg and ffprobe on media that strangers made.
//!
//! This module knows the two programs and how to box them: arguments from a pure plan, a child process with limits,
//! a sandbox, typed results. It deliberately knows nothing of tenants, the catalogue, templates as the vendor spells
//! them, or where videos live: a caller hands it a source file and an empty folder, and publishes what appears there.
//!
//! In reading order: [`template`] and [`snapshot`] say what is wanted, [`plan`] turns it into one command, [`limits`]
//! says what the command may cost, [`sandbox`] and [`process`] run it, [`probe`] looks at the result, [`transcode()`]
//! ties them together. [`analyse`](mod@analyse) looks at a source and makes nothing of it but notes.

pub mod analyse;
pub mod edit;
pub mod error;
mod folder;
pub mod join;
pub mod limits;
pub mod pictures;
pub mod plan;
pub mod probe;
pub mod process;
pub mod progress;
pub mod sandbox;
pub mod snapshot;
pub mod stretch;
pub mod template;
pub mod tools;
pub mod transcode;

pub use analyse::{AnalyseJob, Findings, Span, analyse, sign};
pub use error::{Failure, Fault, Reason};
pub use join::{JoinInput, JoinTracks, join_mp4};
pub use limits::Limits;
pub use plan::{AudioSource, Plan, PlanError, Refusal, Source, VideoSource};
pub use probe::{AudioFacts, MediaFacts, VideoFacts};
pub use snapshot::SnapshotPlan;
pub use template::{
    AudioCodec, AudioSettings, Container, H264Profile, PixelFormat, Preset, Rendition, Track, VideoCodec, VideoSettings,
};
pub use tools::{Tools, ToolsError};
pub use transcode::{
    OutputFacts, OutputFile, OutputResult, Snapshots, TranscodeJob, TranscodeReport, transcode, transcode_piped,
};
