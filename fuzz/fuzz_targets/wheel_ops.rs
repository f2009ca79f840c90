//! libFuzzer's way into `wheel_ops`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| cpm_fuzz_targets::wheel_ops(data));
