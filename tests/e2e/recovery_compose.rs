//! The server is killed, and videos are deleted, in the middle of composing, copying and transcoding. A flow ends as if
//! nothing had been; a deletion takes what was named, and nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use reprise_tests::moment::{Moment, bytes_of, composed};
use reprise_tests::receiver::Receiver;
use reprise_tests::server::Server;
use reprise_tests::stage::{Recording, Stage, VOD, template};
use reprise_tests::{encoder, events, eventually, media};
use serde_json::Value;

const STORE: &str = "VOD_NO_TRANSCODE";

/// What is deleted is off the disk at the next sweep, and a sweep is soon.
const NO_GRACE: &str = "[storage]\ntrash_seconds = 0\nsweep_seconds = 1\n";

const MOMENTS: [Moment; 3] = [Moment::Composing, Moment::Copying, Moment::Transcoding];

/// Publishes two clips within one break window, and names the broadcast.
async fn broadcast(stage: &Stage, stream: &str, clips: [&Path; 2]) -> anyhow::Result<String> {
    for clip in clips {
        encoder::finished(encoder::publish(clip, &stage.push_url("live", stream))?).await?;
    }
    let newest = stage.broadcasts_of(stream).await?.into_iter().next().context("no broadcast")?;
    Ok(newest["id"].as_str().context("no id")?.to_owned())
}

/// What came of a broadcast, as far as two runs of the same are equal: for each of its videos, whether it is composed,
/// the pictures of its source and of its streams, and the names of its events.
async fn outcome(
    stage: &Stage,
    stream: &str,
    told: &[Value],
) -> anyhow::Result<BTreeMap<String, (u64, Vec<(u64, u64)>, Vec<String>)>> {
    let kinds = events::by_video(told);
    let mut outcome = BTreeMap::new();
    for video in stage.videos().await?.iter().filter(|video| video["stream"]["name"] == stream) {
        let id = video["id"].as_str().context("no id")?;
        let source = media::decode(&stage.media_url(id, "source.mp4")).await?;
        let played = stage.call(VOD, "GetPlayInfo", &[("VideoId", id)]).await?;
        let mut streams = Vec::new();
        for stream in played.pointer("/PlayInfoList/PlayInfo").and_then(Value::as_array).into_iter().flatten() {
            let decoded = media::decode(stream["PlayURL"].as_str().context("no URL")?).await?;
            streams.push((decoded.height, decoded.video));
        }
        streams.sort_unstable();
        let role = video["part"].as_u64().map_or_else(|| "whole".to_owned(), |part| format!("part {part}"));
        let previous =
            outcome.insert(role.clone(), (source.video, streams, kinds.get(id).cloned().unwrap_or_default()));
        anyhow::ensure!(previous.is_none(), "{role} is there twice");
    }
    Ok(outcome)
}

#[test]
fn killed_while_composing_copying_and_transcoding_a_flow_ends_the_same() -> anyhow::Result<()> {
    let seed: u64 = std::env::var("REPRISE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0xC0_4405E);
    println!("REPRISE_SEED={seed}");
    crate::run(async move {
        let mut server = Server::start("").await?;
        let stage = Stage::new(&server, "killed").await?;
        let receiver = Receiver::start().await?;
        let group = stage.group("one", &[template("LD", "m3u8", 128, 80)]).await?;
        stage.recording("live", Recording { group: STORE, compose: Some(&group), cycle_s: 60, break_s: 3 }).await?;
        stage.callbacks(&receiver.url()).await?;
        // Of another size, so that the whole needs an encoder.
        let (one, other) = (server.scratch().join("one.mp4"), server.scratch().join("other.mp4"));
        encoder::clip(&one, "160x90", 3).await?;
        encoder::clip(&other, "192x108", 2).await?;
        broadcast(&stage, "calm", [&one, &other]).await?;
        let told = stage.told(&receiver).await?;
        let calm = outcome(&stage, "calm", &told).await?;
        assert_eq!(calm.len(), 3, "two parts and the whole: {calm:?}");

        let id = broadcast(&stage, "storm", [&one, &other]).await?;
        let mut delays = crate::recovery::draws(seed, 40);
        let mut seen = Box::pin(Moment::Composing.watch(&server.data(), &composed(&id)));
        for next in [Some(Moment::Copying), Some(Moment::Transcoding), None] {
            seen.await?;
            // Somewhere in it; what it was doing may be over when the blow falls.
            tokio::time::sleep(Duration::from_millis(delays.next().unwrap_or(0))).await;
            server.kill()?;
            let Some(next) = next else { break };
            // It may come before the server says that it is ready.
            seen = Box::pin(next.watch(&server.data(), &composed(&id)));
            server.spawn()?;
        }
        server.launch().await?;
        // And wherever it is by now.
        for between in crate::recovery::draws(seed, 400).take(2) {
            tokio::time::sleep(Duration::from_millis(between)).await;
            server.kill()?;
            server.launch().await?;
        }
        let told = stage.told(&receiver).await?;
        assert_eq!(outcome(&stage, "storm", &told).await?, calm, "as if nothing had been");
        let left: Vec<_> = std::fs::read_dir(server.data().join("work"))?.filter_map(Result::ok).collect();
        assert!(left.is_empty(), "no attempt is left behind: {left:?}");
        Ok(())
    })
}

/// Which video is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Whole,
    Part,
}

struct Deletion<'a> {
    stage: &'a Stage,
    data: PathBuf,
    clips: [&'a Path; 2],
    moment: Moment,
    victim: Victim,
}

impl Deletion<'_> {
    fn stream(&self) -> String {
        format!("{:?}-{:?}", self.moment, self.victim).to_lowercase()
    }

    /// Publishes, deletes in the moment, and gives the deleted video and the whole.
    async fn delete(&self) -> anyhow::Result<(String, String)> {
        let id = broadcast(self.stage, &self.stream(), self.clips).await?;
        let whole = composed(&id);
        self.moment.watch(&self.data, &whole).await?;
        let victim = match self.victim {
            Victim::Whole => whole.clone(),
            Victim::Part => {
                let shown = self.stage.broadcast(&id).await?;
                shown["part_list"][0]["video_id"].as_str().context("no part")?.to_owned()
            }
        };
        let deleted = self.stage.call(VOD, "DeleteVideo", &[("VideoIds", &victim)]).await?;
        anyhow::ensure!(deleted["ForbiddenVideoIds"].as_array().is_some_and(Vec::is_empty), "{deleted}");
        Ok((victim, whole))
    }
}

#[test]
fn deleted_while_composing_copying_and_transcoding_only_the_named_goes() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start(NO_GRACE).await?;
        let stage = Stage::new(&server, "deleted").await?;
        let receiver = Receiver::start().await?;
        let group = stage.group("one", &[template("LD", "m3u8", 128, 80)]).await?;
        stage.recording("live", Recording { group: STORE, compose: Some(&group), cycle_s: 60, break_s: 4 }).await?;
        stage.callbacks(&receiver.url()).await?;
        let [one, other, heavy] = ["one", "other", "heavy"].map(|name| server.scratch().join(format!("{name}.mp4")));
        encoder::clip(&one, "160x90", 3).await?;
        encoder::clip(&other, "192x108", 3).await?;
        encoder::noise(&heavy, "256x144", 4).await?;
        let mut deletions = Vec::new();
        for moment in MOMENTS {
            // A copy that is to be caught needs something to copy, and no encoder before it.
            let clips: [&Path; 2] = if moment == Moment::Copying { [&heavy, &heavy] } else { [&one, &other] };
            for victim in [Victim::Whole, Victim::Part] {
                deletions.push(Deletion { stage: &stage, data: server.data(), clips, moment, victim });
            }
        }
        let [a, b, c, d, e, f] = &deletions[..] else { anyhow::bail!("six deletions") };
        let (a, b, c, d, e, f) =
            tokio::try_join!(a.delete(), b.delete(), c.delete(), d.delete(), e.delete(), f.delete())?;

        let told = stage.told(&receiver).await?;
        let kinds = events::by_video(&told);
        for (deletion, (victim, whole)) in deletions.iter().zip([a, b, c, d, e, f]) {
            let stream = deletion.stream();
            let about: Vec<&Value> = told.iter().filter(|event| events::subject(event) == victim).collect();
            let gone = about.iter().filter(|event| event["EventType"] == "DeleteMediaComplete");
            let gone: Vec<_> = gone.map(|event| (&event["MediaType"], &event["DeleteType"])).collect();
            assert_eq!(gone, [(&Value::from("video"), &Value::from("all"))], "{stream}");
            eventually(&format!("{stream}: the disk to be free"), async || {
                Ok((bytes_of(&server.data(), &victim)? == 0).then_some(()))
            })
            .await?;
            let videos = stage.videos().await?;
            let left: Vec<&str> = videos
                .iter()
                .filter(|video| video["stream"]["name"] == stream.as_str())
                .filter_map(|video| video["id"].as_str())
                .collect();
            assert!(!left.contains(&victim.as_str()), "{stream}: it is deleted");
            let mut pictures = 0;
            for clip in deletion.clips {
                pictures += media::pushed(clip).await?.video;
            }
            let mut shown = 0;
            for part in left.iter().filter(|id| **id != whole) {
                shown += media::decode(&stage.media_url(part, "source.mp4")).await?.video;
            }
            if deletion.victim == Victim::Whole {
                assert_eq!(shown, pictures, "{stream}: the parts are whole");
                continue;
            }
            // The whole outlives its part, with everything that was promised of it.
            assert!(shown < pictures, "{stream}");
            for form in ["source.m3u8", "source.mp4"] {
                let decoded = media::decode(&stage.media_url(&whole, form)).await?;
                assert!(decoded.video.abs_diff(pictures) <= 2, "{stream} {form}: {} of {pictures}", decoded.video);
            }
            let of_whole = kinds.get(&whole).context("no events")?;
            assert!(of_whole.contains(&"TranscodeComplete".to_owned()), "{stream}: {of_whole:?}");
        }
        Ok(())
    })
}
