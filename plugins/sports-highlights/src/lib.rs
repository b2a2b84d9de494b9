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

mod play;
mod title;

#[cfg(test)]
mod tests;

use reprise_plugin::{ComposeAnswer, ComposePlan, ComposeQuestion, Error, GapRule, NO_TRANSCODE, Policy, log, reason};
use serde::Deserialize;

use self::play::ranges;

/// The host's limit of an answer.
const MAX_RANGES: usize = 10_000;

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
        self.title.as_deref().map_or(Ok(()), |title| title::filled(title, |_| String::new()).map(drop))
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
            title: self.title.as_deref().map(|title| title::named(title, question, left_ms)).transpose()?,
            group: self.group(question, left_ms)?,
        }))
    }
}

impl SportsHighlights {
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

reprise_plugin::export!(SportsHighlights: compose_rules);

fn ms(seconds: u32) -> u64 {
    u64::from(seconds) * 1000
}
