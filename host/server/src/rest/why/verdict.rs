//! One decision in words: what was asked, what was said, what was done about it, and how to mend what went wrong.

use std::collections::BTreeMap;

use reprise_lifecycle::decision::{Applied, CodeSource, Failure, FailureKind, Provenance, Verdict};
use reprise_lifecycle::id::TenantId;
use reprise_lifecycle::question::{
    Answer, CallbackAnswer, ComposeAnswer, ComposePlan, GapRule, Hook, PartSummary, Question, TemplateGroupAnswer,
};

use super::story::{Asked, Story};
use super::words::{count, group, length, number, quote, sentence, short};

/// Log lines of one decision that are told.
const LOG_LINES: usize = 5;

/// All of one decision. `default` is what applies where no policy decides, as the end of a sentence.
pub(super) fn tell(story: &Story<'_>, asked: &Asked, default: &str) -> Vec<String> {
    let decision = &asked.decision;
    let mut told = Vec::new();
    let numbered = asked.id.map(|id| format!(" (decision {id})")).unwrap_or_default();
    match &decision.provenance {
        Some(made) => {
            told.push(format!("{}{numbered}.", who(decision.hook, made)));
            told.extend(asked.question.as_ref().map(|question| facts(question, &story.groups)));
            told.extend(said(decision.hook, &decision.verdict, made.reason.as_deref(), &story.groups));
        }
        None => told.push(format!("At the hook `{}` nobody was asked{numbered}.", decision.hook.name())),
    }
    told.push(done(decision.hook, &decision.verdict, decision.applied, default));
    if let Verdict::Failed(failure) = &decision.verdict {
        told.push(mend(failure.kind, &story.broadcast.tenant, decision.provenance.as_deref()));
    }
    if let Some(made) = &decision.provenance {
        told.extend(state(made));
        told.extend(log(made));
        told.push(cost(made));
    }
    told
}

/// Who was asked, and as what.
fn who(hook: Hook, made: &Provenance) -> String {
    let binding = made.binding.as_ref().map(|name| format!(", bound as `{name}`,")).unwrap_or_default();
    let place = match made.rollout {
        Some(rollout) => {
            format!(" It was the candidate of rollout {rollout} and answered in the active version's place")
        }
        None => String::new(),
    };
    format!(
        "At the hook `{}` plugin `{}` version {} (sha256 {}…){binding} was asked with revision {} of its settings{}{place}",
        hook.name(),
        made.plugin,
        made.version,
        short(&made.digest),
        made.settings_revision,
        if place.is_empty() { "" } else { "." },
    )
}

/// The facts of a question that matter.
fn facts(question: &Question, groups: &BTreeMap<String, String>) -> String {
    match question {
        Question::TemplateGroup(question) => {
            let reconnects = question.origin.reconnects;
            let breaks = if reconnects == 0 { String::new() } else { format!(" after {reconnects} reconnects") };
            format!(
                "It saw part {}{breaks}: {}; by default its video is processed with {}, and there were {} to choose from.",
                question.part.index + 1,
                picture(&question.part),
                group(groups, &question.default_group),
                count(question.groups.len(), "group", "groups"),
            )
        }
        Question::ComposeRules(question) => {
            let total = question.parts.iter().map(|part| part.duration_ms).fold(0, u64::saturating_add);
            let gaps = question.parts.iter().map(|part| part.gap_ms).fold(0, u64::saturating_add);
            let analysed = question.parts.iter().filter(|part| part.facts.is_some()).count();
            format!(
                "It saw {} of {} together, with {} missing between them and an analysis of {}; by default they are{} composed.",
                count(question.parts.len(), "part", "parts"),
                length(total),
                length(gaps),
                count(analysed, "of them", "of them"),
                if question.default_compose { "" } else { " not" },
            )
        }
        Question::Callback(question) => {
            format!("It saw the event `{}` of {} bytes.", question.event_type, question.body.len())
        }
    }
}

fn picture(part: &PartSummary) -> String {
    let picture = match &part.video {
        Some(track) => format!("{}x{} {}", track.width, track.height, track.codec),
        None => "no picture".to_owned(),
    };
    let sound = if part.audio.is_some() { "with sound" } else { "without sound" };
    format!("{}, {picture}, {sound}, {} kbit/s", length(part.duration_ms), part.bitrate_kbps)
}

/// What it said, and why in its own words.
fn said(hook: Hook, verdict: &Verdict, reason: Option<&str>, groups: &BTreeMap<String, String>) -> Vec<String> {
    let mut said = match verdict {
        Verdict::NoPolicy => return Vec::new(),
        Verdict::Answered(given) => vec![format!("It answered: {}.", answer(given, groups))],
        Verdict::Failed(failure) => vec![failed(failure)],
    };
    match reason {
        Some(reason) => said.push(format!("Its reason: {}.", quote(reason.trim_end_matches('.')))),
        None if matches!(verdict, Verdict::Answered(_)) && hook != Hook::Callback => {
            said.push("It gave no reason.".to_owned());
        }
        None => {}
    }
    said
}

fn answer(answer: &Answer, groups: &BTreeMap<String, String>) -> String {
    match answer {
        Answer::TemplateGroup(TemplateGroupAnswer::UseDefault) => "what the record config says".to_owned(),
        Answer::TemplateGroup(TemplateGroupAnswer::Group(id)) => group(groups, id),
        Answer::ComposeRules(ComposeAnswer::UseDefault) => "what the record config says".to_owned(),
        Answer::ComposeRules(ComposeAnswer::Skip) => "nothing is composed".to_owned(),
        Answer::ComposeRules(ComposeAnswer::Compose(plan)) => composed(plan, groups),
        Answer::Callback(CallbackAnswer::Unchanged) => "the event is sent as it is".to_owned(),
        Answer::Callback(CallbackAnswer::Drop) => "the event is not sent".to_owned(),
        Answer::Callback(CallbackAnswer::Replace { body, headers }) => {
            format!(
                "a body of {} bytes instead, with {}",
                body.len(),
                count(headers.len(), "more header", "more headers")
            )
        }
    }
}

fn composed(plan: &ComposePlan, groups: &BTreeMap<String, String>) -> String {
    let mut parts: Vec<_> = plan.ranges.iter().map(|range| range.index).collect();
    parts.sort_unstable();
    parts.dedup();
    let gaps = match plan.gaps {
        GapRule::Cut => "gaps are cut out",
        GapRule::Hold => "gaps hold the last picture",
        GapRule::Slate => "gaps show a slate",
    };
    let mut text = format!(
        "{} of {} become one video, {gaps}",
        count(plan.ranges.len(), "stretch", "stretches"),
        count(parts.len(), "part", "parts")
    );
    if plan.min_duration_ms > 0 {
        text.push_str(&format!(", if they have {} together", length(plan.min_duration_ms)));
    }
    if let Some(title) = &plan.title {
        text.push_str(&format!(", titled {}", quote(title)));
    }
    if let Some(id) = &plan.group {
        text.push_str(&format!(", processed with {}", group(groups, id)));
    }
    text
}

/// What was done with a verdict.
pub(super) fn done(hook: Hook, verdict: &Verdict, applied: Applied, default: &str) -> String {
    match (verdict, applied) {
        (Verdict::NoPolicy, Applied::Default) => {
            format!("No policy decides this for this stream, so the default applied: {default}.")
        }
        (Verdict::Answered(_), Applied::Answer) => "That was done.".to_owned(),
        (Verdict::Answered(_), Applied::Default) => format!("That is the default, which applied: {default}."),
        (Verdict::Failed(_), Applied::Fallback) => {
            format!("Its binding says `fallback`, so the default applied as if nobody were bound: {default}.")
        }
        (Verdict::Failed(_), Applied::Rejected) => {
            let nothing = match hook {
                Hook::TemplateGroup => "nothing is encoded; the recording itself stands and plays",
                Hook::ComposeRules => "nothing is composed; the parts stand and play",
                Hook::Callback => "the event is not sent; it is still listed",
            };
            format!("Its binding says `reject`, so nothing was done: {nothing}.")
        }
        (verdict, applied) => {
            let said = match verdict {
                Verdict::NoPolicy => "nobody was asked",
                Verdict::Answered(_) => "it answered",
                Verdict::Failed(_) => "it failed",
            };
            let applied = match applied {
                Applied::Answer => "the answer",
                Applied::Default => "the default",
                Applied::Fallback => "the fallback after a failure",
                Applied::Rejected => "a failure's reject",
            };
            format!(
                "The record says that {said} and that {applied} was applied, which do not go together: please report it."
            )
        }
    }
}

/// How it failed.
pub(super) fn failed(failure: &Failure) -> String {
    let how = match failure.kind {
        FailureKind::Trap => "it trapped, which is a panic or an access out of bounds",
        FailureKind::Fuel => "it used up the fuel of one call",
        FailureKind::Deadline => "it ran past the time of one call",
        FailureKind::Memory => "it asked for more memory than a call may have",
        FailureKind::Stack => "its call stack ran over",
        FailureKind::TooLarge => "its answer was larger than is taken",
        FailureKind::BadAnswer => "its answer broke a rule",
        FailureKind::Refused => "it said itself that it cannot decide",
        FailureKind::Overloaded => "no place to run it came free in time, so it was not asked",
        FailureKind::Unavailable => "its component could not be loaded, so it was not asked",
        FailureKind::RateLimited => "it is asked more often than its limits allow, so it was not asked this time",
        FailureKind::BreakerOpen => "it had failed so often that it is not asked for a while",
    };
    match failure.message.trim() {
        "" => format!("It gave no answer: {how}."),
        message => format!("It gave no answer: {how}: {}.", quote(message.trim_end_matches('.'))),
    }
}

/// Who has to do what about it. Its commands can be copied as they are, but for what is to be chosen, in capitals.
pub(super) fn mend(kind: FailureKind, tenant: &TenantId, made: Option<&Provenance>) -> String {
    let plugin = made.map_or("PLUGIN", |made| made.plugin.as_str());
    match kind {
        FailureKind::Trap => "To mend it: put the same question to it on your own machine, where the panic's place shows, \
                              and push the mended version."
            .to_owned(),
        FailureKind::Fuel => format!(
            "To mend it: let it do less for each call (`reprise plugin bench` shows how much it uses), or ask the operator \
             for more (`reprise plugin limits set {plugin} --tenant {tenant} --fuel FUEL`, or `policies.fuel`)."
        ),
        FailureKind::Deadline => "To mend it: if it comes again, let it do less for each call; if it came once, the machine \
                                  was busy, and the operator can give more time (`policies.deadline_ms`, `policies.wall_ms`)."
            .to_owned(),
        FailureKind::Memory => format!(
            "To mend it: let it hold less at once (the question alone can have a mebibyte), or ask the operator for more \
             (`reprise plugin limits set {plugin} --tenant {tenant} --memory-bytes BYTES`)."
        ),
        FailureKind::Stack => "To mend it: look for a recursion that the question's size drives, and make it a loop.".to_owned(),
        FailureKind::TooLarge => "To mend it: answer less; a body has at most 64 KiB and a plan at most 10,000 stretches.".to_owned(),
        FailureKind::BadAnswer => "To mend it: the message says which rule; put the same question to it with \
                                   `reprise plugin run`, which keeps the same rules."
            .to_owned(),
        FailureKind::Refused => format!(
            "To mend it: the message is the policy's own; look at its settings \
             (`reprise plugin settings show {plugin} --tenant {tenant}`) and at the question."
        ),
        FailureKind::Overloaded => "To mend it: the operator can give more places (`policies.concurrent`, \
                                    `policies.concurrent_per_tenant`) or more patience (`policies.wait_ms`)."
            .to_owned(),
        FailureKind::Unavailable => "To mend it: push the same component again, which restores it; the server's log tells the \
                                     operator why it could not be loaded."
            .to_owned(),
        FailureKind::RateLimited => format!(
            "To mend it: `reprise plugin limits show {plugin} --tenant {tenant}` says how often it may be asked; the \
             operator can allow more."
        ),
        FailureKind::BreakerOpen => format!(
            "To mend it: the decisions before this one say how it failed \
             (`reprise plugin decisions --tenant {tenant} --plugin {plugin} --failed`); it is asked again by itself after \
             a while, and a mended version at once."
        ),
    }
}

fn state(made: &Provenance) -> Option<String> {
    let seen = made.state_revision.map(|revision| format!("it saw revision {revision} of its state"));
    let keys: Vec<String> = made.writes.iter().take(LOG_LINES).map(|write| format!("`{}`", write.key)).collect();
    let wrote = (!keys.is_empty()).then(|| {
        let more = made.writes.len() - keys.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("it wrote {}{more} to its state", keys.join(", "))
    });
    let told: Vec<String> = [seen, wrote].into_iter().flatten().collect();
    (!told.is_empty()).then(|| sentence(&format!("{}.", told.join(" and "))))
}

fn log(made: &Provenance) -> Option<String> {
    let lines: Vec<String> = made.log.iter().take(LOG_LINES).map(|line| quote(line)).collect();
    let more = made.log.len() - lines.len();
    let more = if more > 0 { format!(" and {more} lines more") } else { String::new() };
    (!lines.is_empty()).then(|| format!("It logged {}{more}.", lines.join(", ")))
}

fn cost(made: &Provenance) -> String {
    let code = match made.code {
        Some(CodeSource::Memory) => "; its code was in memory",
        Some(CodeSource::Disk) => "; its code came from the cache on disk",
        Some(CodeSource::Compiled) => "; its code was compiled for it",
        None => "",
    };
    format!("The call used {} of fuel and {} µs{code}.", number(made.fuel), number(made.elapsed_us))
}
