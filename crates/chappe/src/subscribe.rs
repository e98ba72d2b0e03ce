//! `chappe sub`: listens, prints, and comes back when the connection is lost.
//!
//! [`line`] is how a message is printed, [`unread`] how it is noticed that nobody reads any more.

mod line;
mod unread;

use crate::cli::{self, Format};
use crate::client::{Client, Failure};
use crate::ending::{Stop, Trouble, say};
use crate::terminal::harmless;
use line::{Heard, Printer};
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, BufWriter, IsTerminal, Read, Stdout, Write};
use std::time::Duration;
use ureq::Body;

/// Bytes of a line, beyond which whoever sends it is no chappe.
const LINE_MAX: u64 = 256 << 20;
/// The first pause before coming back, and the longest.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Listens until enough was heard.
pub(crate) fn subscribe(options: &cli::Subscribe) -> Result<(), Stop> {
    let client = Client::new(&options.reach)?;
    let pretty = match options.format {
        Format::Pretty => true,
        Format::Ndjson => false,
        Format::Auto => std::io::stdout().is_terminal(),
    };
    unread::end_when_unread();
    let mut channels: Vec<&str> = Vec::new();
    for channel in &options.channels {
        if !channels.contains(&channel.as_str()) {
            channels.push(channel);
        }
    }
    let mut ear = Ear {
        options,
        printer: Printer::new(pretty, &channels),
        channels,
        client,
        out: BufWriter::new(std::io::stdout()),
        position: options.since.clone(),
        heard: 0,
        lively: false,
    };
    ear.listen()
}

struct Ear<'a> {
    options: &'a cli::Subscribe,
    channels: Vec<&'a str>,
    client: Client,
    printer: Printer,
    out: BufWriter<Stdout>,
    /// Of the last message of a single channel that keeps a window.
    position: Option<String>,
    /// Messages.
    heard: u64,
    /// Whether this connection has shown a sign of life.
    lively: bool,
}

/// Why a stream is not read any more.
enum Left {
    /// Enough was heard.
    Done,
    Lost(String),
}

impl Ear<'_> {
    fn listen(&mut self) -> Result<(), Stop> {
        let mut stream = self.open().map_err(|failure| failure.trouble)?;
        if std::io::stderr().is_terminal() {
            say(&format!("listening to {} at {}; Ctrl-C ends", self.places(), self.client.base()));
        }
        let mut pause = PAUSE;
        loop {
            self.lively = false;
            let lost = match self.read(stream)? {
                Left::Done => return Ok(()),
                Left::Lost(how) => how,
            };
            if self.options.no_reconnect {
                return Err(Trouble::failed(format!("{} is lost: {lost}", self.client.base())).into());
            }
            say(&format!("{} is lost: {lost}; coming back when it is there again", self.client.base()));
            // A server that lets everybody in and hangs up must not be asked without a pause.
            pause = if self.lively { PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            stream = self.come_back(&mut pause)?;
            say(&match &self.position {
                Some(position) => format!("listening again, from {} on", harmless(position)),
                None => "listening again; anything said meanwhile was missed".to_owned(),
            });
        }
    }

    fn open(&self) -> Result<Body, Failure> {
        let silence = Some(self.options.silence).filter(|s| *s > 0).map(Duration::from_secs);
        self.client.listen(&self.channels, self.position.as_deref(), silence)
    }

    /// Asks again until the server takes us, or says no for good.
    fn come_back(&self, pause: &mut Duration) -> Result<Body, Stop> {
        loop {
            std::thread::sleep(jittered(*pause));
            match self.open() {
                Ok(stream) => return Ok(stream),
                Err(failure) if failure.passing => *pause = (*pause * 2).min(LONGEST_PAUSE),
                Err(failure) => return Err(failure.trouble.into()),
            }
        }
    }

    /// Prints what comes.
    fn read(&mut self, stream: Body) -> Result<Left, Stop> {
        let mut input = BufReader::new(stream.into_reader());
        let mut line = Vec::new();
        loop {
            line.clear();
            match input.by_ref().take(LINE_MAX).read_until(b'\n', &mut line) {
                Ok(_) if line.ends_with(b"\n") => {}
                Ok(0) => return Ok(Left::Lost("the server has ended the stream".to_owned())),
                Ok(_) => return Ok(Left::Lost("a line was cut short".to_owned())),
                Err(e) => return Ok(Left::Lost(self.why(&e))),
            }
            self.lively = true;
            self.hear(&line)?;
            if self.options.count.is_some_and(|count| self.heard >= count) {
                self.out.flush()?;
                return Ok(Left::Done);
            }
            if input.buffer().is_empty() {
                self.out.flush()?;
            }
        }
    }

    fn why(&self, e: &std::io::Error) -> String {
        let timeout = e.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
        match timeout {
            Some(ureq::Error::Timeout(_)) => {
                format!("no sign of life for {} seconds", self.options.silence)
            }
            _ if e.kind() == std::io::ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
            _ => format!("{e}"),
        }
    }

    fn hear(&mut self, line: &[u8]) -> Result<(), Stop> {
        let text = std::str::from_utf8(line).ok().map(str::trim_ascii);
        // The server's sign of life.
        if text == Some("") {
            return Ok(());
        }
        let strange = || {
            let shown: String = String::from_utf8_lossy(line).chars().take(80).collect();
            let shown = format!("`{}` is no message", harmless(shown.trim_end()));
            Trouble::failed(format!("{} is no chappe: {shown}; name another with --url", self.client.base()))
        };
        let text = text.ok_or_else(strange)?;
        match line::read(text).ok_or_else(strange)? {
            Heard::Message(message) => {
                self.printer.message(&message, text, &mut self.out)?;
                if self.channels.len() == 1 && message.position.is_some() {
                    self.position = message.position.map(std::borrow::Cow::into_owned);
                }
                self.heard += 1;
            }
            Heard::Missed(missed) => {
                self.printer.missed(text, &mut self.out)?;
                say(&match missed {
                    Some(1) => "1 message was missed".to_owned(),
                    Some(n) => format!("{n} messages were missed"),
                    None => "messages were missed, nobody knows how many".to_owned(),
                });
            }
        }
        Ok(())
    }

    fn places(&self) -> String {
        let names: Vec<_> = self.channels.iter().map(|name| harmless(name)).collect();
        names.join(" and ")
    }
}

/// Between half of a pause and all of it, so that those who lost a server do not come back at once.
fn jittered(pause: Duration) -> Duration {
    // Each state has keys of its own: chance enough for this.
    let chance = RandomState::new().hash_one(0_u8) as f64 / u64::MAX as f64;
    pause.mul_f64(0.5 + chance / 2.0)
}
