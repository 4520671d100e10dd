//! Runs [`fuzz::intent_lock`] on what libFuzzer makes up.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::intent_lock(data));
