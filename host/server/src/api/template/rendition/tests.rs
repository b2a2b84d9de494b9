use reprise_lifecycle::id::TemplateId;

use super::*;

fn of(definition: &str, settings: Value) -> Result<Rendition, Problem> {
    super::of(&Template {
        id: TemplateId::new("0a1b"),
        name: "name".into(),
        definition: definition.into(),
        format: String::new(),
        settings: settings.to_string(),
    })
}

/// A small template with `members` in place of its own.
fn with(members: Value) -> Value {
    let mut settings = serde_json::json!({
        "Container": {"Format": "mp4"},
        "Video": {"Codec": "H.264"},
        "Audio": {"Codec": "AAC"},
    });
    settings.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    settings
}

fn video(members: Value) -> VideoSettings {
    match of("SD", with(serde_json::json!({"Video": members}))).unwrap().video {
        Some(Track::Encode(video)) => video,
        other => panic!("{other:?}"),
    }
}

fn audio(members: Value) -> AudioSettings {
    match of("SD", with(serde_json::json!({"Audio": members}))).unwrap().audio {
        Some(Track::Encode(audio)) => audio,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_template_becomes_a_rendition() {
    let settings = serde_json::json!({
        "Container": {"Format": "m3u8"}, "MuxConfig": {"Segment": {"Duration": "6"}},
        "Video": {"Codec": "H.265", "Bitrate": "900", "Width": "960", "Height": "540", "Fps": "29.97", "Gop": "60",
                  "Crf": "20", "Preset": "fast", "Maxrate": "2000", "Bufsize": "4000", "PixFmt": "yuvj420p",
                  "LongShortMode": "false", "Remove": "false"},
        "Audio": {"Codec": "MP3", "Bitrate": "64", "Samplerate": "48000", "Channels": "1", "Remove": "False"},
        "TransConfig": {"IsCheckReso": "false", "TransMode": "twopass"},
        "WatermarkIds": [], "Clip": {}, "Rotate": "0",
    });
    let rendition = of("HD", settings).unwrap();
    assert_eq!(rendition.check(), Ok(()));
    assert_eq!(
        rendition,
        Rendition {
            key: "0a1b-sd".into(),
            container: Container::Hls { segment_seconds: 6 },
            video: Some(Track::Encode(VideoSettings {
                codec: VideoCodec::H265,
                width: Some(960),
                height: Some(540),
                bitrate_kbps: Some(900),
                crf: Some(20),
                fps: Some(29.97),
                gop: Some(60),
                profile: None,
                preset: Preset::Fast,
                maxrate_kbps: Some(2000),
                bufsize_kb: Some(4000),
                pixel_format: PixelFormat::Yuvj420p,
                long_short_mode: false,
            })),
            audio: Some(Track::Encode(AudioSettings {
                codec: AudioCodec::Mp3,
                bitrate_kbps: Some(64),
                sample_rate: Some(48_000),
                channels: Some(1),
            })),
            allow_upscale: true,
        }
    );
}

#[test]
fn what_is_left_out_has_the_vendors_defaults() {
    let rendition = of("SD", with(serde_json::json!({}))).unwrap();
    assert_eq!(rendition.container, Container::Mp4);
    assert!(!rendition.allow_upscale);
    let expected = VideoSettings { profile: Some(H264Profile::High), ..VideoSettings::new(VideoCodec::H264) };
    assert_eq!(video(serde_json::json!({})), expected);
    let sound = audio(serde_json::json!({}));
    assert_eq!((sound.codec, sound.sample_rate, sound.channels), (AudioCodec::Aac, Some(44_100), Some(2)));
    assert_eq!(
        of("SD", with(serde_json::json!({"Container": {"Format": "m3u8"}}))).unwrap().container,
        Container::Hls { segment_seconds: 10 }
    );
}

#[test]
fn an_original_is_copied_and_tracks_can_be_removed() {
    let original = of("OD", serde_json::json!({"Container": {"Format": "mp4"}})).unwrap();
    assert_eq!((original.video, original.audio), (Some(Track::Copy), Some(Track::Copy)));
    let sound = of("HQ", with(serde_json::json!({"Video": {"Remove": "true"}}))).unwrap();
    assert_eq!(sound.video, None);
    let silent = of("SD", with(serde_json::json!({"Audio": {"Remove": "True"}}))).unwrap();
    assert_eq!(silent.audio, None);
    let constant = with(serde_json::json!({"Video": {"Bitrate": "800"}, "TransConfig": {"TransMode": "CBR"}}));
    assert!(matches!(
        of("SD", constant).unwrap().video,
        Some(Track::Encode(VideoSettings { bitrate_kbps: Some(800), maxrate_kbps: Some(800), .. }))
    ));
}

#[test]
fn every_range_is_the_documented_one() {
    // (part, member, allowed, refused)
    let table: [(&str, &str, &[&str], &[&str]); 19] = [
        ("Video", "Bitrate", &["10", "50000"], &["9", "50001", "x", "", "-1", "900.5"]),
        ("Video", "Width", &["128", "4096"], &["126", "129", "4098", ""]),
        ("Video", "Height", &["128", "720"], &["127", "721"]),
        ("Video", "Fps", &["0.5", "60"], &["0", "61", "NaN", "inf", "-5"]),
        ("Video", "Gop", &["1", "100000"], &["0", "100001"]),
        ("Video", "Crf", &["0", "51"], &["52"]),
        ("Video", "Maxrate", &["1000", "50000"], &["999", "50001"]),
        ("Video", "Bufsize", &["1000", "128000"], &["999", "128001"]),
        ("Video", "Codec", &["H.264", "h.265"], &["GIF", "AV1"]),
        ("Video", "Profile", &["baseline", "main", "high"], &["extended"]),
        ("Video", "Preset", &["veryfast", "slower"], &["placebo"]),
        ("Video", "ScanMode", &["progressive"], &["interlaced"]),
        ("Video", "LongShortMode", &["true", "False"], &["maybe"]),
        ("Audio", "Bitrate", &["8", "1000"], &["7", "1001"]),
        ("Audio", "Samplerate", &["22050", "96000"], &["11025", "8000"]),
        ("Audio", "Channels", &["1", "8"], &["0", "3", "7"]),
        ("Audio", "Codec", &["AAC", "MP3"], &["VORBIS", "FLAC"]),
        ("Audio", "Profile", &["aac_low"], &["aac_he"]),
        ("Container", "Format", &["mp4", "M3U8"], &["flv", "ts", "gif"]),
    ];
    for (part, member, allowed, refused) in table {
        let set = |value: &str| {
            let mut settings = with(serde_json::json!({}));
            settings[part][member] = value.into();
            of("SD", settings)
        };
        for value in allowed {
            assert!(set(value).is_ok(), "{part}.{member}={value}: {:?}", set(value));
        }
        for value in refused {
            assert_eq!(set(value).unwrap_err().member, format!("{part}.{member}"), "{value:?}");
        }
    }
    let mp3 = |rate: &str| of("SD", with(serde_json::json!({"Audio": {"Codec": "MP3", "Samplerate": rate}})));
    assert!(mp3("48000").is_ok());
    assert_eq!(mp3("96000").unwrap_err().member, "Audio.Samplerate");
    for (seconds, fits) in [("1", true), ("60", true), ("0", false), ("61", false)] {
        let settings = with(serde_json::json!({"MuxConfig": {"Segment": {"Duration": seconds}}}));
        assert_eq!(of("SD", settings).is_ok(), fits, "{seconds}");
    }
}

#[test]
fn what_is_not_offered_is_refused_by_name() {
    let table = [
        (serde_json::json!({"Type": "VideoPackage"}), "Type"),
        (serde_json::json!({"WatermarkIds": ["w1"]}), "WatermarkIds"),
        (serde_json::json!({"SubtitleList": [{"SubtitleUrl": "http://x/y.srt"}]}), "SubtitleList"),
        (serde_json::json!({"Clip": {"TimeSpan": {"Seek": "1"}}}), "Clip"),
        (serde_json::json!({"EncryptSetting": {"EncryptType": "AliyunVoDEncryption"}}), "EncryptSetting"),
        (serde_json::json!({"PackageSetting": {"PackageType": "HLSPackage"}}), "PackageSetting"),
        (serde_json::json!({"TranscodeFileRegular": "{MediaId}/x"}), "TranscodeFileRegular"),
        (serde_json::json!({"Rotate": "90"}), "Rotate"),
        (serde_json::json!({"TransConfig": {"IsCheckResoFail": "true"}}), "TransConfig.IsCheckResoFail"),
        (serde_json::json!({"TransConfig": {"TransMode": "threepass"}}), "TransConfig.TransMode"),
        (serde_json::json!({"Audio": {"Volume": {"Method": "auto"}}}), "Audio.Volume"),
        (serde_json::json!({"Container": {}}), "Container"),
        (serde_json::json!({"Video": null}), "Video"),
        (serde_json::json!({"Video": {"Remove": "true"}, "Audio": {"Remove": "true"}}), "Audio.Remove"),
    ];
    for (members, member) in table {
        assert_eq!(of("SD", with(members.clone())).unwrap_err().member, member, "{members}");
    }
    assert_eq!(of("SD", serde_json::json!([])).unwrap_err().member, "settings");
}
