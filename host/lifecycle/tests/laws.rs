//! The laws of `lib.rs` as properties, over lives that a script leads in a small world. `PROPTEST_CASES`
//! scales all of them: the default keeps the suite inside a coffee sip, thousands make a nightly soak.

mod world {
    pub(crate) mod answers;
    pub(crate) mod end;
    pub(crate) mod life;
    pub(crate) mod script;
}

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use reprise_lifecycle::broadcast::Broadcast;
use reprise_lifecycle::record::Record;
use reprise_lifecycle::replay;
use reprise_lifecycle::video::Source;
use reprise_lifecycle::work::Removal;

use world::end::End;
use world::life::{Life, fold};
use world::script::{hostile_scripts, scripts};

/// The configured number of cases, or a part of it for a property whose one case is many lives.
fn cases(per: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig { cases: (config.cases / per).max(1), ..config }
}

/// As many lives are led again from every record as the time of a test run allows.
const CASES_PER_PREFIX_CASE: u32 = 4;

proptest! {
    #![proptest_config(cases(1))]

    /// Laws 1 to 5 at every record, and an end to every life.
    #[test]
    fn a_life_obeys_the_laws(script in scripts(), order in 0..7_usize) {
        let mut life = script.play();
        life.finish(order, 1);
    }

    /// They hold whatever the outside says: what does not fit is stale or refused, and the life has an end.
    #[test]
    fn nonsense_breaks_no_law(script in hostile_scripts(), order in 0..7_usize) {
        let mut life = script.play();
        life.finish(order, 1);
    }

    /// Performing an effect again, to the letter, adds no record.
    #[test]
    fn an_effect_performed_twice_is_recorded_once(script in scripts(), order in 0..7_usize) {
        let mut once = script.play();
        let mut twice = once.clone();
        once.finish(order, 1);
        twice.finish(order, 2);
        prop_assert_eq!(once.journal, twice.journal);
    }

    /// Whichever worker is quicker, the end is the same.
    #[test]
    fn the_order_of_work_does_not_change_the_end(script in scripts(), order in 1..7_usize) {
        let mut first = script.play();
        let mut other = first.clone();
        first.finish(0, 1);
        other.finish(order, 1);
        prop_assert_eq!(End::of(&first.broadcast), End::of(&other.broadcast));
    }

    /// A record is the same after it was written down and read, and so is what it folds to; what a later
    /// version adds to it does not hinder this one.
    #[test]
    fn a_journal_survives_being_written_down(script in scripts()) {
        let mut life = script.play();
        life.finish(0, 1);
        let mut read: Vec<Record> = Vec::new();
        for record in &life.journal {
            let text = serde_json::to_string(record).unwrap();
            let back: Record = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&back, record);
            prop_assert_eq!(serde_json::to_string(&back).unwrap(), text.clone());
            let later = text.replacen('{', "{\"of_a_later_version\":{\"x\":[1.5,null]},", 1);
            prop_assert_eq!(&serde_json::from_str::<Record>(&later).unwrap(), record);
            read.push(back);
        }
        prop_assert_eq!(fold(&life.answers, &read), life.broadcast);
    }

    /// Whatever strangers put into names and messages, one record is one line.
    #[test]
    fn an_explained_record_is_one_line(script in scripts()) {
        let life = script.play();
        let text = replay::explain(&life.broadcast.id, &life.journal);
        prop_assert_eq!(text.lines().count(), life.journal.len());
        prop_assert!(!text.chars().any(|it| it.is_control() && it != '\n'));
        for (line, seq) in text.lines().zip(0..) {
            prop_assert!(line.trim_start().starts_with(&format!("{seq} ")), "{}", line);
            prop_assert!(!line.contains("does not continue"), "{}", line);
        }
    }
}

proptest! {
    #![proptest_config(cases(CASES_PER_PREFIX_CASE))]

    /// Law 6: cut the journal anywhere, and what had been called for ends the same.
    #[test]
    fn every_prefix_ends_the_same(script in scripts(), order in 0..7_usize, outage_ms in 0..60_000_i64) {
        let mut whole = script.play();
        whole.finish(0, 1);
        for length in 1..=whole.journal.len() {
            let prefix = whole.journal[..length].to_vec();
            let now = prefix[length - 1].at().plus_ms(outage_ms);
            let mut again = Life::resume(whole.answers.clone(), prefix, now);
            let cut: Broadcast = again.broadcast.clone();
            again.finish(order, 1);
            End::same_from(&cut, &whole.broadcast, &again.broadcast);
        }
    }
}

/// A world in which everything can happen and does: without this, the properties above could hold for want of
/// trying.
#[test]
fn the_world_spares_nothing() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..800 {
        let script = scripts().new_tree(&mut runner).unwrap().current();
        let mut life = script.play();
        life.finish(0, 1);
        for record in &life.journal {
            *seen.entry(kind(record)).or_default() += 1;
        }
        for video in life.broadcast.videos.values() {
            let composed = video.source == Source::Compose;
            let end = format!("{:?}, composed {composed}", video.status());
            *seen.entry(end).or_default() += 1;
        }
        let breaks = life.broadcast.breaks.len();
        *seen.entry(format!("{} breaks", breaks.min(2))).or_default() += 1;
    }
    let expected = [
        "publisher_left Dropped",
        "publisher_left ServerStopped",
        "ended BreakWindow",
        "ended Forbidden",
        "part_dropped",
        "part_closed CodecChanged",
        "part_closed Ended",
        "decided Default",
        "decided Answer",
        "decided Fallback",
        "decided Rejected",
        "output_finished true",
        "output_finished false",
        "cover_finished true",
        "cover_finished false",
        "compose_linked",
        "produce_opened",
        "task_opened",
        "pictures_asked",
        "pictures_finished true",
        "pictures_finished false",
        "analysis_asked",
        "analysis_finished true",
        "analysis_finished false",
        "removed video",
        "removed source",
        "removed streams",
        "discarded",
        "compose_finished true",
        "compose_finished false",
        "Stored, composed false",
        "Ready, composed false",
        "Failed, composed false",
        "Ready, composed true",
        "Failed, composed true",
        "ProduceFailed, composed true",
        "0 breaks",
        "1 breaks",
        "2 breaks",
    ];
    for kind in expected {
        let times = seen.get(kind).copied().unwrap_or(0);
        assert!(times >= 5, "{kind}: {times} times in {seen:#?}");
    }
}

fn kind(record: &Record) -> String {
    match record {
        Record::Opened { .. } => "opened".to_owned(),
        Record::PublisherJoined { .. } => "publisher_joined".to_owned(),
        Record::PublisherLeft { cause, .. } => format!("publisher_left {cause:?}"),
        Record::PartOpened { .. } => "part_opened".to_owned(),
        Record::PartClosed { cause, .. } => format!("part_closed {cause:?}"),
        Record::PartDropped { .. } => "part_dropped".to_owned(),
        Record::Ended { cause, .. } => format!("ended {cause:?}"),
        Record::Decided { decision, .. } => format!("decided {:?}", decision.applied),
        Record::OutputFinished { result, .. } => {
            format!("output_finished {}", result.done().is_some())
        }
        Record::CoverFinished { result, .. } => {
            format!("cover_finished {}", result.done().is_some())
        }
        Record::ComposeFinished { result, .. } => {
            format!("compose_finished {}", result.done().is_some())
        }
        Record::ComposeLinked { .. } => "compose_linked".to_owned(),
        Record::ProduceOpened { .. } => "produce_opened".to_owned(),
        Record::TaskOpened { .. } => "task_opened".to_owned(),
        Record::PicturesAsked { .. } => "pictures_asked".to_owned(),
        Record::PicturesFinished { result, .. } => format!("pictures_finished {}", result.done().is_some()),
        Record::AnalysisAsked { .. } => "analysis_asked".to_owned(),
        Record::AnalysisFinished { result, .. } => format!("analysis_finished {}", result.done().is_some()),
        Record::Removed { what, .. } => match what {
            Removal::Video => "removed video".to_owned(),
            Removal::Source => "removed source".to_owned(),
            Removal::Streams(_) => "removed streams".to_owned(),
        },
        Record::Discarded { .. } => "discarded".to_owned(),
    }
}
