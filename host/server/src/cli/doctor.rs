//! `reprise doctor`: what this machine lacks, and how to mend each.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Args;

use crate::config::Config;
use crate::ffmpeg::sandbox::{self, Layer, LayerReport};

/// Encoders and decoders that jobs use.
const ENCODERS: [&str; 3] = ["libx264", "libx265", "aac"];

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Configuration file to check against
    #[arg(long)]
    config: Option<PathBuf>,
}

enum Finding {
    Good(String),
    Bad { what: String, mend: String },
}

impl Doctor {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = Config::load(self.config.as_deref())?;
        config.check()?;
        let mut findings = ffmpeg();
        findings.push(disk(&config));
        findings.push(port("http", config.http));
        findings.push(port("rtmp", config.rtmp));
        findings.push(layers());
        let mut bad = false;
        for finding in &findings {
            match finding {
                Finding::Good(what) => println!("ok    {what}"),
                Finding::Bad { what, mend } => {
                    bad = true;
                    println!("MEND  {what}\n      {mend}");
                }
            }
        }
        Ok(if bad { ExitCode::from(super::NOT_IN_ORDER) } else { ExitCode::SUCCESS })
    }
}

fn ffmpeg() -> Vec<Finding> {
    let install = "install it: apt-get install ffmpeg";
    let mut findings = Vec::new();
    for program in ["ffmpeg", "ffprobe"] {
        let version = Command::new(program).arg("-version").output();
        findings.push(match version {
            Ok(output) if output.status.success() => {
                let text = String::from_utf8_lossy(&output.stdout);
                Finding::Good(text.lines().next().unwrap_or(program).to_owned())
            }
            Ok(_) | Err(_) => Finding::Bad { what: format!("{program} does not run"), mend: install.to_owned() },
        });
    }
    if let Ok(output) = Command::new("ffmpeg").args(["-hide_banner", "-encoders"]).output() {
        let text = String::from_utf8_lossy(&output.stdout);
        for encoder in ENCODERS {
            let has = text.lines().any(|line| line.split_whitespace().nth(1) == Some(encoder));
            findings.push(if has {
                Finding::Good(format!("ffmpeg has the encoder {encoder}"))
            } else {
                let mend = "use a build of ffmpeg that has it; Debian's and Ubuntu's do".to_owned();
                Finding::Bad { what: format!("ffmpeg lacks the encoder {encoder}"), mend }
            });
        }
    }
    findings
}

fn disk(config: &Config) -> Finding {
    let folder = config.data.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    let reserve = config.limits.disk_reserve_mib.saturating_mul(1 << 20);
    match nix::sys::statvfs::statvfs(folder) {
        Ok(stat) => {
            let free = stat.blocks_available() * stat.fragment_size();
            let what = format!("{} MiB free below {}", free >> 20, config.data.display());
            if free > reserve {
                Finding::Good(what)
            } else {
                let mend =
                    format!("free more than {} MiB, or lower limits.disk_reserve_mib", config.limits.disk_reserve_mib);
                Finding::Bad { what, mend }
            }
        }
        Err(error) => {
            Finding::Bad { what: format!("the disk cannot be read: {error}"), mend: "check the data folder".to_owned() }
        }
    }
}

fn port(name: &str, address: SocketAddr) -> Finding {
    match std::net::TcpListener::bind(address) {
        Ok(_) => Finding::Good(format!("{name} can listen on {address}")),
        Err(error) => Finding::Bad {
            what: format!("{name} cannot listen on {address}: {error}"),
            mend: format!("stop what listens there, or choose another address with --{name}"),
        },
    }
}

fn layers() -> Finding {
    let report = std::env::current_exe()
        .map_err(|error| error.to_string())
        .and_then(|helper| sandbox::probe_layers(&helper).map_err(|error| error.to_string()));
    match report {
        Ok(report) => match missing(&report) {
            words if words.is_empty() => Finding::Good("every layer of ffmpeg's sandbox works".to_owned()),
            words => Finding::Bad {
                what: format!("ffmpeg's sandbox lacks {}", words.join(", ")),
                mend: "run on a kernel from 5.13 on with landlock, seccomp and user namespaces enabled".to_owned(),
            },
        },
        Err(error) => Finding::Bad {
            what: format!("the sandbox cannot be probed: {error}"),
            mend: "run this binary itself".to_owned(),
        },
    }
}

fn missing(report: &LayerReport) -> Vec<String> {
    let layers = [
        ("namespaces", &report.namespaces),
        ("limits", &report.resources),
        ("landlock", &report.landlock),
        ("seccomp", &report.seccomp),
    ];
    let lacks = |(name, layer): (&str, &Layer)| match layer {
        Layer::Missing(why) => Some(format!("{name} ({why})")),
        Layer::Enforced | Layer::Partial(_) => None,
    };
    layers.into_iter().filter_map(lacks).collect()
}
