//! The mirror: compare, then act. [`diff`] compares two trees and knows neither files nor servers; [`pattern`] says what
//! takes part.

pub mod diff;
pub mod pattern;

pub use diff::{Item, Plan, Removal, Rules, Skip, SkipWhy, Step, Tree, Why, plan};
pub use pattern::Pattern;
