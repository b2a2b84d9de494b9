//! Paths with a query, written as URLs want them.

use std::fmt::Display;

/// A path with its query.
#[derive(Debug)]
pub(super) struct Query {
    path: String,
    is_begun: bool,
}

impl Query {
    pub(super) fn new(path: &str) -> Self {
        Self { path: path.to_owned(), is_begun: false }
    }

    /// Adds a parameter, if there is a value.
    pub(super) fn with(mut self, name: &str, value: Option<&impl Display>) -> Self {
        if let Some(value) = value {
            let mut pair = form_urlencoded::Serializer::new(String::new());
            pair.append_pair(name, &value.to_string());
            self.path.push(if self.is_begun { '&' } else { '?' });
            self.path.push_str(&pair.finish());
            self.is_begun = true;
        }
        self
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_urls_want_them() {
        let query = Query::new("/v1/x").with("a", None::<&String>).with("b", Some(&"c*&d e")).with("n", Some(&5));
        assert_eq!(query.path(), "/v1/x?b=c*%26d+e&n=5");
    }
}
