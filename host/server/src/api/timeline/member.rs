//! One object of a timeline with its path, and its members with types.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::api::error::Error;
use crate::edit::timeline::{Length, MAX_TOTAL_MS, WHOLE};

/// Ids have 32 characters; this only bounds what an error repeats.
const MAX_ID_BYTES: usize = 64;
/// The vendor's least coordinate in pixels; what is between it and a whole side is neither.
const LEAST_PIXELS: f64 = 8.0;
/// No result has a side as long as this.
const MOST_PIXELS: f64 = 65_536.0;

/// The upper left corner.
pub(super) const ORIGIN: Length = Length::Share(0);

/// An object and where it stands.
pub(super) struct Member<'a> {
    path: String,
    fields: &'a Map<String, Value>,
}

impl<'a> Member<'a> {
    pub(super) fn root(path: &str, value: &'a Value) -> Result<Self, Error> {
        Self::of(path.to_owned(), value)
    }

    fn of(path: String, value: &'a Value) -> Result<Self, Error> {
        match value.as_object() {
            Some(fields) => Ok(Self { path, fields }),
            None => Err(Error::invalid(path, "it must be an object")),
        }
    }

    /// An error about the object as a whole.
    pub(super) fn wrong(&self, reason: impl Into<String>) -> Error {
        Error::invalid(&self.path, reason)
    }

    /// An error about one of its members.
    pub(super) fn invalid(&self, name: &str, reason: impl Into<String>) -> Error {
        Error::invalid(format!("{}.{name}", self.path), reason)
    }

    pub(super) fn at_most(&self, name: &str, count: usize, most: usize) -> Result<(), Error> {
        if count > most {
            return Err(self.invalid(name, format!("there can be at most {most} of these")));
        }
        Ok(())
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// A list of objects; absent, it is empty.
    pub(super) fn list(&self, name: &str) -> Result<Vec<Member<'a>>, Error> {
        let Some(value) = self.get(name) else { return Ok(Vec::new()) };
        let list = value.as_array().ok_or_else(|| self.invalid(name, "it must be a list"))?;
        let member = |(index, value)| Member::of(format!("{}.{name}[{index}]", self.path), value);
        list.iter().enumerate().map(member).collect()
    }

    /// An object; absent or empty, it is none.
    pub(super) fn object(&self, name: &str) -> Result<Option<Member<'a>>, Error> {
        self.get(name).map(|value| Member::of(format!("{}.{name}", self.path), value)).transpose()
    }

    /// A scalar as a text; empty, it is absent.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Error> {
        let text = match self.get(name) {
            None => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
            Some(_) => return Err(self.invalid(name, "it must be a string")),
        };
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// The id under the first of `names` that is there.
    pub(super) fn id(&self, names: &[&str]) -> Result<String, Error> {
        for name in names {
            if let Some(id) = self.text(name)? {
                let fits =
                    id.len() <= MAX_ID_BYTES && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
                return if fits { Ok(id) } else { Err(self.invalid(name, "it is no id")) };
            }
        }
        Err(self.invalid(names.first().unwrap_or(&""), "it is mandatory"))
    }

    /// A number, or a string that holds one.
    pub(super) fn number(&self, name: &str) -> Result<Option<f64>, Error> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        number.map(Some).ok_or_else(|| self.invalid(name, "it must be a number"))
    }

    pub(super) fn number_within(&self, name: &str, least: f64, most: f64) -> Result<Option<f64>, Error> {
        match self.number(name)? {
            Some(number) if !(least..=most).contains(&number) => {
                Err(self.invalid(name, format!("it must be between {least} and {most}")))
            }
            other => Ok(other),
        }
    }

    /// Seconds, to the millisecond.
    pub(super) fn time_ms(&self, name: &str) -> Result<Option<u64>, Error> {
        let most = (MAX_TOTAL_MS / 1000) as f64;
        let seconds = self.number(name)?;
        match seconds {
            Some(seconds) if seconds < 0.0 => Err(self.invalid(name, "it must not be negative")),
            // An end far behind everything is how editors say "to the end".
            Some(seconds) => Ok(Some((seconds.min(most * 2.0) * 1000.0).round() as u64)),
            None => Ok(None),
        }
    }

    /// A fraction of the side below one, or pixels from eight on.
    pub(super) fn length(&self, name: &str) -> Result<Option<Length>, Error> {
        let Some(number) = self.number(name)? else { return Ok(None) };
        if (0.0..=1.0).contains(&number) {
            Ok(Some(Length::Share((number * f64::from(WHOLE)).round() as u32)))
        } else if (LEAST_PIXELS..MOST_PIXELS).contains(&number) {
            Ok(Some(Length::Pixels(number.round() as u32)))
        } else {
            Err(self.invalid(name, "it must be a fraction from 0 to 1, or at least 8 pixels"))
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, Error> {
        let text = self.text(name)?.map_or(Cow::Borrowed("false"), Cow::Owned);
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(self.invalid(name, "it must be true or false")),
        }
    }
}
