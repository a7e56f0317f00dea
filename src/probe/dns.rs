//! The question what a name stands for. It asks as this machine would, and knows no record types.

use super::{DEFAULT_TIMEOUT, Outside};
use crate::ids::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// A host name that should stand for some address, as this machine resolves it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DnsProbe {
    /// The host's name.
    pub name: String,
    /// Time until there is an answer; 5 s when it is not given.
    #[serde(default)]
    pub timeout: Option<Period>,
    /// What is expected of the answer; any address when it is not given.
    #[serde(default)]
    pub expect: DnsExpect,
}

/// What a name should stand for. All of it must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct DnsExpect {
    /// Addresses that must be among those found.
    pub addresses: Vec<String>,
    /// No other address may be among them.
    pub only: bool,
}

impl DnsProbe {
    pub(super) fn title(&self) -> String {
        format!("dns {}", self.name)
    }

    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems: Vec<String> = Vec::new();
        if self.name.is_empty() || self.name.contains([':', '/', ' ']) {
            problems.push(format!("`{}` is not a host's name", self.name));
        }
        let wrong = self.expect.addresses.iter().filter(|address| address.parse::<IpAddr>().is_err());
        problems.extend(wrong.map(|address| format!("`{address}` is not an IP address")));
        if self.expect.only && self.expect.addresses.is_empty() {
            problems.push("`only` needs the `addresses` that may be there".to_owned());
        }
        problems
    }

    pub(super) async fn ask(&self, outside: &Outside) -> Vec<String> {
        let limit = self.timeout.map_or(DEFAULT_TIMEOUT, |timeout| timeout.0);
        match outside.names.look_up(&self.name, limit).await {
            Ok(found) => self.complaints(&found.into_iter().collect()),
            Err(error) => vec![format!("expected an address of {}, got none: {}", self.name, error.what)],
        }
    }

    fn complaints(&self, found: &BTreeSet<IpAddr>) -> Vec<String> {
        let wanted: BTreeSet<IpAddr> = self.expect.addresses.iter().filter_map(|address| address.parse().ok()).collect();
        let missing: Vec<String> = wanted.difference(found).map(ToString::to_string).collect();
        let others: Vec<String> = found.difference(&wanted).map(ToString::to_string).collect();
        let mut complaints = Vec::new();
        if !missing.is_empty() {
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            complaints.push(format!("expected {}, got {}", missing.join(" and "), found.join(", ")));
        }
        if self.expect.only && !others.is_empty() {
            complaints.push(format!("expected no other address, got {}", others.join(", ")));
        }
        complaints
    }
}
