//! What the box keeps in, tried from inside with real programs.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::clip::tools;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reprise::ffmpeg::process::{Outcome, RunSpec, run};
use reprise::ffmpeg::sandbox::{Layer, probe_layers};
use reprise::ffmpeg::{Limits, Reason};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

fn limits() -> Limits {
    Limits {
        wall: Duration::from_secs(60),
        no_progress: Duration::from_secs(60),
        cpu_seconds: 60,
        memory_bytes: 4 << 30,
        file_size_bytes: 64 << 20,
    }
}

fn spec(work: &Path, program: &Path, args: &[&str]) -> RunSpec {
    RunSpec {
        program: program.to_owned(),
        args: args.iter().map(OsString::from).collect(),
        work_dir: work.to_owned(),
        readable: Vec::new(),
        limits: limits(),
        helper: tools().helper,
        strict: true,
    }
}

/// A shell in the box. It can start no other program, so scripts use what is built in.
fn shell(work: &Path, script: &str) -> RunSpec {
    let bash = Path::new("/bin/bash").canonicalize().unwrap();
    spec(work, &bash, &["-c", script])
}

async fn outcome(spec: &RunSpec) -> Outcome {
    run(spec, &CancellationToken::new(), |_| ()).await
}

/// Exit code and stderr of a script that is expected to end with `exit N`.
async fn said(spec: &RunSpec) -> (Option<i32>, String) {
    match outcome(spec).await {
        Outcome::Done => (Some(0), String::new()),
        Outcome::Failed { exit, stderr_tail, .. } => (exit, stderr_tail),
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn the_layers_of_this_host_are_reported() {
    let report = probe_layers(&tools().helper).unwrap();
    assert_eq!(report.landlock, Layer::Enforced);
    assert_eq!(report.seccomp, Layer::Enforced);
    assert_eq!(report.resources, Layer::Enforced);
    println!("{report:?}");
}

#[tokio::test]
async fn its_own_folder_and_the_named_files_are_all_it_sees() {
    let work = folder();
    let outside = folder();
    let secret = outside.path().join("secret");
    let source = outside.path().join("source");
    std::fs::write(&secret, "secret\n").unwrap();
    std::fs::write(&source, "source\n").unwrap();
    let script = format!(
        "read x < {source} || exit 10
         echo mine > mine || exit 11
         read x < {secret} && exit 12
         read x < /etc/passwd && exit 13
         echo x > {outside}/new && exit 14
         echo x > {source} && exit 15
         read x < /proc/1/environ && exit 16
         echo fine >&2; exit 3",
        source = source.display(),
        secret = secret.display(),
        outside = outside.path().display(),
    );
    let spec = RunSpec { readable: vec![source.clone()], ..shell(work.path(), &script) };
    let (exit, stderr) = said(&spec).await;
    assert_eq!(exit, Some(3), "{stderr}");
    assert_eq!(std::fs::read_to_string(work.path().join("mine")).unwrap(), "mine\n");
    assert_eq!(std::fs::read_to_string(source).unwrap(), "source\n");
}

#[tokio::test]
async fn no_other_program_and_no_other_process() {
    let work = folder();
    let (exit, stderr) = said(&shell(work.path(), "exec /bin/true; exit 3")).await;
    assert_eq!(exit, Some(126), "{stderr}");
    let (exit, stderr) = said(&shell(work.path(), "(exit 0) && exit 4; exit 3")).await;
    assert_ne!(exit, Some(4), "{stderr}");
    assert!(stderr.contains("fork"), "{stderr}");
}

#[tokio::test]
async fn no_network() {
    let work = folder();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/x.mp4");
    let spec = spec(work.path(), &tools().ffmpeg, &["-i", &url, "-f", "null", "-"]);
    let (exit, stderr) = said(&spec).await;
    assert_eq!(exit, Some(1), "{stderr}");
    assert!(stderr.contains("Operation not permitted"), "{stderr}");
    let caller = listener.accept();
    assert_eq!(caller.unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn nothing_of_our_environment() {
    let work = folder();
    // `env` is not ours to start; the shell's own list of exported names will do.
    let spec = shell(work.path(), "export -p >&2; exit 3");
    let (_, stderr) = said(&spec).await;
    assert!(stderr.contains("LC_ALL"), "{stderr}");
    assert!(!stderr.contains("CARGO"), "{stderr}");
}

/// An ffmpeg that encodes for ever, as fast as it can.
fn endless(work: &Path) -> RunSpec {
    let args = [
        "-hide_banner",
        "-nostdin",
        "-nostats",
        "-loglevel",
        "level+info",
        "-progress",
        "pipe:1",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=160x120:r=25",
        "-c:v",
        "rawvideo",
        "-f",
        "null",
        "-",
    ];
    spec(work, &tools().ffmpeg, &args)
}

fn reason(outcome: Outcome) -> Reason {
    match outcome {
        Outcome::Done => panic!("it should not have ended well"),
        Outcome::Failed { reason, .. } => reason,
    }
}

#[tokio::test]
async fn processor_time_is_limited() {
    let work = folder();
    let mut spec = endless(work.path());
    spec.limits.cpu_seconds = 1;
    assert_eq!(reason(outcome(&spec).await), Reason::CpuLimit);
}

#[tokio::test]
async fn the_size_of_a_file_is_limited() {
    let work = folder();
    let mut spec = endless(work.path());
    spec.limits.file_size_bytes = 1 << 20;
    spec.args.truncate(spec.args.len() - 3);
    spec.args.extend(["-f", "rawvideo", "out.yuv"].map(OsString::from));
    assert_eq!(reason(outcome(&spec).await), Reason::FileSize);
    let left = work.path().join("out.yuv").metadata().unwrap().len();
    assert!(left <= 1 << 20, "{left}");
}

#[tokio::test]
async fn memory_is_limited() {
    let work = folder();
    let mut spec = endless(work.path());
    spec.limits.memory_bytes = 600 << 20;
    for arg in &mut spec.args {
        if arg == "testsrc2=s=160x120:r=25" {
            *arg = "testsrc2=s=8192x8192:r=25".into();
        } else if arg == "rawvideo" {
            *arg = "libx264".into();
        }
    }
    assert_eq!(reason(outcome(&spec).await), Reason::MemoryLimit);
}

#[tokio::test]
async fn a_stopped_ffmpeg_makes_no_progress() {
    let work = folder();
    let mut spec = endless(work.path());
    spec.limits.no_progress = Duration::from_secs(2);
    let mut stopped = false;
    let stop = |_| {
        if !stopped {
            stopped = true;
            for pid in children_in(work.path()) {
                send(Signal::SIGSTOP, pid);
            }
        }
    };
    let found = run(&spec, &CancellationToken::new(), stop).await;
    assert_eq!(reason(found), Reason::NoProgress { seconds: 2 });
    assert!(children_in(work.path()).is_empty());
}

#[tokio::test]
async fn writing_is_progress_and_spinning_is_not() {
    // A file system in memory would not count what is written.
    let work = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let quiet = |script| {
        let mut spec = shell(work.path(), script);
        spec.limits.no_progress = Duration::from_secs(1);
        spec
    };
    let writing = "SECONDS=0; while (( SECONDS < 4 )); do echo x > file; done";
    assert_eq!(outcome(&quiet(writing)).await, Outcome::Done);
    let spinning = "while :; do :; done";
    let found = reason(outcome(&quiet(spinning)).await);
    assert_eq!(found, Reason::NoProgress { seconds: 1 });
}

#[tokio::test]
async fn a_box_that_cannot_be_made_says_so() {
    let work = folder();
    let missing = PathBuf::from("/nonexistent/ffmpeg");
    let found = reason(outcome(&spec(work.path(), &missing, &[])).await);
    assert!(matches!(found, Reason::Sandbox { .. }), "{found:?}");
    let mut no_helper = endless(work.path());
    no_helper.helper = missing;
    let found = reason(outcome(&no_helper).await);
    assert!(matches!(found, Reason::Host { .. }), "{found:?}");
}

/// Names the folder in which [`becomes_the_parent`] starts its child.
const PARENT_OF: &str = "REPRISE_TEST_PARENT_OF";

/// Not a test by itself: this program again, as a server that [`the_box_dies_with_its_parent`] can kill.
#[tokio::test]
async fn becomes_the_parent() {
    let Some(work) = std::env::var_os(PARENT_OF) else {
        return;
    };
    let spec = endless(Path::new(&work));
    let ready = Path::new(&work).join("ready");
    run(&spec, &CancellationToken::new(), |_| {
        std::fs::write(&ready, "").unwrap();
    })
    .await;
}

#[test]
fn the_box_dies_with_its_parent() {
    let work = folder();
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sandbox::becomes_the_parent"])
        .env(PARENT_OF, work.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the child runs", || work.path().join("ready").exists());
    let children = children_in(work.path());
    assert_eq!(children.len(), 1);
    let oom = std::fs::read_to_string(format!("/proc/{}/oom_score_adj", children[0])).unwrap();
    assert_eq!(oom.trim(), "1000", "where memory runs out, the box goes first");
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait_until("the child is gone", || children_in(work.path()).is_empty());
}

/// Processes whose working directory is `work`.
fn children_in(work: &Path) -> Vec<u32> {
    let work = work.canonicalize().unwrap();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap() {
        let Ok(pid) = entry.unwrap().file_name().to_string_lossy().parse() else {
            continue;
        };
        if std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == work) {
            found.push(pid);
        }
    }
    found
}

fn send(signal: Signal, pid: u32) {
    kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
}

/// Nothing tells about another process's child, so this looks again and again.
fn wait_until(what: &str, done: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(std::time::Instant::now() < deadline, "{what}: not within 20 s");
        std::thread::sleep(Duration::from_millis(10));
    }
}
