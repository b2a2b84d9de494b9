//! Searching a tenant's videos: a tree of comparisons becomes one parameterised statement.
//!
//! Every piece of SQL is a fixed text of this module; every value is bound. It knows nothing of the language in which
//! a search was written.

use sqlx::{QueryBuilder, Sqlite};

use super::videos::VideoRow;
use super::{Result, Store};

/// A text column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// The video's id.
    Id,
    /// Its title.
    Title,
    /// Its description.
    Description,
    /// Its tags, comma separated.
    Tags,
    /// Our word for how far it is.
    Status,
    /// Our word for what it was made from.
    Source,
}

impl Text {
    fn column(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Title => "title",
            Self::Description => "description",
            Self::Tags => "tags",
            Self::Status => "status",
            Self::Source => "source",
        }
    }
}

/// A column of whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// The category.
    Category,
    /// Size of the source.
    Bytes,
    /// Length.
    DurationMs,
    /// When it was made.
    CreatedAt,
    /// When it last changed.
    ModifiedAt,
}

impl Number {
    fn column(self) -> &'static str {
        match self {
            Self::Category => "cate_id",
            Self::Bytes => "bytes",
            Self::DurationMs => "duration_ms",
            Self::CreatedAt => "created_at",
            Self::ModifiedAt => "modified_at",
        }
    }

    fn of(self, row: &VideoRow) -> i64 {
        match self {
            Self::Category => row.cate_id,
            Self::Bytes => row.bytes,
            Self::DurationMs => row.duration_ms,
            Self::CreatedAt => row.created_at,
            Self::ModifiedAt => row.modified_at,
        }
    }
}

/// From here to there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The lower end.
    pub least: i64,
    /// Whether it is in the range.
    pub least_in: bool,
    /// The upper end.
    pub most: i64,
    /// Whether it is in the range.
    pub most_in: bool,
}

/// Which videos.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// All of these hold; none means all videos.
    All(Vec<Filter>),
    /// One of these holds.
    Any(Vec<Filter>),
    /// All or none, whatever the video.
    Always(bool),
    /// The text is one of these.
    TextIn(Text, Vec<String>),
    /// The text contains one of these.
    Contains(Text, Vec<String>),
    /// The number is one of these.
    NumberIn(Number, Vec<i64>),
    /// The number lies in this range.
    Between(Number, Range),
}

/// One key of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// What to order by.
    pub by: Number,
    /// Smallest first.
    pub ascending: bool,
}

/// A row's place in an order by one key; rows of equal key are told apart by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The value of the key.
    pub key: i64,
    /// The row's number.
    pub row: i64,
}

/// One page of a search.
#[derive(Clone, Debug)]
pub struct Found {
    /// How many match on all pages.
    pub total: i64,
    /// This page.
    pub videos: Vec<VideoRow>,
    /// Where the page ends in the order by its first key; absent when it is empty.
    pub last: Option<Place>,
}

impl Store {
    /// One page of the tenant's videos that match: `skip` are left out, and with `after` everything up to that place in
    /// the order by the first key.
    pub async fn search_videos(
        &self,
        tenant: &str,
        filter: &Filter,
        order: &[Order],
        after: Option<Place>,
        (skip, take): (i64, i64),
    ) -> Result<Found> {
        let mut count = matching("SELECT count(*) FROM videos WHERE tenant = ", tenant, filter);
        let total = count.build_query_scalar().fetch_one(&self.searcher).await?;

        let newest = Order { by: Number::CreatedAt, ascending: false };
        let first = order.first().copied().unwrap_or(newest);
        let mut page = matching("SELECT * FROM videos WHERE tenant = ", tenant, filter);
        if let Some(Place { key, row }) = after {
            let beyond = if first.ascending { ") > (" } else { ") < (" };
            page.push(" AND (").push(first.by.column()).push(", rowid").push(beyond);
            page.push_bind(key).push(", ").push_bind(row).push(")");
        }
        page.push(" ORDER BY ");
        for Order { by, ascending } in std::iter::once(&first).chain(order.iter().skip(1)) {
            page.push(by.column()).push(way(*ascending)).push(", ");
        }
        page.push("rowid").push(way(first.ascending)).push(" LIMIT ");
        page.push_bind(take).push(" OFFSET ").push_bind(skip);
        let videos: Vec<VideoRow> = page.build_query_as().fetch_all(&self.searcher).await?;
        let last = match videos.last() {
            None => None,
            Some(video) => {
                let row: Option<i64> = sqlx::query_scalar("SELECT rowid FROM videos WHERE id = ?")
                    .bind(&video.id)
                    .fetch_optional(&self.reader)
                    .await?;
                row.map(|row| Place { key: first.by.of(video), row })
            }
        };
        Ok(Found { total, videos, last })
    }
}

fn way(ascending: bool) -> &'static str {
    if ascending { " ASC" } else { " DESC" }
}

fn matching(select: &'static str, tenant: &str, filter: &Filter) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(select);
    query.push_bind(tenant.to_owned()).push(" AND ");
    push(&mut query, filter);
    query
}

fn push(query: &mut QueryBuilder<Sqlite>, filter: &Filter) {
    match filter {
        Filter::Always(holds) => drop(query.push(if *holds { "1" } else { "0" })),
        Filter::All(all) => joined(query, " AND ", "1", all, push),
        Filter::Any(any) => joined(query, " OR ", "0", any, push),
        Filter::TextIn(column, values) => joined(query, " OR ", "0", values, |query, value| {
            query.push(column.column()).push(" = ").push_bind(value.clone());
        }),
        Filter::NumberIn(column, values) => joined(query, " OR ", "0", values, |query, value| {
            query.push(column.column()).push(" = ").push_bind(*value);
        }),
        Filter::Contains(column, values) => joined(query, " OR ", "0", values, |query, value| {
            query.push(column.column()).push(" LIKE ").push_bind(pattern(value)).push(r" ESCAPE '\'");
        }),
        Filter::Between(column, range) => {
            query.push("(").push(column.column()).push(if range.least_in { " >= " } else { " > " });
            query.push_bind(range.least).push(" AND ").push(column.column());
            query.push(if range.most_in { " <= " } else { " < " }).push_bind(range.most).push(")");
        }
    }
}

/// Members in parentheses with a word between them; `empty` when there are none.
fn joined<T>(
    query: &mut QueryBuilder<Sqlite>,
    word: &'static str,
    empty: &'static str,
    members: &[T],
    push: impl Fn(&mut QueryBuilder<Sqlite>, &T),
) {
    if members.is_empty() {
        query.push(empty);
        return;
    }
    query.push("(");
    for (index, member) in members.iter().enumerate() {
        if index > 0 {
            query.push(word);
        }
        push(query, member);
    }
    query.push(")");
}

/// What contains `value`, whatever characters it has.
fn pattern(value: &str) -> String {
    let mut pattern = String::with_capacity(value.len() + 2);
    pattern.push('%');
    for c in value.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests;
