//! The canaries of a fleet, judged together: the more tenants a fleet has, the fewer calls each may have, and a fault that
//! all of them show would never be held against one. It goes by the windows in the catalogue, which move with the cursors;
//! so it says the same before and after a restart, and needs nothing kept of its own.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::policies::rollout::report::Report;
use crate::policies::rollout::rules::{Rules, Window};
use crate::store::rollouts::{Rollout, Step};

/// A fleet that broke a rule.
pub(super) struct Broken {
    /// The one that is rolled back, and all that run with it.
    pub(super) rollout: Rollout,
    /// It stays where it is, with the breach in its report. If it has moved meanwhile, a later look judges again.
    pub(super) step: Step,
    /// The rule in words.
    pub(super) reason: String,
}

/// What of a report is needed of each member.
#[derive(Deserialize)]
struct Judged {
    window: Option<Window>,
}

/// The fleets of running canaries that broke a rule together. Of one that runs alone its own turns say.
pub(super) fn broken(running: &[Rollout]) -> Vec<Broken> {
    let mut fleets: BTreeMap<&str, Vec<&Rollout>> = BTreeMap::new();
    for rollout in running.iter().filter(|rollout| rollout.kind == "canary") {
        if let Some(fleet) = &rollout.fleet {
            fleets.entry(fleet).or_default().push(rollout);
        }
    }
    fleets.into_values().filter(|members| members.len() > 1).filter_map(|members| judge(&members)).collect()
}

fn judge(members: &[&Rollout]) -> Option<Broken> {
    // One that cannot be read is ended in its turn.
    let window = |member: &&Rollout| serde_json::from_str::<Judged>(&member.report).ok()?.window;
    let windows: Vec<Window> = members.iter().filter_map(window).collect();
    // All were started with the same rules, and none can change them.
    let first = *members.first()?;
    let breach = Window::together(&windows).judge(&serde_json::from_str::<Rules>(&first.rules).ok()?)?;
    let reason = format!("{breach}, in the {} running rollouts of its fleet together", members.len());
    let mut report: Report = serde_json::from_str(&first.report).ok()?;
    report.breach = Some(breach);
    let report = serde_json::to_string(&report).ok()?;
    let step = Step { from: first.cursor, to: first.cursor, report, differences: Vec::new() };
    Some(Broken { rollout: first.clone(), step, reason })
}
