//! Tasks: how far they are, and ending one.

use axum::http::Method;
use reprise_lifecycle::id::JobId;

use super::{ADMIN, Desk, code};

#[tokio::test]
async fn a_task_is_cancelled_once_and_shows_how_far_it_came() {
    let desk = Desk::new().await;
    for tenant in ["acme", "umbrella"] {
        desk.world.tenant(tenant).await;
    }
    let mut life = desk.world.broadcast("acme", "b1").await;
    let video = life.part(0).await;
    life.decide(&video, &["m3u8", "mp4"]).await;
    let done = life.rendition(&video, 0, &[("index.m3u8", b"#EXTM3U")]).await;
    let task = life.state.videos[&video].task().unwrap().clone();

    let running = desk.progress.track([&task.outputs[1].job]);
    running.set(40);
    let renditions = async || {
        let shown = desk.get(&format!("/v1/tenants/acme/videos/{video}")).await["renditions"].clone();
        let row = |index: usize| {
            let it = &shown[index];
            (
                it["status"].as_str().unwrap().to_owned(),
                it["progress"].as_u64(),
                it["failure_code"].as_str().map(str::to_owned),
            )
        };
        [row(0), row(1)]
    };
    let whole = ("done".to_owned(), None, None);
    assert_eq!(renditions().await, [whole.clone(), ("pending".to_owned(), Some(40), None)]);
    drop(running);

    let path = |tenant: &str, task: &str| format!("/v1/tenants/{tenant}/tasks/{task}/cancel");
    for (tenant, task) in [("umbrella", task.id.as_str()), ("acme", "gone")] {
        let answered = desk.as_token(ADMIN, Method::POST, &path(tenant, task), "").await;
        assert_eq!((answered.status.as_u16(), code(&answered).as_str()), (404, "not_found"));
    }
    let answered = desk.as_token(ADMIN, Method::POST, &path("acme", task.id.as_str()), "").await;
    assert_eq!((answered.status.as_u16(), &answered.json()["video"]), (202, &video.as_str().into()));
    assert_eq!(renditions().await, [whole, ("failed".to_owned(), None, Some("JobCancelled".to_owned()))]);
    assert_eq!(done, JobId::derived(&task.id, 0).as_str(), "what was done stands");

    let again = desk.as_token(ADMIN, Method::POST, &path("acme", task.id.as_str()), "").await;
    assert_eq!((again.status.as_u16(), code(&again).as_str()), (409, "conflict"));
}
