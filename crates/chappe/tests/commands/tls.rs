//! `pub` and `sub` over https: whom they trust. The server's side of TLS is a relay in front of it.

use crate::relay::Relay;
use crate::stage::{House, run, scratch};
use rustls::ServerConfig;
use rustls::crypto::ring;
use std::sync::Arc;

/// A relay that speaks TLS before that server, and a file with the CA that vouches for it.
pub(crate) fn seal(house: &House) -> (Relay, String) {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let file = scratch("pem", &ca.self_signed(&ca_key).unwrap().pem());
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    (relay(house, &leaf, &key), file)
}

/// A relay before that server that shows this certificate.
fn relay(house: &House, shown: &rcgen::Certificate, key: &rcgen::KeyPair) -> Relay {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![shown.der().clone()],
            rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    Relay::start(&house.address, Some(Arc::new(config)))
}

#[test]
fn a_private_ca() {
    let house = House::start("");
    let (relay, ca) = seal(&house);
    for host in ["127.0.0.1", "localhost"] {
        let port = relay.address.rsplit_once(':').unwrap().1;
        let url = format!("https://{host}:{port}");
        let listener = house.listen("chat", 1, &["--url", &url, "--ca", &ca, "--count", "2"]);
        house.done(&["pub", "chat", "sealed", "--url", &url, "--ca", &ca, "--repeat", "2"]);
        let heard = listener.end();
        assert_eq!(heard.code, Some(0), "{}", heard.err);
        assert_eq!(heard.out.matches("\"payload\":\"sealed\"").count(), 2);
    }
}

#[test]
fn a_ca_is_no_server() {
    let house = House::start("");
    let key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = ca.self_signed(&key).unwrap();
    let relay = relay(&house, &ca, &key);
    let (url, file) = (format!("https://{}", relay.address), scratch("pem", &ca.pem()));
    let said = run(&mut house.command(&["pub", "chat", "x", "--url", &url, "--ca", &file]));
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("`basicConstraints=CA:FALSE`"), "{}", said.err);
}

#[test]
fn strangers_are_not_trusted() {
    let house = House::start("");
    let (relay, _) = seal(&house);
    let url = format!("https://{}", relay.address);
    let (_, other) = seal(&house);
    for more in [&[][..], &["--ca", other.as_str()]] {
        for command in [&["pub", "chat", "x"][..], &["sub", "chat"]] {
            let arguments: Vec<&str> = command.iter().chain(&["--url", &url]).chain(more).copied().collect();
            let said = run(&mut house.command(&arguments));
            assert_eq!(said.code, Some(1), "{arguments:?}");
            assert!(said.err.contains("the certificate is not trusted"), "{}", said.err);
        }
    }
    // The other way round: TLS where there is none.
    let said = run(&mut house.command(&["pub", "chat", "x", "--url", &format!("https://{}", house.address)]));
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("does not speak TLS"), "{}", said.err);
    let empty = scratch("pem", "no certificate\n");
    let said = run(&mut house.command(&["pub", "chat", "x", "--url", &url, "--ca", &empty]));
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("there is no certificate in it"), "{}", said.err);
}
