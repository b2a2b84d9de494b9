use super::super::template::{AudioCodec, AudioSettings, H264Profile, Preset, Track, VideoSettings};
use super::*;

fn source() -> Source {
    Source {
        path: PathBuf::from("/data/s 1.mp4"),
        size_bytes: 1_000_000,
        duration_ms: 10_000,
        video: Some(VideoSource { codec: VideoCodec::H264, width: 1280, height: 720, fps: 30.0 }),
        audio: Some(AudioSource { sample_rate: 48_000, channels: 2 }),
    }
}

fn rendition(key: &str) -> Rendition {
    Rendition {
        key: key.into(),
        container: Container::Mp4,
        video: Some(Track::Encode(VideoSettings::new(VideoCodec::H264))),
        audio: Some(Track::Encode(AudioSettings::aac())),
        allow_upscale: false,
    }
}

fn with_video(change: impl FnOnce(&mut VideoSettings)) -> Rendition {
    let mut video = VideoSettings::new(VideoCodec::H264);
    change(&mut video);
    Rendition { video: Some(Track::Encode(video)), audio: None, ..rendition("r") }
}

/// The command as a person would read it: one output per line, the input's options first.
fn text(plan: &Plan) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut args = plan.args.iter().map(|arg| arg.to_str().unwrap()).peekable();
    while let Some(arg) = args.next() {
        let line = lines.last_mut().unwrap();
        line.push_str(arg);
        let ends_output = [".mp4", ".m3u8", ".jpg"].iter().any(|end| arg.ends_with(end)) && arg != "init.mp4";
        match args.peek() {
            Some(_) if ends_output => lines.push(String::new()),
            Some(_) => line.push(' '),
            None => {}
        }
    }
    lines
}

fn only_output(source: &Source, rendition: Rendition) -> String {
    let plan = plan(source, &[rendition], None, 2).unwrap();
    assert_eq!(plan.refused, [], "nothing is refused");
    text(&plan).remove(1)
}

#[test]
fn one_command_for_everything() {
    let renditions = [
        Rendition {
            video: Some(Track::Encode(VideoSettings {
                width: Some(640),
                height: Some(360),
                bitrate_kbps: Some(800),
                maxrate_kbps: Some(1200),
                profile: Some(H264Profile::Main),
                preset: Preset::Fast,
                fps: Some(15.0),
                ..VideoSettings::new(VideoCodec::H264)
            })),
            audio: Some(Track::Encode(AudioSettings {
                codec: AudioCodec::Aac,
                bitrate_kbps: Some(64),
                sample_rate: Some(44_100),
                channels: Some(1),
            })),
            ..rendition("sd")
        },
        Rendition {
            container: Container::Hls { segment_seconds: 4 },
            video: Some(Track::Encode(VideoSettings {
                gop: Some(48),
                crf: Some(30),
                bitrate_kbps: Some(999),
                ..VideoSettings::new(VideoCodec::H265)
            })),
            ..rendition("hd")
        },
        Rendition { video: Some(Track::Copy), audio: Some(Track::Copy), ..rendition("od") },
    ];
    let cover = SnapshotPlan::cover("cover", 2500);
    let plan = plan(&source(), &renditions, Some(&cover), 2).unwrap();
    let expected = [
        "-hide_banner -nostdin -y -nostats -loglevel level+info -progress pipe:1 -filter_threads 2 -threads 2 \
         -protocol_whitelist file,pipe -codec_whitelist h264,hevc,aac,mp3float,mp3 -max_pixels 9437184 -noautorotate \
         -enable_drefs 0 -f mov -i file:/data/s 1.mp4",
        "-map 0:v:0 -vf fps=15,scale=640:360 -fps_mode vfr -enc_time_base 1:90000 -r 15 -c:v libx264 -profile:v main \
         -sc_threshold 0 -preset fast -pix_fmt yuv420p -g 30 -keyint_min 30 -flags:v +cgop -threads:v 2 -b:v 800k \
         -maxrate 1200k -bufsize 6000k -map 0:a:0 -af aresample=async=1 -c:a aac -b:a 64k -ar 44100 -ac 1 \
         -map_metadata -1 -map_chapters -1 -movflags +faststart -f mp4 sd.mp4",
        "-map 0:v:0 -vf scale=1280:720 -fps_mode vfr -enc_time_base 1:90000 -r 30 -c:v libx265 -profile:v main -x265-params \
         keyint=48:min-keyint=48:scenecut=0:open-gop=0:pools=2:log-level=error -tag:v hvc1 -preset medium \
         -pix_fmt yuv420p -g 48 -keyint_min 48 -flags:v +cgop -threads:v 2 -crf 30 -map 0:a:0 -af aresample=async=1 \
         -c:a aac -b:a 128k -map_metadata -1 -map_chapters -1 -f hls -hls_time 4 -hls_list_size 0 \
         -hls_playlist_type vod -hls_segment_type fmp4 -hls_flags independent_segments -hls_fmp4_init_filename init.mp4 \
         -hls_segment_filename hd/seg-%05d.m4s hd/index.m3u8",
        "-map 0:v:0 -c:v copy -map 0:a:0 -c:a copy -map_metadata -1 -map_chapters -1 -movflags +faststart -f mp4 od.mp4",
        "-map 0:v:0 -vf select='isnan(prev_selected_t)+lt(prev_selected_t,1.250)*gte(t,1.250)',scale=1280:720 \
         -fps_mode vfr -frames:v 2 -c:v mjpeg -pix_fmt yuvj420p -q:v 3 -threads:v 1 -f image2 cover-%05d.jpg",
    ];
    let found = text(&plan);
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len());
    assert_eq!(plan.outputs[1].directory.as_deref(), Some("hd"));
    assert_eq!(plan.outputs[1].entry, "hd/index.m3u8");
    assert_eq!(plan.outputs[0].expected_bps, 864_000);
}

#[test]
fn picture_settings_become_arguments() {
    type Change = fn(&mut VideoSettings);
    let cases: [(Change, &[&str], &[&str]); 9] = [
        (|_| (), &["-crf 26 ", "-g 60 ", "-profile:v high "], &["-b:v", "fps=", "-maxrate"]),
        (|v| v.bitrate_kbps = Some(500), &["-b:v 500k "], &["-crf"]),
        (|v| v.crf = Some(0), &["-crf 0 "], &["-b:v"]),
        (|v| v.fps = Some(30.0), &["-g 60 "], &["fps="]),
        (|v| v.fps = Some(60.0), &["-g 60 "], &["fps="]),
        (|v| v.fps = Some(29.97), &["-g 60 "], &["fps="]),
        (|v| v.fps = Some(12.5), &["-vf fps=12.5,scale=1280:720 ", "-g 25 "], &[]),
        (|v| v.height = Some(180), &["scale=320:180 "], &[]),
        (|v| v.width = Some(4096), &["scale=1280:720 "], &[]),
    ];
    for (index, (change, present, absent)) in cases.into_iter().enumerate() {
        let line = only_output(&source(), with_video(change));
        for part in present {
            assert!(line.contains(part), "case {index}: {part} not in {line}");
        }
        for part in absent {
            assert!(!line.contains(part), "case {index}: {part} in {line}");
        }
    }
}

#[test]
fn a_piped_source_differs_in_its_address_only() {
    let (source, renditions) = (source(), [rendition("a"), with_video(|v| v.height = Some(180))]);
    let (file, piped) = (plan(&source, &renditions, None, 2).unwrap(), plan_piped(&source, &renditions, 2).unwrap());
    let differing: Vec<_> = file.args.iter().zip(&piped.args).filter(|(file, piped)| file != piped).collect();
    assert_eq!(differing, [(&OsString::from("file:/data/s 1.mp4"), &OsString::from("pipe:0"))]);
    assert_eq!((file.args.len(), &file.outputs), (piped.args.len(), &piped.outputs));
}

#[test]
fn headers_do_not_follow_the_measure_of_one_part() {
    let measured = |fps| Source { video: source().video.map(|video| VideoSource { fps, ..video }), ..source() };
    let lines = [29.7, 29.97, 30.0, 30.2].map(|fps| only_output(&measured(fps), with_video(|v| v.gop = Some(60))));
    assert!(lines.iter().all(|line| line == &lines[0] && line.contains("-r 30 ")), "{lines:?}");
}

#[test]
fn upscaling_only_when_asked() {
    let asked = Rendition { allow_upscale: true, ..with_video(|v| v.width = Some(1920)) };
    assert!(only_output(&source(), asked).contains("scale=1920:1080 "));
}

#[test]
fn hevc_is_tagged_when_copied_too() {
    let mut hevc = source();
    hevc.video = hevc.video.map(|video| VideoSource { codec: VideoCodec::H265, ..video });
    let copy = Rendition { video: Some(Track::Copy), ..rendition("r") };
    assert!(only_output(&hevc, copy).contains("-c:v copy -tag:v hvc1 "));
}

#[test]
fn tracks_that_are_absent() {
    let silent = Source { audio: None, ..source() };
    let blind = Source { video: None, ..source() };
    let both = || rendition("r");
    let picture = || Rendition { audio: None, ..both() };
    let sound = || Rendition { video: None, ..both() };
    let neither = || Rendition { audio: None, ..sound() };
    // (video, audio) of the output, or why there is none.
    let cases = [
        (&silent, both(), Ok((true, false))),
        (&blind, both(), Ok((false, true))),
        (&silent, sound(), Err(Refusal::NoAudio)),
        (&blind, picture(), Err(Refusal::NoVideo)),
        (&silent, neither(), Err(Refusal::Nothing)),
    ];
    for (index, (source, rendition, expected)) in cases.into_iter().enumerate() {
        let cover = SnapshotPlan::cover("c", 1000);
        let plan = plan(source, &[rendition], Some(&cover), 1).unwrap();
        let found = match plan.outputs.first() {
            Some(output) => Ok((output.video, output.audio)),
            None => Err(plan.refused[0].1),
        };
        assert_eq!(found, expected, "case {index}");
        assert_eq!(plan.snapshots.is_some(), source.video.is_some(), "case {index}");
        let absent = if source.video.is_some() { "0:a:0" } else { "0:v:0" };
        assert!(plan.args.iter().all(|arg| arg != absent), "case {index}");
    }
}

#[test]
fn a_bad_number_refuses_one_rendition_only() {
    let renditions = [with_video(|v| v.gop = Some(0)), rendition("good")];
    let plan = plan(&source(), &renditions, None, 1).unwrap();
    assert_eq!(plan.refused, [("r".into(), Refusal::OutOfRange("gop"))]);
    assert_eq!(plan.outputs.len(), 1);
}

#[test]
fn names_are_checked() {
    let long = "x".repeat(65);
    for key in ["", "-y", "a/b", "..", "a b", "a%d", "ü", "a.mp4", &long] {
        let found = plan(&source(), &[rendition(key)], None, 1);
        assert_eq!(found, Err(PlanError::Key(key.into())));
    }
    let twice = [rendition("a"), rendition("a")];
    assert_eq!(plan(&source(), &twice, None, 1), Err(PlanError::DuplicateKey("a".into())));
    let many: Vec<_> = (0..21).map(|i| rendition(&format!("r{i}"))).collect();
    assert_eq!(plan(&source(), &many, None, 1), Err(PlanError::TooManyOutputs { count: 21 }));
    let back = SnapshotPlan { at_ms: vec![5, 5], ..SnapshotPlan::cover("c", 1) };
    assert_eq!(plan(&source(), &[], Some(&back), 1), Err(PlanError::SnapshotTimes));
}
