//! Runs [`fuzz::dhcp_message`] on what libFuzzer makes up.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::dhcp_message(data));
