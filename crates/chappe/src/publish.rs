//! `chappe pub`: messages out of an argument or of standard input, one request each. Knows HTTP by [`Client`].

use crate::cli;
use crate::client::{self, Client};
use crate::ending::{Stop, Trouble};
use crate::terminal::{grouped, harmless};
use node::Clock;
use serde::Deserialize;
use std::io::{BufRead, IsTerminal, Read, Write};
use std::time::Duration;
use ureq::http::HeaderValue;

/// Publishes what was asked for.
pub(crate) fn publish(options: &cli::Publish) -> Result<(), Stop> {
    let source = Source::of(options)?;
    let mut run = Run {
        client: Client::new(&options.reach)?,
        options,
        event: options.event.as_deref().map(client::event).transpose()?,
        manner: Manner::of(options, &source),
        clock: Clock::start(),
        published: 0,
        members: 0,
    };
    let outcome = run.all(&source);
    if let (Err(Stop::Trouble(trouble)), true) = (&outcome, run.published > 0) {
        let before = count(run.published);
        return Err(Trouble::failed(format!("{} ({before} had been published)", trouble.words())).into());
    }
    outcome?;
    run.sum_up()
}

/// Where messages come from.
enum Source {
    Given(String),
    Lines,
    Whole,
}

impl Source {
    fn of(options: &cli::Publish) -> Result<Self, Trouble> {
        match options.payload.as_deref() {
            None if options.whole => Ok(Self::Whole),
            Some("-") => Ok(Self::Lines),
            Some(payload) => Ok(Self::Given(payload.to_owned())),
            None if !std::io::stdin().is_terminal() => Ok(Self::Lines),
            None => Err(Trouble::usage(
                "there is nothing to publish: add the payload, pipe lines into this command, or type them after `-`",
            )),
        }
    }
}

/// What is said about messages that were published.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Nothing,
    /// The server's answer to each, on a line.
    Answers,
    /// A sentence for each.
    Sentences,
    /// A sentence at the end.
    Sum,
}

impl Manner {
    fn of(options: &cli::Publish, source: &Source) -> Self {
        if options.quiet {
            return Self::Nothing;
        }
        if !std::io::stdout().is_terminal() {
            return Self::Answers;
        }
        let typed = matches!(source, Source::Lines) && std::io::stdin().is_terminal();
        let one = options.repeat == 1 && !matches!(source, Source::Lines);
        if typed || one { Self::Sentences } else { Self::Sum }
    }
}

struct Run<'a> {
    client: Client,
    options: &'a cli::Publish,
    event: Option<HeaderValue>,
    manner: Manner,
    clock: Clock,
    published: u64,
    /// Members when the last message was published.
    members: u64,
}

impl Run<'_> {
    fn all(&mut self, source: &Source) -> Result<(), Stop> {
        let unreadable = |e: std::io::Error| Trouble::failed(format!("standard input cannot be read: {e}"));
        let mut input = std::io::stdin().lock();
        let mut body = Vec::new();
        match source {
            Source::Given(payload) => self.message(payload.as_bytes()),
            Source::Whole => {
                input.read_to_end(&mut body).map_err(unreadable)?;
                self.message(&body)
            }
            Source::Lines => {
                while input.read_until(b'\n', &mut body).map_err(unreadable)? > 0 {
                    let line = body.strip_suffix(b"\n").unwrap_or(&body);
                    self.message(line.strip_suffix(b"\r").unwrap_or(line))?;
                    body.clear();
                }
                Ok(())
            }
        }
    }

    /// Publishes a message as often as it was asked for.
    fn message(&mut self, body: &[u8]) -> Result<(), Stop> {
        for _ in 0..self.options.repeat {
            self.wait_until_due();
            let media = media(self.options.sort);
            let words = (self.event.as_ref(), media);
            let answer =
                self.client.publish(&self.options.channel, words, body).map_err(|failure| failure.trouble)?;
            self.published += 1;
            self.report(answer.trim_end())?;
        }
        Ok(())
    }

    fn wait_until_due(&self) {
        let Some(rate) = self.options.rate else { return };
        // A rate is positive; one so small that the time is no number of ours waits for ever.
        let due = Duration::try_from_secs_f64(self.published as f64 / rate).unwrap_or(Duration::MAX);
        let now = Duration::from_millis(self.clock.now().time.0);
        std::thread::sleep(due.saturating_sub(now));
    }

    fn report(&mut self, answer: &str) -> Result<(), Stop> {
        #[derive(Deserialize)]
        struct Published {
            members: u64,
        }
        let Ok(Published { members }) = serde_json::from_str(answer) else {
            let base = self.client.base();
            let words = format!("what answers at {base} is no chappe: name another with --url");
            return Err(Trouble::failed(words).into());
        };
        self.members = members;
        match self.manner {
            Manner::Nothing | Manner::Sum => Ok(()),
            Manner::Answers => self.tell(&format!("{answer}\n")),
            Manner::Sentences => {
                let channel = harmless(&self.options.channel);
                self.tell(&format!("published to {channel}, which has {}\n", audience(members)))
            }
        }
    }

    /// Prints. That nobody reads the answers is no reason to leave what comes unpublished.
    fn tell(&mut self, text: &str) -> Result<(), Stop> {
        match print(text) {
            Err(Stop::Unread) => {
                self.manner = Manner::Nothing;
                Ok(())
            }
            other => other,
        }
    }

    fn sum_up(&self) -> Result<(), Stop> {
        if self.manner != Manner::Sum {
            return Ok(());
        }
        let (messages, channel) = (count(self.published), harmless(&self.options.channel));
        print(&format!("published {messages} to {channel}, which has {}\n", audience(self.members)))
    }
}

fn print(text: &str) -> Result<(), Stop> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// What the server is told about the payload; nothing: it finds out.
fn media(sort: cli::Sort) -> Option<&'static str> {
    match (sort.json, sort.text, sort.bytes) {
        (true, _, _) => Some("application/json"),
        (_, true, _) => Some("text/plain"),
        (_, _, true) => Some("application/octet-stream"),
        (false, false, false) => None,
    }
}

fn count(messages: u64) -> String {
    if messages == 1 { "1 message".to_owned() } else { format!("{} messages", grouped(messages)) }
}

fn audience(members: u64) -> String {
    match members {
        0 => "no members".to_owned(),
        1 => "1 member".to_owned(),
        n => format!("{} members", grouped(n)),
    }
}
