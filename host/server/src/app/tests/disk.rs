//! A disk that fills up and gets room again: told by a fake, and for real.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use reprise_lifecycle::broadcast::{PartState, Publishing};
use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::record::EndCause;
use reprise_media::fmp4::scan;

use super::stage::{Stage, eventually, key};
use crate::files;

const MIB: u64 = 1 << 20;

#[tokio::test]
async fn a_full_disk_ends_recordings_whole_and_room_lets_them_begin_again() {
    let free = Arc::new(AtomicU64::new(4096 * MIB));
    let source = Arc::clone(&free);
    let stage = Stage::with("", move |_| Arc::new(move || Ok(source.load(Ordering::Relaxed)))).await;
    stage.rule(0, 3600).await;
    let mut encoder = stage.encoder("cam").await;
    encoder.push(3_000).await;
    let broadcast = stage.recorded("cam").await;
    stage.wait_for(&broadcast, |b| !b.parts.is_empty()).await;

    free.store(1000 * MIB, Ordering::Relaxed);
    assert_eq!(stage.encoder("late").await.answer(), "NetStream.Publish.Failed", "below the reserve nobody new");
    assert!(encoder.send(false, 3_000, &[0xaf, 1, 0]).await);
    assert!(stage.control.publishers().publisher(&key("cam")).unwrap().kicked().is_none(), "who is in goes on");

    free.store(200 * MIB, Ordering::Relaxed);
    assert_eq!(encoder.let_go().await, "NetStream.Publish.Failed");
    let over = stage.wait_for(&broadcast, |b| b.is_over()).await;
    assert!(matches!(over.publishing, Publishing::Over { cause: EndCause::Storage, lingering: None, .. }));
    assert!(matches!(over.parts[0].state, PartState::Closed { .. }), "the part was closed before the leave");
    let text = metrics(&stage).await;
    assert!(text.contains("reprise_recordings_ended_disk_full_total 1"), "{text}");

    free.store(4096 * MIB, Ordering::Relaxed);
    assert!(stage.encoder("cam").await.is_accepted());
    assert_ne!(stage.recorded("cam").await, broadcast);
}

async fn metrics(stage: &Stage) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = tokio::net::TcpStream::connect(stage.http).await.unwrap();
    socket.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).await.unwrap();
    text
}

/// A small file system of its own; gone when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where this process may not mount.
    fn mount(mib: u64) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={mib}m");
        let flags = nix::mount::MsFlags::empty();
        match nix::mount::mount(Some("tmpfs"), dir.path(), Some("tmpfs"), flags, Some(options.as_str())) {
            Ok(()) => Some(Self(dir)),
            Err(error) => {
                eprintln!("skipped: a small file system cannot be mounted here ({error}); run as root to try it");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = nix::mount::umount2(self.0.path(), nix::mount::MntFlags::MNT_DETACH);
    }
}

#[tokio::test]
async fn a_write_that_finds_no_room_keeps_what_is_whole() {
    let Some(disk) = SmallDisk::mount(64) else { return };
    // Neither threshold: the write itself meets the end of the disk.
    let none = "disk_reserve_mib = 0\ndisk_stop_mib = 0\n";
    let ballast = disk.0.path().join("ballast");
    std::fs::write(&ballast, vec![0; 24 * MIB as usize]).unwrap();
    let mut stage = Stage::at(disk.0.path().join("data"), none, super::super::free_space, None).await;
    stage.rule(0, 3600).await;
    let mut encoder = stage.encoder("cam").await;
    encoder.push(1_000).await;
    let broadcast = stage.recorded("cam").await;
    // Pictures that no decoder would like, half a megabyte each, four a second: many times what there is room for.
    let mut picture = vec![0x17, 1, 0, 0, 0];
    picture.extend_from_slice(&(512 * 1024_u32).to_be_bytes());
    picture.resize(picture.len() + 512 * 1024, 0x65);
    let mut at_ms = 1_000;
    while at_ms < 100_000 && encoder.send(true, at_ms, &picture).await {
        at_ms += 250;
    }
    assert_eq!(encoder.let_go().await, "NetStream.Publish.Failed");

    std::fs::remove_file(&ballast).unwrap();
    let over = stage
        .wait_for(&broadcast, |b| {
            b.is_over() && b.parts.first().is_some_and(|part| matches!(part.state, PartState::Closed { .. }))
        })
        .await;
    assert!(matches!(over.publishing, Publishing::Over { cause: EndCause::Storage, .. }), "{:?}", over.publishing);
    let PartState::Closed { facts, .. } = &over.parts[0].state else { unreachable!() };
    let source = stage.media().join(VideoId::of_part(&broadcast, 0).as_str()).join(files::SOURCE);
    let whole = scan(&mut std::fs::File::open(source).unwrap(), true).unwrap();
    assert_eq!((whole.lost_bytes(), whole.valid_len), (0, facts.bytes));
    assert!(facts.duration_ms > 2_000, "{facts:?}");
    let again = eventually(async || {
        let encoder = stage.encoder("cam").await;
        encoder.is_accepted().then_some(encoder)
    })
    .await;
    again.drop_connection().await;
    stage.stop().await;
}
