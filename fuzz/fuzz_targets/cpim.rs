//! libFuzzer's way into `cpim`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| cpm_fuzz_targets::cpim(data));
