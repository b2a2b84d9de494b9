//! A newcomer's path, with the commands of the README: from `plugin new` to a changed decision on a live stream, and why.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use reprise_tests::encoder;
use reprise_tests::server::{Server, binary};
use reprise_tests::stage::{Stage, template};

#[test]
fn from_plugin_new_to_a_changed_decision_and_why() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("").await?;
        let stage = Stage::new(&server, "acme").await?;
        let group = stage.group("HD", &[template("LD", "mp4", 160, 150)]).await?;
        stage.record("live", &group, 60, 1).await?;

        let author =
            Author { folder: server.scratch().to_owned(), url: format!("http://{}", server.http), data: server.data() };
        author.run("plugin new my-policy", ".")?;
        author.run("plugin build", "my-policy")?;
        let tested = author.run("plugin test", "my-policy")?;
        assert!(tested.contains(" 0 failed"), "{tested}");
        author.run(
            "plugin push build/policy.wasm --tenant acme --name my-policy --settings settings.json",
            "my-policy",
        )?;
        author.run("plugin activate my-policy --tenant acme --stream lobby-*", "my-policy")?;

        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "160x90", 2).await?;
        encoder::finished(encoder::publish(&clip, &stage.push_url("live", "lobby-1"))?).await?;
        let videos = stage.settled().await?;
        let video = videos[0]["id"].as_str().context("no id")?;
        let info = stage.vendor.call("2017-03-21", "GetVideoInfo", &[("VideoId", video)]).await?;
        assert_eq!(info["Video"]["TemplateGroupId"], "VOD_NO_TRANSCODE", "{info}");
        let why = author.run(&format!("plugin why {video}"), ".")?;
        for part in ["my-policy", "lobby-1", "VOD_NO_TRANSCODE"] {
            assert!(why.contains(part), "{part} in: {why}");
        }
        Ok(())
    })
}

/// Somebody at a command line.
struct Author {
    folder: std::path::PathBuf,
    url: String,
    data: std::path::PathBuf,
}

impl Author {
    /// Runs a command in a folder below the author's; gives what it printed.
    fn run(&self, command: &str, folder: &str) -> anyhow::Result<String> {
        // The dependencies of new projects are built once for all runs.
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tmp/newcomer");
        let output = Command::new(binary()?)
            .args(command.split(' '))
            .current_dir(self.folder.join(folder))
            .env("REPRISE_URL", &self.url)
            .env("REPRISE_TOKEN", std::fs::read_to_string(self.data.join("admin-token"))?.trim())
            .env("CARGO_TARGET_DIR", target)
            .output()?;
        let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        anyhow::ensure!(output.status.success(), "reprise {command}: {}\n{said}\n{complained}", output.status);
        Ok(format!("{said}{complained}"))
    }
}
