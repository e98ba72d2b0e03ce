//! A connection of the kernel's: over TCP or a unix socket, bare, or with TLS and a proxy's announcement before it.
//!
//! A bare TCP connection, which is what most are, costs no more than its descriptor.

use super::Stream;
use super::tls::Tls;
use crate::proxy::{self, Announced};
use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use model::Network;
use std::io::{self, IoSlice, Read, Write};
use std::net::{IpAddr, Shutdown};
use std::sync::Arc;

/// A connection.
pub enum Socket {
    /// As it is.
    Bare(Bare),
    /// With something between the kernel and what is said.
    Wrapped(Box<Wrapped>),
}

/// A connection with something between the kernel and what is said.
pub struct Wrapped {
    raw: Raw,
    tls: Option<Tls>,
}

impl Wrapped {
    /// `proxies`: the connection begins with an announcement, which these may make.
    pub(super) fn new(
        bare: Bare,
        peer: IpAddr,
        proxies: Option<&Arc<Vec<Network>>>,
        tls: Option<Tls>,
    ) -> Self {
        let known = proxies.is_some_and(|known| known.iter().any(|n| n.contains(peer)));
        let header = match proxies {
            None => Header::None,
            Some(_) if known => Header::Awaited,
            Some(_) => Header::Forged,
        };
        Self { raw: Raw { bare, early: Vec::new(), header, source: None }, tls }
    }
}

impl Drop for Wrapped {
    fn drop(&mut self) {
        if let Some(tls) = &mut self.tls {
            // Without a goodbye the peer cannot tell an end from a cut. One who is gone already misses nothing.
            tls.finish();
            drop(tls.push(&mut self.raw));
        }
    }
}

/// The kernel's part.
pub enum Bare {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a unix socket.
    Unix(UnixStream),
}

/// What is known of the announcement before the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Header {
    /// There is none, or it has been read.
    None,
    /// It is to come.
    Awaited,
    /// It would come from somebody who is no known proxy.
    Forged,
}

/// The bytes of a connection, behind the announcement.
struct Raw {
    bare: Bare,
    /// What was read together with the announcement.
    early: Vec<u8>,
    header: Header,
    source: Option<IpAddr>,
}

impl Raw {
    /// Reads the announcement, if one is to come. BOUND: `proxy::LONGEST`; the deadline is that of a request's head.
    fn await_header(&mut self) -> io::Result<()> {
        while self.header != Header::None {
            if self.header == Header::Forged {
                return Err(wrong("a connection to a port of proxies comes from none of `proxies`"));
            }
            let before = self.early.len();
            self.early.resize(proxy::LONGEST, 0);
            let read = self.bare.read(self.early.get_mut(before..).unwrap_or_default());
            self.early.truncate(before + read.as_ref().copied().unwrap_or(0));
            if read? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match proxy::header(&self.early).map_err(wrong)? {
                Announced::Incomplete => {}
                Announced::Header { source, length } => {
                    self.source = source;
                    self.header = Header::None;
                    self.early.drain(..length.min(self.early.len()));
                }
            }
        }
        Ok(())
    }
}

fn wrong(words: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, words)
}

impl Read for Raw {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.await_header()?;
        if self.early.is_empty() {
            return self.bare.read(into);
        }
        let n = self.early.len().min(into.len());
        for (place, byte) in into.iter_mut().zip(self.early.drain(..n)) {
            *place = byte;
        }
        if self.early.is_empty() {
            self.early = Vec::new();
        }
        // Fewer bytes than asked for would mean that there are no more.
        match self.bare.read(into.get_mut(n..).unwrap_or_default()) {
            Ok(more) => Ok(n + more),
            Err(_) => Ok(n),
        }
    }
}

impl Write for Raw {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bare.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.bare.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Bare {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(s) => s.read(into),
            Self::Unix(s) => s.read(into),
        }
    }
}

impl Write for Bare {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(s) => s.write(bytes),
            Self::Unix(s) => s.write(bytes),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(s) => s.write_vectored(slices),
            Self::Unix(s) => s.write_vectored(slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Bare {
    fn finish(&mut self) {
        // The peer may have gone already; then there is nobody to tell.
        drop(match self {
            Self::Tcp(s) => s.shutdown(Shutdown::Write),
            Self::Unix(s) => s.shutdown(Shutdown::Write),
        });
    }
}

impl Socket {
    /// What the system watches.
    pub(super) fn source(&mut self) -> &mut dyn Source {
        let bare = match self {
            Self::Bare(bare) => bare,
            Self::Wrapped(w) => &mut w.raw.bare,
        };
        match bare {
            Bare::Tcp(s) => s,
            Bare::Unix(s) => s,
        }
    }

    fn tls(&self) -> Option<&Tls> {
        match self {
            Self::Bare(_) => None,
            Self::Wrapped(w) => w.tls.as_ref(),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Bare(bare) => bare.read(into),
            Self::Wrapped(w) => match &mut w.tls {
                Some(tls) => tls.read(&mut w.raw, into),
                None => w.raw.read(into),
            },
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Bare(bare) => bare.write(bytes),
            Self::Wrapped(w) => match &mut w.tls {
                Some(tls) => tls.write(&mut w.raw, &[IoSlice::new(bytes)]),
                None => w.raw.write(bytes),
            },
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Bare(bare) => bare.write_vectored(slices),
            Self::Wrapped(w) => match &mut w.tls {
                Some(tls) => tls.write(&mut w.raw, slices),
                None => w.raw.write_vectored(slices),
            },
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Socket {
    fn finish(&mut self) {
        match self {
            Self::Bare(bare) => bare.finish(),
            Self::Wrapped(w) => {
                match &mut w.tls {
                    Some(tls) => tls.finish(),
                    None => w.raw.bare.finish(),
                }
                // What cannot go out now goes when the kernel takes it; a broken connection needs no goodbye.
                drop(self.push());
            }
        }
    }

    fn push(&mut self) -> io::Result<()> {
        let Self::Wrapped(w) = self else { return Ok(()) };
        let Some(tls) = &mut w.tls else { return Ok(()) };
        tls.push(&mut w.raw)?;
        if tls.is_finished() {
            w.raw.bare.finish();
        }
        Ok(())
    }

    fn is_holding(&self) -> bool {
        self.tls().is_some_and(Tls::is_holding)
    }

    fn is_at_end(&self) -> bool {
        self.tls().is_some_and(Tls::is_at_end)
    }

    fn has_more(&self) -> bool {
        self.tls().is_some_and(Tls::has_more)
    }

    fn is_opening(&self) -> bool {
        self.tls().is_some_and(Tls::is_opening)
    }

    fn announced(&self) -> Option<IpAddr> {
        match self {
            Self::Bare(_) => None,
            Self::Wrapped(w) => w.raw.source,
        }
    }
}
