//! Servers and commands of a test, none of which outlives it, and none of which is waited for without an end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// The longest wait for anything, in looks and the pause between two.
const LOOKS: usize = 1500;
const LOOK: Duration = Duration::from_millis(20);
/// The same for a line of output.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program, which knows nothing of the variables around this test, nor whether whoever runs it ignores Ctrl-C.
pub(crate) fn chappe(arguments: &[&str]) -> Command {
    let mut command = Command::new("env");
    command.args(["--default-signal=INT", env!("CARGO_BIN_EXE_chappe")]);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CHAPPE") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Looks until it is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..LOOKS {
        if is_so() {
            return;
        }
        thread::sleep(LOOK);
    }
    panic!("waited in vain: {what}");
}

/// What a command that has ended said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Said {
    Running::start(command).end()
}

/// A command that runs.
pub(crate) struct Running {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let out = lines(child.stdout.take().unwrap());
        let err = lines(child.stderr.take().unwrap());
        Self { child, out, err }
    }

    /// Its standard input, for who has piped one.
    pub(crate) fn input(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// The next line it prints, without its end.
    pub(crate) fn line(&self) -> String {
        let line = self.out.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it printed no line"));
        line.trim_end_matches('\n').to_owned()
    }

    /// Waits until it has said this on standard error, and gives the line.
    pub(crate) fn news(&self, words: &str) -> String {
        loop {
            let line = self.err.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it never said `{words}`"));
            if line.contains(words) {
                return line;
            }
        }
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the end of a command", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Waits for the end; gives what was not read so far.
    pub(crate) fn end(mut self) -> Said {
        let code = self.wait().code();
        Said { code, out: self.out.iter().collect(), err: self.err.iter().collect() }
    }

    /// The process, for signals.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (say, hear) = channel();
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            if say.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
    hear
}

/// A process whose ends the test holds itself; it does not outlive the test either.
pub(crate) struct Leash(pub(crate) Child);

impl Drop for Leash {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A server.
pub(crate) struct House {
    running: Running,
    pub(crate) address: String,
}

impl House {
    /// At a port that the system chooses, with these lines of configuration.
    pub(crate) fn start(configuration: &str) -> Self {
        Self::start_at("127.0.0.1:0", configuration)
    }

    pub(crate) fn start_at(address: &str, configuration: &str) -> Self {
        let file = scratch("toml", configuration);
        let arguments = ["serve", "--listen", address, "--shards", "2", "--config", &file];
        let running = Running::start(&mut chappe(&arguments));
        let banner = running.line();
        let (_, rest) = banner.split_once("http://").unwrap_or_else(|| panic!("{banner}"));
        let address = rest.split_whitespace().next().unwrap().to_owned();
        Self { running, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn pid(&self) -> String {
        self.running.pid().to_string()
    }

    /// A command against this server.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = chappe(arguments);
        command.env("CHAPPE_URL", self.url());
        command
    }

    /// Runs a command against this server that must go well.
    pub(crate) fn done(&self, arguments: &[&str]) -> Said {
        let said = run(&mut self.command(arguments));
        assert_eq!(said.code, Some(0), "{arguments:?}: {}", said.err);
        said
    }

    /// Starts a command against this server.
    pub(crate) fn begin(&self, arguments: &[&str]) -> Running {
        Running::start(&mut self.command(arguments))
    }

    /// Starts to listen, and waits until the server counts so many members.
    pub(crate) fn listen(&self, channel: &str, members: usize, arguments: &[&str]) -> Running {
        let arguments: Vec<&str> = ["sub", channel].iter().chain(arguments).copied().collect();
        let listener = self.begin(&arguments);
        self.wait_for_members(channel, members);
        listener
    }

    pub(crate) fn wait_for_members(&self, channel: &str, members: usize) {
        let row = format!("{{\"channel\":\"{channel}\",\"members\":{members}}}");
        wait_until(&row, || self.channels().contains(&row));
    }

    fn channels(&self) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!("GET /c HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

/// A file of this test run with that in it; gives its path.
pub(crate) fn scratch(extension: &str, text: &str) -> String {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("commands-{}-{number}.{extension}", std::process::id());
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}
