use proptest::prelude::*;

use super::*;

const T0: Timestamp = Timestamp(1_798_761_600_000);

fn status(code: u16) -> Outcome {
    Outcome::Status { code, retry_after_ms: None }
}

fn pending(state: State) -> Pending {
    match state {
        State::Pending(pending) => pending,
        other => panic!("not pending: {other:?}"),
    }
}

fn try_once(state: State, outcome: Outcome) -> State {
    let pending = pending(state);
    let attempting = pending.begin(pending.due_at).unwrap();
    attempting.finish(&outcome, &Schedule::default(), 0, pending.due_at)
}

#[test]
fn every_outcome_has_one_meaning() {
    use Verdict::{Delivered, Disable, GiveUp, Retry};
    let table = [
        (status(200), Delivered),
        (status(201), Retry),
        (status(204), Retry),
        (status(299), Retry),
        (status(301), Retry),
        (status(302), Retry),
        (status(400), Retry),
        (status(404), Retry),
        (status(410), Disable),
        (status(429), Retry),
        (status(500), Retry),
        (status(503), Retry),
        (Outcome::Timeout { phase: Phase::Answer }, Retry),
        (Outcome::Resolve, Retry),
        (Outcome::Connect, Retry),
        (Outcome::Tls, Retry),
        (Outcome::Closed, Retry),
        (Outcome::Malformed, Retry),
        (Outcome::RefusedAddress { literal: false }, Retry),
        (Outcome::RefusedAddress { literal: true }, GiveUp),
        (Outcome::RefusedUrl, GiveUp),
        (Outcome::Unsendable, GiveUp),
    ];
    for (outcome, verdict) in table {
        assert_eq!(outcome.verdict(), verdict, "{outcome:?}");
    }
}

#[test]
fn first_tries_are_the_vendors() {
    let first = pending(State::new(T0));
    assert_eq!((first.attempt, first.due_at), (1, T0));
    let second = pending(try_once(State::Pending(first), status(500)));
    assert_eq!((second.attempt, second.due_at), (2, T0.plus_ms(1_000)));
    let third = pending(try_once(State::Pending(second), Outcome::Connect));
    assert_eq!((third.attempt, third.due_at), (3, T0.plus_ms(2_000)));
    let fourth = pending(try_once(State::Pending(third), status(204)));
    assert_eq!((fourth.attempt, fourth.due_at), (4, T0.plus_ms(6_000)), "5 s less a fifth");
}

#[test]
fn terminal_states() {
    assert_eq!(try_once(State::new(T0), status(200)), State::Delivered { attempt: 1, at: T0 });
    assert_eq!(try_once(State::new(T0), status(410)), State::Disabled { attempt: 1, at: T0 });
    assert_eq!(
        try_once(State::new(T0), Outcome::RefusedUrl),
        State::Exhausted { attempt: 1, at: T0, reason: DeadReason::Unsendable }
    );
    let mut state = State::new(T0);
    for _ in 0..13 {
        state = try_once(state, status(500));
    }
    assert!(matches!(state, State::Exhausted { attempt: 13, reason: DeadReason::TriesUsedUp, .. }), "{state:?}");
    assert!(state.is_dead_letter() && state.is_terminal());
}

#[test]
fn what_is_not_due_is_not_begun() {
    let pending = pending(State::new(T0));
    assert_eq!(pending.begin(T0.plus_ms(-1)), None);
    assert!(pending.begin(T0).is_some());
}

#[test]
fn redelivery_begins_the_schedule_anew_and_goes_on_counting() {
    let later = T0.plus_ms(1_000_000);
    let fresh = |attempt| Some(State::Pending(Pending { attempt, step: 0, due_at: later }));
    let dead = State::Exhausted { attempt: 13, at: T0, reason: DeadReason::TriesUsedUp };
    assert_eq!(dead.redeliver(later), fresh(14));
    assert_eq!(State::Disabled { attempt: 2, at: T0 }.redeliver(later), fresh(3));
    assert_eq!(State::Delivered { attempt: 1, at: T0 }.redeliver(later), fresh(2));
    assert_eq!(State::Dropped { at: T0 }.redeliver(later), None);
    let waiting = Pending { attempt: 9, step: 8, due_at: later.plus_ms(5) };
    assert_eq!(
        State::Pending(waiting).redeliver(later),
        Some(State::Pending(Pending { due_at: later, ..waiting })),
        "a pending delivery only becomes due"
    );
}

#[test]
fn stored_forms_are_a_promise() {
    let table = [
        (State::new(T0), r#"{"state":"pending","attempt":1,"step":0,"due_at":1798761600000}"#),
        (State::Delivered { attempt: 2, at: T0 }, r#"{"state":"delivered","attempt":2,"at":1798761600000}"#),
        (
            State::Exhausted { attempt: 13, at: T0, reason: DeadReason::TriesUsedUp },
            r#"{"state":"exhausted","attempt":13,"at":1798761600000,"reason":"tries_used_up"}"#,
        ),
        (State::Dropped { at: T0 }, r#"{"state":"dropped","at":1798761600000}"#),
    ];
    for (state, text) in table {
        assert_eq!(serde_json::to_string(&state).unwrap(), text);
        assert_eq!(serde_json::from_str::<State>(text).unwrap(), state);
    }
    let outcome = Outcome::Timeout { phase: Phase::Tls };
    assert_eq!(serde_json::to_string(&outcome).unwrap(), r#"{"outcome":"timeout","phase":"tls"}"#);
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        (100u16..600, proptest::option::of(any::<u64>()))
            .prop_map(|(code, retry_after_ms)| { Outcome::Status { code, retry_after_ms } }),
        Just(Outcome::Timeout { phase: Phase::Connect }),
        Just(Outcome::Resolve),
        Just(Outcome::Connect),
        Just(Outcome::Tls),
        Just(Outcome::Closed),
        Just(Outcome::Malformed),
        any::<bool>().prop_map(|literal| Outcome::RefusedAddress { literal }),
    ]
}

fn any_schedule() -> impl Strategy<Value = Schedule> {
    proptest::collection::vec(1..=crate::retry::MAX_DELAY_MS, 0..=crate::retry::MAX_DELAYS)
        .prop_map(|delays| Schedule::new(delays).unwrap())
}

proptest! {
    /// Whatever receivers answer and however the clock jumps, a delivery ends after at most the schedule's tries;
    /// due times only grow; attempts count up by one; each wait is within the schedule's bounds.
    #[test]
    fn every_delivery_ends(
        schedule in any_schedule(),
        tries in proptest::collection::vec((any_outcome(), any::<u32>(), -10_000i64..10_000), 32),
    ) {
        let mut state = State::new(T0);
        let mut made = 0;
        for (outcome, roll, clock_jump) in tries {
            let State::Pending(now_pending) = state else { break };
            made += 1;
            prop_assert_eq!(now_pending.attempt, made);
            let attempting = now_pending.begin(now_pending.due_at).unwrap();
            let ended = now_pending.due_at.plus_ms(clock_jump);
            state = attempting.finish(&outcome, &schedule, roll, ended);
            if let State::Pending(next) = state {
                prop_assert!(next.due_at > now_pending.due_at);
                let waited = next.due_at.ms_since(ended.max(now_pending.due_at));
                let most = 2 * crate::retry::MAX_DELAY_MS;
                prop_assert!(waited >= 1 && waited <= most);
            }
        }
        prop_assert!(state.is_terminal());
        prop_assert!(made <= schedule.tries());
        prop_assert_eq!(state.due_at(), None);
    }

    /// A receiver cannot make the server wait more than twice as long, nor come back sooner than planned.
    #[test]
    fn retry_after_is_bounded(schedule in any_schedule(), step in 0u32..31, roll in any::<u32>(), asked in any::<u64>()) {
        let plain = schedule.delay_ms(step, roll, None);
        let stretched = schedule.delay_ms(step, roll, Some(asked));
        prop_assert_eq!(plain.is_some(), stretched.is_some());
        if let (Some(plain), Some(stretched)) = (plain, stretched) {
            prop_assert!(stretched >= plain);
            let planned = Vec::<u64>::from(schedule)[step as usize];
            prop_assert!(stretched <= 2 * planned);
        }
    }
}
