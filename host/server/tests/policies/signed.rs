//! Tenants that require signatures: what was taken without one, or by a key that was revoked since, decides no more.

use std::fmt::Display;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use reprise::config::Config;
use reprise::policies::rollout::NewRollout;
use reprise::policies::{Push, Pushed, Signed};
use reprise::store::signing;
use reprise_lifecycle::time::Timestamp;

use crate::guests::echo;
use crate::rollouts::{canary, number, start};
use crate::stage::Stage;

/// Adds a key of this name, and pushes a version that is signed with it.
async fn push_signed(stage: &Stage, name: &str, mark: &str) {
    let secret = SigningKey::from_bytes(&[mark.as_bytes()[0]; 32]);
    let key = signing::SigningKey {
        name: name.to_owned(),
        public_key: STANDARD.encode(secret.verifying_key().as_bytes()),
        created_at: 0,
        created_by: "admin".to_owned(),
        revoked_at: None,
    };
    let quotas = Config::parse("").unwrap().policies.quotas.into();
    stage.store.add_signing_key("acme", &key, true, &quotas).await.unwrap();
    let component = echo(mark);
    let push = Push {
        plugin: "p".to_owned(),
        signature: Some(Signed { signature: STANDARD.encode(secret.sign(&component).to_bytes()), key: None }),
        component: Pushed::Bytes(component),
        settings: None,
        actor: "admin".to_owned(),
    };
    stage.policies.push("acme", push).await.unwrap();
}

#[tokio::test]
async fn an_unsigned_version_from_before_is_neither_made_active_nor_tried() {
    let stage = Stage::new("").await;
    for mark in ["a", "b"] {
        stage.push("acme", "p", echo(mark), "{}").await;
    }
    push_signed(&stage, "revoked", "c").await;
    push_signed(&stage, "ci", "d").await;
    for version in [1, 3, 2, 4] {
        stage.activate("acme", "p", number(version)).await;
    }
    let begun = start(&stage, &canary(2, 10)).await;
    stage.store.set_require_signature("acme", true, "admin", Timestamp(0)).await.unwrap();
    assert!(stage.store.revoke_signing_key("acme", "revoked", "admin", Timestamp(0)).await.unwrap());

    let policies = &stage.policies;
    let promoted = policies.promote_rollout("acme", begun.id, "promoted", "admin").await;
    assert_refused("promote what began before", promoted);
    policies.stop_rollout("acme", begun.id, "admin").await.unwrap();
    assert_refused("roll back", policies.roll_back("acme", "p", None, None, "admin").await);
    for version in 1..=3 {
        let binding = policies.activate("acme", "p", number(version), "admin").await;
        assert_refused(&format!("activate {version}"), binding);
        let back = policies.roll_back("acme", "p", None, Some(version), "admin").await;
        assert_refused(&format!("roll back to {version}"), back);
        for new in [canary(version, 10), NewRollout { canary: false, ..canary(version, 1000) }] {
            let rollouts = policies.start_rollouts(&["acme".to_owned()], &new, false, "admin").await;
            assert_refused(&format!("try {version}, canary: {}", new.canary), rollouts);
        }
    }
    assert_eq!(stage.store.running_rollouts().await.unwrap(), []);
    assert_eq!(stage.store.bindings("acme").await.unwrap()[0].binding.version, 4, "what decides is as it was");
    // What is signed goes its way.
    push_signed(&stage, "other", "e").await;
    let signed = start(&stage, &canary(5, 10)).await;
    policies.promote_rollout("acme", signed.id, "promoted", "admin").await.unwrap();
    assert_eq!(policies.roll_back("acme", "p", None, None, "admin").await.unwrap().version, 4);
}

/// Whether it was refused for want of a signature.
fn assert_refused<T, E: Display>(what: &str, outcome: Result<T, E>) {
    match outcome {
        Ok(_) => panic!("{what}: it was done"),
        Err(error) => assert!(error.to_string().contains("requires signatures"), "{what}: {error}"),
    }
}
