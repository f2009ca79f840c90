//! libFuzzer's way into `sip_uri`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| cpm_fuzz_targets::sip_uri(data));
