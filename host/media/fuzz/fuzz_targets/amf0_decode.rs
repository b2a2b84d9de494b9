#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| reprise_media_fuzz::targets::amf0_decode(data));
