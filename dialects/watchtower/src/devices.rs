//! What all devices of a server share: how they are configured, how they hear, and who may knock.

use crate::map;
use crate::settings::devices::Devices as Settings;
use crate::talk::Rules;
use crate::talk::mailbox::Shelf;
use crate::talk::{tcp::Tcp, udp::Udp};
use crate::wire::device::{self, COOKIE};
use crate::wire::seal::Cookies;
use dialect::{Conversation, Knock, Road, Welcome};
use model::Form;
use std::sync::Arc;

/// What all devices of a server share.
#[derive(Debug)]
pub(crate) struct Devices {
    pub(crate) rules: Arc<Rules>,
    /// How they hear.
    pub(crate) form: &'static Form,
    cookies: Cookies,
    /// What waits for devices that may wake up elsewhere.
    pub(crate) shelf: Shelf,
}

impl Devices {
    /// Devices as they are configured. `key`: drawn for this run of the server.
    pub(crate) fn new(rules: Arc<Rules>, key: [u8; 32]) -> Self {
        let aliases = Arc::clone(&rules.aliases);
        let form = map::form("watchtower frames", move |message, parts| map::frame(&aliases, message, parts));
        Self { rules, form, cookies: Cookies::new(key), shelf: Shelf::default() }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.rules.settings.devices
    }

    /// Whether who shows this may register.
    pub(crate) fn admits(&self, shown: &[u8]) -> bool {
        (shown.is_empty() && self.settings().open == Some(true)) || self.rules.knows(shown)
    }

    /// A conversation with a device; `None`: devices do not come by this road.
    pub(crate) fn converse(self: &Arc<Self>, road: Road) -> Option<Box<dyn Conversation>> {
        match road {
            Road::Tcp => Some(Box::new(Tcp::new(Arc::clone(self)))),
            Road::Udp => Some(Box::new(Udp::new(Arc::clone(self)))),
            Road::Http | Road::None => None,
        }
    }

    /// A line to try it in a shell. `None`: who has no secret is told nothing there, or devices do not come by this road.
    pub(crate) fn own_line(&self, road: Road, address: &str) -> Option<String> {
        let (host, port) = address.rsplit_once(':').filter(|_| self.admits(b""))?;
        let udp = match road {
            Road::Tcp => "",
            Road::Udp => "-u ",
            Road::Http | Road::None => return None,
        };
        Some(format!("printf R | nc {udp}-w 1 {host} {port} | od -An -tx1"))
    }

    /// Who lets a device knock from beyond this machine must first have proved that his address receives: he echoes a
    /// cookie that was sent there. SPEC [UDP-2].
    pub(crate) fn knock(&self, knock: &Knock<'_>, answer: &mut Vec<u8>) -> Welcome {
        if knock.is_local {
            return Welcome::Enter;
        }
        let Some((shown, command)) =
            knock.datagram.strip_prefix(b"C").and_then(|d| d.split_at_checked(COOKIE))
        else {
            return Welcome::Ignore;
        };
        let now = knock.now.time;
        if !command.is_empty() && self.cookies.know(&knock.address, shown, now) {
            return Welcome::Enter;
        }
        device::cookie(answer, &self.cookies.make(&knock.address, now));
        Welcome::Answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Now, Time};

    fn devices(open: bool, secret: Option<&str>) -> Devices {
        let devices = Settings { open: Some(open), ..Settings::default() };
        let secret = secret.map(|s| s.to_owned().into());
        let settings = crate::Settings { devices, secret, ..crate::Settings::default() };
        Devices::new(Arc::new(Rules::new(settings)), [1; 32])
    }

    fn knock(devices: &Devices, datagram: &[u8], is_local: bool) -> (Welcome, Vec<u8>) {
        let mut answer = Vec::new();
        let now = Now { time: Time(1), wall_ms: 0 };
        let knock = Knock { datagram, address: [3; 18], is_local, now };
        (devices.knock(&knock, &mut answer), answer)
    }

    #[test]
    fn who_registers_shows_the_secret_unless_anybody_may() {
        let admits = |open, secret, shown: &str| devices(open, secret).admits(shown.as_bytes());
        assert!(admits(true, None, "") && admits(true, Some("s"), "") && admits(false, Some("s"), "s"));
        assert!(!admits(false, None, "") && !admits(true, None, "s") && !admits(false, Some("s"), ""));
        assert!(!admits(true, Some("s"), "t") && !admits(true, Some("s"), "ss"));
    }

    #[test]
    fn a_stranger_is_let_in_with_the_cookie_that_he_was_sent_and_told_nothing_longer_than_what_he_said() {
        let devices = devices(true, None);
        assert_eq!(knock(&devices, b"R", true).0, Welcome::Enter);
        for datagram in [&b""[..], b"R", b"C", b"C1234567", b"XXXXXXXXXXXXXXX"] {
            assert_eq!(knock(&devices, datagram, false), (Welcome::Ignore, Vec::new()));
        }
        let (welcome, cookie) = knock(&devices, b"C\0\0\0\0\0\0\0\0", false);
        assert_eq!((welcome, cookie.len()), (Welcome::Answer, 9));
        let with = |command: &[u8]| [&cookie, command].concat();
        assert_eq!(knock(&devices, &with(b"R"), false), (Welcome::Enter, Vec::new()));
        assert_eq!(knock(&devices, &with(b""), false), (Welcome::Answer, cookie.clone()), "costs no place");
        let mut other = with(b"R");
        other[1] ^= 1;
        assert_eq!(knock(&devices, &other, false), (Welcome::Answer, cookie));
    }
}
