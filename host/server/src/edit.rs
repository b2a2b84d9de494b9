//! Online editing: a timeline of clips, sound and pictures becomes one video.
//!
//! | Module | What it knows |
//! |---|---|
//! | [`timeline`] | what an editor asked for, in our own words; the form in which a production freezes it |
//! | [`layout`] | the timeline laid over its materials: what is seen and heard when, checked |
//! | [`materials`] | what the catalogue knows of them |
//! | `pins` | keeping materials at hand from before a production is accepted until it has its result |
//! | [`plain`] | whether a layout is nothing but cuts and joins, which needs no encoder |
//! | [`image`] | what a picture file is by its first bytes |
//! | [`fonts`] | which installed font can draw a text |
//! | [`produce`] | doing it: materials at hand, ffmpeg or a copy, the result published whole |
//!
//! Timeline, layout, plain and image are pure. None knows how the vendor writes a timeline.

pub mod fonts;
pub mod image;
pub mod layout;
pub mod materials;
mod pack;
pub(crate) mod pins;
pub mod plain;
pub mod produce;
pub mod timeline;

pub use layout::{Layout, LayoutError, Materials};
pub use timeline::Timeline;
