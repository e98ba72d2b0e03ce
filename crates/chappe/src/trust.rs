//! Whom a TLS client of this program trusts: the one provider of cryptography, and files of certificates.

use crate::ending::Trouble;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;
use std::sync::Arc;

/// The cryptography of all TLS here.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The certificates of a PEM file, at least one.
pub(crate) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Trouble> {
    let shown = file.display();
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file)
        .map_err(|e| Trouble::usage(format!("--ca {shown}: {e}")))?
        .collect();
    let found = found.map_err(|e| Trouble::usage(format!("--ca {shown}: {e}; a PEM file is wanted")))?;
    if found.is_empty() {
        let words = format!("--ca {shown}: there is no certificate in it; a PEM file is wanted");
        return Err(Trouble::usage(words));
    }
    Ok(found)
}
