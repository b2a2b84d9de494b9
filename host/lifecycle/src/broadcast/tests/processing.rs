//! From a closed part to a playable video, or not.

use super::flow::Flow;
use super::inputs::*;
use crate::event::{Told, events};
use crate::input::Input;
use crate::record::{CloseCause, EndCause, LeaveCause, Resolution};

#[test]
fn one_part_store_only() {
    let mut flow = Flow::opened(store_only());
    flow.check(
        500,
        opening(1, 0),
        "2  +0.500 s  part 0 is opened at media time 0.000 s: H.264 1280x720 and AAC 48000 Hz x2",
    );
    flow.check(10_500, closed(0, 0, 10_000, CloseCause::Cycle), "
            3  +10.500 s  part 0 is closed, its cycle elapsed: 10.000 s from 0.000 s, 2500000 bytes, 250 pictures, 468 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2; it is video 52c39afaceca928ba84d960270531ae6
            tells part-recorded, source-complete, analysed
            to do 3.0 ask about part 0's video
        ");
    flow.check(10_600, verdict((3, 0), process(NO_GROUP, &[])), "
            4  +10.600 s  part 0's video: no policy; the record config applies: group VOD_NO_TRANSCODE, no rendition, a cover
            to do 4.0 process part 0's video
        ");
    let cover = flow.cover(0);
    flow.check(
        11_000,
        cover_done(&cover),
        "
            5  +11.000 s  part 0's video, cover: done, 3 pictures
            tells cover-taken
        ",
    );
    flow.check(
        12_000,
        gone(1, LeaveCause::Unpublished),
        "
            6  +12.000 s  publisher 1 leaves: it said goodbye
            wake at 192000
        ",
    );
    flow.check(
        192_000,
        Input::Tick,
        "
            7  +192.000 s  the broadcast is over: nobody came back
            to do 7.2 ask about the compose
        ",
    );
    flow.check(
        192_100,
        verdict((7, 2), Resolution::Nothing),
        "8  +192.100 s  the compose: no policy; the record config applies: nothing is done",
    );
    flow.ends("
            broadcast: over (nobody came back); not composed; settled
            part 0: +0.500 s to +10.500 s, 10.000 s from 0.000 s, 2500000 bytes, 250 pictures, 468 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2
            its video 52c39afaceca928ba84d960270531ae6 is ready, group VOD_NO_TRANSCODE
            cover: done, 3 pictures
        ");
}

#[test]
fn one_failed_rendition_leaves_the_video_ready() {
    let mut flow = Flow::closed_part(with_group("g-hd"));
    flow.check(
        11_000,
        verdict((3, 0), process("g-hd", &["hd", "sd"])),
        "
            4  +11.000 s  part 0's video: no policy; the record config applies: group g-hd, renditions hd, sd, a cover
            to do 4.0 process part 0's video
        ",
    );
    let (hd, sd) = (flow.job(0, "hd"), flow.job(0, "sd"));
    flow.check(
        20_000,
        rendition_done(&hd),
        "
            5  +20.000 s  part 0's video, rendition hd: done, 1000000 bytes, 800 kbit/s, index.m3u8
            tells stream-transcoded
            to do 4.0 process part 0's video
        ",
    );
    flow.check(
        21_000,
        rendition_failed(&sd),
        "
            6  +21.000 s  part 0's video, rendition sd: failed, InvalidMedia: the source is damaged
            tells stream-transcoded, task-complete
            to do 4.0 process part 0's video
        ",
    );
    flow.check(
        21_001,
        rendition_done(&sd),
        "
            no record
            to do 4.0 process part 0's video
        ",
    );
    let cover = flow.cover(0);
    flow.check(
        22_000,
        cover_failed(&cover),
        "
            7  +22.000 s  part 0's video, cover: failed, InvalidMedia: the source is damaged
            tells cover-taken
        ",
    );
    flow.ends("
            broadcast: live with publisher 1; compose not yet asked for; in progress
            part 0: +0.000 s to +10.000 s, 10.000 s from 0.000 s, 2500000 bytes, 250 pictures, 468 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2
            its video 52c39afaceca928ba84d960270531ae6 is ready, group g-hd
            rendition hd: done, 1000000 bytes
            rendition sd: failed, InvalidMedia: the source is damaged
            cover: failed, InvalidMedia: the source is damaged
        ");
}

#[test]
fn a_video_fails_when_every_rendition_fails() {
    let mut flow = Flow::closed_part(with_group("g-hd"));
    flow.check(
        11_000,
        verdict((3, 0), process("g-hd", &["hd", "sd"])),
        "
            4  +11.000 s  part 0's video: no policy; the record config applies: group g-hd, renditions hd, sd, a cover
            to do 4.0 process part 0's video
        ",
    );
    let (hd, sd) = (flow.job(0, "hd"), flow.job(0, "sd"));
    flow.check(
        20_000,
        rendition_failed(&sd),
        "
            5  +20.000 s  part 0's video, rendition sd: failed, InvalidMedia: the source is damaged
            tells stream-transcoded
            to do 4.0 process part 0's video
        ",
    );
    flow.check(
        21_000,
        rendition_failed(&hd),
        "
            6  +21.000 s  part 0's video, rendition hd: failed, InvalidMedia: the source is damaged
            tells stream-transcoded, task-complete
            to do 4.0 process part 0's video
        ",
    );
    flow.ends("
            broadcast: live with publisher 1; compose not yet asked for; in progress
            part 0: +0.000 s to +10.000 s, 10.000 s from 0.000 s, 2500000 bytes, 250 pictures, 468 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2
            its video 52c39afaceca928ba84d960270531ae6 is failed, group g-hd
            rendition hd: failed, InvalidMedia: the source is damaged
            rendition sd: failed, InvalidMedia: the source is damaged
            cover: awaited
        ");
}

#[test]
fn a_group_without_templates_stores_the_video() {
    let mut flow = Flow::closed_part(with_group("g-empty"));
    flow.check(
        11_000,
        verdict((3, 0), process("g-empty", &[])),
        "
            4  +11.000 s  part 0's video: no policy; the record config applies: group g-empty, no rendition, a cover
            to do 4.0 process part 0's video
        ",
    );
    let cover = flow.cover(0);
    flow.check(
        12_000,
        cover_done(&cover),
        "
            5  +12.000 s  part 0's video, cover: done, 3 pictures
            tells cover-taken
        ",
    );
    flow.ends("
            broadcast: live with publisher 1; compose not yet asked for; in progress
            part 0: +0.000 s to +10.000 s, 10.000 s from 0.000 s, 2500000 bytes, 250 pictures, 468 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2
            its video 52c39afaceca928ba84d960270531ae6 is stored, group g-empty
            cover: done, 3 pictures
        ");
}

#[test]
fn a_policy_whose_failure_rejects_leaves_the_recording() {
    let mut flow = Flow::closed_part(with_group("g-hd"));
    flow.check(
        11_000,
        rejected((3, 0)),
        "
            4  +11.000 s  part 0's video: failed (Trap: unreachable); its binding rejects then: nothing is done
            tells task-complete
        ",
    );
    flow.check(11_001, verdict((3, 0), process("g-hd", &["hd"])), "no record");
    flow.check(
        12_000,
        end(EndCause::Forbidden),
        "
            5  +12.000 s  the broadcast is over: forbidden
            to do 5.0 send publisher 1 away
        ",
    );
    flow.check(
        12_100,
        gone(1, LeaveCause::Dropped),
        "
            6  +12.100 s  publisher 1 leaves: it was sent away
            to do 5.2 ask about the compose
        ",
    );
    flow.check(
        12_200,
        rejected((5, 2)),
        "7  +12.200 s  the compose: failed (Trap: unreachable); its binding rejects then: nothing is done",
    );
    flow.ends("
            broadcast: over (forbidden); not composed; settled
            part 0: +0.000 s to +10.000 s, 10.000 s from 0.000 s, 2500000 bytes, 250 pictures, 468 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2
            its video 52c39afaceca928ba84d960270531ae6 is failed, rejected by its policy's binding
        ");
}

#[test]
fn a_video_that_cannot_be_processed_as_decided_fails_with_the_reason() {
    let mut flow = Flow::closed_part(with_group("g-gone"));
    let decided = flow.record(11_000, &verdict((3, 0), refused("no group g-gone")));
    flow.check(
        11_000,
        verdict((3, 0), refused("no group g-gone")),
        "
            4  +11.000 s  part 0's video: no policy; the record config applies: it cannot be done (Gone: no group g-gone)
            tells task-complete
        ",
    );
    let told = events(&flow.broadcast, 4, &decided).remove(0).told;
    let Told::TaskComplete { task: None, failure: Some(failure), .. } = told else { panic!("{told:?}") };
    assert_eq!((failure.code.as_str(), failure.message.as_str()), ("Gone", "no group g-gone"));
    flow.ends("
            broadcast: live with publisher 1; compose not yet asked for; in progress
            part 0: +0.000 s to +10.000 s, 10.000 s from 0.000 s, 2500000 bytes, 250 pictures, 468 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2
            its video 52c39afaceca928ba84d960270531ae6 is failed, what was decided cannot be done
        ");
}

#[test]
fn a_rate_that_cannot_be_written_down_is_unknown() {
    let mut flow = Flow::opened(with_group("g-hd"));
    flow.check(0, opening_at_fps(f64::NAN), "2  +0.000 s  part 0 is opened at media time 0.000 s: H.264 1280x720");
    flow.check(10_000, closed_at_fps(f64::INFINITY), "
            3  +10.000 s  part 0 is closed, its cycle elapsed: 10.000 s from 0.000 s, 2500000 bytes, 250 pictures, 468 audio frames, H.264 1280x720 and AAC 48000 Hz x2; it is video 52c39afaceca928ba84d960270531ae6
            tells part-recorded, source-complete, analysed
            to do 3.0 ask about part 0's video
        ");
    flow.check(
        11_000,
        verdict((3, 0), process("g-hd", &["hd"])),
        "
            4  +11.000 s  part 0's video: no policy; the record config applies: group g-hd, renditions hd, a cover
            to do 4.0 process part 0's video
        ",
    );
    let hd = flow.job(0, "hd");
    flow.check(
        12_000,
        rendition_at_fps(&hd, f64::NEG_INFINITY),
        "
            5  +12.000 s  part 0's video, rendition hd: done, 1000000 bytes, 800 kbit/s, index.m3u8
            tells stream-transcoded, task-complete
            to do 4.0 process part 0's video
        ",
    );
    let rate = flow.broadcast.videos.values().next().unwrap().task().unwrap().outputs[0]
        .finished
        .as_ref()
        .unwrap()
        .result
        .done()
        .unwrap()
        .fps;
    assert_eq!(rate.to_bits(), 0.0_f64.to_bits());
}
