//! How policies put questions again: with the limits of the plugin, on the thread of whoever asks.

use std::sync::Arc;

use reprise_lifecycle::decision::FailureKind;
use reprise_policy::{Call, CallLimits, Evaluation, NoAssets};

use super::again::{Again, Fuel, Request};
use super::start::RolloutError;
use crate::policies::Policies;
use crate::store::plugins::PluginVersion;

/// Nobody waits for these answers, and their threads give way to those of live calls; so what a call may take by the
/// clock on the wall is this many times what a live one may.
const PATIENCE: u32 = 10;

impl Again for Policies {
    fn again(&self, request: &Request<'_>) -> Evaluation {
        let loaded = match self.ready(&request.subject.digest) {
            Ok(loaded) => loaded,
            Err(why) => return Evaluation::failed(FailureKind::Unavailable, &why),
        };
        let limits = patient(&self.limits, request.fuel);
        let call = Call {
            question: request.question,
            settings: &request.subject.settings,
            state: request.state,
            assets: &NoAssets::shared(),
            limits: &limits,
        };
        self.evaluator.evaluate(&loaded, &call)
    }
}

/// The limits of a call that nobody waits for.
fn patient(limits: &CallLimits, fuel: Fuel) -> CallLimits {
    let mut limits = limits.clone();
    limits.wall *= PATIENCE;
    limits.fuel = fuel.of(limits.fuel);
    if fuel != Fuel::Limit {
        // An answer that came in time then is not too late because this machine is slower.
        limits.cpu *= PATIENCE;
    }
    limits
}

impl Policies {
    /// Makes a version ready, and asks it whether it takes these settings.
    pub(super) async fn can_be_asked(
        self: &Arc<Self>,
        version: &PluginVersion,
        settings: &str,
    ) -> Result<(), RolloutError> {
        let (policies, digest, settings) = (Arc::clone(self), version.digest.clone(), settings.to_owned());
        let checked = tokio::task::spawn_blocking(move || {
            let loaded = policies.ready(&digest)?;
            let checked = policies.evaluator.check_settings(&loaded, &settings, &policies.limits);
            checked.map_err(|error| format!("it does not accept the settings: {error}"))
        });
        let checked = checked.await.unwrap_or_else(|_| Err("the server is stopping".to_owned()));
        checked.map_err(RolloutError::NotReady)
    }
}
