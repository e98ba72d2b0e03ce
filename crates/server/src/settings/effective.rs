//! The configuration that would mean the same with nothing left out. No struct here ends in `..`: a key that is
//! added to the configuration does not compile until it is here.

use super::{Settings, config};
use crate::config::{Admin, Anonymous, Config, Dialects, Hooks, Jwt, Limits, Listener, Token};
use node::JwtSettings;
use node::hooks::HookSettings;
use node::jwt::Rules;
use std::time::Duration;

pub(super) fn effective(written: &Config, settings: &Settings) -> Config {
    let Config {
        shards: _,
        insecure,
        listener,
        vhosts,
        limits: _,
        auth,
        anonymous: _,
        channel,
        assigned,
        hooks,
        dialect,
        websocket,
        proxies,
        admin,
        log,
    } = written;
    Config {
        shards: Some(settings.shards),
        insecure: *insecure,
        listener: listeners(listener, settings),
        vhosts: vhosts.clone(),
        limits: limits(&settings.limits),
        auth: config::Auth {
            token: auth.token.iter().map(token).collect(),
            jwt: auth.jwt.as_ref().map(|written| jwt(written, settings)),
        },
        anonymous: anonymous(settings),
        channel: channel.clone(),
        assigned: assigned.clone(),
        hooks: hooks_of(hooks, settings),
        dialect: dialects(dialect, settings),
        websocket: *websocket,
        proxies: proxies.clone(),
        admin: Admin {
            address: Some(settings.admin.as_ref().map_or_else(|| "off".into(), |a| a.address.to_string())),
            token: admin.token.clone(),
            token_file: admin.token_file.clone(),
        },
        log: config::Log {
            format: log.format,
            filter: Some(log.filter.clone().unwrap_or_else(|| "info".into())),
        },
    }
}

/// A secret stays where it was written: nobody prints what stood in a file.
fn dialects(written: &Dialects, settings: &Settings) -> Dialects {
    let mut dialects = settings.dialects.clone();
    dialects.watchtower.secret.clone_from(&written.watchtower.secret);
    dialects
}

fn listeners(written: &[Listener], settings: &Settings) -> Vec<Listener> {
    let root = || Some("/".to_owned());
    if written.is_empty() {
        let at = |l: &super::Listener| Listener {
            vhost: root(),
            speaks: l.speaks,
            ..Listener::at(l.place.to_string())
        };
        return settings.listeners.iter().map(at).collect();
    }
    let mut all = written.to_vec();
    for listener in &mut all {
        listener.vhost = listener.vhost.take().or_else(root);
    }
    all
}

fn token(written: &Token) -> Token {
    Token { vhost: Some(written.vhost.clone().unwrap_or_else(|| "/".into())), ..written.clone() }
}

/// Keys stay where they were written.
fn jwt(written: &Jwt, settings: &Settings) -> Jwt {
    let mut jwt = written.clone();
    if let Some(JwtSettings { rules, vhost, source: _, refresh, revoked: _ }) = &settings.jwt {
        let Rules { algorithms, leeway, require_exp, grants_claim, .. } = rules;
        jwt.jwks_refresh = Some(refresh.as_secs());
        jwt.algorithms = algorithms.iter().map(|a| a.word().to_owned()).collect();
        jwt.leeway = Some(leeway.as_secs());
        jwt.require_exp = Some(*require_exp);
        jwt.vhost = Some(vhost.as_str().to_owned());
        jwt.grants_claim = Some(grants_claim.to_string());
    }
    jwt
}

fn anonymous(settings: &Settings) -> Option<Anonymous> {
    let principal = settings.anonymous.as_ref()?;
    let grants = principal.role.grants.iter().map(ToString::to_string).collect();
    Some(Anonymous { grants })
}

fn hooks_of(written: &Hooks, settings: &Settings) -> Hooks {
    let HookSettings { guard, queue, timeout, challenge, signer: _, tls: _, .. } = &settings.hooks;
    let HookSettings { concurrency, hooks, per_host, per_principal, memory, .. } = settings.hooks;
    let seconds = |time: Duration| Some(time.as_secs());
    Hooks {
        private: Some(guard.private),
        allow: written.allow.clone(),
        challenge: *challenge,
        secret: written.secret.clone(),
        secret_file: written.secret_file.clone(),
        ca: written.ca.clone(),
        timeout: seconds(*timeout),
        max_age: seconds(queue.max_age),
        backoff: seconds(queue.backoff),
        backoff_max: seconds(queue.backoff_max),
        failures: Some(queue.failures),
        queue_messages: Some(queue.messages),
        queue_bytes: Some(queue.bytes),
        memory: Some(memory),
        concurrency: Some(concurrency),
        open: Some(hooks),
        per_host: Some(per_host),
        per_principal: Some(per_principal),
    }
}

fn limits(limits: &model::Limits) -> Limits {
    let seconds = |time: Duration| Some(time.as_secs());
    Limits {
        message_bytes: Some(limits.message_bytes),
        pending_bytes: Some(limits.pending_bytes),
        memory_budget: Some(limits.memory_budget),
        channels_per_session: Some(limits.channels_per_session),
        enrolments: Some(limits.enrolments),
        sessions_per_enrolment: Some(limits.sessions_per_enrolment),
        window_timeout: seconds(limits.window_timeout),
        window_bytes: Some(limits.window_bytes),
        recovery_bytes: Some(limits.recovery_bytes),
        publish_rate: Some(limits.publish_rate.map_or(0, |(rate, _)| rate)),
        publish_burst: limits.publish_rate.map(|(_, burst)| burst),
        connections: Some(limits.connections),
        accept_rate: Some(limits.accept_rate.unwrap_or(0)),
        unauthenticated_per_address: Some(limits.unauthenticated_per_address.unwrap_or(0)),
        auth_timeout: seconds(limits.auth_timeout),
        head_timeout: seconds(limits.head_timeout),
        keep_alive: seconds(limits.keep_alive),
        ping_interval: seconds(limits.ping_interval),
        stall_timeout: seconds(limits.stall_timeout),
        drain_timeout: seconds(limits.drain_timeout),
    }
}
