//! Searching and managing videos.

use serde_json::{Value, json};

use super::Api;
use super::client::VOD;
use crate::store::outbox::EventFilter;
use crate::testkit::noon;

/// The ids that a search finds.
fn ids(answer: &Value) -> Vec<String> {
    let media = answer["MediaList"].as_array().unwrap();
    media.iter().map(|one| one["MediaId"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn media_are_searched() {
    let api = Api::new().await;
    let mut life = api.world.broadcast("acme", "one").await;
    let mut videos = Vec::new();
    for index in 0..3 {
        videos.push(life.part(index * 10_000).await.to_string());
    }
    api.world.broadcast("umbrella", "two").await.part(0).await;
    let find = async |params: &[(&str, &str)]| api.good(VOD, "SearchMedia", params).await;

    let title = ("Title", "Final 'x' match");
    api.good(VOD, "UpdateVideoInfo", &[("VideoId", &videos[1]), title, ("Tags", "sport,live"), ("CateId", "7")]).await;
    assert_eq!(find(&[]).await["Total"], 3);
    for (text, expected) in [
        ("Title = 'final'", vec![&videos[1]]),
        ("CateId = 7 and Tags in ('nothing','SPORT')", vec![&videos[1]]),
        ("MediaSource in ('live') and Status in ('UploadSucc')", vec![&videos[2], &videos[1], &videos[0]]),
        ("StorageLocation = 'vod.example.org' and (Title = 'match' or Description = 'nothing')", vec![&videos[1]]),
        ("CreationTime = ('2020-01-01T00:00:00Z','2027-01-01T00:00:00Z')", vec![]),
        ("Duration = [10,10] and Size = [1000,1000]", vec![&videos[2], &videos[1], &videos[0]]),
    ] {
        let found = find(&[("Match", text)]).await;
        assert_eq!(ids(&found).iter().collect::<Vec<_>>(), expected, "{text}: {found}");
    }

    let one = find(&[("Match", "Title = 'final'"), ("Fields", "Title,Tags,Nothing")]).await;
    let expected = json!({
        "MediaId": videos[1], "MediaType": "video", "CreationTime": "2027-01-01T00:00:00Z",
        "Video": { "VideoId": videos[1], "Title": "Final 'x' match", "Tags": "sport,live" }
    });
    assert_eq!(one["MediaList"], json!([expected]));
    assert_eq!(find(&[("SearchType", "audio")]).await, json!({ "Total": 0, "MediaList": [] }));
}

#[tokio::test]
async fn what_cannot_be_searched_is_named() {
    let api = Api::new().await;
    let asked = api.ask(VOD, "SearchMedia", &[("Match", "Title = 'a' and Size = 3")]);
    let answered = api.v1(&asked).await;
    assert_eq!(answered.json()["Code"], "ErrorMatchSyntax");
    assert_eq!(answered.json()["Message"], "The parameter Match.Size has an error syntax, please check it.");
    let table: [(&[(&str, &str)], &str); 7] = [
        (&[("Match", "a=1 or b=2")], "ErrorMatchSyntax"),
        (&[("SortBy", "Title:Asc")], "InvalidParameter"),
        (&[("SortBy", "CreationTime,ModificationTime,CreationTime,CreationTime")], "SortByExceededMax"),
        (&[("PageNo", "51"), ("PageSize", "100")], "InvalidParameter"),
        (&[("ScrollToken", "nonsense")], "InvalidScrollToken.Expired"),
        (&[("ScrollToken", "x"), ("SortBy", "CreationTime,ModificationTime")], "SortByExceededMax"),
        (&[("SearchType", "text")], "InvalidParameter"),
    ];
    for (params, code) in table {
        assert_eq!(api.bad(VOD, "SearchMedia", params).await, (400, code.to_owned()), "{params:?}");
    }
}

#[tokio::test]
async fn a_client_scrolls_through_all() {
    let api = Api::new().await;
    let mut life = api.world.broadcast("acme", "one").await;
    let mut videos = Vec::new();
    for index in 0..7 {
        videos.push(life.part(index * 10_000).await.to_string());
    }
    videos.reverse();
    for counting in [true, false] {
        let (mut seen, mut token) = (Vec::new(), None::<String>);
        for page in 1..=4 {
            let number = if counting { page.to_string() } else { "1".to_owned() };
            let mut params = vec![("PageNo", number.as_str()), ("PageSize", "2")];
            params.extend(token.as_deref().map(|token| ("ScrollToken", token)));
            let answer = api.good(VOD, "SearchMedia", &params).await;
            assert_eq!(answer["Total"], 7);
            seen.extend(ids(&answer));
            token = answer["ScrollToken"].as_str().map(str::to_owned);
            assert_eq!(token.is_some(), page < 4);
        }
        assert_eq!(seen, videos);
    }
    let first = api.good(VOD, "SearchMedia", &[("PageSize", "2")]).await;
    let token = first["ScrollToken"].as_str().unwrap().to_owned();
    let with = |more: (&'static str, &'static str)| [("ScrollToken", token.as_str()), more];
    assert_eq!(ids(&api.good(VOD, "SearchMedia", &with(("PageSize", "100"))).await).len(), 5);
    assert_eq!(api.bad(VOD, "SearchMedia", &with(("PageNo", "20"))).await.1, "InvalidParameter");
    let other = ("Match", "Title = 'cam'");
    assert_eq!(api.bad(VOD, "SearchMedia", &with(other)).await.1, "InvalidScrollToken.Expired");
    api.clock.fetch_add(601_000, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(api.bad(VOD, "SearchMedia", &[("ScrollToken", &token)]).await.1, "InvalidScrollToken.Expired");
}

#[tokio::test]
async fn what_is_said_of_a_video_changes_and_is_told() {
    let api = Api::new().await;
    api.world.receiver("acme", "http://127.0.0.1/hook").await;
    let video = api.world.broadcast("acme", "one").await.part(0).await;
    let id = ("VideoId", video.as_str());
    let cover = ("CoverURL", "https://img.example.org/a.jpg");
    assert_eq!(api.good(VOD, "UpdateVideoInfo", &[id, ("Title", "Final"), cover]).await, json!({}));
    let shown = api.good(VOD, "GetVideoInfo", &[id]).await["Video"].clone();
    assert_eq!((&shown["Title"], &shown["CoverURL"]), (&json!("Final"), &json!("https://img.example.org/a.jpg")));
    assert_eq!(shown["Description"], "cam-one|studio|play.acme.example");

    let filter = EventFilter { kind: Some("MediaBaseChangeComplete".to_owned()), ..EventFilter::default() };
    let events = api.world.store.events("acme", &filter, 10).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(
        serde_json::from_str::<Value>(&events[0].body).unwrap(),
        json!({
            "EventTime": "2027-01-01T00:00:00Z", "EventType": "MediaBaseChangeComplete", "Status": "success",
            "MediaType": "video", "MediaId": video.as_str(), "OperateMode": "update",
            "MediaContent": {
                "Title": "{\"NewValue\":\"Final\",\"OldValue\":\"cam-one\"}",
                "CoverURL": "{\"NewValue\":\"https://img.example.org/a.jpg\",\"OldValue\":\"\"}"
            }
        })
    );
    let found = api.world.store.deliveries("acme", &Default::default(), 10).await.unwrap();
    assert!(found.iter().any(|delivery| delivery.event == events[0].id && delivery.phase == "pending"));
    assert_eq!(events[0].at, noon().0);

    let gone = [("VideoId", "gone"), ("Title", "x")];
    assert_eq!(api.bad(VOD, "UpdateVideoInfo", &gone).await, (404, "InvalidVideo.NotFound".to_owned()));
    let content =
        json!([{ "VideoId": video.as_str(), "Title": "Cup" }, { "VideoId": "gone", "CateId": 3 }]).to_string();
    assert_eq!(
        api.good(VOD, "UpdateVideoInfos", &[("UpdateContent", &content)]).await,
        json!({ "NonExistVideoIds": ["gone"], "ForbiddenVideoIds": [] })
    );
    assert_eq!(api.good(VOD, "GetVideoInfo", &[id]).await["Video"]["Title"], "Cup");
    let many = Value::from(vec![json!({ "VideoId": "v" }); 21]).to_string();
    for (content, code) in
        [(many.as_str(), "CountExceededMax"), ("{}", "InvalidParameter"), (r#"[{"Title":"x"}]"#, "MissingParameter")]
    {
        assert_eq!(api.bad(VOD, "UpdateVideoInfos", &[("UpdateContent", content)]).await.1, code);
    }
}

#[tokio::test]
async fn the_newest_task_of_each_video_is_summed_up() {
    let api = Api::new().await;
    let mut life = api.world.broadcast("acme", "one").await;
    let video = life.part(0).await;
    life.decide(&video, &["mp4"]).await;
    let ids = format!("{video},gone");
    let answer = api.good(VOD, "GetTranscodeSummary", &[("VideoIds", &ids)]).await;
    assert_eq!(
        answer,
        json!({
            "TranscodeSummaryList": [{
                "VideoId": video.as_str(), "TranscodeTemplateGroupId": "g1", "TranscodeStatus": "Processing",
                "CreationTime": "2027-01-01T00:00:00Z",
                "TranscodeJobInfoSummaryList": [{
                    "TranscodeTemplateId": "t-mp4", "TranscodeJobStatus": "Transcoding", "TranscodeProgress": 0,
                    "CreationTime": "2027-01-01T00:00:00Z"
                }]
            }],
            "NonExistVideoIds": ["gone"]
        })
    );
    let many = ["v"; 11].join(",");
    assert_eq!(api.bad(VOD, "GetTranscodeSummary", &[("VideoIds", &many)]).await.1, "VideoIdsExceededMax");
}
