use reprise_lifecycle::decision::Failure;
use reprise_lifecycle::question::{Answer, TemplateGroupAnswer};

use super::*;

fn group(name: &str) -> Said {
    let answer = TemplateGroupAnswer::Group(name.to_owned());
    Said {
        verdict: Verdict::Answered(Answer::TemplateGroup(answer)),
        reason: None,
        writes: Vec::new(),
        fuel: 100,
        log: Vec::new(),
    }
}

fn failed(kind: FailureKind, message: &str) -> Said {
    Said { verdict: Verdict::Failed(Failure { kind, message: message.to_owned() }), ..group("") }
}

fn because(reason: &str) -> Said {
    Said { reason: Some(reason.to_owned()), ..group("hd") }
}

fn writing(key: &str) -> Said {
    Said { writes: vec![StateWrite { key: key.to_owned(), value: Some("1".to_owned()) }], ..group("hd") }
}

#[test]
fn verdicts_are_compared_by_what_they_mean() {
    use DifferenceKind::{Answer, Failure, Fuel, Log, Reason, Writes};
    use FailureKind::{Deadline, Overloaded, Trap};
    let logging = Said { log: vec!["a line".to_owned()], ..group("hd") };
    let dear = Said { fuel: 101, ..group("hd") };
    let nobody = Said { verdict: Verdict::NoPolicy, ..group("") };
    // Then, now, and where they part: by meaning, and exactly.
    let table = [
        (group("hd"), group("hd"), None, None),
        (group("hd"), group("sd"), Some(Answer), Some(Answer)),
        (group("hd"), failed(Trap, "x"), Some(Failure), Some(Failure)),
        (failed(Trap, "x"), group("hd"), Some(Failure), Some(Failure)),
        (failed(Trap, "x"), failed(FailureKind::Fuel, "x"), Some(Failure), Some(Failure)),
        (failed(Trap, "x"), failed(Trap, "in other words"), None, None),
        (because("it is big"), because("it is big"), None, None),
        (because("it is big"), because("it is small"), Some(Reason), Some(Reason)),
        (group("hd"), because("it is big"), Some(Reason), Some(Reason)),
        (group("hd"), writing("seen"), Some(Writes), Some(Writes)),
        (writing("seen"), writing("seen"), None, None),
        (group("hd"), logging.clone(), None, Some(Log)),
        (logging.clone(), logging, None, None),
        (group("hd"), dear, None, Some(Fuel)),
        // What differs in more than one way is named by the gravest.
        (because("it is big"), Said { reason: None, ..group("sd") }, Some(Answer), Some(Answer)),
    ];
    for (was, now, meaning, exact) in table {
        for (closeness, expected) in [(Closeness::Meaning, meaning), (Closeness::Exact, exact)] {
            let kind = match compare(&was, &now, closeness) {
                Comparison::Same => None,
                Comparison::Different(difference) => {
                    assert_eq!((&difference.was, &difference.now), (&was, &now));
                    Some(difference.kind)
                }
                Comparison::NotComparable(why) => panic!("{why}: {was:?} {now:?}"),
            };
            assert_eq!(kind, expected, "{closeness:?}: {was:?} {now:?}");
        }
    }
    // What was chance, or nobody's, says nothing.
    for (was, now, expected) in [
        (failed(Deadline, "x"), group("hd"), Incomparable::ThenByChance(Deadline)),
        (failed(Deadline, "x"), failed(Deadline, "x"), Incomparable::ThenByChance(Deadline)),
        (group("hd"), failed(Overloaded, "x"), Incomparable::NowByChance(Overloaded)),
        (nobody, group("hd"), Incomparable::NobodyAsked),
    ] {
        for closeness in [Closeness::Meaning, Closeness::Exact] {
            assert_eq!(compare(&was, &now, closeness), Comparison::NotComparable(expected), "{was:?} {now:?}");
        }
    }
}

#[test]
fn a_large_verdict_is_kept_by_its_beginning_and_told_apart_whole() {
    let long = |end: &str| group(&format!("{}{end}", "x".repeat(SHOWN_BYTES)));
    let digest = |was: Said, now: Said| {
        let Comparison::Different(difference) = compare(&was, &now, Closeness::Meaning) else { panic!("same") };
        let shown = difference.shown();
        assert!(shown.to_string().len() < SHOWN_BYTES, "{}", shown.to_string().len());
        assert_eq!(shown["now"]["verdict"]["bytes"].as_u64().unwrap(), long("a").verdict_bytes());
        let mut digest = Sha256::new();
        difference.digest_into(1, &mut digest);
        hex::encode(digest.finalize())
    };
    let (first, second) = (digest(long("a"), long("b")), digest(long("a"), long("c")));
    assert_ne!(first, second);
    assert_eq!(first, digest(long("a"), long("b")));
}

impl Said {
    fn verdict_bytes(&self) -> u64 {
        serde_json::to_string(&self.verdict).unwrap().len() as u64
    }
}
