//! libFuzzer's way into `endpoint_pair`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| cpm_fuzz_targets::endpoint_pair(data));
