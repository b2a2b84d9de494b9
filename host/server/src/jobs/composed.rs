//! The renditions of a composed video that its parts already have, or will have in a moment: they are joined, and only
//! those of parts that lack one are encoded, from the part.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use reprise_lifecycle::broadcast::Broadcast;
use reprise_lifecycle::id::JobId;
use reprise_lifecycle::record::OutputFacts;
use reprise_lifecycle::video::{Source as Origin, Video};

use super::attempt::{Attempt, Open, Told, Wanted};
use super::joining::{self, MOST_PARTS, PartTimes, Rendered, first_shown};
use super::reuse::{Offer, WholePart, offer, times, whole_parts};
use super::{Jobs, LOOK_AGAIN, THREADS, source};
use crate::ffmpeg::error::{Failure, Fault};
use crate::ffmpeg::transcode::{self, TranscodeJob};
use crate::files;

/// What each part offers for each wanted rendition.
struct Offers {
    parts: Vec<WholePart>,
    /// By wanted rendition, then by part.
    table: Vec<Vec<Offer>>,
}

impl Jobs {
    /// Joins what can be joined; what cannot stays open for the ordinary way.
    pub(super) async fn join_parts(&self, attempt: &Attempt<'_>, video: &Video, open: &mut Open) {
        if video.source != Origin::Compose || open.wanted.is_empty() {
            return;
        }
        let Some(offers) = self.offers(attempt, &open.wanted).await else { return };
        let Some(_slot) = self.slot(attempt).await else { return };
        if let Err(error) = self.files.fresh_work(&attempt.name) {
            tracing::error!(video.id = %attempt.video, error = %error, "no folder for a job");
            return;
        }
        let Some(times) = self.times(attempt, &offers.parts).await else { return };
        let made = self.missing(attempt, &open.wanted, &offers).await;
        for (number, wanted) in std::mem::take(&mut open.wanted).into_iter().enumerate() {
            let joined = match self.rendered(&wanted, &offers, number, &made, &times) {
                Some(parts) => self.join(attempt, &wanted, parts).await,
                None => None,
            };
            let told = match joined {
                Some(facts) => self.published(attempt, &attempt.name, &wanted, Ok(facts)).await,
                None => Told::Nothing,
            };
            match told {
                Told::Nothing => open.wanted.push(wanted),
                told @ Told::Result(_) => {
                    self.joined.fetch_add(1, Ordering::Relaxed);
                    attempt.output(&wanted.job, told).await;
                }
            }
        }
        for part in made.folders {
            self.remove_work(&part).await;
        }
    }

    /// What the parts offer, once none of them has anything under way. `None` when the video is not its whole parts, when
    /// none has anything to offer, or when it is not wanted any more.
    async fn offers(&self, attempt: &Attempt<'_>, wanted: &[Wanted]) -> Option<Offers> {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            // Registered before the look, so that nothing that ends after it is missed.
            ended.as_mut().enable();
            let broadcast = self.fold(attempt).await?;
            let parts = whole_parts(&broadcast).filter(|parts| parts.len() <= MOST_PARTS)?;
            let row =
                |wanted: &Wanted| parts.iter().map(|part| offer(&broadcast, &part.video, &wanted.template)).collect();
            let table: Vec<Vec<Offer>> = wanted.iter().map(row).collect();
            if !table.iter().flatten().any(|offer| *offer == Offer::Pending) {
                let any = table.iter().flatten().any(|offer| matches!(offer, Offer::Done(_)));
                return any.then_some(Offers { parts, table });
            }
            tokio::select! {
                () = ended => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                () = attempt.work.cancel.cancelled() => return None,
            }
        }
    }

    /// The broadcast as it is now; what the work was started with is as old as the work.
    async fn fold(&self, attempt: &Attempt<'_>) -> Option<Broadcast> {
        let id = &attempt.work.broadcast.id;
        let folded = match self.store.journal(id).await {
            Ok(journal) => Broadcast::fold(id.clone(), &journal).map_err(anyhow::Error::from),
            Err(error) => Err(error.into()),
        };
        folded.unwrap_or_else(|error| {
            tracing::error!(broadcast.id = %id, error = %error, "a journal cannot be read; a composed video is encoded");
            None
        })
    }

    /// Encodes what single parts lack, where others have it.
    async fn missing(&self, attempt: &Attempt<'_>, wanted: &[Wanted], offers: &Offers) -> Made {
        let mut made = Made::default();
        for (index, part) in offers.parts.iter().enumerate() {
            let lacking: Vec<&Wanted> = wanted
                .iter()
                .zip(&offers.table)
                .filter(|(_, row)| row[index] == Offer::Missing && row.iter().any(|offer| *offer != Offer::Missing))
                .map(|(wanted, _)| wanted)
                .collect();
            if lacking.is_empty() {
                continue;
            }
            let name = format!("{}-p{index}", attempt.name);
            let work_dir = match self.files.fresh_work(&name) {
                Ok(work_dir) => work_dir,
                Err(error) => {
                    tracing::error!(video.id = %attempt.video, error = %error, "no folder for a part of a job");
                    continue;
                }
            };
            made.folders.push(name);
            let job = TranscodeJob {
                source: source(&self.files.media_path(&part.video, files::SOURCE), &part.facts),
                work_dir: work_dir.clone(),
                renditions: lacking.iter().map(|wanted| wanted.rendition.clone()).collect(),
                snapshots: None,
                threads: THREADS,
                limits: None,
            };
            let jobs: Vec<&JobId> = lacking.iter().map(|wanted| &wanted.job).collect();
            let Ok(report) = self.encode(attempt, &job, &jobs).await else { continue };
            for (wanted, output) in lacking.into_iter().zip(report.outputs) {
                match output.result {
                    Ok(facts) => {
                        made.outputs.insert((index, wanted.rendition.key.clone()), (work_dir.clone(), facts));
                    }
                    Err(error) => log(attempt, &error),
                }
            }
        }
        made
    }

    /// Where each part's rendition lies on the joined timeline.
    async fn times(&self, attempt: &Attempt<'_>, parts: &[WholePart]) -> Option<Vec<PartTimes>> {
        let (files, looked_at) = (Arc::clone(&self.files), parts.to_vec());
        let shown = move || {
            let first = |part: &WholePart| first_shown(&files.media_path(&part.video, files::SOURCE));
            looked_at.iter().map(first).collect::<io::Result<Vec<_>>>()
        };
        match tokio::task::spawn_blocking(shown).await.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            Ok(shown) => Some(times(parts, &shown)),
            Err(error) => {
                tracing::info!(video.id = %attempt.video, error = %error, "a part cannot be read; the whole is encoded");
                None
            }
        }
    }

    /// All parts' renditions, if all are there.
    fn rendered(
        &self,
        wanted: &Wanted,
        offers: &Offers,
        number: usize,
        made: &Made,
        times: &[PartTimes],
    ) -> Option<Vec<Rendered>> {
        let row = offers.table.get(number)?;
        let parts = offers.parts.iter().zip(row).enumerate();
        parts
            .map(|(index, (part, offer))| {
                let times = *times.get(index)?;
                match offer {
                    Offer::Done(facts) => {
                        let OutputFacts { file, bytes, .. } = facts;
                        let (folder, entry) = file.rsplit_once('/')?;
                        let folder = self.files.media_path(&part.video, folder);
                        Some(Rendered { folder, entry: entry.to_owned(), bytes: *bytes, times })
                    }
                    Offer::Pending | Offer::Missing => {
                        let (work_dir, facts) = made.outputs.get(&(index, wanted.rendition.key.clone()))?;
                        let (folder, entry) = match facts.entry.split_once('/') {
                            Some((folder, entry)) => (work_dir.join(folder), entry),
                            None => (work_dir.clone(), facts.entry.as_str()),
                        };
                        let bytes = facts.media.size_bytes;
                        Some(Rendered { folder, entry: entry.to_owned(), bytes, times })
                    }
                }
            })
            .collect()
    }

    async fn join(
        &self,
        attempt: &Attempt<'_>,
        wanted: &Wanted,
        parts: Vec<Rendered>,
    ) -> Option<transcode::OutputFacts> {
        let work_dir = self.files.work_path(&attempt.name);
        let _tracked = self.progress.track([&wanted.job]);
        let (key, container) = (&wanted.rendition.key, wanted.rendition.container);
        match joining::join(&self.tools, &work_dir, key, container, parts, &attempt.work.cancel).await {
            Ok(facts) => Some(facts),
            Err(error) => {
                log(attempt, &error);
                None
            }
        }
    }
}

/// What was encoded of single parts: the folder it stands in, and what it is.
#[derive(Default)]
struct Made {
    folders: Vec<String>,
    outputs: BTreeMap<(usize, String), (PathBuf, transcode::OutputFacts)>,
}

fn log(attempt: &Attempt<'_>, failure: &Failure) {
    if failure.reason.fault() != Fault::Cancelled {
        tracing::info!(video.id = %attempt.video, reason = %failure, "renditions of parts are not joined; the whole is encoded");
    }
}
