//! Composes a match without its empty stretches, and chooses the template group by what is left.
//!
//! Settings, each field of which may be left out; these are the defaults, except for `groups` and `title`:
//!
//! ```json
//! {
//!   "drop": ["black", "dead_air"],
//!   "min_drop_seconds": 5,
//!   "margin_seconds": 2,
//!   "min_stretch_seconds": 10,
//!   "min_length_seconds": 0,
//!   "gaps": "cut",
//!   "groups": [{ "from_minutes": 0, "group": "SD" }, { "from_minutes": 45, "group": "HD" }],
//!   "title": "{stream} of {date}, {minutes} min"
//! }
//! ```
//!
//! | field | meaning |
//! |---|---|
//! | `drop` | what is no play: `black`, `freeze` (the picture stands), `silence`, `dead_air` (it stands and is silent) |
//! | `min_drop_seconds` | shorter stretches without play stay: a replay's title, a held breath |
//! | `margin_seconds` | how much of a dropped stretch stays beside play; with as much as the encoder's keyframes are apart, cuts fall on keyframes and no play is lost to them |
//! | `min_stretch_seconds` | shorter stretches of play between dropped ones go as well |
//! | `min_length_seconds` | if less than this is left, nothing is composed |
//! | `gaps` | what stands where the publisher was gone: `cut`, `hold` or `slate` |
//! | `groups` | the last one whose `from_minutes` of play are reached applies; without one, the record config's |
//! | `title` | `{stream}`, `{app}`, `{date}` (UTC, of the beginning) and `{minutes}` (of play) are filled in |
//!
//! It knows where play is from the facts of each part, so the record config must ask for analysis; a part without facts
//! is play from end to end.

use reprise_plugin::{
    ComposeAnswer, ComposePlan, ComposeQuestion, Error, GapRule, NO_TRANSCODE, Part, PartRange, Policy, Stretch, log,
    reason,
};
use serde::Deserialize;

/// The host's limits of an answer.
const MAX_RANGES: usize = 10_000;
const MAX_TITLE_CHARS: usize = 256;

/// What touches to within this is one stretch: a detector's word for "now" is a picture late.
const TOUCH_MS: u64 = 100;

/// What a title may name.
const PLACEHOLDERS: [&str; 4] = ["stream", "app", "date", "minutes"];

/// The settings, and the policy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SportsHighlights {
    drop: Vec<Emptiness>,
    min_drop_seconds: u32,
    margin_seconds: u32,
    min_stretch_seconds: u32,
    min_length_seconds: u32,
    gaps: Gaps,
    groups: Vec<Rule>,
    title: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Emptiness {
    Black,
    Freeze,
    Silence,
    DeadAir,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Gaps {
    Cut,
    Hold,
    Slate,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    from_minutes: u32,
    group: String,
}

/// Milliseconds on the broadcast's timeline, on which parts follow each other.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: u64,
    to: u64,
}

impl Default for SportsHighlights {
    fn default() -> Self {
        Self {
            drop: vec![Emptiness::Black, Emptiness::DeadAir],
            min_drop_seconds: 5,
            margin_seconds: 2,
            min_stretch_seconds: 10,
            min_length_seconds: 0,
            gaps: Gaps::Cut,
            groups: Vec::new(),
            title: None,
        }
    }
}

impl Policy for SportsHighlights {
    fn check(&self) -> Result<(), Error> {
        if let Some(number) = self.groups.iter().position(|rule| rule.group.is_empty()) {
            return Err(Error::new(format!("settings: groups[{number}].group: must not be empty")));
        }
        if !self.groups.is_sorted_by(|one, next| one.from_minutes < next.from_minutes) {
            return Err("settings: groups: from_minutes must go up".into());
        }
        self.title.as_deref().map_or(Ok(()), |title| filled(title, |_| String::new()).map(drop))
    }

    fn compose_rules(&self, question: &ComposeQuestion) -> Result<ComposeAnswer, Error> {
        let unknown = question.parts.iter().filter(|part| part.facts.is_none()).count();
        if unknown > 0 {
            log::warn(&format!("{unknown} parts were not analysed and stay whole"));
        }
        let play = self.play(&question.parts);
        let (ranges, left_ms) = ranges(&question.parts, &play);
        let whole_ms: u64 = question.parts.iter().map(|part| part.duration_ms).sum();
        reason(format!("{} of {} s are play, in {} stretches", left_ms / 1000, whole_ms / 1000, play.len()));
        if ranges.is_empty() {
            return Ok(ComposeAnswer::Skip);
        }
        if ranges.len() > MAX_RANGES {
            return Err(Error::new(format!(
                "{} stretches are more than {MAX_RANGES}; raise min_drop_seconds or min_stretch_seconds",
                ranges.len()
            )));
        }
        Ok(ComposeAnswer::Compose(ComposePlan {
            ranges,
            gaps: match self.gaps {
                Gaps::Cut => GapRule::Cut,
                Gaps::Hold => GapRule::Hold,
                Gaps::Slate => GapRule::Slate,
            },
            min_duration_ms: ms(self.min_length_seconds),
            title: self.title.as_deref().map(|title| named(title, question, left_ms)).transpose()?,
            group: self.group(question, left_ms)?,
        }))
    }
}

impl SportsHighlights {
    /// The stretches of play. They are looked for on the timeline and not part by part, so that one which goes over the
    /// end of a part is as long as it is.
    fn play(&self, parts: &[Part]) -> Vec<Span> {
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return Vec::new() };
        let whole = Span { from: first.first_ms, to: last.first_ms + last.duration_ms };
        let mut empty = Vec::new();
        for part in parts {
            self.gather(part, &mut empty);
        }
        let mut empty = joined(empty, TOUCH_MS);
        empty.retain(|span| span.to - span.from >= ms(self.min_drop_seconds));
        let least = ms(self.min_stretch_seconds).max(TOUCH_MS);
        let mut empty = joined(empty, least);
        // Nothing is beside the broadcast's ends, so what is too short there goes, and no margin stays.
        if let Some(head) = empty.first_mut()
            && head.from < whole.from + least
        {
            head.from = whole.from;
        }
        if let Some(tail) = empty.last_mut()
            && tail.to + least > whole.to
        {
            tail.to = whole.to;
        }
        let margin = ms(self.margin_seconds);
        let (mut play, mut from) = (Vec::new(), whole.from);
        for span in empty {
            let start = if span.from == whole.from { span.from } else { span.from + margin };
            let end = if span.to == whole.to { span.to } else { span.to.saturating_sub(margin) };
            if start < end {
                play.push(Span { from, to: start });
                from = end;
            }
        }
        play.push(Span { from, to: whole.to });
        play.retain(|span| span.from < span.to);
        play
    }

    /// Adds the stretches of a part that are no play, in order. Parts come in order, so all of them are.
    fn gather(&self, part: &Part, empty: &mut Vec<Span>) {
        let Some(facts) = &part.facts else { return };
        let before = empty.len();
        let mut add = |stretch: &Stretch| {
            empty.push(Span {
                from: part.first_ms + stretch.from_ms.min(part.duration_ms),
                to: part.first_ms + stretch.to_ms.min(part.duration_ms),
            });
        };
        for what in &self.drop {
            match what {
                Emptiness::Black => facts.blacks.iter().for_each(&mut add),
                Emptiness::Freeze => facts.freezes.iter().for_each(&mut add),
                Emptiness::Silence => facts.silences.iter().for_each(&mut add),
                Emptiness::DeadAir => common(&facts.freezes, &facts.silences, &mut add),
            }
        }
        empty[before..].sort_unstable_by_key(|span| span.from);
    }

    fn group(&self, question: &ComposeQuestion, left_ms: u64) -> Result<Option<String>, Error> {
        let fits = |rule: &&Rule| u64::from(rule.from_minutes) * 60_000 <= left_ms;
        let Some(rule) = self.groups.iter().rev().find(fits) else { return Ok(None) };
        let known = question.groups.iter().any(|choice| choice.id == rule.group || choice.name == rule.group);
        if rule.group != NO_TRANSCODE && !known {
            // The host would refuse the answer as well; this says which rule to mend.
            return Err(Error::new(format!("groups: there is no template group {:?}", rule.group)));
        }
        Ok(Some(rule.group.clone()))
    }
}

fn ms(seconds: u32) -> u64 {
    u64::from(seconds) * 1000
}

/// What two ordered lists have in common.
fn common(one: &[Stretch], other: &[Stretch], mut found: impl FnMut(&Stretch)) {
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    while let (Some(a), Some(b)) = (one.peek(), other.peek()) {
        let (from_ms, to_ms) = (a.from_ms.max(b.from_ms), a.to_ms.min(b.to_ms));
        if from_ms < to_ms {
            found(&Stretch { from_ms, to_ms });
        }
        if a.to_ms <= b.to_ms {
            one.next()
        } else {
            other.next()
        };
    }
}

/// Ordered stretches, those with less than this between them made one.
fn joined(spans: Vec<Span>, less_than: u64) -> Vec<Span> {
    let mut joined: Vec<Span> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.from < last.to + less_than => last.to = last.to.max(span.to),
            _ => joined.push(span),
        }
    }
    joined
}

/// Stretches of the timeline as stretches of parts, and how long these are together.
fn ranges(parts: &[Part], play: &[Span]) -> (Vec<PartRange>, u64) {
    let (mut ranges, mut length_ms) = (Vec::new(), 0);
    for span in play {
        // Parts are in order and do not overlap: only those that the stretch reaches are looked at.
        let first = parts.partition_point(|part| part.first_ms + part.duration_ms <= span.from);
        for part in parts[first..].iter().take_while(|part| part.first_ms < span.to) {
            let from_ms = span.from.saturating_sub(part.first_ms);
            let to_ms = (span.to - part.first_ms).min(part.duration_ms);
            length_ms += to_ms - from_ms;
            ranges.push(PartRange { index: part.index, from_ms, to_ms: (to_ms < part.duration_ms).then_some(to_ms) });
        }
    }
    (ranges, length_ms)
}

fn named(title: &str, question: &ComposeQuestion, left_ms: u64) -> Result<String, Error> {
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
fn filled(text: &str, value: impl Fn(&str) -> String) -> Result<String, Error> {
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

reprise_plugin::export!(SportsHighlights: compose_rules);

#[cfg(test)]
mod tests {
    use reprise_plugin::MediaFacts;
    use reprise_plugin::testing::{Expect, Table, compose_question, facts, stretches};

    use super::*;

    /// Three parts of five minutes with these facts; seconds for brevity.
    fn question(of: [Option<MediaFacts>; 3]) -> ComposeQuestion {
        let mut question = compose_question();
        for (part, facts) in question.parts.iter_mut().zip(of) {
            part.facts = facts;
        }
        question
    }

    fn seconds(pairs: &[(u64, u64)]) -> Vec<Stretch> {
        let ms: Vec<(u64, u64)> = pairs.iter().map(|(from, to)| (from * 1000, to * 1000)).collect();
        stretches(&ms)
    }

    fn black(pairs: &[(u64, u64)]) -> Option<MediaFacts> {
        Some(MediaFacts { blacks: seconds(pairs), ..facts() })
    }

    fn play() -> Option<MediaFacts> {
        Some(facts())
    }

    /// A plan of ranges in seconds; 300 is the end of a part.
    fn plan(ranges: &[(u32, u64, u64)]) -> ComposePlan {
        let range = |&(index, from, to): &(u32, u64, u64)| PartRange {
            index,
            from_ms: from * 1000,
            to_ms: (to < 300).then_some(to * 1000),
        };
        ComposePlan {
            ranges: ranges.iter().map(range).collect(),
            gaps: GapRule::Cut,
            min_duration_ms: 0,
            title: None,
            group: None,
        }
    }

    fn composed(ranges: &[(u32, u64, u64)]) -> Expect<ComposeAnswer> {
        Expect::Answer(ComposeAnswer::Compose(plan(ranges)))
    }

    #[test]
    fn stretches_and_parts_without_play_go() {
        let whole = [(0, 0, 300), (1, 0, 300), (2, 0, 300)];
        let quiet = |freezes, silences| {
            let facts = MediaFacts { freezes: seconds(freezes), silences: seconds(silences), ..facts() };
            question([Some(facts), play(), play()])
        };
        Table::<SportsHighlights>::new()
            .compose_rules("nothing but play", question([play(), play(), play()]), "", composed(&whole))
            .compose_rules("not analysed", question([None, None, None]), "", composed(&whole))
            .compose_rules(
                "half time",
                question([play(), black(&[(100, 200)]), play()]),
                "",
                composed(&[(0, 0, 300), (1, 0, 102), (1, 198, 300), (2, 0, 300)]),
            )
            .compose_rules(
                "a whole part, with what its neighbours have of it",
                question([black(&[(280, 300)]), black(&[(0, 300)]), black(&[(0, 3)])]),
                "",
                composed(&[(0, 0, 282), (2, 1, 300)]),
            )
            .compose_rules(
                "before and after the match there is no play to keep a margin for",
                question([black(&[(0, 60)]), play(), black(&[(240, 300)])]),
                "",
                composed(&[(0, 58, 300), (1, 0, 300), (2, 0, 240 + 2)]),
            )
            .compose_rules("a short one", question([black(&[(100, 104)]), play(), play()]), "", composed(&whole))
            .compose_rules(
                "a glimpse of play between two",
                question([black(&[(100, 200), (204, 290)]), play(), play()]),
                "",
                composed(&[(0, 0, 102), (0, 288, 300), (1, 0, 300), (2, 0, 300)]),
            )
            .compose_rules(
                "a glimpse of play at either end",
                question([black(&[(9, 200)]), play(), black(&[(200, 291)])]),
                "",
                composed(&[(0, 198, 300), (1, 0, 300), (2, 0, 202)]),
            )
            .compose_rules(
                "play that goes over a part's end is as long as it is",
                question([black(&[(100, 292)]), black(&[(2, 100)]), play()]),
                "",
                composed(&[(0, 0, 102), (0, 290, 300), (1, 0, 4), (1, 98, 300), (2, 0, 300)]),
            )
            .compose_rules("it only stands", quiet(&[(100, 200)], &[]), "", composed(&whole))
            .compose_rules("it is only silent", quiet(&[], &[(100, 200)]), "", composed(&whole))
            .compose_rules(
                "dead air is both",
                quiet(&[(100, 200), (210, 220)], &[(50, 60), (150, 250)]),
                "",
                composed(&[(0, 0, 152), (0, 198, 212), (0, 218, 300), (1, 0, 300), (2, 0, 300)]),
            )
            .compose_rules(
                "what is dropped is a setting",
                quiet(&[], &[(100, 200)]),
                r#"{"drop":["silence"],"margin_seconds":0}"#,
                composed(&[(0, 0, 100), (0, 200, 300), (1, 0, 300), (2, 0, 300)]),
            )
            .compose_rules(
                "nothing is left",
                question([black(&[(0, 300)]), black(&[(0, 295)]), black(&[(0, 300)])]),
                "",
                Expect::Answer(ComposeAnswer::Skip),
            )
            .run();
    }

    #[test]
    fn the_rest_of_the_plan_follows_the_settings() {
        let settings = r#"{
            "groups": [{"from_minutes": 0, "group": "VOD_NO_TRANSCODE"}, {"from_minutes": 15, "group": "HD"}],
            "title": "{stream}, {date}: {minutes} min", "gaps": "slate", "min_length_seconds": 60
        }"#;
        let settled = |ranges: &[(u32, u64, u64)], group: &str, minutes: u32| {
            Expect::Answer(ComposeAnswer::Compose(ComposePlan {
                gaps: GapRule::Slate,
                min_duration_ms: 60_000,
                title: Some(format!("room-1, 2026-05-28: {minutes} min")),
                group: Some(group.to_owned()),
                ..plan(ranges)
            }))
        };
        let whole = [(0, 0, 300), (1, 0, 300), (2, 0, 300)];
        Table::<SportsHighlights>::new()
            .compose_rules("long", question([play(), play(), play()]), settings, settled(&whole, "HD", 15))
            .compose_rules(
                "shortened",
                question([black(&[(0, 300)]), play(), play()]),
                settings,
                settled(&[(0, 298, 300), (1, 0, 300), (2, 0, 300)], "VOD_NO_TRANSCODE", 10),
            )
            .compose_rules(
                "too short for any group",
                question([play(), play(), play()]),
                r#"{"groups":[{"from_minutes":16,"group":"HD"}]}"#,
                composed(&whole),
            )
            .run();
    }

    #[test]
    fn mistakes_are_named() {
        let ask = || question([play(), play(), play()]);
        let cases = [
            ("misspelt", r#"{"dorp":[]}"#, "unknown field `dorp`"),
            ("unknown", r#"{"drop":["boredom"]}"#, "settings: drop[0]: unknown variant `boredom`"),
            ("negative", r#"{"margin_seconds":-1}"#, "settings: margin_seconds: invalid value"),
            ("gaps", r#"{"gaps":"fill"}"#, "settings: gaps: unknown variant `fill`"),
            ("no group", r#"{"groups":[{"from_minutes":1}]}"#, "groups[0]: missing field `group`"),
            ("empty", r#"{"groups":[{"from_minutes":1,"group":""}]}"#, "settings: groups[0].group: must not be empty"),
            (
                "out of order",
                r#"{"groups":[{"from_minutes":1,"group":"HD"},{"from_minutes":1,"group":"SD"}]}"#,
                "from_minutes must go up",
            ),
            ("not there", r#"{"groups":[{"from_minutes":0,"group":"4K"}]}"#, "no template group \"4K\""),
            ("placeholder", r#"{"title":"{score}"}"#, "one of {stream}, {app}, {date}, {minutes}"),
            ("open brace", r#"{"title":"100 {"}"#, "settings: title"),
        ];
        let table = Table::<SportsHighlights>::new();
        cases
            .into_iter()
            .fold(table, |table, (name, settings, part)| {
                table.compose_rules(name, ask(), settings, Expect::Error(part))
            })
            .run();
    }

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
