//! Supervision of plain programs, without the box; the box has its tests in `tests/ffmpeg_sandbox.rs`.

use std::time::Duration;

use super::*;

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command
}

fn within<'a>(wall_ms: u64, no_progress_ms: u64, cancel: &'a CancellationToken) -> Watch<'a> {
    Watch { wall: Duration::from_millis(wall_ms), no_progress: Duration::from_millis(no_progress_ms), cancel }
}

/// Runs a script with progress read from its stdout.
async fn ended(script: &str, watch: Watch<'_>, progress: impl FnMut(Progress)) -> Ended {
    let activity = Activity::new();
    let reader = |stdout| pipes::progress(stdout, &activity, progress);
    supervise(shell(script), watch, &activity, reader, None::<Nothing>).await.unwrap()
}

fn alive(pid: i32) -> bool {
    // A zombie has been killed; only its parent has yet to look.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn an_end_is_told_apart() {
    let cases = [
        ("exit 0", Ok(())),
        ("exit 7", Err(Reason::Exit { code: 7 })),
        ("kill -9 $$", Err(Reason::Signal { signal: 9 })),
        ("kill -25 $$", Err(Reason::FileSize)),
        ("kill -24 $$", Err(Reason::CpuLimit)),
        ("echo '[info] Exiting normally, received signal 24.' >&2; exit 255", Err(Reason::CpuLimit)),
        ("echo '[info] Exiting normally, received signal 15.' >&2; exit 255", Err(Reason::Signal { signal: 15 })),
        ("echo '[error] av_interleaved_write_frame(): No space left on device' >&2; exit 1", Err(Reason::DiskFull)),
        ("echo 'sandbox: no landlock' >&2; exit 119", Err(Reason::Sandbox { detail: "no landlock".into() })),
    ];
    let never = CancellationToken::new();
    for (script, expected) in cases {
        let outcome = ended(script, within(60_000, 60_000, &never), |_| ()).await.outcome();
        let found = match outcome {
            Outcome::Done => Ok(()),
            Outcome::Failed { reason, .. } => Err(reason),
        };
        assert_eq!(found, expected, "{script}");
    }
}

#[tokio::test]
async fn cancel_ends_the_whole_group_even_if_it_will_not() {
    let cancel = CancellationToken::new();
    let mut pids = Vec::new();
    // Both ignore the polite signal; the second is a grandchild of ours. Their ids come as frame counts.
    let script = "trap '' TERM; sh -c 'trap \"\" TERM; while :; do sleep 1; done' & \
        printf 'frame=%d\\nprogress=continue\\nframe=%d\\nprogress=continue\\n' $$ $!; \
        while :; do sleep 1; done";
    let ended = ended(script, within(60_000, 60_000, &cancel), |progress| {
        pids.push(i32::try_from(progress.frames).unwrap());
        if pids.len() == 2 {
            cancel.cancel();
        }
    })
    .await;
    assert_eq!(ended.by_us, Some(Reason::Cancelled));
    assert_eq!(pids.len(), 2);
    for pid in pids {
        assert!(!alive(pid), "{pid} outlived its group");
    }
}

#[tokio::test]
async fn dropping_the_future_ends_the_group() {
    let never = CancellationToken::new();
    let (told, tell) = tokio::sync::oneshot::channel();
    let mut told = Some(told);
    let script = "sleep 600 & printf 'frame=%d\\nprogress=continue\\n' $!; wait";
    let run = ended(script, within(600_000, 600_000, &never), |progress| {
        if let Some(told) = told.take() {
            told.send(i32::try_from(progress.frames).unwrap()).unwrap();
        }
    });
    let pid = tokio::select! {
        _ = run => panic!("it sleeps for ten minutes"),
        pid = tell => pid.unwrap(),
    };
    // The future is gone here; the kernel needs a moment to take the process down.
    let gone = async {
        while alive(pid) {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), gone).await.unwrap();
}

#[tokio::test]
async fn limits_by_the_clock() {
    let never = CancellationToken::new();
    let busy = "i=0; while :; do i=$((i+1)); printf 'frame=%d\\nprogress=continue\\n' $i; sleep 0.05; done";
    let found = ended(busy, within(700, 60_000, &never), |_| ()).await;
    assert_eq!(found.by_us, Some(Reason::WallLimit { seconds: 0 }));
    // Blocks keep coming, but nothing in them moves.
    let idle = "while :; do printf 'frame=5\\nprogress=continue\\n'; sleep 0.05; done";
    let found = ended(idle, within(60_000, 700, &never), |_| ()).await;
    assert_eq!(found.by_us, Some(Reason::NoProgress { seconds: 0 }));
}

#[tokio::test]
async fn a_flood_of_messages_neither_blocks_nor_stays() {
    let never = CancellationToken::new();
    let script = "head -c 200000000 /dev/zero | tr '\\0' 'x' >&2; echo the end >&2; exit 3";
    let ended = ended(script, within(120_000, 120_000, &never), |_| ()).await;
    assert_eq!(ended.status.code(), Some(3));
    assert!(ended.stderr.len() <= STDERR_KEPT);
    assert!(ended.stderr.ends_with("xthe end\n"));
}

#[tokio::test]
async fn a_pipe_left_open_is_not_waited_for() {
    let never = CancellationToken::new();
    // The one left behind has a session, and so a group, of its own.
    let script = "setsid sleep 5 & exit 0";
    let started = Instant::now();
    let ended = ended(script, within(60_000, 60_000, &never), |_| ()).await;
    assert!(ended.status.success());
    assert!(started.elapsed() < Duration::from_secs(4));
}
