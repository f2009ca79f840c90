//! libFuzzer's way into `coding`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| cpm_fuzz_targets::coding(data));
