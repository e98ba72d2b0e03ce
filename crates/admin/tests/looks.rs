//! The admin listener on loopback: what is served, to whom, and what it cannot be used for.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test that is how it fails")]

use admin::{Bounds, View, serve};
use backplane::Alone;
use dialect::HookPlan;
use model::{Limits, Now};
use node::exchange::Plan;
use node::hooks::{HookSettings, News, Owner, SystemResolver, trust};
use node::{Clock, Control, Counters, Exchange, Hooks, LogCounts, StaticTokens};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

static LOG: LogCounts = LogCounts::new();

struct Stage {
    address: SocketAddr,
    exchange: Arc<Exchange>,
    _control: Control,
}

fn stage(token: Option<&str>, bounds: Bounds) -> Stage {
    let control = Control::start().unwrap();
    let mut settings = HookSettings::new(trust(&[]).unwrap());
    settings.guard.private = true;
    let hooks = Hooks::start(&control, settings, Box::new(SystemResolver), Clock::start());
    let exchange = Arc::new(Exchange::new(Plan {
        shards: 2,
        vhosts: Vec::new(),
        limits: Limits::default(),
        policies: Vec::new(),
        assigned: Vec::new(),
        authority: Box::new(StaticTokens::new(Vec::new(), None)),
        backplane: Box::new(Alone),
        hooks: Some(hooks),
        began: Now::default(),
    }));
    let view = Arc::new(View {
        exchange: Arc::clone(&exchange),
        dialects: vec!["one", "two"],
        log: &LOG,
        version: "1.2.3",
        began_ms: 1_700_000_000_123,
        token: token.map(Into::into),
        hosts: token.is_none().then(|| vec!["localhost".into(), "127.0.0.1".into(), "[::1]".into()]),
    });
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let listener = control.within(|| tokio::net::TcpListener::from_std(listener)).unwrap();
    control.spawn(serve(listener, view, bounds));
    Stage { address, exchange, _control: control }
}

fn open() -> Stage {
    stage(None, Bounds::default())
}

impl Stage {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Status, head and body of the answer to these lines.
    fn ask(&self, lines: &[&str]) -> (u16, String, String) {
        let mut stream = self.connect();
        write!(stream, "{}\r\n\r\n", lines.join("\r\n")).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_lowercase(), body.to_owned())
    }

    fn get(&self, path: &str) -> (u16, String, String) {
        self.ask(&[&format!("GET {path} HTTP/1.1"), "Host: localhost"])
    }
}

/// The value on the line that begins so.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|l| l.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
}

#[test]
fn what_was_counted_is_served() {
    let stage = open();
    let mut c = Counters { attached: 5, pending: 9, ..Counters::default() };
    c.closed[model::CloseReason::SlowConsumer.index()] = 2;
    *c.sessions_of(1) += 3;
    c.refuse(&model::Refusal::BadToken);
    c.refuse_request(404);
    c.turn.add(20);
    stage.exchange.totals.show(1, &mut c);
    let (status, head, text) = stage.get("/metrics");
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    for (series, expected) in [
        ("chappe_sessions{dialect=\"one\"}", 0.0),
        ("chappe_sessions{dialect=\"two\"}", 3.0),
        ("chappe_sessions_attached_total", 5.0),
        ("chappe_sessions_closed_total{reason=\"slow_consumer\"}", 2.0),
        ("chappe_pending_bytes", 9.0),
        ("chappe_refusals_total{rule=\"bad_token\"}", 1.0),
        ("chappe_http_rejections_total{status=\"404\"}", 1.0),
        ("chappe_turn_seconds_bucket{le=\"0.00001\"}", 0.0),
        ("chappe_turn_seconds_bucket{le=\"0.000025\"}", 1.0),
        ("chappe_turn_seconds_bucket{le=\"+Inf\"}", 1.0),
        ("chappe_turn_seconds_sum", 0.00002),
        ("chappe_channels{vhost=\"/\"}", 0.0),
        ("chappe_build_info{version=\"1.2.3\"}", 1.0),
        ("process_start_time_seconds", 1_700_000_000.123),
    ] {
        assert!((value(&text, series) - expected).abs() < 1e-9, "{series}: {}", value(&text, series));
    }
    assert!(value(&text, "process_resident_memory_bytes") > 0.0);
    let accept = "Accept: application/openmetrics-text; version=1.0.0";
    let (_, head, text) = stage.ask(&["GET /metrics HTTP/1.1", "Host: localhost", accept]);
    assert!(head.contains("application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(text.contains("# TYPE chappe_sessions_attached counter\n") && text.ends_with("# EOF\n"));
}

#[test]
fn callbacks_are_listed_without_what_their_urls_hold() {
    let stage = open();
    assert_eq!(stage.get("/hooks").2, "{\"hooks\":[],\"open\":0}\n");
    // Nobody listens at this port: it is taken by a listener that accepts nothing.
    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target = taken.local_addr().unwrap();
    let plan = HookPlan::new(format!("http://{target}/private/path?token=sesame"), "text/plain");
    let (tell, told) = std::sync::mpsc::channel();
    let hooks = stage.exchange.hooks.as_ref().unwrap();
    hooks.open(&plan, Owner::of(0, None), Box::new(move |news| drop(tell.send(news)))).unwrap();
    let News::Opened(hook) = told.recv().unwrap() else { panic!("it may be opened") };
    hook.post("first".into());
    hook.miss(3);
    let (status, head, body) = stage.get("/hooks");
    assert!(status == 200 && head.contains("content-type: application/json"), "{head}");
    let shown = format!("\"target\":\"{target}\"");
    for part in [shown.as_str(), "\"open\":1", "\"queued\":1", "\"missed\":3"] {
        assert!(body.contains(part), "{part}: {body}");
    }
    assert!(!body.contains("private") && !body.contains("sesame"), "{body}");
    let text = stage.get("/metrics").2;
    for (series, expected) in [
        ("chappe_hooks", 1.0),
        ("chappe_hooks_opened_total", 1.0),
        ("chappe_hook_queued_messages", 1.0),
        ("chappe_hook_messages_missed_total", 3.0),
        ("chappe_hook_posts_total{outcome=\"delivered\"}", 0.0),
    ] {
        assert!((value(&text, series) - expected).abs() < 1e-9, "{series}: {}", value(&text, series));
    }
}

#[test]
fn health_says_when_it_stops() {
    let stage = open();
    assert_eq!((stage.get("/healthz").0, stage.get("/readyz").0), (200, 200));
    stage.exchange.draining.store(true, Ordering::SeqCst);
    assert_eq!((stage.get("/healthz").0, stage.get("/readyz").0), (200, 503));
    assert!(value(&stage.get("/metrics").2, "chappe_draining") > 0.5);
}

#[test]
fn what_is_not_served_is_told_what_is() {
    let stage = open();
    let (status, _, body) = stage.get("/metrixx");
    assert!(status == 404 && body.contains("GET /metrics"), "{status} {body}");
    let (status, head, _) = stage.ask(&["POST /metrics HTTP/1.1", "Host: localhost", "Content-Length: 0"]);
    assert!(status == 405 && head.contains("allow: get,head"), "{status} {head}");
}

#[test]
fn only_this_machines_own_names_are_answered() {
    let stage = open();
    let host = |lines: &[&str]| stage.ask(lines).0;
    for good in ["localhost", "LOCALHOST:6890", "127.0.0.1:1", "[::1]", "[::1]:6890"] {
        assert_eq!(host(&["GET /metrics HTTP/1.1", &format!("Host: {good}")]), 200, "{good}");
    }
    for bad in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:6890", "", "::1"] {
        assert_eq!(host(&["GET /metrics HTTP/1.1", &format!("Host: {bad}")]), 403, "{bad}");
        assert_eq!(host(&["GET /healthz HTTP/1.1", &format!("Host: {bad}")]), 403, "{bad}");
    }
    assert_eq!(host(&["GET /metrics HTTP/1.1", "Host: localhost", "Host: evil.example"]), 403);
    assert_eq!(host(&["GET /metrics HTTP/1.0"]), 403);
}

#[test]
fn with_a_token_nothing_but_health_is_told_without() {
    let stage = stage(Some("sesame"), Bounds::default());
    let ask = |path: &str, more: &[&str]| {
        let mut lines = vec![format!("GET {path} HTTP/1.1"), "Host: any.example".into()];
        lines.extend(more.iter().map(ToString::to_string));
        stage.ask(&lines.iter().map(String::as_str).collect::<Vec<_>>())
    };
    for wrong in [
        &[][..],
        &["Authorization: Bearer sesam"],
        &["Authorization: Bearer sesamee"],
        &["Authorization: Bearer"],
        &["Authorization: Basic sesame"],
        &["Authorization: Bearer sesame", "Authorization: Bearer sesame"],
    ] {
        let (status, head, body) = ask("/metrics", wrong);
        assert!(status == 401 && head.contains("www-authenticate: bearer"), "{wrong:?}: {status}");
        assert!(!body.contains("sesame") && !body.contains("chappe_"), "{body}");
        assert_eq!(ask("/else", wrong).0, 401);
    }
    assert_eq!(ask("/metrics?token=sesame", &[]).0, 401);
    assert_eq!(ask("/metrics", &["Authorization: Bearer sesame"]).0, 200);
    assert_eq!(ask("/metrics", &["authorization: bearer sesame"]).0, 200);
    assert_eq!((ask("/healthz", &[]).0, ask("/readyz", &[]).0), (200, 200));
}

#[test]
fn who_holds_connections_does_not_hold_them_long() {
    let stage = stage(None, Bounds { connections: 2, patience: Duration::from_millis(200) });
    let mut idle = [stage.connect(), stage.connect(), stage.connect()];
    idle[1].write_all(b"GET /metrics HTTP/1.1\r\nHost: loc").unwrap();
    // It waits for its place behind all of them, and gets it.
    assert_eq!(stage.get("/healthz").0, 200);
    for stream in &mut idle {
        let mut said = Vec::new();
        // A reset is an end as well.
        drop(stream.read_to_end(&mut said));
        assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn large_heads_are_refused() {
    let stage = open();
    let long = format!("X: {}", "y".repeat(64 << 10));
    let mut stream = stage.connect();
    // It may be cut off before all of it is taken.
    drop(write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n{long}\r\n\r\n"));
    let mut said = String::new();
    drop(stream.read_to_string(&mut said));
    assert!(!said.starts_with("HTTP/1.1 200"), "{said}");
    assert_eq!(stage.get("/metrics").0, 200);
}
