//! libFuzzer's way into `store_ops`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| cpm_fuzz_targets::store_ops(data));
