//! The admission of a component, step by step as a server does it: inspect, compile in a limited child process, load,
//! try, look at the settings. Each step says what it found, and the one that fails how to mend it.

use std::time::Instant;

use reprise_policy::{
    AdmissionLimits, CallLimits, CompileError, CompileLimits, LoadError, Refused, SettingsError, compile, inspect,
};
use serde::Serialize;

use super::{Lab, Subject, assets, text};

/// One step and what it found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its name.
    pub step: &'static str,
    /// What was found.
    pub found: String,
}

/// Where a component fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// The step.
    pub step: &'static str,
    /// What is wrong.
    pub wrong: String,
    /// How to mend it.
    pub mend: String,
}

/// How an admission went.
#[derive(Debug)]
pub struct Admission {
    /// What was found, in order.
    pub steps: Vec<Step>,
    /// The component, or why it is not taken.
    pub subject: Result<Subject, Rejected>,
}

impl Lab {
    /// Admits a component; with settings, also looks whether it accepts them.
    pub fn admit(&self, component: &[u8], settings: Option<&str>) -> Admission {
        let mut steps = Vec::new();
        let subject = self.go_through(component, settings, &mut steps);
        Admission { steps, subject }
    }

    fn go_through(&self, component: &[u8], settings: Option<&str>, steps: &mut Vec<Step>) -> Result<Subject, Rejected> {
        let mut found = |step: &'static str, found: String| steps.push(Step { step, found });
        let admission = AdmissionLimits::default();
        let inspection = inspect(component, &admission).map_err(refused)?;
        let limit = AdmissionLimits::of(inspection.class).size_bytes as u64;
        let size = inspection.size_bytes as u64;
        found("size", format!("{} of {}, sha256 {}", text::bytes(size), text::bytes(limit), inspection.digest));
        found("interface", inspection.interface.clone());
        let hooks: Vec<&str> = inspection.hooks.iter().map(|hook| hook.name()).collect();
        let checks = if inspection.checks_settings { ", and checks settings" } else { "" };
        found("hooks", format!("{}{checks}", hooks.join(", ")));

        let limits = CompileLimits::of(inspection.class);
        let started = Instant::now();
        let artefact = compile(component, &inspection, &self.compiler, &limits).map_err(not_compiled)?;
        found("compile", format!("in {} ms of {} ms", started.elapsed().as_millis(), limits.wall.as_millis()));
        let loaded = self.engine.load(&artefact).map_err(|error| not_loaded("load", error))?;
        let imports = [
            (inspection.logs, "log"),
            (loaded.uses_state(), "state"),
            (loaded.uses_assets(), "assets"),
            (inspection.uses_wasi, "WASI, which is empty here"),
        ];
        let imports: Vec<&str> = imports.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect();
        found("imports", if imports.is_empty() { "nothing".to_owned() } else { imports.join(", ") });

        let (limits, assets) = (CallLimits::of(inspection.class), assets(&inspection, component));
        let began = Instant::now();
        let started = self.evaluator.trial(&loaded, &limits).map_err(|error| not_loaded("trial", error))?;
        let (fuel, memory) = (text::count(started.fuel), text::bytes(started.memory_bytes));
        let time = text::micros(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
        found("trial", format!("starts with {fuel} fuel in {time}, with {memory}; its hooks have the right types"));
        if let Some(settings) = settings {
            self.check_settings(&inspection, &loaded, settings, &assets, &limits).map_err(not_accepted)?;
            let who = match (inspection.schema.is_some(), inspection.checks_settings) {
                (true, true) => "they fit the schema, and the policy accepts them",
                (true, false) => "they fit the schema",
                (false, true) => "the policy accepts them",
                (false, false) => "any would do: the policy does not check",
            };
            found("settings", who.to_owned());
        }
        Ok(Subject { loaded, inspection, limits, assets })
    }
}

fn refused(error: Refused) -> Rejected {
    let mend = match &error {
        Refused::TooLarge { .. } => "build with `reprise plugin build`, which optimises, and look for large tables",
        Refused::CoreModule => "run `reprise plugin build`, or `wasm-tools component new`",
        Refused::Precompiled => "name the component it was compiled from",
        Refused::NotWasm => "name the file that `reprise plugin build` printed",
        Refused::Malformed(_) => "build it again; if the file was copied, see whether all of it is there",
        Refused::Count { .. } => "make the policy smaller: fewer dependencies, smaller functions",
        Refused::Unsupported(_) | Refused::Import(_) => {
            "compile Rust for `wasm32-unknown-unknown`, without WASI; `reprise plugin build` does"
        }
        Refused::Section(_) => "build it with the `reprise plugin build` of this release",
        Refused::Schema(_) => "correct `settings.schema.json` and build again",
        Refused::Asset { .. } => "correct what is in the folder `assets` and build again",
        Refused::Version { .. } => "build it with the SDK of this release",
        Refused::NoHook { .. } => "export at least one hook: in Rust, name it in `reprise_plugin::export!`",
    };
    Rejected { step: "inspect", wrong: error.to_string(), mend: mend.to_owned() }
}

fn not_compiled(error: CompileError) -> Rejected {
    let mend = match &error {
        CompileError::Invalid(_) => "build it again with `reprise plugin build`; what the compiler says is above",
        CompileError::Schema(_) => "correct `settings.schema.json` and build again",
        CompileError::TooLong { .. } | CompileError::TooMuchMemory { .. } | CompileError::TooLarge { .. } => {
            "split large functions and tables; in Rust, look for generated code and deep generics"
        }
        CompileError::Start(_) | CompileError::Crashed(_) => {
            "this is not the component's doing: see whether this machine has memory left, and try again"
        }
    };
    Rejected { step: "compile", wrong: error.to_string(), mend: mend.to_owned() }
}

fn not_loaded(step: &'static str, error: LoadError) -> Rejected {
    let mend = match &error {
        LoadError::Unfit(_) => "use one memory, and fewer tables and modules",
        LoadError::Imports(_) | LoadError::Types { .. } | LoadError::Mixed { .. } => {
            "build it with the SDK, or the `policy.wit`, of this release"
        }
        LoadError::Start(_) => "do no work when the component starts: it starts for every call",
    };
    Rejected { step, wrong: error.to_string(), mend: mend.to_owned() }
}

fn not_accepted(error: SettingsError) -> Rejected {
    let mend = match &error {
        SettingsError::Refused(_) => "correct the settings, or the policy's check of them",
        SettingsError::Schema(_) => "correct the settings, or the schema in `settings.schema.json`",
        SettingsError::TooMuch(_) => "make the schema simpler: fewer references to itself, smaller patterns",
        SettingsError::Unchecked(_) => {
            "this is not the settings' doing: see whether this machine has memory left, and try again"
        }
        SettingsError::Failed(_) => "make the policy's check answer with an error where it fails now",
        SettingsError::TooLarge { .. } => "make the settings smaller; what never changes belongs into the policy",
    };
    Rejected { step: "settings", wrong: error.to_string(), mend: mend.to_owned() }
}
