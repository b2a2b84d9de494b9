//! A plugin's life through the command line: keys, a signed push, what is kept of it, and its end.

use std::path::Path;
use std::process::Output;

use anyhow::Context as _;
use reprise_tests::guests;
use reprise_tests::server::{self, Server};
use reprise_tests::stage::Stage;
use serde_json::{Value, json};

/// Runs `reprise plugin … --json` as the admin.
async fn plugin(server: &Server, arguments: &[&str]) -> anyhow::Result<Output> {
    let mut command = tokio::process::Command::new(server::binary()?);
    command.arg("plugin").args(arguments).arg("--json").env("REPRISE_URL", format!("http://{}", server.http));
    command.arg("--token-file").arg(server.data().join("admin-token")).current_dir(server.scratch());
    Ok(command.output().await?)
}

/// What a command that does well prints.
async fn done(server: &Server, arguments: &[&str]) -> anyhow::Result<Value> {
    let output = plugin(server, arguments).await?;
    anyhow::ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).with_context(|| format!("{arguments:?} prints no JSON"))
}

/// What a command that fails says.
async fn refused(server: &Server, arguments: &[&str]) -> anyhow::Result<String> {
    let output = plugin(server, arguments).await?;
    anyhow::ensure!(!output.status.success(), "{arguments:?} must be refused");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_plugin_is_signed_pushed_shown_downloaded_and_deleted() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("").await?;
        let stage = Stage::new(&server, "acme").await?;
        let other = Stage::new(&server, "umbrella").await?;
        let component = guests::component("callback-fields")?;
        std::fs::write(server.scratch().join("p.wasm"), &component)?;

        // A key, made here and told to the server; then only what it signed is taken.
        done(&server, &["keygen", "ci.pem"]).await?;
        let of_acme = ["--tenant", "acme"];
        let added = done(&server, &[&["key", "add", "ci", "ci.pem.pub"], &of_acme[..]].concat()).await?;
        assert_eq!(added["name"], "ci");
        let switch = json!({"require_signature": true});
        stage.admin.call(http::Method::PATCH, "/v1/tenants/acme", Some(&switch)).await?;
        let push = [&["push", "p.wasm", "--name", "p"], &of_acme[..]].concat();
        assert!(refused(&server, &push).await?.contains("signed components only"));
        let signed = done(&server, &["sign", "p.wasm", "--key", "ci.pem"]).await?;
        std::fs::write(server.scratch().join("q.wasm"), [&component[..], b"\0"].concat())?;
        let replayed = [&["push", "q.wasm", "--name", "p", "--signature", "p.wasm.sig"], &of_acme[..]].concat();
        assert!(refused(&server, &replayed).await?.contains("does not fit"));

        let with_file = [&push[..], &["--signature", "p.wasm.sig"]].concat();
        let first = plugin(&server, &with_file).await?;
        let told = String::from_utf8_lossy(&first.stderr).into_owned();
        assert!(first.status.success() && told.contains("not sent again"), "{told}");
        let version: Value = serde_json::from_slice(&first.stdout)?;
        assert_eq!((&version["version"], &version["signed_by"]["key"]), (&json!(1), &json!("ci")));
        assert_eq!(
            (&version["signed_by"]["signature"], &version["pushed_by"]),
            (&signed["signature"], &json!("admin"))
        );
        let with_key = [&push[..], &["--key", "ci.pem", "--key-name", "ci"]].concat();
        assert_eq!(done(&server, &with_key).await?["version"], 1, "the same again is the same version");

        // The other tenant's push of the same bytes is its own, and unsigned.
        let theirs = done(&server, &["push", "p.wasm", "--name", "p", "--tenant", "umbrella"]).await?;
        assert_eq!((&theirs["version"], &theirs["signed_by"]), (&json!(1), &Value::Null));
        assert_eq!(theirs["digest"], version["digest"]);

        // What is active stays, whatever becomes of its key.
        stage.admin.call(http::Method::POST, "/v1/tenants/acme/plugins/p/activate", Some(&json!({}))).await?;
        done(&server, &[&["key", "remove", "ci"], &of_acme[..]].concat()).await?;
        let shown = done(&server, &[&["show", "p", "--version", "1"], &of_acme[..]].concat()).await?;
        assert_eq!(shown["signed_by"]["revoked"], true);
        let delete = [&["delete", "p", "--version", "1"], &of_acme[..]].concat();
        assert!(refused(&server, &delete).await?.contains("binding `default`"));
        let download = [&["download", "p", "-o", "back.wasm"], &of_acme[..]].concat();
        done(&server, &download).await?;
        assert!(std::fs::read(server.scratch().join("back.wasm"))? == component, "it comes back as it went");
        assert!(refused(&server, &download).await?.contains("back.wasm"), "nothing is written over");

        // Its settings come back as they were given, and too many are told how many there may be.
        let show = [&["settings", "show", "p", "--revision", "1", "-o", "back.json"], &of_acme[..]].concat();
        assert_eq!(done(&server, &show).await?["revision"], 1);
        let settings = done(&server, &[&["settings", "show", "p"], &of_acme[..]].concat()).await?["settings"].clone();
        assert_eq!(settings, std::fs::read_to_string(server.scratch().join("back.json"))?);
        let later = [&["settings", "show", "p", "--revision", "2"], &of_acme[..]].concat();
        assert!(refused(&server, &later).await?.contains("no revision 2"));
        std::fs::write(server.scratch().join("large.json"), format!("\"{}\"", "x".repeat(64 << 10)))?;
        let large = [&["settings", "set", "p", "large.json"], &of_acme[..]].concat();
        let told = refused(&server, &large).await?;
        assert!(told.contains("at most 64.0 KiB"), "{told}");

        stage.admin.call(http::Method::POST, "/v1/tenants/acme/plugins/p/deactivate", None).await?;
        done(&server, &delete).await?;
        done(&server, &[&["delete", "p", "--all"], &of_acme[..]].concat()).await?;
        assert_eq!(stage.list("plugins").await?, Vec::<Value>::new());
        let kept = other.list("plugins").await?;
        assert_eq!(kept[0]["versions"][0]["digest"], version["digest"], "the other tenant's is there");
        let file = format!("plugins/{}.wasm", version["digest"].as_str().unwrap_or_default());
        assert!(Path::new(&server.data()).join(file).exists());
        other.admin.call(http::Method::POST, "/v1/tenants/umbrella/plugins/p/activate", Some(&json!({}))).await?;
        let log = server.log();
        assert!(log.contains("a plugin version is active") && !log.contains('\u{1b}'), "a file has no colours: {log}");
        Ok(())
    })
}
