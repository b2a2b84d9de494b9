//! Editing projects, their materials, and productions.

use std::os::unix::fs::MetadataExt as _;

use cap_std::fs::MetadataExt as _;
use reprise_lifecycle::effect::Effect;
use reprise_lifecycle::id::{BroadcastId, VideoId};
use reprise_lifecycle::input::Input;
use reprise_lifecycle::record::{Record, WorkFailure, WorkResult};
use serde_json::{Value, json};

use super::Api;
use super::client::VOD;
use super::media::{store_only, transcoded};
use crate::edit::timeline::Timeline;
use crate::files::SOURCE;
use crate::store::images::ImageRow;
use crate::testkit::noon;

/// Parameters of a request.
type Pairs<'a> = &'a [(&'a str, &'a str)];

const NOON: &str = "2027-01-01T00:00:00Z";
const ADD: &str = "AddEditingProject";
const UPDATE: &str = "UpdateEditingProject";
const GET: &str = "GetEditingProject";
const SEARCH: &str = "SearchEditingProject";
const DELETE: &str = "DeleteEditingProject";
const PRODUCE: &str = "ProduceEditingProjectVideo";

async fn add(api: &Api, title: &str) -> String {
    let answer = api.good(VOD, ADD, &[("Title", title)]).await;
    answer["Project"]["ProjectId"].as_str().unwrap().to_owned()
}

async fn project(api: &Api, id: &str) -> Value {
    api.good(VOD, GET, &[("ProjectId", id)]).await["Project"].clone()
}

fn cut(video: &str) -> String {
    json!({ "VideoTracks": [{ "VideoTrackClips": [{ "MediaId": video, "In": "1", "Out": 4.5 }] }] }).to_string()
}

/// The production's journal.
async fn opening(api: &Api, video: &str) -> reprise_lifecycle::work::ProduceOpening {
    let row = api.world.store.video("acme", video).await.unwrap().unwrap();
    let records = api.world.store.journal(&BroadcastId::new(row.broadcast)).await.unwrap();
    match records.into_iter().next() {
        Some(Record::ProduceOpened { opening, .. }) => opening,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_project_lives_from_add_to_delete() {
    let api = Api::new().await;
    let timeline = cut("nothing-yet");
    let params =
        [("Title", "cup final"), ("Description", "d"), ("Timeline", &timeline), ("CoverURL", "http://c/x.jpg")];
    let answer = api.good(VOD, ADD, &params).await;
    let id = answer["Project"]["ProjectId"].as_str().unwrap();
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    let short = json!({
        "ProjectId": id, "Title": "cup final", "Description": "d", "Status": "Normal", "CreationTime": NOON,
        "ModifiedTime": NOON
    });
    assert_eq!(answer, json!({ "Project": short }));

    let full = project(&api, id).await;
    assert_eq!((&full["Timeline"], &full["CoverURL"]), (&json!(timeline), &json!("http://c/x.jpg")));
    assert_eq!((&full["RegionId"], &full["StorageLocation"]), (&json!("local"), &json!("vod.example.org")));

    assert_eq!(api.good(VOD, UPDATE, &[("ProjectId", id), ("Title", "final"), ("Timeline", "{}")]).await, json!({}));
    let full = project(&api, id).await;
    assert_eq!((&full["Title"], &full["Description"], &full["Timeline"]), (&json!("final"), &json!("d"), &json!("{}")));

    let gone = (404, "InvalidEditingProject.NotFound".to_owned());
    assert_eq!(api.bad(VOD, DELETE, &[("ProjectIds", "0123")]).await, gone);
    api.good(VOD, DELETE, &[("ProjectIds", &format!("{id},0123"))]).await;
    assert_eq!(api.bad(VOD, GET, &[("ProjectId", id)]).await, gone);
    assert_eq!(api.bad(VOD, UPDATE, &[("ProjectId", id), ("Title", "x")]).await, gone);
}

#[tokio::test]
async fn what_is_wrong_with_a_project_is_said_at_once() {
    let api = Api::new().await;
    let id = add(&api, "p").await;
    let long = "x".repeat(129);
    let table: [(&str, Pairs<'_>, &str); 6] = [
        (ADD, &[], "MissingParameter"),
        (ADD, &[("Title", &long)], "InvalidParameter"),
        (ADD, &[("Title", "t"), ("Timeline", "{\"VideoTracks\":3}")], "InvalidParameter"),
        (UPDATE, &[("ProjectId", &id), ("Timeline", "[")], "InvalidParameter"),
        (SEARCH, &[("Status", "Started")], "InvalidParameter"),
        (SEARCH, &[("SortBy", "Title:Asc")], "InvalidParameter"),
    ];
    for (action, params, code) in table {
        assert_eq!(api.bad(VOD, action, params).await, (400, code.to_owned()), "{action} {params:?}");
    }
}

#[tokio::test]
async fn a_search_finds_by_title_status_and_time() {
    let mut api = Api::new().await;
    let (first, second) = (add(&api, "Cup Final").await, add(&api, "100%").await);
    api.clock.store(noon().0 + 60_000, std::sync::atomic::Ordering::Relaxed);
    let third = add(&api, "training").await;
    api.restart().await;
    let found = async |params: &[(&str, &str)]| {
        let answer = api.good(VOD, SEARCH, params).await;
        let projects = answer["ProjectList"]["Project"].as_array().unwrap().clone();
        let ids: Vec<String> = projects.iter().map(|one| one["ProjectId"].as_str().unwrap().to_owned()).collect();
        (answer["Total"].as_i64().unwrap(), ids)
    };
    assert_eq!(found(&[("Title", "final")]).await, (1, vec![first.clone()]));
    assert_eq!(found(&[("Title", "%")]).await, (1, vec![second.clone()]));
    assert_eq!(found(&[("Status", "Produced,ProduceFailed")]).await, (0, vec![]));
    assert_eq!(found(&[("Status", "Normal"), ("PageSize", "1")]).await, (3, vec![third.clone()]));
    assert_eq!(found(&[("StartTime", "2027-01-01T00:00:30Z")]).await, (1, vec![third.clone()]));
    let (total, oldest) = found(&[("EndTime", NOON), ("SortBy", "CreationTime:asc")]).await;
    assert_eq!((total, oldest.contains(&first), oldest.contains(&third)), (2, true, false));
    let other = api.ask(VOD, SEARCH, &[]);
    let answered = api.v3(&super::client::Ask { tenant: "umbrella", ..other }).await;
    assert_eq!(answered.json()["Total"], 0);
}

#[tokio::test]
async fn materials_are_listed_in_order_and_only_ones_own() {
    let api = Api::new().await;
    let mut life = api.world.broadcast("acme", "one").await;
    let video = transcoded(&mut life).await;
    let mut other = api.world.broadcast("umbrella", "two").await;
    let foreign = transcoded(&mut other).await;
    let image = ImageRow {
        id: "i1".to_owned(),
        format: "png".to_owned(),
        width: 8,
        height: 8,
        bytes: 99,
        created_at: noon().0,
    };
    assert!(api.world.store.add_image("acme", &image, 1).await.unwrap());
    let id = add(&api, "p").await;
    let materials = async |kind: &str| {
        let answer = api.good(VOD, "GetEditingProjectMaterials", &[("ProjectId", &id), ("Type", kind)]).await;
        answer["MaterialList"]["Material"].as_array().unwrap().clone()
    };
    assert!(materials("").await.is_empty());
    api.good(VOD, "SetEditingProjectMaterials", &[("ProjectId", &id), ("MaterialIds", "i1")]).await;
    let ids = format!("i1,{video}");
    api.good(VOD, "AddEditingProjectMaterials", &[("ProjectId", &id), ("MaterialIds", &ids)]).await;
    let listed = materials("").await;
    let shown: Vec<(&str, &str, &str)> = listed
        .iter()
        .map(|one| {
            let text = |name: &str| one[name].as_str().unwrap();
            (text("MaterialId"), text("MaterialType"), text("Status"))
        })
        .collect();
    assert_eq!(shown, [("i1", "image", "Normal"), (video.as_str(), "video", "Normal")]);
    assert_eq!(
        (&listed[1]["Duration"], &listed[1]["Title"], &listed[0]["Size"]),
        (&json!(10.0), &json!("cam-one"), &json!(99))
    );
    assert_eq!(materials("image").await.len(), 1);
    let refused =
        api.bad(VOD, "AddEditingProjectMaterials", &[("ProjectId", &id), ("MaterialIds", foreign.as_str())]).await;
    assert_eq!(refused, (404, "InvalidVideo.NotFound".to_owned()));
    api.good(VOD, "SetEditingProjectMaterials", &[("ProjectId", &id), ("MaterialIds", video.as_str())]).await;
    assert_eq!(materials("").await.len(), 1);
}

#[tokio::test]
async fn a_production_opens_a_journal_and_the_project_follows_it() {
    let api = Api::new().await;
    let mut life = api.world.broadcast("acme", "one").await;
    let video = life.part(0).await;
    store_only(&mut life).await;
    let source = api.world.files.make_video(&video).unwrap();
    source.write(SOURCE, b"media").unwrap();
    let id = add(&api, "highlights").await;
    let timeline = cut(video.as_str());
    let answer = api
        .good(
            VOD,
            PRODUCE,
            &[
                ("ProjectId", &id),
                ("Timeline", &timeline),
                ("MediaMetadata", r#"{"Title":"goals","Tags":"cup,final","CateId":"7","CoverURL":"http://c/y.jpg"}"#),
                ("ProduceConfig", r#"{"Width":"640","TemplateGroupId":"VOD_NO_TRANSCODE"}"#),
                ("UserData", r#"{"Extend":{"a":1},"MessageCallback":"{\"CallbackURL\":\"http://127.0.0.1:8099/x\"}"}"#),
            ],
        )
        .await;
    assert_eq!(answer["ProjectId"], json!(id));
    let media = answer["MediaId"].as_str().unwrap();
    let pin = api.world.files.media_path(&VideoId::new(media), &format!("parts/{video}.mp4"));
    assert_eq!(std::fs::metadata(pin).unwrap().ino(), source.metadata(SOURCE).unwrap().ino(), "it is kept at hand");
    let opening = opening(&api, media).await;
    let frozen: Timeline = serde_json::from_str(&opening.timeline).unwrap();
    assert_eq!((frozen.clips[0].cut.from_ms, frozen.clips[0].cut.to_ms, frozen.width), (1000, Some(4500), Some(640)));
    assert_eq!((opening.title.as_str(), opening.description.as_str()), ("goals", ""));
    assert!(opening.group.is_no_transcode());
    assert_eq!(opening.request.extend.as_deref(), Some("{\"a\":1}"));
    assert_eq!(opening.request.callback.as_deref(), Some("http://127.0.0.1:8099/x"));

    let shown = project(&api, &id).await;
    assert_eq!(
        (&shown["Status"], &shown["Timeline"], &shown["Duration"]),
        (&json!("Producing"), &json!(timeline), &json!(3.5))
    );
    let info = api.good(VOD, "GetVideoInfo", &[("VideoId", media)]).await["Video"].clone();
    assert_eq!((&info["Status"], &info["Title"]), (&json!("Uploading"), &json!("goals")));
    let row = api.world.store.video("acme", media).await.unwrap().unwrap();
    let produced = BroadcastId::new(row.broadcast);
    let words = api.world.store.editing_video_words("acme", media).await.unwrap().unwrap();
    assert_eq!(
        (words.tags.as_str(), words.cate_id, words.cover_url.as_deref()),
        ("cup,final", 7, Some("http://c/y.jpg"))
    );

    // What the production ends in is the project's status.
    let records = api.world.store.journal(&produced).await.unwrap();
    let state = reprise_lifecycle::broadcast::Broadcast::fold(produced.clone(), &records).unwrap().unwrap();
    let outstanding = state.outstanding();
    let effect = outstanding.iter().find(|(_, effect)| matches!(effect, Effect::Produce { .. })).unwrap().0;
    let failure = WorkFailure { code: "InvalidParameter.Timeline".to_owned(), message: "no".to_owned() };
    let input = Input::ComposeFinished { effect: *effect, result: WorkResult::Failed(failure) };
    api.world.driver().await.job_input(&produced, input).await.unwrap();
    assert_eq!(project(&api, &id).await["Status"], "ProduceFailed");
    let failed = api.good(VOD, SEARCH, &[("Status", "ProduceFailed")]).await;
    assert_eq!(failed["Total"], 1);
}

#[tokio::test]
async fn a_timeline_alone_makes_its_project() {
    let api = Api::new().await;
    let mut life = api.world.broadcast("acme", "one").await;
    let video = transcoded(&mut life).await;
    let answer = api.good(VOD, PRODUCE, &[("Timeline", &cut(video.as_str()))]).await;
    let shown = project(&api, answer["ProjectId"].as_str().unwrap()).await;
    assert_eq!((&shown["Title"], &shown["Status"]), (&json!("Untitled"), &json!("Producing")));
    // Without a named group the tenant's default one: the built-in, until there is another.
    assert!(opening(&api, answer["MediaId"].as_str().unwrap()).await.group.is_no_transcode());
}

#[tokio::test]
async fn so_many_productions_are_under_way_at_once() {
    let api = Api::new().await;
    let mut life = api.world.broadcast("acme", "one").await;
    let video = transcoded(&mut life).await;
    let params = [("Timeline", cut(video.as_str()))];
    let params = params.each_ref().map(|(name, value)| (*name, value.as_str()));
    for _ in 0..100 {
        api.good(VOD, PRODUCE, &params).await;
    }
    assert_eq!(api.bad(VOD, PRODUCE, &params).await, (400, "Forbidden.IllegalStatus".to_owned()));
    assert_eq!(api.good(VOD, SEARCH, &[]).await["Total"], 100, "what is refused leaves no project");
    assert_eq!(api.world.store.editing_projects("acme", &Default::default(), 0, 1).await.unwrap().1[0].timeline, "");
}

#[tokio::test]
async fn a_production_that_cannot_be_made_is_refused() {
    let api = Api::new().await;
    let mut life = api.world.broadcast("acme", "one").await;
    let undecided = life.part(0).await;
    let mut other = api.world.broadcast("umbrella", "two").await;
    let foreign = transcoded(&mut other).await;
    let mut ready = api.world.broadcast("acme", "three").await;
    let ready = transcoded(&mut ready).await;
    let empty = add(&api, "empty").await;
    let (not_ready, not_mine, good) = (cut(undecided.as_str()), cut(foreign.as_str()), cut(ready.as_str()));
    let past = json!({ "VideoTracks": [{ "VideoTrackClips": [{ "MediaId": ready.as_str(), "In": 10 }] }] }).to_string();
    let table: [(Pairs<'_>, (u16, &str)); 9] = [
        (&[], (400, "MissingParameter")),
        (&[("ProjectId", "0123")], (404, "InvalidEditingProject.NotFound")),
        (&[("ProjectId", &empty)], (400, "InvalidParameter")),
        (&[("Timeline", &not_ready)], (403, "Forbidden.IllegalStatus")),
        (&[("Timeline", &not_mine)], (404, "InvalidVideo.NotFound")),
        (&[("Timeline", &past)], (400, "InvalidParameter")),
        (
            &[("Timeline", &good), ("ProduceConfig", r#"{"TemplateGroupId":"x"}"#)],
            (404, "InvalidTranscodeTemplateGroup.NotFound"),
        ),
        (
            &[("Timeline", &good), ("UserData", r#"{"MessageCallback":{"CallbackURL":"ftp://x"}}"#)],
            (400, "InvalidParameter"),
        ),
        (&[("Timeline", &good), ("UserData", "x")], (400, "InvalidParameter")),
    ];
    for (params, (status, code)) in table {
        assert_eq!(api.bad(VOD, PRODUCE, params).await, (status, code.to_owned()), "{params:?}");
    }
    let answered = api.v3(&api.ask(VOD, PRODUCE, &[("Timeline", &past)])).await;
    let message = answered.json()["Message"].as_str().unwrap().to_owned();
    assert!(message.contains("\"Timeline.VideoTracks[0].VideoTrackClips[0]\""), "{message}");
    assert_eq!(api.good(VOD, SEARCH, &[]).await["Total"], 1, "nothing refused leaves a project");
}
