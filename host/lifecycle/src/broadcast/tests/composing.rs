//! The end of a broadcast and the one video made of its parts.

use super::flow::Flow;
use super::inputs::*;
use crate::broadcast::Rejected;
use crate::input::Input;
use crate::record::{CloseCause, EndCause, LeaveCause, Resolution};

#[test]
fn parts_are_composed_when_all_are_closed() {
    let mut flow = Flow::closed_part(composing("g-hd"));
    flow.check(
        11_000,
        opening(1, 10_000),
        "
            4  +11.000 s  part 1 is opened at media time 10.000 s: H.264 1280x720 and AAC 48000 Hz x2
            to do 3.0 ask about part 0's video
        ",
    );
    flow.check(
        20_000,
        gone(1, LeaveCause::Unpublished),
        "
            5  +20.000 s  publisher 1 leaves: it said goodbye
            to do 3.0 ask about part 0's video
            wake at 200000
        ",
    );
    flow.check(
        200_000,
        Input::Tick,
        "
            6  +200.000 s  the broadcast is over: nobody came back
            to do 3.0 ask about part 0's video
            to do 6.1 close part 1
        ",
    );
    flow.check(200_500, closed(1, 10_000, 9_000, CloseCause::Ended), "
            7  +200.500 s  part 1 is closed, the broadcast is over: 9.000 s from 10.000 s, 2250000 bytes, 225 pictures, 421 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2; it is video 7a4b16daa00d44721bbdf628ebd6568c
            tells part-recorded, source-complete, analysed
            to do 3.0 ask about part 0's video
            to do 6.2 ask about the compose
            to do 7.0 ask about part 1's video
        ");
    flow.check(
        201_000,
        verdict((6, 2), compose(&[0, 1])),
        "
            8  +201.000 s  the compose: no policy; the record config applies: composed of part 0, part 1
            to do 3.0 ask about part 0's video
            to do 7.0 ask about part 1's video
            to do 8.0 compose the composed video of 2 parts
        ",
    );
    flow.check(
        201_001,
        verdict((6, 2), Resolution::Nothing),
        "
            no record
            to do 3.0 ask about part 0's video
            to do 7.0 ask about part 1's video
            to do 8.0 compose the composed video of 2 parts
        ",
    );
    // Another effect's answer is nobody's.
    flow.check(
        201_500,
        composed((6, 2), 19_000),
        "
            no record
            to do 3.0 ask about part 0's video
            to do 7.0 ask about part 1's video
            to do 8.0 compose the composed video of 2 parts
        ",
    );
    flow.check(202_000, composed((8, 0), 19_000), "
            9  +202.000 s  the composed video's source: done, 19.000 s from 0.000 s, 4750000 bytes, 475 pictures, 890 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2
            tells source-complete, analysed
            to do 3.0 ask about part 0's video
            to do 7.0 ask about part 1's video
            to do 9.0 ask about the composed video
        ");
    flow.check(
        202_001,
        composed((8, 0), 19_000),
        "
            no record
            to do 3.0 ask about part 0's video
            to do 7.0 ask about part 1's video
            to do 9.0 ask about the composed video
        ",
    );
    flow.check(
        203_000,
        verdict((9, 0), process("g-hd", &["hd"])),
        "
            10  +203.000 s  the composed video: no policy; the record config applies: group g-hd, renditions hd, a cover
            to do 3.0 ask about part 0's video
            to do 7.0 ask about part 1's video
            to do 10.0 process the composed video
        ",
    );
    flow.check(203_100, verdict((3, 0), process(NO_GROUP, &[])), "
            11  +203.100 s  part 0's video: no policy; the record config applies: group VOD_NO_TRANSCODE, no rendition, a cover
            to do 7.0 ask about part 1's video
            to do 10.0 process the composed video
            to do 11.0 process part 0's video
        ");
    flow.check(203_200, verdict((7, 0), process(NO_GROUP, &[])), "
            12  +203.200 s  part 1's video: no policy; the record config applies: group VOD_NO_TRANSCODE, no rendition, a cover
            to do 10.0 process the composed video
            to do 11.0 process part 0's video
            to do 12.0 process part 1's video
        ");
    let hd = flow.composed_job("hd");
    flow.check(
        210_000,
        rendition_done(&hd),
        "
            13  +210.000 s  the composed video, rendition hd: done, 1000000 bytes, 800 kbit/s, index.m3u8
            tells stream-transcoded, task-complete
            to do 10.0 process the composed video
            to do 11.0 process part 0's video
            to do 12.0 process part 1's video
        ",
    );
    flow.ends("
            broadcast: over (nobody came back); compose planned; in progress
            part 0: +0.000 s to +10.000 s, 10.000 s from 0.000 s, 2500000 bytes, 250 pictures, 468 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2
            its video 52c39afaceca928ba84d960270531ae6 is ready, group VOD_NO_TRANSCODE
            cover: awaited
            part 1: +11.000 s to +20.000 s, 9.000 s from 10.000 s, 2250000 bytes, 225 pictures, 421 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2
            its video 7a4b16daa00d44721bbdf628ebd6568c is ready, group VOD_NO_TRANSCODE
            cover: awaited
            the composed video 491f057be52bdec265a8cddd7bed0a9a is ready, group g-hd
            rendition hd: done, 1000000 bytes
            cover: awaited
        ");
}

#[test]
fn a_compose_that_fails_is_told() {
    let mut flow = Flow::closed_part(composing("g-hd"));
    flow.check(11_000, verdict((3, 0), process(NO_GROUP, &[])), "
            4  +11.000 s  part 0's video: no policy; the record config applies: group VOD_NO_TRANSCODE, no rendition, a cover
            to do 4.0 process part 0's video
        ");
    flow.check(
        12_000,
        end(EndCause::Shutdown),
        "
            5  +12.000 s  the broadcast is over: the server stops for good
            to do 4.0 process part 0's video
            to do 5.0 send publisher 1 away
        ",
    );
    flow.check(
        12_100,
        gone(1, LeaveCause::Dropped),
        "
            6  +12.100 s  publisher 1 leaves: it was sent away
            to do 4.0 process part 0's video
            to do 5.2 ask about the compose
        ",
    );
    flow.check(
        13_000,
        verdict((5, 2), compose(&[0])),
        "
            7  +13.000 s  the compose: no policy; the record config applies: composed of part 0
            to do 4.0 process part 0's video
            to do 7.0 compose the composed video of 1 parts
        ",
    );
    flow.check(
        14_000,
        compose_failed((7, 0)),
        "
            8  +14.000 s  the composed video's source: failed, InvalidMedia: the source is damaged
            tells compose-refused, compose-failed
            to do 4.0 process part 0's video
        ",
    );
    flow.ends("
            broadcast: over (the server stops for good); compose planned; in progress
            part 0: +0.000 s to +10.000 s, 10.000 s from 0.000 s, 2500000 bytes, 250 pictures, 468 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2
            its video 52c39afaceca928ba84d960270531ae6 is ready, group VOD_NO_TRANSCODE
            cover: awaited
            the composed video 491f057be52bdec265a8cddd7bed0a9a is never made
        ");
}

#[test]
fn a_broadcast_without_a_recorded_part_composes_nothing() {
    let mut flow = Flow::opened(composing("g-hd"));
    flow.check(
        500,
        opening(1, 0),
        "2  +0.500 s  part 0 is opened at media time 0.000 s: H.264 1280x720 and AAC 48000 Hz x2",
    );
    flow.check(
        600,
        gone(1, LeaveCause::Refused),
        "
            3  +0.600 s  publisher 1 leaves: it could not be recorded
            wake at 180600
        ",
    );
    flow.check(
        180_600,
        Input::Tick,
        "
            4  +180.600 s  the broadcast is over: nobody came back
            to do 4.1 close part 0
        ",
    );
    flow.check(180_700, empty(0), "5  +180.700 s  part 0 is dropped: nothing was recorded");
    flow.check(180_701, empty(0), "no record");
    flow.ends(
        "
            broadcast: over (nobody came back); not composed; settled
            part 0: opened +0.500 s, nothing recorded
        ",
    );
}

#[test]
fn what_no_correct_server_sends_is_impossible() {
    let mut flow = Flow::closed_part(composing("g-hd"));
    flow.refuses(
        11_000,
        closed(7, 0, 1_000, CloseCause::Cycle),
        Rejected::Impossible("a part is closed that was never opened"),
    );
    flow.refuses(11_000, verdict((3, 0), compose(&[0])), Rejected::Impossible("a verdict for another question"));
    flow.check(
        11_000,
        verdict((3, 1), process(NO_GROUP, &[])),
        "
            no record
            to do 3.0 ask about part 0's video
        ",
    );
    flow.check(
        11_000,
        opening(1, 10_000),
        "
            4  +11.000 s  part 1 is opened at media time 10.000 s: H.264 1280x720 and AAC 48000 Hz x2
            to do 3.0 ask about part 0's video
        ",
    );
    flow.refuses(11_001, opening(1, 10_000), Rejected::Impossible("a part is opened while another is open"));
    flow.check(
        12_000,
        end(EndCause::Forbidden),
        "
            5  +12.000 s  the broadcast is over: forbidden
            to do 3.0 ask about part 0's video
            to do 5.0 send publisher 1 away
        ",
    );
    // The question waits for the publisher and the open part, so nobody can have been asked.
    flow.check(
        12_001,
        verdict((5, 2), compose(&[0])),
        "
            no record
            to do 3.0 ask about part 0's video
            to do 5.0 send publisher 1 away
        ",
    );
    flow.check(
        12_100,
        gone(1, LeaveCause::Dropped),
        "
            6  +12.100 s  publisher 1 leaves: it was sent away
            to do 3.0 ask about part 0's video
            to do 5.1 close part 1
        ",
    );
    flow.check(
        12_101,
        verdict((5, 2), compose(&[0])),
        "
            no record
            to do 3.0 ask about part 0's video
            to do 5.1 close part 1
        ",
    );
}
