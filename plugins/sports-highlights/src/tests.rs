use reprise_plugin::testing::{Expect, Table, compose_question, facts, stretches};
use reprise_plugin::{MediaFacts, PartRange, Stretch};

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
        .fold(table, |table, (name, settings, part)| table.compose_rules(name, ask(), settings, Expect::Error(part)))
        .run();
}
