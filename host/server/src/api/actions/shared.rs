//! What several actions share, one subject each.

pub(super) mod ai;
pub(super) mod editing;
pub(super) mod groups;
pub(super) mod info;
pub(super) mod links;
pub(super) mod live;
pub(super) mod materials;
pub(super) mod paging;
pub(super) mod picture_templates;
pub(super) mod produce;
pub(super) mod record_notify;
pub(super) mod removals;
pub(super) mod requests;
pub(super) mod rules;
pub(super) mod tasks;
pub(super) mod user_data;
pub(super) mod videos;
