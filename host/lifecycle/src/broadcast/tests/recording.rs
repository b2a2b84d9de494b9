//! Parts, and where they lie on the wall clock.

use super::flow::Flow;
use super::inputs::*;
use crate::input::Input;
use crate::record::{CloseCause, LeaveCause};

#[test]
fn a_break_inside_a_part_moves_its_end() {
    let mut flow = Flow::opened(store_only());
    flow.check(
        0,
        opening(1, 0),
        "2  +0.000 s  part 0 is opened at media time 0.000 s: H.264 1280x720 and AAC 48000 Hz x2",
    );
    flow.check(
        10_000,
        gone(1, LeaveCause::Disconnected),
        "
            3  +10.000 s  publisher 1 leaves: the connection ended
            wake at 190000
        ",
    );
    flow.check(70_000, asked(), "4  +70.000 s  publisher 2 joins from 203.0.113.9");
    // Ten seconds of media before the break of a minute, five after it.
    flow.check(75_200, closed(0, 0, 15_000, CloseCause::Cycle), "
            5  +75.200 s  part 0 is closed, its cycle elapsed: 15.000 s from 0.000 s, 3750000 bytes, 375 pictures, 703 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2; it is video 52c39afaceca928ba84d960270531ae6
            tells part-recorded, source-complete, analysed
            to do 5.0 ask about part 0's video
        ");
    flow.ends("
            broadcast: live with publisher 2; compose not yet asked for; in progress
            break: +10.000 s to +70.000 s
            part 0: +0.000 s to +75.000 s, 15.000 s from 0.000 s, 3750000 bytes, 375 pictures, 703 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2
            its video 52c39afaceca928ba84d960270531ae6 is stored, undecided
        ");
    assert_eq!(flow.summary(0).gap_ms, 60_000);
}

#[test]
fn a_break_after_a_part_does_not_move_its_end() {
    let mut flow = Flow::opened(store_only());
    flow.check(
        0,
        opening(1, 0),
        "2  +0.000 s  part 0 is opened at media time 0.000 s: H.264 1280x720 and AAC 48000 Hz x2",
    );
    flow.check(
        10_000,
        gone(1, LeaveCause::Disconnected),
        "
            3  +10.000 s  publisher 1 leaves: the connection ended
            wake at 190000
        ",
    );
    flow.check(70_000, asked(), "4  +70.000 s  publisher 2 joins from 203.0.113.9");
    flow.check(70_900, closed(0, 0, 10_000, CloseCause::CodecChanged), "
            5  +70.900 s  part 0 is closed, the codec changed: 10.000 s from 0.000 s, 2500000 bytes, 250 pictures, 468 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2; it is video 52c39afaceca928ba84d960270531ae6
            tells part-recorded, source-complete, analysed
            to do 5.0 ask about part 0's video
        ");
    flow.check(
        71_000,
        opening(2, 10_000),
        "
            6  +71.000 s  part 1 is opened at media time 10.000 s: H.264 1280x720 and AAC 48000 Hz x2
            to do 5.0 ask about part 0's video
        ",
    );
    flow.check(81_500, closed(1, 10_000, 10_000, CloseCause::Cycle), "
            7  +81.500 s  part 1 is closed, its cycle elapsed: 10.000 s from 10.000 s, 2500000 bytes, 250 pictures, 468 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2; it is video 7a4b16daa00d44721bbdf628ebd6568c
            tells part-recorded, source-complete, analysed
            to do 5.0 ask about part 0's video
            to do 7.0 ask about part 1's video
        ");
    flow.ends("
            broadcast: live with publisher 2; compose not yet asked for; in progress
            break: +10.000 s to +70.000 s
            part 0: +0.000 s to +10.000 s, 10.000 s from 0.000 s, 2500000 bytes, 250 pictures, 468 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2
            its video 52c39afaceca928ba84d960270531ae6 is stored, undecided
            part 1: +71.000 s to +81.000 s, 10.000 s from 10.000 s, 2500000 bytes, 250 pictures, 468 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2
            its video 7a4b16daa00d44721bbdf628ebd6568c is stored, undecided
        ");
    assert_eq!((flow.summary(0).gap_ms, flow.summary(1).gap_ms), (0, 60_000));
}

#[test]
fn the_wall_clock_may_be_set_back() {
    let mut flow = Flow::opened(store_only());
    flow.check(
        60_000,
        opening(1, 0),
        "2  +60.000 s  part 0 is opened at media time 0.000 s: H.264 1280x720 and AAC 48000 Hz x2",
    );
    flow.check(
        61_000,
        gone(1, LeaveCause::Disconnected),
        "
            3  +61.000 s  publisher 1 leaves: the connection ended
            wake at 241000
        ",
    );
    flow.check(30_000, asked(), "4  +30.000 s  publisher 2 joins from 203.0.113.9");
    flow.check(31_000, closed(0, 0, 2_000, CloseCause::Cycle), "
            5  +31.000 s  part 0 is closed, its cycle elapsed: 2.000 s from 0.000 s, 500000 bytes, 50 pictures, 93 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2; it is video 52c39afaceca928ba84d960270531ae6
            tells part-recorded, source-complete, analysed
            to do 5.0 ask about part 0's video
        ");
    flow.ends("
            broadcast: live with publisher 2; compose not yet asked for; in progress
            break: +61.000 s to +61.000 s
            part 0: +60.000 s to +60.000 s, 2.000 s from 0.000 s, 500000 bytes, 50 pictures, 93 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2
            its video 52c39afaceca928ba84d960270531ae6 is stored, undecided
        ");
}

#[test]
fn a_restart_within_the_window_goes_on_with_the_same_part() {
    let mut flow = Flow::opened(store_only());
    flow.check(
        500,
        opening(1, 0),
        "2  +0.500 s  part 0 is opened at media time 0.000 s: H.264 1280x720 and AAC 48000 Hz x2",
    );
    flow.check(
        30_000,
        gone(1, LeaveCause::ServerStopped),
        "
            3  +30.000 s  publisher 1 leaves: the server stopped
            wake at 210000
        ",
    );
    flow.restart();
    flow.check(33_000, asked(), "4  +33.000 s  publisher 2 joins from 203.0.113.9");
    flow.check(60_000, closed(0, 0, 55_000, CloseCause::Cycle), "
            5  +60.000 s  part 0 is closed, its cycle elapsed: 55.000 s from 0.000 s, 13750000 bytes, 1375 pictures, 2578 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2; it is video 52c39afaceca928ba84d960270531ae6
            tells part-recorded, source-complete, analysed
            to do 5.0 ask about part 0's video
        ");
    flow.check(
        60_100,
        opening(2, 55_000),
        "
            6  +60.100 s  part 1 is opened at media time 55.000 s: H.264 1280x720 and AAC 48000 Hz x2
            to do 5.0 ask about part 0's video
        ",
    );
    flow.ends("
            broadcast: live with publisher 2; compose not yet asked for; in progress
            break: +30.000 s to +33.000 s
            part 0: +0.500 s to +58.500 s, 55.000 s from 0.000 s, 13750000 bytes, 1375 pictures, 2578 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2
            its video 52c39afaceca928ba84d960270531ae6 is stored, undecided
            part 1: open since +60.100 s
        ");
}

#[test]
fn a_restart_after_the_window_closes_what_was_open() {
    let mut flow = Flow::opened(store_only());
    flow.check(
        500,
        opening(1, 0),
        "2  +0.500 s  part 0 is opened at media time 0.000 s: H.264 1280x720 and AAC 48000 Hz x2",
    );
    flow.restart();
    flow.check(
        900_000,
        gone(1, LeaveCause::ServerStopped),
        "
            3  +900.000 s  publisher 1 leaves: the server stopped
            wake at 1080000
        ",
    );
    flow.check(
        1_080_000,
        Input::Tick,
        "
            4  +1080.000 s  the broadcast is over: nobody came back
            to do 4.1 close part 0
        ",
    );
    flow.check(1_080_500, closed(0, 0, 29_500, CloseCause::Ended), "
            5  +1080.500 s  part 0 is closed, the broadcast is over: 29.500 s from 0.000 s, 7375000 bytes, 737 pictures, 1382 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2; it is video 52c39afaceca928ba84d960270531ae6
            tells part-recorded, source-complete, analysed
            to do 4.2 ask about the compose
            to do 5.0 ask about part 0's video
        ");
    flow.ends("
            broadcast: over (nobody came back); compose undecided; in progress
            part 0: +0.500 s to +30.000 s, 29.500 s from 0.000 s, 7375000 bytes, 737 pictures, 1382 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2
            its video 52c39afaceca928ba84d960270531ae6 is stored, undecided
        ");
}
