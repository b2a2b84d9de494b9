//! A journal in plain words, for whoever asks why a video came out as it did. One line is one record, so that
//! lines can be counted, cut and compared; text from outside cannot break a line or drive a terminal. It
//! knows no calendar: times are seconds since the broadcast was opened.

use std::fmt::Write as _;

use crate::broadcast::{Broadcast, Compose, Part, PartState, Publishing};
use crate::decision::{Applied, Decision, Verdict};
use crate::id::{BroadcastId, VideoId};
use crate::media::{AudioTrack, PartFacts, VideoTrack};
use crate::question::{Answer, CallbackAnswer, ComposeAnswer, ComposePlan, TemplateGroupAnswer};
use crate::record::{CloseCause, EndCause, LeaveCause, Opening, Record, Resolution, Subject, TaskPlan, WorkResult};
use crate::time::Timestamp;
use crate::video::{Source, Stage, Status, Task, Video};
use crate::work::{AnalysisResult, PictureFacts, Removal};

/// Text from outside is quoted up to this many characters; a guest's message must not bury the journal.
const MAX_QUOTED_CHARS: usize = 200;

/// Hex characters of a digest that are shown; enough to tell a tenant's versions apart.
const DIGEST_CHARS: usize = 12;

/// The journal of the broadcast `id` in plain words, one line per record: its number, the seconds since the
/// broadcast was opened, what happened. A record that does not continue the journal is told so and ends the
/// explanation.
pub fn explain<'a>(id: &BroadcastId, records: impl IntoIterator<Item = &'a Record>) -> String {
    let mut text = String::new();
    let mut folded: Option<Broadcast> = None;
    for (seq, record) in records.into_iter().enumerate() {
        let result = match &mut folded {
            Some(broadcast) => broadcast.apply(record),
            None => Broadcast::fold(id.clone(), [record]).map(|born| folded = born),
        };
        let (born, words) = match (&folded, result) {
            (Some(broadcast), Ok(())) => (broadcast.started_at, words(broadcast, record)),
            (_, Err(corrupt)) => {
                let _ = writeln!(text, "{seq:>4}  {corrupt}");
                break;
            }
            // A fold of one record gives a broadcast or an error.
            (None, Ok(())) => break,
        };
        let _ = writeln!(text, "{seq:>4}  {}  {words}", since(born, record.at()));
    }
    text
}

/// Where a broadcast stands, in plain words: one line for the broadcast, one per part, one per video and one
/// per rendition or cover.
pub fn describe(broadcast: &Broadcast) -> String {
    let mut text = String::new();
    let publishing = match broadcast.publishing {
        Publishing::Live { epoch } => format!("live with publisher {epoch}"),
        Publishing::Broken { since: at, .. } => {
            format!("without a publisher since {}", since(broadcast.started_at, at))
        }
        Publishing::Over { cause, lingering, .. } => match lingering {
            Some(epoch) => format!("over ({}), publisher {epoch} lingers", end_cause(cause)),
            None => format!("over ({})", end_cause(cause)),
        },
    };
    let compose = match &broadcast.compose {
        Compose::NotYet => "compose not yet asked for",
        Compose::Deciding => "compose undecided",
        Compose::Planned(..) => "compose planned",
        Compose::Skipped => "not composed",
    };
    let settled = if broadcast.is_settled() { "settled" } else { "in progress" };
    let _ = writeln!(text, "broadcast: {publishing}; {compose}; {settled}");
    for gap in &broadcast.breaks {
        let _ = writeln!(
            text,
            "break: {} to {}",
            since(broadcast.started_at, gap.from),
            since(broadcast.started_at, gap.to)
        );
    }
    for (index, part) in broadcast.parts.iter().enumerate() {
        let _ = writeln!(text, "part {index}: {}", part_state(broadcast.started_at, part));
        if matches!(part.state, PartState::Closed { .. }) {
            let video = u32::try_from(index)
                .ok()
                .and_then(|index| broadcast.videos.get(&VideoId::of_part(&broadcast.id, index)));
            describe_video(&mut text, "its video", video);
        }
    }
    for (name, id) in [
        ("the composed video", VideoId::of_compose(&broadcast.id)),
        ("the edited video", VideoId::of_edit(&broadcast.id)),
    ] {
        if let Some(video) = broadcast.videos.get(&id) {
            describe_video(&mut text, name, Some(video));
        }
    }
    text
}

fn part_state(born: Timestamp, part: &Part) -> String {
    let from = since(born, part.started_at);
    match &part.state {
        PartState::Open => format!("open since {from}"),
        PartState::Closed { facts, ended_at } => {
            format!("{from} to {}, {}", since(born, *ended_at), media(facts))
        }
        PartState::Dropped => format!("opened {from}, nothing recorded"),
    }
}

fn describe_video(text: &mut String, name: &str, video: Option<&Video>) {
    let Some(video) = video else {
        let _ = writeln!(text, "  {name} is missing");
        return;
    };
    let _ = write!(text, "  {name} {} is {}", plain(video.id.as_str()), status(video));
    if video.removed {
        let _ = write!(text, ", removed");
    }
    match video.task() {
        Some(task) => {
            let _ = writeln!(text, ", group {}", plain(task.group.as_str()));
        }
        None => text.push('\n'),
    }
    for task in &video.tasks {
        describe_task(text, task);
    }
}

fn describe_task(text: &mut String, task: &Task) {
    for output in &task.outputs {
        let result = match &output.finished {
            Some(finished) => result_words(&finished.result, |facts| format!("{} bytes", facts.bytes)),
            None => "awaited".to_owned(),
        };
        let _ = writeln!(text, "    rendition {}: {result}", plain(output.template.id.as_str()));
    }
    if let Some(cover) = &task.cover {
        let result = match &cover.result {
            Some(result) => result_words(result, |facts| format!("{} pictures", facts.count)),
            None => "awaited".to_owned(),
        };
        let _ = writeln!(text, "    cover: {result}");
    }
}

fn words(after: &Broadcast, record: &Record) -> String {
    match record {
        Record::Opened { opening, .. } => opened(opening),
        Record::PublisherJoined { epoch, client, .. } => {
            format!("publisher {epoch} joins from {}", plain(client))
        }
        Record::PublisherLeft { epoch, cause, .. } => {
            format!("publisher {epoch} leaves: {}", leave_cause(*cause))
        }
        Record::Ended { cause, .. } => format!("the broadcast is over: {}", end_cause(*cause)),
        Record::PartOpened { part, video, audio, first_ms, .. } => format!(
            "part {part} is opened at media time {}: {}",
            seconds(*first_ms),
            tracks(video.as_ref(), audio.as_ref())
        ),
        Record::PartClosed { part, facts, cause, .. } => format!(
            "part {part} is closed, {}: {}; it is video {}",
            close_cause(*cause),
            media(facts),
            VideoId::of_part(&after.id, *part)
        ),
        Record::PartDropped { part, .. } => format!("part {part} is dropped: nothing was recorded"),
        Record::Decided { subject, decision, resolution, .. } => decided(after, subject, decision, resolution),
        Record::OutputFinished { video, job, result, .. } => {
            let task = after.videos.get(video).and_then(|video| video.task_of_job(job));
            let output = task.and_then(|task| task.output(job));
            let template = output.map_or("?", |output| output.template.id.as_str());
            let result = result_words(result, |facts| {
                format!("{} bytes, {} kbit/s, {}", facts.bytes, facts.bitrate_kbps, plain(&facts.file))
            });
            format!("{}, rendition {}: {result}", video_name(after, video), plain(template))
        }
        Record::CoverFinished { video, result, .. } => {
            let result = result_words(result, |facts| format!("{} pictures", facts.count));
            format!("{}, cover: {result}", video_name(after, video))
        }
        Record::ComposeLinked { facts, .. } => format!("the composed video plays: {}", media(facts)),
        Record::ComposeFinished { result, .. } => {
            let which = if after.production.is_some() { "edited" } else { "composed" };
            format!("the {which} video's source: {}", result_words(result, media))
        }
        Record::ProduceOpened { opening, .. } => format!(
            "the production of project {} of tenant {} is opened, group {}",
            plain(&opening.project),
            plain(opening.tenant.as_str()),
            plain(opening.group.as_str())
        ),
        Record::TaskOpened { video, plan, request, .. } => {
            format!("{} is asked for, priority {}: {}", video_name(after, video), request.priority, task_words(plan))
        }
        Record::PicturesAsked { video, plan, .. } => {
            format!("{}, pictures are asked for: {:?}", video_name(after, video), plan.kind)
        }
        Record::PicturesFinished { video, result, .. } => {
            let count = |pictures: &Vec<PictureFacts>| {
                format!("{} pictures", pictures.iter().map(|facts| u64::from(facts.count)).sum::<u64>())
            };
            format!("{}, pictures: {}", video_name(after, video), result_words(result, count))
        }
        Record::AnalysisAsked { video, kind, .. } => {
            format!("{}, an analysis is asked for: {kind:?}", video_name(after, video))
        }
        Record::AnalysisFinished { video, result, .. } => {
            format!("{}, analysis: {}", video_name(after, video), result_words(result, found))
        }
        Record::Removed { video, what, .. } => format!("{}: {} is removed", video_name(after, video), removal(what)),
        Record::Discarded { video, record, .. } => {
            format!("{}: the files of record {record} are gone", video_name(after, video))
        }
    }
}

fn found(result: &AnalysisResult) -> String {
    match result {
        AnalysisResult::Facts(facts) => format!(
            "{} silences, {} blacks, {} freezes, {} scenes",
            facts.silences.len(),
            facts.blacks.len(),
            facts.freezes.len(),
            facts.scenes_ms.len()
        ),
        AnalysisResult::Fingerprint { duplicates, .. } => format!("{} duplicates", duplicates.len()),
    }
}

fn removal(what: &Removal) -> String {
    match what {
        Removal::Video => "all of it".to_owned(),
        Removal::Source => "its source".to_owned(),
        Removal::Streams(jobs) => format!("{} of its renditions", jobs.len()),
    }
}

fn opened(opening: &Opening) -> String {
    let rules = &opening.rules;
    let compose = match (rules.auto_compose, &rules.compose_group) {
        (false, _) => "not composed by itself".to_owned(),
        (true, None) => "composed at the end".to_owned(),
        (true, Some(group)) => {
            format!("composed at the end with group {}", plain(group.as_str()))
        }
    };
    format!(
        "{}/{}/{} of tenant {} is opened: parts of {}, breaks under {}, group {}, {compose}",
        plain(&opening.stream.domain),
        plain(&opening.stream.app),
        plain(&opening.stream.name),
        plain(opening.tenant.as_str()),
        seconds(rules.cycle_ms),
        seconds(rules.break_ms),
        plain(rules.group.as_str()),
    )
}

fn decided(after: &Broadcast, subject: &Subject, decision: &Decision, resolution: &Resolution) -> String {
    let subject = match subject {
        Subject::Video(video) => video_name(after, video),
        Subject::Compose => "the compose".to_owned(),
    };
    let said = match &decision.verdict {
        Verdict::NoPolicy => "no policy".to_owned(),
        Verdict::Answered(answer) => format!("answered {}", answer_words(answer)),
        Verdict::Failed(failure) => {
            format!("failed ({:?}: {})", failure.kind, plain(&failure.message))
        }
    };
    let by = match &decision.provenance {
        None => String::new(),
        Some(who) => format!(
            "policy {} version {} ({}, settings {}, fuel {}) ",
            plain(&who.plugin),
            who.version,
            plain(&who.digest.chars().take(DIGEST_CHARS).collect::<String>()),
            who.settings_revision,
            who.fuel
        ),
    };
    let applied = match decision.applied {
        Applied::Answer => "the answer applies",
        Applied::Default => "the record config applies",
        Applied::Fallback => "the record config applies instead",
        Applied::Rejected => "its binding rejects then",
    };
    let does = match resolution {
        Resolution::Process(plan) => task_words(plan),
        Resolution::Compose { plan } => compose_words(plan),
        Resolution::Nothing => "nothing is done".to_owned(),
        Resolution::Refused(failure) => {
            format!("it cannot be done ({}: {})", plain(&failure.code), plain(&failure.message))
        }
    };
    format!("{subject}: {by}{said}; {applied}: {does}")
}

fn answer_words(answer: &Answer) -> String {
    match answer {
        Answer::TemplateGroup(TemplateGroupAnswer::UseDefault) | Answer::ComposeRules(ComposeAnswer::UseDefault) => {
            "as the record config says".to_owned()
        }
        Answer::TemplateGroup(TemplateGroupAnswer::Group(group)) => {
            format!("group {}", plain(group))
        }
        Answer::ComposeRules(ComposeAnswer::Skip) => "no compose".to_owned(),
        Answer::ComposeRules(ComposeAnswer::Compose(plan)) => compose_words(plan),
        Answer::Callback(CallbackAnswer::Unchanged) => "unchanged".to_owned(),
        Answer::Callback(CallbackAnswer::Drop) => "not sent".to_owned(),
        Answer::Callback(CallbackAnswer::Replace { .. }) => "another body".to_owned(),
    }
}

fn task_words(plan: &TaskPlan) -> String {
    let templates: Vec<String> = plan.templates.iter().map(|template| plain(template.id.as_str())).collect();
    let renditions =
        if templates.is_empty() { "no rendition".to_owned() } else { format!("renditions {}", templates.join(", ")) };
    let cover = if plan.cover { "a cover" } else { "no cover" };
    format!("group {}, {renditions}, {cover}", plain(plan.group.as_str()))
}

fn compose_words(plan: &ComposePlan) -> String {
    let ranges: Vec<String> = plan
        .ranges
        .iter()
        .map(|range| match (range.from_ms, range.to_ms) {
            (0, None) => format!("part {}", range.index),
            (from, None) => format!("part {} from {}", range.index, seconds(from)),
            (from, Some(to)) => {
                format!("part {} from {} to {}", range.index, seconds(from), seconds(to))
            }
        })
        .collect();
    let group = match &plan.group {
        Some(group) => format!(", group {}", plain(group)),
        None => String::new(),
    };
    format!("composed of {}{group}", ranges.join(", "))
}

fn video_name(broadcast: &Broadcast, id: &VideoId) -> String {
    match broadcast.videos.get(id).map(|video| video.source) {
        Some(Source::Part(index)) => format!("part {index}'s video"),
        Some(Source::Compose) => "the composed video".to_owned(),
        Some(Source::Edit) => "the edited video".to_owned(),
        None => format!("video {}", plain(id.as_str())),
    }
}

fn status(video: &Video) -> &'static str {
    match (video.status(), &video.stage) {
        (Status::Uploading, _) => "being made",
        (Status::Stored, Stage::Deciding(_)) => "stored, undecided",
        (Status::Stored, _) => "stored",
        (Status::Transcoding, _) => "transcoding",
        (Status::Ready, _) => "ready",
        (Status::Failed, Stage::Rejected) => "failed, rejected by its policy's binding",
        (Status::Failed, Stage::Refused(_)) => "failed, what was decided cannot be done",
        (Status::Failed, _) => "failed",
        (Status::ProduceFailed, _) => "never made",
    }
}

fn result_words<T>(result: &WorkResult<T>, facts: impl Fn(&T) -> String) -> String {
    match result {
        WorkResult::Done(done) => format!("done, {}", facts(done)),
        WorkResult::Failed(failure) => {
            format!("failed, {}: {}", plain(&failure.code), plain(&failure.message))
        }
    }
}

fn media(facts: &PartFacts) -> String {
    format!(
        "{} from {}, {} bytes, {} pictures, {} audio frames, {}",
        seconds(facts.duration_ms),
        seconds(facts.first_ms),
        facts.bytes,
        facts.video_frames,
        facts.audio_frames,
        tracks(facts.video.as_ref(), facts.audio.as_ref())
    )
}

fn tracks(video: Option<&VideoTrack>, audio: Option<&AudioTrack>) -> String {
    let video = video.map(|video| {
        let fps = if video.fps > 0.0 { format!(" at {} fps", video.fps) } else { String::new() };
        format!("{} {}x{}{fps}", plain(&video.codec), video.width, video.height)
    });
    let audio = audio.map(|audio| format!("{} {} Hz x{}", plain(&audio.codec), audio.sample_rate, audio.channels));
    let both: Vec<String> = video.into_iter().chain(audio).collect();
    if both.is_empty() { "no track".to_owned() } else { both.join(" and ") }
}

fn leave_cause(cause: LeaveCause) -> &'static str {
    match cause {
        LeaveCause::Unpublished => "it said goodbye",
        LeaveCause::Disconnected => "the connection ended",
        LeaveCause::Refused => "it could not be recorded",
        LeaveCause::Storage => "the disk could not take its media",
        LeaveCause::ServerStopped => "the server stopped",
        LeaveCause::Dropped => "it was sent away",
        LeaveCause::RecordingStopped => "recording was stopped by command",
    }
}

fn close_cause(cause: CloseCause) -> &'static str {
    match cause {
        CloseCause::Cycle => "its cycle elapsed",
        CloseCause::CodecChanged => "the codec changed",
        CloseCause::Stopped => "recording stopped",
        CloseCause::Ended => "the broadcast is over",
    }
}

fn end_cause(cause: EndCause) -> &'static str {
    match cause {
        EndCause::BreakWindow => "nobody came back",
        EndCause::Forbidden => "forbidden",
        EndCause::Shutdown => "the server stops for good",
        EndCause::Stopped => "recording was ended by command",
        EndCause::Storage => "the disk ran out of room",
        EndCause::Produced => "it never had a publisher",
    }
}

fn since(born: Timestamp, at: Timestamp) -> String {
    let (sign, ms) = if at < born { ('-', born.ms_since(at)) } else { ('+', at.ms_since(born)) };
    format!("{sign}{}", seconds(ms))
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1000, ms % 1000)
}

/// Text from outside without what would break the line or drive a terminal, and of bounded length.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    for character in chars.by_ref().take(MAX_QUOTED_CHARS) {
        if character.is_control() || is_invisible(character) {
            plain.extend(character.escape_unicode());
        } else {
            plain.push(character);
        }
    }
    if chars.next().is_some() {
        plain.push('…');
    }
    plain
}

/// Separators that some readers take for a line's end, and marks that change the direction of what follows.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_stays_on_its_line() {
        assert_eq!(plain("cam 01 \u{1b}[31m\nä"), "cam 01 \\u{1b}[31m\\u{a}ä");
        assert_eq!(plain("a\u{2028}b\u{202e}c"), "a\\u{2028}b\\u{202e}c");
        let long = plain(&"x".repeat(MAX_QUOTED_CHARS + 1));
        assert_eq!(long.chars().count(), MAX_QUOTED_CHARS + 1);
        assert!(long.ends_with('…'), "{long}");
    }

    #[test]
    fn a_record_that_does_not_fit_ends_the_explanation() {
        let left = Record::PublisherLeft {
            epoch: 1,
            cause: LeaveCause::Disconnected,
            media_ms: None,
            last_media_at: None,
            at: Timestamp(0),
        };
        assert_eq!(
            explain(&BroadcastId::new("b1"), [&left, &left]),
            "   0  record 0 does not continue the journal: the first record does not open the broadcast\n"
        );
    }
}
