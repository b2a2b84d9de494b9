//! Notices about streams and recordings: made in the transaction of what they tell, sent by a worker, kept for a
//! while with how it went.

use reprise_lifecycle::time::Timestamp;
use secrecy::SecretString;
use sqlx::{FromRow, Sqlite, Transaction};

use super::live_notify::{record_purpose, stream_purpose};
use super::{Result, Store};

/// How long a notice is kept: the vendor answers for 7 days.
const KEEP_MS: i64 = 8 * 24 * 3600 * 1000;

/// Notices of one tenant that are given out at once, so that a tenant with a large backlog does not hide the others'.
const PER_TENANT: i64 = 8;

/// Notices given out at once.
const PAGE: i64 = 256;

/// Notices of one tenant that may wait. Whoever looks for what is due passes over all of them, and those of a receiver
/// that is dead come faster than they are given up. Beyond it they are not made.
const MAX_WAITING: i64 = 2_000;

/// What a notice is about, which is also whose receiver hears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A stream: on and off.
    Stream,
    /// A recording.
    Record,
}

impl Side {
    fn word(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Record => "record",
        }
    }
}

/// A notice to be made, if somebody wants to hear it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNotice {
    /// The owner.
    pub tenant: String,
    /// Push domain for streams, play domain for recordings.
    pub domain: String,
    /// Application.
    pub app: String,
    /// Stream name.
    pub stream: String,
    /// The notice's type.
    pub kind: &'static str,
    /// Whether only those hear it who asked for every change of status.
    pub status: bool,
    /// The query for streams, the body for recordings.
    pub content: String,
    /// When it happened.
    pub at: i64,
}

/// A notice that is due, with the key that signs it.
#[derive(Clone, Debug)]
pub struct DueNotice {
    /// Its number.
    pub id: i64,
    /// The owner.
    pub tenant: String,
    /// What it is about.
    pub side: Side,
    /// The domain it is about.
    pub domain: String,
    /// The receiver.
    pub url: String,
    /// The query, or the body.
    pub content: String,
    /// Tries so far.
    pub attempts: i64,
    /// The key, if notices are signed now.
    pub auth_key: Option<SecretString>,
}

/// How one try went.
#[derive(Clone, Debug)]
pub struct Tried {
    /// When.
    pub at: Timestamp,
    /// Whether the receiver has it.
    pub delivered: bool,
    /// When it is tried again, if it is.
    pub again_at: Option<Timestamp>,
    /// What the request said of itself.
    pub headers: String,
    /// The begin of the answer.
    pub response: String,
    /// What went wrong.
    pub detail: String,
}

/// A notice that was tried, as listings show it.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct NoticeRow {
    /// Its domain.
    pub domain: String,
    /// Application.
    pub app: String,
    /// Stream name.
    pub stream: String,
    /// Its type.
    pub kind: String,
    /// The receiver.
    pub url: String,
    /// The query, or the body.
    pub content: String,
    /// When it was last tried.
    pub tried_at: i64,
    /// Whether the receiver has it.
    pub delivered: bool,
    /// What the request said of itself.
    pub headers: String,
    /// The begin of the answer.
    pub response: String,
    /// What went wrong.
    pub detail: String,
}

/// Which notices to list.
#[derive(Clone, Debug)]
pub struct NoticeFilter<'a> {
    /// About streams or recordings.
    pub side: Side,
    /// Tried from here on.
    pub from: Timestamp,
    /// And not after this.
    pub to: Timestamp,
    /// In this application.
    pub app: Option<&'a str>,
    /// Of this stream.
    pub stream: Option<&'a str>,
    /// Only those that arrived, or did not.
    pub delivered: Option<bool>,
}

/// Makes a notice about a stream, if there is a receiver. Says whether there is.
pub(super) async fn tell_stream(transaction: &mut Transaction<'_, Sqlite>, notice: &NewNotice) -> Result<bool> {
    let url: Option<String> =
        sqlx::query_scalar("SELECT url FROM live_stream_notify WHERE tenant = ? AND domain = ? AND url <> ''")
            .bind(&notice.tenant)
            .bind(&notice.domain)
            .fetch_optional(&mut **transaction)
            .await?;
    let Some(url) = url else { return Ok(false) };
    insert(transaction, Side::Stream, notice, &url).await?;
    Ok(true)
}

/// Makes notices about recordings, for those that somebody wants to hear.
pub(super) async fn tell_records(transaction: &mut Transaction<'_, Sqlite>, notices: &[NewNotice]) -> Result<()> {
    for notice in notices {
        let receiver: Option<(String, bool)> =
            sqlx::query_as("SELECT url, status FROM live_record_notify WHERE tenant = ? AND domain = ?")
                .bind(&notice.tenant)
                .bind(&notice.domain)
                .fetch_optional(&mut **transaction)
                .await?;
        match receiver {
            Some((url, status)) if status || !notice.status => {
                insert(transaction, Side::Record, notice, &url).await?;
            }
            Some(_) | None => {}
        }
    }
    Ok(())
}

async fn insert(transaction: &mut Transaction<'_, Sqlite>, side: Side, notice: &NewNotice, url: &str) -> Result<()> {
    let done = sqlx::query(
        "INSERT INTO live_notices (tenant, side, domain, app, stream, kind, url, content, created_at, due_at) \
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9 WHERE (SELECT count(*) FROM (SELECT 1 FROM live_notices \
         WHERE tenant = ?1 AND due_at IS NOT NULL LIMIT ?10)) < ?10",
    )
    .bind(&notice.tenant)
    .bind(side.word())
    .bind(&notice.domain)
    .bind(&notice.app)
    .bind(&notice.stream)
    .bind(notice.kind)
    .bind(url)
    .bind(&notice.content)
    .bind(notice.at)
    .bind(MAX_WAITING)
    .execute(&mut **transaction)
    .await?;
    if done.rows_affected() == 0 {
        tracing::warn!(tenant.id = notice.tenant, kind = notice.kind, "too many notices wait: one is not made");
    }
    Ok(())
}

type DueRow = (i64, String, String, String, String, String, i64, Option<Vec<u8>>);

impl Store {
    /// Notices that are due, at most a few of each tenant, oldest first. Those about one stream go out in their order:
    /// only its oldest is given.
    pub async fn due_notices(&self, now: Timestamp) -> Result<Vec<DueNotice>> {
        let rows: Vec<DueRow> = sqlx::query_as(
            "SELECT n.id, n.tenant, n.side, n.domain, n.url, n.content, n.attempts, \
             CASE n.side WHEN 'stream' \
               THEN (SELECT auth_key FROM live_stream_notify s \
                     WHERE s.tenant = n.tenant AND s.domain = n.domain AND s.auth) \
               ELSE (SELECT auth_key FROM live_record_notify r \
                     WHERE r.tenant = n.tenant AND r.domain = n.domain AND r.auth) END \
             FROM (SELECT *, row_number() OVER (PARTITION BY tenant ORDER BY due_at, id) AS place \
                   FROM live_notices d WHERE due_at <= ?1 AND (side <> 'stream' OR NOT EXISTS \
                     (SELECT 1 FROM live_notices o WHERE o.due_at IS NOT NULL AND o.tenant = d.tenant \
                      AND o.side = d.side AND o.domain = d.domain AND o.app = d.app AND o.stream = d.stream \
                      AND o.id < d.id))) n \
             WHERE n.place <= ?2 ORDER BY n.place, n.due_at, n.id LIMIT ?3",
        )
        .bind(now.0)
        .bind(PER_TENANT)
        .bind(PAGE)
        .fetch_all(&self.reader)
        .await?;
        rows.into_iter()
            .map(|(id, tenant, side, domain, url, content, attempts, key)| {
                let (side, purpose) = match side.as_str() {
                    "stream" => (Side::Stream, stream_purpose(&tenant, &domain)),
                    _ => (Side::Record, record_purpose(&tenant, &domain)),
                };
                let auth_key = self.opened(&purpose, key)?;
                Ok(DueNotice { id, tenant, side, domain, url, content, attempts, auth_key })
            })
            .collect()
    }

    /// Notes how a try went.
    pub async fn notice_tried(&self, id: i64, tried: &Tried) -> Result<()> {
        sqlx::query(
            "UPDATE live_notices SET attempts = attempts + 1, tried_at = ?2, delivered = ?3, due_at = ?4, headers = ?5, \
             response = ?6, detail = ?7 WHERE id = ?1",
        )
        .bind(id)
        .bind(tried.at.0)
        .bind(tried.delivered)
        .bind(tried.again_at.map(|at| at.0))
        .bind(&tried.headers)
        .bind(&tried.response)
        .bind(&tried.detail)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Forgets notices older than anybody may ask for.
    pub async fn forget_notices(&self, now: Timestamp) -> Result<()> {
        sqlx::query("DELETE FROM live_notices WHERE created_at < ?")
            .bind(now.plus_ms(-KEEP_MS).0)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// A page of a domain's notices that were tried, newest first, with the number of all that match.
    pub async fn notices(
        &self,
        tenant: &str,
        domain: &str,
        filter: &NoticeFilter<'_>,
        offset: i64,
        limit: i64,
    ) -> Result<(i64, Vec<NoticeRow>)> {
        let total = sqlx::query_scalar(
            "SELECT count(*) FROM live_notices WHERE tenant = ?1 AND side = ?2 AND domain = ?3 \
             AND tried_at BETWEEN ?4 AND ?5 AND (?6 IS NULL OR app = ?6) AND (?7 IS NULL OR stream = ?7) \
             AND (?8 IS NULL OR delivered = ?8)",
        )
        .bind(tenant)
        .bind(filter.side.word())
        .bind(domain)
        .bind(filter.from.0)
        .bind(filter.to.0)
        .bind(filter.app)
        .bind(filter.stream)
        .bind(filter.delivered)
        .fetch_one(&self.reader)
        .await?;
        let page = sqlx::query_as(
            "SELECT domain, app, stream, kind, url, content, tried_at, delivered, headers, response, detail \
             FROM live_notices WHERE tenant = ?1 AND side = ?2 AND domain = ?3 \
             AND tried_at BETWEEN ?4 AND ?5 AND (?6 IS NULL OR app = ?6) AND (?7 IS NULL OR stream = ?7) \
             AND (?8 IS NULL OR delivered = ?8) ORDER BY tried_at DESC, id DESC LIMIT ?9 OFFSET ?10",
        )
        .bind(tenant)
        .bind(filter.side.word())
        .bind(domain)
        .bind(filter.from.0)
        .bind(filter.to.0)
        .bind(filter.app)
        .bind(filter.stream)
        .bind(filter.delivered)
        .bind(limit)
        .bind(offset)
        .fetch_all(&self.reader)
        .await?;
        Ok((total, page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::live_notify::StreamNotify;
    use crate::testkit::{World, noon};

    #[tokio::test]
    async fn a_dead_receiver_has_so_many_notices_waiting() {
        let world = World::new().await;
        for tenant in ["acme", "umbrella"] {
            world.tenant(tenant).await;
            let notify = StreamNotify {
                url: "http://hooks.example.org/".to_owned(),
                exception_url: String::new(),
                switch_url: String::new(),
                auth: false,
                auth_key: None,
            };
            world.store.put_stream_notify(tenant, "push", &notify).await.unwrap();
        }
        let mut transaction = world.store.writer.begin().await.unwrap();
        let tell = |tenant: &str| NewNotice {
            tenant: tenant.to_owned(),
            domain: "push".to_owned(),
            app: "studio".to_owned(),
            stream: "cam".to_owned(),
            kind: "publish",
            status: false,
            content: String::new(),
            at: noon().0,
        };
        for _ in 0..MAX_WAITING + 10 {
            tell_stream(&mut transaction, &tell("acme")).await.unwrap();
        }
        tell_stream(&mut transaction, &tell("umbrella")).await.unwrap();
        let counted = "SELECT count(*) FROM live_notices WHERE tenant = ?";
        for (tenant, expected) in [("acme", MAX_WAITING), ("umbrella", 1)] {
            let count: i64 = sqlx::query_scalar(counted).bind(tenant).fetch_one(&mut *transaction).await.unwrap();
            assert_eq!(count, expected, "{tenant}");
        }
        // Room is made by what was delivered or given up.
        sqlx::query("UPDATE live_notices SET due_at = NULL WHERE id = 1").execute(&mut *transaction).await.unwrap();
        tell_stream(&mut transaction, &tell("acme")).await.unwrap();
        let count: i64 = sqlx::query_scalar(counted).bind("acme").fetch_one(&mut *transaction).await.unwrap();
        assert_eq!(count, MAX_WAITING + 1);
    }
}
