//! Runs [`fuzz::intent_files`] on what libFuzzer makes up.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::intent_files(data));
