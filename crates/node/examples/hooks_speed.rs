//! Measures by hand how fast hooks post to a receiver on this machine that keeps its connections:
//! `cargo run --release -p node --example hooks_speed -- HOOKS MESSAGES BYTES`.
//!
//! The receiver runs in the same process, on a thread for each connection; what the control thread used is told apart.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a tool for people who measure")]

use bytes::Bytes;
use dialect::HookPlan;
use node::hooks::{Guard, HookSettings, Hooks, News, Owner, Signer, SystemResolver, trust};
use node::{Clock, Control};
use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

/// Answers whatever comes in whole heads and bodies of `length` bytes behind them.
fn attend(mut stream: TcpStream, length: usize) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 64 << 10];
    let mut filled = 0;
    loop {
        let n = stream.read(buffer.get_mut(filled..).unwrap_or_default())?;
        if n == 0 {
            return Ok(());
        }
        filled += n;
        let head = buffer.get(..filled).unwrap_or_default().windows(4).position(|w| w == b"\r\n\r\n");
        if head.is_some_and(|head| filled >= head + 4 + length) {
            filled = 0;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
        }
    }
}

/// Ticks of a hundredth of a second that the threads of this name have used.
fn ticks(name: &str) -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let stats = tasks.filter_map(|t| std::fs::read_to_string(t.path().join("stat")).ok());
    let of = |stat: String| {
        let (head, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<u64> = rest.split(' ').skip(11).take(2).filter_map(|n| n.parse().ok()).collect();
        head.ends_with(&format!("({name}")).then(|| fields.iter().sum::<u64>())
    };
    stats.filter_map(of).sum()
}

fn main() -> Result<(), Box<dyn Error>> {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|n| n.parse().ok()).collect();
    let [count, messages, length] = *numbers.as_slice() else { return Err("HOOKS MESSAGES BYTES".into()) };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/", listener.local_addr()?);
    spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            spawn(move || attend(stream, length));
        }
    });
    let (control, clock) = (Control::start()?, Clock::start());
    let mut settings = HookSettings::new(trust(&[])?);
    settings.guard = Guard { private: true, ..Guard::default() };
    settings.signer = Some(Signer::new("a secret of more than 24 bytes")?);
    (settings.per_host, settings.per_principal) = (count, count);
    (settings.queue.messages, settings.queue.bytes, settings.memory) = (messages, 1 << 30, 1 << 33);
    let hooks = Hooks::start(&control, settings, Box::new(SystemResolver), clock);
    let (tell, told) = channel();
    let mut open = Vec::new();
    for _ in 0..count {
        let tell = tell.clone();
        let tell = move |news| drop(tell.send(news));
        hooks
            .open(&HookPlan::new(&url, "application/json"), Owner::of(0, None), Box::new(tell))
            .map_err(|refusal| refusal.to_string())?;
        if let News::Opened(hook) = told.recv()? {
            open.push(hook);
        }
    }
    let body = Bytes::from(vec![b'x'; length]);
    let delivered = |counts: &AtomicU64| counts.load(Ordering::Relaxed);
    let (began, ticks_before) = (Instant::now(), ticks("control"));
    for _ in 0..messages {
        open.iter().for_each(|hook| hook.post(body.clone()));
    }
    let pushed = began.elapsed();
    let all = (messages * count) as u64;
    while delivered(&hooks.counts().outcomes[0]) < all {
        sleep(Duration::from_millis(1));
    }
    let (took, used) = (began.elapsed().as_secs_f64(), ticks("control") - ticks_before);
    println!(
        "{all} deliveries of {length} bytes to {count} hooks: {:.0}/s; the control thread used {:.1} µs for each; \
         a shard {:.0} ns to add one",
        all as f64 / took,
        used as f64 * 10_000.0 / all as f64,
        pushed.as_nanos() as f64 / all as f64,
    );
    Ok(())
}
