//! What proves to a receiver that a POST is this node's: HMAC-SHA256 after Standard Webhooks 1.0.
//!
//! Signed is `<webhook-id>.<webhook-timestamp>.<body>`; the header says `v1,` and the base64 of it. Knows the secret
//! and shows it to nobody.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use std::fmt;

/// Bytes a secret has at least: fewer could be guessed.
const SECRET_LEAST: usize = 24;

/// The secret that signs.
#[derive(Clone)]
pub struct Signer {
    key: hmac::Key,
    /// What two secrets are told apart by, without the secret.
    mark: [u8; 8],
}

impl PartialEq for Signer {
    fn eq(&self, other: &Self) -> bool {
        self.mark == other.mark
    }
}

impl Signer {
    /// By this secret: `whsec_` and base64, as libraries for receivers take it; else its bytes as they stand.
    ///
    /// # Errors
    /// What is wrong with it. Never the secret itself.
    pub fn new(secret: &str) -> Result<Self, &'static str> {
        let bytes = match secret.strip_prefix("whsec_") {
            Some(coded) => STANDARD.decode(coded).map_err(|_| "what follows `whsec_` is not base64")?,
            None => secret.as_bytes().to_vec(),
        };
        if bytes.len() < SECRET_LEAST {
            return Err("it has less than 24 bytes, which could be guessed");
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        let mark = hmac::sign(&key, b"mark").as_ref().first_chunk().copied().unwrap_or_default();
        Ok(Self { key, mark })
    }

    /// The value of `Webhook-Signature`. `timestamp` is in seconds since 1970.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body);
        let mut value = String::from("v1,");
        STANDARD.encode_string(context.sign(), &mut value);
        value
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard() {
        // From the specification's own text and the test vectors of its libraries.
        let signer = Signer::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signature = signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(format!("{signer:?}") == "***");
    }

    #[test]
    fn weak_secrets_are_refused() {
        for weak in ["", "short", "whsec_AAAA", "whsec_not base64!"] {
            assert!(Signer::new(weak).is_err(), "{weak}");
        }
        assert!(Signer::new("twenty-four bytes of text").is_ok());
    }
}
