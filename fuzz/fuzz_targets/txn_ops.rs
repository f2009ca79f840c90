//! libFuzzer's way into `txn_ops`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| cpm_fuzz_targets::txn_ops(data));
