//! Where traffic comes in: which object leads it, and at which address that is reached. Pure.

use super::routes::route_at;
use crate::cluster::object::Object;
use crate::cluster::request::Address;

/// What leads traffic: one of them by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entrance<'a> {
    /// An Ingress.
    pub ingress: Option<&'a str>,
    /// An HTTPRoute of the Gateway API.
    pub route: Option<&'a str>,
    /// A Service.
    pub service: Option<&'a str>,
}

impl Entrance<'_> {
    /// Where the object is.
    pub fn at(&self, namespace: &str) -> Address {
        match (self.ingress, self.route) {
            (Some(name), _) => Address::known("Ingress", namespace, name),
            (None, Some(name)) => route_at(namespace, name),
            (None, None) => Address::known("Service", namespace, self.service.unwrap_or_default()),
        }
    }
}

/// Where an Ingress is reached from outside, as its controller says.
pub fn ingress_authority(ingress: &Object) -> Option<String> {
    let first = ingress.list("/status/loadBalancer/ingress").first()?;
    let host = first["ip"].as_str().or(first["hostname"].as_str())?;
    Some(authority(host, None))
}

/// Where a Service is reached within the cluster; none for one without an address of its own.
pub fn service_authority(service: &Object) -> Option<String> {
    let host = Some(service.text("/spec/clusterIP")).filter(|host| !host.is_empty() && *host != "None")?;
    Some(authority(host, Some(service.number("/spec/ports/0/port")?)))
}

/// A host and port as URLs have them: an address of IPv6 stands in brackets there.
pub(super) fn authority(host: &str, port: Option<i64>) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::{Entrance, ingress_authority, service_authority};
    use crate::cluster::object::Object;
    use serde_json::{Value, json};

    #[test]
    fn an_object_is_named_by_its_kind() {
        let at = |ingress, route, service| Entrance { ingress, route, service }.at("shop").to_string();
        assert_eq!(
            [at(Some("a"), None, None), at(None, Some("a"), None), at(None, None, Some("a"))],
            ["ingress/a", "httproute/a", "service/a"]
        );
    }

    #[test]
    fn an_address_of_either_family_is_one_that_a_url_can_have() {
        let ingress = |entry: Value| ingress_authority(&Object(json!({ "status": { "loadBalancer": { "ingress": [entry] } } })));
        let service = |ip: &str| service_authority(&Object(json!({ "spec": { "clusterIP": ip, "ports": [{ "port": 80 }] } })));
        assert_eq!(ingress(json!({ "ip": "10.0.0.9" })).as_deref(), Some("10.0.0.9"));
        assert_eq!(ingress(json!({ "ip": "fd00::9" })).as_deref(), Some("[fd00::9]"));
        assert_eq!(ingress(json!({ "hostname": "lb.example" })).as_deref(), Some("lb.example"));
        assert_eq!([service("10.0.0.9"), service("fd00::9")], [Some("10.0.0.9:80".to_owned()), Some("[fd00::9]:80".to_owned())]);
        assert_eq!([service("None"), service(""), ingress(json!({})), ingress_authority(&Object(json!({})))], [None, None, None, None]);
    }
}
