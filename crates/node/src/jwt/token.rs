//! A token as it is written: three parts, the first of which says how the third signs the first two (RFC 7515 §7.1,
//! RFC 7519 §7.2).
//!
//! Knows no key, and believes nothing that has not been verified: of the header it takes the algorithm and the key's
//! name, and never an address or a key.

use super::key::{Algorithm, KID};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::TokenFlaw;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// BOUND: bytes of a token.
pub const TOKEN_MAX: usize = 8 << 10;

/// A token that can be read, and that nobody has verified.
pub(crate) struct Token<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<Box<str>>,
    /// What is signed.
    pub(crate) signed: &'a str,
    pub(crate) signature: Vec<u8>,
    payload: &'a str,
}

impl<'a> Token<'a> {
    /// Cuts a token into its parts.
    pub(crate) fn read(text: &'a str) -> Result<Self, TokenFlaw> {
        if text.is_empty() {
            return Err(TokenFlaw::Missing);
        }
        if text.len() > TOKEN_MAX {
            return Err(TokenFlaw::TooLong { max: TOKEN_MAX });
        }
        let mut parts = text.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenFlaw::Malformed);
        };
        if signature.trim().is_empty() {
            return Err(TokenFlaw::Unsigned);
        }
        let header = Members::decode(header)?;
        if header.get("crit").is_some() {
            return Err(TokenFlaw::Critical);
        }
        let word = header.get("alg").and_then(Value::as_str);
        let algorithm = word.and_then(Algorithm::parse).ok_or(TokenFlaw::Algorithm)?;
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) if kid.len() <= KID => Some(kid.as_str().into()),
            Some(_) => return Err(TokenFlaw::Unreadable),
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenFlaw::Signature)?;
        let signed = text.rsplit_once('.').map_or("", |(signed, _)| signed);
        Ok(Self { algorithm, kid, signed, signature, payload })
    }

    /// What it claims. For tokens that have been verified.
    pub(crate) fn claims(&self) -> Result<Members, TokenFlaw> {
        Members::decode(self.payload)
    }
}

/// The members of a JSON object, each with a name of its own.
#[derive(Debug, Default)]
pub(crate) struct Members(BTreeMap<String, Value>);

impl Members {
    fn decode(part: &str) -> Result<Self, TokenFlaw> {
        let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenFlaw::Unreadable)?;
        serde_json::from_slice(&json).map_err(|_| TokenFlaw::Unreadable)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

/// Two members of one name are refused: who issued the token, and who reads it, might each mean another.
impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("two members of one name"));
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}
