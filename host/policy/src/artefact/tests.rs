//! Which files are believed: only the very one that was written.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::engine::{EngineOptions, compiler_engine};
use crate::guests::Core;

fn engine() -> Engine {
    Engine::new(EngineOptions { max_concurrent_calls: 1, scripted_concurrent_calls: 1 }).unwrap()
}

/// A file as the server keeps it; nobody else has a name for it.
fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.set_permissions(std::fs::Permissions::from_mode(0o600)).unwrap();
    file.write_all(bytes).unwrap();
    file
}

#[test]
fn only_the_very_file_opens() {
    let engine = engine();
    let (key, digest) = (SealKey::new([7; 32]), digest(b"component"));
    let artefact = Artefact::from_child(digest.clone(), Class::Standard, b"machine code".to_vec());
    let sealed = artefact.seal(&key, &engine);
    let check = |bytes: &[u8], key: &SealKey, digest: &str| {
        let file = file(bytes);
        let mapped = Sealed::check(&file, key, digest, &engine).map(|sealed| sealed.class());
        let copied = Artefact::open(&file, key, digest, &engine);
        assert_eq!(mapped.clone().err(), copied.as_ref().err().cloned());
        if let Ok(copied) = copied {
            assert_eq!(copied.code(), b"machine code");
        }
        mapped
    };

    assert_eq!(check(&sealed, &key, &digest), Ok(Class::Standard));
    assert_eq!(check(&sealed, &SealKey::new([8; 32]), &digest), Err(OpenError::Seal));
    assert_eq!(check(&sealed, &key, &super::digest(b"other")), Err(OpenError::Seal));
    for place in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[place] ^= 1;
        assert!(check(&changed, &key, &digest).is_err(), "byte {place}");
    }
    for length in 0..sealed.len() {
        assert!(check(&sealed[..length], &key, &digest).is_err(), "length {length}");
    }
    let longer = [sealed.as_slice(), b"x"].concat();
    assert!(check(&longer, &key, &digest).is_err());
}

#[test]
fn another_engine_or_class_is_another_seal() {
    let engine = engine();
    let (key, digest) = (SealKey::new([7; 32]), digest(b"component"));
    let of = |class| Artefact::from_child(digest.clone(), class, b"machine code".to_vec()).seal(&key, &engine);
    let [standard, scripted] = Class::ALL.map(of);
    // The trailers differ in the class and in the seal: each part from the other file is a forgery.
    let mut forged = standard.clone();
    forged[12 + 8] = scripted[12 + 8];
    let check = |bytes: &[u8]| Sealed::check(&file(bytes), &key, &digest, &engine).map(|sealed| sealed.class());
    assert_eq!(check(&standard), Ok(Class::Standard));
    assert_eq!(check(&scripted), Ok(Class::Scripted));
    assert_eq!(check(&forged), Err(OpenError::Seal));

    let seal = |fingerprint: &str| {
        Artefact::from_child(digest.clone(), Class::Standard, b"machine code".to_vec()).seal_for(&key, fingerprint)
    };
    assert_eq!(check(&seal(engine.fingerprint())), Ok(Class::Standard));
    assert_eq!(check(&seal("0.1.0-0000000000000000")), Err(OpenError::Seal));
}

#[test]
fn a_file_that_others_can_write_is_not_mapped() {
    let engine = engine();
    let (key, digest) = (SealKey::new([7; 32]), digest(b"component"));
    let file = file(&Artefact::from_child(digest.clone(), Class::Standard, vec![1]).seal(&key, &engine));
    for (mode, fine) in [(0o600, true), (0o640, true), (0o660, false), (0o602, false)] {
        file.set_permissions(std::fs::Permissions::from_mode(mode)).unwrap();
        let checked = Sealed::check(&file, &key, &digest, &engine).map(|_| ());
        assert_eq!(checked, if fine { Ok(()) } else { Err(OpenError::Exposed) }, "{mode:o}");
    }
}

#[test]
fn a_mapped_policy_is_the_compiled_one() {
    let engine = engine();
    let key = SealKey::new([7; 32]);
    let component = Core::template_group("(i32.const 0)").component();
    let digest = digest(&component);
    let code = compiler_engine().unwrap().precompile_component(&component).unwrap();
    for class in Class::ALL {
        let file = file(&Artefact::from_child(digest.clone(), class, code.clone()).seal(&key, &engine));
        let loaded = engine.open(&file, &key, &digest).unwrap();
        assert_eq!((loaded.digest(), loaded.class()), (digest.as_str(), class));
        assert!(loaded.code_bytes() >= code.len(), "{} of {}", loaded.code_bytes(), code.len());
    }
    // A seal that fits code that is none: the engine itself refuses it.
    let nonsense = file(&Artefact::from_child(digest.clone(), Class::Standard, vec![7; 4096]).seal(&key, &engine));
    assert!(matches!(engine.open(&nonsense, &key, &digest), Err(OpenError::Load(_))));
}

#[test]
fn the_key_is_not_printed() {
    assert_eq!(format!("{:?}", SealKey::new([7; 32])), "SealKey(…)");
}
