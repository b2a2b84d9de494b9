//! The fields of a video that can be searched, what may be asked of each, and what they are in the catalogue.

use super::expression::{Bound, Comparison, Expression, SyntaxError, Test, Value, parse};
use crate::api::{names, times};
use crate::store::search::{Filter, Number, Order, Range, Text};

/// Values of a whole expression; each is a comparison with every candidate.
const MAX_VALUES_TOGETHER: usize = 400;

/// Values that are the same for every video.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Constants<'a> {
    /// The vendor's `StorageLocation`.
    pub(crate) storage: &'a str,
}

/// One field: the vendor's name and the operators of its table.
struct Field {
    name: &'static str,
    exact: bool,
    fuzzy: bool,
    multi: bool,
    range: bool,
    what: What,
}

/// What a field is in the catalogue.
#[derive(Clone, Copy)]
enum What {
    Text(Text),
    Whole(Number),
    /// Whole milliseconds in the catalogue, seconds with a fraction in an expression.
    Seconds(Number),
    Time(Number),
    Status,
    MediaSource,
    Storage,
    /// The same word for every video.
    Constant(&'static str),
}

const fn field(name: &'static str, [exact, fuzzy, multi, range]: [bool; 4], what: What) -> Field {
    Field { name, exact, fuzzy, multi, range, what }
}

/// The vendor's table: exact, fuzzy, multi, range.
#[rustfmt::skip]
static FIELDS: [Field; 14] = [
    field("VideoId", [true, false, true, false], What::Text(Text::Id)),
    field("CateId", [true, false, false, false], What::Whole(Number::Category)),
    field("StorageLocation", [true, false, true, false], What::Storage),
    field("Title", [false, true, true, false], What::Text(Text::Title)),
    field("Tags", [false, true, true, false], What::Text(Text::Tags)),
    field("Description", [false, true, true, false], What::Text(Text::Description)),
    field("AppId", [false, false, true, false], What::Constant(names::DEFAULT_APP_ID)),
    field("Status", [false, false, true, false], What::Status),
    field("MediaSource", [false, false, true, false], What::MediaSource),
    field("PreprocessStatus", [false, false, true, false], What::Constant("UnPreprocess")),
    field("Size", [false, false, false, true], What::Whole(Number::Bytes)),
    field("Duration", [false, false, false, true], What::Seconds(Number::DurationMs)),
    field("CreationTime", [false, false, false, true], What::Time(Number::CreatedAt)),
    field("ModificationTime", [false, false, false, true], What::Time(Number::ModifiedAt)),
];

/// Reads a `Match` expression into a filter of the catalogue.
pub(crate) fn filter(text: &str, constants: Constants<'_>) -> Result<Filter, SyntaxError> {
    let expression = parse(text)?;
    let mut left = MAX_VALUES_TOGETHER;
    lower(&expression, constants, &mut left)
}

fn lower(expression: &Expression, constants: Constants<'_>, left: &mut usize) -> Result<Filter, SyntaxError> {
    let mut each =
        |members: &[Expression]| members.iter().map(|one| lower(one, constants, left)).collect::<Result<Vec<_>, _>>();
    match expression {
        Expression::All(all) => each(all).map(Filter::All),
        Expression::Any(any) => each(any).map(Filter::Any),
        Expression::One(comparison) => one(comparison, constants, left),
    }
}

fn one(comparison: &Comparison, constants: Constants<'_>, left: &mut usize) -> Result<Filter, SyntaxError> {
    let wrong = || SyntaxError::at(&comparison.field);
    let field = FIELDS.iter().find(|field| field.name == comparison.field).ok_or_else(wrong)?;
    let values = match &comparison.test {
        Test::Is(value) if field.exact || field.fuzzy => std::slice::from_ref(value),
        Test::In(values) if field.multi => values.as_slice(),
        Test::Between(from, to) if field.range => return range(field.what, from, to).ok_or_else(wrong),
        Test::Is(_) | Test::In(_) | Test::Between(..) => return Err(wrong()),
    };
    *left = left.checked_sub(values.len()).ok_or_else(wrong)?;
    let texts = || values.iter().map(|value| value.as_str().to_owned()).collect();
    Ok(match field.what {
        // What can only be searched fuzzily is so in a list too.
        What::Text(column) if field.fuzzy => Filter::Contains(column, texts()),
        What::Text(column) => Filter::TextIn(column, texts()),
        What::Whole(column) => {
            Filter::NumberIn(column, values.iter().map(whole).collect::<Option<_>>().ok_or_else(wrong)?)
        }
        What::Status => {
            let words = values.iter().filter_map(|value| names::status_word(value.as_str())).map(str::to_owned);
            Filter::TextIn(Text::Status, words.collect())
        }
        What::MediaSource => Filter::TextIn(
            Text::Source,
            values.iter().flat_map(|value| names::sources(value.as_str())).map(|word| (*word).to_owned()).collect(),
        ),
        What::Storage => Filter::Always(values.iter().any(|value| value.as_str() == constants.storage)),
        What::Constant(word) => Filter::Always(values.iter().any(|value| value.as_str() == word)),
        What::Seconds(_) | What::Time(_) => return Err(wrong()),
    })
}

fn range(what: What, from: &Bound, to: &Bound) -> Option<Filter> {
    let (column, read): (Number, fn(&Value) -> Option<i64>) = match what {
        What::Whole(column) => (column, whole),
        What::Seconds(column) => (column, milliseconds),
        What::Time(column) => (column, time),
        What::Text(_) | What::Status | What::MediaSource | What::Storage | What::Constant(_) => return None,
    };
    let (mut least, mut most) = (read(&from.value)?, read(&to.value)?);
    if matches!(what, What::Time(_)) {
        // Times in answers are cut to the second: a second is in the range with all of its milliseconds, or not at all.
        least = if from.closed { least } else { least.saturating_add(999) };
        most = if to.closed { most.saturating_add(999) } else { most };
    }
    Some(Filter::Between(column, Range { least, least_in: from.closed, most, most_in: to.closed }))
}

fn whole(value: &Value) -> Option<i64> {
    value.as_str().parse().ok()
}

fn milliseconds(value: &Value) -> Option<i64> {
    let seconds: f64 = value.as_str().parse().ok()?;
    // Longer than any video by far, and exact in milliseconds.
    (seconds.is_finite() && seconds.abs() <= 1e9).then(|| (seconds * 1000.0).round() as i64)
}

fn time(value: &Value) -> Option<i64> {
    times::parse(value.as_str()).map(|at| at.0)
}

/// Reads `SortBy`, a comma list of `Field:Asc` and `Field:Desc`. `None` is a field that cannot be sorted by.
pub(crate) fn order(text: &str) -> Option<Vec<Order>> {
    let one = |text: &str| {
        let (name, way) = text.trim().split_once(':').unwrap_or((text.trim(), "Desc"));
        let by = match name {
            "CreationTime" => Number::CreatedAt,
            "ModificationTime" => Number::ModifiedAt,
            _ => return None,
        };
        let ascending = match way {
            _ if way.eq_ignore_ascii_case("asc") => true,
            _ if way.eq_ignore_ascii_case("desc") => false,
            _ => return None,
        };
        Some(Order { by, ascending })
    };
    text.split(',').map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: Constants<'_> = Constants { storage: "vod.example.org" };

    fn texts(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn fields_become_columns() {
        let between = |least, least_in, most, most_in| Range { least, least_in, most, most_in };
        let table = [
            ("VideoId = 'v'", Filter::TextIn(Text::Id, texts(&["v"]))),
            ("VideoId in ('v','w')", Filter::TextIn(Text::Id, texts(&["v", "w"]))),
            ("CateId = 7", Filter::NumberIn(Number::Category, vec![7])),
            ("Title = 'cam'", Filter::Contains(Text::Title, texts(&["cam"]))),
            ("Tags in ('a','b')", Filter::Contains(Text::Tags, texts(&["a", "b"]))),
            ("Status in ('Normal','Checking')", Filter::TextIn(Text::Status, texts(&["ready"]))),
            ("MediaSource in ('live')", Filter::TextIn(Text::Source, texts(&["part", "compose"]))),
            ("MediaSource in ('general','editing')", Filter::TextIn(Text::Source, texts(&["edit"]))),
            ("StorageLocation = 'vod.example.org'", Filter::Always(true)),
            ("StorageLocation in ('x','y')", Filter::Always(false)),
            ("AppId in ('app-1000000')", Filter::Always(true)),
            ("PreprocessStatus in ('Preprocess')", Filter::Always(false)),
            ("Size = [1,20)", Filter::Between(Number::Bytes, between(1, true, 20, false))),
            ("Size = ('1','20')", Filter::Between(Number::Bytes, between(1, false, 20, false))),
            ("Duration = (1.5,10]", Filter::Between(Number::DurationMs, between(1500, false, 10_000, true))),
            (
                "CreationTime = ['2027-01-01T00:00:00Z','2027-01-01T00:00:01Z']",
                Filter::Between(Number::CreatedAt, between(1_798_761_600_000, true, 1_798_761_601_999, true)),
            ),
            (
                "ModificationTime = ('2027-01-01T00:00:00Z','2027-01-01T00:00:01Z')",
                Filter::Between(Number::ModifiedAt, between(1_798_761_600_999, false, 1_798_761_601_000, false)),
            ),
        ];
        for (text, expected) in table {
            assert_eq!(filter(text, HOST).unwrap_or_else(|error| panic!("{text}: {error}")), expected, "{text}");
        }
    }

    #[test]
    fn a_field_is_asked_only_what_its_row_says() {
        let operators = |name: &str| [format!("{name} = 1"), format!("{name} in (1)"), format!("{name} = (1,2)")];
        for field in &FIELDS {
            let allowed = [field.exact || field.fuzzy, field.multi, field.range];
            for (text, allowed) in operators(field.name).iter().zip(allowed) {
                let text = if text.contains("Time = (") {
                    format!("{} = ('2027-01-01T00:00:00Z','2027-01-01T00:00:00Z')", field.name)
                } else {
                    text.clone()
                };
                let found = filter(&text, HOST);
                assert_eq!(found.is_ok(), allowed, "{text}");
                if let Err(error) = found {
                    assert_eq!(error.near, field.name);
                }
            }
        }
    }

    #[test]
    fn other_fields_and_values_are_errors() {
        for (text, near) in [
            ("FileName = 'x'", "FileName"),
            ("title = 'x'", "title"),
            ("Title = 'x' and CoverURL = 'x'", "CoverURL"),
            ("CateId = 'x'", "CateId"),
            ("Size = [1,'x']", "Size"),
            ("Size = [1,1.5]", "Size"),
            ("Duration = [1-2,3]", "Duration"),
            ("CreationTime = [1,2]", "CreationTime"),
        ] {
            assert_eq!(filter(text, HOST), Err(SyntaxError::at(near)), "{text}");
        }
        let many = format!("Title in ({})", vec!["'a'"; 100].join(","));
        filter(&[many.as_str(); 4].join(" and "), HOST).unwrap();
        filter(&[many.as_str(); 5].join(" and "), HOST).unwrap_err();
    }

    #[test]
    fn orders_are_read() {
        let by = |by, ascending| Order { by, ascending };
        assert_eq!(order("CreationTime:Desc"), Some(vec![by(Number::CreatedAt, false)]));
        assert_eq!(
            order("ModificationTime:asc, CreationTime"),
            Some(vec![by(Number::ModifiedAt, true), by(Number::CreatedAt, false)])
        );
        for bad in ["", "Title:Asc", "CreationTime:Up", "CreationTime:Asc,"] {
            assert_eq!(order(bad), None, "{bad}");
        }
    }
}
