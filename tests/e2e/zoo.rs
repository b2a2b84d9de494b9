//! A zoo of hostile components, pushed to a real server and asked: each is refused or stopped within its limits, a good
//! tenant is answered meanwhile, and the server lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use http::Method;
use reprise::client::rest::push_plugin;
use reprise_hostile::{Fate, Specimen};
use reprise_lifecycle::question::Hook;
use reprise_policy::sample;
use reprise_tests::guests;
use reprise_tests::server::Server;
use reprise_tests::stage::Stage;
use serde_json::{Value, json};

/// Room for all of them.
const QUOTAS: &str = "[policies.quotas]\nplugins = 1000\nuploads_per_hour = 10000\ncomponent_mib = 4096\n";

#[test]
fn hostile_components_are_refused_or_stopped_while_a_good_tenant_is_answered() -> anyhow::Result<()> {
    crate::run(async {
        let mut server = Server::start(QUOTAS).await?;
        let mob = Stage::new(&server, "mob").await?;
        let good = Arc::new(Stage::new(&server, "good").await?);
        good.plugin("groups", &guests::component("template-by-stream")?, &json!({"rules": []}), "*").await?;
        let over = Arc::new(AtomicBool::new(false));
        let asking = {
            let (good, over) = (Arc::clone(&good), Arc::clone(&over));
            tokio::spawn(async move {
                let mut answered = 0_u32;
                while !over.load(Ordering::Relaxed) {
                    let said = ask(&good, "groups", Hook::TemplateGroup).await?;
                    anyhow::ensure!(said["verdict"]["answered"].is_object(), "the good tenant got {said}");
                    answered += 1;
                }
                Ok(answered)
            })
        };
        let mut surprises = Vec::new();
        for (number, specimen) in reprise_hostile::zoo().into_iter().enumerate() {
            if let Some(surprise) = face(&mob, &format!("zoo-{number}"), &specimen).await? {
                surprises.push(format!("{}: {surprise}", specimen.name));
            }
        }
        over.store(true, Ordering::Relaxed);
        assert!(asking.await?? > 0, "the good tenant was answered");
        assert!(surprises.is_empty(), "{}", surprises.join("\n"));
        assert!(server.alive());
        Ok(())
    })
}

/// Pushes and asks one; says what came of it, if that is not what must.
async fn face(mob: &Stage, name: &str, specimen: &Specimen) -> anyhow::Result<Option<String>> {
    let pushed = push_plugin(&mob.admin, &mob.name, name, &specimen.bytes, "{}").await;
    let said = match (pushed, specimen.fate) {
        (Err(_), Fate::Refused) => return Ok(None),
        (Err(refusal), _) => return Ok(Some(format!("refused: {refusal:#}"))),
        (Ok(_), Fate::Refused) => return Ok(Some("accepted".to_owned())),
        (Ok(_), _) => ask(mob, name, specimen.hook).await?,
    };
    let verdict = &said["verdict"];
    let as_it_must = match specimen.fate {
        Fate::FindsNothing => verdict["answered"].is_object(),
        Fate::Fails(kinds) => kinds.iter().any(|kind| verdict["failed"]["kind"] == json!(kind)),
        Fate::Refused => false,
    };
    Ok((!as_it_must).then(|| verdict.to_string()))
}

/// Puts the sample question to the newest version.
async fn ask(stage: &Stage, plugin: &str, hook: Hook) -> anyhow::Result<Value> {
    let path = format!("/v1/tenants/{}/plugins/{plugin}/ask", stage.name);
    let body = json!({"hook": hook.name(), "question": sample::question(hook)});
    stage.admin.call(Method::POST, &path, Some(&body)).await.with_context(|| format!("asking {plugin}"))
}
