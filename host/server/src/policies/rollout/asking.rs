//! How policies put questions again: with the limits of the plugin, on the thread of whoever asks.

use reprise_lifecycle::decision::FailureKind;
use reprise_policy::{Call, CallLimits, Evaluation};

use super::again::{Again, Fuel, Request};
use crate::policies::{Policies, limits};

/// Nobody waits for these answers, and their threads give way to those of live calls; so what a call may take by the
/// clock on the wall is this many times what a live one may.
const PATIENCE: u32 = 10;

impl Again for Policies {
    fn again(&self, request: &Request<'_>) -> Evaluation {
        let loaded = match self.ready(request.tenant, &request.subject.digest) {
            Ok((loaded, _)) => loaded,
            Err(why) => return Evaluation::failed(FailureKind::Unavailable, &why),
        };
        let policies = self.of(request.tenant);
        let (own, plugin) = policies.limits(&request.subject.plugin);
        let limits = patient(limits::call(self.defaults.of(&loaded), own, plugin), request.fuel);
        let assets = self.assets_of(&loaded);
        let call = Call {
            question: request.question,
            settings: &request.subject.settings,
            state: request.state,
            assets: &assets,
            limits: &limits,
        };
        self.evaluator.evaluate(&loaded, &call)
    }
}

/// The limits of a call that nobody waits for.
fn patient(mut limits: CallLimits, fuel: Fuel) -> CallLimits {
    limits.wall *= PATIENCE;
    limits.fuel = fuel.of(limits.fuel);
    if fuel != Fuel::Limit {
        // An answer that came in time then is not too late because this machine is slower.
        limits.cpu *= PATIENCE;
    }
    limits
}
