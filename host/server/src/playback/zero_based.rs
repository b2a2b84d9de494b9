//! The source with a timeline that begins at zero: the file of a part holds times of its whole broadcast, by which parts
//! are joined, and a viewer who gets it alone would see it begin late. What is sent has the size of the file, and its
//! ranges are those of the whole; one moved fragment is held at a time.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use reprise_lifecycle::id::VideoId;
use reprise_media::fmp4::{ByteRange, MovedFragment, TRAILER_BYTES, ZeroBased};
use tokio::sync::OwnedSemaphorePermit;

use super::Playback;
use super::error::Refusal;
use super::file::{CHUNK_BYTES, off_thread};
use crate::compose::part::{self, read_moof};
use crate::files::{Files, SOURCE, SOURCE_INDEX};

/// The most fragments of a source that are remembered, 256 KiB: nine hours. Longer ones are looked up anew each time.
const MAX_CACHED_FRAGMENTS: usize = 32 * 1024;

/// How a video's source of `size` bytes is to be moved; `None` if it is sent as it is.
pub(super) async fn of_source(
    playback: &Playback,
    video: &VideoId,
    size: u64,
) -> Result<Option<Arc<ZeroBased>>, Refusal> {
    let name = format!("{video}/{size}");
    if let Some(known) = playback.zero_based.get(&name) {
        return Ok(known);
    }
    let _turn = playback.building.acquire().await.map_err(|_| Refusal::Busy)?;
    let (files, video) = (Arc::clone(&playback.files), video.clone());
    let found = match off_thread(move || look(&files, &video)).await {
        Ok(found) => found.map(Arc::new),
        // It is no file of ours, or damaged: what plays of it plays as it is.
        Err(error) => {
            tracing::warn!(%error, "failed to look up the times of a source: it is sent as it is");
            return Ok(None);
        }
    };
    if found.as_ref().is_none_or(|zero| zero.fragments() <= MAX_CACHED_FRAGMENTS) {
        playback.zero_based.put(&name, found.clone());
    }
    Ok(found)
}

fn look(files: &Files, video: &VideoId) -> io::Result<Option<ZeroBased>> {
    let dir = files.video(video)?;
    let part = part::read(&dir, SOURCE, SOURCE_INDEX)?;
    let starts = part::starts(&mut dir.open(SOURCE)?.into_std(), &part.tracks, &part.index.fragments)?;
    let audio_rate = part.tracks.audio.as_ref().map_or(0, |audio| audio.sample_rate);
    Ok(ZeroBased::new(&part.index, &starts, audio_rate))
}

/// `len` bytes of `file` from `first` on, moved.
pub(super) fn body(file: File, zero: Arc<ZeroBased>, first: u64, len: u64, permit: OwnedSemaphorePermit) -> Body {
    let sender = Sender { file, zero, at: first, end: first + len, moved: None, _permit: permit };
    let chunks = stream::try_unfold(sender, |mut sender| {
        off_thread(move || Ok(sender.chunk()?.map(|chunk| (Bytes::from(chunk), sender))))
    });
    Body::from_stream(chunks)
}

struct Sender {
    file: File,
    zero: Arc<ZeroBased>,
    /// What is sent next, and where that ends.
    at: u64,
    end: u64,
    /// The fragment that was sent last: a large one lies in many chunks. What is damaged in the file is sent as it is.
    moved: Option<(ByteRange, Option<MovedFragment>)>,
    /// Goes when the body does: sent, or given up by the viewer.
    _permit: OwnedSemaphorePermit,
}

impl Sender {
    /// The next bytes; `None` at the end.
    fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let want = usize::try_from(self.end - self.at).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
        let mut chunk = vec![0; want];
        let read = self.file.read_at(&mut chunk, self.at)?;
        if read == 0 {
            return Ok(None);
        }
        chunk.truncate(read);
        let (first, end) = (self.at, self.at + read as u64);
        while let Some(fragment) = self.zero.fragment_from(self.at).filter(|fragment| fragment.offset < end) {
            if let Some(moved) = self.fragment(fragment)? {
                moved.put(first, &mut chunk);
            }
            self.at = fragment.offset + fragment.len;
        }
        self.at = end;
        Ok(Some(chunk))
    }

    fn fragment(&mut self, range: ByteRange) -> io::Result<&Option<MovedFragment>> {
        let known = match self.moved.take() {
            Some(known) if known.0 == range => known,
            _ => (range, self.read(range)?),
        };
        Ok(&self.moved.insert(known).1)
    }

    fn read(&mut self, range: ByteRange) -> io::Result<Option<MovedFragment>> {
        let moof = match read_moof(&mut self.file, range) {
            Ok(moof) => moof,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut trailer = [0; TRAILER_BYTES as usize];
        self.file.seek(SeekFrom::Start(range.offset + range.len - u64::from(TRAILER_BYTES)))?;
        self.file.read_exact(&mut trailer)?;
        Ok(self.zero.fragment(range, moof, &trailer).ok())
    }
}
