//! Bounds of answers. A guest's answer is hostile input: it is checked against its question before anything
//! sees it, and brought into one form (groups by id, header names in lower case). The error is one sentence
//! for the policy's author.

use std::collections::{BTreeMap, BTreeSet};

use reprise_lifecycle::id::NO_TRANSCODE;
use reprise_lifecycle::question::{
    CallbackAnswer, CallbackQuestion, ComposeAnswer, ComposePlan, ComposeQuestion, GroupChoice, PartRange, PartSummary,
    TemplateGroupAnswer, TemplateGroupQuestion,
};
use serde::de::IgnoredAny;

/// Ranges of one compose. More would make an index that players choke on.
pub const MAX_RANGES: usize = 10_000;

/// How many times the length of all its parts a compose may be. Each second is copied to disk, so a guest must not ask
/// for all of a long broadcast thousands of times; but what shows everything and, before or after it, the best of it once
/// more is a fair wish, and is never longer than twice the whole.
const MAX_TIMES_PARTS: u64 = 2;

/// Characters of a title: it comes back in events and listings, which should stay readable.
pub const MAX_TITLE_CHARS: usize = 256;

/// Bytes of a callback's body: what receivers commonly accept, and ten times the largest event.
pub const MAX_BODY_BYTES: usize = 64 << 10;

/// Headers that policies may add to one callback, all that are asked about it together, and the bytes of their names and
/// values: common servers stop reading a request's head at 8 KiB. The delivery refuses what is beyond, so the answer that
/// would go beyond is out of bounds already.
pub const MAX_HEADERS: usize = 16;
pub const MAX_HEADER_BYTES: usize = 4 << 10;

/// Bytes of one header's name and of its value: receivers refuse requests with more than some kilobytes.
const MAX_HEADER_NAME_BYTES: usize = 64;
const MAX_HEADER_VALUE_BYTES: usize = 1_024;

/// Headers that belong to the server or to the connection: a guest that could set them could forge a
/// signature's input or break the framing of the request.
const RESERVED: [&str; 16] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];
const RESERVED_PREFIXES: [&str; 4] = ["x-vod-", "webhook-", "proxy-", "x-forwarded-"];

/// Whether a header is the server's own, so that a policy may not set it. `name` in lower case.
pub fn is_reserved_header(name: &str) -> bool {
    RESERVED.contains(&name) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Checks the answer at the hook `template-group`.
pub(crate) fn template_group(
    question: &TemplateGroupQuestion,
    answer: TemplateGroupAnswer,
) -> Result<TemplateGroupAnswer, String> {
    Ok(match answer {
        TemplateGroupAnswer::UseDefault => TemplateGroupAnswer::UseDefault,
        TemplateGroupAnswer::Group(group) => TemplateGroupAnswer::Group(group_id(&question.groups, &group)?),
    })
}

/// Checks the answer at the hook `compose-rules`.
pub(crate) fn compose(question: &ComposeQuestion, answer: ComposeAnswer) -> Result<ComposeAnswer, String> {
    let ComposeAnswer::Compose(plan) = answer else { return Ok(answer) };
    if plan.ranges.is_empty() || plan.ranges.len() > MAX_RANGES {
        return Err(format!("a compose of {} ranges; there must be 1 to {MAX_RANGES}", plan.ranges.len()));
    }
    let parts: BTreeMap<u32, &PartSummary> = question.parts.iter().map(|part| (part.index, part)).collect();
    for (number, range) in plan.ranges.iter().enumerate() {
        check_range(&parts, range).map_err(|problem| format!("ranges[{number}]: {problem}"))?;
    }
    check_total(&parts, &plan.ranges)?;
    if let Some(title) = &plan.title
        && (title.chars().count() > MAX_TITLE_CHARS || title.chars().any(char::is_control))
    {
        return Err(format!("a title must have at most {MAX_TITLE_CHARS} characters and no control characters"));
    }
    let group = plan.group.as_deref().map(|group| group_id(&question.groups, group)).transpose()?;
    Ok(ComposeAnswer::Compose(ComposePlan { group, ..plan }))
}

/// Checks the answer at the hook `callback`: by itself, and with the headers that were added before it.
pub(crate) fn callback(question: &CallbackQuestion, answer: CallbackAnswer) -> Result<CallbackAnswer, String> {
    let CallbackAnswer::Replace { body, headers } = answer else { return Ok(answer) };
    if body.len() > MAX_BODY_BYTES {
        return Err(format!("a body of {} bytes; there may be {MAX_BODY_BYTES}", body.len()));
    }
    serde_json::from_str::<BTreeMap<String, IgnoredAny>>(&body)
        .map_err(|error| format!("the body is not a JSON object: {error}"))?;
    if headers.len() > MAX_HEADERS {
        return Err(format!("{} headers; there may be {MAX_HEADERS}", headers.len()));
    }
    let headers: Vec<_> = headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    let mut seen = BTreeSet::new();
    for (name, value) in &headers {
        check_header(name, value)?;
        if !seen.insert(name) {
            return Err(format!("the header {name} is there twice"));
        }
    }
    let before = question.headers.iter().filter(|(name, _)| {
        let name = name.to_ascii_lowercase();
        !is_reserved_header(&name) && !seen.contains(&name)
    });
    let (count, bytes) = before
        .chain(&headers)
        .fold((0, 0), |(count, bytes), (name, value)| (count + 1, bytes + name.len() + value.len()));
    if count > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
        return Err(format!(
            "{count} headers of {bytes} bytes, with those that were added before; there may be {MAX_HEADERS} of \
             {MAX_HEADER_BYTES} bytes together"
        ));
    }
    Ok(CallbackAnswer::Replace { body, headers })
}

/// The id of the group that is meant, by id or by name.
fn group_id(groups: &[GroupChoice], wanted: &str) -> Result<String, String> {
    if wanted == NO_TRANSCODE || groups.iter().any(|group| group.id == wanted) {
        return Ok(wanted.to_owned());
    }
    let mut named = groups.iter().filter(|group| group.name == wanted);
    match (named.next(), named.next()) {
        (Some(group), None) => Ok(group.id.clone()),
        (Some(_), Some(_)) => Err(format!("several template groups have the name {}; use an id", quote(wanted))),
        (None, _) => Err(format!("there is no template group {}", quote(wanted))),
    }
}

fn check_range(parts: &BTreeMap<u32, &PartSummary>, range: &PartRange) -> Result<(), String> {
    let part = parts.get(&range.index).ok_or_else(|| format!("there is no part {}", range.index))?;
    let to_ms = range.to_ms.unwrap_or(part.duration_ms);
    if to_ms > part.duration_ms {
        return Err(format!("{to_ms} ms is past the end of part {}, at {} ms", part.index, part.duration_ms));
    }
    if range.from_ms >= to_ms {
        return Err(format!("nothing is between {} ms and {to_ms} ms", range.from_ms));
    }
    Ok(())
}

/// Every range is known to lie inside its part.
fn check_total(parts: &BTreeMap<u32, &PartSummary>, ranges: &[PartRange]) -> Result<(), String> {
    let sum = |lengths: &mut dyn Iterator<Item = u64>| lengths.fold(0, u64::saturating_add);
    let length = |range: &PartRange| {
        let end_ms = range.to_ms.or_else(|| parts.get(&range.index).map(|part| part.duration_ms));
        end_ms.unwrap_or(0).saturating_sub(range.from_ms)
    };
    let total = sum(&mut ranges.iter().map(length));
    let most = sum(&mut parts.values().map(|part| part.duration_ms)).saturating_mul(MAX_TIMES_PARTS);
    if total > most {
        return Err(format!(
            "the ranges are {total} ms together; there may be {most}, {MAX_TIMES_PARTS} times the length of all parts"
        ));
    }
    Ok(())
}

fn check_header(name: &str, value: &str) -> Result<(), String> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || name.len() > MAX_HEADER_NAME_BYTES || !name.bytes().all(is_token) {
        return Err(format!("{} is not a header's name of at most {MAX_HEADER_NAME_BYTES} bytes", quote(name)));
    }
    if is_reserved_header(name) {
        return Err(format!("the header {name} is the server's own"));
    }
    // Printable ASCII only, and no line ends above all: those would begin a header of the guest's choice.
    if value.len() > MAX_HEADER_VALUE_BYTES || !value.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return Err(format!("the header {name} must be at most {MAX_HEADER_VALUE_BYTES} bytes of printable ASCII"));
    }
    Ok(())
}

/// What a guest said, short enough for a message.
fn quote(text: &str) -> String {
    let short: String = text.chars().take(64).collect();
    format!("{short:?}")
}

#[cfg(test)]
mod tests;
