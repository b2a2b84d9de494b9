//! The bytes of a part on their way into an encoder, as they become durable.

use std::time::Duration;

use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::ffmpeg::error::Reason;
use crate::recorder::Synced;

/// Bytes moved at a time; a pipe holds as much.
const CHUNK_BYTES: usize = 64 * 1024;

/// How long an encoder may take for one chunk, a fraction of a second of media. A stuck one ends; a busy machine is not
/// this slow even for work in the background.
const STUCK: Duration = Duration::from_secs(300);

/// How long a part may stand still with its publisher gone. An encoder that waits costs memory and a slot that another
/// part could use; who comes back later has the part encoded the ordinary way.
pub(super) const PAUSED: Duration = Duration::from_secs(180);

/// Where the length of the part is heard. A publisher that comes back brings a new one.
pub(super) type Lengths = watch::Receiver<watch::Receiver<Synced>>;

/// Writes the part to `to` until it ended or `whole` says that the file is all there will be.
pub(super) async fn feed(
    mut file: File,
    mut lengths: Lengths,
    whole: CancellationToken,
    mut to: impl AsyncWrite + Unpin,
) -> Result<(), Reason> {
    let mut sent = 0;
    let mut length = lengths.borrow_and_update().clone();
    loop {
        let Synced { bytes, ended } = *length.borrow_and_update();
        if bytes < sent {
            return Err(changed());
        }
        if !copy(&mut file, &mut to, bytes - sent).await? {
            return Ok(());
        }
        sent = bytes;
        if ended {
            return Ok(());
        }
        tokio::select! {
            changed = length.changed() => if changed.is_ok() { continue },
            () = whole.cancelled() => return rest(&mut file, &mut to, sent).await,
        }
        // The publisher is gone.
        tokio::select! {
            again = lengths.changed() => match again {
                Ok(()) => length = lengths.borrow_and_update().clone(),
                Err(_) => return Err(Reason::Cancelled),
            },
            () = whole.cancelled() => return rest(&mut file, &mut to, sent).await,
            () = tokio::time::sleep(PAUSED) => return Err(Reason::NoProgress { seconds: PAUSED.as_secs() }),
        }
    }
}

/// Everything that is left; the part is closed, so nobody writes any more.
async fn rest(file: &mut File, to: &mut (impl AsyncWrite + Unpin), sent: u64) -> Result<(), Reason> {
    let len = file.metadata().await.map_err(host)?.len();
    copy(file, to, len.checked_sub(sent).ok_or_else(changed)?).await.map(drop)
}

/// Moves `count` bytes. `false` when the reader is gone; why, it tells itself.
async fn copy(file: &mut File, to: &mut (impl AsyncWrite + Unpin), count: u64) -> Result<bool, Reason> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut left = count;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        let read = file.read(&mut chunk[..most]).await.map_err(host)?;
        if read == 0 {
            return Err(changed());
        }
        match tokio::time::timeout(STUCK, to.write_all(&chunk[..read])).await {
            Ok(Ok(())) => left -= read as u64,
            Ok(Err(_)) => return Ok(false),
            Err(_) => return Err(Reason::NoProgress { seconds: STUCK.as_secs() }),
        }
    }
    Ok(true)
}

fn host(error: std::io::Error) -> Reason {
    Reason::Host { detail: error.to_string() }
}

fn changed() -> Reason {
    Reason::Host { detail: "the part was written anew".to_owned() }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    struct Part {
        file: std::fs::File,
        length: watch::Sender<Synced>,
        bytes: u64,
        _folder: tempfile::TempDir,
    }

    impl Part {
        fn new() -> (Self, File, watch::Sender<watch::Receiver<Synced>>, Lengths) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("part");
            let file = std::fs::File::create(&path).unwrap();
            let (length, seen) = watch::channel(Synced { bytes: 0, ended: false });
            let (lengths, heard) = watch::channel(seen);
            let reader = File::from_std(std::fs::File::open(&path).unwrap());
            (Self { file, length, bytes: 0, _folder: folder }, reader, lengths, heard)
        }

        fn write(&mut self, bytes: &[u8], ended: bool) {
            self.file.write_all(bytes).unwrap();
            self.bytes += bytes.len() as u64;
            self.length.send_replace(Synced { bytes: self.bytes, ended });
        }
    }

    async fn expect(from: &mut (impl tokio::io::AsyncRead + Unpin), bytes: &[u8]) {
        let mut found = vec![0; bytes.len()];
        from.read_exact(&mut found).await.unwrap();
        assert_eq!(found, bytes);
    }

    #[tokio::test]
    async fn what_is_synced_is_fed_over_breaks_to_the_end() {
        let (mut part, reader, lengths, heard) = Part::new();
        let (to, mut from) = tokio::io::duplex(1024);
        let feeding = tokio::spawn(feed(reader, heard, CancellationToken::new(), to));
        part.write(b"init", false);
        expect(&mut from, b"init").await;
        // Bytes that are not synced yet are not there.
        part.file.write_all(b"one").unwrap();
        part.write(b"", false);
        part.bytes += 3;
        part.write(b"two", false);
        expect(&mut from, b"onetwo").await;
        // The publisher leaves and comes back.
        let (length, seen) = watch::channel(Synced { bytes: part.bytes, ended: false });
        drop(std::mem::replace(&mut part.length, length));
        lengths.send_replace(seen);
        part.write(b"three", true);
        let mut rest = Vec::new();
        from.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"three");
        assert_eq!(feeding.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn a_part_that_was_closed_without_its_publisher_is_fed_whole() {
        let (mut part, reader, _lengths, heard) = Part::new();
        part.write(b"begin", false);
        part.file.write_all(b"end").unwrap();
        let whole = CancellationToken::new();
        whole.cancel();
        let (_gone, length) = watch::channel(Synced { bytes: 0, ended: false });
        drop(std::mem::replace(&mut part.length, _gone));
        drop(length);
        let (to, mut from) = tokio::io::duplex(1024);
        assert_eq!(feed(reader, heard, whole, to).await, Ok(()));
        let mut all = Vec::new();
        from.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"beginend");
    }

    #[tokio::test]
    async fn a_part_that_shrank_is_not_the_same_part() {
        let (mut part, reader, _lengths, heard) = Part::new();
        part.write(b"begin", false);
        let (to, mut from) = tokio::io::duplex(1024);
        let feeding = tokio::spawn(feed(reader, heard, CancellationToken::new(), to));
        expect(&mut from, b"begin").await;
        part.length.send_replace(Synced { bytes: 2, ended: false });
        assert!(matches!(feeding.await.unwrap(), Err(Reason::Host { .. })));
    }
}
