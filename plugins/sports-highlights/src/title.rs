//! The title: a text with placeholders, filled in.

use reprise_plugin::{ComposeQuestion, Error};

/// The host's limit of a title.
const MAX_TITLE_CHARS: usize = 256;

/// What a title may name.
const PLACEHOLDERS: [&str; 4] = ["stream", "app", "date", "minutes"];

pub(crate) fn named(title: &str, question: &ComposeQuestion, left_ms: u64) -> Result<String, Error> {
    let origin = &question.origin;
    let title = filled(title, |name| match name {
        "stream" => origin.stream.name.clone(),
        "app" => origin.stream.app.clone(),
        "date" => date(origin.broadcast_started_at_ms),
        _ => (left_ms / 60_000).to_string(),
    })?;
    Ok(title.chars().filter(|c| !c.is_control()).take(MAX_TITLE_CHARS).collect())
}

/// The text with each `{name}` replaced.
pub(crate) fn filled(text: &str, value: impl Fn(&str) -> String) -> Result<String, Error> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let name = after.split_once('}').filter(|(name, _)| PLACEHOLDERS.contains(name));
        let Some((name, after)) = name else {
            let known = PLACEHOLDERS.join("}, {");
            return Err(Error::new(format!("settings: title: after a brace comes one of {{{known}}}")));
        };
        filled.push_str(before);
        filled.push_str(&value(name));
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The UTC date of a time, as `2026-05-28`. A guest has no clock and no calendar: this is the civil calendar from days,
/// with years that begin in March so that the leap day is their last.
fn date(at_ms: i64) -> String {
    let days = at_ms.div_euclid(86_400_000) + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", year + era * 400 + later)
}

#[cfg(test)]
mod tests {
    use reprise_plugin::testing::compose_question;

    use super::*;

    #[test]
    fn dates() {
        for (at_s, expected) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_798_761_599, "2026-12-31"),
            (1_798_761_600, "2027-01-01"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(date(at_s * 1000), expected);
        }
    }

    #[test]
    fn a_long_title_is_cut() {
        let title = named(&"é".repeat(300), &compose_question(), 0).unwrap();
        assert_eq!(title.chars().count(), MAX_TITLE_CHARS);
    }
}
