//! Runs [`fuzz::bfd_packet`] on what libFuzzer makes up.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::bfd_packet(data));
