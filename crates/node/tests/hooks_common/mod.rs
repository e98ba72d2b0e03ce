//! Receivers of hooks, on loopback, that behave as they are told; and a node's hooks without the node.

use bytes::Bytes;
use dialect::{HookEnd, HookPlan};
use model::Refusal;
use node::hooks::{
    Guard, Hook, HookSettings, HookView, Hooks, News, Owner, Resolved, Resolver, SystemResolver, trust,
};
use node::{Clock, Control};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::Duration;

/// How long something may take that happens at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A POST as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) line: String,
    /// By name in lower case.
    pub(crate) headers: HashMap<String, String>,
    /// The head as it stands.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What a receiver does with a POST.
pub(crate) enum Reply {
    /// Answers and keeps the connection.
    Say(u16, String),
    /// The same, with a line in the head.
    SayWith(u16, String),
    /// Answers as if it kept the connection, and ends it.
    SayAndLeave(u16),
    /// Ends the connection.
    Leave,
    /// Keeps it and says nothing, ever.
    Nothing,
}

pub(crate) fn ok() -> Reply {
    Reply::Say(200, String::new())
}

pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
    received: Mutex<Receiver<Received>>,
}

impl Place {
    /// A receiver that answers the nth POST, from 0, as `reply` says.
    pub(crate) fn open(reply: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (tell, received) = channel();
        let (counted, reply) = (Arc::clone(&connections), Arc::new(reply));
        spawn(move || {
            let number = Arc::new(AtomicUsize::new(0));
            for stream in listener.incoming().map_while(Result::ok) {
                counted.fetch_add(1, Ordering::SeqCst);
                let (tell, reply, number) = (tell.clone(), Arc::clone(&reply), Arc::clone(&number));
                spawn(move || attend(&stream, &*reply, &number, &tell));
            }
        });
        Self { address, connections, received: Mutex::new(received) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The next POST.
    pub(crate) fn next(&self) -> Received {
        self.received.lock().unwrap().recv_timeout(PATIENCE).unwrap()
    }

    pub(crate) fn bodies(&self, n: usize) -> Vec<String> {
        (0..n).map(|_| self.next().body).collect()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// What has arrived and was not looked at.
    pub(crate) fn rest(&self) -> usize {
        self.received.lock().unwrap().try_iter().count()
    }
}

/// Reads a POST.
pub(crate) fn read(reader: &mut impl BufRead) -> Option<Received> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut lines = head.lines();
    let line = lines.next()?.to_owned();
    let headers: HashMap<_, _> = lines
        .filter_map(|l| l.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let mut body = vec![0; headers.get("content-length").and_then(|n| n.parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Received { line, headers, head, body: String::from_utf8(body).ok()? })
}

fn attend(
    stream: &TcpStream,
    reply: &dyn Fn(usize, &Received) -> Reply,
    number: &AtomicUsize,
    tell: &Sender<Received>,
) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let received = read(&mut reader)?;
        let reply = reply(number.fetch_add(1, Ordering::SeqCst), &received);
        tell.send(received).ok()?;
        match reply {
            Reply::Say(status, body) => answer(&mut writer, status, "", &body)?,
            Reply::SayWith(status, line) => answer(&mut writer, status, &line, "")?,
            Reply::SayAndLeave(status) => {
                answer(&mut writer, status, "", "")?;
                return None;
            }
            Reply::Leave => return None,
            // Until the other side has had enough.
            Reply::Nothing => return reader.read(&mut [0]).ok().map(drop),
        }
    }
}

pub(crate) fn answer(out: &mut impl Write, status: u16, line: &str, body: &str) -> Option<()> {
    let length = body.len();
    let answer = format!("HTTP/1.1 {status} X\r\n{line}Content-Length: {length}\r\n\r\n{body}");
    out.write_all(answer.as_bytes()).ok()
}

/// Hooks that are tried again soon, and may lead to this machine.
pub(crate) fn settings() -> HookSettings {
    let mut settings = HookSettings::new(trust(&[]).unwrap());
    settings.guard = Guard { private: true, ..Guard::default() };
    settings.queue.backoff = Duration::from_millis(10);
    settings.queue.backoff_max = Duration::from_millis(40);
    settings.queue.failures = 4;
    settings
}

pub(crate) struct Stage {
    pub(crate) hooks: Hooks,
    pub(crate) clock: Clock,
    _control: Control,
}

/// What the opener of a hook hears.
pub(crate) struct Ear(Receiver<News>);

impl Ear {
    pub(crate) fn news(&self) -> News {
        self.0.recv_timeout(PATIENCE).unwrap()
    }

    pub(crate) fn opened(&self) -> Hook {
        match self.news() {
            News::Opened(hook) => hook,
            other @ (News::Refused(_) | News::Closed { .. }) => panic!("{other:?}"),
        }
    }

    pub(crate) fn closed(&self) -> HookEnd {
        match self.news() {
            News::Closed { why, .. } => why,
            other @ (News::Opened(_) | News::Refused(_)) => panic!("{other:?}"),
        }
    }

    pub(crate) fn refused(&self) -> String {
        match self.news() {
            News::Refused(refusal) => refusal.to_string(),
            other @ (News::Opened(_) | News::Closed { .. }) => panic!("{other:?}"),
        }
    }
}

impl Stage {
    pub(crate) fn build(settings: HookSettings) -> Self {
        Self::with(settings, Box::new(SystemResolver))
    }

    pub(crate) fn with(settings: HookSettings, resolver: Box<dyn Resolver>) -> Self {
        let (control, clock) = (Control::start().unwrap(), Clock::start());
        let hooks = Hooks::start(&control, settings, resolver, clock);
        Self { hooks, clock, _control: control }
    }

    pub(crate) fn ask(&self, url: &str, owner: &Owner) -> Result<Ear, Refusal> {
        let (tell, news) = channel();
        let plan = HookPlan::new(url, "application/json").with("X-Server-Name", "Puppet");
        // Who does not listen any more need not be told.
        self.hooks.open(&plan, owner.clone(), Box::new(move |news| drop(tell.send(news)))).map(|()| Ear(news))
    }

    pub(crate) fn open(&self, url: &str) -> (Hook, Ear) {
        let ear = self.ask(url, &Owner::of(0, None)).unwrap();
        (ear.opened(), ear)
    }

    /// The only hook, once it is as expected.
    pub(crate) fn when(&self, is: impl Fn(&HookView) -> bool) -> HookView {
        for _ in 0..3000 {
            if let Some(view) = self.hooks.list().into_iter().find(|v| is(v)) {
                return view;
            }
            sleep(Duration::from_millis(10));
        }
        panic!("never: {:?}", self.hooks.list());
    }
}

pub(crate) fn body(n: usize) -> Bytes {
    Bytes::from(format!("{{\"n\":{n}}}"))
}

/// A resolver that answers what it is told, in turn; the last for ever.
pub(crate) struct Oracle {
    pub(crate) answers: Vec<Vec<&'static str>>,
    pub(crate) asked: Arc<AtomicUsize>,
}

impl Resolver for Oracle {
    fn resolve<'a>(&'a self, _: &'a str, port: u16) -> Resolved<'a> {
        let turn = self.asked.fetch_add(1, Ordering::SeqCst).min(self.answers.len() - 1);
        let found = self.answers[turn].iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).collect();
        Box::pin(async move { Ok(found) })
    }
}
