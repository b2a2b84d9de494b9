//! Chooses the template group by stream name and picture height.
//!
//! Settings:
//!
//! ```json
//! {
//!   "rules": [
//!     { "stream": "lobby-*", "group": "VOD_NO_TRANSCODE" },
//!     { "app": "live", "stream": "stage-?", "min_height": 1080, "group": "HD" },
//!     { "max_height": 719, "group": "SD" }
//!   ]
//! }
//! ```
//!
//! The first rule that fits decides; without one the record config's group applies. A rule fits if everything
//! it names fits:
//!
//! | field | fits |
//! |---|---|
//! | `app`, `stream` | application and stream name; `*` stands for any text, `?` for one character |
//! | `min_height`, `max_height` | the picture's height in pixels, both ends included; never without a picture |
//! | `group` | required: the id or the name of one of the tenant's groups, or `VOD_NO_TRANSCODE` |

use reprise_plugin::{Error, NO_TRANSCODE, Policy, TemplateGroupAnswer, TemplateGroupQuestion, reason};
use serde::Deserialize;

/// The settings, and the policy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateByStream {
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    app: Option<String>,
    stream: Option<String>,
    min_height: Option<u32>,
    max_height: Option<u32>,
    group: String,
}

impl Policy for TemplateByStream {
    fn check(&self) -> Result<(), Error> {
        for (number, rule) in self.rules.iter().enumerate() {
            if rule.group.is_empty() {
                return Err(Error::new(format!("settings: rules[{number}].group: must not be empty")));
            }
            if let (Some(min), Some(max)) = (rule.min_height, rule.max_height)
                && min > max
            {
                return Err(Error::new(format!(
                    "settings: rules[{number}]: min_height {min} is above max_height {max}"
                )));
            }
        }
        Ok(())
    }

    fn template_group(&self, question: &TemplateGroupQuestion) -> Result<TemplateGroupAnswer, Error> {
        let Some((number, rule)) = self.rules.iter().enumerate().find(|(_, rule)| rule.fits(question)) else {
            reason("no rule fits");
            return Ok(TemplateGroupAnswer::UseDefault);
        };
        let known = |group: &str| question.groups.iter().any(|choice| choice.id == group || choice.name == group);
        if rule.group != NO_TRANSCODE && !known(&rule.group) {
            // The host would refuse the answer as well; this says which rule to mend.
            return Err(Error::new(format!("rules[{number}].group: there is no template group {:?}", rule.group)));
        }
        reason(format!("rules[{number}] fits: {}", rule.in_words()));
        Ok(TemplateGroupAnswer::Group(rule.group.clone()))
    }
}

impl Rule {
    /// What the rule asks for, for the tenant who wonders why it fits.
    fn in_words(&self) -> String {
        let mut words = Vec::new();
        words.extend(self.app.as_ref().map(|pattern| format!("app {pattern}")));
        words.extend(self.stream.clone());
        words.extend(self.min_height.map(|min| format!("at least {min}")));
        words.extend(self.max_height.map(|max| format!("at most {max}")));
        if words.is_empty() { "everything".to_owned() } else { words.join(", ") }
    }

    fn fits(&self, question: &TemplateGroupQuestion) -> bool {
        let stream = &question.origin.stream;
        let height = question.part.video.as_ref().map(|video| video.height);
        self.app.as_ref().is_none_or(|pattern| glob(pattern, &stream.app))
            && self.stream.as_ref().is_none_or(|pattern| glob(pattern, &stream.name))
            && self.min_height.is_none_or(|min| height.is_some_and(|height| height >= min))
            && self.max_height.is_none_or(|max| height.is_some_and(|height| height <= max))
    }
}

/// Whether the whole text matches. On a mismatch only the last `*` takes one character more, so that the
/// effort is at most the product of both lengths, whatever the pattern.
fn glob(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // Where to go on when the text after the last `*` did not fit.
    let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let before = text.clone();
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                retry = Some((pattern.clone(), before.clone()));
                text = before;
                continue;
            }
            (Some('?'), Some(_)) => continue,
            (Some(wanted), Some(found)) if wanted == found => continue,
            _ => {}
        }
        let Some((after_star, mut from)) = retry.take() else { return false };
        if from.next().is_none() {
            return false;
        }
        pattern = after_star.clone();
        text = from.clone();
        retry = Some((after_star, from));
    }
}

reprise_plugin::export!(TemplateByStream: template_group);

#[cfg(test)]
mod tests {
    use reprise_plugin::testing::{Expect, Table, template_group_question};

    use super::*;

    const SETTINGS: &str = r#"{"rules": [
        {"stream": "lobby-*", "group": "VOD_NO_TRANSCODE"},
        {"app": "live", "stream": "stage-?", "min_height": 1080, "group": "HD"},
        {"max_height": 719, "group": "SD"}
    ]}"#;

    fn question(stream: &str, height: Option<u32>) -> TemplateGroupQuestion {
        let mut question = template_group_question();
        question.origin.stream.name = stream.to_owned();
        match (&mut question.part.video, height) {
            (Some(video), Some(height)) => video.height = height,
            (video, _) => *video = None,
        }
        question
    }

    fn group(name: &str) -> Expect<TemplateGroupAnswer> {
        Expect::Answer(TemplateGroupAnswer::Group(name.to_owned()))
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let mut other_app = question("stage-1", Some(1080));
        other_app.origin.stream.app = "test".to_owned();
        Table::<TemplateByStream>::new()
            .template_group("by name", question("lobby-7", Some(1080)), SETTINGS, group("VOD_NO_TRANSCODE"))
            .template_group("by name alone", question("lobby-", None), SETTINGS, group("VOD_NO_TRANSCODE"))
            .template_group("by name and height", question("stage-1", Some(1080)), SETTINGS, group("HD"))
            .because("rules[1] fits: app live, stage-?, at least 1080")
            .template_group("not tall enough", question("stage-1", Some(1079)), SETTINGS, Expect::UseDefault)
            .template_group("name too long", question("stage-10", Some(1080)), SETTINGS, Expect::UseDefault)
            .template_group("another app", other_app, SETTINGS, Expect::UseDefault)
            .template_group("by height", question("anything", Some(719)), SETTINGS, group("SD"))
            .because("rules[2] fits: at most 719")
            .template_group("too tall", question("anything", Some(720)), SETTINGS, Expect::UseDefault)
            .template_group("no picture has no height", question("anything", None), SETTINGS, Expect::UseDefault)
            .template_group("no rules", question("anything", None), r#"{"rules":[]}"#, Expect::UseDefault)
            .because("no rule fits")
            .template_group("an empty rule", question("anything", None), r#"{"rules":[{"group":"SD"}]}"#, group("SD"))
            .because("rules[0] fits: everything")
            .run();
    }

    #[test]
    fn mistakes_are_named() {
        let ask = || question("room-1", Some(720));
        Table::<TemplateByStream>::new()
            .template_group("nothing", ask(), "", Expect::Error("missing field `rules`"))
            .template_group("no group", ask(), r#"{"rules":[{}]}"#, Expect::Error("rules[0]: missing field `group`"))
            .template_group("empty", ask(), r#"{"rules":[{"group":""}]}"#, Expect::Error("rules[0].group"))
            .template_group("misspelt", ask(), r#"{"rules":[{"gruop":"HD"}]}"#, Expect::Error("rules[0].gruop"))
            .template_group(
                "unknown",
                ask(),
                r#"{"rules":[{"group":"4K"}]}"#,
                Expect::Error("no template group \"4K\""),
            )
            .template_group(
                "turned round",
                ask(),
                r#"{"rules":[{"min_height":9,"max_height":1,"group":"HD"}]}"#,
                Expect::Error("min_height 9 is above max_height 1"),
            )
            .run();
    }

    #[test]
    fn globs() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("?", "", false),
            ("?", "ü", true),
            ("a*b", "ab", true),
            ("a*b", "a-b-b", true),
            ("a*b", "a-b-c", false),
            ("*-cam-?", "hall-cam-2", true),
            ("*-cam-?", "hall-cam-", false),
            ("a**b", "acb", true),
            ("room-1", "room-10", false),
            ("*a*a*a*b", &"a".repeat(200), false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }
}
