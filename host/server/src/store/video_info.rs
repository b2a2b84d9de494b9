//! What a tenant may say of a video: title, description, tags, category, cover. The one part of a video's row that no
//! journal holds; its event is written with it.

use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::time::Timestamp;
use sqlx::FromRow;

use super::deliveries::OutboxEvent;
use super::{Result, Store, deliveries};

/// What is said now.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromRow)]
pub struct VideoInfo {
    /// Title.
    pub title: String,
    /// Description.
    pub description: String,
    /// Comma separated.
    pub tags: String,
    /// The category's number.
    pub cate_id: i64,
    /// A picture elsewhere that stands for the video.
    pub cover_url: Option<String>,
}

/// What is to be said; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InfoChange {
    /// Title.
    pub title: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Comma separated.
    pub tags: Option<String>,
    /// The category's number.
    pub cate_id: Option<i64>,
    /// A picture elsewhere that stands for the video.
    pub cover_url: Option<String>,
    /// JSON of the tenant's own.
    pub user_data: Option<String>,
}

/// The event of a change.
#[derive(Clone, Debug)]
pub struct ChangeEvent {
    /// Its id.
    pub id: String,
    /// The vendor's event type.
    pub kind: &'static str,
    /// One JSON object.
    pub body: String,
}

impl Store {
    /// Changes a video's information and tells of it, in one transaction. `event` makes the event from what was said
    /// before. Says whether the tenant has such a video.
    pub async fn change_video_info(
        &self,
        tenant: &str,
        video: &VideoId,
        change: &InfoChange,
        event: impl FnOnce(&VideoInfo) -> ChangeEvent + Send,
        shape: bool,
        now: Timestamp,
    ) -> Result<bool> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let found: Option<(String, String, String, String, i64, Option<String>)> = sqlx::query_as(
            "SELECT broadcast, title, description, tags, cate_id, cover_url FROM videos WHERE tenant = ? AND id = ?",
        )
        .bind(tenant)
        .bind(video.as_str())
        .fetch_optional(&mut *transaction)
        .await?;
        let Some((broadcast, title, description, tags, cate_id, cover_url)) = found else { return Ok(false) };
        sqlx::query(
            "UPDATE videos SET title = coalesce(?3, title), description = coalesce(?4, description), \
             tags = coalesce(?5, tags), cate_id = coalesce(?6, cate_id), cover_url = coalesce(?7, cover_url), \
             user_data = coalesce(?8, user_data), modified_at = ?9 WHERE tenant = ?1 AND id = ?2",
        )
        .bind(tenant)
        .bind(video.as_str())
        .bind(&change.title)
        .bind(&change.description)
        .bind(&change.tags)
        .bind(change.cate_id)
        .bind(&change.cover_url)
        .bind(&change.user_data)
        .bind(now.0)
        .execute(&mut *transaction)
        .await?;
        let event = event(&VideoInfo { title, description, tags, cate_id, cover_url });
        let event = OutboxEvent {
            id: event.id,
            // It comes from no record; the number only orders the events of one.
            seq: 0,
            video: video.clone(),
            kind: event.kind,
            at: now.0,
            body: event.body,
            callback: None,
        };
        deliveries::write_for(&mut transaction, tenant, &broadcast, &[event], shape).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::outbox::{DeliveryFilter, EventFilter};
    use crate::testkit::{World, noon};

    #[tokio::test]
    async fn a_change_and_its_event_are_one() {
        let world = World::new().await;
        world.tenant("acme").await;
        world.receiver("acme", "http://127.0.0.1/hook").await;
        let video = world.broadcast("acme", "one").await.part(0).await;
        let change = InfoChange { title: Some("Final".to_owned()), cate_id: Some(7), ..InfoChange::default() };
        let tell = |old: &VideoInfo| ChangeEvent {
            id: "evt_change".to_owned(),
            kind: "MediaBaseChangeComplete",
            body: format!("{{\"old\":\"{}\"}}", old.title),
        };
        let at = noon().plus_ms(5000);
        for tenant in ["umbrella", "acme"] {
            let done = world.store.change_video_info(tenant, &video, &change, tell, true, at).await.unwrap();
            assert_eq!(done, tenant == "acme");
        }
        let row = world.store.video("acme", video.as_str()).await.unwrap().unwrap();
        assert_eq!((row.title.as_str(), row.modified_at), ("Final", at.0));
        assert_eq!(row.description, "cam-one|studio|play.acme.example");
        let filter = EventFilter { kind: Some("MediaBaseChangeComplete".to_owned()), ..EventFilter::default() };
        let events = world.store.events("acme", &filter, 10).await.unwrap();
        assert_eq!((events.len(), events[0].body.as_str()), (1, "{\"old\":\"cam-one\"}"));
        assert_eq!((events[0].video.as_str(), events[0].broadcast.as_str()), (video.as_str(), "one"));
        let filter = DeliveryFilter { event: Some("evt_change".to_owned()), ..DeliveryFilter::default() };
        let deliveries = world.store.deliveries("acme", &filter, 10).await.unwrap();
        assert_eq!((deliveries.len(), deliveries[0].phase.as_str()), (1, "shaping"));
    }
}
