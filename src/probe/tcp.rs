//! The question whether somebody takes a TCP connection.

use super::{DEFAULT_TIMEOUT, Outside, Setting};
use crate::ids::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A TCP connection that somebody should take.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TcpProbe {
    /// Whom to ask, as `host:port`; the step's `base` or `through` when it is not given.
    #[serde(default)]
    pub address: Option<String>,
    /// Time until the connection is taken; 5 s when it is not given.
    #[serde(default)]
    pub timeout: Option<Period>,
}

impl TcpProbe {
    pub(super) fn title(&self) -> String {
        match &self.address {
            Some(address) => format!("tcp {address}"),
            None => "tcp".to_owned(),
        }
    }

    pub(super) fn problems(&self, based: bool) -> Vec<String> {
        address_problems(self.address.as_deref(), based)
    }

    pub(super) async fn ask(&self, setting: &Setting, outside: &Outside) -> Vec<String> {
        let Some(address) = self.address.clone().or_else(|| setting.base.as_deref().and_then(authority)) else {
            return vec!["nothing says whom to ask".to_owned()];
        };
        let limit = self.timeout.map_or(DEFAULT_TIMEOUT, |timeout| timeout.0);
        match outside.tcp.connect(&address, limit).await {
            Ok(_) => Vec::new(),
            Err(error) => vec![format!("expected a connection to {address}, got none: {}", error.what)],
        }
    }
}

/// What is wrong with an address that a probe gives, or does not give.
pub(super) fn address_problems(address: Option<&str>, based: bool) -> Vec<String> {
    let has_port = |address: &str| address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    match address {
        None if !based => vec!["nothing says whom to ask: write `address: host:port`".to_owned()],
        Some(address) if !has_port(address) => vec![format!("`{address}` is not an address: write it as `host:port`")],
        _ => Vec::new(),
    }
}

/// `host:port` of a URL.
pub(super) fn authority(base: &str) -> Option<String> {
    let (scheme, rest) = base.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?.rsplit('@').next()?;
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    match (has_port, scheme) {
        (true, _) => Some(host.to_owned()),
        (false, "https") => Some(format!("{host}:443")),
        (false, _) => Some(format!("{host}:80")),
    }
}

#[cfg(test)]
mod tests {
    use super::{TcpProbe, authority};

    #[test]
    fn a_base_names_host_and_port() {
        for (base, address) in [
            ("http://127.0.0.1:4012", "127.0.0.1:4012"),
            ("https://api.example.com/v1", "api.example.com:443"),
            ("http://me:pw@[::1]:80/", "[::1]:80"),
            ("http://[::1]/", "[::1]:80"),
        ] {
            assert_eq!(authority(base).as_deref(), Some(address));
        }
    }

    #[test]
    fn an_address_has_a_port() {
        let probe = |address: &str| TcpProbe { address: Some(address.to_owned()), timeout: None };
        assert_eq!(probe("db:5432").problems(false), Vec::<String>::new());
        insta::assert_snapshot!(probe("db").problems(false).join(""), @"`db` is not an address: write it as `host:port`");
    }
}
