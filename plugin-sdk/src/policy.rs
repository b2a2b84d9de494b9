//! The one trait an author implements.

use serde::de::DeserializeOwned;

use crate::{
    CallbackAnswer, CallbackQuestion, ComposeAnswer, ComposeQuestion, Error, TemplateGroupAnswer, TemplateGroupQuestion,
};

/// The built-in template group that keeps the source as it is.
pub const NO_TRANSCODE: &str = "VOD_NO_TRANSCODE";

/// A policy: the type is its settings, read from the tenant's JSON for every call, and its methods answer at
/// the hooks that [`export!`](crate::export!) names.
///
/// Each method's default is the host's own default, so that implementing one changes nothing else. A method
/// must answer from `self`, the question, the [`state`](crate::state) and the [`assets`](crate::assets); there is
/// nothing else to be had, and nothing but the state is kept from one call to the next.
///
/// Settings that are left out altogether are read as `{}`. `#[serde(default)]` on the type or its fields says
/// what may be left out, and `#[serde(deny_unknown_fields)]` tells the tenant about misspelt names.
pub trait Policy: DeserializeOwned {
    /// Says what is wrong with settings that have the right shape but make no sense. Asked when settings are
    /// pushed, and again before every decision.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Which template group a part's video is processed with.
    fn template_group(&self, question: &TemplateGroupQuestion) -> Result<TemplateGroupAnswer, Error> {
        let _ = question;
        Ok(TemplateGroupAnswer::UseDefault)
    }

    /// How the broadcast's parts become one video.
    fn compose_rules(&self, question: &ComposeQuestion) -> Result<ComposeAnswer, Error> {
        let _ = question;
        Ok(ComposeAnswer::UseDefault)
    }

    /// What an event looks like when it is sent.
    fn callback(&self, question: &CallbackQuestion) -> Result<CallbackAnswer, Error> {
        let _ = question;
        Ok(CallbackAnswer::Unchanged)
    }
}

/// Reads and checks settings. The error names the field, as in `rules[1].min_height: invalid type …`.
pub(crate) fn parse<P: Policy>(settings: &str) -> Result<P, Error> {
    let text = if settings.trim().is_empty() { "{}" } else { settings };
    // Keeping track of where one is costs more than the reading, and is of use only when something is wrong.
    let policy: P = serde_json::from_str(text).map_err(|problem| locate::<P>(text, &problem))?;
    policy.check()?;
    Ok(policy)
}

/// Reads settings that cannot be read once more, to say where they are wrong.
#[cold]
fn locate<P: Policy>(text: &str, problem: &serde_json::Error) -> Error {
    let mut reader = serde_json::Deserializer::from_str(text);
    match serde_path_to_error::deserialize::<_, P>(&mut reader) {
        // A path of "." is the document itself, of which there is nothing more to say.
        Err(error) if error.path().to_string() != "." => {
            Error::new(format!("settings: {}: {}", error.path(), error.inner()))
        }
        _ => Error::new(format!("settings: {problem}")),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Sample {
        rules: Vec<Rule>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Rule {
        min_height: u32,
    }

    impl Policy for Sample {
        fn check(&self) -> Result<(), Error> {
            if self.rules.iter().any(|rule| rule.min_height == 0) {
                return Err("settings: rules: a height of 0 matches everything".into());
            }
            Ok(())
        }
    }

    #[test]
    fn absent_settings_are_an_empty_object() {
        for text in ["", "  \n", "{}"] {
            assert_eq!(parse::<Sample>(text).unwrap(), Sample::default());
        }
    }

    #[test]
    fn an_error_names_the_field() {
        for (text, part) in [
            (r#"{"rules":[{"min_height":1},{"min_height":"tall"}]}"#, "rules[1].min_height: invalid type"),
            (r#"{"rules":[{}]}"#, "rules[0]: missing field `min_height`"),
            (r#"{"rulez":[]}"#, "unknown field `rulez`"),
            (r#"{"rules":[{"min_height":0}]}"#, "a height of 0"),
            ("{} {}", "trailing characters"),
            ("[", "settings: "),
        ] {
            let error = parse::<Sample>(text).unwrap_err();
            assert!(error.message().contains(part), "{text}: {error}");
        }
    }
}
