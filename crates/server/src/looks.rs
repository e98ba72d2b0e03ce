//! Where operators look: the admin listener, what it shows, and to whom.

use crate::log;
use crate::running::StartError;
use crate::settings::Admin;
use admin::{Bounds, View};
use carrier::net::os;
use node::{Clock, Control, Exchange};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;

/// A listener that is open, and not yet served.
pub(crate) struct Look {
    listener: TcpListener,
    admin: Admin,
}

impl Look {
    /// Opens the listener. `None`: its address is taken, and nobody has asked for it.
    pub(crate) fn open(admin: Admin, control: &Control) -> Result<Option<Self>, StartError> {
        let address = admin.address;
        match os::listen(address).and_then(|l| control.within(|| TcpListener::from_std(l))) {
            Ok(listener) => Ok(Some(Self { listener, admin })),
            Err(e) if admin.wanted => Err(StartError::Admin(address, e)),
            Err(error) => {
                let fix = "choose another with `admin.address`, or `off`";
                tracing::warn!(%address, %error, fix, "no metrics: the admin address cannot be listened at");
                Ok(None)
            }
        }
    }

    /// Serves it on the control runtime. Says where it is.
    pub(crate) fn serve(
        self,
        control: &Control,
        exchange: &Arc<Exchange>,
        dialects: Vec<&'static str>,
        clock: Clock,
    ) -> Result<SocketAddr, StartError> {
        let address = self.listener.local_addr()?;
        // With a token it does not matter by which name it was reached.
        let hosts = self.admin.token.is_none().then(|| {
            let own = match address.ip() {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            };
            vec!["localhost".into(), "127.0.0.1".into(), "[::1]".into(), own]
        });
        let view = View {
            exchange: Arc::clone(exchange),
            dialects,
            log: log::counts(),
            version: env!("CARGO_PKG_VERSION"),
            began_ms: clock.now().wall_ms,
            token: self.admin.token,
            hosts,
        };
        control.spawn(admin::serve(self.listener, Arc::new(view), Bounds::default()));
        Ok(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_address_matters_to_who_asked_for_it() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let control = Control::start().unwrap();
        let admin = |wanted| Admin { address, token: None, wanted };
        assert!(matches!(Look::open(admin(false), &control), Ok(None)));
        let Err(e) = Look::open(admin(true), &control) else { panic!("it is taken") };
        let words = e.to_string();
        assert!(words.contains(&address.to_string()) && words.contains("admin.address"), "{words}");
    }
}
