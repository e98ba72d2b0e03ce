//! What `[auth.jwt]` means: keys that can be used, algorithms that are theirs, channels of owners' own.

use super::{Posture, Problem, Problems, hooks, places, who};
use crate::config;
use node::JwtSettings;
use node::hooks::trust;
use node::jwt::{Algorithm, Family, Key, KeySet, NAMES, Revoked, Rules, Source, Template, Url};
use std::path::Path;
use std::time::Duration;

/// Bytes of a secret that others can try to guess (RFC 7518 §3.2, for HS256).
const SECRET: usize = 32;
/// Templates there may be.
const TEMPLATES: usize = 16;
/// How often keys are fetched again.
const REFRESH: u64 = 300;

/// `None`: something is wrong that has been said.
pub(super) fn jwt(written: &config::Jwt, posture: Posture, problems: &mut Problems) -> Option<JwtSettings> {
    let known = problems.len();
    let source = source(written, posture, problems);
    let algorithms = source.as_ref().map(|s| algorithms(&written.algorithms, s, problems));
    let channels = channels(written, problems);
    let refresh = written.jwks_refresh.unwrap_or(REFRESH);
    let nothing = [("jwks_refresh", refresh == 0), ("max_lifetime", written.max_lifetime == Some(0))];
    super::bounds::of_use("auth.jwt", &nothing, problems);
    let revoked =
        written.revoked_file.as_deref().and_then(|file| revoked(file, problems)).unwrap_or_default();
    for (key, value) in [
        ("audience", &written.audience),
        ("issuer", &written.issuer),
        ("name_claim", &written.name_claim),
        ("grants_claim", &written.grants_claim),
    ] {
        if value.as_deref() == Some("") {
            problems.push(Problem::new(path(key), "is empty", "write one, or leave it out"));
        }
    }
    let rules = Rules {
        algorithms: algorithms.unwrap_or_default(),
        audience: written.audience.as_deref().map(Into::into),
        issuer: written.issuer.as_deref().map(Into::into),
        leeway: Duration::from_secs(written.leeway.unwrap_or(0)),
        require_exp: written.require_exp.unwrap_or(posture == Posture::Exposed),
        max_lifetime: written.max_lifetime.map(Duration::from_secs),
        name_claim: written.name_claim.as_deref().map(Into::into),
        grants_claim: written.grants_claim.as_deref().unwrap_or("grants").into(),
        grants: who::grants(&written.grants, "auth.jwt", problems),
        channels,
        may_write: written.write_channels,
    };
    let vhost = places::vhost(written.vhost.as_deref(), "auth.jwt", problems);
    (problems.len() == known).then_some(())?;
    Some(JwtSettings { rules, vhost, source: source?, refresh: Duration::from_secs(refresh), revoked })
}

fn revoked(file: &Path, problems: &mut Problems) -> Option<Revoked> {
    let at = file.display();
    let (what, fix) = match std::fs::read_to_string(file).map(|text| Revoked::parse(&text)) {
        Ok(Ok(revoked)) => return Some(revoked),
        Ok(Err(line)) => {
            (format!("line {line} of {at} names nobody"), "write the id of a token there, or `sub:NAME`")
        }
        Err(e) => (format!("cannot read {at}: {e}"), "name a text that this user may read; it may be empty"),
    };
    problems.push(Problem::new(path("revoked_file"), what, fix));
    None
}

fn path(key: &str) -> String {
    format!("auth.jwt.{key}")
}

fn source(written: &config::Jwt, posture: Posture, problems: &mut Problems) -> Option<Source> {
    let keys = [
        ("secret", written.secret.is_some() || written.secret_file.is_some()),
        ("public_key_file", written.public_key_file.is_some()),
        ("jwks_file", written.jwks_file.is_some()),
        ("jwks_url", written.jwks_url.is_some()),
    ];
    let said: Vec<&str> = keys.iter().filter(|(_, said)| *said).map(|(key, _)| *key).collect();
    match said.as_slice() {
        [] => {
            let what = "there is no key that tokens could be verified with";
            let fix = "add one of `secret_file`, `public_key_file`, `jwks_file` and `jwks_url`";
            problems.push(Problem::new("auth.jwt", what, fix));
            None
        }
        [_] => match (&written.public_key_file, &written.jwks_file, &written.jwks_url) {
            (Some(file), ..) => {
                read(file, "public_key_file", Key::from_pem, problems).map(|key| Source::Keys(key.into()))
            }
            (_, Some(file), _) => read(file, "jwks_file", KeySet::from_json, problems)
                .map(|keys| Source::File(file.clone(), keys)),
            (.., Some(url)) => url_source(url, written.jwks_ca.as_deref(), problems),
            (None, None, None) => secret(written, posture, problems),
        },
        [one, other, ..] => {
            let what = format!("there is a `{one}` and a `{other}`");
            problems.push(Problem::new(path(other), what, "say where the keys are in one of these ways"));
            None
        }
    }
}

fn secret(written: &config::Jwt, posture: Posture, problems: &mut Problems) -> Option<Source> {
    let keys = ("auth.jwt", "secret");
    let secret = who::secret(keys, written.secret.as_ref(), written.secret_file.as_deref(), problems)?;
    if posture == Posture::Exposed && secret.len() < SECRET {
        let key = if written.secret.is_some() { "secret" } else { "secret_file" };
        let what = format!("the secret has {} bytes, and others can try to guess it", secret.len());
        let fix =
            "make one of at least 32 bytes, and give it to whoever issues the tokens: `openssl rand -hex 32`";
        problems.push(Problem::new(path(key), what, fix));
        return None;
    }
    Some(Source::Keys(Key::secret(secret.as_bytes()).into()))
}

fn read<T>(
    file: &Path,
    key: &str,
    parse: impl Fn(&[u8]) -> Result<T, &'static str>,
    problems: &mut Problems,
) -> Option<T> {
    let fix = match key {
        "public_key_file" => "name a PEM file with a public key, as `openssl pkey -in KEY -pubout` writes it",
        _ => "name a file with a JSON Web Key Set that this user may read",
    };
    let what = match std::fs::read(file).map(|bytes| parse(&bytes)) {
        Ok(Ok(parsed)) => return Some(parsed),
        Ok(Err(what)) => format!("{} cannot be used: {what}", file.display()),
        Err(e) => format!("cannot read {}: {e}", file.display()),
    };
    problems.push(Problem::new(path(key), what, fix));
    None
}

fn url_source(url: &str, ca: Option<&Path>, problems: &mut Problems) -> Option<Source> {
    let authorities = ca.map_or_else(Vec::new, |file| hooks::authorities(&path("jwks_ca"), file, problems));
    let wrong = |what: &str| {
        Problem::new(path("jwks_url"), what, "write it as https://host/path; http:// only for this machine")
    };
    let url = Url::parse(url).map_err(|what| problems.push(wrong(what))).ok()?;
    let tls = trust(&authorities).map_err(|e| problems.push(hooks::unusable(&path("jwks_url"), &e))).ok()?;
    Some(Source::Url(url, tls))
}

/// Those that are allowed: what is written, or what the keys are for.
fn algorithms(written: &[String], source: &Source, problems: &mut Problems) -> Vec<Algorithm> {
    let may = |a: Algorithm| match source {
        Source::Keys(keys) => keys.families().any(|family| family == a.family()),
        // A set is public, so that there is no secret in it; what else there is may change.
        Source::File(..) | Source::Url(..) => a.family() != Family::Secret,
    };
    if written.is_empty() {
        let usual =
            [Algorithm::Hs256, Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa];
        let is_for = |a: &Algorithm| match source {
            Source::Keys(keys) | Source::File(_, keys) => keys.families().any(|family| family == a.family()),
            Source::Url(..) => *a == Algorithm::Rs256,
        };
        return usual.into_iter().filter(is_for).collect();
    }
    let mut all = Vec::new();
    for (number, word) in written.iter().enumerate() {
        let at = path(&format!("algorithms.{number}"));
        let known: Vec<_> = Algorithm::ALL.into_iter().filter(|a| may(*a)).map(Algorithm::word).collect();
        let fix = format!("these can be: {}", known.join(", "));
        match Algorithm::parse(word) {
            Some(algorithm) if may(algorithm) => all.push(algorithm),
            Some(_) => problems.push(Problem::new(at, format!("there is no key for `{word}`"), fix)),
            None => problems.push(Problem::new(at, format!("`{word}` is no algorithm for tokens here"), fix)),
        }
    }
    all
}

fn channels(written: &config::Jwt, problems: &mut Problems) -> Vec<Template> {
    let is_name = |claim: &str| match &written.name_claim {
        Some(name) => name == claim,
        None => NAMES.contains(&claim),
    };
    if written.channels.len() > TEMPLATES {
        let what = format!("there are {} templates", written.channels.len());
        problems.push(Problem::new(path("channels"), what, "16 are enough"));
    }
    let mut all = Vec::new();
    for (number, text) in written.channels.iter().enumerate() {
        match Template::parse(text, is_name) {
            Ok(template) => all.push(template),
            Err(what) => {
                let fix = "write it as `user({user_id})`, with the name of a claim in braces";
                problems.push(Problem::new(path(&format!("channels.{number}")), what, fix));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use crate::Settings;
    use node::jwt::Algorithm;

    const SECRET: &str = "[auth.jwt]\nsecret = '0123456789abcdef0123456789abcdef'\n";
    const EXPOSED: &str = "[[listener]]\naddress = '0.0.0.0:0'\n";

    fn resolve(text: &str) -> Result<Settings, String> {
        Settings::resolve(&toml::from_str(text).unwrap()).map_err(|p| p.to_string())
    }

    #[test]
    fn a_secret_is_enough_and_what_follows_from_it_is_strict() {
        let here = resolve(SECRET).unwrap();
        let jwt = here.jwt.unwrap();
        assert_eq!(jwt.rules.algorithms, [Algorithm::Hs256]);
        assert!(!jwt.rules.require_exp && here.anonymous.is_none());
        let there = resolve(&format!("{EXPOSED}{SECRET}")).unwrap();
        assert!(!there.open && there.jwt.unwrap().rules.require_exp);
        let owned = resolve(&format!("{SECRET}channels = ['user({{user_id}})']\n")).unwrap();
        assert!(owned.assigned.iter().any(|p| p.matches("user(5)")));
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_right() {
        let pem = std::env::temp_dir().join(format!("chappe-jwt-{}.pem", std::process::id()));
        std::fs::write(&pem, "no key").unwrap();
        let list = pem.with_extension("revoked");
        std::fs::write(&list, "a1\nsub:\n").unwrap();
        let section = "[auth.jwt]\n";
        for (text, key, fix) in [
            (section.to_owned(), "auth.jwt:", "`secret_file`, `public_key_file`"),
            (format!("{section}secret = ''\n"), "auth.jwt.secret: the secret is empty", "a long one"),
            (
                format!("{EXPOSED}{section}secret = 'short'\n"),
                "auth.jwt.secret: the secret has 5",
                "openssl rand",
            ),
            (format!("{SECRET}jwks_file = 'x'\n"), "auth.jwt.jwks_file: there is a `secret`", "in one of"),
            (format!("{section}public_key_file = '/no/such'\n"), "public_key_file: cannot read", "-pubout"),
            (format!("{section}public_key_file = '{}'\n", pem.display()), "no `PUBLIC KEY`", "-pubout"),
            (format!("{section}jwks_file = '{}'\n", pem.display()), "auth.jwt.jwks_file", "Key Set"),
            (
                format!("{section}jwks_url = 'http://example.com/keys'\n"),
                "auth.jwt.jwks_url: keys",
                "https://",
            ),
            (format!("{section}jwks_url = 'keys'\n"), "auth.jwt.jwks_url: it is no URL", "https://"),
            (format!("{SECRET}algorithms = ['none']\n"), "`none` is no algorithm", "HS256, HS384, HS512"),
            (format!("{SECRET}algorithms = ['RS256']\n"), "there is no key for `RS256`", "HS256"),
            (
                format!("{section}jwks_url = 'https://a/'\nalgorithms = ['HS256']\n"),
                "no key for `HS256`",
                "RS256, RS384",
            ),
            (format!("{SECRET}channels = ['all']\n"), "auth.jwt.channels", "`user({user_id})`"),
            (format!("{SECRET}channels = ['{{a}}{{b}}']\n"), "between two claims", "in braces"),
            (format!("{SECRET}channels = ['u({{a)']\n"), "a `}` is missing", "in braces"),
            (format!("{SECRET}channels = ['u({{}})']\n"), "a claim's name is missing", "in braces"),
            (format!("{SECRET}channels = ['u({{sub|origin.host}})']\n"), "name of an owner", "in braces"),
            (format!("{SECRET}channels = ['*({{a}})']\n"), "is no pattern", "in braces"),
            (format!("{SECRET}grants = ['SHOUT a']\n"), "auth.jwt.grants", "READ chat.*"),
            (format!("{SECRET}issuer = ''\n"), "auth.jwt.issuer: is empty", "leave it out"),
            (format!("{SECRET}max_lifetime = 0\n"), "auth.jwt.max_lifetime: 0", "at least 1"),
            (format!("{SECRET}revoked_file = '/no/such'\n"), "revoked_file: cannot read", "may be empty"),
            (format!("{SECRET}revoked_file = '{}'\n", list.display()), "line 2 of", "`sub:NAME`"),
            (format!("{SECRET}jwks_refresh = 0\n"), "auth.jwt.jwks_refresh: 0", "at least 1"),
        ] {
            let words = resolve(&text).err().unwrap_or_default();
            assert!(words.contains(key) && words.contains(fix), "{text}: {words}");
            assert!(!words.contains("short"), "a secret is shown: {words}");
        }
        std::fs::remove_file(&pem).unwrap();
        std::fs::remove_file(&list).unwrap();
    }
}
