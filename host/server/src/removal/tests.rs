//! Removals over a real catalogue, a real driver and real files.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use reprise_lifecycle::decision::{Decision, StateWrite};
use reprise_lifecycle::effect::Effect;
use reprise_lifecycle::id::{BroadcastId, JobId, VideoId};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::record::{Record, RecordRules};
use reprise_lifecycle::work::Removal;
use tokio::sync::Notify;

use super::decisions::Cleared;
use super::{Sweeper, discard, trash};
use crate::config::{Config, Storage};
use crate::driver::{self, Handle, Perform, Work};
use crate::files::Files;
use crate::store::changes::{Change, KeptChanges};
use crate::store::components::Component;
use crate::store::decisions::Retention;
use crate::store::quotas::Quotas;
use crate::store::rollouts::testkit::{decision, group};
use crate::testkit::{World, noon};

const MIB: usize = 1 << 20;

/// Does removals as the server does, and nothing else.
struct Discarder {
    files: Arc<Files>,
    handle: Handle,
}

impl Perform for Discarder {
    fn perform(&self, work: Work) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (files, handle) = (Arc::clone(&self.files), self.handle.clone());
        Box::pin(async move {
            match &work.effect {
                Effect::Discard { video, what } => discard(&files, &work, &handle, video, what).await,
                _ => work.cancel.cancelled().await,
            }
        })
    }
}

struct Yard {
    world: World,
    handle: Handle,
    committed: Arc<Notify>,
}

impl Yard {
    /// The world with a driver that does removals. Broadcasts that are written past the driver must be whole before.
    async fn open(world: World) -> Self {
        let (handle, inbox) = driver::inbox();
        let committed = Arc::new(Notify::new());
        let perform = Discarder { files: Arc::clone(&world.files), handle: handle.clone() };
        world.drive(handle.clone(), inbox, Arc::new(perform), vec![Arc::clone(&committed)]).await;
        Self { world, handle, committed }
    }

    fn sweeper(&self, trash_seconds: u64) -> Sweeper {
        Sweeper {
            store: self.world.store.clone(),
            files: Arc::clone(&self.world.files),
            driver: self.handle.clone(),
            config: Storage { trash_seconds, sweep_seconds: 1 },
            decisions: Retention { days: 90, per_tenant: 1_000_000 },
            changes: KeptChanges { per_tenant: 0, in_all: 0 },
            drop_links: None,
        }
    }

    /// Removes something and waits until its files are moved.
    async fn remove(&self, broadcast: &BroadcastId, video: &VideoId, what: Removal) {
        self.handle.submit(broadcast, Input::Remove { video: video.clone(), what }).await.unwrap();
        self.discarded(broadcast).await;
    }

    async fn discarded(&self, broadcast: &BroadcastId) {
        loop {
            let records = self.world.store.journal(broadcast).await.unwrap();
            let count = |of: fn(&Record) -> bool| records.iter().filter(|record| of(record)).count();
            let removed = count(|record| matches!(record, Record::Removed { .. }));
            if removed > 0 && removed == count(|record| matches!(record, Record::Discarded { .. })) {
                return;
            }
            self.committed.notified().await;
        }
    }

    fn data(&self) -> &Path {
        self.world.dir.path()
    }

    fn has(&self, video: &VideoId, file: &str) -> bool {
        self.data().join("media").join(video.as_str()).join(file).exists()
    }
}

/// Bytes of all files below these folders, each file once however many names it has.
fn bytes(data: &Path) -> u64 {
    fn walk(folder: &Path, seen: &mut BTreeMap<u64, u64>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() {
                walk(&entry.path(), seen);
            } else {
                seen.insert(metadata.ino(), metadata.len());
            }
        }
    }
    let mut seen = BTreeMap::new();
    walk(&data.join("media"), &mut seen);
    walk(&data.join("trash"), &mut seen);
    seen.values().sum()
}

/// A video of two mebibytes of source and one of a rendition, with covers. Gives the rendition's job too.
async fn video(world: &World, broadcast: &str) -> (VideoId, JobId) {
    let mut life = world.broadcast("acme", broadcast).await;
    let video = life.part(0).await;
    let folder = world.files.make_video(&video).unwrap();
    folder.write("source.mp4", vec![1; 2 * MIB]).unwrap();
    folder.write("source.index", b"index").unwrap();
    life.decide(&video, &["mp4"]).await;
    let job = life.rendition(&video, 0, &[("t.mp4", &vec![2; MIB])]).await;
    life.covers(&video, 2).await;
    (video, JobId::new(job))
}

#[tokio::test]
async fn what_is_deleted_frees_its_room_after_its_grace_and_not_what_others_hold() {
    let world = World::new().await;
    world.tenant("acme").await;
    let (video, _) = video(&world, "one").await;
    // What a composed video has of its parts: another name of the same file.
    let composed = VideoId::of_compose(&BroadcastId::new("one"));
    let parts = world.files.make_video(&composed).unwrap();
    world.files.video(&video).unwrap().hard_link("source.mp4", &parts, "00000.mp4").unwrap();
    let yard = Yard::open(world).await;
    let before = bytes(yard.data());

    yard.remove(&BroadcastId::new("one"), &video, Removal::Video).await;
    assert!(!yard.data().join("media").join(video.as_str()).exists());
    assert_eq!(bytes(yard.data()), before, "the grace is not over");
    let long = yard.sweeper(3600).sweep(crate::clock::now()).await;
    assert_eq!((long.emptied, bytes(yard.data())), (0, before));
    let swept = yard.sweeper(0).sweep(crate::clock::now()).await;
    assert_eq!(swept.emptied, 1);
    let kept = std::fs::read(yard.data().join("media").join(composed.as_str()).join("00000.mp4")).unwrap();
    assert!(kept.len() == 2 * MIB && kept.iter().all(|byte| *byte == 1), "what was composed outlives its parts");
    let freed = before - bytes(yard.data());
    assert!(freed >= MIB as u64 && freed < MIB as u64 + 4096, "{freed}");
    std::fs::remove_file(yard.data().join("media").join(composed.as_str()).join("00000.mp4")).unwrap();
    assert_eq!(bytes(yard.data()), 0);
}

#[tokio::test]
async fn a_source_or_a_stream_goes_alone() {
    let world = World::new().await;
    world.tenant("acme").await;
    let (video, job) = video(&world, "one").await;
    let yard = Yard::open(world).await;
    let one = BroadcastId::new("one");
    yard.remove(&one, &video, Removal::Streams(vec![job.clone()])).await;
    assert!(!yard.has(&video, job.as_str()) && yard.has(&video, "source.mp4"));
    yard.remove(&one, &video, Removal::Source).await;
    assert!(!yard.has(&video, "source.mp4") && !yard.has(&video, "source.index"));
    let left = std::fs::read_dir(yard.data().join("media").join(video.as_str())).unwrap().count();
    assert_eq!(left, 1, "the covers stay");
    yard.sweeper(0).sweep(crate::clock::now()).await;
    assert!(bytes(yard.data()) < 4096);
    assert_eq!(std::fs::read_dir(yard.data().join("trash")).unwrap().count(), 0);
}

#[tokio::test]
async fn moving_can_be_done_again_at_any_point() {
    let world = World::new().await;
    world.tenant("acme").await;
    let (video, job) = video(&world, "one").await;
    let files = &world.files;
    // The source's index went and its file did not: the server died in between.
    files.trash().create_dir(trash::name(&video, 9, noon())).unwrap();
    let to = files.trash().open_dir(trash::name(&video, 9, noon())).unwrap();
    files.video(&video).unwrap().rename("source.index", &to, "source.index").unwrap();
    for (record, what) in [(9, Removal::Source), (10, Removal::Streams(vec![job])), (11, Removal::Video)] {
        for _ in 0..2 {
            trash::discard(files, &video, &what, record, noon()).unwrap();
        }
    }
    assert_eq!(files.media().entries().unwrap().count(), 0);
    assert_eq!(trash::empty(files, 0, noon().plus_ms(-1)).unwrap(), 0);
    assert_eq!(trash::empty(files, 1000, noon().plus_ms(999)).unwrap(), 0);
    assert!(trash::empty(files, 1000, noon().plus_ms(1000)).unwrap() > 0);
    assert_eq!(bytes(world.dir.path()), 0);
}

#[tokio::test]
async fn folders_that_belong_to_nothing_go() {
    let world = World::new().await;
    world.tenant("acme").await;
    let (known, _) = video(&world, "one").await;
    // A recorder writes this: the part is open, and there is no video yet.
    let mut life = world.broadcast("acme", "two").await;
    life.put(Input::PartOpening { epoch: life.state.epoch, video: None, audio: None, first_ms: 0 }).await;
    let written = VideoId::of_part(&BroadcastId::new("two"), 0);
    let next = VideoId::of_part(&BroadcastId::new("two"), 1);
    let orphan = VideoId::new("0123456789abcdef0123456789abcdef");
    for video in [&written, &next, &orphan] {
        world.files.make_video(video).unwrap().write("source.mp4", b"media").unwrap();
    }
    let yard = Yard::open(world).await;
    let young = yard.sweeper(3600).sweep(crate::clock::now()).await;
    assert_eq!(young.orphans, 0);
    let swept = yard.sweeper(0).sweep(crate::clock::now().plus_ms(1000)).await;
    assert_eq!(swept.orphans, 1);
    assert!(!yard.has(&orphan, ""));
    for video in [&known, &written, &next] {
        assert!(yard.has(video, "source.mp4"), "{video}");
    }
}

#[tokio::test]
async fn components_that_no_row_names_go_within_minutes_and_unused_uploads_after_a_day() {
    let world = World::new().await;
    world.tenant("acme").await;
    let (named, unnamed) = ("a".repeat(64), "b".repeat(64));
    let now = crate::clock::now();
    let quotas = Quotas::from(Config::parse("").unwrap().policies.quotas);
    let component = Component { digest: named.clone(), bytes: 1, uploaded_at: now.0, uploaded_by: "admin".to_owned() };
    world.store.add_component("acme", &component, &quotas).await.unwrap();
    for digest in [&named, &unnamed] {
        world.files.keep_component(digest, b"x").unwrap();
    }
    let yard = Yard::open(world).await;
    let there = |digest: &str| yard.world.files.has_component(digest).unwrap();
    for (minutes, went, kept) in [(14, 0, (true, true)), (16, 1, (true, false)), (25 * 60, 1, (false, false))] {
        let swept = yard.sweeper(0).sweep(now.plus_ms(minutes * 60_000)).await;
        assert_eq!((swept.components, (there(&named), there(&unnamed))), (went, kept), "{minutes} minutes");
    }
}

#[tokio::test]
async fn videos_go_when_their_time_is_over() {
    let world = World::new().await;
    world.tenant("acme").await;
    let rules = RecordRules { retention_days: 2, ..RecordRules::default() };
    let expiring = world.broadcast_by("acme", "one", rules).await.part(0).await;
    let kept = world.broadcast("acme", "two").await.part(0).await;
    for video in [&expiring, &kept] {
        world.files.make_video(video).unwrap().write("source.mp4", b"media").unwrap();
    }
    let yard = Yard::open(world).await;
    let two_days_ms = 2 * 86_400_000;
    let sweeper = yard.sweeper(u64::MAX);
    assert_eq!(sweeper.sweep(noon().plus_ms(two_days_ms - 1)).await.expired, 0);
    assert_eq!(sweeper.sweep(noon().plus_ms(two_days_ms)).await.expired, 1);
    yard.discarded(&BroadcastId::new("one")).await;
    assert!(yard.world.store.video("acme", expiring.as_str()).await.unwrap().is_none());
    assert!(!yard.has(&expiring, "") && yard.has(&kept, "source.mp4"));
}

fn change(tenant: &str) -> Change<'_> {
    Change { tenant, actor: "admin", action: "push", plugin: None, detail: serde_json::json!({}) }
}

#[tokio::test]
async fn the_oldest_changes_go_when_they_are_too_many() {
    let yard = Yard::open(World::new().await).await;
    let kept = async || -> Vec<i64> {
        yard.world.store.changes(None, None, None, 100).await.unwrap().iter().map(|change| change.id).collect()
    };
    // 1 to 4 are of a tenant that is no more.
    for (tenant, count) in [("gone", 4), ("acme", 1), ("beta", 1), ("acme", 1), ("beta", 1), ("acme", 2)] {
        yard.world.store.log_changes(&change(tenant), count, noon().0).await;
    }
    let table: [(u32, u32, &[i64]); 4] = [
        (0, 0, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        (4, 10, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        (3, 0, &[10, 9, 8, 7, 6, 4, 3, 2]),
        (2, 5, &[10, 9, 8, 6, 4]),
    ];
    for (per_tenant, in_all, expected) in table {
        let sweeper = Sweeper { changes: KeptChanges { per_tenant, in_all }, ..yard.sweeper(0) };
        let before = kept().await.len();
        let swept = sweeper.sweep(noon()).await;
        assert_eq!(kept().await, expected, "{per_tenant} of a tenant, {in_all} in all");
        assert_eq!(swept.changes, (before - expected.len()) as i64);
    }
}

#[tokio::test]
async fn more_changes_than_one_batch_go_in_one_sweep() {
    let yard = Yard::open(World::new().await).await;
    yard.world.store.log_changes(&change("acme"), 1203, noon().0).await;
    let sweeper = Sweeper { changes: KeptChanges { per_tenant: 2, in_all: 0 }, ..yard.sweeper(0) };
    assert_eq!(sweeper.sweep(noon()).await.changes, 1201);
    let left = yard.world.store.changes(None, None, None, 100).await.unwrap();
    assert_eq!(left.iter().map(|change| change.id).collect::<Vec<_>>(), [1203, 1202]);
}

/// A decision that wrote one key of `groups` at a time.
fn wrote(number: u32, at: i64) -> (u32, Decision, i64) {
    let mut decision = decision(number, 1, group("hd"), None);
    let made = decision.provenance.as_mut().unwrap();
    made.state_revision = Some(u64::from(number) - 1);
    made.writes = vec![StateWrite { key: "count".to_owned(), value: Some(number.to_string()) }];
    (number, decision, at)
}

#[tokio::test]
async fn the_log_is_cleared_in_batches_until_there_is_no_more() {
    let yard = Yard::open(World::new().await).await;
    yard.world.tenant("acme").await;
    yard.world.store.test_plugin("acme", 1).await;
    let decided: Vec<_> = (1..=640).map(|number| wrote(number, noon().0)).collect();
    yard.world.store.test_decide("acme", &decided).await;
    let (sweeper, later) = (yard.sweeper(0), noon().plus_ms(91 * 86_400_000));
    // Two batches of 200 each time. States go when no decision is left that saw what came before.
    for (decisions, states, more) in [(400, 383, true), (240, 256, true), (0, 0, false)] {
        let expected = Cleared { decisions, states, more };
        assert_eq!(sweeper.clear_log(later, 2).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn states_of_tenants_without_decisions_and_of_removed_ones_go_too() {
    let yard = Yard::open(World::new().await).await;
    let store = &yard.world.store;
    let decided: Vec<_> = (1..=130).map(|number| wrote(number, noon().0)).collect();
    for tenant in ["acme", "beta"] {
        yard.world.tenant(tenant).await;
        store.test_plugin(tenant, 1).await;
        store.test_decide(tenant, &decided).await;
        let keep = Retention { days: 1, per_tenant: 0 };
        while store.clear_decisions(tenant, keep, None, noon().plus_ms(86_400_001)).await.unwrap() > 0 {}
    }
    assert!(store.delete_tenant("beta").await.unwrap());
    // Of acme all before the newest era.
    let swept = yard.sweeper(0).sweep(noon().plus_ms(3_600_001)).await;
    assert_eq!((swept.decisions, swept.states, swept.more), (0, 127 + 130, false));
    assert_eq!(store.tenants_with_states().await.unwrap(), ["acme"]);
}

#[tokio::test]
async fn what_cannot_be_swept_keeps_nothing_else_from_being_swept() {
    let yard = Yard::open(World::new().await).await;
    yard.world.store.log_changes(&change("acme"), 5, noon().0).await;
    // A folder of nothing whose place in the trash is taken.
    let (orphan, now) = (VideoId::new("0123456789abcdef0123456789abcdef"), crate::clock::now().plus_ms(1000));
    yard.world.files.make_video(&orphan).unwrap();
    let taken = trash::name(&orphan, 0, now);
    yard.world.files.trash().create_dir_all(format!("{taken}/of another")).unwrap();
    let sweeper = Sweeper { changes: KeptChanges { per_tenant: 2, in_all: 0 }, ..yard.sweeper(0) };
    let swept = sweeper.sweep(now).await;
    assert_eq!((swept.orphans, swept.emptied, swept.changes), (0, 1, 3));
    assert!(yard.has(&orphan, ""));
}
