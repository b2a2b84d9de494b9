//! An action's parameters with types: names that are missing and values that are not allowed become the vendor's
//! errors here, so that actions read what they need and nothing else.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use reprise_lifecycle::time::Timestamp;

use super::error::{Error, Product};
use super::times;

/// Members of a list parameter; no action documents more.
const MAX_LIST: usize = 100;

/// The business parameters of one request. An empty value is an absent one.
#[derive(Debug)]
pub(crate) struct Params {
    product: Product,
    values: BTreeMap<String, String>,
}

impl Params {
    pub(crate) fn new(product: Product, values: BTreeMap<String, String>) -> Self {
        Self { product, values }
    }

    /// The value, if there is one.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of a mandatory parameter.
    pub(crate) fn required(&self, name: &str) -> Result<&str, Error> {
        self.get(name).ok_or_else(|| Error::missing(self.product, name))
    }

    /// A value of at most `max` bytes.
    pub(crate) fn text(&self, name: &str, max: usize) -> Result<Option<&str>, Error> {
        match self.get(name) {
            Some(value) if value.len() > max => Err(Error::invalid(name, format!("it must be at most {max} bytes"))),
            other => Ok(other),
        }
    }

    /// A whole number within `range`, if there is one.
    pub(crate) fn optional_int(&self, name: &str, range: RangeInclusive<i64>) -> Result<Option<i64>, Error> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match value.parse() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => {
                let (least, most) = (range.start(), range.end());
                let reason = format!("it must be a whole number between {least} and {most}");
                Err(Error::invalid(name, reason))
            }
        }
    }

    /// A whole number within `range`, or the default.
    pub(crate) fn int(&self, name: &str, default: i64, range: RangeInclusive<i64>) -> Result<i64, Error> {
        Ok(self.optional_int(name, range)?.unwrap_or(default))
    }

    /// `true` or `false` in any case.
    pub(crate) fn boolean(&self, name: &str, default: bool) -> Result<bool, Error> {
        match self.get(name) {
            None => Ok(default),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(Error::invalid(name, "it must be true or false")),
        }
    }

    /// One of `choices` (compared without case), in the spelling of `choices`.
    pub(crate) fn choice(&self, name: &str, choices: &[&'static str]) -> Result<Option<&'static str>, Error> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        one_of(name, value, choices).map(Some)
    }

    /// A time.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, Error> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let at =
            times::parse(value).ok_or_else(|| Error::invalid(name, "it must be a UTC time yyyy-MM-ddTHH:mm:ssZ"))?;
        Ok(Some(at))
    }

    /// The members of a comma list.
    pub(crate) fn commas(&self, name: &str) -> Vec<&str> {
        commas(self.get(name).unwrap_or_default())
    }

    /// A flattened list: `Name.1`, `Name.2`, in the order of their numbers.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<&str>, Error> {
        let members = self.indexed(name)?;
        Ok(members.into_values().filter_map(|fields| fields.get("").copied()).collect())
    }

    /// A flattened list of objects: `Name.1.Field`.
    pub(crate) fn objects(&self, name: &str) -> Result<Vec<Fields<'_>>, Error> {
        let members = self.indexed(name)?;
        Ok(members.into_iter().map(|(index, values)| Fields { name: format!("{name}.{index}"), values }).collect())
    }

    /// Members by number, then by what follows the number.
    fn indexed(&self, name: &str) -> Result<BTreeMap<usize, BTreeMap<&str, &str>>, Error> {
        let prefix = format!("{name}.");
        let mut members: BTreeMap<usize, BTreeMap<&str, &str>> = BTreeMap::new();
        for (full, value) in self.values.range(prefix.clone()..) {
            let Some(rest) = full.strip_prefix(&prefix) else {
                break;
            };
            let (index, field) = rest.split_once('.').unwrap_or((rest, ""));
            let index = index.parse().ok().filter(|index| (1..=MAX_LIST).contains(index));
            let index = index.ok_or_else(|| Error::invalid(full, format!("lists are numbered 1 to {MAX_LIST}")))?;
            if !value.is_empty() {
                members.entry(index).or_default().insert(field, value);
            }
        }
        Ok(members)
    }
}

/// One object of a list parameter.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    name: String,
    values: BTreeMap<&'a str, &'a str>,
}

impl Fields<'_> {
    /// The member's full name, for errors.
    pub(crate) fn name(&self, field: &str) -> String {
        format!("{}.{field}", self.name)
    }

    pub(crate) fn get(&self, field: &str) -> Option<&str> {
        self.values.get(field).copied()
    }

    pub(crate) fn choice(&self, field: &str, choices: &[&'static str]) -> Result<Option<&'static str>, Error> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        one_of(&self.name(field), value, choices).map(Some)
    }
}

/// The members of a comma list, without blanks and empty ones.
pub(crate) fn commas(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|member| !member.is_empty()).collect()
}

/// One of `choices`, compared without case, in the spelling of `choices`.
pub(crate) fn one_of(name: &str, value: &str, choices: &[&'static str]) -> Result<&'static str, Error> {
    choices
        .iter()
        .find(|choice| choice.eq_ignore_ascii_case(value))
        .copied()
        .ok_or_else(|| Error::invalid(name, format!("it must be one of {}", choices.join(", "))))
}

#[cfg(test)]
pub(crate) fn of(product: Product, pairs: &[(&str, &str)]) -> Params {
    let values = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Params::new(product, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params() -> Params {
        of(
            Product::Live,
            &[
                ("Name", "x"),
                ("Empty", ""),
                ("Number", "42"),
                ("Word", "forty"),
                ("Yes", "True"),
                ("Switch", "on"),
                ("Ids", "a,b, c,,"),
                ("When", "2027-01-01T00:00:00Z"),
                ("List.2", "second"),
                ("List.10", "tenth"),
                ("List.1", "first"),
                ("Format.1.Kind", "m3u8"),
                ("Format.1.Size", "5"),
                ("Format.2.Kind", "flv"),
                ("Formats", "not part of the list"),
                ("Bad.x", "1"),
                ("Far.101", "1"),
            ],
        )
    }

    fn text<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
        let error = result.unwrap_err();
        format!("{}: {error}", error.code())
    }

    #[test]
    fn values_have_types() {
        let params = params();
        assert_eq!(params.required("Name").unwrap(), "x");
        assert_eq!(params.get("Empty"), None);
        assert_eq!(params.int("Number", 7, 1..=100).unwrap(), 42);
        assert_eq!(params.int("Other", 7, 1..=100).unwrap(), 7);
        assert!(params.boolean("Yes", false).unwrap());
        assert!(!params.boolean("Other", false).unwrap());
        assert_eq!(params.choice("Switch", &["ON", "OFF"]).unwrap(), Some("ON"));
        assert_eq!(params.commas("Ids"), ["a", "b", "c"]);
        assert_eq!(params.time("When").unwrap(), Some(Timestamp(1_798_761_600_000)));
        assert_eq!(params.list("List").unwrap(), ["first", "second", "tenth"]);
        assert!(params.list("Nothing").unwrap().is_empty());
        let formats = params.objects("Format").unwrap();
        assert_eq!(formats.len(), 2);
        assert_eq!(formats[0].get("Size"), Some("5"));
        assert_eq!(formats[1].choice("Kind", &["m3u8", "flv"]).unwrap(), Some("flv"));
    }

    #[test]
    fn what_is_not_allowed_is_named() {
        let params = params();
        let invalid = "InvalidParameter: The specified parameter";
        assert_eq!(text(params.required("Empty")), "MissingEmpty: Empty is mandatory for this action.");
        assert_eq!(
            text(params.int("Number", 1, 50..=60)),
            format!("{invalid} \"Number\" is not valid: it must be a whole number between 50 and 60.")
        );
        assert!(text(params.int("Word", 1, 1..=60)).starts_with(invalid));
        assert!(text(params.boolean("Word", true)).ends_with("\"Word\" is not valid: it must be true or false."));
        assert!(text(params.time("Word")).starts_with(invalid));
        assert!(text(params.text("Word", 3)).ends_with("it must be at most 3 bytes."));
        assert!(text(params.list("Bad")).contains("Bad.x"));
        assert!(text(params.list("Far")).contains("Far.101"));
        assert_eq!(
            text(params.objects("Format").unwrap()[1].choice("Kind", &["m3u8"])),
            format!("{invalid} \"Format.2.Kind\" is not valid: it must be one of m3u8.")
        );
        let vod = of(Product::Vod, &[]);
        assert!(text(vod.required("VideoId")).starts_with("MissingParameter: The input parameter \"VideoId\""));
    }
}
