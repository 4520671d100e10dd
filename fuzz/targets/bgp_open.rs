//! Runs [`fuzz::bgp_open`] on what libFuzzer makes up.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::bgp_open(data));
