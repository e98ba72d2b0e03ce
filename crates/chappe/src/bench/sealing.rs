//! TLS of a run: whom its clients trust, and a connection for each of them. Always a whole handshake, so that
//! every connect costs what a stranger's first one costs.

use crate::trust;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::path::Path;
use std::sync::Arc;

/// How clients of a run meet a server over TLS.
#[derive(Clone, Debug)]
pub(super) struct Sealing {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Sealing {
    /// For the server of that name, which a CA of this file vouches for; without a file, any will do.
    pub(super) fn new(host: &str, ca: Option<&Path>) -> Result<Self, String> {
        let name =
            ServerName::try_from(host.to_owned()).map_err(|_| format!("`{host}` is no server's name"))?;
        let provider = trust::provider();
        let verifier: Arc<dyn ServerCertVerifier> = match ca {
            Some(file) => {
                let mut roots = RootCertStore::empty();
                let certificates = trust::certificates(file).map_err(|trouble| trouble.words().to_owned())?;
                if roots.add_parsable_certificates(certificates).0 == 0 {
                    return Err(format!("--ca {}: no certificate in it can be read", file.display()));
                }
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                    .build()
                    .map_err(|e| format!("--ca {}: {e}", file.display()))?
            }
            None => Arc::new(AnyCertificate { provider: Arc::clone(&provider) }),
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| format!("TLS cannot be had: {e}"))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(Self { config: Arc::new(config), name })
    }

    /// One client's side of a connection.
    pub(super) fn connection(&self) -> Result<Box<ClientConnection>, rustls::Error> {
        let mut connection = ClientConnection::new(Arc::clone(&self.config), self.name.clone())?;
        // What the kernel does not take waits in here; the window of the run is its bound.
        connection.set_buffer_limit(None);
        Ok(Box::new(connection))
    }
}

/// Takes the certificate as it is, and checks the handshake's signature all the same, which costs what it costs.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
