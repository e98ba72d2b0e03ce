//! What a preset lays under the flags, besides an address.

use server::config::{Jwt, Reading};
use socketio_dialect::settings::Meaning;

/// The secret of Messaging's own page, for trying things on one machine.
const SECRET: &str = "secret";
/// Seconds after which the server itself loses patience with who shows no token: longer than the 15 that the profile
/// gives, so that it is the profile that says so.
const PATIENCE: u64 = 20;

/// As Messaging was: clients show a token, hear what is for its owner, and any other path answers that all is well.
pub(super) fn messaging(reading: &mut Reading, is_loopback: bool) {
    let config = &mut reading.config;
    config.dialect.socketio.profile = Meaning::Messaging;
    config.dialect.socketio.answer_all = true;
    config.limits.auth_timeout.get_or_insert(PATIENCE);
    let mut flagged = vec!["dialect.socketio.profile", "dialect.socketio.answer_all", "limits.auth_timeout"];
    if config.auth.jwt.is_none() && is_loopback {
        config.auth.jwt = Some(Jwt {
            secret: Some(SECRET.to_owned().into()),
            name_claim: Some("user_id".into()),
            channels: vec!["user({user_id})".into(), "site({host|origin.host})".into()],
            grants: vec!["READ **".into(), "WRITE **".into()],
            ..Jwt::default()
        });
        flagged.push("auth.jwt");
    }
    flagged.into_iter().for_each(|key| reading.flagged(key, "--preset"));
}
