//! How policies put questions again: with the limits of the plugin, on the thread of whoever asks.

use reprise_lifecycle::decision::FailureKind;
use reprise_policy::{Call, CallLimits, Evaluation};

use super::again::{Again, Allowance, Request};
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
        let limits = patient(limits::call(self.defaults.of(&loaded), own, plugin), request.allowance);
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
fn patient(mut limits: CallLimits, allowance: Allowance) -> CallLimits {
    if let Allowance::AsRecorded { used, ran_dry, took, granted } = allowance {
        limits.fuel = if ran_dry { used } else { limits.fuel.max(used) };
        // An answer that came in time then is not too late because this machine is slower, or because less is allowed now.
        limits.cpu = limits.cpu.max(took) * PATIENCE;
        limits.wall = limits.wall.max(took);
        if let Some(granted) = granted {
            limits.memory_bytes = usize::try_from(granted.memory_bytes).unwrap_or(usize::MAX);
            limits.log_lines = granted.log_lines as usize;
            limits.log_bytes = granted.log_bytes as usize;
        }
    }
    limits.wall *= PATIENCE;
    limits
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reprise_lifecycle::decision::Granted;

    use super::*;

    #[test]
    fn an_audit_asks_with_what_the_recorded_call_had() {
        let ms = Duration::from_millis;
        let today = || CallLimits {
            fuel: 1000,
            cpu: ms(10),
            wall: ms(20),
            memory_bytes: 65_536,
            log_lines: 4,
            log_bytes: 40,
            ..CallLimits::standard()
        };
        assert_eq!(patient(today(), Allowance::Limits), CallLimits { wall: ms(200), ..today() });
        let granted = Some(Granted { memory_bytes: 1 << 20, log_lines: 64, log_bytes: 4096 });
        let then = CallLimits { memory_bytes: 1 << 20, log_lines: 64, log_bytes: 4096, ..today() };
        // Used, whether that was all, how long it took, and what is allowed now: fuel, processor time, time of day.
        for (used, ran_dry, took, granted, limits) in [
            (300, false, ms(1), granted, CallLimits { cpu: ms(100), wall: ms(200), ..then.clone() }),
            (300, true, ms(1), granted, CallLimits { fuel: 300, cpu: ms(100), wall: ms(200), ..then.clone() }),
            (5000, false, ms(1), granted, CallLimits { fuel: 5000, cpu: ms(100), wall: ms(200), ..then.clone() }),
            (300, false, ms(50), granted, CallLimits { cpu: ms(500), wall: ms(500), ..then }),
            (300, false, ms(1), None, CallLimits { cpu: ms(100), wall: ms(200), ..today() }),
        ] {
            let allowance = Allowance::AsRecorded { used, ran_dry, took, granted };
            assert_eq!(patient(today(), allowance), limits, "{allowance:?}");
        }
    }
}
