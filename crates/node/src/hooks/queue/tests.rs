//! One queue under every order of events.

use super::*;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

fn rules() -> QueueRules {
    QueueRules {
        messages: 5,
        bytes: 5 * (WEIGHT + 10),
        max_age: Duration::from_secs(60),
        backoff: Duration::from_secs(1),
        backoff_max: Duration::from_secs(8),
        failures: 6,
    }
}

fn body(n: u64) -> Bytes {
    Bytes::from(format!("{n:010}"))
}

fn fill(queue: &mut Queue, bodies: std::ops::RangeInclusive<u64>) {
    for n in bodies {
        queue.push(body(n), Time(0), &rules());
    }
}

/// The attempt that is due now.
fn attempt(queue: &mut Queue, now: Time) -> Post {
    match queue.next(now, &rules()) {
        Next::Attempt(post) => post,
        other @ (Next::At(_) | Next::Idle) => panic!("{other:?}"),
    }
}

#[test]
fn one_after_the_other_and_each_until_it_is_accepted() {
    let (mut q, now, rules) = (Queue::default(), Time(5), rules());
    assert_eq!(q.next(now, &rules), Next::Idle);
    assert!(q.push(body(1), now, &rules), "somebody waits");
    assert!(!q.push(body(2), now, &rules), "it was said already");
    assert_eq!(attempt(&mut q, now).body, body(1));
    assert_eq!(q.fail(now, 0, &rules), Verdict::Again);
    assert_eq!(q.next(now, &rules), Next::At(Time(1005)));
    assert_eq!(attempt(&mut q, Time(1005)).body, body(1));
    q.succeed();
    assert_eq!(attempt(&mut q, Time(1005)).body, body(2));
    q.succeed();
    assert_eq!((q.next(now, &rules), q.len(), q.bytes(), q.lost()), (Next::Idle, 0, 0, 0));
}

#[test]
fn pauses_double_up_to_a_bound_and_are_spread_over_their_second_half() {
    let rules = QueueRules { failures: u32::MAX, ..rules() };
    for dice in [0, 1, 499, 500, 12_345, u64::MAX] {
        let mut q = Queue::default();
        q.push(body(1), Time(0), &rules);
        for most in [1000, 2000, 4000, 8000, 8000, 8000] {
            q.fail(Time(0), dice, &rules);
            let Next::At(Time(at)) = q.next(Time(0), &rules) else { panic!("no pause") };
            assert!(at <= most && at >= most / 2, "{at} of {most}");
        }
    }
    let pauses: std::collections::BTreeSet<_> = (0..501)
        .map(|dice| {
            let mut q = Queue::default();
            q.fail(Time(0), dice, &rules);
            q.not_before
        })
        .collect();
    assert_eq!(pauses.len(), 501, "every pause between half and all");
}

#[test]
fn a_success_forgets_failures_and_enough_of_them_are_the_end() {
    let (mut q, rules) = (Queue::default(), rules());
    fill(&mut q, 1..=3);
    for _ in 0..5 {
        assert_eq!(q.fail(Time(0), 0, &rules), Verdict::Again);
    }
    let now = Time(8000);
    attempt(&mut q, now);
    q.succeed();
    for _ in 0..5 {
        attempt(&mut q, now);
        assert_eq!(q.fail(Time(0), 0, &rules), Verdict::Again);
    }
    assert_eq!(q.fail(Time(0), 0, &rules), Verdict::Dead);
}

#[test]
fn what_is_too_old_is_given_up_and_the_next_says_so() {
    let (mut q, rules) = (Queue::default(), rules());
    q.push(body(1), Time(0), &rules);
    q.push(body(2), Time(1000), &rules);
    q.push(body(3), Time(50_000), &rules);
    attempt(&mut q, Time(0));
    q.fail(Time(59_999), 0, &rules);
    let post = attempt(&mut q, Time(61_000));
    assert_eq!((post.number, post.missed, q.lost()), (3, 2, 2));
}

#[test]
fn the_oldest_goes_but_not_the_one_under_way() {
    let (mut q, now, rules) = (Queue::default(), Time(0), rules());
    fill(&mut q, 1..=5);
    assert_eq!(attempt(&mut q, now).number, 1);
    fill(&mut q, 6..=8);
    assert_eq!((q.len(), q.lost()), (5, 3));
    q.succeed();
    let next = attempt(&mut q, now);
    assert_eq!((next.number, next.missed), (5, 3), "2, 3 and 4 are gone");
    q.succeed();
    q.miss(2);
    q.push(body(9), now, &rules);
    let told: Vec<_> = std::iter::from_fn(|| match q.next(now, &rules) {
        Next::Attempt(post) => {
            q.succeed();
            Some((post.number, post.missed))
        }
        Next::At(_) | Next::Idle => None,
    })
    .collect();
    assert_eq!(told, [(6, 0), (7, 0), (8, 0), (9, 2)], "a gap is told where it is");
}

#[test]
fn a_body_that_fits_nowhere_wakes_nobody_and_is_counted() {
    let (mut q, now, rules) = (Queue::default(), Time(0), rules());
    assert_eq!(q.next(now, &rules), Next::Idle);
    assert!(!q.push(Bytes::from(vec![0; 10_000]), now, &rules));
    assert_eq!((q.len(), q.bytes(), q.lost()), (0, 0, 1));
    assert!(q.push(body(1), now, &rules));
    assert_eq!(attempt(&mut q, now).missed, 1);
}

#[derive(Clone, Debug)]
enum Step {
    Push(usize),
    Miss,
    Take,
    Succeed,
    Fail(u64),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0usize..900).prop_map(Step::Push),
        1 => Just(Step::Miss),
        4 => Just(Step::Take),
        3 => Just(Step::Succeed),
        2 => any::<u64>().prop_map(Step::Fail),
        2 => (0u64..30_000).prop_map(Step::Pass),
    ];
    vec(step, 0..200)
}

proptest! {
    /// Whatever happens: order is kept, bounds hold, and what was accepted, what was told as missed and what
    /// still waits are all there was.
    #[test]
    fn nothing_is_lost_unsaid(steps in steps()) {
        let rules = QueueRules { failures: u32::MAX, ..rules() };
        let (mut q, mut now) = (Queue::default(), Time(0));
        let (mut came, mut accepted, mut told, mut last) = (0u64, 0u64, 0u64, 0u64);
        let mut under_way: Option<Post> = None;
        for step in steps {
            match step {
                Step::Push(size) => {
                    came += 1;
                    q.push(Bytes::from(vec![0; size]), now, &rules);
                }
                Step::Miss => {
                    came += 1;
                    q.miss(1);
                }
                Step::Take => match q.next(now, &rules) {
                    Next::Attempt(post) => {
                        prop_assert!(post.number > last, "{} after {last}", post.number);
                        under_way = Some(post);
                    }
                    Next::At(at) => {
                        under_way = None;
                        prop_assert!(at > now && at.since(now) <= rules.backoff_max);
                    }
                    Next::Idle => {
                        under_way = None;
                        prop_assert_eq!(q.len(), 0);
                    }
                },
                Step::Succeed => if let Some(post) = under_way.take() {
                    q.succeed();
                    last = post.number;
                    accepted += 1;
                    told += post.missed;
                },
                Step::Fail(dice) => if under_way.take().is_some() {
                    q.fail(now, dice, &rules);
                },
                Step::Pass(ms) => now = Time(now.0 + ms),
            }
            prop_assert!(q.len() <= rules.messages);
            prop_assert!(q.bytes() <= rules.bytes || q.len() == 1 && under_way.is_some());
            let untold: u64 = q.waiting.iter().map(|p| p.missed).sum::<u64>() + q.missed;
            prop_assert_eq!(came, accepted + told + untold + q.len() as u64);
            prop_assert_eq!(q.lost(), told + untold);
            prop_assert_eq!(q.bytes(), q.waiting.iter().map(Post::weight).sum::<usize>());
        }
    }
}
