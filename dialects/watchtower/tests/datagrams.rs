//! What a play cannot say of UDP: addresses beyond this machine, and seals.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails so, in its helpers too")]

use carrier::net::Port;
use model::Limits;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use transcript::house::{Blueprint, House};
use watchtower_dialect::wire::seal;
use watchtower_dialect::{Settings, Watchtower, settings::devices::Devices};

/// The port of datagrams.
const UDP: u16 = 1;
/// And that of connections.
const TCP: u16 = 2;
/// Somebody beyond this machine.
const FAR: &str = "192.0.2.1:4000";

struct Server {
    house: House,
    said: usize,
    heard: usize,
}

impl Server {
    fn with(limits: Limits) -> Self {
        let devices = Devices { open: Some(true), ..Devices::default() };
        let grants = Some(vec!["READ **".to_owned(), "WRITE **".to_owned()]);
        let secret = Some("secret".to_owned().into());
        let settings = Settings { devices, grants, secret, ..Settings::default() };
        let own_ports = vec![(Port::Datagrams, 0), (Port::Listener, 0)];
        let dialects: Vec<Box<dyn dialect::Dialect>> = vec![Box::new(Watchtower::new(settings, [7; 32]))];
        let house = House::build(Blueprint { own_ports, limits, ..Blueprint::new(dialects) });
        Self { house, said: 0, heard: 0 }
    }

    fn new() -> Self {
        Self::with(Limits::default())
    }

    /// Says something from an address; what comes back to it.
    fn say(&mut self, from: &str, datagram: &[u8]) -> Vec<Vec<u8>> {
        let from: SocketAddr = from.parse().unwrap();
        self.house.sim.send(UDP, from, datagram);
        self.house.settle();
        let came: Vec<_> = self.house.sim.sent().into_iter().filter(|s| s.1 == from).map(|s| s.2).collect();
        self.said += datagram.len();
        self.heard += came.iter().map(Vec::len).sum::<usize>();
        came
    }

    fn sessions(&self) -> usize {
        self.house.shards.iter().map(carrier::Shard::sessions).sum()
    }

    /// The cookie of an address.
    fn cookie(&mut self, from: &str) -> Vec<u8> {
        let came = self.say(from, b"C\0\0\0\0\0\0\0\0");
        assert!(came.len() == 1 && came[0].len() == 9 && came[0][0] == b'C', "{came:?}");
        came[0].clone()
    }

    /// Registers from all these addresses at once, with cookies where they need one; whether each got in.
    fn enter(&mut self, from: &[String]) -> Vec<bool> {
        let cookies: Vec<_> = from
            .iter()
            .map(|from| if from.starts_with("127.") { Vec::new() } else { self.cookie(from) })
            .collect();
        for (from, cookie) in from.iter().zip(cookies) {
            self.house.sim.send(UDP, from.parse().unwrap(), &[&cookie, &b"R"[..]].concat());
        }
        self.house.settle();
        let sent = self.house.sim.sent();
        let is_in = |from: &String| sent.iter().any(|s| s.1 == from.parse().unwrap() && s.2[0] == b'A');
        from.iter().map(is_in).collect()
    }

    /// Registers with a token: the id's bytes, and the token.
    fn register(&mut self, from: &str) -> (Vec<u8>, Vec<u8>) {
        let came = self.say(from, b"r\0");
        assert!(came.len() == 1 && came[0].len() == 37 && came[0][0] == b'a', "{came:?}");
        (came[0][1..5].to_vec(), came[0][5..].to_vec())
    }
}

/// A command about channel 5.
fn about(letter: u8, id: &[u8]) -> Vec<u8> {
    [&[letter][..], id, &5_u32.to_le_bytes()].concat()
}

fn message(id: &[u8], body: &[u8]) -> Vec<u8> {
    [&about(b'M', id)[..], &u32::try_from(body.len()).unwrap().to_le_bytes(), body].concat()
}

fn sealed(counter: u64, frame: &[u8], token: &[u8]) -> Vec<u8> {
    [&b"S"[..], &counter.to_le_bytes(), &seal::code(counter, frame, token), frame].concat()
}

/// SPEC [UDP-2].
#[test]
fn an_address_that_has_not_proved_itself_is_never_sent_more_than_it_said_and_costs_no_place() {
    let mut server = Server::new();
    let token = [&b"T\x01\0\0\0"[..], &[b'0'; 32]].concat();
    let join = about(b'J', &[1, 0, 0, 0]);
    let plain: [&[u8]; 8] = [b"R", b"r\0", b"K", b"", b"X", &join, &token, &message(&[1, 0, 0, 0], b"hi")];
    for (n, datagram) in plain.iter().cycle().take(1000).enumerate() {
        let from = format!("198.51.100.{}:{}", n % 200, 1024 + n);
        assert!(server.say(&from, datagram).is_empty(), "{datagram:?}");
    }
    for length in 0..40 {
        let datagram: Vec<u8> = std::iter::once(b'C').chain(vec![0; length]).collect();
        let came = server.say(FAR, &datagram);
        let bytes: usize = came.iter().map(Vec::len).sum();
        assert!(bytes <= datagram.len(), "{} bytes for {}", bytes, datagram.len());
    }
    assert!(server.heard <= server.said);
    assert_eq!(server.sessions(), 0);
    // A right cookie of somebody else, an old one, a right one with nothing behind it.
    let theirs = server.cookie("192.0.2.2:4000");
    let other_port = server.cookie("192.0.2.1:4001");
    let old = server.cookie(FAR);
    server.house.pass(Duration::from_secs(121));
    let fresh = server.cookie(FAR);
    assert_ne!(old, fresh);
    for cookie in [&theirs, &other_port, &old] {
        assert_eq!(server.say(FAR, &[cookie, &b"R"[..]].concat()), std::slice::from_ref(&fresh));
    }
    assert_eq!(server.say(FAR, &fresh), std::slice::from_ref(&fresh));
    assert_eq!(server.sessions(), 0);
    let came = server.say(FAR, &[&fresh, &b"R"[..]].concat());
    assert!(came.len() == 1 && came[0][0] == b'A', "{came:?}");
    assert_eq!(server.sessions(), 1);
}

#[test]
fn an_address_that_has_proved_itself_speaks_plainly_until_it_is_forgotten() {
    let mut server = Server::new();
    let cookie = server.cookie(FAR);
    let registered = server.say(FAR, &[&cookie, &b"R"[..]].concat());
    let id = registered[0][1..].to_vec();
    assert_eq!(server.say(FAR, &about(b'J', &id)), [b"A\x05\0\0\0".to_vec()]);
    let came = server.say(FAR, &message(&id, b"hi"));
    assert_eq!(came, [[&b"M"[..], &id, b"\x05\0\0\0\0\0\x02\0\0\0hi"].concat()]);
    server.house.pass(Duration::from_secs(601));
    assert_eq!(server.sessions(), 0);
    assert!(server.say(FAR, b"K").is_empty(), "a stranger again");
    // With its cookie before each command it learns so.
    let came = server.say(FAR, &[&cookie, &b"K"[..]].concat());
    assert!(came.len() == 1 && came[0][0] == b'C' && came[0] != cookie, "{came:?}");
}

/// SPEC [UDP-5].
#[test]
fn who_has_sealed_is_heard_with_a_seal_only_and_once() {
    let (mut server, here) = (Server::new(), "127.0.0.1:4000");
    let (id, token) = server.register(here);
    let alive = [b"K".to_vec()];
    assert_eq!(server.say(here, b"K"), alive);
    assert_eq!(server.say(here, &sealed(10, b"K", &token)), alive);
    assert!(server.say(here, &sealed(10, b"K", &token)).is_empty(), "a second time");
    assert!(server.say(here, b"K").is_empty(), "without a seal");
    assert!(server.say(here, b"nonsense").is_empty());
    assert!(server.say(here, &sealed(11, b"K", &[b'0'; 32])).is_empty(), "with another token");
    let mut broken = sealed(12, &about(b'J', &id), &token);
    *broken.last_mut().unwrap() ^= 1;
    assert!(server.say(here, &broken).is_empty(), "other words");
    assert_eq!(server.say(here, &sealed(100, &about(b'J', &id), &token)), [b"A\x05\0\0\0".to_vec()]);
    assert_eq!(server.say(here, &sealed(37, b"K", &token)), alive, "late, within the window");
    assert!(server.say(here, &sealed(36, b"K", &token)).is_empty(), "too late");
    assert_eq!(server.say(here, &sealed(101, &message(&id, b"hi"), &token)).len(), 1);
    // Whoever proves himself anew, as after a restart of the device, counts anew.
    assert!(server.say(here, b"r\0").is_empty(), "an empty secret proves nothing");
    let resume = [&b"T"[..], &id, &token].concat();
    assert_eq!(server.say(here, &resume), [[&b"A"[..], &id].concat()]);
    assert_eq!(server.say(here, &sealed(1, b"K", &token)), alive);
}

/// SPEC [DEV-8].
#[test]
fn a_flood_of_registrations_meets_a_bound() {
    let mut server = Server::with(Limits { enrolments: 50, ..Limits::default() });
    let mut answers = [0, 0];
    for n in 0..200 {
        let came = server.say(&format!("127.0.0.1:{}", 2000 + n), b"R");
        assert_eq!(came.len(), 1);
        answers[usize::from(came[0] == b"E")] += 1;
    }
    assert_eq!(answers, [50, 150]);
    assert_eq!(server.sessions(), 50, "who was refused costs no place");
}

#[test]
fn addresses_of_one_house_that_are_strangers_are_bounded() {
    let limits = Limits { unauthenticated_per_address: Some(2), ..Limits::default() };
    let mut server = Server::with(limits);
    let of = |house: fn(u16) -> String| (1..6).map(house).collect::<Vec<_>>();
    let house = of(|n| format!("192.0.2.1:{n}"));
    assert_eq!(server.enter(&house), [true, true, false, false, false]);
    let network = of(|n| format!("[2001:db8::{n}]:1"));
    assert_eq!(server.enter(&network), [true, true, false, false, false], "a network of IPv6 is one house");
    assert_eq!(
        server.enter(&of(|n| format!("198.51.100.{n}:1"))),
        [true; 5],
        "houses do not concern each other"
    );
    assert_eq!(server.enter(&of(|n| format!("127.0.0.1:{n}"))), [true; 5], "nor is this machine one");
    assert_eq!(server.sessions(), 2 + 2 + 5 + 5, "who is turned away costs no place");
    assert_eq!(server.enter(&house[2..]), [false; 3], "an id that was given for nothing makes nobody known");
    server.house.pass(Duration::from_secs(660));
    assert_eq!(server.sessions(), 0);
    assert_eq!(server.enter(&house[2..]), [true, true, false], "places are given back");
}

/// What somebody from beyond this machine is told who says this with his first datagram; empty: he was not let in.
fn first(server: &mut Server, from: &str, command: &[u8]) -> Vec<u8> {
    let cookie = server.cookie(from);
    server.say(from, &[&cookie, command].concat()).concat()
}

#[test]
fn who_has_shown_something_is_no_stranger_and_who_was_enrolled_for_nothing_is_one_wherever_he_comes_back() {
    let limits = Limits { unauthenticated_per_address: Some(2), ..Limits::default() };
    let mut server = Server::with(limits);
    let of = |n: u16| format!("192.0.2.1:{n}");
    for n in 1..6 {
        assert_eq!(first(&mut server, &of(n), b"r\x06secret")[0], b'a', "with the secret, as many as like");
    }
    let enrolled = first(&mut server, &of(10), b"r\0");
    assert_eq!(enrolled[0], b'a');
    let resume = [b"T", &enrolled[1..]].concat();
    assert_eq!(first(&mut server, &of(11), &resume)[0], b'A', "the second of two");
    for n in 12..16 {
        assert_eq!(first(&mut server, &of(n), &resume), b"", "whom it names was a stranger, too");
    }
    let proven = first(&mut server, "198.51.100.1:1", b"r\x06secret");
    let resume = [b"T", &proven[1..]].concat();
    for n in 2..6 {
        assert_eq!(
            first(&mut server, &format!("198.51.100.1:{n}"), &resume)[0],
            b'A',
            "a token that was earned"
        );
    }
}

#[test]
fn devices_over_tcp_that_have_shown_nothing_are_strangers() {
    let limits = Limits { unauthenticated_per_address: Some(2), ..Limits::default() };
    let mut server = Server::with(limits);
    let house: IpAddr = "192.0.2.1".parse().unwrap();
    let mut say = |from: IpAddr, words: &[u8]| {
        let peer = server.house.sim.connect_from(from, TCP);
        peer.write(words);
        server.house.settle();
        (peer.read(100).first().copied(), peer)
    };
    let proven: Vec<_> = (0..4).map(|_| say(house, b"r\x06secret")).collect();
    assert_eq!(proven.iter().map(|p| p.0).collect::<Vec<_>>(), [Some(b'a'); 4]);
    let strangers: Vec<_> = (0..4).map(|_| say(house, b"R")).collect();
    let told: Vec<_> = strangers.iter().map(|s| s.0).collect();
    assert_eq!(told, [Some(b'A'), Some(b'A'), None, None]);
    let near: Vec<_> = (0..4).map(|_| say("127.0.0.1".parse().unwrap(), b"R")).collect();
    assert!(near.iter().all(|n| n.0 == Some(b'A')), "this machine's own are not counted");
    strangers.iter().for_each(|s| s.1.vanish());
    assert_eq!(say(house, b"R").0, Some(b'A'), "who goes makes room");
}

#[test]
fn addresses_count_as_connections() {
    let limits = Limits { unauthenticated_per_address: None, connections: 3, ..Limits::default() };
    let mut server = Server::with(limits);
    let far: Vec<_> = (1..6).map(|n| format!("192.0.2.1:{n}")).collect();
    assert_eq!(server.enter(&far), [true, true, true, false, false]);
    assert_eq!(server.enter(&["127.0.0.1:1".to_owned()]), [false], "those of this machine, too");
    assert_eq!(server.sessions(), 3);
}

/// SPEC [UDP-4].
#[test]
fn what_no_datagram_can_carry_is_missed_and_counted() {
    let mut server = Server::new();
    let (here, stream) = ("127.0.0.1:4000", "127.0.0.1:4001");
    let (id, _) = server.register(here);
    server.say(here, &about(b'J', &id));
    let (other, _) = server.register(stream);
    server.say(stream, &about(b'J', &other));
    let longest = vec![b'x'; 65_507 - 15];
    let came = server.say(here, &message(&id, &longest));
    assert_eq!(came.iter().map(Vec::len).collect::<Vec<_>>(), [65_507]);
    let came = server.say(here, &message(&id, &vec![b'x'; 65_507 - 14]));
    assert!(came.is_empty(), "{came:?}");
    assert_eq!(server.say(here, b"K"), [b"K".to_vec(), b"G\x01\0\0\0".to_vec()]);
}
