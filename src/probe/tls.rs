//! The question whether a server's certificate is good, and for how long. It knows no protocol above TLS.

use super::tcp::authority;
use super::{DEFAULT_TIMEOUT, Outside, Setting};
use crate::ids::Period;
use crate::ports::{Certificate, TlsQuestion};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const DAY: u64 = 24 * 60 * 60;

/// A TLS handshake, and what is expected of the server's certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TlsProbe {
    /// Whom to ask, as `host:port`; the step's `base` or `through` when it is not given.
    #[serde(default)]
    pub address: Option<String>,
    /// The name that the certificate must be for; the address' host when it is not given.
    #[serde(default)]
    pub server_name: Option<String>,
    /// Time for the handshake; 5 s when it is not given.
    #[serde(default)]
    pub timeout: Option<Period>,
    /// What is expected of the certificate; that this machine trusts it when it is not given.
    #[serde(default)]
    pub expect: TlsExpect,
}

/// What a certificate should be. All of it must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct TlsExpect {
    /// It is good for at least so many days.
    pub days_left: u64,
    /// This machine trusts whoever signed it, and it is for the server's name. `false` looks only at how long it is good.
    pub trusted: bool,
}

impl Default for TlsExpect {
    fn default() -> Self {
        Self { days_left: 0, trusted: true }
    }
}

impl TlsProbe {
    pub(super) fn title(&self) -> String {
        match self.address.as_ref().or(self.server_name.as_ref()) {
            Some(address) => format!("tls {address}"),
            None => "tls".to_owned(),
        }
    }

    pub(super) fn problems(&self, based: bool) -> Vec<String> {
        let mut problems = super::tcp::address_problems(self.address.as_deref(), based);
        if self.address.is_none() && self.server_name.is_none() && self.expect.trusted {
            problems.push("nothing says whom the certificate must be for: write `server-name: …`".to_owned());
        }
        problems
    }

    pub(super) async fn ask(&self, setting: &Setting, outside: &Outside) -> Vec<String> {
        let Some(address) = self.address.clone().or_else(|| setting.base.as_deref().and_then(authority)) else {
            return vec!["nothing says whom to ask".to_owned()];
        };
        let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host).trim_matches(['[', ']']).to_owned();
        let limit = self.timeout.map_or(DEFAULT_TIMEOUT, |timeout| timeout.0);
        let server_name = self.server_name.clone().unwrap_or(host);
        let question = TlsQuestion { address: address.clone(), server_name, trusted: self.expect.trusted, limit };
        match outside.tls.look(question).await {
            Ok(certificate) => self.complaint(&certificate, outside.clock.now().0.as_second()).into_iter().collect(),
            Err(error) => vec![format!("expected a handshake with {address}, got none: {}", error.what)],
        }
    }

    fn complaint(&self, certificate: &Certificate, now: i64) -> Option<String> {
        let left = certificate.good_until - now;
        let Ok(left) = u64::try_from(left) else {
            return Some(format!("expected a certificate that is good, got one that expired {} days ago", left.unsigned_abs() / DAY));
        };
        let days = left / DAY;
        (left < Duration::from_secs(self.expect.days_left * DAY).as_secs())
            .then(|| format!("expected a certificate that is good for {} more days, got one for {days}", self.expect.days_left))
    }
}

#[cfg(test)]
mod tests {
    use super::{DAY, TlsExpect, TlsProbe};
    use crate::ports::Certificate;

    #[test]
    fn the_time_that_is_left_is_counted_in_days() {
        let probe = TlsProbe { expect: TlsExpect { days_left: 14, trusted: true }, ..TlsProbe::default() };
        let day = i64::try_from(DAY).unwrap();
        let told = |good_until: i64| probe.complaint(&Certificate { good_until }, 1_000_000_000).unwrap_or_default();
        assert_eq!(told(1_000_000_000 + 14 * day), "");
        insta::assert_snapshot!(told(1_000_000_000 + 14 * day - 1), @"expected a certificate that is good for 14 more days, got one for 13");
        insta::assert_snapshot!(told(1_000_000_000 - 3 * day), @"expected a certificate that is good, got one that expired 3 days ago");
    }
}
