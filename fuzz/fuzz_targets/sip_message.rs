//! libFuzzer's way into `sip_message`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| cpm_fuzz_targets::sip_message(data));
