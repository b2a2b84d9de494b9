//! `reprise call` and `reprise push-url`: what a tenant does with the vendor's tools, where none is at hand.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

use crate::client::Vendor;
use crate::{api, clock, url_auth};

#[derive(Debug, Args)]
#[command(after_help = "\
Lists and objects are given as JSON, as the vendor documents them.

Example:
  reprise tenant create acme --push-domain push.acme.example --play-domain play.acme.example --json > acme.json
  reprise call --tenant-file acme.json AddLiveRecordVodConfig DomainName=play.acme.example AppName=live \\
      'StreamName=*' VodTranscodeGroupId=VOD_NO_TRANSCODE DelayTime=15")]
pub(super) struct Call {
    /// The action's name, e.g. `GetPlayInfo`
    action: String,
    /// Its parameters
    #[arg(value_name = "NAME=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
    #[command(flatten)]
    tenant: TenantFile,
    /// The server's HTTP address
    #[arg(long, env = "REPRISE_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
The URL lives for the domain's validity, half an hour, and holds for this stream alone.

Example:
  ffmpeg -re -f lavfi -i testsrc2=size=1920x1080:rate=25 -t 20 -c:v libx264 -preset veryfast -g 50 -pix_fmt yuv420p \\
      -f flv \"$(reprise push-url --tenant-file acme.json live stage-1)\"")]
pub(super) struct PushUrl {
    /// The application
    app: String,
    /// The stream's name
    stream: String,
    #[command(flatten)]
    tenant: TenantFile,
    /// The server's RTMP address
    #[arg(long, env = "REPRISE_RTMP", default_value = "127.0.0.1:1935")]
    rtmp: String,
}

#[derive(Debug, Args)]
struct TenantFile {
    /// What `reprise tenant create NAME --json` printed
    #[arg(long, value_name = "FILE", env = "REPRISE_TENANT_FILE")]
    tenant_file: PathBuf,
}

/// The part of it that is used here.
#[derive(Debug, Deserialize)]
struct Made {
    push_domain: String,
    access_key_id: String,
    #[serde(deserialize_with = "secret")]
    access_key_secret: SecretString,
    #[serde(deserialize_with = "secret")]
    push_key: SecretString,
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<SecretString, D::Error> {
    String::deserialize(from).map(SecretString::from)
}

impl TenantFile {
    fn read(&self) -> anyhow::Result<Made> {
        let file = self.tenant_file.display();
        let text = std::fs::read_to_string(&self.tenant_file).with_context(|| {
            format!("cannot read {file}; it is what `reprise tenant create NAME … --json` printed, once")
        })?;
        // The file's secrets stay out of the message.
        let made = serde_json::from_str(&text).map_err(|error| (error.line(), error.column()));
        made.map_err(|(line, column)| {
            anyhow::anyhow!(
                "{file} is not what `reprise tenant create NAME … --json` prints (line {line}, column {column})"
            )
        })
    }
}

impl Call {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Some(version) = api::version_of(&self.action) else {
            bail!("there is no action {}; README lists those that are there", self.action);
        };
        let made = self.tenant.read()?;
        let parameters: Vec<(&str, &str)> =
            self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let vendor = Vendor::new(&self.url, &made.access_key_id, made.access_key_secret.expose_secret());
        let answer = super::runtime()?.block_on(vendor.call(version, &self.action, &parameters))?;
        println!("{answer:#}");
        Ok(ExitCode::SUCCESS)
    }
}

impl PushUrl {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let made = self.tenant.read()?;
        println!("{}", self.signed(&made, clock::now().0 / 1000));
        Ok(ExitCode::SUCCESS)
    }

    fn signed(&self, made: &Made, now_s: i64) -> String {
        let path = format!("/{}/{}", self.app, self.stream);
        let url = format!("rtmp://{}{path}?vhost={}", self.rtmp, made.push_domain);
        url_auth::signed_url(&url, &path, url_auth::Terms::at(now_s), made.push_key.expose_secret())
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a parameter is NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, TenantFile) {
        let dir = tempfile::tempdir().unwrap();
        let tenant_file = dir.path().join("acme.json");
        std::fs::write(&tenant_file, text).unwrap();
        (dir, TenantFile { tenant_file })
    }

    #[test]
    fn a_push_url_is_one_that_the_server_takes() {
        let made = r#"{"tenant": "acme", "push_domain": "push.acme.example", "access_key_id": "AK",
                       "access_key_secret": "hush", "push_key": "a-push-key"}"#;
        let (_dir, tenant) = file(made);
        let made = tenant.read().unwrap();
        let wanted = PushUrl { app: "live".into(), stream: "stage-1".into(), tenant, rtmp: "127.0.0.1:1935".into() };
        let url = wanted.signed(&made, 1_800_000_000);
        let (before, key) = url.split_once("&auth_key=").unwrap();
        assert_eq!(before, "rtmp://127.0.0.1:1935/live/stage-1?vhost=push.acme.example");
        let verified = |path| url_auth::verify(path, Some(key), &["a-push-key"], 1800, 1_800_000_100);
        assert_eq!(verified("/live/stage-1"), Ok(()));
        assert!(verified("/live/stage-2").is_err());
    }

    #[test]
    fn what_is_no_tenants_file_is_said_without_its_secrets() {
        let (_dir, tenant) = file(r#"{"access_key_secret": "hush", "push_key": 7}"#);
        let said = format!("{:#}", tenant.read().unwrap_err());
        assert!(said.contains("acme.json") && !said.contains("hush"), "{said}");
    }

    #[test]
    fn parameters_are_pairs_whose_values_may_have_anything() {
        assert_eq!(pair("Name=a=b"), Ok(("Name".to_owned(), "a=b".to_owned())));
        assert!(pair("Name").is_err() && pair("=x").is_err());
    }
}
