//! What a tenant asks for by hand, and what it takes away.

use super::flow::Flow;
use super::inputs::*;
use crate::broadcast::{Broadcast, CANCELLED, Rejected};
use crate::id::{BroadcastId, EffectId, GroupId, JobId, PartIndex, TaskId, TenantId, VideoId};
use crate::input::Input;
use crate::record::{EndCause, LeaveCause, RecordRules, Resolution, TaskPlan, WorkResult};
use crate::video::Status;
use crate::work::{AnalysisKind, AnalysisResult, PictureKind, PicturesPlan, ProduceOpening, Removal, Request};

fn video(flow: &Flow, part: PartIndex) -> VideoId {
    VideoId::of_part(&flow.broadcast.id, part)
}

fn task(flow: &Flow, id: &str) -> Input {
    let Resolution::Process(plan) = process("g-hand", &["hd"]) else { panic!("a plan") };
    let plan = TaskPlan { cover: false, ..plan };
    let request = Request { extend: Some("mine".to_owned()), ..Request::default() };
    Input::TaskAsked { video: video(flow, 0), task: TaskId::new(id), plan, request }
}

fn remove(flow: &Flow, part: PartIndex, what: Removal) -> Input {
    Input::Remove { video: video(flow, part), what }
}

fn discarded(record: u64) -> Input {
    Input::Discarded { effect: EffectId { record, ordinal: 0 } }
}

#[test]
fn a_stored_part_is_transcoded_by_hand_and_tells_so_once() {
    let mut flow = Flow::left_at(20_000);
    flow.check(
        21_000,
        task(&flow, "t1"),
        "
            6  +21.000 s  part 0's video is asked for, priority 6: group g-hand, renditions hd, no cover
            to do 6.0 process part 0's video by hand
            wake at 200000
        ",
    );
    flow.check(21_001, task(&flow, "t1"), "no record\nto do 6.0 process part 0's video by hand\nwake at 200000");
    assert_eq!(flow.broadcast.videos[&video(&flow, 0)].status(), Status::Ready, "its source plays all the while");
    let job = (video(&flow, 0), JobId::derived(&TaskId::new("t1"), 0));
    flow.check(
        30_000,
        rendition_done(&job),
        "
            7  +30.000 s  part 0's video, rendition hd: done, 1000000 bytes, 800 kbit/s, index.m3u8
            tells stream-transcoded, task-complete
            wake at 200000
        ",
    );
}

#[test]
fn a_task_by_hand_is_done_with_its_cover() {
    let mut flow = Flow::left_at(20_000);
    let Input::TaskAsked { video: id, task, plan, request } = task(&flow, "t1") else { panic!("a request") };
    let asked = Input::TaskAsked { video: id.clone(), task, plan: TaskPlan { cover: true, ..plan }, request };
    flow.check(
        21_000,
        asked,
        "
            6  +21.000 s  part 0's video is asked for, priority 6: group g-hand, renditions hd, a cover
            to do 6.0 process part 0's video by hand
            wake at 200000
        ",
    );
    let rendition = JobId::derived(&TaskId::new("t1"), 0);
    flow.check(
        30_000,
        rendition_done(&(id.clone(), rendition)),
        "
            7  +30.000 s  part 0's video, rendition hd: done, 1000000 bytes, 800 kbit/s, index.m3u8
            tells stream-transcoded, task-complete
            to do 6.0 process part 0's video by hand
            wake at 200000
        ",
    );
    let cover = flow.broadcast.videos[&id].tasks.last().and_then(|task| task.cover.as_ref()).unwrap().job.clone();
    let taken = "
            8  +31.000 s  part 0's video, cover: done, 3 pictures
            tells cover-taken
            wake at 200000
        ";
    flow.check(31_000, cover_done(&(id.clone(), cover.clone())), taken);
    flow.check(32_000, cover_done(&(id, cover)), "no record\nwake at 200000");
}

#[test]
fn a_cancelled_task_fails_what_it_has_not_made() {
    let mut flow = Flow::left_at(20_000);
    flow.check(
        21_000,
        task(&flow, "t1"),
        "
        6  +21.000 s  part 0's video is asked for, priority 6: group g-hand, renditions hd, no cover
        to do 6.0 process part 0's video by hand
        wake at 200000",
    );
    let cancel = Input::TaskCancelled { video: video(&flow, 0), task: TaskId::new("t1") };
    flow.check(
        22_000,
        cancel.clone(),
        &format!(
            "
        7  +22.000 s  part 0's video, rendition hd: failed, \"{CANCELLED}\": \"the task was cancelled\"
        tells stream-transcoded, task-complete
        wake at 200000"
        )
        .replace('"', ""),
    );
    flow.check(23_000, cancel, "no record\nwake at 200000");
}

#[test]
fn what_was_taken_away_is_asked_nothing_more() {
    let mut flow = Flow::left_at(20_000);
    let unknown = Input::Remove { video: VideoId::new("x"), what: Removal::Video };
    flow.refuses(21_000, unknown, Rejected::Unfit("the video does not exist"));
    flow.check(
        21_000,
        remove(&flow, 0, Removal::Source),
        "
        6  +21.000 s  part 0's video: its source is removed
        tells removed
        to do 6.0 discard the source of part 0's video
        wake at 200000",
    );
    flow.refuses(22_000, task(&flow, "t1"), Rejected::Unfit("the video's source was deleted"));
    flow.check(
        22_000,
        remove(&flow, 0, Removal::Video),
        "
        7  +22.000 s  part 0's video: all of it is removed
        tells removed
        to do 6.0 discard the source of part 0's video
        to do 7.0 discard part 0's video
        wake at 200000",
    );
    flow.check(
        22_000,
        remove(&flow, 0, Removal::Video),
        "
        no record
        to do 6.0 discard the source of part 0's video
        to do 7.0 discard part 0's video
        wake at 200000",
    );
    flow.refuses(23_000, task(&flow, "t1"), Rejected::Unfit("the video does not exist"));
    flow.check(
        24_000,
        discarded(6),
        "
        8  +24.000 s  part 0's video: the files of record 6 are gone
        to do 7.0 discard part 0's video
        wake at 200000",
    );
    flow.check(
        24_000,
        discarded(7),
        "
        9  +24.000 s  part 0's video: the files of record 7 are gone
        wake at 200000",
    );
    // Nothing is left to compose, so nobody is asked.
    flow.check(200_000, Input::Tick, "10  +200.000 s  the broadcast is over: nobody came back");
    assert!(flow.broadcast.is_settled());
}

#[test]
fn a_part_removed_while_it_is_composed_stays_on_the_disk_until_the_index_holds_it() {
    let mut flow = Flow::left_at(20_000);
    flow.check(
        21_000,
        end(EndCause::Forbidden),
        "
        6  +21.000 s  the broadcast is over: forbidden
        to do 6.2 ask about the compose",
    );
    flow.check(
        21_500,
        verdict((6, 2), compose(&[0])),
        "
        7  +21.500 s  the compose: no policy; the record config applies: composed of part 0
        to do 7.0 compose the composed video of 1 parts",
    );
    flow.check(
        22_000,
        remove(&flow, 0, Removal::Video),
        "
        8  +22.000 s  part 0's video: all of it is removed
        tells removed
        to do 7.0 compose the composed video of 1 parts",
    );
    let facts = match composed((7, 0), 10_000) {
        Input::ComposeFinished { result: WorkResult::Done(facts), .. } => facts,
        _ => panic!("it is done"),
    };
    let linked = Input::ComposeLinked { effect: EffectId { record: 7, ordinal: 0 }, facts };
    flow.check(22_100, linked.clone(), "
        9  +22.100 s  the composed video plays: 10.000 s from 0.000 s, 2500000 bytes, 250 pictures, 468 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2
        tells compose-started
        to do 7.0 compose the composed video of 1 parts
        to do 8.0 discard part 0's video");
    flow.check(
        22_200,
        linked,
        "
        no record
        to do 7.0 compose the composed video of 1 parts
        to do 8.0 discard part 0's video",
    );
}

#[test]
fn what_is_asked_of_a_composed_video_waits_for_its_file() {
    let mut flow = Flow::left_at(20_000);
    flow.check(
        21_000,
        end(EndCause::Forbidden),
        "
        6  +21.000 s  the broadcast is over: forbidden
        to do 6.2 ask about the compose",
    );
    flow.check(
        21_500,
        verdict((6, 2), compose(&[0])),
        "
        7  +21.500 s  the compose: no policy; the record config applies: composed of part 0
        to do 7.0 compose the composed video of 1 parts",
    );
    let Input::ComposeFinished { result: WorkResult::Done(facts), .. } = composed((7, 0), 10_000) else {
        panic!("it is done")
    };
    let effect = EffectId { record: 7, ordinal: 0 };
    flow.apply(&flow.record(22_000, &Input::ComposeLinked { effect, facts }));
    let Input::TaskAsked { plan, request, .. } = task(&flow, "t1") else { panic!("a request") };
    let video = VideoId::of_compose(&flow.broadcast.id);
    flow.check(
        23_000,
        Input::TaskAsked { video, task: TaskId::new("t1"), plan, request },
        "
        9  +23.000 s  the composed video is asked for, priority 6: group g-hand, renditions hd, no cover
        to do 7.0 compose the composed video of 1 parts",
    );
    let done = flow.record(24_000, &composed((7, 0), 10_000));
    flow.apply(&done);
    let effects = flow.broadcast.outstanding();
    assert!(effects.contains_key(&EffectId { record: 9, ordinal: 0 }), "{effects:?}");
}

#[test]
fn the_compose_waits_for_what_is_found_in_the_parts() {
    let rules = RecordRules { analyse: true, ..composing(NO_GROUP) };
    let mut flow = Flow::closed_part(rules);
    flow.check(
        20_000,
        gone(1, LeaveCause::Unpublished),
        "
        4  +20.000 s  publisher 1 leaves: it said goodbye
        to do 3.0 ask about part 0's video
        to do 3.1 look for Facts in part 0's video
        wake at 200000",
    );
    flow.check(
        200_000,
        Input::Tick,
        "
        5  +200.000 s  the broadcast is over: nobody came back
        to do 3.0 ask about part 0's video
        to do 3.1 look for Facts in part 0's video",
    );
    let id = video(&flow, 0);
    let (job, result) = (JobId::of_analysis(&id), WorkResult::Done(AnalysisResult::Facts(Default::default())));
    let found = Input::AnalysisFinished { video: id, job, result };
    flow.check(
        201_000,
        found,
        "
        6  +201.000 s  part 0's video, analysis: done, 0 silences, 0 blacks, 0 freezes, 0 scenes
        to do 3.0 ask about part 0's video
        to do 5.2 ask about the compose",
    );
    assert!(flow.summary(0).facts.is_some());
}

#[test]
fn pictures_and_analyses_are_work_of_their_own() {
    let mut flow = Flow::left_at(20_000);
    let (video, request) = (video(&flow, 0), Request::default());
    let plan = PicturesPlan { kind: PictureKind::Sprite, settings: "{}".to_owned() };
    let (sprites, dna) = (JobId::new("j1"), JobId::new("j2"));
    let asked = Input::PicturesAsked { video: video.clone(), job: sprites.clone(), plan, request: request.clone() };
    flow.check(
        21_000,
        asked,
        "
        6  +21.000 s  part 0's video, pictures are asked for: Sprite
        to do 6.0 take Sprite pictures of part 0's video
        wake at 200000",
    );
    let kind = AnalysisKind::Fingerprint;
    let asked = Input::AnalysisAsked { video: video.clone(), job: dna.clone(), kind, request };
    flow.check(
        21_000,
        asked,
        "
        7  +21.000 s  part 0's video, an analysis is asked for: Fingerprint
        to do 6.0 take Sprite pictures of part 0's video
        to do 7.0 look for Fingerprint in part 0's video
        wake at 200000",
    );
    let wrong = WorkResult::Done(AnalysisResult::Facts(Default::default()));
    let wrong = Input::AnalysisFinished { video: video.clone(), job: dna.clone(), result: wrong };
    flow.refuses(22_000, wrong, Rejected::Impossible("the result of another kind of analysis"));
    let result = WorkResult::Done(AnalysisResult::Fingerprint { file: "s.xml".to_owned(), duplicates: vec![] });
    flow.check(
        23_000,
        Input::AnalysisFinished { video: video.clone(), job: dna, result },
        "
        8  +23.000 s  part 0's video, analysis: done, 0 duplicates
        tells analysis-done
        to do 6.0 take Sprite pictures of part 0's video
        wake at 200000",
    );
    flow.check(
        24_000,
        Input::PicturesFinished { video, job: sprites, result: WorkResult::Done(vec![]) },
        "
        9  +24.000 s  part 0's video, pictures: done, 0 pictures
        tells pictures-taken
        wake at 200000",
    );
}

#[test]
fn a_production_makes_one_video_and_processes_it() {
    let opening = ProduceOpening {
        tenant: TenantId::new("acme"),
        project: "p1".to_owned(),
        timeline: "{}".to_owned(),
        title: "cut".to_owned(),
        description: String::new(),
        metadata: "{}".to_owned(),
        group: GroupId::no_transcode(),
        request: Request::default(),
    };
    let mut flow = Flow::from_journal(Broadcast::produce(opening, T0));
    assert_eq!(flow.broadcast.videos[&VideoId::of_edit(&BroadcastId::new("b1"))].status(), Status::Uploading);
    flow.refuses(1_000, asked(), Rejected::Over);
    flow.check(9_000, composed((0, 0), 10_000), "
        1  +9.000 s  the edited video's source: done, 10.000 s from 0.000 s, 2500000 bytes, 250 pictures, 468 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2
        tells produce-finished, source-complete, analysed
        to do 1.0 ask about the edited video");
    flow.check(9_500, verdict((1, 0), process(NO_GROUP, &[])), "
        2  +9.500 s  the edited video: no policy; the record config applies: group VOD_NO_TRANSCODE, no rendition, a cover
        to do 2.0 process the edited video");
}
