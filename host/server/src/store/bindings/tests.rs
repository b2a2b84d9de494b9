use std::borrow::Cow;
use std::str::FromStr;

use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;

use super::*;
use crate::store::seal::Seal;
use crate::testkit::{World, noon, plugin_version};

fn binding(name: &str, version: i64, settings_revision: i64) -> Binding {
    Binding {
        plugin: "p1".to_owned(),
        name: name.to_owned(),
        version,
        settings_revision,
        domain: "*".to_owned(),
        app: "live".to_owned(),
        stream: "*".to_owned(),
        priority: 0,
        failure_policy: "fallback".to_owned(),
        activated_at: noon().0,
        activated_by: "admin".to_owned(),
    }
}

/// A tenant with two versions of a plugin.
async fn world() -> World {
    let world = World::new().await;
    world.tenant("acme").await;
    for digit in ["1", "2"] {
        let version = PluginVersion { digest: digit.repeat(64), ..plugin_version("p1", "callback") };
        world.store.push_plugin("acme", &version, noon()).await.unwrap();
    }
    world
}

#[tokio::test]
async fn a_plugin_has_several_bindings_by_name_and_each_its_history() {
    let world = world().await;
    let store = &world.store;
    for (name, version) in [("default", 1), ("cup", 1), ("cup", 2), ("cup", 2), ("cup", 1)] {
        store.bind_plugin("acme", &binding(name, version, 1), "activate").await.unwrap();
    }
    let bound = store.bindings("acme").await.unwrap();
    let names: Vec<_> = bound.iter().map(|bound| (bound.binding.name.as_str(), bound.version.version)).collect();
    assert_eq!(names, [("cup", 1), ("default", 1)]);
    let history = store.binding_history("acme", "p1", "cup").await.unwrap();
    let versions: Vec<i64> = history.iter().map(|past| past.version).collect();
    assert_eq!(versions, [1, 2, 1], "the same again is no change");
    assert_eq!(store.unbind_plugin("acme", "p1", Some("none"), "admin", 1).await.unwrap(), 0);
    assert_eq!(store.unbind_plugin("acme", "p1", Some("cup"), "admin", 1).await.unwrap(), 1);
    assert_eq!(store.unbind_plugin("acme", "p1", None, "key:AK", 2).await.unwrap(), 1);
    let changes = store.changes(Some("acme"), Some("p1"), None, 100).await.unwrap();
    let of_bindings = changes.iter().filter(|change| matches!(change.action.as_str(), "activate" | "deactivate"));
    let actions: Vec<_> = of_bindings.map(|change| (change.action.as_str(), change.actor.as_str())).collect();
    let activate = ("activate", "admin");
    let expected =
        [("deactivate", "key:AK"), ("deactivate", "admin"), activate, activate, activate, activate, activate];
    assert_eq!(actions, expected);
}

#[tokio::test]
async fn a_version_that_is_not_there_is_never_bound() {
    let world = world().await;
    let refused = world.store.bind_plugin("acme", &binding("default", 3, 1), "activate").await.unwrap_err();
    assert!(matches!(refused, Error::Conflict(_)), "{refused}");
    assert!(world.store.bindings("acme").await.unwrap().is_empty());
    assert!(world.store.binding_history("acme", "p1", "default").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_binding_from_before_names_becomes_the_default_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("catalogue.db");
    let mut early = sqlx::migrate!("./migrations");
    early.migrations = Cow::Owned(early.migrations.iter().filter(|step| step.version < 10).cloned().collect());
    let options =
        SqliteConnectOptions::from_str(&format!("sqlite:{}", file.display())).unwrap().create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    early.run(&pool).await.unwrap();
    for statement in [
        "INSERT INTO tenants (name, push_domain, play_domain, push_auth, push_key, play_key, webhook_secret, created_at) \
         VALUES ('acme', 'a', 'b', 1, x'', x'', x'', 0)",
        "INSERT INTO plugins VALUES ('acme', 'p1', 0)",
        "INSERT INTO plugin_versions VALUES ('acme', 'p1', 1, 'd1', 1, 'i', 'callback', '{\"n\":1}', 1, 5)",
        "INSERT INTO plugin_versions VALUES ('acme', 'p1', 2, 'd2', 1, 'i', 'callback', '{\"n\":2}', 2, 6)",
        "INSERT INTO bindings VALUES ('acme', 'p1', 2, 'live', 'cam*', 'reject', 7)",
    ] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    pool.close().await;
    let store = Store::open(&file, Seal::from_key([1; 32])).await.unwrap();
    let bound = store.bindings("acme").await.unwrap();
    let expected = Binding {
        stream: "cam*".to_owned(),
        failure_policy: "reject".to_owned(),
        activated_at: 7,
        ..binding("default", 2, 2)
    };
    assert_eq!((bound.len(), &bound[0].binding, bound[0].settings.as_str()), (1, &expected, "{\"n\":2}"));
    let history = store.binding_history("acme", "p1", "default").await.unwrap();
    assert_eq!(history.iter().map(|past| (past.version, past.settings_revision)).collect::<Vec<_>>(), [(2, 2)]);
    let revisions = store.settings_history("acme", "p1", None, 10).await.unwrap();
    let revisions: Vec<_> = revisions.into_iter().map(|revision| (revision.revision, revision.settings)).collect();
    assert_eq!(revisions, [(2, "{\"n\":2}".to_owned()), (1, "{\"n\":1}".to_owned())]);
}
