use super::*;

/// Samples in a line of words: the time in seconds, then who and how.
/// `ok`, `fail`, `same`, `diff`: the candidate; `active`: the active version. `@N` is how long it took in microseconds,
/// and `@N/M` how long the active version took when asked again.
fn samples(script: &str) -> Vec<(i64, Sample)> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let at: i64 = words.next().unwrap().parse().unwrap();
        let what = words.next().unwrap();
        let (what, us) = what.split_once('@').unwrap_or((what, "100"));
        let (us, again) = us.split_once('/').map_or((us, None), |(us, again)| (us, Some(again.parse().unwrap())));
        let (elapsed_us, replayed_us) = (us.parse().unwrap(), again);
        let times: usize = words.next().map_or(1, |times| times.trim_start_matches('x').parse().unwrap());
        let (failed, differs) = match what {
            "ok" => (false, None),
            "fail" => (true, None),
            "same" => (false, Some(false)),
            "diff" => (false, Some(true)),
            "active" => return vec![(at * 1000, Sample::Active { elapsed_us }); times],
            other => panic!("{other}"),
        };
        vec![(at * 1000, Sample::Candidate { failed, elapsed_us, differs, replayed_us }); times]
    };
    script.split(',').flat_map(line).collect()
}

/// The first sample after which a rule is broken, and which rule.
fn breach(rules: &Rules, script: &str) -> Option<(usize, String)> {
    let mut window = Window::default();
    for (index, (at_ms, sample)) in samples(script).into_iter().enumerate() {
        window.add(rules, at_ms, sample);
        // What is kept and read back is judged the same.
        window = serde_json::from_str(&serde_json::to_string(&window).unwrap()).unwrap();
        if let Some(breach) = window.judge(rules) {
            return Some((index, breach.rule));
        }
    }
    None
}

#[test]
fn rules_are_broken_when_they_say() {
    let quiet = Rules { max_failure_permille: None, max_latency_ratio: None, ..Rules::default() };
    let failures = |permille, min_calls| Rules { max_failure_permille: Some(permille), min_calls, ..quiet.clone() };
    let differences =
        |permille, min_calls| Rules { max_difference_permille: Some(permille), min_calls, ..quiet.clone() };
    let p99 = |us, min_calls| Rules { max_p99_us: Some(us), min_calls, ..quiet.clone() };
    let ratio = |ratio, min_calls| Rules { max_latency_ratio: Some(ratio), min_calls, ..quiet.clone() };
    let table = [
        // Failures: as if there were at least `min_calls`, so few failures among few calls end it at once or never.
        (Rules::default(), "0 fail", None),
        (Rules::default(), "0 fail x2", Some((1, "max_failure_permille"))),
        (Rules::default(), "0 ok x19, 1 fail x1", None),
        (Rules::default(), "0 ok x100, 1 fail x5", None),
        (Rules::default(), "0 ok x100, 1 fail x6", Some((105, "max_failure_permille"))),
        (failures(0, 20), "0 ok x500, 1 fail", Some((500, "max_failure_permille"))),
        (failures(1000, 1), "0 fail x50", None),
        (quiet.clone(), "0 fail x50", None),
        // What is older than the window counts no more; one slice of it may have gone a little early.
        (Rules::default(), "0 fail, 299 ok, 310 fail", None),
        (Rules::default(), "0 fail, 270 fail", Some((1, "max_failure_permille"))),
        (Rules::default(), "0 fail, 100 ok, 200 ok, 400 fail, 500 fail", Some((4, "max_failure_permille"))),
        // A late one belongs to its own time.
        (Rules::default(), "1000 ok, 10 fail x5", None),
        (Rules::default(), "300 ok, 290 fail, 295 fail", Some((2, "max_failure_permille"))),
        // Differences.
        (differences(100, 10), "0 same x9, 1 diff", None),
        (differences(100, 10), "0 same x8, 1 diff x2", Some((9, "max_difference_permille"))),
        (differences(100, 10), "0 diff x2", Some((1, "max_difference_permille"))),
        (differences(0, 1), "0 ok x5, 1 same x5, 2 diff", Some((10, "max_difference_permille"))),
        (Rules::default(), "0 diff x100", None),
        // Latency: only with enough calls, and in comparison only with enough of both.
        (p99(1000, 3), "0 ok@1001 x3", Some((2, "max_p99_us"))),
        (p99(1000, 3), "0 ok@1000 x3", None),
        (p99(1000, 3), "0 ok@10 x200, 1 ok@9000 x2", None),
        (p99(1000, 3), "0 ok@10 x200, 1 ok@9000 x3", Some((202, "max_p99_us"))),
        (ratio(2.0, 3), "0 active@10000 x3, 1 ok@20600 x3", Some((5, "max_latency_ratio"))),
        (ratio(2.0, 3), "0 active@10000 x3, 1 ok@19000 x9", None),
        (ratio(2.0, 3), "0 active@10000 x2, 1 ok@90000 x9", None),
        (ratio(2.0, 3), "0 active@100 x3, 1 ok@4900 x9", None),
        (ratio(2.0, 3), "0 active@100 x3, 1 ok@5200 x9", Some((5, "max_latency_ratio"))),
        // What it took when asked again, only where there are too few live calls.
        (ratio(2.0, 3), "1 ok@20600/10000 x3", Some((2, "max_latency_ratio"))),
        (ratio(2.0, 3), "1 ok@19000/10000 x9", None),
        (ratio(2.0, 3), "1 ok@90000/10000 x2", None),
        (ratio(2.0, 3), "1 ok@90000/10000 x2, 1 ok@90000 x9", None),
        (ratio(2.0, 3), "0 active@90000 x2, 1 ok@90000/10000 x3", Some((4, "max_latency_ratio"))),
        (ratio(2.0, 3), "0 active@90000 x3, 1 ok@90000/10000 x9", None),
        (ratio(2.0, 3), "0 active@10000 x3, 1 ok@90000/90000 x3", Some((5, "max_latency_ratio"))),
        (ratio(2.0, 3), "1 ok@90000/90000 x9, 310 ok@90000/10000 x3", Some((11, "max_latency_ratio"))),
        // Failures come first.
        (Rules { max_p99_us: Some(1), ..failures(0, 1) }, "0 fail@500", Some((0, "max_failure_permille"))),
    ];
    for (rules, script, expected) in table {
        let expected = expected.map(|(index, rule)| (index, rule.to_owned()));
        assert_eq!(breach(&rules, script), expected, "{script} by {rules:?}");
    }
}

#[test]
fn windows_are_judged_together_as_if_they_were_one() {
    let ratio = Rules { min_calls: 6, ..Rules::default() };
    let table = [
        // One failure of five calls in each is forgiven, in two together it is not.
        (Rules::default(), vec!["0 ok x4, 1 fail"], None),
        (Rules::default(), vec!["0 ok x4, 1 fail", "2 ok x4, 3 fail"], Some(("max_failure_permille", 10))),
        (Rules::default(), vec!["0 ok x50", "2 ok x49, 3 fail x5"], None),
        // Whichever is newest says what is too old.
        (Rules::default(), vec!["400 ok x4, 401 fail", "0 fail"], None),
        (Rules::default(), vec!["0 fail", "400 ok x4, 401 fail"], None),
        (Rules::default(), vec!["0 fail", "150 ok", "270 fail"], Some(("max_failure_permille", 3))),
        // Latency, by what is asked again: the live calls are of other tenants' streams.
        (ratio.clone(), vec!["0 ok@90000/10000 x3", "0 ok@90000/10000 x3"], Some(("max_latency_ratio", 6))),
        (ratio.clone(), vec!["0 ok@90000/80000 x6", "0 active@100 x50"], None),
        (ratio, vec!["0 ok@90000/10000 x3", "0 active@100 x50"], None),
    ];
    for (rules, scripts, expected) in table {
        let windows: Vec<Window> = scripts
            .iter()
            .map(|script| {
                let mut window = Window::default();
                samples(script).into_iter().for_each(|(at_ms, sample)| window.add(&rules, at_ms, sample));
                window
            })
            .collect();
        let backwards = Window::together(windows.iter().rev());
        let together = Window::together(&windows);
        assert_eq!(together, backwards, "{scripts:?}");
        let breach = together.judge(&rules);
        assert_eq!(breach.as_ref().map(|breach| (&*breach.rule, breach.calls)), expected, "{scripts:?}");
    }
}

#[test]
fn a_window_of_before_is_read() {
    let kept = r#"{"slices": [{"number": 0, "failures": 1, "compared": 0, "different": 0,
        "candidate_us": {"count": 1, "sum": 7, "max": 7, "buckets": {"7": 1}},
        "active_us": {"count": 0, "sum": 0, "max": 0, "buckets": {}}}]}"#;
    let mut window: Window = serde_json::from_str(kept).unwrap();
    let rules = Rules::default();
    assert_eq!(window.judge(&rules), None);
    window.add(&rules, 0, Sample::Candidate { failed: true, elapsed_us: 7, differs: None, replayed_us: None });
    assert_eq!(window.judge(&rules).map(|breach| breach.failures), Some(2));
}

#[test]
fn a_window_stays_small() {
    let rules = Rules::default();
    let mut window = Window::default();
    for second in 0..10_000 {
        window.add(&rules, second * 1000, Sample::Active { elapsed_us: second as u64 });
        assert!(window.slices.len() <= SLICES as usize);
    }
}

#[test]
fn promotion_needs_time_and_calls() {
    let rules = Rules { promote_after_seconds: Some(60), min_calls: 5, ..Rules::default() };
    for (rules, seconds, calls, expected) in [
        (&rules, 60, 5, true),
        (&rules, 59, 5, false),
        (&rules, 600, 4, false),
        (&Rules::default(), 1_000_000, 1_000_000, false),
    ] {
        assert_eq!(rules.is_due(Duration::from_secs(seconds), calls), expected, "{seconds} {calls}");
    }
}

#[test]
fn rules_are_read_with_their_defaults_and_checked() {
    let read = |text: &str| serde_json::from_str::<Rules>(text);
    assert_eq!(read("{}").unwrap(), Rules::default());
    assert_eq!(read(r#"{"max_failure_permille": null}"#).unwrap().max_failure_permille, None);
    assert!(read(r#"{"max_failures": 1}"#).unwrap_err().to_string().contains("max_failures"));
    for (text, field) in [
        (r#"{"window_seconds": 0}"#, "window_seconds"),
        (r#"{"min_calls": 0}"#, "min_calls"),
        (r#"{"max_failure_permille": 1001}"#, "max_failure_permille"),
        (r#"{"max_difference_permille": 1001}"#, "max_difference_permille"),
        (r#"{"max_latency_ratio": 0.5}"#, "max_latency_ratio"),
        (r#"{"promote_after_seconds": 604801}"#, "promote_after_seconds"),
    ] {
        let why = read(text).unwrap().check().unwrap_err();
        assert!(why.contains(field), "{text}: {why}");
    }
    Rules::default().check().unwrap();
}
