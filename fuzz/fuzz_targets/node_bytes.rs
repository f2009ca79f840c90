//! libFuzzer's way into `node_bytes`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| cpm_fuzz_targets::node_bytes(data));
