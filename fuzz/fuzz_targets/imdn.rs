//! libFuzzer's way into `imdn`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| cpm_fuzz_targets::imdn(data));
