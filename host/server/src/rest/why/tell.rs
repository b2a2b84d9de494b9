//! A video's whole story in sentences: what it is, who was asked what and what came of it, what the tenant was told, and
//! how to ask again. Nothing here reads anything: the same story has the same words.

use reprise_lifecycle::broadcast::{Compose, PartState, Publishing};
use reprise_lifecycle::decision::{Applied, Verdict};
use reprise_lifecycle::id::VideoId;
use reprise_lifecycle::question::{Answer, ComposeAnswer, Hook};
use reprise_lifecycle::record::{EndCause, WorkResult};
use reprise_lifecycle::video::{Output, Source, Stage, Task};
use reprise_lifecycle::work::Trigger;

use super::story::{Asked, Story};
use super::verdict;
use super::words::{count, group, length, quote, sentence, stream};

/// Tasks of one video that are told; the vendor's API lists all.
const TASKS: usize = 10;

/// Deliveries that are told one by one.
const DELIVERIES: usize = 50;

/// The story in paragraphs of sentences.
pub(super) fn paragraphs(story: &Story<'_>) -> Vec<Vec<String>> {
    let told = [what(story), groups(story), followed(story), compose(story), events(story), again(story)];
    told.into_iter().filter(|paragraph| !paragraph.is_empty()).collect()
}

fn what(story: &Story<'_>) -> Vec<String> {
    let (broadcast, video) = (story.broadcast, story.video);
    let parts = broadcast.parts.iter().filter(|part| matches!(part.state, PartState::Closed { .. })).count();
    let from = || format!("broadcast {} of {}", broadcast.id, stream(&broadcast.stream));
    let mut told = vec![match (video.source, &broadcast.production) {
        (Source::Part(index), _) => format!("Video {} is part {} of {}.", video.id, index + 1, from()),
        (Source::Compose, _) => {
            format!("Video {} is composed of {} of {}.", video.id, count(parts, "part", "parts"), from())
        }
        (Source::Edit, Some(opening)) => {
            format!("Video {} is an edited video, produced from the editing project {}.", video.id, opening.project)
        }
        (Source::Edit, None) => format!("Video {} is an edited video.", video.id),
    }];
    if !story.title.is_empty() && story.title != broadcast.stream.name {
        told.push(format!("Its title is {}.", quote(story.title)));
    }
    if let Some(facts) = &video.facts {
        let picture = match &facts.video {
            Some(track) => format!("{}x{} {}", track.width, track.height, track.codec),
            None => "no picture".to_owned(),
        };
        let sound = if facts.audio.is_some() { "with sound" } else { "without sound" };
        told.push(format!("It has {}, {picture}, {sound}.", length(facts.duration_ms)));
    }
    let days = broadcast.rules.retention_days;
    if days > 0 && matches!(video.source, Source::Part(_)) {
        told.push(format!("The record config keeps it for {}.", count(days as usize, "day", "days")));
    }
    if video.source_removed {
        told.push("Its recording was deleted since; what was made of it stays.".to_owned());
    }
    told
}

/// Which template group, and who said so.
fn groups(story: &Story<'_>) -> Vec<String> {
    let (broadcast, video) = (story.broadcast, story.video);
    let asked: Vec<&Asked> = story.asked.iter().filter(|asked| asked.decision.hook == Hook::TemplateGroup).collect();
    if let (Source::Edit, Some(opening)) = (video.source, &broadcast.production) {
        let named = group(&story.groups, opening.group.as_str());
        return vec![format!("No policy is asked about an edited video: the request that produced it named {named}.")];
    }
    if matches!(video.source, Source::Compose) {
        let by_plan = match &broadcast.compose {
            Compose::Planned(plan, _) => plan.group.as_deref(),
            Compose::NotYet | Compose::Deciding | Compose::Skipped => None,
        };
        let named = match (by_plan, &broadcast.rules.compose_group) {
            (Some(id), _) => format!("the answer at `compose-rules` named {}", group(&story.groups, id)),
            (None, Some(id)) => format!("the record config named {}", group(&story.groups, id.as_str())),
            (None, None) => "nobody named one, so it is kept as it is".to_owned(),
        };
        return vec![format!("No policy is asked for the template group of a composed video: {named}.")];
    }
    let default = format!("the record config's {}", group(&story.groups, broadcast.rules.group.as_str()));
    if asked.is_empty() {
        let why = match video.stage {
            Stage::Deciding(_) => "Its template group is being asked for now.",
            Stage::Composing | Stage::Planned | Stage::Rejected | Stage::Refused(_) | Stage::ProduceFailed => {
                "Of its template group no decision is recorded."
            }
        };
        return vec![why.to_owned()];
    }
    asked.into_iter().flat_map(|asked| verdict::tell(story, asked, &default)).collect()
}

/// What was made of it.
fn followed(story: &Story<'_>) -> Vec<String> {
    let video = story.video;
    let mut told = match &video.stage {
        Stage::Composing => vec!["Its file is being made.".to_owned()],
        Stage::ProduceFailed => vec!["Its file could not be made; its event says why.".to_owned()],
        Stage::Rejected => vec!["Nothing was made of it.".to_owned()],
        Stage::Refused(failure) => {
            let (code, message) = (&failure.code, quote(failure.message.trim_end_matches('.')));
            vec![format!("Nothing was made of it, which failed with `{code}`: {message}.")]
        }
        Stage::Deciding(_) | Stage::Planned => Vec::new(),
    };
    told.extend(video.tasks.iter().take(TASKS).map(|one| task(story, one)));
    if video.tasks.len() > TASKS {
        told.push(format!("There are {} more.", count(video.tasks.len() - TASKS, "task", "tasks")));
    }
    if !video.pictures.is_empty() {
        told.push(format!("Pictures were asked for by hand: {}.", count(video.pictures.len(), "time", "times")));
    }
    told
}

fn task(story: &Story<'_>, task: &Task) -> String {
    let named = group(&story.groups, task.group.as_str());
    let who = match task.trigger {
        Trigger::Auto => "By that decision it",
        Trigger::Manual => "By a request of the tenant's it",
    };
    if task.outputs.is_empty() {
        let why = if task.group.is_no_transcode() { "" } else { ", which has no templates" };
        return format!("{who} is processed with {named}{why}: nothing is encoded, and the recording plays.");
    }
    let outputs: Vec<String> = task.outputs.iter().map(output).collect();
    format!("{who} is processed with {named} (task {}): {}.", task.id, outputs.join("; "))
}

fn output(output: &Output) -> String {
    let name = format!("{} {}", output.template.definition, output.template.format);
    match output.finished.as_ref().map(|finished| &finished.result) {
        None => format!("{name} is being made"),
        Some(_) if output.removed => format!("{name} was made and deleted since"),
        Some(WorkResult::Done(facts)) => format!("{name} is there, {}x{}", facts.width, facts.height),
        Some(WorkResult::Failed(failure)) => {
            format!("{name} failed with `{}`: {}", failure.code, quote(failure.message.trim_end_matches('.')))
        }
    }
}

/// Whether the broadcast's parts became one video, and why.
fn compose(story: &Story<'_>) -> Vec<String> {
    let broadcast = story.broadcast;
    if broadcast.production.is_some() {
        return Vec::new();
    }
    let mut told = vec![match broadcast.publishing {
        Publishing::Live { .. } => "The broadcast is still going on.".to_owned(),
        Publishing::Broken { .. } => {
            "The publisher is gone; the broadcast ends when the break window is over.".to_owned()
        }
        Publishing::Over { cause, .. } => sentence(&format!("the broadcast is over: {}.", ended(cause))),
    }];
    let default = match (broadcast.rules.auto_compose, &broadcast.rules.compose_group) {
        (false, _) => "the record config asks for no compose".to_owned(),
        (true, None) => "the record config lets all parts become one video".to_owned(),
        (true, Some(id)) => {
            format!("the record config lets all parts become one video, with {}", group(&story.groups, id.as_str()))
        }
    };
    let asked: Vec<&Asked> = story.asked.iter().filter(|asked| asked.decision.hook == Hook::ComposeRules).collect();
    for one in &asked {
        told.extend(verdict::tell(story, one, &default));
    }
    let whole = VideoId::of_compose(&broadcast.id);
    match &broadcast.compose {
        Compose::NotYet => match broadcast.publishing {
            Publishing::Over { .. } => told.push("There was nothing to compose.".to_owned()),
            Publishing::Live { .. } | Publishing::Broken { .. } => {
                told.push("Whether its parts become one video is decided when it ends.".to_owned());
            }
        },
        Compose::Deciding => told.push("Whether its parts become one video is being decided now.".to_owned()),
        Compose::Skipped => told.push(format!("So its parts did not become one video{}.", skipped(&asked))),
        Compose::Planned(plan, _) => {
            let is_in = match story.video.source {
                Source::Part(index) => plan.ranges.iter().any(|range| range.index == index),
                Source::Compose | Source::Edit => true,
            };
            let became = format!(
                "So {} became video {whole}",
                count(plan.ranges.len(), "stretch of its parts", "stretches of its parts")
            );
            told.push(if is_in { format!("{became}.") } else { format!("{became}; this part is not in it.") });
        }
    }
    told
}

/// Why nothing was composed, where the decision alone does not say it.
fn skipped(asked: &[&Asked]) -> &'static str {
    match asked.last().map(|asked| (&asked.decision.verdict, asked.decision.applied)) {
        Some((Verdict::Answered(Answer::ComposeRules(ComposeAnswer::Compose(_))), Applied::Answer)) => {
            ": what the answer took of them is shorter than the length it asked for"
        }
        _ => "",
    }
}

fn ended(cause: EndCause) -> &'static str {
    match cause {
        EndCause::BreakWindow => "the publisher did not come back within the break window",
        EndCause::Forbidden => "the stream was forbidden or dropped",
        EndCause::Shutdown => "the server stopped for good",
        EndCause::Stopped => "recording was ended by command",
        EndCause::Storage => "the disk ran out of room",
        EndCause::Produced => "it never had a publisher",
    }
}

/// What the tenant was told, and what policies made of that.
fn events(story: &Story<'_>) -> Vec<String> {
    let mut told = Vec::new();
    if story.is_cut {
        told.push("More decisions about its callbacks are in the log; the newest are told here.".to_owned());
    }
    for asked in &story.shaped {
        told.extend(verdict::tell(story, asked, "the event is sent as it is"));
    }
    if story.told.is_empty() {
        told.push("The tenant was told nothing of it yet.".to_owned());
    }
    for one in story.told.iter().take(DELIVERIES) {
        let phase = match one.phase.as_str() {
            "shaping" => "waits for the callback policy",
            "pending" => "is to be delivered",
            "delivered" => "was delivered",
            "exhausted" => "was given up after its last try; `POST /v1/tenants/TENANT/redeliver` sends it again",
            "disabled" => "was given up, because the receiver said that it is gone",
            "dropped" => "was not sent, by the decision above",
            other => other,
        };
        told.push(match &one.receiver {
            Some(receiver) => format!("Event `{}` to {receiver} {phase}.", one.kind),
            None => format!("Event `{}`: no receiver is configured that wants it.", one.kind),
        });
    }
    if story.told.len() > DELIVERIES {
        told.push(format!("There are {} more.", count(story.told.len() - DELIVERIES, "delivery", "deliveries")));
    }
    told
}

/// How to put the question again: to the same version, and to another.
fn again(story: &Story<'_>) -> Vec<String> {
    let tenant = &story.broadcast.tenant;
    let mut told = Vec::new();
    let all = story.asked.iter().chain(&story.shaped);
    let with_question = all.clone().rfind(|asked| asked.question.is_some() && asked.decision.provenance.is_some());
    if let Some((asked, id)) = with_question.and_then(|asked| Some((asked, asked.id?)))
        && let Some(made) = &asked.decision.provenance
    {
        let (plugin, version, revision) = (&made.plugin, made.version, made.settings_revision);
        let state = match made.state_revision {
            Some(_) => "; what its state held then, `--state FILE` gives it",
            None => "",
        };
        told.push(format!(
            "To ask again on your own machine: `reprise plugin download {plugin} --tenant {tenant} --version {version}`, \
             `reprise plugin settings show {plugin} --tenant {tenant} --revision {revision} --output settings.json`, \
             `reprise plugin decisions --tenant {tenant} --question {id} > question.json`, then \
             `reprise plugin run {plugin}-v{version}.wasm --hook {} --settings settings.json --question question.json`{state}.",
            asked.decision.hook.name()
        ));
        told.push(format!(
            "To see what another version would have said to all questions so far: \
             `reprise plugin backtest {} --tenant {tenant}`.",
            made.plugin
        ));
    }
    if all.clone().any(|asked| asked.id.is_none()) {
        told.push(
            "Some of its decisions are older than the log is kept: what was asked is not known any more, what was said is."
                .to_owned(),
        );
    }
    told
}
