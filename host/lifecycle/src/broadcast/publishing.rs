//! Publishers come and go; the break window decides when a broadcast is over.

use super::{Break, Broadcast, Compose, MAX_BREAKS, Publishing, Rejected};
use crate::id::{Epoch, RecordSeq};
use crate::record::{EndCause, LeaveCause, Record};
use crate::time::Timestamp;

pub(super) fn asked(broadcast: &Broadcast, client: &str, now: Timestamp) -> Result<Vec<Record>, Rejected> {
    match broadcast.publishing {
        Publishing::Live { .. } => Err(Rejected::AlreadyLive),
        Publishing::Over { .. } => Err(Rejected::Over),
        // The window may have passed without a tick; who comes back after it opens a new broadcast.
        Publishing::Broken { .. } if window_passed(broadcast, now) => Err(Rejected::Over),
        Publishing::Broken { .. } => {
            // Out of numbers, the stream goes on as a new broadcast.
            let epoch = broadcast.epoch.checked_add(1).ok_or(Rejected::Over)?;
            Ok(vec![Record::PublisherJoined { epoch, client: client.to_owned(), at: now }])
        }
    }
}

/// Where the publisher stood when it left, as far as it is known: the broadcast's timeline, and the wall clock of its
/// last media.
type Stood = (Option<u64>, Option<Timestamp>);

pub(super) fn gone(
    broadcast: &Broadcast,
    epoch: Epoch,
    cause: LeaveCause,
    (media_ms, last_media_at): Stood,
    now: Timestamp,
) -> Vec<Record> {
    let connected = match broadcast.publishing {
        Publishing::Live { epoch } => Some(epoch),
        Publishing::Over { lingering, .. } => lingering,
        Publishing::Broken { .. } => None,
    };
    if connected != Some(epoch) {
        return Vec::new();
    }
    // A clock that was set back, or a file from elsewhere, must not make a break begin after its leave.
    let last_media_at = last_media_at.filter(|at| *at < now);
    vec![Record::PublisherLeft { epoch, cause, media_ms, last_media_at, at: now }]
}

pub(super) fn end(broadcast: &Broadcast, cause: EndCause, now: Timestamp) -> Vec<Record> {
    if broadcast.is_over() { Vec::new() } else { vec![Record::Ended { cause, at: now }] }
}

pub(super) fn tick(broadcast: &Broadcast, now: Timestamp) -> Vec<Record> {
    if window_passed(broadcast, now) {
        vec![Record::Ended { cause: EndCause::BreakWindow, at: now }]
    } else {
        Vec::new()
    }
}

fn window_passed(broadcast: &Broadcast, now: Timestamp) -> bool {
    broadcast.wake_at().is_some_and(|wake| now >= wake)
}

pub(super) fn apply_joined(
    broadcast: &mut Broadcast,
    epoch: Epoch,
    client: &str,
    at: Timestamp,
) -> Result<(), &'static str> {
    let Publishing::Broken { from, media_ms, .. } = broadcast.publishing else {
        return Err("a publisher joins a broadcast that has one, or that is over");
    };
    if broadcast.epoch.checked_add(1) != Some(epoch) {
        return Err("a publisher out of order");
    }
    if broadcast.epoch > 0 {
        note_break(
            broadcast,
            Break {
                from,
                // The wall clock may have been set back meanwhile; a break is never shorter than nothing.
                to: at.max(from),
                media_ms,
            },
        );
    }
    broadcast.epoch = epoch;
    broadcast.publisher = Some((client.to_owned(), at));
    broadcast.publishing = Publishing::Live { epoch };
    Ok(())
}

fn note_break(broadcast: &mut Broadcast, gap: Break) {
    if broadcast.breaks.len() < MAX_BREAKS {
        broadcast.breaks.push(gap);
    } else if let Some(last) = broadcast.breaks.last_mut() {
        last.to = last.to.plus_ms(i64::try_from(gap.to.ms_since(gap.from)).unwrap_or(i64::MAX));
    }
}

pub(super) fn apply_left(
    broadcast: &mut Broadcast,
    epoch: Epoch,
    (media_ms, last_media_at): Stood,
    at: Timestamp,
) -> Result<(), &'static str> {
    match &mut broadcast.publishing {
        Publishing::Live { epoch: live } if *live == epoch => {
            // Before its publisher joined nothing of it was recorded, whatever a file's time says.
            let joined_at = broadcast.publisher.as_ref().map_or(at, |(_, joined_at)| *joined_at);
            let from = last_media_at.map_or(at, |last| last.max(joined_at));
            broadcast.publishing = Publishing::Broken { since: at, from, media_ms };
        }
        Publishing::Over { lingering, .. } if *lingering == Some(epoch) => *lingering = None,
        Publishing::Live { .. } | Publishing::Broken { .. } | Publishing::Over { .. } => {
            return Err("a publisher leaves that is not connected");
        }
    }
    Ok(())
}

pub(super) fn apply_ended(
    broadcast: &mut Broadcast,
    cause: EndCause,
    at: Timestamp,
    record: RecordSeq,
) -> Result<(), &'static str> {
    let lingering = match broadcast.publishing {
        Publishing::Live { epoch } => Some(epoch),
        Publishing::Broken { .. } => None,
        Publishing::Over { .. } => return Err("ended twice"),
    };
    broadcast.publishing = Publishing::Over { cause, at, record, lingering };
    broadcast.compose = Compose::Deciding;
    Ok(())
}
