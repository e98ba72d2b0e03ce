//! The built server as a child of ours: started on a free port, waited for, ended, and looked at for what it said.

use super::wait;
use crate::report::{self, Trouble};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

const TIME_TO_START: Duration = Duration::from_secs(20);
/// A little more than its own time to drain.
const TIME_TO_STOP: Duration = Duration::from_secs(8);
/// Between taking a free port and the server's binding it, somebody else may be quicker.
const ATTEMPTS: u32 = 3;

/// How the server is started. The one place that knows its flags.
fn serve(binary: &Path, flags: &[OsString], port: u16, admin_port: u16) -> Command {
    let mut command = Command::new(binary);
    command.args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--shards", "2"]).args(flags);
    command.env("CHAPPE__ADMIN__ADDRESS", format!("127.0.0.1:{admin_port}"));
    command.env("RUST_BACKTRACE", "1");
    command
}

/// A server that answers.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(super) admin_port: u16,
    child: Child,
    log: PathBuf,
    /// How much of the log has been looked at.
    looked_at: usize,
}

impl Server {
    /// Starts it on a free port, with these flags besides, and waits until `GET /healthz` is answered with 200.
    pub(crate) fn start(binary: &Path, flags: &[OsString], log: &Path) -> Result<(String, Self), Trouble> {
        let remedy = format!("see {}; the flags are in xtask/src/interop/server.rs", log.display());
        let mut attempt = 1;
        loop {
            let [port, admin_port] =
                free_ports().map_err(|e| Trouble::new(format!("no free port: {e}"), "look at `ss -tln`"))?;
            let child = report::spawn(&mut serve(binary, flags, port, admin_port), log)?;
            let mut server = Self { port, admin_port, child, log: log.to_path_buf(), looked_at: 0 };
            match server.answers() {
                Ok(()) => return Ok((format!("port {port}"), server)),
                Err(why) if attempt < ATTEMPTS && is_taken(&report::tail(log)) => {
                    attempt += 1;
                    drop(why);
                }
                Err(why) => return Err(Trouble::new(format!("{why}\n{}", report::tail(log)), remedy)),
            }
        }
    }

    fn answers(&mut self) -> Result<(), String> {
        let end = Instant::now() + TIME_TO_START;
        let mut last = String::new();
        while Instant::now() < end {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("the server ended with {status} before it answered"));
            }
            match health(self.port) {
                Ok(line) if line.split(' ').nth(1) == Some("200") => return Ok(()),
                Ok(line) => last = line,
                Err(e) => last = e.to_string(),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("GET /healthz was not answered with 200 within {} s: {last}", TIME_TO_START.as_secs()))
    }

    /// The process, for those who look at what it holds.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An error unless it answers, and has neither ended nor panicked.
    pub(crate) fn is_well(&mut self) -> Result<(), Trouble> {
        self.still_well()?;
        self.answers().map_err(|why| Trouble::new(why, "see what its shards do, with a debugger"))
    }

    /// An error when it has ended or panicked.
    pub(crate) fn still_well(&mut self) -> Result<(), Trouble> {
        if let Ok(Some(status)) = self.child.try_wait() {
            let what = report::said("chappe serve", status, &self.log);
            return Err(Trouble::new(what, "a client brought the server down: the log says where"));
        }
        self.panicked()
    }

    /// Asks it to end, and expects it to do so soon and well.
    pub(crate) fn stop(&mut self) -> Result<String, Trouble> {
        self.still_well()?;
        report::works(Command::new("kill").args(["-TERM", &self.child.id().to_string()]));
        let Some(status) = wait(&mut self.child, TIME_TO_STOP) else {
            let what = format!(
                "still there {} s after SIGTERM\n{}",
                TIME_TO_STOP.as_secs(),
                report::tail(&self.log)
            );
            return Err(Trouble::new(what, "its drain does not end, though every client has gone"));
        };
        if !status.success() {
            let what = report::said("chappe serve", status, &self.log);
            return Err(Trouble::new(what, "SIGTERM is an ordinary end: the exit code should be 0"));
        }
        self.panicked()?;
        Ok(String::new())
    }

    pub(super) fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// A panic that ended one session only is one too many as well. Each is told once.
    fn panicked(&mut self) -> Result<(), Trouble> {
        let bytes = fs::read(&self.log).unwrap_or_default();
        let news = bytes.get(self.looked_at..).unwrap_or_default();
        self.looked_at = bytes.len();
        if String::from_utf8_lossy(news).contains("panicked at") {
            let what = format!("the server panicked\n{}", report::tail(&self.log));
            return Err(Trouble::new(what, "no peer may reach a panic: find the line in the log"));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is as wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The status line of `GET /healthz`.
fn health(port: u16) -> io::Result<String> {
    let time = Duration::from_secs(1);
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), time)?;
    stream.set_read_timeout(Some(time))?;
    write!(stream, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.take(4096).read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn is_taken(said: &str) -> bool {
    ["in use", "taken"].iter().any(|words| said.to_lowercase().contains(words))
}

/// Both held until both are known, so that they differ.
fn free_ports() -> io::Result<[u16; 2]> {
    let any = (Ipv4Addr::LOCALHOST, 0);
    let both = [TcpListener::bind(any)?, TcpListener::bind(any)?];
    Ok([both[0].local_addr()?.port(), both[1].local_addr()?.port()])
}
