//! The admission of a component, step by step as a server does it: inspect, compile in a limited child process, load,
//! try, look at the settings. Each step says what it found, and the one that fails how to mend it.

use std::time::Instant;

use reprise_policy::{
    AdmissionLimits, CallLimits, CompileError, CompileLimits, Inspection, LoadError, Refused, SettingsError, compile,
    inspect,
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
        let inspection = inspect(component, &AdmissionLimits::default()).map_err(refused)?;
        let class = inspection.class;
        let limit = AdmissionLimits::of(class);
        let (size, limit) = (text::bytes(inspection.size_bytes as u64), text::bytes(limit.size_bytes as u64));
        found("size", format!("{size}; at most {limit} besides schema and assets; sha256 {}", inspection.digest));
        found("class", class.name().to_owned());
        found("interface", inspection.interface.clone());
        let hooks: Vec<&str> = inspection.hooks.iter().map(|hook| hook.name()).collect();
        let checks = if inspection.checks_settings { "; checks settings" } else { "" };
        found("hooks", format!("{}{checks}", hooks.join(", ")));
        found("imports", imports(&inspection));

        let limits = CompileLimits::of(class);
        let began = Instant::now();
        let compiled = compile(component, &inspection, &self.compiler, &limits);
        // The child that compiles looks at the schema first, and a step that fails is not also one that was passed.
        if !matches!(compiled, Err(CompileError::Schema(_))) {
            let schema = inspection.schema.as_ref().map(|schema| text::bytes(schema.len() as u64));
            found("schema", schema.unwrap_or_else(|| "none".to_owned()));
        }
        found("assets", carried(&inspection));
        let artefact = compiled.map_err(not_compiled)?;
        let (took, most) = (began.elapsed().as_millis(), limits.wall.as_millis());
        let code = text::bytes(artefact.code_bytes() as u64);
        found("compile", format!("{code} of code in {took} of {most} ms"));
        let loaded = self.engine.load(&artefact).map_err(|error| not_loaded("load", error))?;
        found("load", "all imports are there, all functions are exported".to_owned());

        let limits = CallLimits::of(class);
        let began = Instant::now();
        let started = self.evaluator.trial(&loaded, &limits).map_err(|error| not_loaded("trial", error))?;
        let (fuel, memory) = (text::count(started.fuel), text::bytes(started.memory_bytes));
        let time = text::micros(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
        found("trial", format!("starts with {fuel} fuel in {time}, with {memory}; its hooks have the right types"));

        let assets = assets(&inspection, component);
        let subject = Subject { loaded, inspection, limits, assets };
        if let Some(settings) = settings {
            self.check_settings(&subject, settings).map_err(not_accepted)?;
            let who = match (&subject.inspection.schema, subject.inspection.checks_settings) {
                (Some(_), true) => "they fit the schema, and the policy accepts them",
                (Some(_), false) => "they fit the schema",
                (None, true) => "the policy accepts them",
                (None, false) => "any would do: there is no schema, and the policy does not check",
            };
            found("settings", who.to_owned());
        }
        Ok(subject)
    }
}

/// What a component may call.
fn imports(inspection: &Inspection) -> String {
    let all = [
        (inspection.logs, "log"),
        (inspection.uses_state, "state"),
        (inspection.uses_assets, "assets"),
        (inspection.uses_wasi, "WASI (which gives it nothing)"),
    ];
    let names: Vec<&str> = all.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// The files that it carries.
fn carried(inspection: &Inspection) -> String {
    if inspection.assets.is_empty() {
        return "none".to_owned();
    }
    let total: usize = inspection.assets.iter().map(|(_, place)| place.len()).sum();
    let paths: Vec<&str> = inspection.assets.iter().map(|(path, _)| path.as_str()).collect();
    let unread = if inspection.uses_assets { "" } else { "; the policy reads none of them" };
    format!("{} together{unread}: {}", text::bytes(total as u64), paths.join(", "))
}

fn refused(error: Refused) -> Rejected {
    let mend = match &error {
        Refused::TooLarge { .. } => "build with `reprise plugin build`, which optimises, and look for large tables",
        Refused::CoreModule => "name `build/policy.wasm`, which `reprise plugin build` leaves, and no file in `target`",
        Refused::Precompiled => "name the component it was compiled from",
        Refused::NotWasm => "name the file that `reprise plugin build` printed",
        Refused::Malformed(_) => "build it again; if the file was copied, see whether all of it is there",
        Refused::Count { .. } => "make the policy smaller: fewer dependencies, smaller functions",
        Refused::Section(_) => "use the `reprise plugin build` of the server's release",
        Refused::Schema(_) => "see to `settings.schema.json`, then build again",
        Refused::Asset { .. } => "see to the folder `assets`, then build again",
        Refused::Interface(_) => "correct its name, or build it with the SDK, or the `policy.wit`, of this release",
        Refused::Unsupported(_) | Refused::Import(_) => {
            "compile Rust for `wasm32-unknown-unknown`, without WASI; `reprise plugin build` does"
        }
        Refused::Version { .. } => "build it with the SDK of this release",
        Refused::NoHook { .. } => "export at least one hook: in Rust, name it in `reprise_plugin::export!`",
    };
    let step = match &error {
        Refused::Schema(_) => "schema",
        Refused::Asset { .. } => "assets",
        _ => "inspect",
    };
    Rejected { step, wrong: error.to_string(), mend: mend.to_owned() }
}

fn not_compiled(error: CompileError) -> Rejected {
    let mend = match &error {
        CompileError::Invalid(_) => "build it again with `reprise plugin build`; what the compiler says is above",
        CompileError::Schema(_) => "correct `settings.schema.json`, then build again",
        CompileError::TooLong { .. } | CompileError::TooMuchMemory { .. } | CompileError::TooLarge { .. } => {
            "split large functions and tables; in Rust, look for generated code and deep generics"
        }
        CompileError::Start(_) | CompileError::Crashed(_) => {
            "this is not the component's doing: see whether this machine has memory left, and try again"
        }
    };
    let step = if matches!(error, CompileError::Schema(_)) { "schema" } else { "compile" };
    Rejected { step, wrong: error.to_string(), mend: mend.to_owned() }
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
        SettingsError::Schema(_) => {
            "correct the settings, or the `settings.schema.json` that the component was built with"
        }
        SettingsError::TooMuch(_) => "make the settings or `settings.schema.json` simpler",
        SettingsError::Unchecked(_) => {
            "this is not the settings' doing: see whether this machine has memory left, and try again"
        }
        SettingsError::Failed(_) => "make the policy's check answer with an error where it fails now",
        SettingsError::TooLarge { .. } => "make the settings smaller; what never changes belongs into the policy",
    };
    Rejected { step: "settings", wrong: error.to_string(), mend: mend.to_owned() }
}
