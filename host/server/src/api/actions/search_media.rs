//! Searches the tenant's media by an expression, page by page or scrolling. There are videos only; a search for other
//! kinds of media finds nothing.

use serde_json::{Value, json};

use super::shared::links::{Links, Wishes};
use super::shared::paging::Page;
use super::shared::videos::{self, Pictures};
use crate::api::error::{self, Error};
use crate::api::params::{Params, commas};
use crate::api::reply::{Answer, fields};
use crate::api::search::{self, Constants, Query, SyntaxError, Token, TokenError};
use crate::api::{Call, names};
use crate::store::search::{Filter, Found};
use crate::store::videos::VideoRow;

/// What can be reached by page numbers; beyond it a client scrolls.
const MAX_LISTED: i64 = 5000;

/// How far one request may go from where its token stands.
const MAX_STEP: i64 = 100;

/// Keys of an order, and of one by which a client scrolls.
const MAX_SORT_KEYS: usize = 3;
const MAX_SCROLL_KEYS: usize = 1;

const NEWEST_FIRST: &str = "CreationTime:Desc";

pub(super) async fn run(call: &Call<'_>, params: &Params) -> Result<Answer, Error> {
    let kind = params.choice("SearchType", &["video", "audio", "image", "attached"])?.unwrap_or("video");
    let page = Page::read(params, "PageNo", 10, 1, 100)?;
    let links = Links::new(call, Wishes::default()).await?;
    let text = params.get("Match").unwrap_or_default();
    let sort_by = params.get("SortBy").unwrap_or(NEWEST_FIRST);
    let scrolling = params.get("ScrollToken");
    let order = search::order(sort_by)
        .ok_or_else(|| Error::invalid("SortBy", "it must list CreationTime or ModificationTime, with :Asc or :Desc"))?;
    if order.len() > if scrolling.is_some() { MAX_SCROLL_KEYS } else { MAX_SORT_KEYS } {
        return Err((&error::SORT_BY_EXCEEDED).into());
    }
    if kind != "video" {
        return Ok(fields(json!({ "Total": 0, "MediaList": [] })));
    }
    let filter = match text {
        "" => Filter::All(Vec::new()),
        text => search::filter(text, Constants { storage: links.host() })?,
    };
    let query = Query { tenant: call.tenant(), filter: text, order: sort_by };
    let from = scrolling.map(|text| Token::read(text, query, call.now)).transpose()?;
    let skip = steps(page, from)?;
    let after = from.map(|token| token.place);
    let _place = call.context.searches.try_acquire().map_err(|_| Error::Busy)?;
    let found = call.store().search_videos(call.tenant(), &filter, &order, after, (skip, page.size)).await?;

    let wanted = Wanted::read(params);
    let mut shown = Vec::with_capacity(found.videos.len());
    for video in &found.videos {
        shown.push(wanted.show(call, video, &links).await?);
    }
    let mut answer = fields(json!({ "Total": found.total, "MediaList": shown }));
    let begun = from.map_or(0, |token| token.position) + skip;
    if let Some(token) = next(&found, begun).and_then(|token| token.write(query, call.now)) {
        answer.insert("ScrollToken".to_owned(), token.into());
    }
    Ok(answer)
}

/// How many matches to leave out. A client that scrolls may count its pages on or not; a page that lies behind its token
/// is the next one.
fn steps(page: Page, from: Option<Token>) -> Result<i64, Error> {
    let Some(token) = from else {
        if page.offset() + page.size > MAX_LISTED {
            let reason = format!("beyond {MAX_LISTED} matches give the ScrollToken of the answer before");
            return Err(Error::invalid("PageNo", reason));
        }
        return Ok(page.offset());
    };
    let skip = (page.offset() - token.position).max(0);
    if skip + page.size > MAX_STEP {
        return Err(Error::invalid("PageNo", format!("a ScrollToken reaches {MAX_STEP} matches forward")));
    }
    Ok(skip)
}

/// Where the next page begins, if anything is left.
fn next(found: &Found, begun: i64) -> Option<Token> {
    let position = begun + found.videos.len() as i64;
    let place = found.last.filter(|_| position < found.total)?;
    Some(Token { place, position })
}

/// The fields that a client named. A name that is no field of a video gives nothing, as everywhere in this API.
struct Wanted<'a>(Vec<&'a str>);

impl<'a> Wanted<'a> {
    fn read(params: &'a Params) -> Self {
        Self(commas(params.get("Fields").unwrap_or_default()))
    }

    async fn show(&self, call: &Call<'_>, video: &VideoRow, links: &Links<'_>) -> Result<Value, Error> {
        let mut shown = videos::full(call, video, links, Pictures::Plain).await?;
        shown.insert("MediaSource".to_owned(), names::media_source(&video.source).into());
        shown.insert("PreprocessStatus".to_owned(), "UnPreprocess".into());
        if !self.0.is_empty() {
            shown.retain(|name, _| name == "VideoId" || self.0.contains(&name.as_str()));
        }
        Ok(json!({
            "MediaId": video.id,
            "MediaType": "video",
            "CreationTime": videos::time(video.created_at),
            "Video": shown,
        }))
    }
}

impl From<SyntaxError> for Error {
    fn from(error: SyntaxError) -> Self {
        let text = format!("The parameter Match.{} has an error syntax, please check it.", error.near);
        Self::VendorText(&error::MATCH_SYNTAX, text)
    }
}

impl From<TokenError> for Error {
    fn from(TokenError: TokenError) -> Self {
        (&error::SCROLL_EXPIRED).into()
    }
}
