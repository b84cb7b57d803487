//! What the commands do, by subject. Each function is a row's of the table.

pub(super) mod files;
pub(super) mod listing;
pub(super) mod local;
pub(super) mod many;
pub(super) mod meta;
pub(super) mod options;
pub(super) mod relay;
pub(super) mod session;
pub(super) mod toggles;
pub(super) mod transfer;

mod confirm;
mod place;
