//! Finding decisions. What a search costs does not depend on how many there are: it follows one index, which is named
//! here because no statistics are kept that SQLite could choose by, and what that index does not say is looked at in a
//! bounded number of rows. A page may therefore be short, or empty, and yet say where the next one begins.

use futures_util::TryStreamExt;
use sqlx::{FromRow, QueryBuilder, Sqlite, SqlitePool};

use super::DecisionRow;
use crate::store::{Result, Store};

/// Rows that one page looks at where the index does not say whether they match: some ten milliseconds.
pub(super) const SCANNED: i64 = 10_000;

/// Questions and decisions in one page. A question about a long broadcast can have a mebibyte, and a page is held whole.
const PAGE_BYTES: usize = 8 << 20;

/// How much a time of day may run against the numbers. Decisions are stamped before they wait for the writer, and clocks
/// are set back by a little; a clock that was set back by more hides some decisions from a search by period.
const CLOCK_SLACK_MS: i64 = 3_600_000;

/// Which decisions; what is not said matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecisionFilter {
    /// About this video.
    pub video: Option<String>,
    /// About this broadcast or a part of it.
    pub broadcast: Option<String>,
    /// About this event.
    pub event: Option<String>,
    /// By the candidate of this rollout.
    pub rollout: Option<i64>,
    /// At this hook.
    pub hook: Option<String>,
    /// Of this ingest domain; `*` stands for any run of characters, here and in the next two.
    pub domain: Option<String>,
    /// Of this application.
    pub app: Option<String>,
    /// Of this stream.
    pub stream: Option<String>,
    /// By this plugin.
    pub plugin: Option<String>,
    /// By this version of it.
    pub version: Option<u32>,
    /// By this component.
    pub digest: Option<String>,
    /// Only where the policy failed.
    pub failed: bool,
    /// Only where it failed like this.
    pub failure: Option<String>,
    /// Only where this was done.
    pub applied: Option<String>,
    /// Made at this time or later.
    pub from: Option<i64>,
    /// Made before this time.
    pub to: Option<i64>,
}

/// Where a page begins and which way it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// Newest first, with numbers below this one.
    Before(Option<i64>),
    /// Oldest first, with numbers above this one.
    After(i64),
}

/// A page of decisions.
#[derive(Clone, Debug)]
pub struct Found {
    /// They, in the page's order.
    pub rows: Vec<DecisionRow>,
    /// Where the next page begins; none if there is none.
    pub next: Option<i64>,
}

/// The index that a search follows, what it says equal, and whether everything that is asked for is in it.
struct Path<'a> {
    index: &'static str,
    equal: Option<(&'static str, Key<'a>)>,
    is_exact: bool,
}

#[derive(Clone, Copy)]
enum Key<'a> {
    Text(&'a str),
    Number(i64),
}

/// Numbers between which a page lies; both are outside it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    above: Option<i64>,
    below: Option<i64>,
}

impl DecisionFilter {
    /// The most telling index of those that fit. A pattern fits none.
    fn path(&self) -> Path<'_> {
        let stream = self.stream.as_deref().filter(|stream| !stream.contains('*'));
        let candidates = [
            ("decisions_by_event", "event", self.event.as_deref().map(Key::Text)),
            ("decisions_by_video", "video", self.video.as_deref().map(Key::Text)),
            ("decisions_by_broadcast", "broadcast", self.broadcast.as_deref().map(Key::Text)),
            ("decisions_by_rollout", "rollout", self.rollout.map(Key::Number)),
        ];
        let telling = candidates.into_iter().find_map(|(index, column, key)| Some((index, (column, key?))));
        let (index, equal) = match telling {
            Some((index, equal)) => (index, Some(equal)),
            None if self.failed || self.failure.is_some() => ("decisions_failed", None),
            None => match (stream, self.plugin.as_deref()) {
                (Some(stream), _) => ("decisions_by_stream", Some(("stream", Key::Text(stream)))),
                (None, Some(plugin)) => ("decisions_by_plugin", Some(("plugin", Key::Text(plugin)))),
                (None, None) => ("decisions_by_tenant", None),
            },
        };
        let said = self.count();
        let by_index = usize::from(equal.is_some()) + usize::from(index == "decisions_failed" && self.failed);
        Path { index, equal, is_exact: said == by_index }
    }

    /// How many things are asked for.
    fn count(&self) -> usize {
        let texts = [
            &self.video,
            &self.broadcast,
            &self.event,
            &self.hook,
            &self.domain,
            &self.app,
            &self.stream,
            &self.plugin,
            &self.digest,
            &self.failure,
            &self.applied,
        ];
        texts.into_iter().flatten().count()
            + self.rollout.iter().count()
            + self.version.iter().count()
            + self.from.iter().count()
            + self.to.iter().count()
            + usize::from(self.failed)
    }

    /// Whether it takes an index alone to answer.
    pub(super) fn is_exact(&self) -> bool {
        self.path().is_exact
    }

    /// `SELECT {columns}` of a tenant's decisions on the index alone, within a span.
    fn on_index(&self, columns: &str, tenant: &str, span: Span) -> QueryBuilder<Sqlite> {
        let path = self.path();
        let mut query =
            QueryBuilder::new(format!("{columns} FROM decisions INDEXED BY {} WHERE tenant = ", path.index));
        query.push_bind(tenant.to_owned());
        match path.equal {
            Some((column, Key::Text(value))) => {
                query.push(format_args!(" AND {column} = ")).push_bind(value.to_owned());
            }
            Some((column, Key::Number(value))) => {
                query.push(format_args!(" AND {column} = ")).push_bind(value);
            }
            None => {}
        }
        if path.index == "decisions_failed" {
            query.push(" AND failure IS NOT NULL");
        }
        if let Some(above) = span.above {
            query.push(" AND id > ").push_bind(above);
        }
        if let Some(below) = span.below {
            query.push(" AND id < ").push_bind(below);
        }
        query
    }

    /// The same with everything that is asked for.
    pub(super) fn select(&self, columns: &str, tenant: &str, span: Span) -> QueryBuilder<Sqlite> {
        let mut query = self.on_index(columns, tenant, span);
        let texts = [
            ("video", &self.video),
            ("broadcast", &self.broadcast),
            ("event", &self.event),
            ("hook", &self.hook),
            ("plugin", &self.plugin),
            ("digest", &self.digest),
            ("failure", &self.failure),
            ("applied", &self.applied),
        ];
        for (column, value) in texts {
            if let Some(value) = value {
                query.push(format_args!(" AND {column} = ")).push_bind(value.clone());
            }
        }
        for (column, pattern) in [("domain", &self.domain), ("app", &self.app), ("stream", &self.stream)] {
            match pattern.as_deref() {
                Some(pattern) if pattern.contains('*') => {
                    query.push(format_args!(" AND {column} GLOB ")).push_bind(glob(pattern));
                }
                Some(exact) => {
                    query.push(format_args!(" AND {column} = ")).push_bind(exact.to_owned());
                }
                None => {}
            }
        }
        let numbers = [
            ("rollout =", self.rollout),
            ("version =", self.version.map(i64::from)),
            ("at >=", self.from),
            ("at <", self.to),
        ];
        for (comparison, value) in numbers {
            if let Some(value) = value {
                query.push(format_args!(" AND {comparison} ")).push_bind(value);
            }
        }
        if self.failed {
            query.push(" AND failure IS NOT NULL");
        }
        query
    }
}

/// Our pattern as SQLite's: only the star stands for something.
fn glob(pattern: &str) -> String {
    let mut glob = String::with_capacity(pattern.len());
    for character in pattern.chars() {
        match character {
            '?' => glob.push_str("[?]"),
            '[' => glob.push_str("[[]"),
            other => glob.push(other),
        }
    }
    glob
}

impl Store {
    /// A page of a tenant's decisions.
    pub async fn search_decisions(
        &self,
        tenant: &str,
        filter: &DecisionFilter,
        page: Page,
        limit: i64,
    ) -> Result<Found> {
        let is_exact = filter.is_exact();
        // Who looks at many rows does not keep everybody else's reads waiting.
        let pool = if is_exact { &self.reader } else { &self.searcher };
        let mut span = self.span(tenant, filter).await?;
        match page {
            Page::Before(Some(before)) => span.below = Some(span.below.map_or(before, |below| below.min(before))),
            Page::Before(None) => {}
            Page::After(after) => span.above = Some(span.above.map_or(after, |above| above.max(after))),
        }
        let order = match page {
            Page::Before(_) => " ORDER BY id DESC LIMIT ",
            Page::After(_) => " ORDER BY id LIMIT ",
        };
        let mut end = None;
        if !is_exact {
            let mut query = filter.on_index("SELECT id", tenant, span);
            query.push(order).push_bind(1_i64).push(" OFFSET ").push_bind(SCANNED - 1);
            end = query.build_query_scalar::<i64>().fetch_optional(pool).await?;
            match (page, end) {
                (Page::Before(_), Some(last)) => span.above = Some(last - 1),
                (Page::After(_), Some(last)) => span.below = Some(last + 1),
                (_, None) => {}
            }
        }
        let columns = "SELECT id, hook, broadcast, video, event, app, stream, question, decision, at";
        let mut query = filter.select(columns, tenant, span);
        query.push(order).push_bind(limit);
        let (rows, is_full) = read(query, pool, limit).await?;
        let next = if is_full { rows.last().map(|row| row.id) } else { end };
        Ok(Found { rows, next })
    }

    /// A tenant's newest matching decisions, newest first, without a word about what is older.
    pub async fn decisions(&self, tenant: &str, filter: &DecisionFilter, limit: i64) -> Result<Vec<DecisionRow>> {
        Ok(self.search_decisions(tenant, filter, Page::Before(None), limit).await?.rows)
    }

    /// The number of a tenant's newest decision; 0 if there is none.
    pub async fn newest_decision(&self, tenant: &str) -> Result<i64> {
        let newest = "SELECT coalesce(max(id), 0) FROM decisions INDEXED BY decisions_by_tenant WHERE tenant = ?";
        Ok(sqlx::query_scalar(newest).bind(tenant).fetch_one(&self.reader).await?)
    }

    /// The numbers between which the decisions of a period lie.
    pub(super) async fn span(&self, tenant: &str, filter: &DecisionFilter) -> Result<Span> {
        let mut span = Span::default();
        if let Some(from) = filter.from {
            let last_before = "SELECT id FROM decisions INDEXED BY decisions_by_time WHERE tenant = ? AND at < ? \
                               ORDER BY at DESC, id DESC LIMIT 1";
            let at = from.saturating_sub(CLOCK_SLACK_MS);
            span.above = sqlx::query_scalar(last_before).bind(tenant).bind(at).fetch_optional(&self.reader).await?;
        }
        if let Some(to) = filter.to {
            let first_after = "SELECT id FROM decisions INDEXED BY decisions_by_time WHERE tenant = ? AND at >= ? \
                               ORDER BY at, id LIMIT 1";
            let at = to.saturating_add(CLOCK_SLACK_MS);
            span.below = sqlx::query_scalar(first_after).bind(tenant).bind(at).fetch_optional(&self.reader).await?;
        }
        Ok(span)
    }
}

/// Reads rows until there are `limit` of them or their texts fill a page. Says whether there may be more.
async fn read(mut query: QueryBuilder<Sqlite>, pool: &SqlitePool, limit: i64) -> Result<(Vec<DecisionRow>, bool)> {
    let mut rows = Vec::new();
    let mut bytes = 0_usize;
    let mut found = query.build().fetch(pool);
    while let Some(row) = found.try_next().await? {
        let row = DecisionRow::from_row(&row)?;
        bytes = bytes.saturating_add(row.question.len()).saturating_add(row.decision.len());
        rows.push(row);
        if bytes >= PAGE_BYTES {
            return Ok((rows, true));
        }
    }
    let is_full = i64::try_from(rows.len()).is_ok_and(|count| count >= limit);
    Ok((rows, is_full))
}
