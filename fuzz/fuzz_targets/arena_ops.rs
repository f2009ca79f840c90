//! libFuzzer's way into `arena_ops`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| cpm_fuzz_targets::arena_ops(data));
