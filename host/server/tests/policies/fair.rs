//! What all tenants share goes round them, with a real compiler.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use reprise::policies::{Push, Pushed};

use crate::guests::echo;
use crate::stage::Stage;

fn push(plugin: &str, mark: usize) -> Push {
    Push {
        plugin: plugin.to_owned(),
        component: Pushed::Bytes(echo(&mark.to_string())),
        settings: Some("{}".to_owned()),
        signature: None,
        actor: "admin".to_owned(),
    }
}

/// On one thread: a push that began stands in its queue when the next one begins.
#[tokio::test]
async fn a_push_waits_for_one_of_another_tenant_and_not_for_all() {
    let stage = Stage::new("").await;
    stage.tenant("umbrella").await;
    let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let of_acme: Vec<_> = (0..5)
        .map(|mark| {
            let (policies, begun, ended) = (Arc::clone(&stage.policies), Arc::clone(&begun), Arc::clone(&ended));
            tokio::spawn(async move {
                begun.fetch_add(1, Ordering::SeqCst);
                policies.push("acme", push("p", mark)).await.unwrap();
                ended.fetch_add(1, Ordering::SeqCst);
            })
        })
        .collect();
    while begun.load(Ordering::SeqCst) < 5 {
        tokio::task::yield_now().await;
    }
    stage.policies.push("umbrella", push("p", 9)).await.unwrap();
    let before = ended.load(Ordering::SeqCst);
    // The one that had the turn, and the next if it was quick to end.
    assert!(before <= 2, "{before} of the other tenant's were served first");
    join_all(of_acme).await.into_iter().for_each(|push| push.unwrap());
}
