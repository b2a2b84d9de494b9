//! What can be wrong with a component, and who must mend it: its author, or whoever runs the server.

use reprise_lifecycle::decision::Failure;

/// The author's: these bytes are no policy that we take. Each message says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// More bytes than allowed.
    #[error(
        "the component has {size_bytes} bytes besides its assets, of which {limit_bytes} are allowed; build it with `reprise plugin build`, which leaves out what is not needed"
    )]
    TooLarge {
        /// Its size.
        size_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// A core module.
    #[error("this is a core module and not yet a component: run `reprise plugin build`, or `wasm-tools component new`")]
    CoreModule,
    /// Machine code.
    #[error("this is machine code, which is never accepted: upload the component it was compiled from")]
    Precompiled,
    /// Something else altogether.
    #[error("this is not a WebAssembly component: it does not begin with the bytes of one")]
    NotWasm,
    /// Broken.
    #[error("the component is malformed: {0}")]
    Malformed(String),
    /// A count is above its limit.
    #[error("{what} is {found}, of which {limit} are allowed, so that compiling stays within bounds")]
    Count {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        found: u64,
        /// How many there may be.
        limit: u64,
    },
    /// A part of the standard that policies do not get.
    #[error("the component uses {0}, which policies do not get")]
    Unsupported(&'static str),
    /// Imports something that is not ours to give.
    #[error(
        "the component imports `{0}`, which policies do not get: leave out what needs it, or build for `wasm32-unknown-unknown`"
    )]
    Import(String),
    /// Imports an interface of ours that there is none of.
    #[error(
        "the component imports `{0}`, which the contract does not have: policies can import `log`, `state` and `assets`"
    )]
    Interface(String),
    /// Carries something of ours that we do not know.
    #[error(
        "the component has a section `{0}`, which this server does not know: build it with the `reprise plugin build` of this server's version"
    )]
    Section(String),
    /// Its schema cannot be read.
    #[error("the component's settings schema cannot be used, since {0}: see to `settings.schema.json` and build again")]
    Schema(&'static str),
    /// An asset is none.
    #[error(
        "the component's asset `{path}` cannot be kept, since {problem}: see to the folder `assets` and build again"
    )]
    Asset {
        /// Its path, as far as it can be shown.
        path: String,
        /// What is wrong, and how it would be right.
        problem: &'static str,
    },
    /// Made for another line of the interface.
    #[error("the component has `{found}`, but this server speaks {spoken}: build it with a matching SDK")]
    Version {
        /// The name it exports or imports.
        found: String,
        /// What is spoken here.
        spoken: &'static str,
    },
    /// Exports no hook.
    #[error("the component exports none of the hooks {expected}; it exports {found}")]
    NoHook {
        /// The hooks there are.
        expected: String,
        /// What it exports instead.
        found: String,
    },
}

/// What came of compiling.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The author's: not valid.
    #[error("the component is not valid: {0}")]
    Invalid(String),
    /// The author's: what should be the schema of its settings is none.
    #[error("the component's settings schema is not a JSON Schema: {0}")]
    Schema(String),
    /// The author's: it is too much work.
    #[error("compiling the component takes more than {limit_ms} ms: make its functions smaller")]
    TooLong {
        /// The limit that was met.
        limit_ms: u64,
    },
    /// The author's: it is too much memory.
    #[error("compiling the component takes more than {limit_mib} MiB of memory: make its functions smaller ({detail})")]
    TooMuchMemory {
        /// The limit that was met.
        limit_mib: u64,
        /// What the compiler said last.
        detail: String,
    },
    /// The author's: the result is too large.
    #[error("the compiled component has more than {limit_bytes} bytes")]
    TooLarge {
        /// The limit that was met.
        limit_bytes: u64,
    },
    /// The operator's: the compiler could not be started.
    #[error("the compiler could not be started: {0}")]
    Start(#[source] std::io::Error),
    /// Ours: the compiler ended without a result.
    #[error("the compiler ended without a result: {0}")]
    Crashed(String),
}

/// A compiled component cannot be made ready.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The author's, if it needs more memories, tables or instances than a policy gets; or it was compiled by
    /// another build of the server, which the seal of an artefact rules out.
    #[error("the component does not fit this engine: {0}")]
    Unfit(String),
    /// The author's: what it imports is not what we have.
    #[error("the component's imports do not fit: {0}")]
    Imports(String),
    /// The author's: a hook's function is missing or has other types.
    #[error("the component's export `{interface}` is not that of {spoken}: {detail}")]
    Types {
        /// The interface.
        interface: String,
        /// What is spoken here.
        spoken: &'static str,
        /// What differs.
        detail: String,
    },
    /// The author's: names of two lines of the interface.
    #[error("the component has both `{older}` and `{newer}`: build all of it with one SDK")]
    Mixed {
        /// A name of the older line.
        older: String,
        /// One of the newer line.
        newer: String,
    },
    /// The author's: it does not even start.
    #[error("the component does not start: {}", .0.message)]
    Start(Failure),
}

/// A sealed artefact cannot be used; the way out is always to compile again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not one of ours.
    #[error("this is not a sealed artefact")]
    Form,
    /// Changed, of another component, class or build, or sealed with another key.
    #[error("the seal does not fit")]
    Seal,
    /// It could change while it is used.
    #[error("the file belongs to another user, or others can write to it")]
    Exposed,
    /// The disk does not give it.
    #[error("the file cannot be read: {0}")]
    Unreadable(std::io::ErrorKind),
    /// Its seal fits, and yet it cannot be used.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// Settings are not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The policy says so.
    #[error("{0}")]
    Refused(String),
    /// The policy failed while it looked at them.
    #[error("the policy failed while it checked its settings: {}", .0.message)]
    Failed(Failure),
    /// They do not fit the schema that the policy carries.
    #[error("{}", .0.join("; "))]
    Schema(Vec<String>),
    /// They, or the schema, are too much work.
    #[error("checking the settings takes too much: make them, or the plugin's settings schema, simpler ({0})")]
    TooMuch(String),
    /// The operator's: nobody could look at them.
    #[error("the settings could not be checked: {0}")]
    Unchecked(String),
    /// They are larger than the policy's memory should be bothered with.
    #[error("the settings have {size_bytes} bytes, of which {limit_bytes} are allowed")]
    TooLarge {
        /// Their size.
        size_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
}

/// The operator's: the engine cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The pool cannot be reserved.
    #[error("no room for {calls} policy calls at once, each of which reserves 4 GiB of address space: {reason}")]
    Pool {
        /// The calls it was to be for.
        calls: u32,
        /// What the engine says.
        reason: String,
    },
    /// The folder of compiled code cannot be used.
    #[error("the folder of compiled policies cannot be used: {0}")]
    Cache(std::io::Error),
    /// The ticker's thread cannot be started.
    #[error("the thread for policy deadlines could not be started: {0}")]
    Ticker(std::io::Error),
}

/// A core module cannot be made a component.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// It is one already.
    #[error("this is a component already")]
    AlreadyComponent,
    /// The WIT files do not say what it exports.
    #[error("the WIT files cannot be used: {0}")]
    Interface(String),
    /// It was not built with an SDK that says what it exports, or is malformed.
    #[error("the module cannot be made a component: {0}")]
    Module(String),
}

/// Why a schema or assets cannot go into a component. For its author, who reads it after a build.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The schema is too long.
    #[error("settings.schema.json has {size_bytes} bytes; at most {limit_bytes} are allowed")]
    SchemaTooLarge {
        /// Its size.
        size_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// There are too many files.
    #[error("assets has {files} files; at most {limit} are allowed")]
    TooManyAssets {
        /// How many there are.
        files: usize,
        /// The limit.
        limit: usize,
    },
    /// The files are too large.
    #[error("assets has {size_bytes} bytes; at most {limit_bytes} are allowed")]
    AssetsTooLarge {
        /// Their size together.
        size_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// A file's name cannot be kept.
    #[error("assets has a file {path:?}: {problem}")]
    AssetPath {
        /// Its path.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}
