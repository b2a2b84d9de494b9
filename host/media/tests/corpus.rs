//! Replays the corpus of every fuzz target: what fuzzing once found stays found, without a fuzzing engine.

#[expect(unreachable_pub, reason = "the module is public in the package of the fuzz targets")]
#[path = "../fuzz/src/targets.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

#[test]
fn every_input_of_every_corpus_is_replayed() {
    for (name, target) in targets::ALL {
        let folder = corpus().join(name);
        let mut inputs: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        inputs.sort();
        assert!(!inputs.is_empty(), "{} has no inputs", folder.display());
        for input in inputs {
            // A panic inside the target would not say which input it was.
            println!("{name} {}", input.display());
            target(&fs::read(&input).unwrap());
        }
    }
}

#[test]
fn every_corpus_has_a_target_and_every_target_a_program() {
    let folders: BTreeSet<String> =
        fs::read_dir(corpus()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let programs: BTreeSet<String> = fs::read_dir(corpus().join("../fuzz_targets"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let names: BTreeSet<String> = targets::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(folders, names);
    assert_eq!(programs, names);
}
