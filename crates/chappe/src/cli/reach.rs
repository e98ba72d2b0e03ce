//! The arguments that say where the server is and who asks. Shared by all commands that are clients.

use crate::ending::Trouble;
use clap::Args;
use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where the server is when nobody says so.
const HERE: &str = "http://127.0.0.1:6889";

/// Where the server is, and who asks.
///
/// The variables are read here and not by the parser, which would take them for arguments that were typed.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct Reach {
    /// Where the server is [env: CHAPPE_URL] [default: http://127.0.0.1:6889]
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,

    /// The token to show; others on this machine can see arguments, so rather set the variable
    /// [env: CHAPPE_TOKEN]
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<Secret>,

    /// Trust this CA, a PEM file, instead of the public ones
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
}

impl Reach {
    /// The URL that was typed, else the variable's, else this machine's.
    pub(crate) fn url(&self) -> Result<String, Trouble> {
        match &self.url {
            Some(url) => Ok(url.clone()),
            None => Ok(variable("CHAPPE_URL")?.unwrap_or_else(|| HERE.to_owned())),
        }
    }

    /// The token that was typed, else the variable's.
    pub(crate) fn token(&self) -> Result<Option<Secret>, Trouble> {
        match &self.token {
            Some(token) => Ok(Some(token.clone())),
            None => Ok(variable("CHAPPE_TOKEN")?.map(Secret)),
        }
    }
}

/// What a variable says; an empty one says nothing.
fn variable(name: &str) -> Result<Option<String>, Trouble> {
    match std::env::var_os(name).filter(|v| !v.is_empty()).map(std::ffi::OsString::into_string) {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(_)) => Err(Trouble::usage(format!("{name} is not UTF-8"))),
    }
}

/// What is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// The secret itself, for the wire.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let reach = Reach { token: Some(Secret("hush".into())), ..Reach::default() };
        assert!(!format!("{reach:?}").contains("hush"));
    }
}
