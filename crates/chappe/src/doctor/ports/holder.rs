//! Who holds a port: by `/proc`, and by asking.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long a program on this machine may take to answer.
const PATIENCE: Duration = Duration::from_millis(500);
/// An answer is read so far, whoever it comes from.
const ANSWER_MAX: u64 = 4096;

/// Who holds a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::doctor) struct Holder {
    /// The process and its name, where that can be seen.
    pub(in crate::doctor) process: Option<(u32, String)>,
    /// Whether it is a chappe: by its name, or by what it answers.
    pub(in crate::doctor) is_chappe: bool,
}

impl Holder {
    pub(in crate::doctor) fn words(&self) -> String {
        match (&self.process, self.is_chappe) {
            (Some((pid, name)), _) => format!("{name} (pid {pid})"),
            (None, true) => "a chappe".to_owned(),
            (None, false) => "another program".to_owned(),
        }
    }
}

/// Who holds a port of datagrams.
pub(super) fn of_udp(address: SocketAddr) -> Holder {
    let process = process(address, ["/proc/net/udp", "/proc/net/udp6"]);
    let is_chappe = process.as_ref().is_some_and(|(_, name)| name == "chappe");
    Holder { process, is_chappe }
}

pub(super) fn of(address: SocketAddr) -> Holder {
    let process = process(address, ["/proc/net/tcp", "/proc/net/tcp6"]);
    // Others may have the same words for their health: they are asked only who cannot be seen.
    let is_chappe = match &process {
        Some((_, name)) => name == "chappe",
        None => answers_as_chappe(address),
    };
    Holder { process, is_chappe }
}

/// Asks for its health.
fn answers_as_chappe(address: SocketAddr) -> bool {
    let to = SocketAddr::new(reachable(address.ip()), address.port());
    let ask = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        write!(stream, "GET /healthz HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        // It may keep the connection: what has come by then is what there is.
        drop(stream.take(ANSWER_MAX).read_to_end(&mut answer));
        Ok(answer)
    };
    ask().is_ok_and(|answer| is_chappe(&String::from_utf8_lossy(&answer)))
}

/// Whether that is what a chappe says of its health, or of a Host that it does not serve.
pub(in crate::doctor) fn is_chappe(answer: &str) -> bool {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let healthy = head.starts_with("HTTP/1.1 200 ") && body.trim() == r#"{"status":"ok"}"#;
    healthy || body.contains("add it to `hosts` of the listener")
}

/// An address under which oneself can be reached that listens at any.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => ip,
    }
}

/// The process that listens at this port, by these tables, if this user may see it.
fn process(address: SocketAddr, tables: [&str; 2]) -> Option<(u32, String)> {
    let tables = tables.map(|path| fs::read_to_string(path).unwrap_or_default());
    let inodes: Vec<String> = tables.iter().flat_map(|text| listening(text, address)).collect();
    let sockets: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(descriptors) = fs::read_dir(entry.path().join("fd")) else { continue };
        let holds = descriptors.flatten().any(|descriptor| {
            fs::read_link(descriptor.path())
                .is_ok_and(|to| sockets.iter().any(|s| to.as_os_str() == s.as_str()))
        });
        if holds {
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            return Some((pid, name.trim().to_owned()));
        }
    }
    None
}

/// The inodes of sockets that listen at an address, or at its port on all addresses, from a table of the kernel.
pub(in crate::doctor) fn listening(table: &str, address: SocketAddr) -> Vec<String> {
    // Of TCP one that listens, of UDP one that is bound.
    const LISTENS: [&str; 2] = ["0A", "07"];
    let inode = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let (ip, port) = words.get(1)?.split_once(':')?;
        let (ip, port) = (ip_of(ip)?, u16::from_str_radix(port, 16).ok()?);
        let clash = ip == address.ip() || ip.is_unspecified() || address.ip().is_unspecified();
        let listens = LISTENS.contains(words.get(3)?) && port == address.port();
        (listens && clash).then(|| words.get(9).map(ToString::to_string)).flatten()
    };
    table.lines().skip(1).filter_map(inode).collect()
}

/// An address as the kernel's tables write it: words of 32 bits, each in the machine's order.
fn ip_of(text: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(text.get(at * 8..at * 8 + 8)?, 16).ok()?.to_ne_bytes());
    if text.len() == 8 {
        return Some(Ipv4Addr::from(word(0)?).into());
    }
    let mut bytes = [0; 16];
    for (at, part) in bytes.chunks_exact_mut(4).enumerate() {
        part.copy_from_slice(&word(at)?);
    }
    Some(Ipv6Addr::from(bytes).into())
}
