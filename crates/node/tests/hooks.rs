//! Hooks against real receivers on loopback: those that answer, and all the ways not to.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test that is how it fails")]

mod hooks_common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use dialect::{HookEnd, HookPlan};
use hooks_common::{Oracle, Place, Reply, Stage, answer, body, ok, read, settings};
use model::{Principal, PrincipalId, Refusal};
use node::hooks::{Failure, News, Owner, Signer, trust};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::HashSet;
use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn posts_arrive_in_order_on_one_connection_with_their_headers_and_signature() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let mut settings = settings();
    settings.signer = Some(Signer::new(secret).unwrap());
    let (place, stage) = (Place::open(|_, _| ok()), Stage::build(settings));
    let (hook, _ear) = stage.open(&place.url());
    (0..200).for_each(|n| hook.post(body(n)));
    let mut ids = HashSet::new();
    let key = STANDARD.decode(&secret["whsec_".len()..]).unwrap();
    for n in 0..200 {
        let post = place.next();
        assert_eq!(post.body.as_bytes(), body(n), "in order");
        assert_eq!(post.line, "POST /hook HTTP/1.1");
        assert_eq!(post.header("host"), place.address.to_string());
        assert_eq!(post.header("content-type"), "application/json");
        assert_eq!(post.header("x-server-name"), "Puppet");
        assert!(post.head.contains("\r\nContent-Type: "), "names as people write them: {}", post.head);
        assert_eq!(post.header("x-missed"), "", "nothing is missing");
        let (id, timestamp) = (post.header("webhook-id").to_owned(), post.header("webhook-timestamp"));
        let seconds: u64 = timestamp.parse().unwrap();
        assert!(stage.clock.now().wall_ms / 1000 - seconds < 60);
        let signed = format!("{id}.{timestamp}.{}", post.body);
        let expected = STANDARD.encode(hmac_sha256::HMAC::mac(signed, &key));
        assert_eq!(post.header("webhook-signature"), format!("v1,{expected}"));
        assert!(ids.insert(id), "an id of its own");
    }
    assert_eq!(place.connections(), 1, "the connection is kept");
    let view = stage.when(|v| v.delivered == 200);
    assert_eq!((view.queued, view.queued_bytes, view.failed, view.missed), (0, 0, 0, 0));
    assert_eq!(view.target, place.address.to_string());
}

#[test]
fn without_a_secret_nothing_is_signed() {
    let (place, stage) = (Place::open(|_, _| ok()), Stage::build(settings()));
    let (hook, _ear) = stage.open(&place.url());
    hook.post(body(0));
    assert_eq!(place.next().header("webhook-signature"), "");
}

#[test]
fn a_hook_with_a_secret_of_its_own_is_signed_by_that_and_by_nothing_else() {
    let mut settings = settings();
    settings.signer = Some(Signer::new("the secret of everybody else").unwrap());
    let (place, stage) = (Place::open(|_, _| ok()), Stage::build(settings));
    let plan =
        |secret: &str| HookPlan::new(place.url(), "text/plain").signed_by(Some(secret.to_owned().into()));
    let (tell, told) = std::sync::mpsc::channel();
    let owner = Owner::of(0, None);
    stage
        .hooks
        .open(&plan("a secret that is its own"), owner.clone(), Box::new(move |n| tell.send(n).unwrap()))
        .unwrap();
    let Ok(News::Opened(hook)) = told.recv() else { panic!("not opened") };
    hook.post(body(0));
    let post = place.next();
    let signed = format!("{}.{}.{}", post.header("webhook-id"), post.header("webhook-timestamp"), post.body);
    let expected = STANDARD.encode(hmac_sha256::HMAC::mac(signed, b"a secret that is its own"));
    assert_eq!(post.header("webhook-signature"), format!("v1,{expected}"));
    let weak = stage.hooks.open(&plan("weak"), owner, Box::new(drop)).unwrap_err().to_string();
    assert!(weak.contains("24 bytes") && !weak.contains("weak"), "{weak}");
}

#[test]
fn what_failed_is_tried_again_under_the_same_id_before_what_follows() {
    let place = Place::open(|n, _| if n < 3 { Reply::Say(500, String::new()) } else { ok() });
    let stage = Stage::build(settings());
    let (hook, _ear) = stage.open(&place.url());
    hook.post(body(0));
    hook.post(body(1));
    let posts: Vec<_> = (0..5).map(|_| place.next()).collect();
    let ids: HashSet<_> = posts[..4].iter().map(|p| p.header("webhook-id")).collect();
    assert_eq!(ids.len(), 1);
    assert!(posts[..4].iter().all(|p| p.body.as_bytes() == body(0)) && posts[4].body.as_bytes() == body(1));
    let view = stage.when(|v| v.delivered == 2);
    assert_eq!((view.failed, view.failures, view.last_failure), (3, 0, Some(Failure::Status(500))));
}

#[test]
fn no_redirect_is_followed() {
    let elsewhere = Place::open(|_, _| ok());
    let url = elsewhere.url();
    let place = Place::open(move |_, _| Reply::SayWith(307, format!("Location: {url}\r\n")));
    let stage = Stage::build(settings());
    let (hook, ear) = stage.open(&place.url());
    hook.post(body(0));
    assert_eq!(ear.closed(), HookEnd::Dead);
    assert_eq!((place.bodies(4).len(), place.rest(), elsewhere.connections()), (4, 0, 0));
}

#[test]
fn who_refuses_connections_is_given_up() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let stage = Stage::build(settings());
    let (hook, ear) = stage.open(&format!("http://{closed}/"));
    hook.post(body(0));
    assert_eq!(ear.closed(), HookEnd::Dead);
    let counts = stage.hooks.counts();
    assert_eq!(counts.outcomes[3].load(Ordering::Relaxed), 4);
    assert_eq!(counts.given_up.load(Ordering::Relaxed), 1);
    // What comes now waits for nobody, and is counted when its session lets go.
    hook.post(body(1));
    drop(hook);
    assert!(stage.hooks.is_empty());
    while counts.queued.load(Ordering::Relaxed) > 0 {
        std::thread::yield_now();
    }
    assert_eq!(counts.missed.load(Ordering::Relaxed), 2);
}

#[test]
fn who_says_that_he_wants_no_more_is_not_asked_again() {
    let place = Place::open(|_, _| Reply::Say(410, String::new()));
    let stage = Stage::build(settings());
    let (hook, ear) = stage.open(&place.url());
    hook.post(body(0));
    assert_eq!(ear.closed(), HookEnd::Unwanted);
    assert_eq!((place.bodies(1).len(), place.rest()), (1, 0));
}

#[test]
fn a_receiver_that_ends_its_connections_gets_everything() {
    let place = Place::open(|_, _| Reply::SayAndLeave(200));
    let stage = Stage::build(settings());
    let (hook, _ear) = stage.open(&place.url());
    (0..50).for_each(|n| hook.post(body(n)));
    let bodies = place.bodies(50);
    assert_eq!(bodies, (0..50).map(|n| format!("{{\"n\":{n}}}")).collect::<Vec<_>>());
    assert_eq!(stage.when(|v| v.delivered == 50).failed, 0, "a connection that ended is no failure");
    assert_eq!(place.connections(), 50);
}

#[test]
fn a_connection_that_ends_without_an_answer_is_begun_again_once() {
    // Every second POST is dropped with its connection: on a kept connection that is no failure yet.
    let place = Place::open(|n, _| if n % 2 == 1 { Reply::Leave } else { ok() });
    let stage = Stage::build(settings());
    let (hook, _ear) = stage.open(&place.url());
    hook.post(body(0));
    hook.post(body(1));
    let ids: Vec<_> = (0..3).map(|_| place.next().header("webhook-id").to_owned()).collect();
    assert_eq!(ids[1], ids[2]);
    assert_eq!(stage.when(|v| v.delivered == 2).failed, 0);
}

#[test]
fn who_never_answers_is_given_up() {
    let mut settings = settings();
    settings.timeout = Duration::from_millis(50);
    let (place, stage) = (Place::open(|_, _| Reply::Nothing), Stage::build(settings));
    let (hook, ear) = stage.open(&place.url());
    hook.post(body(0));
    assert_eq!(ear.closed(), HookEnd::Dead);
    assert_eq!(stage.hooks.counts().outcomes[2].load(Ordering::Relaxed), 4);
}

#[test]
fn a_name_that_changes_its_mind_leads_nowhere() {
    let canary = Place::open(|_, _| ok());
    let mut settings = settings();
    settings.guard.private = false;
    let asked = Arc::new(AtomicUsize::new(0));
    let answers = vec![vec!["8.8.8.8"], vec!["127.0.0.1"]];
    let stage = Stage::with(settings, Box::new(Oracle { answers, asked: Arc::clone(&asked) }));
    let (hook, ear) = stage.open(&format!("http://rebind.example:{}/", canary.address.port()));
    hook.post(body(0));
    assert_eq!(ear.closed(), HookEnd::Dead);
    assert_eq!(canary.connections(), 0);
    assert_eq!(asked.load(Ordering::SeqCst), 5, "once to open, once for each connection");
    assert_eq!(stage.hooks.counts().outcomes[4].load(Ordering::Relaxed), 4);
}

#[test]
fn the_address_that_was_judged_is_the_one_that_is_called() {
    let place = Place::open(|_, _| ok());
    let asked = Arc::new(AtomicUsize::new(0));
    // The name is nobody's: only who takes the answer at its word arrives.
    let oracle = Oracle { answers: vec![vec!["127.0.0.1"]], asked: Arc::clone(&asked) };
    let stage = Stage::with(settings(), Box::new(oracle));
    let (hook, _ear) = stage.open(&format!("http://nobody.invalid:{}/", place.address.port()));
    (0..10).for_each(|n| hook.post(body(n)));
    assert_eq!(place.next().header("host"), format!("nobody.invalid:{}", place.address.port()));
    place.bodies(9);
    assert_eq!((place.connections(), asked.load(Ordering::SeqCst)), (1, 2));
}

#[test]
fn urls_that_lead_where_they_may_not_are_refused_at_once_or_when_their_name_is_known() {
    let mut settings = settings();
    settings.guard.private = false;
    let stage = Stage::build(settings.clone());
    let owner = Owner::of(0, None);
    let canary = Place::open(|_, _| ok());
    let port = canary.address.port();
    for host in ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1", "0.0.0.0", "[::]"]
    {
        let Err(refusal) = stage.ask(&format!("http://{host}:{port}/"), &owner) else { panic!("{host}") };
        assert!(refusal.to_string().contains("hooks.allow"), "{host}: {refusal}");
    }
    for host in ["localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1"] {
        let words = stage.ask(&format!("http://{host}:{port}/"), &owner).unwrap().refused();
        assert!(words.contains("hooks.allow") || words.contains("resolved"), "{host}: {words}");
    }
    for url in ["ftp://example.com/", "http://", "nonsense"] {
        assert!(stage.ask(url, &owner).is_err(), "{url}");
    }
    let mixed = Oracle { answers: vec![vec!["8.8.8.8", "127.0.0.1"]], asked: Arc::default() };
    let stage = Stage::with(settings, Box::new(mixed));
    assert!(stage.ask("http://mixed.example/", &owner).unwrap().refused().contains("hooks.allow"));
    assert_eq!(canary.connections(), 0);
}

#[test]
fn a_receiver_proves_by_the_challenge_that_it_wants_to_be_one() {
    let mut settings = settings();
    settings.challenge = true;
    let stage = Stage::build(settings);
    let owner = Owner::of(0, None);
    let willing = Place::open(|_, post| Reply::Say(200, format!("{}\n", post.header("x-challenge"))));
    let ear = stage.ask(&willing.url(), &owner).unwrap();
    let hook = ear.opened();
    let asked = willing.next();
    assert!(asked.header("x-challenge").len() == 32 && asked.body.is_empty());
    hook.post(body(0));
    assert_eq!(willing.next().header("x-challenge"), "");
    let repeating = Place::open(|_, post| Reply::Say(200, post.body.clone()));
    let unwilling = Place::open(|_, post| Reply::Say(403, post.header("x-challenge").to_owned()));
    for place in [repeating, unwilling] {
        assert!(stage.ask(&place.url(), &owner).unwrap().refused().contains("X-Challenge"));
    }
    assert_eq!(stage.hooks.len(), 1);
}

#[test]
fn what_has_no_room_is_told_with_what_has() {
    let mut settings = settings();
    settings.queue.messages = 3;
    let gate = Arc::new(std::sync::Barrier::new(2));
    let opens = Arc::clone(&gate);
    let place = Place::open(move |n, _| {
        if n == 0 {
            opens.wait();
        }
        ok()
    });
    let stage = Stage::build(settings);
    let (hook, _ear) = stage.open(&place.url());
    hook.post(body(0));
    while place.connections() == 0 {
        std::thread::yield_now();
    }
    (1..=10).for_each(|n| hook.post(body(n)));
    hook.miss(2);
    gate.wait();
    let told: Vec<_> =
        (0..3).map(|_| place.next()).map(|p| (p.body.clone(), p.header("x-missed").to_owned())).collect();
    let expected = [("{\"n\":0}", ""), ("{\"n\":9}", "8"), ("{\"n\":10}", "")];
    assert_eq!(told, expected.map(|(b, m)| (b.to_owned(), m.to_owned())));
    hook.post(body(11));
    assert_eq!(place.next().header("x-missed"), "2");
    assert_eq!(stage.when(|v| v.delivered == 4).missed, 10);
}

#[test]
fn all_queues_together_have_a_bound() {
    let mut settings = settings();
    settings.memory = 10_000;
    let stage = Stage::build(settings);
    let hole = Place::open(|_, _| Reply::Nothing);
    let (first, _a) = stage.open(&hole.url());
    let (second, _b) = stage.open(&hole.url());
    first.post(Bytes::from(vec![b'x'; 9000]));
    second.post(Bytes::from(vec![b'x'; 9000]));
    second.post(body(1));
    let counts = stage.hooks.counts();
    assert_eq!((counts.queued.load(Ordering::Relaxed), counts.missed.load(Ordering::Relaxed)), (2, 1));
    drop((first, second));
    while counts.queued_bytes.load(Ordering::Relaxed) > 0 {
        std::thread::yield_now();
    }
    assert_eq!(counts.queued.load(Ordering::Relaxed), 0);
}

#[test]
fn an_answer_that_does_not_end_costs_its_connection_only() {
    let place = Place::open(|_, _| Reply::Say(200, "x".repeat(100_000)));
    let stage = Stage::build(settings());
    let (hook, _ear) = stage.open(&place.url());
    (0..3).for_each(|n| hook.post(body(n)));
    place.bodies(3);
    assert_eq!(stage.when(|v| v.delivered == 3).failed, 0);
    assert_eq!(place.connections(), 3);
}

#[test]
fn a_hook_that_is_let_go_posts_nothing_more_and_gives_its_place_back() {
    let mut settings = settings();
    (settings.per_principal, settings.per_host) = (2, 3);
    let stage = Stage::build(settings);
    let hole = Place::open(|_, _| Reply::Nothing);
    let who = |n| {
        let principal = Principal { address: PrincipalId::new(n), ..Principal::anonymous(Vec::new()) };
        Owner::of(0, Some(&Arc::new(principal)))
    };
    let ann: Vec<_> = (0..2).map(|_| stage.ask(&hole.url(), &who(1)).unwrap()).collect();
    let hooks: Vec<_> = ann.iter().map(hooks_common::Ear::opened).collect();
    let refused = |n| stage.ask(&hole.url(), &who(n)).err();
    assert_eq!(refused(1), Some(Refusal::TooManyHooks { max: 2, of: "principal" }));
    let bob = stage.ask(&hole.url(), &who(2)).unwrap().opened();
    assert_eq!(refused(2), Some(Refusal::TooManyHooks { max: 3, of: "host" }));
    hooks[0].post(body(0));
    hooks[0].post(body(1));
    hole.next();
    drop((hooks, bob));
    assert!(stage.hooks.is_empty(), "at once");
    assert_eq!(hole.rest(), 0);
    assert_eq!(stage.ask(&hole.url(), &who(1)).unwrap().opened().number(), 4, "refusals take no place");
}

/// A receiver that speaks TLS with this certificate, for one connection.
fn tls_place(
    certificate: &rcgen::CertifiedKey<rcgen::KeyPair>,
) -> (u16, std::thread::JoinHandle<Option<String>>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
    let chain: Vec<CertificateDer<'static>> = vec![certificate.cert.der().clone()];
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = std::thread::spawn(move || {
        let (tcp, _): (TcpStream, _) = listener.accept().ok()?;
        let connection = rustls::ServerConnection::new(Arc::new(config)).ok()?;
        let mut reader = BufReader::new(rustls::StreamOwned::new(connection, tcp));
        let post = read(&mut reader)?;
        answer(reader.get_mut(), 200, "", "")?;
        Some(post.body)
    });
    (port, served)
}

#[test]
fn tls_is_spoken_with_those_who_are_trusted() {
    let certificate = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let mut trusting = settings();
    trusting.tls = trust(&[certificate.cert.der().clone()]).unwrap();
    let stage = Stage::build(trusting);
    let (port, served) = tls_place(&certificate);
    let (hook, _ear) = stage.open(&format!("https://localhost:{port}/"));
    hook.post(body(7));
    assert_eq!(served.join().unwrap().as_deref(), Some("{\"n\":7}"));
    let mut once = settings();
    once.queue.failures = 1;
    let stage = Stage::build(once);
    let (port, served) = tls_place(&certificate);
    let (hook, ear) = stage.open(&format!("https://localhost:{port}/"));
    hook.post(body(7));
    assert_eq!(ear.closed(), HookEnd::Dead);
    assert_eq!(served.join().unwrap(), None, "nothing was said to whom nobody vouches for");
}
