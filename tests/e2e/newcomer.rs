//! A newcomer's path, with the commands of the README: from a tenant and its record config over `plugin new` to a changed
//! decision on a live stream, and why.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use reprise_tests::encoder;
use reprise_tests::eventually;
use reprise_tests::server::{Server, binary};
use serde_json::Value;

/// As in the README, but for a rendition that costs little.
const TEMPLATES: &str = r#"TranscodeTemplateList=[{"TemplateName": "HD", "Definition": "HD", "Container": {"Format": "mp4"},
    "Video": {"Codec": "H.264", "Width": "160", "Bitrate": "150"}, "Audio": {"Codec": "AAC"}}]"#;

#[test]
fn from_a_tenant_to_a_changed_decision_and_why() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("").await?;
        let author = Author::new(&server)?;
        let domains = ["--push-domain", "push.acme.example", "--play-domain", "play.acme.example"];
        let made = author.run(&[&["tenant", "create", "acme", "--json"], &domains[..]].concat(), ".")?;
        std::fs::write(&author.tenant_file, made)?;
        let group = author.answer(&["call", "AddTranscodeTemplateGroup", "Name=HD", TEMPLATES])?;
        let group = group["TranscodeTemplateGroupId"].as_str().context("no group")?.to_owned();
        let stored = ["DomainName=play.acme.example", "AppName=live", "StreamName=*"];
        let stored = [&["call", "AddLiveRecordVodConfig"], &stored[..]].concat();
        author.answer(&[&stored[..], &["VodTranscodeGroupId=VOD_NO_TRANSCODE", "DelayTime=1"]].concat())?;

        author.run(&["plugin", "new", "my-policy"], ".")?;
        author.run(&["plugin", "build"], "my-policy")?;
        let tested = author.run(&["plugin", "test"], "my-policy")?;
        assert!(tested.contains(" 0 failed"), "{tested}");
        let push = ["plugin", "push", "build/policy.wasm", "--tenant", "acme", "--name", "my-policy"];
        author.run(&[&push[..], &["--settings", "settings.json"]].concat(), "my-policy")?;
        author.run(&["plugin", "activate", "my-policy", "--tenant", "acme", "--stream", "stage-*"], "my-policy")?;

        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "1920x1080", 2).await?;
        let url = author.run(&["push-url", "live", "stage-1", "--rtmp", &server.rtmp], ".")?;
        encoder::finished(encoder::publish(&clip, url.trim())?).await?;
        let video = eventually("the policy's group in the video", async || {
            let videos = author.answer(&["call", "GetVideoList"])?;
            let video = &videos["VideoList"]["Video"][0];
            let Some(id) = video["VideoId"].as_str() else { return Ok(None) };
            let info = author.answer(&["call", "GetVideoInfo", &format!("VideoId={id}")])?;
            Ok((info["Video"]["TemplateGroupId"] == group.as_str()).then(|| id.to_owned()))
        })
        .await?;
        let why = author.run(&["plugin", "why", &video], ".")?;
        for part in ["my-policy", "stage-1", "HD"] {
            assert!(why.contains(part), "{part} in: {why}");
        }
        Ok(())
    })
}

/// Somebody at a command line, in whose shell is what the README puts there.
struct Author {
    folder: std::path::PathBuf,
    tenant_file: std::path::PathBuf,
    url: String,
    token: String,
}

impl Author {
    fn new(server: &Server) -> anyhow::Result<Self> {
        Ok(Self {
            folder: server.scratch().to_owned(),
            tenant_file: server.scratch().join("acme.json"),
            url: format!("http://{}", server.http),
            token: std::fs::read_to_string(server.data().join("admin-token"))?.trim().to_owned(),
        })
    }

    /// Runs a command in a folder below the author's; gives what it printed.
    fn run(&self, arguments: &[&str], folder: &str) -> anyhow::Result<String> {
        // The dependencies of new projects are built once for all runs.
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tmp/newcomer");
        let output = Command::new(binary()?)
            .args(arguments)
            .current_dir(self.folder.join(folder))
            .env("REPRISE_URL", &self.url)
            .env("REPRISE_TOKEN", &self.token)
            .env("REPRISE_TENANT_FILE", &self.tenant_file)
            .env("CARGO_TARGET_DIR", target)
            .output()?;
        let (said, complained) = (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr));
        anyhow::ensure!(output.status.success(), "reprise {arguments:?}: {}\n{said}\n{complained}", output.status);
        Ok(said)
    }

    /// The same for what prints JSON.
    fn answer(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.run(arguments, ".")?)?)
    }
}
