//! Admission, first half: what bytes say about themselves, in time linear in their number. It is a walk over
//! the sections with counts and names; whether the component is *valid* is for the compile child to find out,
//! because validating hostile types can take long as well.

mod counts;
mod sections;

use std::ops::Range;

use reprise_lifecycle::question::Hook;
use wasmparser::{ComponentExternalKind, Encoding, Parser, Payload};

use crate::artefact::digest;
use crate::class::{Class, Slot};
use crate::error::Refused;
use crate::lines::{PACKAGE, SPOKEN};
use crate::wasi;
use counts::Counts;
use sections::Sections;
pub(crate) use sections::asset_path_problem;
pub use sections::{
    ASSET_SECTION_PREFIX, MAX_ASSET_PATH_BYTES, MAX_ASSET_PATH_PARTS, MAX_ASSETS, MAX_ASSETS_BYTES, MAX_SCHEMA_BYTES,
    SCHEMA_SECTION,
};

/// The lines of versions whose names match. That a component keeps to one of them is seen when it is loaded.
const LINES: [&str; 2] = ["0.1.", "0.2."];

/// Names listed in an error, so that a component with thousands of exports does not fill the screen.
const MAX_NAMES_SHOWN: usize = 8;

/// Limits on a component before it is compiled. Compile time and memory grow with locals times joins of
/// control flow, so a bound on the size alone is none: 256 KiB of valid code have been measured to ask for
/// 13 GB. These numbers keep that product down, and are several times what policies need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// The class that these limits make.
    pub class: Class,
    /// Bytes of the component, besides schema and assets.
    pub size_bytes: usize,
    /// Functions, all modules together.
    pub functions: u64,
    /// Locals of one function.
    pub locals: u64,
    /// Bytes of one function's body.
    pub body_bytes: u64,
    /// Depth of nested blocks in one function.
    pub nesting: u64,
    /// Locals of one function, times its blocks and branches.
    pub locals_times_control: u64,
    /// Targets of one function's branch tables.
    pub branch_targets: u64,
    /// Parameters and results of one function type: every branch to a block with results is work for each.
    pub type_values: u64,
    /// Bytes of initial data, all modules together.
    pub data_bytes: u64,
    /// Memories, all modules together. More would not fit a slot of the pool.
    pub memories: u64,
    /// Bytes that a memory begins with.
    pub memory_bytes: u64,
    /// Tables, all modules together.
    pub tables: u64,
    /// Elements that a table begins with.
    pub table_elements: u64,
    /// Core modules.
    pub modules: u64,
    /// Components, nested ones included.
    pub components: u64,
    /// Entries of all other sections together: types, imports, exports, aliases, globals, elements and the like.
    pub entries: u64,
    /// What applies instead to a component that has more bytes than these allow, if such are taken at all.
    pub larger: Option<Box<Self>>,
}

impl Default for AdmissionLimits {
    /// Both classes: [`AdmissionLimits::standard`], and above its size [`AdmissionLimits::scripted`].
    fn default() -> Self {
        Self { larger: Some(Box::new(Self::scripted())), ..Self::standard() }
    }
}

impl AdmissionLimits {
    /// Compiled policies, and no others.
    pub fn standard() -> Self {
        Self {
            class: Class::Standard,
            size_bytes: 1 << 20,
            functions: 10_000,
            locals: 1_000,
            body_bytes: 64 << 10,
            // A `match` of a hundred arms is a hundred nested blocks; what deep nesting costs is bounded below.
            nesting: 256,
            locals_times_control: 2_000_000,
            branch_targets: 1_024,
            type_values: 64,
            data_bytes: 1 << 20,
            memories: u64::from(Slot::MEMORIES),
            memory_bytes: Class::Standard.slot().memory_bytes as u64,
            tables: u64::from(Slot::TABLES),
            table_elements: Slot::TABLE_ELEMENTS as u64,
            modules: 16,
            components: 64,
            entries: 20_000,
            larger: None,
        }
    }

    /// Policies that carry the runtime of a script language: about twice what SpiderMonkey (12 MB) and CPython (18.5 MB)
    /// need. One function of an interpreter's main loop alone has 430 KB and 16,000 branch targets, but locals times
    /// branches stay as low as in a compiled policy, and that product is what compiling costs.
    pub fn scripted() -> Self {
        Self {
            class: Class::Scripted,
            size_bytes: 32 << 20,
            functions: 30_000,
            body_bytes: 1 << 20,
            nesting: 1_600,
            branch_targets: 32_000,
            data_bytes: 24 << 20,
            memory_bytes: Class::Scripted.slot().memory_bytes as u64,
            modules: 96,
            entries: 50_000,
            ..Self::standard()
        }
    }
}

/// What a component says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// SHA-256 of its bytes, lower-case hex.
    pub digest: String,
    /// Its size.
    pub size_bytes: usize,
    /// The hooks it has, in the order of [`Hook::ALL`]; at least one.
    pub hooks: Vec<Hook>,
    /// The package and version it was made for, as it says itself: `reprise:policy@0.1.0`.
    pub interface: String,
    /// Whether it can check settings.
    pub checks_settings: bool,
    /// Whether it writes to the log.
    pub logs: bool,
    /// Which limits it is held to.
    pub class: Class,
    /// The JSON Schema of its settings, if it carries one.
    pub schema: Option<String>,
    /// Paths of the files that it carries, and where in the component each is.
    pub assets: Vec<(String, Range<usize>)>,
    /// Whether it can see and write the plugin's state.
    pub uses_state: bool,
    /// Whether it can read its assets.
    pub uses_assets: bool,
    /// Whether it imports WASI, of which it gets nothing that could tell one call from another.
    pub uses_wasi: bool,
}

/// Looks at a component without running or compiling anything of it.
///
/// # Errors
///
/// When it is none, too large, uses what policies do not get, or has no hook we know.
pub fn inspect(bytes: &[u8], limits: &AdmissionLimits) -> Result<Inspection, Refused> {
    check_form(bytes)?;
    let sections = carried(bytes)?;
    let code_bytes = bytes.len() - sections.carried_bytes;
    let limits = match &limits.larger {
        Some(larger) if code_bytes > limits.size_bytes => larger,
        _ => limits,
    };
    if code_bytes > limits.size_bytes {
        return Err(Refused::TooLarge { size_bytes: code_bytes, limit_bytes: limits.size_bytes });
    }
    let mut counts = Counts::new(limits);
    let mut faces = Faces::default();
    // Depth of nested modules and components: only the outermost one's imports and exports are a policy's.
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(malformed)?;
        match &payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section.clone() {
                    faces.import(import.map_err(malformed)?.name.name)?;
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section.clone() {
                    let export = export.map_err(malformed)?;
                    faces.export(export.name.name, export.kind)?;
                }
            }
            _ => {}
        }
        counts.add(payload)?;
    }
    faces.into_inspection(bytes, limits.class, sections)
}

/// What the outermost component carries beside its code. Goes by the headers of sections only, so it is quick even if
/// the component is far too large.
fn carried(bytes: &[u8]) -> Result<Sections, Refused> {
    let mut sections = Sections::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(malformed)? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::CustomSection(section) if depth == 1 => sections.add(&section)?,
            _ => {}
        }
    }
    Ok(sections)
}

/// Whether this is a component at all; if not, what it is.
fn check_form(bytes: &[u8]) -> Result<(), Refused> {
    if bytes.starts_with(b"\x7fELF") {
        return Err(Refused::Precompiled);
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(Refused::NotWasm);
    }
    match Parser::new(0).parse_all(bytes).next() {
        Some(Ok(Payload::Version { encoding: Encoding::Component, .. })) => Ok(()),
        Some(Ok(Payload::Version { encoding: Encoding::Module, .. })) => Err(Refused::CoreModule),
        Some(Err(error)) => Err(malformed(error)),
        _ => Err(Refused::NotWasm),
    }
}

/// What the outermost component imports and exports.
#[derive(Debug, Default)]
struct Faces {
    hooks: Vec<Hook>,
    interface: Option<String>,
    checks_settings: bool,
    logs: bool,
    uses_state: bool,
    uses_assets: bool,
    uses_wasi: bool,
    other_exports: Vec<String>,
}

impl Faces {
    fn import(&mut self, name: &str) -> Result<(), Refused> {
        match split(name)? {
            Some(("types", _)) => {}
            Some(("log", _)) => self.logs = true,
            Some(("state", _)) => self.uses_state = true,
            Some(("assets", _)) => self.uses_assets = true,
            None if wasi::is_linked(name) => self.uses_wasi = true,
            Some(_) => return Err(Refused::Interface(shorten(name))),
            None => return Err(Refused::Import(shorten(name))),
        }
        Ok(())
    }

    fn export(&mut self, name: &str, kind: ComponentExternalKind) -> Result<(), Refused> {
        match split(name)? {
            Some((face, version)) if kind == ComponentExternalKind::Instance => {
                if let Some(hook) = Hook::ALL.into_iter().find(|hook| hook.name() == face) {
                    self.hooks.push(hook);
                    self.interface = Some(format!("reprise:policy@{version}"));
                } else if face == "settings" {
                    self.checks_settings = true;
                } else {
                    self.other_exports.push(shorten(name));
                }
            }
            _ => self.other_exports.push(shorten(name)),
        }
        Ok(())
    }

    fn into_inspection(mut self, bytes: &[u8], class: Class, sections: Sections) -> Result<Inspection, Refused> {
        self.hooks.sort_unstable();
        self.hooks.dedup();
        let Some(interface) = self.interface else {
            self.other_exports.truncate(MAX_NAMES_SHOWN);
            let found =
                if self.other_exports.is_empty() { "nothing".to_owned() } else { self.other_exports.join(", ") };
            let expected = Hook::ALL.map(|hook| format!("`{PACKAGE}{}@0.2.0`", hook.name())).join(", ");
            return Err(Refused::NoHook { expected, found });
        };
        Ok(Inspection {
            digest: digest(bytes),
            size_bytes: bytes.len(),
            hooks: self.hooks,
            interface,
            checks_settings: self.checks_settings,
            logs: self.logs,
            class,
            schema: sections.schema,
            assets: sections.assets,
            uses_state: self.uses_state,
            uses_assets: self.uses_assets,
            uses_wasi: self.uses_wasi,
        })
    }
}

/// Interface and version of one of our own names; `None` for anybody else's.
fn split(name: &str) -> Result<Option<(&str, &str)>, Refused> {
    let Some(rest) = name.strip_prefix(PACKAGE) else { return Ok(None) };
    let is_patch = |patch: &str| !patch.is_empty() && patch.bytes().all(|b| b.is_ascii_digit());
    let version = rest
        .split_once('@')
        .filter(|(_, version)| LINES.iter().any(|line| version.strip_prefix(line).is_some_and(is_patch)));
    version.map(Some).ok_or_else(|| Refused::Version { found: shorten(name), spoken: SPOKEN })
}

/// A name from the component, fit for an error.
fn shorten(name: &str) -> String {
    name.chars().take(100).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn malformed(error: wasmparser::BinaryReaderError) -> Refused {
    Refused::Malformed(error.to_string())
}

#[cfg(test)]
mod tests;
