//! Runs [`fuzz::isis_pdu`] on what libFuzzer makes up.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::isis_pdu(data));
