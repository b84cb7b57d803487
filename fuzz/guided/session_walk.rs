//! `seeds::session_walk` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| twoport_testkit::seeds::session_walk(data));
