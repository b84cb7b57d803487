//! The mirror: compare, then act. [`diff`] compares two trees and knows neither files nor servers; [`pattern`] says what
//! takes part; [`tree`] looks at a folder here or there; [`mod@act`] carries a plan out.

pub mod act;
pub mod diff;
pub mod pattern;
pub mod tree;

pub use act::{Direction, Event, Sides, Totals, act};
pub use diff::{Item, Plan, Removal, Rules, Skip, SkipWhy, Step, Tree, Why, plan};
pub use pattern::Pattern;
pub use tree::{Note, Seen, join, local_tree, remote_tree};
