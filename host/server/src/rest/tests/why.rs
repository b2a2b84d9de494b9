//! A video's story over the API, from what a broadcast's life leaves in the catalogue.

use axum::http::Method;
use reprise_lifecycle::question::GapRule;
use serde_json::Value;

use super::{ADMIN, Desk, token_of};
use crate::testkit::{ask, noon};

fn told(why: &Value) -> String {
    why["sentences"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_parts_story_goes_from_the_question_to_what_was_made_and_told() {
    let desk = Desk::new().await;
    desk.world.tenant("acme").await;
    desk.world.receiver("acme", "https://hooks.acme.example/in?token=secret").await;
    let mut life = desk.world.broadcast("acme", "b1").await;
    let video = life.part(0).await;
    let path = format!("/v1/tenants/acme/videos/{video}/why");

    let before = told(&desk.get(&path).await);
    for said in [
        format!("Video {video} is part 1 of broadcast b1 of rtmp://push.acme.example/studio/cam-b1."),
        "It has 10.0 s, 320x240 H.264, with sound.".to_owned(),
        "Its template group is being asked for now.".to_owned(),
        "The broadcast is still going on.".to_owned(),
        "Whether its parts become one video is decided when it ends.".to_owned(),
        "Event `FileUploadComplete` to https://hooks.acme.example/in is to be delivered.".to_owned(),
    ] {
        assert!(before.contains(&said), "{said}\n--\n{before}");
    }
    assert!(!before.contains("secret"), "{before}");

    life.decide(&video, &["mp4"]).await;
    life.rendition(&video, 0, &[("SD.mp4", b"mp4")]).await;
    let why = desk.get(&path).await;
    let after = told(&why);
    let id = why["decisions"][0]["id"].as_i64().unwrap();
    for said in [
        format!("bound as `default`, was asked with revision 1 of its settings (decision {id})."),
        "It answered: group `g1`.".to_owned(),
        "It gave no reason.".to_owned(),
        "That was done.".to_owned(),
        "It logged “chose g1”.".to_owned(),
        "By that decision it is processed with group `g1` (task ".to_owned(),
        "SD mp4 is there, 320x240".to_owned(),
    ] {
        assert!(after.contains(&said), "{said}\n--\n{after}");
    }
    assert_eq!((&why["tenant"], &why["video_id"]), (&"acme".into(), &video.as_str().into()));

    // What the log keeps no longer is told from the journal.
    let keep = crate::store::decisions::Retention { days: 1, per_tenant: 0 };
    let later = reprise_lifecycle::time::Timestamp(noon().0 + 90_000_000);
    assert_eq!(desk.world.store.clear_decisions("acme", keep, None, later).await.unwrap(), 1);
    let old = desk.get(&path).await;
    assert_eq!(old["decisions"], serde_json::json!([]));
    let old = told(&old);
    assert!(old.contains("was asked with revision 1 of its settings.\nIt answered: group `g1`."), "{old}");
    assert!(old.contains("older than the log is kept"), "{old}");
}

#[tokio::test]
async fn a_composed_video_tells_of_the_compose_and_its_part_does_too() {
    let desk = Desk::new().await;
    desk.world.tenant("acme").await;
    let mut life = desk.world.broadcast("acme", "b1").await;
    let part = life.part(0).await;
    life.part(10_000).await;
    let whole = life.compose(GapRule::Hold).await;
    for video in [&whole, &part] {
        let story = told(&desk.get(&format!("/v1/tenants/acme/videos/{video}/why")).await);
        for said in [
            "The broadcast is over: the publisher did not come back within the break window.",
            "At the hook `compose-rules` nobody was asked.",
            "No policy decides this for this stream, so the default applied: the record config asks for no compose.",
            &format!("So 2 stretches of its parts became video {whole}."),
        ] {
            assert!(story.contains(said), "{said}\n--\n{story}");
        }
    }
    let story = told(&desk.get(&format!("/v1/tenants/acme/videos/{whole}/why")).await);
    assert!(story.starts_with(&format!("Video {whole} is composed of 2 parts of broadcast b1")), "{story}");
    assert!(
        story.contains("No policy is asked for the template group of a composed video: nobody named one"),
        "{story}"
    );
    assert!(
        story.contains("Its file is being made.") && story.contains("The tenant was told nothing of it yet."),
        "{story}"
    );
}

#[tokio::test]
async fn who_asks_for_text_gets_text_and_the_owner_is_found_by_the_video() {
    let desk = Desk::new().await;
    desk.world.tenant("acme").await;
    desk.world.tenant("umbrella").await;
    let video = desk.world.broadcast("acme", "b1").await.part(0).await;
    let path = format!("/v1/videos/{video}/why");
    for (token, status) in [(ADMIN, 200), (token_of("acme").as_str(), 200), (token_of("umbrella").as_str(), 404)] {
        let answered = desk.as_token(token, Method::GET, &path, "").await;
        assert_eq!(answered.status.as_u16(), status, "{token}");
    }
    assert_eq!(desk.as_token(ADMIN, Method::GET, "/v1/videos/nothing/why", "").await.status.as_u16(), 404);
    let bearer = format!("Bearer {ADMIN}");
    for (accept, kind) in [
        ("text/plain", "text/plain; charset=utf-8"),
        ("text/html, text/plain;q=0.5, */*", "text/plain; charset=utf-8"),
        ("application/json, text/plain", "application/json"),
        ("*/*", "application/json"),
    ] {
        let headers = [("authorization", bearer.as_str()), ("accept", accept)];
        let answered = ask(&desk.router, Method::GET, &path, &headers, "").await;
        assert_eq!((answered.status.as_u16(), answered.header("content-type")), (200, kind), "{accept}");
        if kind.starts_with("text") {
            assert!(answered.text().starts_with(&format!("Video {video} is part 1")), "{answered:?}");
        }
    }
}
