//! TLS on a connection, by rustls, and the certificates that are shown. The one place that knows rustls.
//!
//! Knows records and handshakes; refuses to know what is said inside. Certificates are looked for by the name a client
//! asks for, and can be replaced while connections last.

use rustls::client::verify_server_name;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, NoServerSessionStorage, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection};
use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// BOUND: bytes that one connection keeps encrypted until the kernel takes them.
const HELD: usize = 32 << 10;
/// BOUND: bytes of the socket's that are decrypted in one call. Records may hold next to nothing each, and whoever sends
/// them as fast as they are read would be the only one who is.
const TAKEN: usize = 128 << 10;
/// Slices of one vectored write.
const GATHER: usize = 64;

/// Why certificates cannot be used.
#[derive(Debug)]
pub struct TlsError {
    file: PathBuf,
    words: String,
}

impl TlsError {
    fn new(file: &Path, words: impl fmt::Display) -> Self {
        Self { file: file.to_owned(), words: words.to_string() }
    }

    /// The file that is to blame.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What is wrong with it.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.words
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.words)
    }
}

impl std::error::Error for TlsError {}

/// The certificates of a listener, and the files they come from.
pub struct Identities {
    files: Vec<(PathBuf, PathBuf)>,
    shown: RwLock<Vec<Arc<CertifiedKey>>>,
}

impl Identities {
    /// Reads certificate chains and their keys from PEM files. The first is shown to clients that name no server, or
    /// one that no certificate is for.
    ///
    /// # Errors
    /// Names the file that cannot be used.
    pub fn load(files: Vec<(PathBuf, PathBuf)>) -> Result<Self, TlsError> {
        let shown = RwLock::new(read(&files)?);
        Ok(Self { files, shown })
    }

    /// The files, each chain with its key.
    #[must_use]
    pub fn files(&self) -> &[(PathBuf, PathBuf)] {
        &self.files
    }

    /// Reads the files again. New connections see what they hold now.
    ///
    /// # Errors
    /// Names the file that cannot be used; then everything stays as it was.
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = read(&self.files)?;
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// The rules of a handshake that shows these certificates.
    ///
    /// # Errors
    /// When the provider of the cryptography refuses: it has no randomness.
    pub fn rules(self: Arc<Self>) -> io::Result<Arc<ServerConfig>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config = config.map_err(io::Error::other)?.with_no_client_auth().with_cert_resolver(self);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Resumption by tickets, which cost the server no memory.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(io::Error::other)?;
        config.send_tls13_tickets = 1;
        Ok(Arc::new(config))
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identities").field("files", &self.files).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shown = self.shown.read().unwrap_or_else(PoisonError::into_inner);
        let name = hello.server_name().and_then(|n| ServerName::try_from(n).ok());
        let fits = |key: &&Arc<CertifiedKey>| -> bool {
            let Some((name, end)) = name.as_ref().zip(key.cert.first()) else { return false };
            ParsedCertificate::try_from(end).is_ok_and(|c| verify_server_name(&c, name).is_ok())
        };
        shown.iter().find(fits).or_else(|| shown.first()).cloned()
    }
}

fn read(files: &[(PathBuf, PathBuf)]) -> Result<Vec<Arc<CertifiedKey>>, TlsError> {
    files.iter().map(|(cert, key)| pair(cert, key).map(Arc::new)).collect()
}

fn pair(cert: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let chain = chain(cert)?;
    let secret = PrivateKeyDer::from_pem_file(key);
    let secret =
        secret.map_err(|e| TlsError::new(key, format!("no private key can be read: {}", Pem(&e))))?;
    let provider = rustls::crypto::ring::default_provider();
    let both = CertifiedKey::from_der(chain, secret, &provider);
    both.map_err(|e| TlsError::new(key, format!("the key does not fit {}: {e}", cert.display())))
}

/// Reads a certificate's chain from a PEM file, as DER, in the order of the file.
///
/// # Errors
/// When the file cannot be read, or holds no certificate.
pub fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain =
        chain.map_err(|e| TlsError::new(file, format!("no certificates can be read: {}", Pem(&e))))?;
    if chain.is_empty() { Err(TlsError::new(file, "there is no certificate in it")) } else { Ok(chain) }
}

/// What is wrong with a PEM file, without its lines: they may be of a key.
struct Pem<'a>(&'a pem::Error);

impl fmt::Display for Pem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            pem::Error::Io(e) => e.fmt(f),
            pem::Error::NoItemsFound => f.write_str("there is none in it"),
            pem::Error::MissingSectionEnd { .. }
            | pem::Error::IllegalSectionStart { .. }
            | pem::Error::Base64Decode(_)
            | pem::Error::SectionTooLarge
            | _ => f.write_str("it is no PEM file"),
        }
    }
}

/// One connection's TLS, beside its socket.
pub(super) struct Tls {
    session: ServerConnection,
    /// The goodbye has been said; when it is out, nothing more is written.
    over: bool,
    /// The peer says no more that could be understood.
    ended: bool,
    /// The last call ended at its bound: the socket may have more.
    more: bool,
}

impl Tls {
    pub(super) fn new(rules: &Arc<ServerConfig>) -> io::Result<Self> {
        let mut session = ServerConnection::new(Arc::clone(rules)).map_err(io::Error::other)?;
        session.set_buffer_limit(Some(HELD));
        Ok(Self { session, over: false, ended: false, more: false })
    }

    /// Whether the peer has ended the conversation, though perhaps not the connection.
    pub(super) fn is_at_end(&self) -> bool {
        self.ended
    }

    pub(super) fn is_opening(&self) -> bool {
        self.session.is_handshaking()
    }

    /// Whether there may be more that nobody will report, though fewer bytes came than were asked for.
    pub(super) fn has_more(&self) -> bool {
        self.more
    }

    /// Whether something encrypted waits for the kernel to take it.
    pub(super) fn is_holding(&self) -> bool {
        self.session.wants_write()
    }

    /// Reads until `into` is full or the socket has no more: fewer bytes than asked for are all there are, unless
    /// [`Tls::has_more`] says otherwise.
    pub(super) fn read(&mut self, socket: &mut (impl Read + Write), into: &mut [u8]) -> io::Result<usize> {
        let (mut got, mut taken) = (0, 0);
        self.more = false;
        loop {
            let read = match self.session.reader().read(into.get_mut(got..).unwrap_or_default()) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && taken >= TAKEN => {
                    self.more = true;
                    Err(e)
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => match self.take_in(socket) {
                    Ok(n) => {
                        taken += n;
                        continue;
                    }
                    Err(e) => Err(e),
                },
                // The connection ended without a goodbye.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                other => other,
            };
            match read {
                Ok(n) if n > 0 => got += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && got > 0 => return Ok(got),
                // What was said before the end counts all the same, and is told first.
                Ok(_) | Err(_) if got > 0 => {
                    self.ended = true;
                    return Ok(got);
                }
                ended => return ended,
            }
            if got == into.len() {
                return Ok(got);
            }
        }
    }

    /// Takes some of what the socket has, and answers what belongs to the handshake. Says how much it took.
    fn take_in(&mut self, socket: &mut (impl Read + Write)) -> io::Result<usize> {
        let taken = self.session.read_tls(socket)?;
        let understood = self.session.process_new_packets();
        // An alert goes out with the rest, as far as it can.
        let pushed = self.push(socket);
        understood.map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
        pushed.map(|()| taken)
    }

    /// Encrypts and writes. Fewer bytes than given are taken only while the kernel takes no more.
    pub(super) fn write(&mut self, socket: &mut impl Write, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.push(socket)?;
        let mut copies = [IoSlice::new(&[]); GATHER];
        let mut given = 0;
        for (copy, slice) in copies.iter_mut().zip(slices) {
            *copy = *slice;
            given += 1;
        }
        let mut rest = copies.get_mut(..given).unwrap_or_default();
        let mut taken = 0;
        while !self.session.wants_write() && !rest.is_empty() {
            let n = self.session.writer().write_vectored(rest)?;
            if n == 0 {
                break;
            }
            taken += n;
            IoSlice::advance_slices(&mut rest, n);
            self.push(socket)?;
        }
        if taken == 0 && given > 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }

    /// Says goodbye; what is encrypted already goes out before.
    pub(super) fn finish(&mut self) {
        if !self.over {
            self.over = true;
            self.session.send_close_notify();
        }
    }

    /// Whether nothing more will be written, and all is out.
    pub(super) fn is_finished(&self) -> bool {
        self.over && !self.session.wants_write()
    }

    /// Writes what is encrypted, as much as the kernel takes.
    pub(super) fn push(&mut self, socket: &mut impl Write) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(socket) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    /// What is to be read of a socket; what is written goes elsewhere.
    #[derive(Default)]
    struct Wire {
        coming: io::Cursor<Vec<u8>>,
        gone: Vec<u8>,
    }

    impl Wire {
        fn left(&self) -> usize {
            self.coming.get_ref().len() - usize::try_from(self.coming.position()).unwrap()
        }
    }

    impl Read for Wire {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            match self.coming.read(into) {
                Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
                other => other,
            }
        }
    }

    impl Write for Wire {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.gone.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A connection that has been made, and the client at its other end.
    fn connected() -> (Tls, ClientConnection) {
        let key = rcgen::KeyPair::generate().unwrap();
        let cert = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let cert = cert.self_signed(&key).unwrap().der().clone();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let secret = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let shown = CertifiedKey::from_der(vec![cert.clone()], secret, &provider).unwrap();
        let identities = Identities { files: Vec::new(), shown: RwLock::new(vec![Arc::new(shown)]) };
        let mut server = Tls::new(&Arc::new(identities).rules().unwrap()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert).unwrap();
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
        let mut client =
            ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
        while client.is_handshaking() || server.is_opening() {
            let mut wire = Wire::default();
            client.write_tls(wire.coming.get_mut()).unwrap();
            server.read(&mut wire, &mut [0; 100]).unwrap_err();
            let mut answer = wire.gone.as_slice();
            while !answer.is_empty() {
                client.read_tls(&mut answer).unwrap();
                client.process_new_packets().unwrap();
            }
        }
        (server, client)
    }

    #[test]
    fn a_peer_of_tiny_records_is_not_read_for_ever() {
        let (mut server, mut client) = connected();
        let mut wire = Wire::default();
        for _ in 0..20_000 {
            client.writer().write_all(b"x").unwrap();
            client.write_tls(wire.coming.get_mut()).unwrap();
        }
        let (mut into, mut got, mut calls) = (vec![0; 64 << 10], 0, 0);
        loop {
            let before = wire.left();
            got += server.read(&mut wire, &mut into).unwrap();
            calls += 1;
            assert!(before - wire.left() <= TAKEN + (16 << 10), "call {calls} took {}", before - wire.left());
            if !server.has_more() {
                break;
            }
        }
        assert_eq!((got, wire.left()), (20_000, 0), "in {calls} calls");
        assert!(calls > 2);
    }
}
