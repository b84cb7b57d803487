//! `seeds::listing_lines` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| twoport_testkit::seeds::listing_lines(data));
