//! From an effect to the module that does it: one match.

use std::pin::Pin;
use std::sync::Arc;

use reprise_lifecycle::broadcast::Publishing;
use reprise_lifecycle::effect::Effect;
use reprise_lifecycle::record::{LeaveCause, Subject};

use crate::analysis::Analyses;
use crate::composing::Composing;
use crate::driver::{Handle, Perform, Work};
use crate::edit::produce::Producer;
use crate::files::Files;
use crate::ingest::Publishers;
use crate::jobs::Jobs;
use crate::pictures::Pictures;
use crate::policies::Policies;
use crate::recorder::Recorders;
use crate::{clock, removal};

/// Everything that does work.
#[derive(Clone, Debug)]
pub struct Performer {
    /// Hears what came of it.
    pub driver: Handle,
    /// Sends publishers away.
    pub publishers: Arc<Publishers>,
    /// Closes parts that nobody writes.
    pub recorders: Recorders,
    /// Answers questions.
    pub policies: Arc<Policies>,
    /// Runs ffmpeg.
    pub jobs: Arc<Jobs>,
    /// Makes edited videos.
    pub producer: Arc<Producer>,
    /// Joins parts.
    pub composing: Composing,
    /// Takes pictures.
    pub pictures: Arc<Pictures>,
    /// Where what is removed lies.
    pub files: Arc<Files>,
    /// Looks what is in videos.
    pub analyses: Arc<Analyses>,
}

impl Perform for Performer {
    fn perform(&self, work: Work) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let performer = self.clone();
        Box::pin(async move { performer.run(work).await })
    }
}

impl Performer {
    async fn run(self, work: Work) {
        let broadcast = Arc::clone(&work.broadcast);
        match &work.effect {
            Effect::DropPublisher { epoch } => {
                if !self.publishers.send_away(&broadcast.id, *epoch) {
                    // It is gone already; its recorder may have died with an earlier run of the server.
                    let gone = self.driver.publisher_gone(&broadcast.id, *epoch, LeaveCause::Dropped, None).await;
                    if gone.is_err() {
                        // Nobody else tells it: this is tried again.
                        return log_refused(gone);
                    }
                }
                // The effect ends with the publisher's leave, not with the word to go.
                work.cancel.cancelled().await;
            }
            Effect::ClosePart { part } => self.recorders.close_abandoned(&broadcast, *part).await,
            Effect::Ask { subject, .. } => self.ask(&work, subject).await,
            Effect::Process { video, task } => self.jobs.process(&work, &self.driver, video, task).await,
            Effect::Produce { video } => self.producer.produce(&work, &self.driver, video).await,
            Effect::Compose { video, plan } => self.composing.run(&work, video, plan).await,
            Effect::Pictures { video, job, plan } => self.pictures.take(&work, &self.driver, video, job, plan).await,
            Effect::Analyse { video, job, kind } => self.analyses.run(&work, &self.driver, video, job, *kind).await,
            Effect::Discard { video, what } => removal::discard(&self.files, &work, &self.driver, video, what).await,
        }
    }

    async fn ask(&self, work: &Work, subject: &Subject) {
        let broadcast = &work.broadcast;
        let decided = match subject {
            Subject::Video(video) => self.policies.template_group(broadcast, video).await,
            Subject::Compose => {
                let ended_at = match broadcast.publishing {
                    Publishing::Over { at, .. } => at,
                    Publishing::Live { .. } | Publishing::Broken { .. } => clock::now(),
                };
                self.policies.compose_rules(broadcast, ended_at).await.map(Some)
            }
        };
        match decided {
            Ok(Some(decided)) => {
                let told = self
                    .driver
                    .verdict(&broadcast.id, work.effect_id, decided.question, decided.decision, decided.outcome)
                    .await;
                log_refused(told);
            }
            Ok(None) => tracing::error!(broadcast.id = %broadcast.id, ?subject, "a question about nothing known"),
            Err(error) => {
                tracing::error!(broadcast.id = %broadcast.id, error = %error, "a question could not be asked; trying again")
            }
        }
    }
}

fn log_refused(told: Result<(), crate::driver::Refused>) {
    if let Err(error) = told {
        tracing::warn!(error = %error, "a result was not recorded; the work is done again");
    }
}
