//! Worlds, scripts and peers for the tests of twoport. Nothing here sleeps, opens a socket or reads a clock: time is a
//! value that the test moves. Only `road`, on Linux, is of this world.
//!
//! | what | where |
//! | --- | --- |
//! | a session's whole surroundings in memory, obeying it as the driver does | [`world`], over a [`tree`] |
//! | dialogue files, `C:` and `S:` lines | [`script`] |
//! | what must always hold, whatever happens | [`judge`] |
//! | one random walk through a world | [`walk`] |
//! | a client and the server with latency and torn lines between | [`pair`] |
//! | the bodies of all fuzz targets, as plain functions | [`seeds`] |
//! | chance that can be repeated | [`random`] |
//! | a long road between two hosts of `twoport-netns` | `road` |

pub mod judge;
pub mod pair;
pub mod random;
#[cfg(target_os = "linux")]
pub mod road;
pub mod script;
pub mod seeds;
pub mod tree;
pub mod walk;
pub mod world;

pub use world::{Move, World};
