//! The gap map of a composed video: when the publisher was gone, and where in the video that is.

use reprise_lifecycle::broadcast::Compose;
use reprise_lifecycle::id::BroadcastId;
use reprise_lifecycle::question::GapRule;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::Error;
use super::form::when;
use super::{Shared, broadcasts};
use crate::compose::{MappedGap, gap_map};
use crate::store::videos::VideoRow;

/// A gap of a composed video.
#[derive(Serialize, ToSchema)]
pub(super) struct GapView {
    /// When the publisher's last media came.
    from: String,
    /// When it came back.
    to: String,
    duration_ms: u64,
    /// Where in the video's file, in milliseconds: the seam, or the beginning of what stands in for the gap.
    at_ms: u64,
}

/// The rule that a video was composed by, and its gaps in the order in which they play. None for other videos.
pub(super) async fn of(shared: &Shared, row: &VideoRow) -> Result<Option<(&'static str, Vec<GapView>)>, Error> {
    if row.source != "compose" {
        return Ok(None);
    }
    let Some(broadcast) = broadcasts::folded(shared, BroadcastId::new(&row.broadcast)).await? else { return Ok(None) };
    let Compose::Planned(plan, _) = &broadcast.compose else { return Ok(None) };
    let rule = match plan.gaps {
        GapRule::Cut => "cut",
        GapRule::Hold => "hold",
        GapRule::Slate => "slate",
    };
    Ok(Some((rule, gap_map(&broadcast, plan).into_iter().map(GapView::from).collect())))
}

impl From<MappedGap> for GapView {
    fn from(mapped: MappedGap) -> Self {
        let MappedGap { gap, at_ms } = mapped;
        Self { from: when(gap.from.0), to: when(gap.to.0), duration_ms: gap.to.ms_since(gap.from), at_ms }
    }
}
