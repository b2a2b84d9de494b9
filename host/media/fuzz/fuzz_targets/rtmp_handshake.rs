#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| reprise_media_fuzz::targets::rtmp_handshake(data));
