//! Rows that a second writer, a wrong retry or another broadcast put into a journal: the fold says so.

use super::flow::Flow;
use super::inputs::*;
use crate::record::{CloseCause, EndCause, LeaveCause, Record, Resolution, Subject};

fn joined(epoch: u32) -> Record {
    Record::PublisherJoined { epoch, client: "203.0.113.9".to_owned(), at: T0 }
}

#[test]
fn publishers_come_one_after_another() {
    let live = Flow::closed_part(store_only());
    let taken = "a publisher joins a broadcast that has one, or that is over";
    live.corrupted_by(&joined(2), taken);
    let left = Flow::left_at(20_000);
    left.corrupted_by(&joined(3), "a publisher out of order");
    left.corrupted_by(&joined(1), "a publisher out of order");
    let gone = live.record(20_000, &gone(1, LeaveCause::Disconnected));
    left.corrupted_by(&gone, "a publisher leaves that is not connected");
    let opened = live.record(20_000, &opening(1, 10_000));
    left.corrupted_by(&opened, "a part without a publisher");
    let mut over = live;
    let ended = over.record(20_000, &end(EndCause::Forbidden));
    over.apply(&ended);
    over.corrupted_by(&ended, "ended twice");
    over.corrupted_by(&joined(2), taken);
}

#[test]
fn parts_are_opened_in_order_and_closed_once() {
    let mut flow = Flow::opened(store_only());
    let opened = flow.record(0, &opening(1, 0));
    let closed = |part| Record::PartDropped { part, at: T0 };
    flow.corrupted_by(&closed(0), "an unknown part");
    flow.apply(&opened);
    flow.corrupted_by(&opened, "a part out of order");
    flow.corrupted_by(&closed(1), "an unknown part");
    flow.apply(&closed(0));
    flow.corrupted_by(&closed(0), "a part closed twice");
    flow.corrupted_by(&opened, "a part out of order");
}

#[test]
fn a_video_has_one_decision_and_one_result_for_each_job() {
    let mut flow = Flow::closed_part(with_group("g-hd"));
    let decided = flow.record(11_000, &verdict((3, 0), process("g-hd", &["hd"])));
    flow.apply(&decided);
    flow.corrupted_by(&decided, "a decision about a video that has one");
    let hd = flow.job(0, "hd");
    let cover = flow.cover(0);
    let rendition = flow.record(12_000, &rendition_done(&hd));
    let pictures = flow.record(12_000, &cover_done(&cover));
    let mut other = pictures.clone();
    if let Record::CoverFinished { job, .. } = &mut other {
        *job = hd.1.clone();
    }
    flow.corrupted_by(&other, "a result for an unknown cover");
    flow.apply(&rendition);
    flow.corrupted_by(&rendition, "a second result for a rendition");
    flow.apply(&pictures);
    flow.corrupted_by(&pictures, "a second result for a cover");
    // Another broadcast's rows.
    let empty = Flow::opened(with_group("g-hd"));
    empty.corrupted_by(&decided, "a decision about an unknown video");
    empty.corrupted_by(&rendition, "a result for an unknown rendition");
    empty.corrupted_by(&pictures, "a result for an unknown cover");
}

#[test]
fn a_compose_is_decided_when_it_is_asked_for() {
    let mut flow = Flow::closed_part(composing("g-hd"));
    let about = |subject: Subject, resolution: Resolution| {
        let input = verdict((3, 0), Resolution::Nothing);
        let mut record = Flow::closed_part(store_only()).record(11_000, &input);
        if let Record::Decided { subject: told, resolution: does, .. } = &mut record {
            (*told, *does) = (subject, resolution);
        }
        record
    };
    let planned = about(Subject::Compose, compose(&[0]));
    let early = "a decision about a compose that is not asked for";
    flow.corrupted_by(&planned, early);
    let ended = flow.record(12_000, &end(EndCause::Forbidden));
    flow.apply(&ended);
    flow.corrupted_by(&planned, early);
    let gone = flow.record(12_100, &gone(1, LeaveCause::Dropped));
    flow.apply(&gone);
    let wrong = about(Subject::Compose, process("g-hd", &[]));
    flow.corrupted_by(&wrong, "a compose is not processed");
    let wrong = about(Subject::Compose, refused("no group"));
    flow.corrupted_by(&wrong, "a compose is not processed");
    flow.apply(&planned);
    flow.corrupted_by(&planned, early);
    let finished = flow.record(13_000, &composed((6, 0), 10_000));
    flow.apply(&finished);
    flow.corrupted_by(&finished, "the end of a compose that is not running");
    let again = closed(0, 0, 10_000, CloseCause::Cycle);
    assert_eq!(flow.broadcast.step(&again, T0), Ok(Vec::new()));
}
