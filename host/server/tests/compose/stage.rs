//! A data folder with parts in it, and ways to look at what was composed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use reprise::compose::{Composer, Piece, Request};
use reprise::ffmpeg::Tools;
use reprise::files::{Files, SOURCE, SOURCE_INDEX};
use reprise::jobs::queue::{Claim, Queue};
use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::media::PartFacts;
use reprise_lifecycle::question::GapRule;
use reprise_media::fmp4::{FragmentIndex, Scan, scan};
use reprise_media::part::{PartCutter, PartOptions, PartOutput};
use reprise_media::timeline::TrackKind;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Kind, timestamp and body of an FLV tag.
pub(crate) type Tag = (TrackKind, u32, Vec<u8>);

/// Whose the encoders of these tests are.
pub(crate) const CLAIM: Claim<'static> = Claim { tenant: "acme", priority: 6 };

pub(crate) struct Stage {
    pub(crate) files: Arc<Files>,
    pub(crate) composer: Composer,
    pub(crate) queue: Queue,
    pub(crate) dir: TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = Arc::new(Files::open(&dir.path().join("data")).unwrap());
        let tools = Tools::find().expect("these tests need ffmpeg and ffprobe in PATH");
        let tools = Tools { helper: PathBuf::from(env!("CARGO_BIN_EXE_reprise")), ..tools };
        let queue = Queue::new(1);
        Self { composer: Composer::new(Arc::clone(&files), tools, 1, queue.clone()), queue, files, dir }
    }

    /// The tags of a clip that ffmpeg makes with these arguments.
    pub(crate) fn tags(&self, arguments: &str) -> Vec<Tag> {
        let file = self.dir.path().join("in.flv");
        let mut all = vec!["-v", "error", "-y"];
        all.extend(arguments.split_whitespace());
        all.push(file.to_str().unwrap());
        run("ffmpeg", &all);
        tags(&std::fs::read(&file).unwrap())
    }

    /// Records tags into parts named `{name}-0` and on; `None` between them is a publisher that left and came back.
    pub(crate) fn record(
        &self,
        name: &str,
        cycle_ms: u64,
        tags: impl IntoIterator<Item = Option<Tag>>,
    ) -> Vec<VideoId> {
        let mut cutter = PartCutter::new(PartOptions::new(cycle_ms));
        let mut outputs = Vec::new();
        for tag in tags {
            outputs.extend(match tag {
                Some((kind, timestamp, body)) => cutter.push(kind, timestamp, body.into()).unwrap(),
                None => cutter.pause().unwrap(),
            });
        }
        outputs.extend(cutter.flush().unwrap());
        let (mut parts, mut bytes) = (Vec::new(), Vec::new());
        for output in outputs {
            match output {
                PartOutput::Open { init, .. } => bytes = init.to_vec(),
                PartOutput::Fragment { bytes: more, .. } => bytes.extend(more),
                PartOutput::Close { facts, .. } => {
                    if facts.fragments > 0 {
                        let id = VideoId::new(format!("{name}-{}", parts.len()));
                        self.keep(&id, &bytes);
                        parts.push(id);
                    }
                }
                PartOutput::Gap { jump, .. } => panic!("{jump:?}"),
            }
        }
        parts
    }

    fn keep(&self, id: &VideoId, bytes: &[u8]) {
        let dir = self.files.make_video(id).unwrap();
        dir.write(SOURCE, bytes).unwrap();
        let scan = scan(&mut std::io::Cursor::new(bytes), true).unwrap();
        let index = FragmentIndex::from_scan(&scan).unwrap();
        Files::write_whole(&dir, SOURCE_INDEX, &index.to_bytes()).unwrap();
    }

    pub(crate) fn path(&self, id: &VideoId) -> PathBuf {
        self.files.media_path(id, SOURCE)
    }

    pub(crate) fn duration_ms(&self, id: &VideoId) -> u64 {
        let fragments = self.scan(id).fragments;
        fragments.iter().map(|entry| entry.end_ms()).max().unwrap() - fragments[0].first_ms
    }

    pub(crate) fn scan(&self, id: &VideoId) -> Scan {
        let scan = scan(&mut std::fs::File::open(self.path(id)).unwrap(), true).unwrap();
        assert_eq!(scan.lost_bytes(), 0, "{id} is whole");
        scan
    }

    /// Links and builds, and checks what holds of every result.
    pub(crate) async fn compose(&self, id: &str, pieces: Vec<Piece>, gaps: GapRule) -> (VideoId, PartFacts) {
        let video = VideoId::new(id);
        self.composer.link(&video, &Request { pieces, gaps }).await.unwrap();
        let facts = self.composer.build(&video, CLAIM, &CancellationToken::new()).await.unwrap();
        let scan = self.scan(&video);
        let index = self.files.video(&video).unwrap().read(SOURCE_INDEX).unwrap();
        assert_eq!(FragmentIndex::from_bytes(&index.into()).unwrap(), FragmentIndex::from_scan(&scan).unwrap());
        assert_eq!(facts.bytes, self.path(&video).metadata().unwrap().len());
        assert_eq!(scan.fragments[0].first_ms, 0);
        let path = self.path(&video);
        decode(&path);
        for stream in ["v", "a"] {
            let times = packets(&path, stream);
            assert!(times.windows(2).all(|pair| pair[0].dts_ms < pair[1].dts_ms), "{stream} runs forward");
        }
        (video, facts)
    }
}

/// Every piece whole and without gaps.
pub(crate) fn whole(parts: &[VideoId]) -> Vec<Piece> {
    parts.iter().cloned().map(Piece::whole).collect()
}

pub(crate) fn tags(flv: &[u8]) -> Vec<Tag> {
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

/// Whether a tag is a codec header.
pub(crate) fn is_header((kind, _, body): &Tag) -> bool {
    match kind {
        TrackKind::Video => body[1] == 0,
        TrackKind::Audio => body[1] == 0,
    }
}

/// Whether a tag is a keyframe.
pub(crate) fn is_keyframe(tag: &Tag) -> bool {
    tag.0 == TrackKind::Video && tag.2[0] >> 4 == 1 && !is_header(tag)
}

/// Runs a tool and returns what it prints; anything on standard error is a failure.
pub(crate) fn run(tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool).args(arguments).output().expect("these tests need ffmpeg in PATH");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{tool} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Decodes everything; whatever a decoder complains of is a failure.
fn decode(file: &Path) {
    // A publisher that left between two pictures may have left two to be shown at once; this muxer takes them.
    let exact = ["-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-f", "framecrc", "-"];
    run("ffmpeg", &[&["-v", "error", "-xerror", "-i", file.to_str().unwrap()][..], &exact].concat());
}

/// Hashes of a file's decoded frames, in order of presentation.
pub(crate) fn frames(file: &Path, stream: &str) -> Vec<String> {
    let map = format!("0:{stream}?");
    let text = run(
        "ffmpeg",
        &[
            "-v",
            "error",
            "-i",
            file.to_str().unwrap(),
            "-map",
            &map,
            "-fps_mode",
            "passthrough",
            "-enc_time_base",
            "1:90000",
            "-f",
            "framemd5",
            "-",
        ],
    );
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

/// One packet as ffprobe sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Packet {
    pub(crate) pts_ms: f64,
    pub(crate) dts_ms: f64,
    pub(crate) hash: String,
}

pub(crate) fn packets(file: &Path, stream: &str) -> Vec<Packet> {
    let text = run(
        "ffprobe",
        &[
            "-v",
            "error",
            "-select_streams",
            stream,
            "-show_data_hash",
            "md5",
            "-show_entries",
            "packet=pts_time,dts_time,data_hash",
            "-of",
            "csv=p=0",
            file.to_str().unwrap(),
        ],
    );
    let packet = |line: &str| {
        let mut fields = line.split(',');
        let mut ms = || fields.next().unwrap().parse::<f64>().unwrap() * 1000.0;
        let (pts_ms, dts_ms) = (ms(), ms());
        Packet { pts_ms, dts_ms, hash: fields.next().unwrap().to_owned() }
    };
    text.lines().filter(|line| !line.is_empty()).map(packet).collect()
}

/// Times at which pictures are shown, ascending, in milliseconds.
pub(crate) fn shown(file: &Path) -> Vec<f64> {
    let mut times: Vec<f64> = packets(file, "v").iter().map(|packet| packet.pts_ms).collect();
    times.sort_by(f64::total_cmp);
    times
}

/// Width and height of the decoded pictures, each size once, in order.
pub(crate) fn sizes(file: &Path) -> Vec<String> {
    let text = run(
        "ffprobe",
        &[
            "-v",
            "error",
            "-select_streams",
            "v",
            "-show_entries",
            "frame=width,height",
            "-of",
            "csv=p=0",
            file.to_str().unwrap(),
        ],
    );
    let mut sizes: Vec<String> =
        text.lines().filter(|line| !line.is_empty()).map(|line| line.trim_end_matches(',').to_owned()).collect();
    sizes.dedup();
    sizes
}
