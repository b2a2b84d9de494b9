//! A later part of a broadcast: on the disk its times go on, for viewers they begin at zero.

use axum::http::{Method, StatusCode};
use reprise_media::fmp4::{FragmentIndex, scan};

use super::Theatre;
use super::linked::linked;
use crate::files::{SOURCE, SOURCE_INDEX};
use crate::testkit::{ask, recording_from};

/// A theatre whose source is this file.
async fn showing(source: &[u8]) -> Theatre {
    let theatre = Theatre::new().await;
    theatre.world.files.video(&theatre.video).unwrap().write(SOURCE, source).unwrap();
    theatre
}

fn index_of(file: &[u8]) -> FragmentIndex {
    FragmentIndex::from_scan(&scan(&mut std::io::Cursor::new(file), true).unwrap()).unwrap()
}

#[tokio::test]
async fn a_later_part_is_sent_as_if_it_were_the_first_whole_and_in_ranges() {
    // Many fragments in a chunk, and many chunks in a fragment.
    for (seconds, picture_bytes) in [(400, 200), (3, 300_000)] {
        let file = recording_from(3_600, seconds, picture_bytes);
        let expected = recording_from(0, seconds, picture_bytes);
        for with_index in [false, true] {
            let theatre = showing(&file).await;
            let dir = theatre.world.files.video(&theatre.video).unwrap();
            if with_index {
                dir.write(SOURCE_INDEX, index_of(&file).to_bytes()).unwrap();
            }
            let whole = theatre.get("source.mp4", &[]).await;
            assert!(whole.status == StatusCode::OK && whole.body == expected, "{seconds} s");
            assert_eq!(whole.header("content-length"), file.len().to_string());
            let (last, step) = (file.len() - 1, file.len() / 7);
            let around = index_of(&file).fragments[1].offset as usize;
            let ranges = (0..7).map(|n| (n * step, (n * step + 100_000).min(last)));
            for (from, to) in ranges.chain([(0, 0), (last, last), (5, last), (around - 90, around + 90)]) {
                let part = theatre.get("source.mp4", &[("range", &format!("bytes={from}-{to}"))]).await;
                assert!(part.status == StatusCode::PARTIAL_CONTENT && part.body == expected[from..=to], "{from}-{to}");
            }
            assert!(dir.read(SOURCE).unwrap() == file, "nothing is written");
        }
    }
}

#[tokio::test]
async fn bytes_with_other_times_have_another_tag() {
    let theatre = showing(&recording_from(3_600, 10, 200)).await;
    let whole = theatre.get("source.mp4", &[]).await;
    let head = ask(&theatre.router, Method::HEAD, &theatre.path("source.mp4"), &[], "").await;
    for name in ["etag", "content-length", "cache-control", "accept-ranges"] {
        assert_eq!(head.header(name), whole.header(name), "{name}");
    }
    let (tag, plain) = (whole.header("etag"), Theatre::new().await.get("source.mp4", &[]).await);
    assert!(tag.ends_with("-zero\"") && !plain.header("etag").contains("-zero"), "{tag}");
    assert_eq!(theatre.get("source.mp4", &[("if-none-match", tag)]).await.status, StatusCode::NOT_MODIFIED);
    for (held, status) in [(tag.to_owned(), 206), (tag.replace("-zero", ""), 200)] {
        let answered = theatre.get("source.mp4", &[("range", "bytes=5-"), ("if-range", &held)]).await;
        assert_eq!(answered.status.as_u16(), status, "{held}");
    }
}

#[tokio::test]
async fn what_is_damaged_is_sent_as_it_is() {
    let (mut file, mut expected) = (recording_from(3_600, 10, 200), recording_from(0, 10, 200));
    let index = index_of(&file);
    let bad = index.fragments[4];
    let range = bad.offset as usize..bad.end_offset() as usize;
    file[range.end - 10] ^= 1;
    expected[range.clone()].copy_from_slice(&file[range]);
    let theatre = showing(&file).await;
    theatre.world.files.video(&theatre.video).unwrap().write(SOURCE_INDEX, index.to_bytes()).unwrap();
    assert!(theatre.get("source.mp4", &[]).await.body == expected);
}

#[tokio::test]
async fn parts_that_play_one_after_the_other_keep_their_times() {
    let file = recording_from(3_600, 10, 200);
    let theatre = showing(&file).await;
    let (_, video) = linked(&theatre).await;
    let part = ask(&theatre.router, Method::GET, &format!("/media/{video}/parts/00000.mp4"), &[], "").await;
    assert!(part.status == StatusCode::OK && part.body == file);
}
