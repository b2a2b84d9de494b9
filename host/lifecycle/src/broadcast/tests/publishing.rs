//! Publishers come, go, come back in time or too late, and are sent away.

use super::flow::Flow;
use super::inputs::*;
use crate::broadcast::Rejected;
use crate::input::Input;
use crate::record::{CloseCause, EndCause, LeaveCause};

#[test]
fn a_publisher_comes_back_just_inside_the_window() {
    let mut flow = Flow::left_at(20_000);
    flow.check(199_999, asked(), "6  +199.999 s  publisher 2 joins from 203.0.113.9");
    flow.check(200_000, Input::Tick, "no record");
}

#[test]
fn the_window_is_over_at_its_last_millisecond() {
    let mut flow = Flow::left_at(20_000);
    flow.check(
        199_999,
        Input::Tick,
        "
            no record
            wake at 200000
        ",
    );
    flow.refuses(200_000, asked(), Rejected::Over);
    flow.check(
        200_000,
        Input::Tick,
        "
            6  +200.000 s  the broadcast is over: nobody came back
            to do 6.2 ask about the compose
        ",
    );
    flow.refuses(200_000, asked(), Rejected::Over);
}

#[test]
fn a_publisher_after_the_window_opens_another_broadcast() {
    let mut flow = Flow::left_at(20_000);
    flow.refuses(200_001, asked(), Rejected::Over);
    flow.check(
        260_000,
        Input::Tick,
        "
            6  +260.000 s  the broadcast is over: nobody came back
            to do 6.2 ask about the compose
        ",
    );
    flow.check(
        260_001,
        Input::Tick,
        "
            no record
            to do 6.2 ask about the compose
        ",
    );
}

#[test]
fn a_shutdown_closes_everything() {
    let mut flow = Flow::opened(store_only());
    flow.check(
        500,
        opening(1, 0),
        "2  +0.500 s  part 0 is opened at media time 0.000 s: H.264 1280x720 and AAC 48000 Hz x2",
    );
    flow.check(
        5_000,
        end(EndCause::Shutdown),
        "
            3  +5.000 s  the broadcast is over: the server stops for good
            to do 3.0 send publisher 1 away
        ",
    );
    flow.check(
        5_001,
        end(EndCause::Forbidden),
        "
            no record
            to do 3.0 send publisher 1 away
        ",
    );
    flow.check(5_100, closed(0, 0, 4_500, CloseCause::Ended), "
            4  +5.100 s  part 0 is closed, the broadcast is over: 4.500 s from 0.000 s, 1125000 bytes, 112 pictures, 210 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2; it is video 52c39afaceca928ba84d960270531ae6
            tells part-recorded, source-complete, analysed
            to do 3.0 send publisher 1 away
            to do 4.0 ask about part 0's video
        ");
    flow.check(
        5_200,
        gone(1, LeaveCause::ServerStopped),
        "
            5  +5.200 s  publisher 1 leaves: the server stopped
            to do 3.2 ask about the compose
            to do 4.0 ask about part 0's video
        ",
    );
    flow.ends("
            broadcast: over (the server stops for good); compose undecided; in progress
            part 0: +0.500 s to +5.000 s, 4.500 s from 0.000 s, 1125000 bytes, 112 pictures, 210 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2
            its video 52c39afaceca928ba84d960270531ae6 is stored, undecided
        ");
}

#[test]
fn forbidding_a_live_stream_sends_its_publisher_away_first() {
    let mut flow = Flow::opened(composing("g-hd"));
    flow.check(
        500,
        opening(1, 0),
        "2  +0.500 s  part 0 is opened at media time 0.000 s: H.264 1280x720 and AAC 48000 Hz x2",
    );
    flow.check(
        5_000,
        end(EndCause::Forbidden),
        "
            3  +5.000 s  the broadcast is over: forbidden
            to do 3.0 send publisher 1 away
        ",
    );
    flow.refuses(5_001, asked(), Rejected::Over);
    flow.check(
        5_002,
        opening(1, 4_500),
        "
            no record
            to do 3.0 send publisher 1 away
        ",
    );
    flow.check(
        5_100,
        gone(1, LeaveCause::Dropped),
        "
            4  +5.100 s  publisher 1 leaves: it was sent away
            to do 3.1 close part 0
        ",
    );
    flow.check(5_200, closed(0, 0, 4_500, CloseCause::Ended), "
            5  +5.200 s  part 0 is closed, the broadcast is over: 4.500 s from 0.000 s, 1125000 bytes, 112 pictures, 210 audio frames, H.264 1280x720 at 25 fps and AAC 48000 Hz x2; it is video 52c39afaceca928ba84d960270531ae6
            tells part-recorded, source-complete, analysed
            to do 3.2 ask about the compose
            to do 5.0 ask about part 0's video
        ");
}

#[test]
fn what_an_older_publisher_says_is_stale() {
    let mut flow = Flow::left_at(20_000);
    flow.check(30_000, asked(), "6  +30.000 s  publisher 2 joins from 203.0.113.9");
    flow.check(30_001, gone(1, LeaveCause::Disconnected), "no record");
    flow.check(30_002, opening(1, 10_000), "no record");
    flow.check(30_003, gone(3, LeaveCause::Disconnected), "no record");
    flow.refuses(30_004, asked(), Rejected::AlreadyLive);
    flow.check(
        30_005,
        opening(2, 10_000),
        "7  +30.005 s  part 1 is opened at media time 10.000 s: H.264 1280x720 and AAC 48000 Hz x2",
    );
    flow.check(
        40_000,
        gone(2, LeaveCause::Disconnected),
        "
            8  +40.000 s  publisher 2 leaves: the connection ended
            wake at 220000
        ",
    );
    flow.check(
        40_001,
        gone(2, LeaveCause::Disconnected),
        "
            no record
            wake at 220000
        ",
    );
}
