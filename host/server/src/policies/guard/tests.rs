use reprise_lifecycle::decision::Failure;
use reprise_lifecycle::question::{Answer, TemplateGroupAnswer};

use super::*;

const RULE: BreakerRule =
    BreakerRule { failures: 3, pause: Duration::from_secs(30), longest: Duration::from_secs(100) };

fn guard() -> Arc<Guard> {
    Arc::new(Guard::new(RULE, Duration::from_secs(2)))
}

fn wide() -> Paces {
    let rate = Rate { per_second: 1_000_000, burst: 1_000_000 };
    Paces { tenant: Pace { rate, concurrent: 2 }, plugin_rate: None, plugin_concurrent: None }
}

fn whom<'a>(tenant: &'a str, plugin: &'a str, version: i64) -> Whom<'a> {
    Whom { tenant, plugin, version, settings: 1, watched: true }
}

fn worked() -> Verdict {
    Verdict::Answered(Answer::TemplateGroup(TemplateGroupAnswer::UseDefault))
}

fn failed(kind: FailureKind) -> Verdict {
    Verdict::Failed(Failure { kind, message: String::new() })
}

/// The second of a call, what the guest does, and what the guard lets happen.
type Row<'a> = (u64, &'a Verdict, Option<FailureKind>);

/// Calls at these seconds, with what the guest does; gives what the guard let happen.
fn play(guard: &Arc<Guard>, whom: Whom<'_>, start: Instant, calls: &[(u64, &Verdict)]) -> Vec<Option<FailureKind>> {
    calls
        .iter()
        .map(|(second, verdict)| {
            let now = start + Duration::from_secs(*second);
            match guard.enter(whom, wide(), now) {
                Ok(entry) => {
                    entry.settle(verdict, now);
                    None
                }
                Err(refused) => Some(refused.kind),
            }
        })
        .collect()
}

#[test]
fn a_version_that_fails_in_a_row_is_left_alone_for_a_while_and_then_tried_once() {
    let (works, trap) = (worked(), failed(FailureKind::Trap));
    let (refused, unavailable) = (failed(FailureKind::Refused), failed(FailureKind::Unavailable));
    const LET_IN: Option<FailureKind> = None;
    const SHUT: Option<FailureKind> = Some(FailureKind::BreakerOpen);
    let tables: [(&str, &[Row<'_>]); 5] = [
        ("three in a row open it", &[(0, &trap, LET_IN), (0, &trap, LET_IN), (0, &trap, LET_IN), (1, &works, SHUT)]),
        (
            "one that works begins anew",
            &[
                (0, &trap, LET_IN),
                (0, &trap, LET_IN),
                (0, &works, LET_IN),
                (0, &trap, LET_IN),
                (0, &trap, LET_IN),
                (0, &works, LET_IN),
            ],
        ),
        (
            "a refusal works, and what is not the guest's doing says nothing",
            &[
                (0, &trap, LET_IN),
                (0, &trap, LET_IN),
                (0, &unavailable, LET_IN),
                (0, &refused, LET_IN),
                (0, &trap, LET_IN),
                (0, &works, LET_IN),
            ],
        ),
        (
            "a trial that works closes it",
            &[
                (0, &trap, LET_IN),
                (0, &trap, LET_IN),
                (0, &trap, LET_IN),
                (29, &works, SHUT),
                (30, &works, LET_IN),
                (30, &trap, LET_IN),
                (30, &trap, LET_IN),
                (30, &works, LET_IN),
            ],
        ),
        (
            "trials that fail make the pause twice as long, up to the bound",
            &[
                (0, &trap, LET_IN),
                (0, &trap, LET_IN),
                (0, &trap, LET_IN),
                (30, &trap, LET_IN),
                (89, &works, SHUT),
                (90, &trap, LET_IN),
                (189, &works, SHUT),
                (190, &trap, LET_IN),
                (289, &works, SHUT),
                (290, &works, LET_IN),
            ],
        ),
    ];
    for (name, table) in tables {
        let (guard, start) = (guard(), Instant::now());
        let calls: Vec<(u64, &Verdict)> = table.iter().map(|(second, verdict, _)| (*second, *verdict)).collect();
        let expected: Vec<Option<FailureKind>> = table.iter().map(|(.., expected)| *expected).collect();
        assert_eq!(play(&guard, whom("acme", "p", 1), start, &calls), expected, "{name}");
    }
}

#[test]
fn one_trial_at_a_time_and_a_trial_that_nobody_waited_for_is_none() {
    let (guard, start) = (guard(), Instant::now());
    let trap = failed(FailureKind::Trap);
    play(&guard, whom("acme", "p", 1), start, &[(0, &trap), (0, &trap), (0, &trap)]);
    assert_eq!(guard.open(), 1);
    let later = start + Duration::from_secs(31);
    let trial = guard.enter(whom("acme", "p", 1), wide(), later).unwrap();
    let second = guard.enter(whom("acme", "p", 1), wide(), later).unwrap_err();
    assert_eq!(second.kind, FailureKind::BreakerOpen);
    // Another version, plugin and tenant have breakers of their own.
    for other in [whom("acme", "p", 2), whom("acme", "q", 1), whom("umbrella", "p", 1)] {
        assert!(guard.enter(other, wide(), later).is_ok());
    }
    drop(trial);
    guard.enter(whom("acme", "p", 1), wide(), later).unwrap().settle(&worked(), later);
    assert_eq!((guard.open(), guard.health(whom("acme", "p", 1), later)), (0, Health::default()));
}

#[test]
fn an_activation_closes_the_breaker_and_a_trial_run_leaves_it_alone() {
    let (guard, start) = (guard(), Instant::now());
    let trap = failed(FailureKind::Trap);
    let unwatched = Whom { watched: false, ..whom("acme", "p", 1) };
    assert_eq!(play(&guard, unwatched, start, &[(0, &trap); 5]), vec![None; 5]);
    play(&guard, whom("acme", "p", 1), start, &[(0, &trap); 3]);
    let health = guard.health(whom("acme", "p", 1), start);
    assert_eq!((health.failures, health.open_for), (3, Some(Duration::from_secs(30))));
    assert_eq!(play(&guard, unwatched, start, &[(0, &trap)]), [None], "an author can still look");
    guard.close("acme", "p");
    assert_eq!(play(&guard, whom("acme", "p", 1), start, &[(1, &trap)]), [None]);
}

#[test]
fn the_breaker_of_a_version_that_is_asked_no_more_is_forgotten() {
    let (guard, start) = (guard(), Instant::now());
    let trap = failed(FailureKind::Trap);
    for version in [1, 2] {
        play(&guard, whom("acme", "p", version), start, &[(0, &trap); 3]);
    }
    play(&guard, whom("beta", "p", 2), start, &[(0, &trap); 3]);
    assert_eq!(guard.open(), 3);
    guard.retain("acme", |plugin, (version, _)| plugin == "p" && version == 1);
    assert_eq!(guard.open(), 2);
    assert_eq!(play(&guard, whom("acme", "p", 2), start, &[(1, &trap)]), [None], "it begins anew");
    assert!(guard.enter(whom("acme", "p", 1), wide(), start).is_err(), "the other one rests on");
}

#[test]
fn who_asks_too_often_waits_and_then_is_refused_alone() {
    let (guard, now) = (guard(), Instant::now());
    let rate = Rate { per_second: 2, burst: 1 };
    let paces = Paces { tenant: Pace { rate, concurrent: 1 }, ..wide() };
    let waits: Vec<_> =
        (0..6).map(|_| guard.enter(whom("acme", "p", 1), paces, now).map(|entry| entry.wait.as_millis())).collect();
    let refused = Err(FailureKind::RateLimited);
    let kinds: Vec<_> = waits.into_iter().map(|wait| wait.map_err(|refused| refused.kind)).collect();
    assert_eq!(kinds, [Ok(0), Ok(500), Ok(1000), Ok(1500), Ok(2000), refused]);
    assert_eq!(guard.enter(whom("umbrella", "p", 1), paces, now).unwrap().wait, Duration::ZERO);
    // A plugin's own rate is met first, and takes nothing from the tenant's when it refuses.
    let paces = Paces { plugin_rate: Some(rate), ..wide() };
    let plugin = |name| guard.enter(whom("other", name, 1), paces, now).map(|entry| entry.wait.as_millis());
    assert_eq!((plugin("p"), plugin("p"), plugin("q")), (Ok(0), Ok(500), Ok(0)));
}

#[test]
fn calls_that_run_or_wait_are_bounded_and_let_out_when_dropped() {
    let (guard, now) = (guard(), Instant::now());
    let inside: Vec<_> = (0..INSIDE).map(|_| guard.enter(whom("acme", "p", 1), wide(), now).unwrap()).collect();
    let refused = guard.enter(whom("acme", "p", 1), wide(), now).unwrap_err();
    assert_eq!(refused.kind, FailureKind::Overloaded);
    assert!(guard.enter(whom("umbrella", "p", 1), wide(), now).is_ok());
    drop(inside);
    assert!(guard.enter(whom("acme", "p", 1), wide(), now).is_ok());
}
