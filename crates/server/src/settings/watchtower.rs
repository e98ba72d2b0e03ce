//! What the posture decides for Watchtower, and what its section must not say.

use super::{Posture, Problem, Problems, bounds, who};
use crate::config::{Listener, Speaks};
use model::{ChannelName, Grant};
use std::collections::BTreeMap;
use watchtower_dialect::Settings;
use watchtower_dialect::settings::{LOOPBACK_SECRET, devices::Devices};

/// Its settings with nothing left to the posture. `anonymous`: what those may do who show no token.
pub(super) fn watchtower(
    written: &Settings,
    posture: Posture,
    anonymous: Option<&[Grant]>,
    problems: &mut Problems,
) -> Settings {
    let exposed = posture == Posture::Exposed;
    let known = problems.len();
    let at = ("dialect.watchtower", "secret");
    let secret = who::secret(at, written.secret.as_ref(), written.secret_file.as_deref(), problems);
    if exposed && secret.as_deref() == Some(LOOPBACK_SECRET) {
        let what = "everybody knows this secret, and others can reach the server";
        problems.push(Problem::new(
            "dialect.watchtower.secret",
            what,
            "write a long one that nobody can guess",
        ));
    }
    let open = exposed && written.devices.open == Some(true);
    if exposed && secret.is_none() && !open && written.enabled == Some(true) && problems.len() == known {
        let what = "is missing: others can reach the server, and anybody could register as a sender";
        let fix = "set it or `secret_file`, or leave `enabled` out";
        problems.push(
            Problem::new("dialect.watchtower.secret", what, fix).about(&["dialect.watchtower.enabled"]),
        );
    }
    aliases(written, problems);
    zeros(written, problems);
    // Who opens his devices to others has said that anybody may register as one.
    let configured = secret.is_some() || open;
    let everything = || Some(["READ **", "WRITE **"].map(String::from).to_vec());
    let as_nobody = || anonymous.map(|grants| grants.iter().map(ToString::to_string).collect());
    if let Some(grants) = &written.grants {
        who::grants(grants, "dialect.watchtower", problems);
    }
    let enabled = *written.enabled.as_ref().unwrap_or(&(configured || !exposed));
    Settings {
        enabled: Some(enabled),
        secret: secret.or_else(|| (!exposed).then(|| LOOPBACK_SECRET.to_owned())).map(Into::into),
        devices: Devices { open: Some(written.devices.open.unwrap_or(!exposed)), ..written.devices.clone() },
        require_token: Some(written.require_token.unwrap_or(exposed)),
        grants: written.grants.clone().or_else(|| if configured { everything() } else { as_nobody() }),
        ..written.clone()
    }
}

/// A listener for devices is of no use where they are not served.
pub(super) fn listeners(listeners: &[Listener], settings: &Settings, problems: &mut Problems) {
    if settings.enabled == Some(true) {
        return;
    }
    let mine = |l: &(usize, &Listener)| l.1.speaks == Speaks::Watchtower;
    for (number, _) in listeners.iter().enumerate().filter(mine) {
        let what = "Watchtower is off, so there are no devices";
        let fix = "configure `dialect.watchtower.secret`, or `secret_file`; or say that anybody may register, with \
                   `devices.open = true`";
        problems.push(Problem::new(format!("listener.{number}.speaks"), what, fix));
    }
}

/// What must not be 0: nobody would stay for long enough to ask for anything.
fn zeros(written: &Settings, problems: &mut Problems) {
    let zeros = [
        ("idle_timeout", written.idle_timeout == 0),
        ("channels_per_request", written.channels_per_request == 0),
        ("devices.handshake_seconds", written.devices.handshake_seconds == 0),
        ("devices.udp_idle_seconds", written.devices.udp_idle_seconds == 0),
    ];
    bounds::of_use("dialect.watchtower", &zeros, problems);
}

/// Each name must have one number, and each number one name. SPEC [NUM-2].
fn aliases(written: &Settings, problems: &mut Problems) {
    let mut names: BTreeMap<u32, &str> = BTreeMap::new();
    for (name, number) in written.aliases.iter() {
        let mut wrong = |what: String, fix: &'static str| {
            problems.push(Problem::new(format!("dialect.watchtower.aliases.{name}"), what, fix));
        };
        if let Err(what) = ChannelName::check(name) {
            wrong(what.to_string(), "write the name of a channel");
        }
        if name.bytes().all(|b| b.is_ascii_digit()) {
            wrong("a channel whose name is a number goes by that number".into(), "leave it out");
        }
        if number == 0 {
            wrong("0 is no channel: it stands for everybody".into(), "choose another number");
        }
        if let Some(other) = names.insert(number, name) {
            wrong(format!("`{other}` goes by {number} too"), "give each a number of its own");
        }
    }
}
