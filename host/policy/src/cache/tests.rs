//! Who makes room for whom, and that what many need is loaded once.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::artefact::Artefact;
use crate::class::Class;
use crate::engine::{Engine, compiler_engine};
use crate::guests::{Core, engine, load};

fn three() -> [Loaded; 3] {
    let engine = engine();
    ["(nop)", "(nop) (nop)", "(nop) (nop) (nop)"]
        .map(|body| load(&engine, &Core::template_group(&format!("{body} (i32.const 0)")).component()))
}

#[test]
fn the_one_unused_for_longest_makes_room() {
    let [a, b, c] = three();
    let digests = [&a, &b, &c].map(|loaded| loaded.digest().to_owned());
    let two = a.code_bytes() + c.code_bytes();
    for cache in [LoadedPolicies::new(2, usize::MAX), LoadedPolicies::new(usize::MAX, two)] {
        let [a, b, c] = three();
        cache.insert(a, "acme");
        cache.insert(b, "acme");
        assert!(cache.get(&digests[0], "acme").is_some());
        cache.insert(c, "acme");
        assert_eq!(digests.clone().map(|digest| cache.get(&digest, "acme").is_some()), [true, false, true]);
        assert_eq!((cache.len(), cache.code_bytes()), (2, two));
    }
    // One that is larger than everything that is allowed can be used, alone.
    let tight = LoadedPolicies::new(8, 1);
    tight.insert(a, "acme");
    tight.insert(b, "acme");
    assert_eq!(tight.len(), 1);
}

#[test]
fn what_many_need_at_once_is_loaded_once() {
    let [a, ..] = three();
    let digest = a.digest().to_owned();
    let (cache, loads, together) = (LoadedPolicies::new(4, usize::MAX), AtomicUsize::new(0), Barrier::new(4));
    let a = Mutex::new(Some(a));
    let sources: Vec<CodeSource> = std::thread::scope(|scope| {
        let run = || {
            together.wait();
            let load = || {
                loads.fetch_add(1, Ordering::SeqCst);
                Ok((a.lock().unwrap().take().unwrap(), CodeSource::Compiled))
            };
            cache.get_or_load(&digest, "acme", load).unwrap().1
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(loads.into_inner(), 1);
    assert_eq!(sources.iter().filter(|source| **source == CodeSource::Compiled).count(), 1);
    assert_eq!(sources.iter().filter(|source| **source == CodeSource::Memory).count(), 3);
    assert!(lock(&cache.loading).is_empty());
}

#[test]
fn a_failure_is_not_kept() {
    let [a, ..] = three();
    let digest = a.digest().to_owned();
    let cache = LoadedPolicies::new(4, usize::MAX);
    assert_eq!(cache.get_or_load(&digest, "acme", || Err("no disk".to_owned())).unwrap_err(), "no disk");
    assert_eq!(cache.get_or_load(&digest, "acme", || Ok((a, CodeSource::Disk))).unwrap().1, CodeSource::Disk);
}

/// Policies under names of their own that have the same code.
struct Alike {
    engine: Engine,
    code: Vec<u8>,
}

impl Alike {
    fn new() -> Self {
        let component = Core::template_group("(i32.const 0)").component();
        Self { engine: engine(), code: compiler_engine().unwrap().precompile_component(&component).unwrap() }
    }

    fn named(&self, name: &str) -> Loaded {
        self.engine.load(&Artefact::from_child(name.to_owned(), Class::Standard, self.code.clone())).unwrap()
    }

    /// Rooms for so many of them, by number and by bytes.
    fn rooms(&self, policies: usize) -> [LoadedPolicies; 2] {
        let bytes = self.named("one").code_bytes() * policies;
        [LoadedPolicies::new(policies, usize::MAX), LoadedPolicies::new(1 << 20, bytes)]
    }
}

fn ask(cache: &LoadedPolicies, alike: &Alike, owner: &str, name: &str) -> CodeSource {
    cache.get_or_load(name, owner, || Ok((alike.named(name), CodeSource::Disk))).unwrap().1
}

/// Of those of an owner, how many are here.
fn here(cache: &LoadedPolicies, owner: &str) -> usize {
    cache.uses().keys().filter(|name| name.starts_with(owner)).count()
}

#[test]
fn who_asks_very_many_takes_the_room_of_nobody_with_his_share() {
    let alike = Alike::new();
    for cache in alike.rooms(16) {
        for n in 0..14 {
            ask(&cache, &alike, &format!("t{n}"), &format!("t{n}/a"));
        }
        for n in 0..40 {
            ask(&cache, &alike, "flood", &format!("flood/{n}"));
        }
        // There was room for two, which is its share; it made room for all others itself.
        assert_eq!((here(&cache, "t"), here(&cache, "flood")), (14, 2));
        assert_eq!(ask(&cache, &alike, "t0", "t0/a"), CodeSource::Memory);
    }
}

#[test]
fn who_has_more_than_his_share_of_an_empty_room_gives_way_to_others() {
    let alike = Alike::new();
    for cache in alike.rooms(16) {
        for n in 0..16 {
            ask(&cache, &alike, "first", &format!("first/{n}"));
        }
        assert_eq!(here(&cache, "first"), 16, "nobody else wanted it");
        for n in 0..20 {
            // All that it still has is used all the time, and later than anything of the others.
            for name in cache.uses().into_keys().filter(|name| name.starts_with("first")) {
                ask(&cache, &alike, "first", &name);
            }
            ask(&cache, &alike, &format!("t{n}"), &format!("t{n}/a"));
        }
        assert_eq!((here(&cache, "first"), here(&cache, "t")), (2, 14));
    }
}

#[test]
fn where_nobody_has_more_than_his_share_the_one_unused_for_longest_goes() {
    let alike = Alike::new();
    for cache in alike.rooms(16) {
        for round in 0..3 {
            // More who ask one after the other than there is room for: each finds room, and nothing is refused.
            for n in 0..24 {
                assert_eq!(ask(&cache, &alike, &format!("t{n}"), &format!("t{n}/a")), CodeSource::Disk, "{round} {n}");
            }
        }
        assert_eq!((cache.len(), here(&cache, "t23"), here(&cache, "t7/")), (16, 1, 0));
    }
}

#[test]
fn what_is_shared_is_charged_to_who_has_little() {
    let alike = Alike::new();
    for cache in alike.rooms(16) {
        for n in 0..13 {
            ask(&cache, &alike, &format!("t{n}"), &format!("t{n}/a"));
        }
        // Whoever floods was the first to have what another uses too, and the last to use it.
        for (owner, name) in [("flood", "shared"), ("flood", "flood/x"), ("other", "shared"), ("flood", "shared")] {
            ask(&cache, &alike, owner, name);
        }
        for n in 0..40 {
            ask(&cache, &alike, "flood", &format!("flood/{n}"));
        }
        assert_eq!(ask(&cache, &alike, "other", "shared"), CodeSource::Memory);
        assert_eq!(here(&cache, "flood"), 2);
        let held = lock(&cache.entries).held.clone();
        assert_eq!((held["other"].policies, held["flood"].policies), (1, 2));
        assert_eq!(held.values().map(|held| held.code_bytes).sum::<usize>(), cache.code_bytes());
    }
}
