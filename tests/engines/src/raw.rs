//! What is below Reprise: the same policy without the host. Natively, and on the bare engine that Reprise runs on, with its
//! pool and without any limit; there an instance may also be kept, which the host never does.

// One measurement, two benches: the overhead over the bare engine is measured by that of `reprise-policy` too.
#[path = "../../../host/policy/benches/support/raw.rs"]
#[expect(dead_code, reason = "this bench asks one hook and counts no empty instances")]
mod raw;

use super::{Case, ours};

pub(crate) fn cases() -> anyhow::Result<[Case; 2]> {
    let settings = ours::settings();
    let policy = raw::Policy::new(&ours::component()?);
    let mut kept = policy.keep();
    let again = raw::Policy::new(&ours::component()?);
    let guest = || raw::question(&ours::question());
    let (native, fresh, reused) = (guest(), guest(), guest());
    let (same, too) = (settings.clone(), settings.clone());
    let bare = Case {
        name: "bare wasmtime",
        limits: "nothing here",
        fresh: Box::new(move || policy.fresh(&fresh, &settings).unwrap_or_default()),
        reused: Some(Box::new(move || again.again(&mut kept, &reused, &same).unwrap_or_default())),
    };
    let native = Case {
        name: "native Rust",
        limits: "nothing",
        fresh: Box::new(move || native.native(&too).unwrap_or_default()),
        reused: None,
    };
    Ok([bare, native])
}
