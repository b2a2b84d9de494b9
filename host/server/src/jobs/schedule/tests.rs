use proptest::prelude::*;

use super::*;

/// The order in which `asked` (tenant and priority) run, one at a time, all waiting from the beginning.
fn order(asked: &[(&str, u8)]) -> Vec<usize> {
    let mut schedule = Schedule::new(1);
    let tickets: Vec<Ticket> =
        asked.iter().map(|(tenant, priority)| schedule.enter(tenant, *priority).unwrap()).collect();
    let mut order = Vec::new();
    while let Some(ticket) = schedule.start() {
        order.push(tickets.iter().position(|known| *known == ticket).unwrap());
        schedule.leave(ticket);
    }
    order
}

#[test]
fn who_runs_next() {
    type Case = (&'static str, &'static [(&'static str, u8)], &'static [usize]);
    let table: &[Case] = &[
        ("in the order they came", &[("a", 6), ("a", 6), ("a", 6)], &[0, 1, 2]),
        ("the higher priority first", &[("a", 1), ("a", 10), ("a", 6), ("a", 10)], &[1, 3, 2, 0]),
        ("outside 1 to 10 is the nearest", &[("a", 0), ("a", 1), ("a", 200), ("a", 10)], &[2, 3, 0, 1]),
        ("tenants in turn", &[("a", 6), ("a", 6), ("a", 6), ("b", 6), ("b", 6)], &[0, 3, 1, 4, 2]),
        ("priorities are a tenant's own", &[("a", 10), ("a", 10), ("b", 1), ("c", 1)], &[0, 2, 3, 1]),
        ("nobody waits", &[], &[]),
    ];
    for (what, asked, expected) in table {
        assert_eq!(order(asked), *expected, "{what}");
    }
}

#[test]
fn a_flood_delays_another_tenant_by_one_job() {
    let mut schedule = Schedule::new(1);
    for _ in 0..1000 {
        schedule.enter("flood", HIGHEST).unwrap();
    }
    for _ in 0..5 {
        let running = schedule.start().unwrap();
        let modest = schedule.enter("modest", LOWEST).unwrap();
        assert_eq!(schedule.start(), None, "the one slot is taken");
        schedule.leave(running);
        assert_eq!(schedule.start(), Some(modest));
        schedule.leave(modest);
    }
}

#[test]
fn newcomers_do_not_keep_a_tenant_waiting() {
    let mut schedule = Schedule::new(1);
    let first = schedule.enter("old", 6).unwrap();
    let second = schedule.enter("old", 6).unwrap();
    assert_eq!(schedule.start(), Some(first));
    let before = schedule.enter("n0", 6).unwrap();
    schedule.leave(first);
    assert_eq!(schedule.start(), Some(before), "it waited while the old one had its turn");
    schedule.enter("n1", 6).unwrap();
    schedule.leave(before);
    assert_eq!(schedule.start(), Some(second), "the next newcomer is behind it");
}

#[test]
fn the_lowest_priority_is_not_passed_by_for_ever() {
    let mut schedule = Schedule::new(1);
    let lowest = schedule.enter("a", LOWEST).unwrap();
    let mut passed = 0;
    loop {
        schedule.enter("a", HIGHEST).unwrap();
        let started = schedule.start().unwrap();
        schedule.leave(started);
        if started == lowest {
            break;
        }
        passed += 1;
    }
    assert_eq!(passed, STARTS_PER_STEP * u64::from(HIGHEST - LOWEST));
}

#[test]
fn the_queue_is_bounded_for_all_and_for_each() {
    let mut schedule = Schedule::bounded(1, 3, 2);
    let first = schedule.enter("a", 6).unwrap();
    schedule.enter("a", 6).unwrap();
    assert_eq!(schedule.enter("a", 10), Err(Full), "one tenant's share");
    schedule.enter("b", 6).unwrap();
    assert_eq!(schedule.enter("c", 6), Err(Full), "all there is");
    schedule.leave(first);
    schedule.enter("c", 6).unwrap();
}

#[derive(Clone, Debug)]
enum Act {
    Enter(u8, u8),
    Start,
    Leave(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        (0..4_u8, 0..12_u8).prop_map(|(tenant, priority)| Act::Enter(tenant, priority)),
        Just(Act::Start),
        (0..16_usize).prop_map(Act::Leave),
    ];
    prop::collection::vec(act, 0..200)
}

proptest! {
    /// Whatever happens in whatever order: the slots are never exceeded, no ticket is lost or runs twice, a slot stays
    /// free only when nobody waits, and it never goes to a tenant that runs more than another one that waits.
    #[test]
    fn slots_are_shared_and_nothing_is_lost(slots in 1..4_usize, acts in acts()) {
        let mut schedule = Schedule::new(slots);
        let mut waiting: Vec<(Ticket, u8)> = Vec::new();
        let mut running: Vec<(Ticket, u8)> = Vec::new();
        for act in acts {
            match act {
                Act::Enter(tenant, priority) => {
                    waiting.push((schedule.enter(&tenant.to_string(), priority).unwrap(), tenant));
                }
                Act::Start => {
                    let count = |tenant: u8| running.iter().filter(|(_, owner)| *owner == tenant).count();
                    let least = waiting.iter().map(|(_, tenant)| count(*tenant)).min();
                    let started = schedule.start();
                    prop_assert_eq!(started.is_some(), running.len() < slots && !waiting.is_empty());
                    if let Some(ticket) = started {
                        let place = waiting.iter().position(|(known, _)| *known == ticket).unwrap();
                        prop_assert_eq!(Some(count(waiting[place].1)), least);
                        running.push(waiting.remove(place));
                    }
                }
                Act::Leave(which) => {
                    let all = waiting.len() + running.len();
                    if all > 0 {
                        let which = which % all;
                        let (ticket, _) = match which.checked_sub(waiting.len()) {
                            None => waiting.remove(which),
                            Some(which) => running.remove(which),
                        };
                        schedule.leave(ticket);
                        schedule.leave(ticket);
                    }
                }
            }
            prop_assert_eq!((schedule.waiting(), schedule.running()), (waiting.len(), running.len()));
        }
        for (ticket, _) in waiting.into_iter().chain(running) {
            schedule.leave(ticket);
        }
        prop_assert!(schedule.tenants.is_empty() && schedule.tickets.is_empty());
    }
}
