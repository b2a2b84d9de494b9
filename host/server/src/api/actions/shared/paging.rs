//! Pages of a listing.

use crate::api::error::{self, Error};
use crate::api::params::Params;

/// Only the first matches of a media listing can be paged, as at the vendor's.
const MAX_LISTED: i64 = 5000;

/// Pages are counted from 1; the number is bounded so that an offset never overflows.
const MAX_PAGE_NUMBER: i64 = 1_000_000;

/// Which page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) number: i64,
    pub(crate) size: i64,
}

impl Page {
    /// The page that `number` (`PageNo` or `PageNum`) and `PageSize` name.
    pub(crate) fn read(params: &Params, number: &str, default_size: i64, least: i64, most: i64) -> Result<Self, Error> {
        Ok(Self {
            number: params.int(number, 1, 1..=MAX_PAGE_NUMBER)?,
            size: params.int("PageSize", default_size, least..=most)?,
        })
    }

    /// The page of a media listing.
    pub(crate) fn of_media(params: &Params) -> Result<Self, Error> {
        let page = Self::read(params, "PageNo", 10, 1, 100)?;
        if page.offset() >= MAX_LISTED {
            return Err((&error::VIDEO_LIST_EXCEEDED).into());
        }
        Ok(page)
    }

    pub(crate) fn offset(self) -> i64 {
        (self.number - 1) * self.size
    }

    /// This page of `items`.
    pub(crate) fn of<T>(self, items: Vec<T>) -> Vec<T> {
        let skip = usize::try_from(self.offset()).unwrap_or(usize::MAX);
        let take = usize::try_from(self.size).unwrap_or(0);
        items.into_iter().skip(skip).take(take).collect()
    }

    /// How many pages `total` items make.
    pub(crate) fn pages(self, total: i64) -> i64 {
        (total + self.size - 1) / self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::error::Product;
    use crate::api::params::of;

    #[test]
    fn pages_are_cut_and_bounded() {
        let params = of(Product::Vod, &[("PageNo", "2"), ("PageSize", "3")]);
        let page = Page::of_media(&params).unwrap();
        assert_eq!((page.offset(), page.of((0..8).collect()), page.pages(8)), (3, vec![3, 4, 5], 3));
        assert_eq!(page.pages(0), 0);
        let beyond = of(Product::Vod, &[("PageNo", "51"), ("PageSize", "100")]);
        assert_eq!(Page::of_media(&beyond).unwrap_err().code(), "VideoListExceededMax");
        let zero = of(Product::Vod, &[("PageNo", "0")]);
        assert_eq!(Page::of_media(&zero).unwrap_err().code(), "InvalidParameter");
    }
}
