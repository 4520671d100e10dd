//! Runs [`fuzz::forwarding_frame`] on what libFuzzer makes up.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::forwarding_frame(data));
