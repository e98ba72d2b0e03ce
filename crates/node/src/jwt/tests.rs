//! A corpus of tokens: what must be believed, and what must not, each with its reason (RFC 8725 among others).
//!
//! Tokens by RSA were made by PyJWT with a key that nobody has kept; the others are made here.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use model::{Grant, Right, Time};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use ring::{hmac, signature::EcdsaSigningAlgorithm};
use serde_json::{Value, json};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const RSA: &str = include_str!("rsa.txt");
/// RSA of 1,024 bits, which somebody could take apart.
const WEAK: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDDL+oq9FDZ4iu6hNACcpwIZEn4
KD3yw/csSqSELb2sBIRGpL6WN5wzN+SWqBrdFQ9PewOH5ZJ2stQ8J77YFQuY2Tfd
o6GihHpH7Zo69D4wxVi4l72fvqBL0PSNBy8Y+Xae6FCzdsZxGZ5OSfp1aXpxK0XY
mWfkyeWecZxNv7C/XQIDAQAB
-----END PUBLIC KEY-----
";
/// When it is, in seconds.
const NOW: u64 = 1_000_000;

fn now() -> Now {
    Now { time: Time(0), wall_ms: NOW * 1000 }
}

fn rules(algorithms: &[Algorithm]) -> Rules {
    Rules {
        algorithms: algorithms.to_vec(),
        audience: None,
        issuer: None,
        leeway: Duration::ZERO,
        require_exp: false,
        max_lifetime: None,
        name_claim: None,
        grants_claim: "grants".into(),
        grants: vec![Grant::parse("READ news").unwrap()],
        channels: Vec::new(),
        may_write: false,
    }
}

fn with(keys: impl Into<KeySet>, rules: Rules) -> Jwt {
    let source = Source::Keys(keys.into());
    Jwt::new(JwtSettings {
        rules,
        vhost: VHostName::root(),
        source,
        refresh: Duration::from_mins(5),
        revoked: Revoked::default(),
    })
}

/// For tokens with the secret, by HS256 alone.
fn usual() -> Jwt {
    with(Key::secret(SECRET), rules(&[Algorithm::Hs256]))
}

fn part(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn seal(header: &str, claims: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = part(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn mac(with: hmac::Algorithm, secret: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> {
    let key = hmac::Key::new(with, secret);
    move |words| hmac::sign(&key, words).as_ref().to_vec()
}

fn hs256(header: &str, claims: &str) -> String {
    seal(header, claims, mac(hmac::HMAC_SHA256, SECRET))
}

/// An ordinary token with these claims.
fn token(claims: &Value) -> String {
    hs256(r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string())
}

fn flaw(jwt: &Jwt, token: &str) -> TokenFlaw {
    match jwt.verify(token, now()) {
        Err(Unproven::Flaw(flaw)) => flaw,
        other => panic!("{other:?} for {token}"),
    }
}

fn name(jwt: &Jwt, token: &str) -> String {
    let principal = jwt.verify(token, now()).unwrap();
    principal.name().unwrap().to_string()
}

fn point(pair: &EcdsaKeyPair) -> (String, String) {
    let bytes = &pair.public_key().as_ref()[1..];
    let (x, y) = bytes.split_at(bytes.len() / 2);
    (part(x), part(y))
}

fn curve(with: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    let dice = SystemRandom::new();
    let pair = EcdsaKeyPair::generate_pkcs8(with, &dice).unwrap();
    EcdsaKeyPair::from_pkcs8(with, pair.as_ref(), &dice).unwrap()
}

fn pem(prefix: &[u8], key: &[u8]) -> String {
    let der = [prefix, key].concat();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
}

const P256_PREFIX: &[u8] =
    b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
const P384_PREFIX: &[u8] =
    b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00";
const ED_PREFIX: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

/// A token that is altered in any one place proves nothing.
fn every_byte_counts(jwt: &Jwt, token: &str) {
    assert_eq!(name(jwt, token), "ann");
    for at in (0..token.len()).step_by(7).chain([token.len() - 3]) {
        let mut altered = token.as_bytes().to_vec();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert!(altered == token || jwt.verify(&altered, now()).is_err(), "{altered}");
    }
}

#[test]
fn every_algorithm_verifies_its_own_and_nothing_else() {
    let macs = [
        (Algorithm::Hs256, hmac::HMAC_SHA256),
        (Algorithm::Hs384, hmac::HMAC_SHA384),
        (Algorithm::Hs512, hmac::HMAC_SHA512),
    ];
    for (algorithm, with_mac) in macs {
        let jwt = with(Key::secret(SECRET), rules(&[algorithm]));
        let header = json!({ "alg": algorithm.word() }).to_string();
        every_byte_counts(&jwt, &seal(&header, r#"{"sub":"ann"}"#, mac(with_mac, SECRET)));
        let other = seal(&header, r#"{"sub":"ann"}"#, mac(with_mac, b"another"));
        assert_eq!(flaw(&jwt, &other), TokenFlaw::Signature);
    }
    for line in RSA.lines().filter(|l| l.contains(' ') && !l.starts_with('-')) {
        let (word, token) = line.split_once(' ').unwrap();
        let algorithm = Algorithm::parse(word).unwrap();
        let key = Key::from_pem(RSA.as_bytes()).unwrap();
        every_byte_counts(&with(key.clone(), rules(&[algorithm])), token);
        let rest: Vec<_> = Algorithm::ALL.into_iter().filter(|a| *a != algorithm).collect();
        assert_eq!(flaw(&with(key, rules(&rest)), token), TokenFlaw::Algorithm);
    }
}

#[test]
fn curves_verify_from_pem_and_from_sets() {
    for (algorithm, signing, prefix, crv) in [
        (Algorithm::Es256, &ECDSA_P256_SHA256_FIXED_SIGNING, P256_PREFIX, "P-256"),
        (Algorithm::Es384, &ECDSA_P384_SHA384_FIXED_SIGNING, P384_PREFIX, "P-384"),
    ] {
        let pair = curve(signing);
        let header = json!({ "alg": algorithm.word(), "kid": "k" }).to_string();
        let dice = SystemRandom::new();
        let sign = |words: &[u8]| pair.sign(&dice, words).unwrap().as_ref().to_vec();
        let token = seal(&header, r#"{"sub":"ann"}"#, sign);
        let of_pem = Key::from_pem(pem(prefix, pair.public_key().as_ref()).as_bytes()).unwrap();
        every_byte_counts(&with(of_pem, rules(&[algorithm])), &token);
        let (x, y) = point(&pair);
        let set = json!({"keys": [{"kty": "EC", "crv": crv, "x": x, "y": y, "kid": "k", "use": "sig"}]});
        every_byte_counts(
            &with(KeySet::from_json(set.to_string().as_bytes()).unwrap(), rules(&[algorithm])),
            &token,
        );
    }
    let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pair.as_ref()).unwrap();
    let token = seal(r#"{"alg":"EdDSA"}"#, r#"{"sub":"ann"}"#, |words| pair.sign(words).as_ref().to_vec());
    let of_pem = Key::from_pem(pem(ED_PREFIX, pair.public_key().as_ref()).as_bytes()).unwrap();
    every_byte_counts(&with(of_pem, rules(&[Algorithm::EdDsa])), &token);
    let set =
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": part(pair.public_key()), "alg": "EdDSA"}]});
    let set = KeySet::from_json(set.to_string().as_bytes()).unwrap();
    every_byte_counts(&with(set, rules(&[Algorithm::EdDsa])), &token);
}

#[test]
fn a_public_key_is_never_taken_for_a_secret() {
    let public = RSA.split_inclusive("-----END PUBLIC KEY-----\n").next().unwrap();
    let key = Key::from_pem(public.as_bytes()).unwrap();
    let everything = with(key.clone(), rules(&Algorithm::ALL));
    for secret in [public, public.trim_end()] {
        let forged =
            seal(r#"{"alg":"HS256"}"#, r#"{"sub":"ann"}"#, mac(hmac::HMAC_SHA256, secret.as_bytes()));
        assert_eq!(flaw(&everything, &forged), TokenFlaw::Signature);
        assert_eq!(flaw(&with(key.clone(), rules(&[Algorithm::Rs256])), &forged), TokenFlaw::Algorithm);
    }
    // The other way round: what is signed by somebody's own key is nothing to a secret.
    let pair = curve(&ECDSA_P256_SHA256_FIXED_SIGNING);
    let sign = |words: &[u8]| pair.sign(&SystemRandom::new(), words).unwrap().as_ref().to_vec();
    let own = seal(r#"{"alg":"ES256"}"#, r#"{"sub":"ann"}"#, sign);
    assert_eq!(flaw(&with(Key::secret(SECRET), rules(&Algorithm::ALL)), &own), TokenFlaw::Signature);
    // A point of a curve is bytes, as a secret is.
    let edwards = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let edwards = Ed25519KeyPair::from_pkcs8(edwards.as_ref()).unwrap();
    for (prefix, point) in
        [(P256_PREFIX, pair.public_key().as_ref()), (ED_PREFIX, edwards.public_key().as_ref())]
    {
        let jwt = with(Key::from_pem(pem(prefix, point).as_bytes()).unwrap(), rules(&Algorithm::ALL));
        let forged = seal(r#"{"alg":"HS256"}"#, r#"{"sub":"ann"}"#, mac(hmac::HMAC_SHA256, point));
        assert_eq!(flaw(&jwt, &forged), TokenFlaw::Signature);
    }
    assert_eq!(Key::from_pem(WEAK.as_bytes()).err(), Some("its RSA key has less than 2048 bits"));
}

#[test]
fn what_is_no_token_says_why() {
    let jwt = with(Key::secret(SECRET), rules(&[Algorithm::Hs256, Algorithm::Hs384]));
    let claims = r#"{"sub":"ann"}"#;
    let good = hs256(r#"{"alg":"HS256"}"#, claims);
    let (signed, _) = good.rsplit_once('.').unwrap();
    let of = |header: &str| hs256(header, claims);
    let none = |alg: &str| format!("{}.{}.", part(format!(r#"{{"alg":"{alg}"}}"#)), part(claims));
    let deep = format!(r#"{{"sub":"ann","a":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    for (text, expected) in [
        (String::new(), TokenFlaw::Missing),
        ("secret".into(), TokenFlaw::Malformed),
        (signed.into(), TokenFlaw::Malformed),
        (format!("{good}."), TokenFlaw::Malformed),
        (format!("{good}.x.y"), TokenFlaw::Malformed),
        (format!("{signed}."), TokenFlaw::Unsigned),
        (format!("{signed}. "), TokenFlaw::Unsigned),
        (none("none"), TokenFlaw::Unsigned),
        (format!("{}x", none("none")), TokenFlaw::Algorithm),
        (format!("{}x", none("NONE")), TokenFlaw::Algorithm),
        (format!("{}AAAA", none("nOnE")), TokenFlaw::Algorithm),
        ("..x".into(), TokenFlaw::Unreadable),
        ("a.b.c".into(), TokenFlaw::Unreadable),
        (format!("{good}="), TokenFlaw::Signature),
        (format!("{good}\n"), TokenFlaw::Signature),
        (of("{}"), TokenFlaw::Algorithm),
        (of(r#"{"alg":""}"#), TokenFlaw::Algorithm),
        (of(r#"{"alg":"hs256"}"#), TokenFlaw::Algorithm),
        (of(r#"{"alg":"HS512"}"#), TokenFlaw::Algorithm),
        (of(r#"{"alg":["HS256"]}"#), TokenFlaw::Algorithm),
        (of(r#"{"alg":"none","alg":"HS256"}"#), TokenFlaw::Unreadable),
        (of(r#"{"alg":"HS256","crit":["exp"],"exp":1}"#), TokenFlaw::Critical),
        (of(r#"{"alg":"HS256","crit":[],"b64":false}"#), TokenFlaw::Critical),
        (of(r#"{"alg":"HS256","kid":7}"#), TokenFlaw::Unreadable),
        (of(&format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(257))), TokenFlaw::Unreadable),
        (of(r#"["HS256"]"#), TokenFlaw::Unreadable),
        (of(r#"{"alg":"HS384"}"#), TokenFlaw::Signature),
        (hs256(r#"{"alg":"HS256"}"#, "[]"), TokenFlaw::Unreadable),
        (hs256(r#"{"alg":"HS256"}"#, r#""ann""#), TokenFlaw::Unreadable),
        (hs256(r#"{"alg":"HS256"}"#, r#"{"sub":"ann","sub":"root"}"#), TokenFlaw::Unreadable),
        (hs256(r#"{"alg":"HS256"}"#, &deep), TokenFlaw::Unreadable),
        ("x".repeat(TOKEN_MAX + 1), TokenFlaw::TooLong { max: TOKEN_MAX }),
    ] {
        assert_eq!(flaw(&jwt, &text), expected, "{text}");
    }
    // What a header says of keys is not asked, and a name that is no name of ours makes no difference to one secret.
    let tricks = r#"{"alg":"HS256","jku":"http://127.0.0.1:1/","x5u":"http://127.0.0.1:1/","jwk":{"kty":"oct","k":"AA"},"kid":"../../dev/null"}"#;
    assert_eq!(name(&jwt, &of(tricks)), "ann");
}

#[test]
fn time_is_kept_to_the_millisecond() {
    let jwt = usual();
    for (claims, expected) in [
        (json!({"sub": "a", "exp": NOW}), TokenFlaw::Expired),
        (json!({"sub": "a", "exp": NOW - 1}), TokenFlaw::Expired),
        (json!({"sub": "a", "exp": 0}), TokenFlaw::Expired),
        (json!({"sub": "a", "exp": -5}), TokenFlaw::Expired),
        (json!({"sub": "a", "exp": "never"}), TokenFlaw::Expiry),
        (json!({"sub": "a", "exp": null}), TokenFlaw::Expiry),
        (json!({"sub": "a", "exp": [NOW + 9]}), TokenFlaw::Expiry),
        (json!({"sub": "a", "nbf": NOW + 1}), TokenFlaw::NotActive),
        (json!({"sub": "a", "nbf": "0"}), TokenFlaw::NotBefore),
        (json!({"sub": "a", "nbf": NOW + 1, "exp": 1}), TokenFlaw::NotActive),
    ] {
        assert_eq!(flaw(&jwt, &token(&claims)), expected, "{claims}");
    }
    for (exp, until_ms) in [
        (json!(NOW + 1), (NOW + 1) * 1000),
        (json!(1_000_000.5), 1_000_000_500),
        (json!(u64::MAX), u64::MAX),
        (json!(1e300), u64::MAX),
    ] {
        let principal = jwt.verify(&token(&json!({"sub": "a", "nbf": NOW, "exp": exp})), now()).unwrap();
        assert_eq!(principal.expires_ms(), Some(until_ms));
    }
    let lenient = Rules { leeway: Duration::from_secs(5), ..rules(&[Algorithm::Hs256]) };
    let lenient = with(Key::secret(SECRET), lenient);
    let principal = lenient.verify(&token(&json!({"sub": "a", "nbf": NOW + 5, "exp": NOW - 4})), now());
    assert_eq!(principal.unwrap().expires_ms(), Some((NOW + 1) * 1000));
    let strict = Rules { require_exp: true, ..rules(&[Algorithm::Hs256]) };
    assert_eq!(flaw(&with(Key::secret(SECRET), strict), &token(&json!({"sub": "a"}))), TokenFlaw::NoExpiry);
}

#[test]
fn a_token_that_was_good_expires_in_the_cache_too() {
    let jwt = usual();
    let text = token(&json!({"sub": "a", "exp": NOW + 1}));
    let (first, again) = (jwt.verify(&text, now()).unwrap(), jwt.verify(&text, now()).unwrap());
    assert!(Arc::ptr_eq(&first, &again), "it was verified once");
    let later = Now { wall_ms: (NOW + 1) * 1000, ..now() };
    assert_eq!(jwt.verify(&text, later), Err(Unproven::Flaw(TokenFlaw::Expired)));
    // Another signature is another token, however well it is known what it says.
    let forged = format!("{}A", &text[..text.len() - 1]);
    assert!(forged == text || jwt.verify(&forged, now()).is_err());
    jwt.adopt(Key::secret(b"another").into());
    assert_eq!(flaw(&jwt, &text), TokenFlaw::Signature);
}

#[test]
fn for_whom_and_by_whom() {
    let rules =
        Rules { audience: Some("chat".into()), issuer: Some("us".into()), ..rules(&[Algorithm::Hs256]) };
    let jwt = with(Key::secret(SECRET), rules);
    let audience = TokenFlaw::Audience { expected: "chat".into() };
    for aud in [json!(null), json!("chatter"), json!(["a", "b"]), json!({"chat": 1}), json!([["chat"]])] {
        assert_eq!(flaw(&jwt, &token(&json!({"sub": "a", "iss": "us", "aud": aud}))), audience);
    }
    let issuer = TokenFlaw::Issuer { expected: "us".into() };
    for iss in [json!(null), json!("them"), json!(["us"])] {
        assert_eq!(flaw(&jwt, &token(&json!({"sub": "a", "iss": iss, "aud": "chat"}))), issuer);
    }
    for aud in [json!("chat"), json!(["a", "chat"])] {
        assert_eq!(name(&jwt, &token(&json!({"sub": "a", "iss": "us", "aud": aud}))), "a");
    }
}

#[test]
fn names_are_words_or_whole_numbers() {
    let jwt = usual();
    assert_eq!(name(&jwt, &token(&json!({"user_id": 5}))), "5");
    assert_eq!(name(&jwt, &token(&json!({"user_id": 5, "sub": "ann"}))), "ann");
    assert_eq!(name(&jwt, &token(&json!({"sub": "a".repeat(128)}))).len(), 128);
    assert_eq!(flaw(&jwt, &token(&json!({}))), TokenFlaw::NoClaim { claim: "sub".into() });
    let bad = TokenFlaw::BadClaim { claim: "sub".into() };
    for sub in [
        json!(""),
        json!(1.5),
        json!(true),
        json!({}),
        json!(["a"]),
        json!("a\nb"),
        json!("\u{85}"),
        json!("a".repeat(129)),
    ] {
        assert_eq!(flaw(&jwt, &token(&json!({"sub": sub, "user_id": 1}))), bad, "{sub}");
    }
    let named = Rules { name_claim: Some("nick".into()), ..rules(&[Algorithm::Hs256]) };
    let jwt = with(Key::secret(SECRET), named);
    assert_eq!(name(&jwt, &token(&json!({"sub": 1.5, "nick": "bo"}))), "bo");
    assert_eq!(flaw(&jwt, &token(&json!({"sub": "a"}))), TokenFlaw::NoClaim { claim: "nick".into() });
}

#[test]
fn grants_come_from_the_operator_and_the_token() {
    let jwt = usual();
    let who = |grants: Value| jwt.verify(&token(&json!({"sub": "a", "grants": grants})), now());
    let principal = who(json!(["WRITE chat.*", "READ **"])).unwrap();
    assert!(principal.may_by_name(Right::Write, "chat.tea", false, 0));
    assert!(
        principal.may_by_name(Right::Read, "news", true, 0) && !principal.may_everywhere(Right::Write, 0)
    );
    assert!(who(json!(null)).unwrap().may_by_name(Right::Read, "news", false, 0));
    let bad = Err(Unproven::Flaw(TokenFlaw::BadClaim { claim: "grants".into() }));
    let many = vec!["READ a"; 65];
    let long = format!("READ {}", "a".repeat(300));
    for grants in [
        json!("READ **"),
        json!(["READ"]),
        json!(["ALL x"]),
        json!([5]),
        json!({}),
        json!(many),
        json!([long]),
    ] {
        assert_eq!(who(grants.clone()), bad, "{grants}");
    }
}

fn owning(templates: &[&str]) -> Jwt {
    let is_name = |claim: &str| NAMES.contains(&claim);
    let channels = templates.iter().map(|t| Template::parse(t, is_name).unwrap()).collect();
    with(Key::secret(SECRET), Rules { channels, ..rules(&[Algorithm::Hs256]) })
}

#[test]
fn owners_have_channels_of_their_own() {
    let jwt = owning(&["user({user_id})", "site({host})", "{team!}/{host}"]);
    let channels = |claims: Value| {
        let principal = jwt.verify(&token(&claims), now())?;
        Ok(principal.assigned().iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let all = channels(json!({"user_id": 5, "host": "a.example", "team": "x"})).unwrap();
    assert_eq!(all, ["user(5)", "site(a.example)", "x/a.example"]);
    assert_eq!(channels(json!({"user_id": "5", "team": "x"})).unwrap(), ["user(5)"]);
    // What would be a pattern is a name, and what would close a bracket is a name as well.
    let odd = channels(json!({"user_id": "*", "host": "5)", "team": "x"})).unwrap();
    assert_eq!(odd, ["user(*)", "site(5))", "x/5)"]);
    for (claims, expected) in [
        (json!({"sub": "a", "team": "x"}), TokenFlaw::NoClaim { claim: "user_id".into() }),
        (json!({"user_id": 5, "host": "a"}), TokenFlaw::NoClaim { claim: "team".into() }),
        (json!({"user_id": [5], "sub": "a"}), TokenFlaw::BadClaim { claim: "user_id".into() }),
        (json!({"user_id": 5, "host": "a", "team": "x/y"}), TokenFlaw::BadClaim { claim: "team".into() }),
    ] {
        assert_eq!(channels(claims), Err(Unproven::Flaw(expected)));
    }
    let principal = jwt.verify(&token(&json!({"user_id": "*", "team": "x"})), now()).unwrap();
    assert!(principal.may_by_name(Right::Read, "user(*)", true, 0));
    assert!(!principal.may_by_name(Right::Read, "user(5)", true, 0));
    for template in ["user({user_id})", "{a}/{b}!"] {
        let pattern = Template::parse(template, |_| false).unwrap().pattern();
        assert!(pattern.matches(if template.starts_with('u') { "user(5)" } else { "x/y!" }));
        assert!(!pattern.matches("other"));
    }
}

/// A page says where it is only where a token says nothing of it, and only where a template asks.
#[test]
fn a_page_stands_in_for_a_claim_that_is_missing() {
    let jwt =
        owning(&["user({user_id})", "site({host|origin.host})", "of({host})", "{host!|origin.host}/all"]);
    let channels = |claims: Value, page: Option<&str>| {
        let principal = jwt.verify_on(&token(&claims), page, now())?;
        Ok(principal.assigned().iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let claims = || json!({"user_id": 5});
    let at = |host: &str| vec!["user(5)".to_owned(), format!("site({host})"), format!("{host}/all")];
    // One token on two pages is two principals, whichever was seen first.
    for page in ["a.example", "b.example", "a.example"] {
        assert_eq!(channels(claims(), Some(page)), Ok(at(page)));
    }
    let missing = TokenFlaw::NoClaim { claim: "host".into() };
    assert_eq!(channels(claims(), None), Err(Unproven::Flaw(missing)));
    let all = ["user(5)", "site(c.example)", "of(c.example)", "c.example/all"];
    assert_eq!(channels(json!({"user_id": 5, "host": "c.example"}), Some("a.example")).unwrap(), all);
    // A claim that is there and cannot be used is not passed over.
    let bad = TokenFlaw::BadClaim { claim: "host".into() };
    assert_eq!(channels(json!({"user_id": 5, "host": ["c"]}), Some("a.example")), Err(Unproven::Flaw(bad)));
    let without = owning(&["user({user_id})", "site({host|origin.host})"]);
    assert_eq!(without.verify(&token(&claims()), now()).unwrap().assigned().len(), 1);
    // Where no template asks, a page is nothing, not even to the cache.
    let deaf = owning(&["site({host})"]);
    let one = deaf.verify_on(&token(&claims()), Some("a.example"), now()).unwrap();
    assert!(one.assigned().is_empty());
    assert!(Arc::ptr_eq(&one, &deaf.verify_on(&token(&claims()), Some("b.example"), now()).unwrap()));
}

#[test]
fn a_token_is_good_for_no_longer_than_it_may_be() {
    let max_lifetime = Some(Duration::from_secs(100));
    let jwt = with(Key::secret(SECRET), Rules { max_lifetime, ..rules(&[Algorithm::Hs256]) });
    let says = |claims: Value| jwt.verify(&token(&claims), now()).map(|p| p.expires_ms());
    let long = Err(Unproven::Flaw(TokenFlaw::LongLived { max: 100 }));
    let until = |seconds: u64| Ok(Some((NOW + seconds) * 1000));
    assert_eq!(says(json!({"sub": "a", "iat": NOW - 40, "exp": NOW + 60})), until(60));
    assert_eq!(says(json!({"sub": "a", "iat": NOW - 41, "exp": NOW + 60})), long);
    // Without an `iat`, or with one of tomorrow, what is left counts.
    assert_eq!(says(json!({"sub": "a", "exp": NOW + 100})), until(100));
    assert_eq!(says(json!({"sub": "a", "exp": NOW + 101})), long);
    assert_eq!(says(json!({"sub": "a", "iat": NOW + 50, "exp": NOW + 101})), long);
    assert_eq!(says(json!({"sub": "a", "iat": NOW})), Err(Unproven::Flaw(TokenFlaw::NoExpiry)));
}

#[test]
fn a_token_that_is_taken_back_is_good_no_more_whether_or_not_it_was_seen() {
    let jwt = usual();
    let one = |id: Value| token(&json!({"sub": "ann", "jti": id}));
    let (seen, other, number) = (one(json!("a1")), one(json!("a2")), one(json!(7)));
    let [before, stays] = [&seen, &other].map(|t| jwt.verify(t, now()).unwrap());
    jwt.revoke(Revoked::parse("a1\n7").unwrap());
    assert_eq!((flaw(&jwt, &seen), flaw(&jwt, &number)), (TokenFlaw::Revoked, TokenFlaw::Revoked));
    assert!(!jwt.stands(&before) && jwt.stands(&stays));
    jwt.revoke(Revoked::parse("sub:ann").unwrap());
    assert_eq!(flaw(&jwt, &other), TokenFlaw::Revoked);
    assert!(!jwt.stands(&stays));
    // What was taken back by mistake is good again.
    jwt.revoke(Revoked::default());
    assert!(jwt.verify(&seen, now()).is_ok() && jwt.stands(&before));
}

#[test]
fn a_set_offers_the_keys_that_are_for_signatures() {
    let pairs = [curve(&ECDSA_P256_SHA256_FIXED_SIGNING), curve(&ECDSA_P256_SHA256_FIXED_SIGNING)];
    let jwk = |pair: &EcdsaKeyPair, more: Value| {
        let (x, y) = point(pair);
        let mut key = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y});
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key
    };
    let set = |keys: Value| KeySet::from_json(json!({ "keys": keys }).to_string().as_bytes());
    let by = |pair: &EcdsaKeyPair, header: Value| {
        let sign = |words: &[u8]| pair.sign(&SystemRandom::new(), words).unwrap().as_ref().to_vec();
        seal(&header.to_string(), r#"{"sub":"ann"}"#, sign)
    };
    let [one, two] = &pairs;
    let keys = set(json!([jwk(one, json!({"kid": "1"})), jwk(two, json!({"kid": "2"}))])).unwrap();
    let jwt = with(keys, rules(&[Algorithm::Es256]));
    let of = |pair, kid| by(pair, json!({"alg": "ES256", "kid": kid}));
    assert_eq!((name(&jwt, &of(one, "1")), name(&jwt, &of(two, "2"))), ("ann".into(), "ann".into()));
    assert_eq!(flaw(&jwt, &of(one, "2")), TokenFlaw::Signature);
    let missing = |kid: Option<&str>| Err(Unproven::NoKey(kid.map(Into::into)));
    assert_eq!(jwt.verify(&of(one, "3"), now()), missing(Some("3")));
    // Which of the two it is would have to be guessed.
    assert_eq!(jwt.verify(&by(one, json!({"alg": "ES256"})), now()), missing(None));
    for more in [
        json!({"use": "enc"}),
        json!({"key_ops": ["sign"]}),
        json!({"key_ops": "verify"}),
        json!({"alg": "ES384"}),
        json!({"crv": "P-384"}),
        json!({"x": "AA"}),
        json!({"kty": "oct", "k": part(SECRET)}),
    ] {
        assert!(set(json!([jwk(one, more.clone())])).is_err(), "{more}");
    }
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[]}"#, r#"{"keys":[1,null]}"#] {
        assert!(KeySet::from_json(text.as_bytes()).is_err(), "{text}");
    }
    let many: Vec<_> = (0..100).map(|n| jwk(one, json!({"kid": n.to_string()}))).collect();
    assert_eq!(set(many.into()).unwrap().families().count(), 64);
}

#[test]
fn nothing_of_a_key_is_printed() {
    let shown = format!("{:?} {:?}", Key::secret(SECRET), Source::Keys(Key::secret(SECRET).into()));
    assert!(!shown.contains("0123") && !shown.contains("48, 49"), "{shown}");
}

proptest::proptest! {
    /// Whatever a peer shows, it is refused with a reason.
    #[test]
    fn any_text_is_refused(text in "[-A-Za-z0-9_=.{}\" é]{0,60}") {
        proptest::prop_assert!(usual().verify(&text, now()).is_err());
    }

    /// Whatever an issuer signs: its owner gets channels by exactly the names that were meant, or none.
    #[test]
    fn any_claim_makes_a_name_or_none(sub in "\\PC{0,12}", host in ".{0,12}") {
        let jwt = owning(&["user({sub})", "{host}/{sub}"]);
        if let Ok(principal) = jwt.verify(&token(&json!({"sub": sub, "host": host})), now()) {
            let names: Vec<_> = principal.assigned().iter().map(ToString::to_string).collect();
            proptest::prop_assert_eq!(names, [format!("user({sub})"), format!("{host}/{sub}")]);
            proptest::prop_assert!(!host.contains('/'));
        }
    }
}
