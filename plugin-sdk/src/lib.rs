//! What a policy's author depends on: one trait, one macro, and a table of cases.
//!
//! A policy is a type that can be read from the tenant's settings and that answers at some hooks:
//!
//! ```
//! use reprise_plugin::{Error, Policy, TemplateGroupAnswer, TemplateGroupQuestion, reason};
//! use serde::Deserialize;
//!
//! /// The settings, and at the same time the policy.
//! #[derive(Default, Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Tall {
//!     /// From this picture height on, `group` applies.
//!     from_height: u32,
//!     group: String,
//! }
//!
//! impl Policy for Tall {
//!     fn template_group(&self, question: &TemplateGroupQuestion) -> Result<TemplateGroupAnswer, Error> {
//!         let height = question.part.video.as_ref().map_or(0, |video| video.height);
//!         if height < self.from_height {
//!             return Ok(TemplateGroupAnswer::UseDefault);
//!         }
//!         reason(format!("{height} lines are at least {}", self.from_height));
//!         Ok(TemplateGroupAnswer::Group(self.group.clone()))
//!     }
//! }
//!
//! reprise_plugin::export!(Tall: template_group);
//! # fn main() {}
//! ```
//!
//! Beside the answer a policy can say why it came out so ([`reason`]), leave lines for its author ([`mod@log`]), keep
//! texts from one call to the next ([`state`]) and read the files it was built with ([`assets`]).
//!
//! The crate is a `cdylib`, compiled for `wasm32-unknown-unknown`; `reprise plugin build` does that and turns
//! the result into a component. Tests run natively, see [`testing`].
//!
//! This crate knows the interface and nothing of the host: what an answer leads to, and which limits a call
//! has, is said in `policy.wit`, whose words its types repeat.

pub mod assets;
mod bindings;
mod error;
mod export;
#[cfg(all(target_arch = "wasm32", feature = "heap"))]
mod heap;
pub mod log;
mod policy;
mod reason;
pub mod state;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use bindings::{
    AudioTrack, CallbackAnswer, CallbackQuestion, CallbackReplacement, ComposeAnswer, ComposePlan, ComposeQuestion,
    GapRule, GroupChoice, MediaFacts, Origin, Part, PartRange, StreamKey, Stretch, TemplateGroupAnswer,
    TemplateGroupQuestion, VideoTrack,
};
pub use error::Error;
pub use policy::{NO_TRANSCODE, Policy};
pub use reason::reason;

/// What [`export!`] expands to refers to; no part of the interface.
#[doc(hidden)]
pub mod private {
    pub use crate::bindings::{CallbackDecision, ComposeDecision, TemplateGroupDecision};
    pub use crate::bindings::{callback, compose_rules, settings, template_group};
    pub use crate::export::{Asked, check, decide};
}
