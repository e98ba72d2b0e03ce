//! The built program as an operator sees it: its log on good and bad paper, its admin listener, its end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test that is how it fails")]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

/// `chappe serve` on ports the system has chosen.
struct Server {
    child: Child,
    banner: Vec<String>,
    stdout: Option<BufReader<ChildStdout>>,
}

impl Server {
    fn start(arguments: &[&str], environment: &[(&str, &str)], stderr: impl Into<Stdio>) -> Self {
        let arguments = [&["--listen", "127.0.0.1:0", "--shards", "2"], arguments].concat();
        Self::serve(&arguments, environment, stderr)
    }

    fn serve(arguments: &[&str], environment: &[(&str, &str)], stderr: impl Into<Stdio>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chappe"));
        command.arg("serve").args(arguments);
        command.env("CHAPPE__ADMIN__ADDRESS", "127.0.0.1:0").envs(environment.iter().copied());
        let child = command.stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let mut server = Self { child, banner: Vec::new(), stdout: None };
        let mut stdout = BufReader::new(server.child.stdout.take().unwrap());
        while !server.banner.last().is_some_and(|line| line.starts_with("Ctrl-C")) {
            let mut line = String::new();
            assert!(stdout.read_line(&mut line).unwrap() > 0, "it ended early: {:?}", server.banner);
            server.banner.push(line);
        }
        // It stays open as long as the server.
        server.stdout = Some(stdout);
        server
    }

    /// The address behind these words of the banner.
    fn address(&self, before: &str) -> SocketAddr {
        let all = self.banner.concat();
        let rest = all.split_once(before).unwrap_or_else(|| panic!("no {before} in {all}")).1;
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').unwrap();
        rest[..end].parse().unwrap()
    }

    fn main(&self) -> SocketAddr {
        self.address("listening at http://")
    }

    fn admin(&self) -> SocketAddr {
        self.address("  metrics    curl http://")
    }

    fn ask_to_end(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    fn end(mut self) -> (ExitStatus, String) {
        self.ask_to_end();
        let mut said = String::new();
        if let Some(stderr) = self.child.stderr.as_mut() {
            stderr.read_to_string(&mut said).unwrap();
        }
        (self.child.wait().unwrap(), said)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is as wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(stream)
}

/// Status and body of the answer to GET; 0 when there is none.
fn get(address: SocketAddr, path: &str, header: &str) -> (u16, String) {
    let answer = || {
        let mut stream = connect(address)?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text).map(|_| text)
    };
    let text = answer().unwrap_or_default();
    let status = text.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    (status, text.split_once("\r\n\r\n").map(|t| t.1.to_owned()).unwrap_or_default())
}

fn metric(server: &Server, name: &str) -> f64 {
    let (_, text) = get(server.admin(), "/metrics", "");
    let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

/// A WebSocket that has been greeted.
fn websocket(server: &Server) -> TcpStream {
    let mut stream = connect(server.main()).unwrap();
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13";
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{key}\r\n\r\n"
    )
    .unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"}") {
        let mut piece = [0; 1024];
        let n = stream.read(&mut piece).unwrap();
        assert!(n > 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&piece[..n]);
    }
    stream
}

/// A peer that breaks the protocol, which is worth a line at `debug`.
fn misbehave(server: &Server) {
    let mut stream = websocket(server);
    stream.write_all(&[0xff, 0xff, 0xff]).unwrap();
    drop(stream.read_to_end(&mut Vec::new()));
}

/// The status of a GET.
fn status(address: SocketAddr, path: &str) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response.get(9..12).and_then(|status| status.parse().ok()).unwrap()
}

#[test]
fn presets_stand_where_others_stood() {
    const OPEN: &str = "/socket.io/?EIO=4&transport=polling";
    let broker = Server::serve(&["--preset", "humble-broker", "--port", "0"], &[], Stdio::null());
    assert!(broker.main().ip().is_loopback());
    assert_eq!((status(broker.main(), OPEN), status(broker.main(), "/health")), (200, 404));
    let messaging = Server::serve(&["--preset", "messaging"], &[("PORT", "0")], Stdio::null());
    assert!(messaging.main().ip().is_loopback());
    assert_eq!((status(messaging.main(), OPEN), status(messaging.main(), "/health")), (200, 200));
}

#[test]
fn a_full_disk_under_the_log_stops_nobody() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let server = Server::start(&["--log", "debug"], &[], full);
    misbehave(&server);
    assert_eq!(get(server.main(), "/healthz", "").0, 200);
    // The line is written by a thread of its own, sooner or later.
    while metric(&server, "chappe_log_lines_dropped_total") < 2.0 {}
    assert!(server.end().0.success());
}

#[test]
fn nobody_reading_the_log_stops_nobody() {
    let mut server = Server::start(&["--log", "debug"], &[], Stdio::piped());
    drop(server.child.stderr.take());
    misbehave(&server);
    while metric(&server, "chappe_log_lines_dropped_total") < 1.0 {}
    assert_eq!(get(server.main(), "/healthz", "").0, 200);
    assert!(server.end().0.success());
}

#[test]
fn json_lines_tell_the_whole_story() {
    let server = Server::start(&["--log", "debug", "--log-format", "json"], &[], Stdio::piped());
    let _stays = websocket(&server);
    misbehave(&server);
    let (main, admin) = (server.main().to_string(), server.admin().to_string());
    let (status, said) = server.end();
    assert!(status.success(), "{said}");
    let lines: Vec<serde_json::Value> =
        said.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect();
    let find = |message: &str| {
        let found = lines.iter().find(|l| l["message"].as_str().is_some_and(|m| m.starts_with(message)));
        &found.unwrap_or_else(|| panic!("no {message} in {said}"))["fields"]
    };
    let serving = find("serving");
    assert!(serving["addresses"].as_str().unwrap().contains(&main), "{serving}");
    assert_eq!(serving["admin"], admin.as_str());
    assert_eq!((&serving["posture"], &serving["shards"]), (&"Loopback".into(), &2.into()));
    assert_eq!(find("a peer broke the WebSocket protocol")["code"], 1002);
    assert_eq!(find("stopping")["sessions"], 1);
    let stopped = find("stopped");
    assert_eq!(
        (&stopped["told"], &stopped["attached"], &stopped["closed"]),
        (&1.into(), &2.into(), &2.into())
    );
}

#[test]
fn while_it_stops_it_is_not_ready_and_the_admin_listener_does_not_hold_it() {
    let server = Server::start(&[], &[("CHAPPE__LIMITS__DRAIN_TIMEOUT", "3")], Stdio::null());
    let _stays = websocket(&server);
    let admin = server.admin();
    assert_eq!((get(admin, "/readyz", "").0, get(server.main(), "/readyz", "").0), (200, 200));
    let _idle = connect(admin).unwrap();
    server.ask_to_end();
    loop {
        match get(admin, "/readyz", "").0 {
            200 => {}
            status => break assert_eq!(status, 503),
        }
    }
    assert_eq!(get(admin, "/healthz", "").0, 200);
    assert_ne!(get(server.main(), "/readyz", "").0, 200, "nobody new is let in");
    let mut server = server;
    assert!(server.child.wait().unwrap().success());
}

#[test]
fn secrets_are_in_no_line_whatever_is_logged() {
    let config = [
        ("CHAPPE__ADMIN__TOKEN", "sesame-admin"),
        ("CHAPPE__AUTH__TOKEN", "[{name='a',token='sesame-client',grants=['READ **']}]"),
    ];
    let server = Server::start(&["--log", "trace"], &config, Stdio::piped());
    let ask = |address, path: &str, secret: &str| {
        get(address, path, &format!("Authorization: Bearer {secret}\r\n")).0
    };
    assert_eq!(ask(server.admin(), "/metrics", "sesame-wrong"), 401);
    assert_eq!(ask(server.admin(), "/metrics", "sesame-admin"), 200);
    assert_eq!(ask(server.main(), "/c", "sesame-wrong"), 401);
    assert_eq!(ask(server.main(), "/c", "sesame-client"), 200);
    assert_eq!(get(server.main(), "/c?token=sesame-wrong", "").0, 401);
    assert_eq!(get(server.main(), "/c?token=sesame-client", "").0, 200);
    let (status, said) = server.end();
    assert!(status.success() && said.contains("a command is refused"), "{said}");
    assert!(!said.contains("sesame"), "{said}");
}
