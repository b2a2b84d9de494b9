//! Who has how much room for compiled code, in memory and on disk.

use std::time::SystemTime;

use reprise::policies::Activation;
use reprise::policies::rollout::rules::Rules;
use reprise::policies::rollout::share::Share;
use reprise::policies::rollout::{NewRollout, Which};
use reprise_lifecycle::decision::CodeSource;

use crate::guests::{callback, echo};
use crate::stage::{Stage, event};

/// A component that answers nothing, with so much code that a dozen fill a mebibyte.
fn bulky(number: usize) -> Vec<u8> {
    let work = "(global.set $top (i32.xor (global.get $top) (local.get 0)))".repeat(8000);
    callback("(i32.const 1024)", &format!("(func (param i32) {work} (global.set $top (i32.const {number})))"))
}

#[tokio::test]
async fn a_tenant_with_very_many_components_pushes_nobody_out() {
    let stage = Stage::new("[policies]\nloaded = 8\ncode_cache_mib = 1\n").await;
    stage.tenant("flood").await;
    let [active, canary, shadow] = ["a", "b", "c"].map(echo);
    let mut used = Vec::new();
    for component in [active, canary, shadow] {
        used.push(stage.push("acme", "p", component, "{}").await.digest);
    }
    stage.activate("acme", "p", Activation { version: Some(1), ..Activation::default() }).await;
    for (version, canary) in [(2, true), (3, false)] {
        let rollout = NewRollout {
            plugin: "p".to_owned(),
            binding: None,
            canary,
            which: Which::Version(version),
            settings_revision: None,
            share: Share { permille: 0, app: "*".to_owned(), stream: "*".to_owned() },
            rules: Rules::default(),
        };
        stage.policies.start_rollouts(&["acme".to_owned()], &rollout, false, "admin").await.unwrap();
    }
    let code = async || stage.event("acme", "cam1").await.steps[0].1.provenance.as_ref().unwrap().code;
    assert_eq!(code().await, Some(CodeSource::Memory));
    let cache = stage.files.plugins().open_dir("cache").unwrap();
    for digest in &used {
        // By its age it would be the first to go.
        cache.open(digest).unwrap().into_std().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
    let (mut pushed, mut bytes) = (Vec::new(), 0);
    while bytes < 2 << 20 {
        let digest = stage.push("flood", "q", bulky(pushed.len()), "{}").await.digest;
        bytes += cache.metadata(&digest).unwrap().len();
        pushed.push(digest);
        assert!(pushed.len() < 100, "it takes more pushes than a tenant has");
    }
    assert!(pushed.len() > 8, "{} components are no flood", pushed.len());
    assert_eq!(code().await, Some(CodeSource::Memory), "it kept its place in memory");
    for digest in &used {
        assert!(cache.exists(digest), "it kept its place on disk");
    }
    assert!(!cache.exists(&pushed[0]), "the flood's own made room");
    let again = stage.restarted().await;
    let chained = event(&again, "acme", "cam1").await;
    assert_eq!(chained.steps[0].1.provenance.as_ref().unwrap().code, Some(CodeSource::Disk));
}
