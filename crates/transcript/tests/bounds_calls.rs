//! Messages that are told by calls, as datagrams are: so many in a turn, while others are served.

mod common;

use common::peers::Lines;
use common::puppet;
use common::stage::Stage;
use std::net::SocketAddr;

const DEVICES: usize = 100;
const MESSAGES: usize = 500;

/// Calls in a turn, and those of a message that was begun before that was reached.
const AT_MOST: usize = 4096 + DEVICES;

fn stage() -> Stage {
    let mut stage = Stage::build(puppet::plan(1));
    for order in ["auth", "hear;join tea"] {
        for port in 0..DEVICES {
            let address = SocketAddr::from(([10, 0, 0, 1], 1000 + u16::try_from(port).unwrap_or(0)));
            stage.house.sim.send(2, address, order.as_bytes());
        }
        stage.settle();
    }
    assert_eq!(stage.house.sim.sent().len(), 2 * DEVICES, "greeted, and joined");
    stage
}

/// The most datagrams of a turn, and all together.
fn datagrams(stage: &mut Stage) -> (usize, usize) {
    let (mut most, mut all) = (0, 0);
    while stage.step() {
        let sent = stage.house.sim.sent().len();
        (most, all) = (most.max(sent), all + sent);
    }
    (most, all)
}

#[test]
fn a_burst_to_many_devices_is_shared_out() {
    let mut stage = stage();
    let line = Lines::new(stage.house.connect(1));
    line.say("auth");
    stage.settle();
    for _ in 0..MESSAGES {
        line.say("publish tea x");
    }
    let (most, all) = datagrams(&mut stage);
    assert_eq!(all, DEVICES * MESSAGES);
    assert!(most <= AT_MOST, "{most} in a turn");
}

#[test]
fn what_is_said_to_everybody_is_shared_out_too() {
    let mut stage = stage();
    let line = Lines::new(stage.house.connect(1));
    line.say("auth");
    stage.settle();
    for _ in 0..MESSAGES {
        line.say("broadcast x");
    }
    let (most, all) = datagrams(&mut stage);
    assert_eq!(all, DEVICES * MESSAGES);
    assert!(most <= AT_MOST, "{most} in a turn");
}
