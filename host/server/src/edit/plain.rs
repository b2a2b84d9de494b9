//! Whether a layout is nothing but cuts and joins. Then the result is a copy of stretches of its materials, and no
//! frame has to be encoded. Pure; whether the stretches begin at keyframes and whether the materials' codec
//! configurations are equal is for who reads the files to say.

use super::layout::{Content, Layout, Materials};

/// A stretch of one material.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainRange {
    pub video: String,
    pub from_ms: u64,
    /// `None`: to its end.
    pub to_ms: Option<u64>,
}

/// The stretches that, one after the other, are the result; `None` if anything is drawn, mixed, resized or left black.
pub fn plain_ranges(layout: &Layout, materials: &Materials) -> Option<Vec<PlainRange>> {
    let canvas = layout.canvas?;
    let bare =
        layout.sounds.is_empty() && layout.overlays.is_empty() && layout.blurs.is_empty() && layout.texts.is_empty();
    if !bare {
        return None;
    }
    layout
        .shots
        .iter()
        .map(|shot| {
            let Content::Video { id, from_ms, gains, .. } = &shot.content else { return None };
            let material = materials.videos.get(id)?;
            let picture = material.picture?;
            if !gains.is_empty() || (picture.width, picture.height) != (canvas.width, canvas.height) {
                return None;
            }
            let to_ms = from_ms + shot.length_ms();
            Some(PlainRange {
                video: id.clone(),
                from_ms: *from_ms,
                to_ms: (to_ms < material.duration_ms).then_some(to_ms),
            })
        })
        .collect()
}
