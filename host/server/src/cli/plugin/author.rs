//! What authors do on their own machine: nothing here needs a server.

use std::path::PathBuf;

use clap::Subcommand;

use super::build::{Build, Language};
use super::new;

#[derive(Debug, Subcommand)]
pub(super) enum Author {
    /// Make a folder with a policy that builds at once, its settings, its tests and a README
    New {
        /// The plugin's name: lower-case letters, digits and hyphens
        name: String,
        /// What it is written in
        #[arg(long, value_enum, default_value_t = Language::Rust)]
        lang: Language,
        /// The folder; the name by default
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Build a policy's folder into a component, ready to push; prints its path
    Build {
        /// The policy's folder
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// Where the component goes; `build/policy.wasm` in the folder by default
        #[arg(long, short)]
        output: Option<PathBuf>,
        /// The cargo profile to build with, for Rust
        #[arg(long, default_value = "release")]
        profile: String,
        /// What it is written in; found out by default
        #[arg(long, value_enum)]
        lang: Option<Language>,
    },
}

impl Author {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        match self {
            Self::New { name, lang, dir } => new::run(name, *lang, dir.as_deref()),
            Self::Build { folder, output, profile, lang } => {
                let build = Build { folder, output: output.as_deref(), profile, language: *lang };
                println!("{}", build.run()?.display());
                Ok(())
            }
        }
    }
}
