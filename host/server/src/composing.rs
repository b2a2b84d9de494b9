//! A decided compose on its way to a video: the index that plays at once, then the one file, each told to the driver.
//! What is written how is for `compose`.

use std::sync::Arc;

use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::input::Input;
use reprise_lifecycle::media::PartFacts;
use reprise_lifecycle::question::ComposePlan;
use reprise_lifecycle::record::{WorkFailure, WorkResult};
use reprise_lifecycle::work::DEFAULT_PRIORITY;

use crate::compose::{Composer, Error, Request};
use crate::driver::{Handle, Work};
use crate::ffmpeg::error::Fault;
use crate::jobs::queue::Claim;

/// The vendor's code for media that cannot be processed.
const BAD_MEDIA: &str = "InvalidParameter.ResourceContentBad";

/// Runs composes.
#[derive(Clone, Debug)]
pub struct Composing {
    composer: Arc<Composer>,
    driver: Handle,
}

impl Composing {
    /// Composes with `composer` and tells the driver.
    pub fn new(composer: Arc<Composer>, driver: Handle) -> Self {
        Self { composer, driver }
    }

    /// Makes the composed video play, then its file. What fails on the host's account tells nothing and is tried again.
    pub async fn run(&self, work: &Work, video: &VideoId, plan: &ComposePlan) {
        if work.cancel.is_cancelled() {
            // Its folder may be gone already, and does not come back.
            return;
        }
        let request = Request::planned(&work.broadcast, plan);
        let facts = match self.composer.link(video, &request).await {
            Ok(facts) => facts,
            Err(error) => return self.failed(work, video, &error).await,
        };
        let effect = work.effect_id;
        if !self.tell(work, video, Input::ComposeLinked { effect, facts }).await {
            // That it plays is told before that its file is there.
            return;
        }
        let claim = Claim { tenant: work.broadcast.tenant.as_str(), priority: DEFAULT_PRIORITY };
        match self.composer.build(video, claim, &work.cancel).await {
            Ok(facts) => self.finished(work, video, WorkResult::Done(facts)).await,
            Err(error) => self.failed(work, video, &error).await,
        }
    }

    async fn failed(&self, work: &Work, video: &VideoId, error: &Error) {
        match error.fault() {
            Fault::Job => {
                let failure = WorkFailure { code: BAD_MEDIA.to_owned(), message: error.to_string() };
                self.finished(work, video, WorkResult::Failed(failure)).await;
            }
            Fault::Host => {
                tracing::error!(video.id = %video, error = %error, "a compose failed on this machine's account; it is tried again");
            }
            Fault::Cancelled => {}
        }
    }

    async fn finished(&self, work: &Work, video: &VideoId, result: WorkResult<PartFacts>) {
        self.tell(work, video, Input::ComposeFinished { effect: work.effect_id, result }).await;
    }

    /// Says whether it was recorded.
    async fn tell(&self, work: &Work, video: &VideoId, input: Input) -> bool {
        let told = self.driver.job_input(&work.broadcast.id, input).await;
        if let Err(error) = &told {
            tracing::warn!(video.id = %video, error = %error, "a compose's result was not recorded; it is told again");
        }
        told.is_ok()
    }
}
