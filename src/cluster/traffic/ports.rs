//! Which ports backends name, and whether a Service has them. Pure.

use crate::cluster::object::Object;
use serde_json::Value;
use std::fmt;

/// A port of a Service, as a backend names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Port {
    /// By its number.
    Number(i64),
    /// By its name.
    Name(String),
}

impl Port {
    /// Reads what an Ingress says: `{ "number": 80 }` or `{ "name": "http" }`.
    pub(super) fn read(port: &Value) -> Option<Self> {
        port["number"].as_i64().map(Self::Number).or_else(|| Some(Self::Name(port["name"].as_str()?.to_owned())))
    }

    fn is(&self, port: &Value) -> bool {
        match self {
            Self::Number(number) => port["port"].as_i64() == Some(*number),
            Self::Name(name) => port["name"] == **name,
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "`{name}`"),
        }
    }
}

/// The first of the ports that a Service does not have, and those that it has.
pub fn lacked<'a>(service: &Object, wanted: &'a [Port]) -> Option<(&'a Port, String)> {
    let ports = service.list("/spec/ports");
    // What a name elsewhere has is not told by the Service, and a headless one need tell no ports.
    if service.text("/spec/type") == "ExternalName" || ports.is_empty() {
        return None;
    }
    let lacked = wanted.iter().find(|wanted| !ports.iter().any(|port| wanted.is(port)))?;
    let known = ports.iter().map(|port| match port["name"].as_str() {
        Some(name) => format!("{} `{name}`", port["port"]),
        None => port["port"].to_string(),
    });
    Some((lacked, known.collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::{Port, lacked};
    use crate::cluster::object::Object;
    use serde_json::{Value, json};

    #[test]
    fn a_service_has_the_ports_that_it_tells() {
        let lacks = |spec: Value, port: Value| {
            let wanted = [Port::read(&port).unwrap()];
            lacked(&Object(json!({ "spec": spec })), &wanted).map(|(port, known)| format!("{port}, has {known}"))
        };
        let web = || json!({ "ports": [{ "port": 8080, "name": "http" }, { "port": 9090 }] });
        assert_eq!(lacks(web(), json!({ "number": 9090 })), None);
        assert_eq!(lacks(web(), json!({ "name": "http" })), None);
        assert_eq!(lacks(web(), json!({ "number": 80 })).as_deref(), Some("80, has 8080 `http`, 9090"));
        assert_eq!(lacks(web(), json!({ "name": "web" })).as_deref(), Some("`web`, has 8080 `http`, 9090"));
        assert_eq!(lacks(json!({ "clusterIP": "None" }), json!({ "number": 80 })), None);
        assert_eq!(
            lacks(json!({ "clusterIP": "None", "ports": [{ "port": 81 }] }), json!({ "number": 80 })).as_deref(),
            Some("80, has 81")
        );
        assert_eq!(lacks(json!({ "type": "ExternalName", "ports": [{ "port": 81 }] }), json!({ "number": 80 })), None);
    }
}
