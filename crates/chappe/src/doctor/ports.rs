//! The places where the server would listen: free, taken by a chappe, or by somebody else.

pub(super) mod holder;

use super::finding::Finding;
use holder::Holder;
use server::Settings;
use server::settings::Place;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;

/// What was found at an address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Port {
    Free,
    Taken(Holder),
    /// Ports below 1024 need a right.
    NotAllowed,
    /// This machine has no such address.
    NoSuchAddress,
    Strange(String),
}

/// What was found where a unix socket is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Spot {
    Free,
    /// Nobody listens at the socket that is there.
    Left,
    Taken,
    /// Something else is there.
    NoSocket,
    NoFolder,
    NotWritable(String),
}

pub(super) fn findings(settings: &Settings) -> Vec<Finding> {
    let mut all = Vec::new();
    for listener in &settings.listeners {
        let item = format!("listener {}", listener.place);
        all.push(match &listener.place {
            Place::Tcp(address) => {
                judge(&item, *address, &look(*address), listener.optional, "listener.address")
            }
            Place::Udp(address) => {
                judge(&item, *address, &look_udp(*address), listener.optional, "listener.address")
            }
            Place::Unix(path) => judge_unix(&item, path, &look_unix(path)),
            Place::Inherited(name) => {
                Finding::unknown(item, format!("systemd opens the socket that it calls {name}"))
            }
        });
    }
    if let Some(admin) = &settings.admin {
        let item = format!("admin {}", admin.address);
        all.push(judge(&item, admin.address, &look(admin.address), !admin.wanted, "admin.address"));
    }
    all
}

fn look(address: SocketAddr) -> Port {
    TcpListener::bind(address).map_or_else(|e| trouble(&e, || holder::of(address)), |_| Port::Free)
}

fn look_udp(address: SocketAddr) -> Port {
    UdpSocket::bind(address).map_or_else(|e| trouble(&e, || holder::of_udp(address)), |_| Port::Free)
}

/// Why nobody can listen there.
fn trouble(e: &io::Error, holder: impl FnOnce() -> Holder) -> Port {
    let is = |kind: io::ErrorKind| e.kind() == kind;
    if is(io::ErrorKind::AddrInUse) {
        Port::Taken(holder())
    } else if is(io::ErrorKind::PermissionDenied) {
        Port::NotAllowed
    } else if is(io::ErrorKind::AddrNotAvailable) {
        Port::NoSuchAddress
    } else {
        Port::Strange(e.to_string())
    }
}

/// `optional`: the server does without it when it must. `key`: which says another address.
pub(super) fn judge(item: &str, address: SocketAddr, port: &Port, optional: bool, key: &str) -> Finding {
    let finding =
        |says: String| if optional { Finding::better(item, says) } else { Finding::bad(item, says) };
    match port {
        Port::Free if address.port() == 0 => Finding::good(item, "the system chooses a free port"),
        Port::Free => Finding::good(item, "free"),
        Port::Taken(holder) => {
            let who = holder.words();
            if holder.is_chappe {
                return Finding::good(item, format!("held by {who}, which runs"));
            }
            let says = format!("taken by {who}; stop it, or choose another {key}");
            finding(says).mend(format!("sudo ss -ltunp 'sport = :{}'", address.port()))
        }
        Port::NotAllowed => finding(format!("port {} needs a right that this user has not", address.port()))
            .mend("sudo setcap cap_net_bind_service=+ep \"$(command -v chappe)\""),
        Port::NoSuchAddress if optional => {
            Finding::good(item, "this machine has no such address; it is left out")
        }
        Port::NoSuchAddress => {
            Finding::bad(item, format!("this machine has no such address; choose another {key}"))
                .mend("ip address")
        }
        Port::Strange(words) => finding(words.clone()),
    }
}

#[cfg(unix)]
fn look_unix(path: &Path) -> Spot {
    use std::os::unix::fs::FileTypeExt;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    if !folder.is_dir() {
        return Spot::NoFolder;
    }
    if let Err(e) = try_folder(folder) {
        return Spot::NotWritable(e.to_string());
    }
    match std::fs::symlink_metadata(path) {
        Err(_) => Spot::Free,
        Ok(there) if !there.file_type().is_socket() => Spot::NoSocket,
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => Spot::Taken,
        Ok(_) => Spot::Left,
    }
}

#[cfg(not(unix))]
fn look_unix(_: &Path) -> Spot {
    Spot::NotWritable("this system has no unix sockets".into())
}

/// Whether files can be made in a folder: there is no way to know but to make one.
#[cfg(unix)]
fn try_folder(folder: &Path) -> io::Result<()> {
    let probe = folder.join(format!(".chappe-doctor-{}", std::process::id()));
    std::fs::OpenOptions::new().write(true).create_new(true).open(&probe)?;
    std::fs::remove_file(probe)
}

pub(super) fn judge_unix(item: &str, path: &Path, spot: &Spot) -> Finding {
    let folder = path.parent().unwrap_or(Path::new(".")).display();
    match spot {
        Spot::Free => Finding::good(item, "the folder can be written to"),
        Spot::Left => Finding::good(item, "a socket is there that nobody listens at any more"),
        Spot::Taken => {
            Finding::better(item, "somebody listens there: a chappe that runs, or another program")
                .mend(format!("sudo ss -lxp src {}", path.display()))
        }
        Spot::NoSocket => {
            Finding::bad(item, "there is something that is no socket; choose another path, or move it")
                .mend(format!("ls -l {}", path.display()))
        }
        Spot::NoFolder => Finding::bad(item, format!("there is no folder {folder}"))
            .mend(format!("sudo install -d -o \"$(id -un)\" {folder}")),
        Spot::NotWritable(why) => Finding::bad(item, format!("{folder} cannot be written to: {why}"))
            .mend(format!("sudo chown \"$(id -un)\" {folder}")),
    }
}
