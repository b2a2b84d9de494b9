//! Parts of different codec configurations become one track.

use std::collections::HashSet;

use reprise_lifecycle::question::GapRule;

use crate::stage::{Stage, frames, packets, shown, sizes, whole};

fn clip(size: &str, rate: u32, seconds: u32, sound: &str, profile: &str) -> String {
    format!(
        "-f lavfi -i testsrc2=s={size}:r={rate} {} -t {seconds} -c:v libx264 -preset veryfast -profile:v {profile} -g {rate} \
         -pix_fmt yuv420p {}",
        if sound.is_empty() { String::new() } else { format!("-f lavfi -i sine=r={sound}") },
        if sound.is_empty() { "-an" } else { "-c:a aac -b:a 64k" },
    )
}

#[tokio::test]
async fn another_size_another_rate_and_no_sound() {
    let stage = Stage::new();
    let mut parts = Vec::new();
    let clips = [
        clip("320x240", 25, 6, "44100", "high"),
        clip("640x360", 30, 2, "48000", "high"),
        clip("320x240", 25, 2, "", "high"),
        clip("176x144", 15, 2, "44100", "main"),
    ];
    for (index, clip) in clips.iter().enumerate() {
        let tags = stage.tags(clip);
        parts.extend(stage.record(&format!("p{index}"), 60_000, tags.into_iter().map(Some)));
    }
    let (video, facts) = stage.compose("c", whole(&parts), GapRule::Cut).await;
    let path = stage.path(&video);
    assert_eq!(sizes(&path), ["320,240"]);
    assert_eq!(facts.video_frames, 150 + 60 + 50 + 30);
    let recorded: u64 = parts.iter().map(|part| stage.duration_ms(part)).sum();
    assert!(facts.duration_ms.abs_diff(recorded) < 100, "{} of {recorded}", facts.duration_ms);
    // Most of it is the first clip's kind, and is copied.
    let of_first: HashSet<String> =
        [0, 2].iter().flat_map(|i| packets(&stage.path(&parts[*i]), "v")).map(|p| p.hash).collect();
    let copied = packets(&path, "v").into_iter().filter(|packet| of_first.contains(&packet.hash)).count();
    assert_eq!(copied, 200);
    assert_eq!(frames(&path, "v")[..150], frames(&stage.path(&parts[0]), "v"));
    let sound = packets(&path, "a");
    let hole = sound.windows(2).map(|pair| pair[1].pts_ms - pair[0].pts_ms).fold(0.0, f64::max);
    // At 15 pictures a second an encoder shows its first two pictures' time after it began; sound begins with it.
    assert!(hole < 2.0 * 1000.0 / 15.0 + 24.0, "sound goes through: {hole}");
    assert!((shown(&path).last().unwrap() - sound.last().unwrap().pts_ms).abs() < 200.0);
}

#[tokio::test]
async fn sound_alone_gets_a_slate_among_pictures() {
    let stage = Stage::new();
    let mut parts = Vec::new();
    let clips = [clip("320x240", 25, 3, "44100", "high"), "-f lavfi -i sine=r=44100 -t 2 -c:a aac -vn".to_owned()];
    for (index, clip) in clips.iter().enumerate() {
        let tags = stage.tags(clip);
        parts.extend(stage.record(&format!("p{index}"), 60_000, tags.into_iter().map(Some)));
    }
    let (video, facts) = stage.compose("c", whole(&parts), GapRule::Cut).await;
    let path = stage.path(&video);
    assert_eq!(sizes(&path), ["320,240"]);
    assert!((94..=97).contains(&facts.video_frames), "{}", facts.video_frames);
    assert!(facts.duration_ms.abs_diff(5_000) < 150, "{}", facts.duration_ms);
}

#[tokio::test]
async fn pictures_that_no_encoder_can_join_are_all_encoded() {
    let stage = Stage::new();
    let mut parts = Vec::new();
    // 4:4:4 is no profile in which another encoder's pictures could be added.
    let odd =
        "-f lavfi -i testsrc2=s=320x240:r=25 -t 4 -c:v libx264 -preset veryfast -g 25 -pix_fmt yuv444p -an".to_owned();
    for (index, clip) in [odd, clip("160x120", 25, 2, "", "high")].iter().enumerate() {
        let tags = stage.tags(clip);
        parts.extend(stage.record(&format!("p{index}"), 60_000, tags.into_iter().map(Some)));
    }
    let (video, facts) = stage.compose("c", whole(&parts), GapRule::Cut).await;
    assert_eq!(sizes(&stage.path(&video)), ["320,240"]);
    assert_eq!(facts.video_frames, 150);
    assert_eq!(facts.video.unwrap().profile, "High");
}
