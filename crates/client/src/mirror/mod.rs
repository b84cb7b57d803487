//! The mirror: compare, then act. [`diff`] compares two trees and knows neither files nor servers; [`pattern`] says what
//! takes part; [`tree`] knows what a folder here or there looks like; [`mod@act`] looks and carries a plan out.

pub mod act;
pub mod diff;
pub mod pattern;
pub mod tree;

pub use act::{Direction, Done, Event, Sides, Totals, act, look};
pub use diff::{Item, Plan, Removal, Rules, Skip, SkipWhy, Step, Tree, Why, plan};
pub use pattern::Pattern;
pub use tree::{Note, Seen, join, local_tree};
