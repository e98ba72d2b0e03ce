//! Where the server listens, and what comes from where: listeners, proxies, the operators' address.

use super::{ADMIN_PORT, Admin, DEVICE_PORT, Listener, PORT, Place, Problem, Problems, who};
use crate::config::{self, Speaks};
use carrier::net::Identities;
use carrier::{Gate, Network, Origins};
use model::VHostName;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const ADDRESS: &str = "write it as 127.0.0.1:6889, [::1]:6889, 0.0.0.0:6889, udp:127.0.0.1:3033, \
                       unix:/run/chappe.sock or systemd:NAME";

/// Where to listen; where nothing is written, on this machine only. `devices`: by then those of Watchtower are let in too.
pub(super) fn listeners(
    written: &[config::Listener],
    devices: bool,
    problems: &mut Problems,
) -> Vec<Listener> {
    if written.is_empty() {
        return unasked(devices);
    }
    let mut listeners: Vec<Listener> = Vec::new();
    for (number, written) in written.iter().enumerate() {
        let path = format!("listener.{number}");
        let Some(listener) = listener(written, &path, problems) else { continue };
        if listeners.iter().any(|l| l.place == listener.place && !chosen_by_the_system(&l.place)) {
            let what = format!("`{}` is listened at already", listener.place);
            let fix = "give each listener an address of its own";
            problems.push(Problem::new(format!("{path}.address"), what, fix));
        }
        listeners.push(listener);
    }
    listeners
}

/// The listeners of a server that was told nothing about them.
fn unasked(devices: bool) -> Vec<Listener> {
    let at = |place: Place, speaks: Speaks, optional| Listener {
        place,
        speaks,
        mode: None,
        certificates: Vec::new(),
        proxy_protocol: false,
        vhost: VHostName::root(),
        gate: Gate::loopback(),
        optional,
    };
    let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let http = |ip: IpAddr| at(Place::Tcp(SocketAddr::new(ip, PORT)), Speaks::Http, ip.is_ipv6());
    let own = |ip: IpAddr| {
        let address = SocketAddr::new(ip, DEVICE_PORT);
        [Place::Tcp(address), Place::Udp(address)].map(|place| at(place, Speaks::Watchtower, true))
    };
    let devices = both.into_iter().filter(|_| devices).flat_map(own);
    both.into_iter().map(http).chain(devices).collect()
}

/// Port 0 is another one each time.
fn chosen_by_the_system(place: &Place) -> bool {
    match place {
        Place::Tcp(address) | Place::Udp(address) => address.port() == 0,
        Place::Unix(_) | Place::Inherited(_) => false,
    }
}

/// Whether a listener's address is one that others can reach.
pub(super) fn is_exposed(written: &str) -> bool {
    place(written).is_some_and(|p| p.is_exposed())
}

fn place(written: &str) -> Option<Place> {
    if let Some(path) = written.strip_prefix("unix:") {
        return (!path.is_empty()).then(|| Place::Unix(path.into()));
    }
    if let Some(address) = written.strip_prefix("udp:") {
        return address.parse().ok().map(Place::Udp);
    }
    if let Some(name) = written.strip_prefix("systemd:") {
        return (!name.is_empty()).then(|| Place::Inherited(name.into()));
    }
    written.parse().ok().map(Place::Tcp)
}

/// `None`: there is no such place, which has been said.
fn listener(written: &config::Listener, path: &str, problems: &mut Problems) -> Option<Listener> {
    let place = place(&written.address);
    if place.is_none() {
        let what = format!("`{}` is no address", written.address);
        problems.push(Problem::new(format!("{path}.address"), what, ADDRESS));
    }
    let mode = written.mode.as_deref().and_then(|mode| permissions(mode, place.as_ref(), path, problems));
    let vhost = vhost(written.vhost.as_deref(), path, problems);
    for (number, certificate) in written.tls.iter().enumerate() {
        if let Err(e) = Identities::load(vec![(certificate.cert.clone(), certificate.key.clone())]) {
            let (key, fix) = if e.file() == certificate.key {
                ("key", "name a PEM file that this user may read, with the private key of the certificate")
            } else {
                (
                    "cert",
                    "name a PEM file that this user may read, with the certificate and those that vouch for it",
                )
            };
            problems.push(Problem::new(format!("{path}.tls.{number}.{key}"), e.to_string(), fix));
        }
    }
    for (number, origin) in written.origins.iter().enumerate().filter(|(_, o)| !is_origin(o)) {
        let what = format!("`{origin}` is no origin of web pages");
        let fix = "write it as `https://app.example`, without a path, or `*`";
        problems.push(Problem::new(format!("{path}.origins.{number}"), what, fix));
    }
    let place = place?;
    mean_nothing(written, &place, path, problems);
    let gate = gate(written, &place);
    let (speaks, certificates, proxy_protocol) =
        (written.speaks, written.tls.clone(), written.proxy_protocol);
    Some(Listener { place, speaks, mode, certificates, proxy_protocol, vhost, gate, optional: false })
}

/// Says which keys mean nothing for what is spoken there: who wrote them relies on them.
fn mean_nothing(written: &config::Listener, place: &Place, path: &str, problems: &mut Problems) {
    let datagrams = matches!(place, Place::Udp(_));
    if datagrams && written.speaks == Speaks::Http {
        let what = "HTTP is not spoken in datagrams";
        let fix = "say whose protocol it is, as in `speaks = \"watchtower\"`, or leave out `udp:`";
        problems.push(Problem::new(format!("{path}.speaks"), what, fix));
        return;
    }
    let own = written.speaks != Speaks::Http;
    let all = [
        ("hosts", own && !written.hosts.is_empty(), "only HTTP has a `Host`"),
        ("origins", own && !written.origins.is_empty(), "only HTTP has an `Origin`"),
        ("tls", datagrams && !written.tls.is_empty(), "TLS is not spoken in datagrams"),
        ("proxy_protocol", datagrams && written.proxy_protocol, "no proxy announces datagrams"),
    ];
    for (key, _, what) in all.into_iter().filter(|(_, wrong, _)| *wrong) {
        problems.push(Problem::new(format!("{path}.{key}"), what, "leave it out"));
    }
}

/// The permissions of a unix socket.
fn permissions(written: &str, place: Option<&Place>, path: &str, problems: &mut Problems) -> Option<u32> {
    let path = format!("{path}.mode");
    if !matches!(place, None | Some(Place::Unix(_))) {
        let fix = "leave it out: only sockets at `unix:` paths have permissions of ours";
        problems.push(Problem::new(path, "this listener is no unix socket of the server's own", fix));
        return None;
    }
    let mode = u32::from_str_radix(written, 8).ok().filter(|mode| *mode <= 0o777);
    if mode.is_none() {
        let what = format!("`{written}` are no permissions");
        problems.push(Problem::new(path, what, "write them as for `chmod`, as in \"660\""));
    }
    mode
}

/// A scheme and a host, nothing after it.
fn is_origin(written: &str) -> bool {
    let host = written.split_once("://").map(|(_, host)| host);
    written == "*" || written == "null" || host.is_some_and(|h| !h.is_empty() && !h.contains('/'))
}

/// The virtual host of that name; the one everybody is in, where the name is none.
pub(super) fn vhost(written: Option<&str>, path: &str, problems: &mut Problems) -> VHostName {
    written.map_or_else(VHostName::root, |name| named(name, format!("{path}.vhost"), problems))
}

/// The virtual hosts of those names.
pub(super) fn vhosts(written: &[String], problems: &mut Problems) -> Vec<VHostName> {
    written.iter().enumerate().map(|(n, name)| named(name, format!("vhosts.{n}"), problems)).collect()
}

fn named(name: &str, path: String, problems: &mut Problems) -> VHostName {
    VHostName::new(name).unwrap_or_else(|_| {
        let what = format!("`{name}` is no virtual host");
        problems.push(Problem::new(path, what, "it must begin with `/`, as in `/hello`"));
        VHostName::root()
    })
}

fn gate(written: &config::Listener, place: &Place) -> Gate {
    let mut gate = if place.is_exposed() {
        Gate { hosts: None, origins: Origins::Listed(Vec::new()) }
    } else {
        Gate::loopback()
    };
    if !written.hosts.is_empty() {
        gate.hosts.get_or_insert_default().extend(written.hosts.iter().map(|h| h.to_lowercase()));
    }
    // Whoever can reach an address may call it by its number.
    if let (Some(hosts), Place::Tcp(address)) = (&mut gate.hosts, place) {
        hosts.push(match address.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        });
    }
    if written.origins.iter().any(|o| o == "*") {
        gate.origins = Origins::Any;
    } else if !written.origins.is_empty() {
        gate.origins = Origins::Listed(written.origins.clone());
    }
    gate
}

pub(super) fn proxies(written: &[String], problems: &mut Problems) -> Vec<Network> {
    let mut networks = Vec::new();
    for (number, text) in written.iter().enumerate() {
        match Network::parse(text) {
            Some(network) => networks.push(network),
            None => problems.push(Problem::new(
                format!("proxies.{number}"),
                format!("`{text}` is no address or network"),
                "write it as 192.0.2.1 or 10.0.0.0/8",
            )),
        }
    }
    networks
}

pub(super) fn admin(written: &config::Admin, problems: &mut Problems) -> Option<Admin> {
    if written.address.as_deref() == Some("off") {
        return None;
    }
    let address = match written.address.as_deref() {
        None => Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), ADMIN_PORT)),
        Some(text) => text.parse().ok(),
    };
    let known = problems.len();
    let token =
        who::secret(("admin", "token"), written.token.as_ref(), written.token_file.as_deref(), problems);
    let Some(address) = address else {
        let what = format!("`{}` is no address", written.address.as_deref().unwrap_or_default());
        problems.push(Problem::new("admin.address", what, "write it as 127.0.0.1:6890, or `off`"));
        return None;
    };
    if token.is_none() && !address.ip().is_loopback() && problems.len() == known {
        let what =
            "the admin listener is reachable from beyond this machine, and nobody would have to authenticate";
        let fix = "add `admin.token` or `admin.token_file`, or choose an address on loopback";
        problems.push(Problem::new("admin.address", what, fix).about(&["admin.token", "admin.token_file"]));
    }
    Some(Admin { address, token: token.map(Into::into), wanted: written.address.is_some() })
}
