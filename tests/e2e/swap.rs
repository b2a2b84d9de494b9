//! A policy is swapped twenty times a second while streams run: nothing fails, nothing is mixed, nothing goes back.

use std::time::Duration;

use reprise_tests::server::Server;
use reprise_tests::{encoder, swapping};

#[test]
fn swaps_under_live_broadcasts_drop_and_mix_nothing() -> anyhow::Result<()> {
    crate::run(async {
        let server = Server::start("").await?;
        let clip = server.scratch().join("clip.mp4");
        encoder::clip(&clip, "160x90", 12).await?;
        let outcome = swapping::run(&server, "swap", &clip, 3, 10, Some(Duration::from_millis(50))).await?;
        assert!(outcome.swaps >= 50, "{} swaps", outcome.swaps);
        assert!(outcome.decisions >= 3 * 8, "{} decisions", outcome.decisions);
        assert!(outcome.wrong.is_empty(), "{:#?}", outcome.wrong);
        assert_eq!(outcome.back, 0, "settings went back");
        Ok(())
    })
}
