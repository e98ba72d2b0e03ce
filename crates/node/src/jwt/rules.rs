//! What a verified token must claim, and who its owner is then.
//!
//! The order of the checks is that of most libraries: when, for whom, by whom, who. Knows no key.

use super::key::Algorithm;
use super::template::Template;
use super::token::Members;
use model::{Grant, Pass, Principal, Role, TokenFlaw};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// BOUND: grants of a token.
const GRANTS: usize = 64;
/// BOUND: bytes of one of them.
const GRANT: usize = 300;
/// BOUND: bytes of a claim that is part of a name.
const WORD: usize = 128;

/// Claims that name the owner, where the operator has not said which does: the first that is there.
pub const NAMES: [&str; 2] = ["sub", "user_id"];

/// What holds for every token.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The algorithms that are allowed.
    pub algorithms: Vec<Algorithm>,
    /// For whom it must be.
    pub audience: Option<Box<str>>,
    /// By whom it must be.
    pub issuer: Option<Box<str>>,
    /// How far the issuer's clock may be off. Tokens are good for so much longer.
    pub leeway: Duration,
    /// Whether it must say when it ends.
    pub require_exp: bool,
    /// How long it may be good, from when it was issued (`iat`); where it does not say, from now. Then it must say when
    /// it ends.
    pub max_lifetime: Option<Duration>,
    /// The claim that names the owner; `None`: one of [`NAMES`].
    pub name_claim: Option<Box<str>>,
    /// The claim that holds grants.
    pub grants_claim: Box<str>,
    /// What every owner gets.
    pub grants: Vec<Grant>,
    /// The channels of an owner's own.
    pub channels: Vec<Template>,
    /// Whether owners may publish to them, too.
    pub may_write: bool,
}

impl Rules {
    /// Whether it matters on which page a token is shown.
    pub(crate) fn ask_for_pages(&self) -> bool {
        self.channels.iter().any(Template::asks_for_page)
    }

    /// Who shows a token with these claims, on a page of this host.
    pub(crate) fn owner(
        &self,
        claims: &Members,
        page: Option<&str>,
        wall_ms: u64,
    ) -> Result<Principal, TokenFlaw> {
        let until_ms = self.check_time(claims, wall_ms)?;
        self.check_parties(claims)?;
        let name = self.name(claims)?;
        let mut grants = self.grants.clone();
        grants.extend(self.granted(claims)?);
        let mut channels = Vec::new();
        for template in &self.channels {
            channels.extend(template.fill(claims, page)?);
        }
        let pass = Pass { until_ms, channels: channels.into(), may_write: self.may_write, id: id(claims) };
        let role = Role { name: Some(name), grants: grants.into(), proven: true, pass: Some(Box::new(pass)) };
        Ok(Principal { role: Arc::new(role), address: None })
    }

    /// Until when the token is good.
    fn check_time(&self, claims: &Members, wall_ms: u64) -> Result<Option<u64>, TokenFlaw> {
        let leeway = u64::try_from(self.leeway.as_millis()).unwrap_or(u64::MAX);
        if let Some(from) = claims.get("nbf") {
            let from = millis(from).ok_or(TokenFlaw::NotBefore)?;
            if from > wall_ms.saturating_add(leeway) {
                return Err(TokenFlaw::NotActive);
            }
        }
        let Some(until) = claims.get("exp") else {
            let must = self.require_exp || self.max_lifetime.is_some();
            return if must { Err(TokenFlaw::NoExpiry) } else { Ok(None) };
        };
        let end = millis(until).ok_or(TokenFlaw::Expiry)?;
        let until = end.saturating_add(leeway);
        if wall_ms >= until {
            return Err(TokenFlaw::Expired);
        }
        let Some(max) = self.max_lifetime else { return Ok(Some(until)) };
        // What is issued tomorrow is good from now on all the same.
        let issued = claims.get("iat").and_then(millis).unwrap_or(wall_ms).min(wall_ms);
        if u128::from(end.saturating_sub(issued)) > max.as_millis() {
            return Err(TokenFlaw::LongLived { max: max.as_secs() });
        }
        Ok(Some(until))
    }

    fn check_parties(&self, claims: &Members) -> Result<(), TokenFlaw> {
        if let Some(expected) = &self.audience {
            let is = |value: &Value| value.as_str() == Some(expected);
            let named = match claims.get("aud") {
                Some(Value::Array(all)) => all.iter().any(is),
                Some(one) => is(one),
                None => false,
            };
            if !named {
                return Err(TokenFlaw::Audience { expected: expected.clone() });
            }
        }
        match &self.issuer {
            Some(expected) if claims.get("iss").and_then(Value::as_str) != Some(expected) => {
                Err(TokenFlaw::Issuer { expected: expected.clone() })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn name(&self, claims: &Members) -> Result<Arc<str>, TokenFlaw> {
        let configured = self.name_claim.as_deref();
        let candidates = configured.as_ref().map_or(NAMES.as_slice(), std::slice::from_ref);
        for claim in candidates {
            if let Some(name) = word(claims, claim)? {
                return Ok(name.into());
            }
        }
        Err(TokenFlaw::NoClaim { claim: candidates.first().copied().unwrap_or_default().into() })
    }

    fn granted(&self, claims: &Members) -> Result<Vec<Grant>, TokenFlaw> {
        let bad = || TokenFlaw::BadClaim { claim: self.grants_claim.clone() };
        let Some(written) = claims.get(&self.grants_claim).filter(|v| !v.is_null()) else {
            return Ok(Vec::new());
        };
        let written = written.as_array().filter(|all| all.len() <= GRANTS).ok_or_else(bad)?;
        let grant = |value: &Value| {
            let text = value.as_str().filter(|text| text.len() <= GRANT)?;
            Grant::parse(text).ok()
        };
        written.iter().map(grant).collect::<Option<_>>().ok_or_else(bad)
    }
}

/// The id of the token: text, or a whole number, which stands for its digits.
fn id(claims: &Members) -> Option<Box<str>> {
    let id = claims.get("jti")?;
    id.as_str().map(Into::into).or_else(|| id.is_number().then(|| id.to_string().into()))
}

/// A claim that can be part of a name: text, or a whole number, which stands for its digits. `None`: it is missing.
pub(crate) fn word<'a>(claims: &'a Members, claim: &str) -> Result<Option<Cow<'a, str>>, TokenFlaw> {
    let word: Cow<'a, str> = match claims.get(claim) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.into(),
        Some(Value::Number(number)) if !number.is_f64() => number.to_string().into(),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => "".into(),
    };
    let usable = !word.is_empty() && word.len() <= WORD && !word.chars().any(char::is_control);
    if usable { Ok(Some(word)) } else { Err(TokenFlaw::BadClaim { claim: claim.into() }) }
}

/// A `NumericDate` (RFC 7519 §2): seconds since 1970, with or without a fraction. What was before is 1970; what is
/// further than can be told is the end of time.
fn millis(value: &Value) -> Option<u64> {
    let seconds = value.as_f64()?;
    if let Some(whole) = value.as_u64() {
        return Some(whole.saturating_mul(1000));
    }
    if seconds <= 0.0 {
        return Some(0);
    }
    let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
