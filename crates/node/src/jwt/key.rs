//! Keys, and the algorithms they are for (RFC 7518). A key has a family, and verifies with that family's algorithms
//! alone: what is public is never taken for a secret.
//!
//! Knows no token and no claim; the cryptography is ring's.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use ring::{hmac, signature::RsaParameters};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use std::fmt;

/// BOUND: keys of a set; the rest is left out.
const KEYS: usize = 64;
/// BOUND: bytes of a key's id.
pub(crate) const KID: usize = 256;

/// What keys have in common that verify in the same way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// A secret that both sides know.
    Secret,
    /// RSA, 2,048 bits and more.
    Rsa,
    /// The curve P-256.
    P256,
    /// The curve P-384.
    P384,
    /// The curve Ed25519.
    Ed25519,
}

/// How a token is signed. There is no `none`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "RFC 7518 §3.1 and RFC 8037 §3.1 name them so")]
pub enum Algorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// As it stands in a token.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of that word, letter by letter.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.word() == word)
    }

    /// Whose keys verify it.
    #[must_use]
    pub fn family(self) -> Family {
        match self {
            Self::Hs256 | Self::Hs384 | Self::Hs512 => Family::Secret,
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512 => Family::Rsa,
            Self::Es256 => Family::P256,
            Self::Es384 => Family::P384,
            Self::EdDsa => Family::Ed25519,
        }
    }
}

#[derive(Clone, PartialEq, Eq)]
enum Material {
    /// A secret, or a public point.
    Bytes(Box<[u8]>),
    Rsa {
        n: Box<[u8]>,
        e: Box<[u8]>,
    },
}

/// A key that verifies.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    family: Family,
    material: Material,
    /// Its name in a set.
    kid: Option<Box<str>>,
    /// The only algorithm it is for, where its set says so.
    only: Option<Algorithm>,
}

/// Never its material.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?}, {:?})", self.family, self.kid)
    }
}

impl Key {
    /// A secret, for `HS256`, `HS384` and `HS512`.
    #[must_use]
    pub fn secret(secret: &[u8]) -> Self {
        Self { family: Family::Secret, material: Material::Bytes(secret.into()), kid: None, only: None }
    }

    /// The public key of a PEM text (`PUBLIC KEY`, RFC 7468 §13).
    ///
    /// # Errors
    /// In words: what is wrong with it.
    pub fn from_pem(pem: &[u8]) -> Result<Self, &'static str> {
        let info =
            SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| "there is no `PUBLIC KEY` in it")?;
        let (family, material) = public(&info).ok_or("its key is of a kind that is not known")?;
        Self { family, material, kid: None, only: None }.sound()
    }

    /// A key of a set (RFC 7517). `None`: it is not for verifying signatures, or not of a kind that is known. A secret
    /// in a set is no key: sets are public.
    fn from_jwk(jwk: &Value) -> Option<Self> {
        let text = |name| jwk.get(name).and_then(Value::as_str);
        if text("use").is_some_and(|to| to != "sig") {
            return None;
        }
        if let Some(operations) = jwk.get("key_ops")
            && !operations.as_array()?.iter().any(|o| o == "verify")
        {
            return None;
        }
        let bytes = |name| text(name).and_then(|b| URL_SAFE_NO_PAD.decode(b).ok());
        let point = |length: usize| {
            let (x, y) = (bytes("x")?, bytes("y")?);
            (x.len() == length && y.len() == length).then(|| [&[4], &*x, &*y].concat())
        };
        let (family, material) = match (text("kty")?, text("crv")) {
            ("RSA", _) => (Family::Rsa, Material::Rsa { n: bytes("n")?.into(), e: bytes("e")?.into() }),
            ("EC", Some("P-256")) => (Family::P256, Material::Bytes(point(32)?.into())),
            ("EC", Some("P-384")) => (Family::P384, Material::Bytes(point(48)?.into())),
            ("OKP", Some("Ed25519")) => (Family::Ed25519, Material::Bytes(bytes("x")?.into())),
            _ => return None,
        };
        let kid = text("kid").map(Into::into);
        let only = match text("alg") {
            Some(word) => Some(Algorithm::parse(word).filter(|a| a.family() == family)?),
            None => None,
        };
        Self { family, material, kid, only }.sound().ok()
    }

    /// Whether it can be what it says.
    fn sound(self) -> Result<Self, &'static str> {
        match (&self.material, self.family) {
            (Material::Rsa { n, .. }, _) if n.len() < 256 || n.first() == Some(&0) => {
                Err("its RSA key has less than 2048 bits")
            }
            (Material::Bytes(point), Family::Ed25519) if point.len() != 32 => {
                Err("its key is no Ed25519 key")
            }
            (Material::Bytes(_) | Material::Rsa { .. }, _) => Ok(self),
        }
    }

    /// Of which family it is.
    #[must_use]
    pub fn family(&self) -> Family {
        self.family
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        self.family == algorithm.family() && self.only.is_none_or(|only| only == algorithm)
    }

    /// Whether this is its signature of these words.
    pub(crate) fn verify(&self, algorithm: Algorithm, words: &[u8], signature: &[u8]) -> bool {
        if !self.fits(algorithm) {
            return false;
        }
        match (&self.material, how(algorithm)) {
            (Material::Bytes(secret), How::Mac(with)) => {
                hmac::verify(&hmac::Key::new(with, secret), words, signature).is_ok()
            }
            (Material::Bytes(point), How::Point(with)) => {
                UnparsedPublicKey::new(with, point).verify(words, signature).is_ok()
            }
            (Material::Rsa { n, e }, How::Rsa(with)) => {
                RsaPublicKeyComponents { n, e }.verify(with, words, signature).is_ok()
            }
            (Material::Bytes(_) | Material::Rsa { .. }, How::Mac(_) | How::Point(_) | How::Rsa(_)) => false,
        }
    }
}

enum How {
    Mac(hmac::Algorithm),
    Point(&'static dyn VerificationAlgorithm),
    Rsa(&'static RsaParameters),
}

fn how(algorithm: Algorithm) -> How {
    match algorithm {
        Algorithm::Hs256 => How::Mac(hmac::HMAC_SHA256),
        Algorithm::Hs384 => How::Mac(hmac::HMAC_SHA384),
        Algorithm::Hs512 => How::Mac(hmac::HMAC_SHA512),
        Algorithm::Rs256 => How::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => How::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => How::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => How::Rsa(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => How::Rsa(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => How::Rsa(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::Es256 => How::Point(&signature::ECDSA_P256_SHA256_FIXED),
        Algorithm::Es384 => How::Point(&signature::ECDSA_P384_SHA384_FIXED),
        Algorithm::EdDsa => How::Point(&signature::ED25519),
    }
}

/// `AlgorithmIdentifier`s of RFC 3279 §2.3, RFC 5480 §2.1.1 and RFC 8410 §3, without their outermost header.
const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
const P256: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const P384: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";
const ED25519: &[u8] = b"\x06\x03\x2b\x65\x70";

const INTEGER: u8 = 2;
const BIT_STRING: u8 = 3;
const SEQUENCE: u8 = 0x30;

/// The key of a `SubjectPublicKeyInfo` (RFC 5280 §4.1): the operator's own file.
fn public(der: &[u8]) -> Option<(Family, Material)> {
    let (info, _) = element(der, SEQUENCE)?;
    let (algorithm, rest) = element(info, SEQUENCE)?;
    let (bits, _) = element(rest, BIT_STRING)?;
    let key = bits.strip_prefix(b"\0")?;
    let point = |length| (key.len() == length).then(|| Material::Bytes(key.into()));
    Some(match algorithm {
        RSA => {
            let (numbers, _) = element(key, SEQUENCE)?;
            let (n, rest) = element(numbers, INTEGER)?;
            let (e, _) = element(rest, INTEGER)?;
            let plain = |n: &[u8]| n.strip_prefix(b"\0").unwrap_or(n).into();
            (Family::Rsa, Material::Rsa { n: plain(n), e: plain(e) })
        }
        P256 => (Family::P256, point(65)?),
        P384 => (Family::P384, point(97)?),
        ED25519 => (Family::Ed25519, point(32)?),
        _ => return None,
    })
}

/// The content of the first DER element, if it has that tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        0x81 => rest.split_first().map(|(n, rest)| (usize::from(*n), rest))?,
        0x82 => rest.split_first_chunk().map(|(n, rest)| (usize::from(u16::from_be_bytes(*n)), rest))?,
        _ => return None,
    };
    (first == tag).then_some(())?;
    rest.split_at_checked(length)
}

/// Keys, of which a token names one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeySet(Vec<Key>);

impl From<Key> for KeySet {
    fn from(key: Key) -> Self {
        Self(vec![key])
    }
}

impl KeySet {
    /// The keys of a set (RFC 7517 §5) that verify signatures and are of a kind that is known.
    ///
    /// # Errors
    /// In words: why it is no set, or that there is no such key in it.
    pub fn from_json(json: &[u8]) -> Result<Self, &'static str> {
        let set: Value = serde_json::from_slice(json).map_err(|_| "it is no JSON")?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or("it has no list `keys`")?;
        let keys: Vec<_> = keys.iter().filter_map(Key::from_jwk).take(KEYS).collect();
        if keys.is_empty() { Err("it has no public key that can be used") } else { Ok(Self(keys)) }
    }

    /// Of which families its keys are.
    pub fn families(&self) -> impl Iterator<Item = Family> {
        self.0.iter().map(|k| k.family)
    }

    /// The key that a token of this algorithm is to be verified with. One that stands alone and has no name is for
    /// every token, whatever that calls its key.
    pub(crate) fn choose(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        if let [only] = self.0.as_slice()
            && only.kid.is_none()
        {
            return Some(only);
        }
        let named = |key: &&Key| kid.is_none_or(|kid| key.kid.as_deref() == Some(kid));
        let mut fit = self.0.iter().filter(|key| key.fits(algorithm)).filter(named);
        // A token that names no key is not tried against one after the other.
        fit.next().filter(|_| kid.is_some() || fit.next().is_none())
    }
}
