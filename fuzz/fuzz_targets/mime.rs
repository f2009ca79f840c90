//! libFuzzer's way into `mime`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| cpm_fuzz_targets::mime(data));
