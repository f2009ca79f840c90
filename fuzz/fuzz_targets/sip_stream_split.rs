//! libFuzzer's way into `sip_stream_split`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| cpm_fuzz_targets::sip_stream_split(data));
