//! Strangers and hostile policies while a broadcast records on.

use reprise_media::rtmp::testkit;
use reprise_tests::server::Server;
use reprise_tests::stage::Stage;
use reprise_tests::{encoder, eventually, guests, media};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

/// What a guest does, and the failure it must give.
const DEEDS: [(&str, &str); 6] = [
    ("loop", "fuel"),
    ("recurse", "stack"),
    ("grow", "memory"),
    ("trap", "trap"),
    ("huge_answer", "too_large"),
    ("bad_answer", "bad_answer"),
];

#[test]
fn hostile_guests_are_stopped_and_the_broadcast_records_on() -> anyhow::Result<()> {
    crate::run(async {
        let mut server = Server::start("").await?;
        let stage = Stage::new(&server, "mob").await?;
        let quiet = Stage::new(&server, "quiet").await?;
        for stage in [&stage, &quiet] {
            stage.record("live", "VOD_NO_TRANSCODE", 60, 1).await?;
        }
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "160x90", 2).await?;
        let long = server.scratch().join("long.mp4");
        encoder::clip(&long, "160x90", 25).await?;
        let pushed = media::pushed(&long).await?;
        let undisturbed = encoder::publish(&long, &quiet.push_url("live", "cam01"))?;

        let guest = guests::component("reprise-test-guests")?;
        for (deed, _) in DEEDS {
            let name = format!("guest-{}", deed.replace('_', "-"));
            stage.plugin(&name, &guest, &json!({"do": deed}), deed).await?;
        }
        for (deed, _) in DEEDS {
            encoder::finished(encoder::publish(&clip, &stage.push_url("live", deed))?).await?;
        }
        stage.settled().await?;
        for (deed, kind) in DEEDS {
            let found = stage.list(&format!("decisions?hook=template-group&stream={deed}")).await?;
            let decision = found.first().cloned().unwrap_or(Value::Null);
            let failure = decision.pointer("/verdict/failed/kind").or(decision.pointer("/failure"));
            assert_eq!(failure.and_then(Value::as_str), Some(kind), "{deed}: {decision}");
            assert_eq!(decision["applied"], "fallback", "{deed}");
        }
        refused_uploads(&stage).await?;
        encoder::finished(undisturbed).await?;
        let videos = quiet.settled().await?;
        let id = videos[0]["id"].as_str().unwrap_or_default();
        let recorded = media::decode(&quiet.media_url(id, "source.mp4")).await?;
        assert_eq!((recorded.video, recorded.audio), (pushed.video, pushed.audio), "the other tenant lost nothing");
        assert!(server.alive());
        Ok(())
    })
}

/// What is no policy, or would cost too much to compile, is refused with a reason and changes nothing.
async fn refused_uploads(stage: &Stage) -> anyhow::Result<()> {
    let before = stage.list("plugins").await?;
    let no_policies: [(&str, &[u8]); 4] = [
        ("empty", b""),
        ("text", b"not wasm at all"),
        ("core-module", b"\0asm\x01\0\0\0"),
        ("empty-component", b"\0asm\x0d\0\x01\0"),
    ];
    let no_policies = no_policies.map(|(name, bytes)| (name.to_owned(), bytes.to_vec()));
    let bombs = reprise_hostile::too_much_to_compile().into_iter().enumerate();
    let bombs = bombs.map(|(number, bomb)| (format!("bomb-{number}"), bomb.bytes));
    for (name, bytes) in no_policies.into_iter().chain(bombs) {
        let pushed = reprise::client::rest::push_plugin(&stage.admin, &stage.name, &name, &bytes, "{}").await;
        assert!(pushed.is_err(), "{name} must be refused");
    }
    assert_eq!(stage.list("plugins").await?, before, "nothing of it is kept");
    Ok(())
}

#[test]
fn a_few_bytes_from_a_stranger_do_not_end_the_process() -> anyhow::Result<()> {
    crate::run(async {
        let mut server = Server::start("").await?;
        let nested = std::iter::repeat_n([0x03, 0x00, 0x01, b'a'], 12_000).flatten().collect::<Vec<u8>>();
        let attacks: [Vec<u8>; 3] = [
            // An array that declares 2^32-1 elements: five bytes.
            vec![0x0A, 0xFF, 0xFF, 0xFF, 0xFF],
            vec![0x08, 0xFF, 0xFF, 0xFF, 0xFF],
            nested,
        ];
        for attack in attacks {
            let mut socket = tokio::net::TcpStream::connect(&server.rtmp).await?;
            // Message type 20: a command, before anything else was said.
            let script = testkit::Script::new().handshake().message(3, 0, 20, 0, &attack);
            // The server may close while we are still sending; that is its right.
            let _ = socket.write_all(&script.bytes()).await;
            let _ = socket.shutdown().await;
        }
        eventually("an answer after the attacks", async || {
            Ok(server.admin()?.call(http::Method::GET, "/v1/tenants", None).await.ok())
        })
        .await?;
        assert!(server.alive(), "{}", server.log());
        Ok(())
    })
}
