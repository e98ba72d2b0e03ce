//! Who is seated when.

use super::*;
use model::{Principal, PrincipalId};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

type Waiting = Pin<Box<dyn Future<Output = Seat>>>;

fn whose(owner: u64, host: &str) -> Arc<Whose> {
    let principal = Principal { address: PrincipalId::new(owner), ..Principal::anonymous(Vec::new()) };
    Arc::new(Whose { owner: Owner::of(0, Some(&Arc::new(principal))), host: host.into() })
}

/// Asks for a place, and waits if there is none.
fn ask(lane: &Arc<Lane>, owner: u64, host: &str, hook: u64) -> Waiting {
    let (lane, whose) = (Arc::clone(lane), whose(owner, host));
    let mut waiting: Waiting = Box::pin(async move { lane.take(&whose, hook).await });
    // A place that is free is taken here, and kept by what would have returned it.
    match look(&mut waiting) {
        Some(seat) => Box::pin(std::future::ready(seat)),
        None => waiting,
    }
}

fn look(waiting: &mut Waiting) -> Option<Seat> {
    match waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(seat) => Some(seat),
        Poll::Pending => None,
    }
}

/// Nothing is left of anybody.
fn is_empty(lane: &Lane) -> bool {
    let state = lock(&lane.state);
    state.taken == 0
        && state.hosts.is_empty()
        && state.owners.is_empty()
        && state.turns.is_empty()
        && state.waiting.is_empty()
}

#[test]
fn an_owner_and_a_host_have_a_share_and_the_rest_is_for_others() {
    let lane = Lane::new(16);
    let seats: Vec<_> = (0..9).map(|n| lane.try_take(&whose(1, &format!("h{n}")))).collect();
    assert_eq!(seats.iter().flatten().count(), 2, "an eighth");
    let seats: Vec<_> = (2..9).map(|owner| lane.try_take(&whose(owner, "h"))).chain(seats).collect();
    assert_eq!(seats.iter().flatten().count(), 2 + 4, "a quarter");
    let rest: Vec<_> = (20..40).map(|n| lane.try_take(&whose(n, &n.to_string()))).collect();
    assert_eq!(rest.iter().flatten().count(), 16 - 6);
    drop((seats, rest));
    assert!(is_empty(&lane));
}

#[test]
fn those_who_wait_have_their_turns_owner_by_owner() {
    let lane = Lane::new(1);
    let first = lane.try_take(&whose(9, "x"));
    // Ten of the first, then one of each of the others.
    let mut waiting: Vec<_> = (0..10)
        .map(|n| (1, n))
        .chain([(2, 10), (3, 11)])
        .collect::<Vec<_>>()
        .into_iter()
        .map(|(owner, hook)| (hook, ask(&lane, owner, "h", hook)))
        .collect();
    drop(first);
    let mut order = Vec::new();
    while !waiting.is_empty() {
        let (place, seat) = waiting
            .iter_mut()
            .enumerate()
            .find_map(|(place, (_, waiting))| Some((place, look(waiting)?)))
            .unwrap();
        order.push(waiting.remove(place).0);
        drop(seat);
    }
    assert_eq!(order, [0, 10, 11, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert!(is_empty(&lane));
}

#[test]
fn who_may_not_have_more_is_passed_over() {
    let lane = Lane::new(4);
    let busy = [lane.try_take(&whose(1, "h")), lane.try_take(&whose(2, "i"))];
    let mut same_owner = ask(&lane, 1, "j", 1);
    let mut same_host = ask(&lane, 3, "h", 2);
    let mut other = ask(&lane, 4, "k", 3);
    assert!(look(&mut same_owner).is_none() && look(&mut same_host).is_none());
    let other = look(&mut other).unwrap();
    let [first, _second] = busy;
    drop(first);
    assert!(look(&mut same_owner).is_some() && look(&mut same_host).is_some());
    drop(other);
}

#[test]
fn who_goes_away_leaves_nothing_behind_and_nobody_without_a_place() {
    let lane = Lane::new(1);
    let first = lane.try_take(&whose(1, "h"));
    let mut waiting: Vec<_> = (0..6).map(|n| ask(&lane, n % 3 + 1, "h", n)).collect();
    // The first two of the first owner, before it was their turn.
    drop(waiting.remove(3));
    drop(waiting.remove(0));
    assert!(waiting.iter_mut().all(|w| look(w).is_none()));
    drop(first);
    // This one was called, and never looks.
    drop(waiting.remove(0));
    let seats = waiting.iter_mut().filter_map(look).count();
    assert_eq!(seats, 3, "each gave its place on");
    drop(waiting);
    assert!(is_empty(&lane));
}
