//! What `SearchMedia` looks for: its `Match` expression read into a tree, the tree turned into a filter of the
//! catalogue by the table of fields, and the token with which a client goes on where an answer ended.
//!
//! Pure: text in, values out. It knows no SQL and no request.

mod expression;
mod fields;
mod scroll;

pub(crate) use self::expression::SyntaxError;
pub(crate) use self::fields::{Constants, filter, order};
pub(crate) use self::scroll::{Query, Token, TokenError};
