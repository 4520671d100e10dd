//! Runs [`fuzz::packet_headers`] on what libFuzzer makes up.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::packet_headers(data));
