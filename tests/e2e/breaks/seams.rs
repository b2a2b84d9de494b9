//! An encoder that dies and comes back, again and again: in the composed video what is seen and what is heard stay
//! together.

use std::time::Duration;

use anyhow::Context as _;
use reprise_tests::server::Server;
use reprise_tests::stage::{Recording, Stage};
use reprise_tests::{encoder, eventually, media};

const STORE: &str = "VOD_NO_TRANSCODE";

/// How far sound may be from its picture.
const APART_MS: f64 = 40.0;

/// A flash without a beep so near has none.
const ALONE_MS: f64 = 200.0;

/// How long each push lasts before its encoder is killed, in milliseconds: never a whole second.
const PUSHES_MS: [u64; 5] = [3_300, 2_450, 3_700, 2_150, 2_900];

#[test]
fn after_many_breaks_sound_and_picture_are_in_step() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("").await?;
        let stage = Stage::new(&server, "seams").await?;
        let recording = Recording { group: STORE, compose: Some(STORE), cycle_s: 5, break_s: 8 };
        stage.recording("live", recording).await?;
        let clip = server.scratch().join("clip.mp4");
        encoder::metronome(&clip, 20).await?;
        let mut durable_ms = 0;
        for push_ms in PUSHES_MS {
            let publisher = encoder::publish(&clip, &stage.push_url("live", "cam01"))?;
            let id = stage.publishing("cam01", "live").await?["id"].as_str().context("no id")?.to_owned();
            durable_ms = eventually("media of this push", async || {
                let mark = stage.broadcast(&id).await?["watermark_ms"].as_u64().unwrap_or(0);
                Ok((mark > durable_ms).then_some(mark))
            })
            .await?;
            tokio::time::sleep(Duration::from_millis(push_ms)).await;
            // Killed, not ended: what it had in hand is lost in the middle of a group of pictures.
            drop(publisher);
            stage.publishing("cam01", "broken").await?;
        }
        let videos = stage.settled().await?;
        assert_eq!(stage.broadcasts_of("cam01").await?.len(), 1);
        let whole = videos.iter().find(|video| video["part"].is_null()).and_then(|video| video["id"].as_str());
        let whole = whole.context("nothing was composed")?;

        let pushed = clip.with_extension("flv");
        media::pushed(&clip).await?;
        let before = middle(media::beats(&pushed.to_string_lossy()).await?.offsets_ms());
        for form in ["source.m3u8", "source.mp4"] {
            let beats = media::beats(&stage.media_url(whole, form)).await?;
            let offsets: Vec<f64> = beats.offsets_ms().iter().map(|offset| offset - before).collect();
            let (near, far): (Vec<f64>, Vec<f64>) = offsets.iter().partition(|offset| offset.abs() < ALONE_MS);
            // Where a push ends in a beep, the next one's first has no beginning of its own.
            assert!(far.len() < PUSHES_MS.len(), "{form}: {offsets:?}");
            assert!(near.iter().all(|offset| offset.abs() <= APART_MS), "{form}: {offsets:?}");
            let whole_seconds = PUSHES_MS.iter().map(|push_ms| push_ms / 1_000).sum::<u64>();
            assert!(near.len() as u64 >= whole_seconds - PUSHES_MS.len() as u64, "{form}: {beats:?}");
            println!("{form}: {} flashes, sound at most {:.1} ms away", near.len(), widest(&near));
        }
        Ok(())
    })
}

/// The offset that the encoder itself gives to sound.
fn middle(mut offsets: Vec<f64>) -> f64 {
    offsets.sort_by(f64::total_cmp);
    offsets.get(offsets.len() / 2).copied().unwrap_or(0.0)
}

fn widest(offsets: &[f64]) -> f64 {
    offsets.iter().map(|offset| offset.abs()).fold(0.0, f64::max)
}
