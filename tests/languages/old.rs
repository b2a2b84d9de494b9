//! A guest of interface 0.1, from a source that stays as it is, beside one of 0.2.

use reprise_lifecycle::decision::Verdict;
use reprise_lifecycle::question::{Answer, Hook, TemplateGroupAnswer};
use reprise_policy::{StateSnapshot, sample};
use reprise_tests::guests;
use serde_json::json;

use super::{admitted, lab};

const SETTINGS: &str =
    r#"{"rules":[{"stream":"lobby-*","group":"VOD_NO_TRANSCODE"},{"stream":"room-1","group":"HD"}]}"#;

#[test]
fn an_old_guest_answers_like_a_new_one() -> anyhow::Result<()> {
    let lab = lab()?;
    let old = admitted(&lab, "old", &guests::component("reprise-test-guest-0-1")?)?;
    let new = admitted(&lab, "new", &guests::component("template-by-stream")?)?;
    assert_eq!(old.inspection.interface, "reprise:policy@0.1.0");
    assert_eq!(new.inspection.interface, "reprise:policy@0.2.0");
    assert_eq!(lab.refusal(&old, SETTINGS), None);
    for (stream, expected) in [
        ("lobby-7", TemplateGroupAnswer::Group("VOD_NO_TRANSCODE".to_owned())),
        // Named `HD` by both; what is recorded is its id.
        ("room-1", TemplateGroupAnswer::Group("a1".repeat(16))),
        ("room-10", TemplateGroupAnswer::UseDefault),
    ] {
        let patch = json!({"origin": {"stream": {"name": stream}}});
        let question = reprise::lab::question::patched(Hook::TemplateGroup, &patch).map_err(anyhow::Error::msg)?;
        let [old, new] = [&old, &new].map(|subject| lab.ask(subject, &question, SETTINGS, &StateSnapshot::default()));
        assert_eq!(old.verdict, Verdict::Answered(Answer::TemplateGroup(expected)), "{stream}");
        assert_eq!(old.verdict, new.verdict, "{stream}");
        // Reasons came with 0.2.
        assert_eq!(old.reason, None);
        assert!(new.reason.is_some());
    }
    Ok(())
}

#[test]
fn its_other_hook_works_as_well() -> anyhow::Result<()> {
    let lab = lab()?;
    let old = admitted(&lab, "old", &guests::component("reprise-test-guest-0-1")?)?;
    let question = sample::question(Hook::Callback);
    let evaluation = lab.ask(&old, &question, "{}", &StateSnapshot::default());
    let Verdict::Answered(Answer::Callback(answer)) = evaluation.verdict else {
        anyhow::bail!("{:?}", evaluation.verdict);
    };
    assert!(format!("{answer:?}").contains("x-policy-interface"), "{answer:?}");
    Ok(())
}
