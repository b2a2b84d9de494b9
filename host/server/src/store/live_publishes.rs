//! Who published when, recorded or not. An announced publish owes its receiver the word that it ended, whatever
//! ends it, a crash included.

use reprise_lifecycle::question::StreamKey;
use reprise_lifecycle::time::Timestamp;
use sqlx::FromRow;

use super::live_notices::{self, NewNotice};
use super::{Result, Store};

/// How long a publish is remembered: the vendor answers for 30 days.
const KEEP_MS: i64 = 31 * 24 * 3600 * 1000;

/// A page in one of the orders. Statements are whole literals: nothing is ever put into one at run time.
macro_rules! concat_page {
    ($order:literal) => {
        concat!(
            "SELECT id, tenant, domain, play_domain, app, stream, client, arguments, published_at, stopped_at ",
            "FROM live_publishes WHERE tenant = ?1 AND published_at BETWEEN ?2 AND ?3 ",
            "AND (?4 IS NULL OR app = ?4) ",
            "AND (?5 IS NULL OR (CASE WHEN ?6 THEN stream = ?5 ELSE instr(stream, ?5) > 0 END)) ",
            "ORDER BY ",
            $order,
            " LIMIT ?7 OFFSET ?8"
        )
    };
}

/// One publish.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Publish {
    /// Its id, drawn by who accepted it.
    pub id: String,
    /// The owner.
    pub tenant: String,
    /// Push domain.
    pub domain: String,
    /// Play domain.
    pub play_domain: String,
    /// Application.
    pub app: String,
    /// Stream name.
    pub stream: String,
    /// The publisher's address.
    pub client: String,
    /// Arguments of the push URL, form-encoded, without the signature.
    pub arguments: String,
    /// When it began.
    pub published_at: i64,
    /// When it ended, if it did.
    pub stopped_at: Option<i64>,
}

impl Publish {
    /// The stream.
    pub fn key(&self) -> StreamKey {
        StreamKey { domain: self.domain.clone(), app: self.app.clone(), name: self.stream.clone() }
    }
}

/// Which publishes to list.
#[derive(Clone, Debug)]
pub struct PublishFilter<'a> {
    /// Begun from here on.
    pub from: Timestamp,
    /// And not after this.
    pub to: Timestamp,
    /// In this application.
    pub app: Option<&'a str>,
    /// Of this stream.
    pub stream: Option<&'a str>,
    /// Whether the stream's name must be equal, not only contain it.
    pub strict: bool,
    /// By name rather than by time.
    pub by_name: bool,
    /// The other way round.
    pub descending: bool,
}

impl Store {
    /// Notes that a publish began.
    pub async fn publish_began(&self, publish: &Publish) -> Result<()> {
        sqlx::query(
            "INSERT INTO live_publishes (id, tenant, domain, play_domain, app, stream, client, arguments, published_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(&publish.id)
        .bind(&publish.tenant)
        .bind(&publish.domain)
        .bind(&publish.play_domain)
        .bind(&publish.app)
        .bind(&publish.stream)
        .bind(&publish.client)
        .bind(&publish.arguments)
        .bind(publish.published_at)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Notes the word to the receiver of stream notices that a publish began, if there is a receiver.
    pub async fn publish_announced(&self, id: &str, notice: &NewNotice) -> Result<()> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        if live_notices::tell_stream(&mut transaction, notice).await? {
            sqlx::query("UPDATE live_publishes SET announced = 1 WHERE id = ?")
                .bind(id)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Notes that a publish ended; who was told that it began is told that too.
    pub async fn publish_ended(&self, id: &str, notice: &NewNotice) -> Result<()> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let announced: Option<bool> = sqlx::query_scalar(
            "UPDATE live_publishes SET stopped_at = ?2 WHERE id = ?1 AND stopped_at IS NULL RETURNING announced",
        )
        .bind(id)
        .bind(notice.at)
        .fetch_optional(&mut *transaction)
        .await?;
        if announced == Some(true) {
            live_notices::tell_stream(&mut transaction, notice).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Publishes that were never noted as ended: of an earlier run of the server.
    pub async fn open_publishes(&self) -> Result<Vec<Publish>> {
        let open = "SELECT id, tenant, domain, play_domain, app, stream, client, arguments, published_at, stopped_at \
                    FROM live_publishes WHERE stopped_at IS NULL";
        Ok(sqlx::query_as(open).fetch_all(&self.reader).await?)
    }

    /// Forgets publishes older than anybody may ask for.
    pub async fn forget_publishes(&self, now: Timestamp) -> Result<()> {
        sqlx::query("DELETE FROM live_publishes WHERE published_at < ? AND stopped_at IS NOT NULL")
            .bind(now.plus_ms(-KEEP_MS).0)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// A page of a tenant's publishes, with the number of all that match.
    pub async fn publishes(
        &self,
        tenant: &str,
        filter: &PublishFilter<'_>,
        offset: i64,
        limit: i64,
    ) -> Result<(i64, Vec<Publish>)> {
        let total = sqlx::query_scalar(
            "SELECT count(*) FROM live_publishes WHERE tenant = ?1 AND published_at BETWEEN ?2 AND ?3 \
             AND (?4 IS NULL OR app = ?4) \
             AND (?5 IS NULL OR (CASE WHEN ?6 THEN stream = ?5 ELSE instr(stream, ?5) > 0 END))",
        )
        .bind(tenant)
        .bind(filter.from.0)
        .bind(filter.to.0)
        .bind(filter.app)
        .bind(filter.stream)
        .bind(filter.strict)
        .fetch_one(&self.reader)
        .await?;
        let page = match (filter.by_name, filter.descending) {
            (false, false) => concat_page!("published_at, id"),
            (false, true) => concat_page!("published_at DESC, id"),
            (true, false) => concat_page!("stream, published_at, id"),
            (true, true) => concat_page!("stream DESC, published_at, id"),
        };
        let page = sqlx::query_as(page)
            .bind(tenant)
            .bind(filter.from.0)
            .bind(filter.to.0)
            .bind(filter.app)
            .bind(filter.stream)
            .bind(filter.strict)
            .bind(limit)
            .bind(offset)
            .fetch_all(&self.reader)
            .await?;
        Ok((total, page))
    }
}
