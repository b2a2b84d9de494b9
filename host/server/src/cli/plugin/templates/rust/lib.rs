//! Chooses the template group of each recorded part by stream name and picture height.

use reprise_plugin::{Error, NO_TRANSCODE, Policy, TemplateGroupAnswer, TemplateGroupQuestion, reason};
use serde::Deserialize;

/// The settings, and the policy. `settings.schema.json` says the same for the server and for people.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    rules: Vec<Rule>,
}

/// Fits if all it names fits.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    prefix: Option<String>,
    min_height: Option<u32>,
    group: String,
}

impl Policy for Rules {
    /// Says what is wrong with settings, before they are accepted.
    fn check(&self) -> Result<(), Error> {
        match self.rules.iter().position(|rule| rule.group.is_empty()) {
            Some(number) => Err(Error::new(format!("settings: rules[{number}].group: must not be empty"))),
            None => Ok(()),
        }
    }

    /// The first rule that fits decides.
    fn template_group(&self, question: &TemplateGroupQuestion) -> Result<TemplateGroupAnswer, Error> {
        let Some((number, rule)) = self.rules.iter().enumerate().find(|(_, rule)| rule.fits(question)) else {
            reason("no rule fits");
            return Ok(TemplateGroupAnswer::UseDefault);
        };
        let known = question.groups.iter().any(|group| group.id == rule.group || group.name == rule.group);
        if rule.group != NO_TRANSCODE && !known {
            return Err(Error::new(format!("rules[{number}].group: there is no template group {:?}", rule.group)));
        }
        reason(format!("rules[{number}] fits: {}", rule.in_words()));
        Ok(TemplateGroupAnswer::Group(rule.group.clone()))
    }
}

impl Rule {
    fn fits(&self, question: &TemplateGroupQuestion) -> bool {
        let height = question.part.video.as_ref().map(|video| video.height);
        self.prefix.as_ref().is_none_or(|prefix| question.origin.stream.name.starts_with(prefix))
            && self.min_height.is_none_or(|least| height.is_some_and(|height| height >= least))
    }

    fn in_words(&self) -> String {
        let mut words = Vec::new();
        words.extend(self.prefix.clone());
        words.extend(self.min_height.map(|least| format!("at least {least}")));
        if words.is_empty() { "everything".to_owned() } else { words.join(", ") }
    }
}

// The hooks it is asked at: `template_group`, `compose_rules`, `callback`.
reprise_plugin::export!(Rules: template_group);

// Cases that want Rust; the others are in tests/cases.json.
#[cfg(test)]
mod tests {
    use reprise_plugin::testing::{Expect, Table, template_group_question};

    use super::*;

    #[test]
    fn names_and_heights() {
        let mut stage = template_group_question();
        stage.origin.stream.name = "stage-1".to_owned();
        let settings = include_str!("../settings.json");
        Table::<Rules>::new()
            .template_group("a stage", stage, settings, Expect::Answer(TemplateGroupAnswer::Group("HD".to_owned())))
            .because("rules[1] fits: stage-, at least 1080")
            .template_group("another stream", template_group_question(), settings, Expect::UseDefault)
            .template_group("misspelt", template_group_question(), r#"{"rulez":[]}"#, Expect::Error("`rulez`"))
            .run();
    }
}
