#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| spansight_fuzz::groups::file(data));
