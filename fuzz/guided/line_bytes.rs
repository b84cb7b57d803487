//! `seeds::line_bytes` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| twoport_testkit::seeds::line_bytes(data));
