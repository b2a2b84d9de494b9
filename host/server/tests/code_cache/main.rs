//! Compiled code on disk, with code that the program's own compile child made: only what we wrote ourselves is believed.

#![expect(clippy::unwrap_used, reason = "a test that meets one has failed")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use reprise::policies::{CodeCache, Uses};
use reprise_policy::{
    Artefact, Class, CompileLimits, CompilerCommand, Engine, EngineOptions, Inspection, SealKey, compile,
};

fn engine() -> Engine {
    Engine::new(EngineOptions { max_concurrent_calls: 1, scripted_concurrent_calls: 1 }).unwrap()
}

fn cache(dir: &Path, key: u8, max_bytes: u64) -> CodeCache {
    let dir = Dir::open_ambient_dir(dir, ambient_authority()).unwrap();
    CodeCache::new(dir, SealKey::new([key; 32]), max_bytes).unwrap()
}

/// The code of a small component, in a class that its size would not give it.
fn artefact(n: u8, class: Class) -> Artefact {
    let text = format!("(component (core module (func (export \"f\") (result i32) (i32.const {n}))))");
    let component = wat::parse_str(text).unwrap();
    let inspection = Inspection {
        digest: hex::encode([n; 32]),
        size_bytes: component.len(),
        hooks: Vec::new(),
        interface: String::new(),
        checks_settings: false,
        logs: false,
        class,
        schema: None,
        assets: Vec::new(),
        uses_state: false,
        uses_assets: false,
        uses_wasi: false,
    };
    let command =
        CompilerCommand { program: env!("CARGO_BIN_EXE_reprise").into(), args: vec!["compile-policy".into()] };
    compile(&component, &inspection, &command, &CompileLimits::standard()).unwrap()
}

#[test]
fn what_was_kept_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    for (n, class) in [(1, Class::Standard), (2, Class::Scripted)] {
        let artefact = artefact(n, class);
        assert!(cache(dir.path(), 7, u64::MAX).open(artefact.digest(), &engine()).is_none());
        cache(dir.path(), 7, u64::MAX).keep(&artefact, &engine(), Uses::default);
        let loaded = cache(dir.path(), 7, u64::MAX).open(artefact.digest(), &engine()).unwrap();
        assert_eq!((loaded.digest(), loaded.class()), (artefact.digest(), class));
        let mode = fs::metadata(dir.path().join(artefact.digest())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn nothing_else_is_believed_and_what_is_not_goes() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, artefact) = (engine(), artefact(1, Class::Standard));
    let path = dir.path().join(artefact.digest());
    cache(dir.path(), 7, u64::MAX).keep(&artefact, &engine, Uses::default);
    let sealed = fs::read(&path).unwrap();
    let refused = |key: u8, digest: &str, bytes: &[u8], what: &str| {
        let path = dir.path().join(digest);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(cache(dir.path(), key, u64::MAX).open(digest, &engine).is_none(), "{what}");
        assert!(!path.exists(), "{what}");
    };
    // Every byte of the trailer, and some of everywhere else.
    let trailer = sealed.len() - 49..sealed.len();
    for place in (0..sealed.len()).step_by(sealed.len() / 40).chain(trailer) {
        let mut changed = sealed.clone();
        changed[place] ^= 0x10;
        refused(7, artefact.digest(), &changed, &format!("byte {place} changed"));
    }
    for length in [0, 1, 48, sealed.len() / 2, sealed.len() - 1] {
        refused(7, artefact.digest(), &sealed[..length], &format!("{length} bytes"));
    }
    refused(8, artefact.digest(), &sealed, "another key");
    refused(7, &hex::encode([2; 32]), &sealed, "another component");

    fs::write(&path, &sealed).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(cache(dir.path(), 7, u64::MAX).open(artefact.digest(), &engine).is_none(), "others can write to it");
    // And the very file still opens.
    fs::write(&path, &sealed).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(cache(dir.path(), 7, u64::MAX).open(artefact.digest(), &engine).is_some());
}

#[test]
fn what_was_used_longest_ago_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine();
    let [a, b, c] = [1, 2, 3].map(|n| artefact(n, Class::Standard));
    let path = |artefact: &Artefact| dir.path().join(artefact.digest());
    let unbounded = cache(dir.path(), 7, u64::MAX);
    unbounded.keep(&a, &engine, Uses::default);
    unbounded.keep(&b, &engine, Uses::default);
    for (artefact, seconds) in [(&a, 1_000), (&b, 2_000)] {
        let file = fs::File::options().write(true).open(path(artefact)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }
    let size = fs::metadata(path(&a)).unwrap().len();
    let bounded = cache(dir.path(), 7, 2 * size + size / 2);
    // The older one is used, and so it is not the one that goes; who holds it is not disturbed either way.
    let loaded = bounded.open(a.digest(), &engine).unwrap();
    bounded.keep(&c, &engine, Uses::default);
    assert_eq!([&a, &b, &c].map(|artefact| path(artefact).exists()), [true, false, true]);
    // One that is larger than all room is kept alone.
    cache(dir.path(), 7, 1).keep(&b, &engine, Uses::default);
    assert_eq!([&a, &b, &c].map(|artefact| path(artefact).exists()), [false, true, false]);
    assert_eq!(loaded.digest(), a.digest());
}

#[test]
fn what_nobody_uses_goes_before_what_is_in_memory_and_that_before_what_is_in_use() {
    let engine = engine();
    let artefacts: Vec<Artefact> = (0..11).map(|n| artefact(n, Class::Standard)).collect();
    let digest = |n: usize| artefacts[n].digest().to_owned();
    let in_use = |tenants: &[&[usize]]| Uses {
        in_use: tenants.iter().map(|digests| digests.iter().map(|n| digest(*n)).collect()).collect(),
        ..Uses::default()
    };
    let in_memory = |in_order: &[usize], uses: Uses| Uses {
        in_memory: (0..).zip(in_order).map(|(used, n)| (digest(*n), used)).collect(),
        ..uses
    };
    let each = [[0], [1], [2], [3], [4], [5], [6], [7], [8], [9]];
    let each: Vec<&[usize]> = each.iter().map(|one| one.as_slice()).collect();
    let table = [
        ("the oldest", Uses::default(), [0, 1, 2]),
        ("what is in use stays", in_use(&[&[0], &[2]]), [1, 3, 4]),
        ("what is in memory was used later", in_memory(&[1, 0], Uses::default()), [2, 3, 4]),
        ("what is in memory by its use", in_memory(&[9, 8, 7, 6, 5, 4, 3, 2, 1, 0], Uses::default()), [7, 8, 9]),
        ("in use before in memory", in_memory(&[1, 2, 3, 4, 5, 6, 7, 8, 9], in_use(&[&[0]])), [1, 2, 3]),
        ("a tenant has its share", in_use(&[&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]), [1, 2, 3]),
        ("all is in use", in_use(&each), [0, 1, 2]),
    ];
    for (name, uses, expected) in table {
        let dir = tempfile::tempdir().unwrap();
        let path = |n: usize| dir.path().join(digest(n));
        let unbounded = cache(dir.path(), 7, u64::MAX);
        for (n, artefact) in artefacts[..10].iter().enumerate() {
            unbounded.keep(artefact, &engine, Uses::default);
            let file = fs::File::options().write(true).open(path(n)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(n as u64)).unwrap();
        }
        let size = fs::metadata(path(0)).unwrap().len();
        // Room for eight, of which an eighth is one.
        cache(dir.path(), 7, 8 * size + size / 2).keep(&artefacts[10], &engine, || uses);
        let gone: Vec<usize> = (0..11).filter(|n| !path(*n).exists()).collect();
        assert_eq!(gone, expected, "{name}");
    }
}

#[test]
fn what_a_crash_left_goes_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("fresh-1"), "half").unwrap();
    fs::write(dir.path().join(hex::encode([1; 32])), "a file").unwrap();
    drop(cache(dir.path(), 7, u64::MAX));
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [std::ffi::OsString::from(hex::encode([1; 32]))]);
}
