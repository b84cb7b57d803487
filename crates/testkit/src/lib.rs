//! Worlds, scripts and peers for the tests of twoport.
