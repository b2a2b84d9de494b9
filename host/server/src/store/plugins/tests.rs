//! Versions as they are counted, limited, signed and removed.

use serde_json::Value;

use super::*;
use crate::store::bindings::Binding;
use crate::store::quotas::{OverQuota, TenantQuotas, UsedQuotas};
use crate::store::signing::SigningKey;
use crate::testkit::{World, noon};

const AMPLE: Quotas =
    Quotas { plugins: 50, versions_per_plugin: 100, component_bytes: 1000, uploads_per_hour: 100, signing_keys: 8 };

async fn world() -> World {
    let world = World::new().await;
    for tenant in ["acme", "umbrella"] {
        world.tenant(tenant).await;
    }
    world
}

fn version(plugin: &str, component: &str) -> PluginVersion {
    PluginVersion {
        plugin: plugin.to_owned(),
        digest: component.repeat(64),
        bytes: 100,
        interface: "reprise:policy@0.2.0".to_owned(),
        hooks: "callback".to_owned(),
        class: "scripted".to_owned(),
        uses: "state,wasi".to_owned(),
        schema: Some("true".to_owned()),
        settings: NO_SETTINGS.to_owned(),
        pushed_at: noon().0,
        pushed_by: "key:AKacme".to_owned(),
        ..PluginVersion::default()
    }
}

/// Pushes with the settings that are given, or with none.
async fn push(
    world: &World,
    quotas: &Quotas,
    plugin: &str,
    component: &str,
    settings: Option<&str>,
) -> Result<PluginVersion> {
    let newest = world.store.standing_settings("acme", plugin).await?.map(|(_, settings)| settings);
    let text = settings.map(str::to_owned).or(newest).unwrap_or_else(|| NO_SETTINGS.to_owned());
    let version = PluginVersion { settings: text, ..version(plugin, component) };
    let new = NewVersion { version: &version, settings_given: settings.is_some(), public_key: None, quotas };
    world.store.add_version("acme", new).await
}

fn over(result: Result<PluginVersion>) -> OverQuota {
    match result {
        Err(Error::Quota(over)) => over,
        other => panic!("{other:?}"),
    }
}

fn binding(version: i64) -> Binding {
    let any = || "*".to_owned();
    Binding {
        plugin: "p".to_owned(),
        name: "default".to_owned(),
        version,
        settings_revision: 1,
        domain: any(),
        app: any(),
        stream: any(),
        priority: 0,
        failure_policy: "fallback".to_owned(),
        activated_at: noon().0,
        activated_by: "admin".to_owned(),
    }
}

/// A verified signature by key `name`.
async fn push_signed(world: &World, name: &str, public_key: &str, component: &str) -> Result<PluginVersion> {
    let version = PluginVersion {
        signed_by: Some(name.to_owned()),
        signature: Some("c2ln".to_owned()),
        ..version("p", component)
    };
    let new = NewVersion { version: &version, settings_given: false, public_key: Some(public_key), quotas: &AMPLE };
    world.store.add_version("acme", new).await
}

fn key(name: &str, public_key: &str) -> SigningKey {
    let (name, public_key) = (name.to_owned(), public_key.to_owned());
    SigningKey { name, public_key, created_at: noon().0, created_by: "admin".to_owned(), revoked_at: None }
}

#[tokio::test]
async fn a_version_is_a_component_with_settings_and_keeps_where_it_comes_from() {
    let world = world().await;
    let table = [
        ("a", None, (1, 1)),
        ("a", None, (1, 1)),
        ("a", Some("{}"), (1, 1)),
        ("a", Some("{\"x\":1}"), (2, 2)),
        ("a", None, (2, 2)),
        ("b", None, (3, 2)),
        ("b", Some("{}"), (4, 3)),
        ("a", None, (5, 3)),
    ];
    for (step, (component, settings, expected)) in table.into_iter().enumerate() {
        let added = push(&world, &AMPLE, "p", component, settings).await.unwrap();
        assert_eq!((added.version, added.revision), expected, "step {step}");
    }
    let first = world.store.plugin_version("acme", "p", Some(1)).await.unwrap().unwrap();
    assert_eq!(first, PluginVersion { version: 1, revision: 1, ..version("p", "a") });
    assert_eq!(world.store.plugin_versions("umbrella").await.unwrap(), []);
    let changes = world.store.changes(Some("acme"), Some("p"), None, 10).await.unwrap();
    let detail: Value = serde_json::from_str(&changes[0].detail).unwrap();
    assert_eq!((changes.len(), &*changes[0].action, &*changes[0].actor), (5, "push", "key:AKacme"));
    assert_eq!((&detail["version"], &detail["settings_revision"]), (&json!(5), &json!(3)));
}

#[tokio::test]
async fn a_push_is_the_version_that_it_says() {
    let world = world().await;
    let (one, two) = ("{\"x\":1}", "{\"x\":2}");
    let kept = async |pushed: PluginVersion| {
        let kept = world.store.plugin_version("acme", "groups", Some(pushed.version)).await.unwrap();
        assert_eq!(kept.as_ref(), Some(&pushed));
        (pushed.version, pushed.revision)
    };
    assert_eq!(kept(push(&world, &AMPLE, "groups", "a", Some(one)).await.unwrap()).await, (1, 1));
    world.store.put_plugin_settings("acme", "groups", two, &[], "admin", 5).await.unwrap();
    // The same component, but its first version came with other settings.
    assert_eq!(kept(push(&world, &AMPLE, "groups", "a", Some(two)).await.unwrap()).await, (2, 2));
    assert_eq!(kept(push(&world, &AMPLE, "groups", "a", None).await.unwrap()).await, (2, 2));
    world.store.test_bind("acme", 1).await;
    // As after a roll-back: what stands is what the binding has.
    for settings in [Some(one), None] {
        assert_eq!(kept(push(&world, &AMPLE, "groups", "a", settings).await.unwrap()).await, (3, 1), "{settings:?}");
    }
}

#[tokio::test]
async fn settings_of_versions_that_were_deleted_do_not_pile_up() {
    let world = world().await;
    for number in 1..=40 {
        let settings = format!("{number:02}{}", "x".repeat(64 * 1024 - 2));
        let pushed = push(&world, &AMPLE, "p", "a", Some(&settings)).await.unwrap();
        world.store.remove_version("acme", "p", pushed.version - 1, "admin", noon()).await.unwrap();
    }
    let kept = world.store.settings_history("acme", "p", None, 100).await.unwrap();
    // Those of the version that there is, those of the one that there was when it came, and 2 MiB of the past.
    assert_eq!((kept[0].revision, kept.len()), (40, 34));
}

#[tokio::test]
async fn settings_that_changed_since_they_were_checked_are_not_taken() {
    let world = world().await;
    push(&world, &AMPLE, "p", "a", Some("{\"x\":1}")).await.unwrap();
    let stale = version("p", "b");
    let new = NewVersion { version: &stale, settings_given: false, public_key: None, quotas: &AMPLE };
    let refused = world.store.add_version("acme", new).await.unwrap_err();
    assert!(matches!(refused, Error::Conflict(why) if why.contains("settings")), "{refused:?}");
}

#[tokio::test]
async fn quotas_end_at_their_edge_and_say_which_one_it_was() {
    let world = world().await;
    let tight = Quotas { plugins: 2, versions_per_plugin: 2, component_bytes: 250, ..AMPLE };
    push(&world, &tight, "p", "a", None).await.unwrap();
    push(&world, &tight, "p", "b", None).await.unwrap();
    let told = over(push(&world, &tight, "p", "a", None).await);
    assert_eq!((told.quota, told.used, told.limit), (Quota::VersionsPerPlugin, 2, 2));
    assert_eq!(push(&world, &tight, "p", "b", None).await.unwrap().version, 2, "the newest again adds nothing");
    let told = over(push(&world, &tight, "q", "c", None).await);
    assert_eq!((told.quota, told.used, told.wanted), (Quota::ComponentBytes, 200, 100));
    assert_eq!(world.store.plugin_names("acme").await.unwrap(), ["p"], "what is refused leaves nothing");
    push(&world, &tight, "q", "a", None).await.expect("bytes that are there are not counted again");
    assert_eq!(over(push(&world, &tight, "r", "a", None).await).quota, Quota::Plugins);

    world.store.remove_plugin("acme", "q", "admin", noon()).await.unwrap();
    push(&world, &tight, "r", "a", None).await.expect("a removed plugin makes room");
    world.store.remove_version("acme", "p", 2, "admin", noon()).await.unwrap();
    push(&world, &tight, "p", "c", None).await.expect("so do a removed version and its component");

    let hour = |hours: i64| Timestamp(noon().0 + hours * 3_600_000);
    let two = Quotas { uploads_per_hour: 2, ..AMPLE };
    for (tenant, at, is_taken) in [
        ("acme", hour(0), true),
        ("acme", hour(0), true),
        ("acme", hour(0), false),
        ("umbrella", hour(0), true),
        ("acme", Timestamp(hour(1).0 - 1), false),
        ("acme", hour(1), true),
    ] {
        let counted = world.store.count_upload(tenant, &two, at).await;
        assert_eq!(counted.is_ok(), is_taken, "{tenant} {at:?}");
    }
}

#[tokio::test]
async fn what_is_set_for_a_tenant_holds_for_it_alone_in_place_of_what_all_have() {
    let world = world().await;
    let store = &world.store;
    let none = Quotas { plugins: 0, versions_per_plugin: 0, component_bytes: 0, uploads_per_hour: 0, signing_keys: 0 };
    let set = async |set: &TenantQuotas| store.put_tenant_quotas("acme", set, "admin", noon().0).await.unwrap();
    // Each that is given leads to the next that is not.
    let mut given = TenantQuotas::default();
    let used_up = async || over(push(&world, &none, "p", "a", None).await).quota;
    assert_eq!(used_up().await, Quota::Plugins);
    given.plugins = Some(1);
    set(&given).await;
    assert_eq!(used_up().await, Quota::VersionsPerPlugin);
    given.versions_per_plugin = Some(2);
    set(&given).await;
    assert_eq!(used_up().await, Quota::ComponentBytes);
    given.component_mib = Some(1);
    set(&given).await;
    push(&world, &none, "p", "a", None).await.unwrap();
    let upload = async |tenant: &str| store.count_upload(tenant, &none, noon()).await.is_ok();
    let sign = async |name: &str| store.add_signing_key("acme", &key(name, name), false, &none).await.is_ok();
    assert!(!upload("acme").await && !sign("ci").await);
    (given.uploads_per_hour, given.signing_keys) = (Some(2), Some(1));
    set(&given).await;
    assert_eq!([upload("acme").await, upload("acme").await, upload("acme").await], [true, true, false]);
    assert_eq!([sign("ci").await, sign("other").await], [true, false]);
    assert!(!upload("umbrella").await, "the other tenant has what all have");

    assert_eq!(store.tenant_quotas("acme").await.unwrap(), given);
    let used =
        UsedQuotas { plugins: 1, versions_per_plugin: 1, component_bytes: 100, uploads_per_hour: 2, signing_keys: 1 };
    assert_eq!(store.used_quotas("acme", noon()).await.unwrap(), used);
    let later = Timestamp(noon().0 + 3_600_000);
    assert_eq!(store.used_quotas("acme", later).await.unwrap(), UsedQuotas { uploads_per_hour: 0, ..used });
    // What is there stays when its quota goes; nothing is added.
    set(&TenantQuotas::default()).await;
    assert_eq!(over(push(&world, &none, "p", "b", None).await).quota, Quota::VersionsPerPlugin);
    assert_eq!(store.plugin_versions("acme").await.unwrap().len(), 1);
    assert_eq!(store.tenant_quotas("acme").await.unwrap(), TenantQuotas::default());

    let changes = store.changes(Some("acme"), None, None, 100).await.unwrap();
    let set: Vec<_> = changes.iter().filter(|change| change.action == "quotas").collect();
    let detail: Value = serde_json::from_str(&set[1].detail).unwrap();
    assert_eq!((set.len(), &*set[1].actor), (5, "admin"));
    assert_eq!((&detail["quotas"]["component_mib"], &detail["quotas"]["uploads_per_hour"]), (&json!(1), &json!(2)));
}

#[tokio::test]
async fn two_pushes_at_once_are_one_after_the_other() {
    let world = world().await;
    let (first, second) = tokio::join!(push(&world, &AMPLE, "p", "a", None), push(&world, &AMPLE, "p", "a", None));
    assert_eq!((first.unwrap().version, second.unwrap().version), (1, 1), "the same is one version");
    let (first, second) = tokio::join!(push(&world, &AMPLE, "p", "b", None), push(&world, &AMPLE, "p", "c", None));
    let mut numbers = [first.unwrap().version, second.unwrap().version];
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3]);
    let last = Quotas { versions_per_plugin: 4, ..AMPLE };
    let (first, second) = tokio::join!(push(&world, &last, "p", "d", None), push(&world, &last, "p", "e", None));
    assert_eq!([&first, &second].iter().filter(|pushed| pushed.is_ok()).count(), 1, "{first:?} {second:?}");
}

#[tokio::test]
async fn what_is_used_stays_and_numbers_are_never_given_again() {
    let world = world().await;
    let store = &world.store;
    for component in ["a", "b", "c"] {
        push(&world, &AMPLE, "p", component, None).await.unwrap();
    }
    store.bind_plugin("acme", &binding(1), "activate").await.unwrap();
    for sql in [
        "INSERT INTO rollouts (id, tenant, plugin, binding, kind, version, settings_revision, share_permille, rules, state, \
         cursor, report, started_at, started_by) VALUES (7, 'acme', 'p', 'default', 'canary', 2, 1, 10, '{}', 'running', 0, \
         '{}', 0, 'admin')",
        "INSERT INTO backtests (id, tenant, kind, plugin, version, filter, state, report, started_at, started_by) \
         VALUES (9, 'acme', 'backtest', 'p', 3, '{}', 'running', '{}', 0, 'admin')",
    ] {
        sqlx::query(sql).execute(&store.writer).await.unwrap();
    }
    let remove = async |version| store.remove_version("acme", "p", version, "admin", noon()).await.unwrap();
    let used = |by: &str| Removed::InUse(vec![by.to_owned()]);
    assert_eq!(remove(1).await, used("binding `default`"));
    assert_eq!(remove(2).await, used("the running canary 7"));
    assert_eq!(remove(3).await, used("the running backtest 9"));
    let whole = async || store.remove_plugin("acme", "p", "admin", noon()).await.unwrap();
    assert!(matches!(whole().await, Removed::InUse(uses) if uses.len() == 3));
    assert_eq!(store.remove_version("umbrella", "p", 3, "admin", noon()).await.unwrap(), Removed::Absent);
    assert_eq!(store.remove_plugin("umbrella", "p", "admin", noon()).await.unwrap(), Removed::Absent);

    // An audit asks every version.
    sqlx::query("UPDATE backtests SET kind = 'audit', version = NULL").execute(&store.writer).await.unwrap();
    assert!(matches!(remove(2).await, Removed::InUse(uses) if uses.len() == 2));
    sqlx::query("UPDATE backtests SET plugin = ''").execute(&store.writer).await.unwrap();
    assert_eq!(remove(3).await, used("the running audit 9"), "one of all plugins asks those of each");
    sqlx::query("UPDATE backtests SET state = 'done'").execute(&store.writer).await.unwrap();
    sqlx::query("UPDATE rollouts SET state = 'stopped'").execute(&store.writer).await.unwrap();
    assert_eq!((remove(3).await, remove(3).await), (Removed::Done, Removed::Absent));
    assert!(store.component("acme", &"c".repeat(64)).await.unwrap().is_none(), "its component is given up");
    assert_eq!(push(&world, &AMPLE, "p", "c", None).await.unwrap().version, 4);

    store.unbind_plugin("acme", "p", None, "admin", 0).await.unwrap();
    assert_eq!(whole().await, Removed::Done);
    assert_eq!(store.plugin_names("acme").await.unwrap(), Vec::<String>::new());
    assert!(!store.is_component_known(&"a".repeat(64)).await.unwrap());
    let again = push(&world, &AMPLE, "p", "a", None).await.unwrap();
    assert_eq!((again.version, again.revision), (5, 2), "old decisions name the old numbers");
    let actions = store.changes(Some("acme"), Some("p"), None, 20).await.unwrap();
    let removals: Vec<_> =
        actions.iter().map(|change| &*change.action).filter(|what| what.starts_with("del")).collect();
    assert_eq!(removals, ["delete-plugin", "delete-version"]);
}

#[tokio::test]
async fn unused_uploads_are_forgotten_and_used_ones_are_not() {
    let world = world().await;
    push(&world, &AMPLE, "p", "a", None).await.unwrap();
    for (tenant, digest) in [("acme", "b"), ("umbrella", "a"), ("umbrella", "b")] {
        let component = Component {
            digest: digest.repeat(64),
            bytes: 1,
            uploaded_at: noon().0 + i64::from(tenant == "umbrella"),
            uploaded_by: "admin".to_owned(),
        };
        assert!(world.store.add_component(tenant, &component, &AMPLE).await.unwrap());
        assert!(!world.store.add_component(tenant, &component, &AMPLE).await.unwrap());
    }
    let owned =
        async |tenant: &str, digest: &str| world.store.component(tenant, &digest.repeat(64)).await.unwrap().is_some();
    assert_eq!(world.store.forget_components(noon()).await.unwrap(), 1);
    assert_eq!((owned("acme", "a").await, owned("acme", "b").await), (true, false));
    assert!(owned("umbrella", "a").await && owned("umbrella", "b").await, "a newer one waits for its push");
    assert_eq!(world.store.forget_components(Timestamp(noon().0 + 1)).await.unwrap(), 2);
    assert!(!owned("umbrella", "a").await, "another tenant's version does not hold it");
    assert!(world.store.is_component_known(&"a".repeat(64)).await.unwrap());
    assert!(!world.store.is_component_known(&"b".repeat(64)).await.unwrap());
}

#[tokio::test]
async fn signatures_count_as_they_are_when_the_version_is_added() {
    let world = world().await;
    let store = &world.store;
    assert!(store.add_signing_key("acme", &key("ci", "KEY1"), false, &AMPLE).await.unwrap());
    push(&world, &AMPLE, "p", "a", None).await.unwrap();
    assert_eq!(push_signed(&world, "ci", "KEY1", "a").await.unwrap().version, 2, "a signature is worth a version");
    assert_eq!(push(&world, &AMPLE, "p", "a", None).await.unwrap().version, 2, "the lack of one is not");
    store.set_require_signature("acme", true, "admin", noon()).await.unwrap();
    let unsigned = push(&world, &AMPLE, "p", "b", None).await.unwrap_err();
    assert!(matches!(unsigned, Error::Conflict(why) if why == UNSIGNED));
    assert_eq!(push_signed(&world, "ci", "KEY1", "b").await.unwrap().version, 3);
    for (name, public_key) in [("ci", "KEY2"), ("other", "KEY1")] {
        assert!(push_signed(&world, name, public_key, "c").await.is_err(), "{name} is not what was verified");
    }
    assert!(store.revoke_signing_key("acme", "ci", "admin", noon()).await.unwrap());
    assert!(!store.revoke_signing_key("acme", "ci", "admin", noon()).await.unwrap());
    let revoked = push_signed(&world, "ci", "KEY1", "c").await.unwrap_err();
    assert!(matches!(revoked, Error::Conflict(why) if why.contains("revoked")), "{revoked:?}");
    let signed: Vec<_> = store.plugin_versions("acme").await.unwrap();
    let signed: Vec<_> = signed.iter().map(|version| (version.signed_by.as_deref(), version.revoked)).collect();
    assert_eq!(signed, [(Some("ci"), true), (Some("ci"), true), (None, false)]);
}

#[tokio::test]
async fn keys_do_not_change_and_do_not_come_back() {
    let world = world().await;
    let store = &world.store;
    let three = Quotas { signing_keys: 3, ..AMPLE };
    let add = async |tenant: &str, name: &str, public_key: &str, by_admin: bool| {
        store.add_signing_key(tenant, &key(name, public_key), by_admin, &three).await.map_err(|error| error.to_string())
    };
    assert_eq!(add("acme", "a", "KEY1", false).await, Ok(true));
    assert_eq!(add("acme", "a", "KEY1", false).await, Ok(false));
    assert_eq!(add("umbrella", "a", "KEY1", false).await, Ok(true), "tenants do not meet");
    for (name, public_key, why) in [("a", "KEY2", "another key of this name"), ("b", "KEY1", "there already")] {
        assert!(add("acme", name, public_key, false).await.unwrap_err().contains(why), "{name} {public_key}");
    }
    assert_eq!(add("acme", "b", "KEY2", false).await, Ok(true));
    store.revoke_signing_key("acme", "a", "admin", noon()).await.unwrap();
    for (name, public_key) in [("a", "KEY1"), ("a", "KEY3"), ("c", "KEY1")] {
        assert!(add("acme", name, public_key, false).await.unwrap_err().contains("revoked"), "{name} {public_key}");
    }
    store.set_require_signature("acme", true, "key:AKacme", noon()).await.unwrap();
    assert!(add("acme", "c", "KEY3", false).await.unwrap_err().contains("only the admin"));
    assert_eq!(add("acme", "c", "KEY3", true).await, Ok(true));
    assert_eq!(add("acme", "d", "KEY4", true).await, Ok(true), "a revoked key makes room");
    assert!(add("acme", "e", "KEY5", true).await.unwrap_err().contains("3 of 3 signing keys"));
    let changes = store.changes(Some("acme"), None, None, 20).await.unwrap();
    let actions: Vec<_> = changes.iter().rev().map(|change| &*change.action).collect();
    assert_eq!(
        actions,
        [
            "add-signing-key",
            "add-signing-key",
            "revoke-signing-key",
            "require-signature",
            "add-signing-key",
            "add-signing-key"
        ]
    );
}
