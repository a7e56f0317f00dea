//! How a plan names an object of any kind, or a kind. It reads no cluster.

use super::kubernetes::{Place, failed};
use crate::action::ActionError;
use crate::cluster::kinds::{named, table};
use crate::cluster::object::{Reference, group_of};
use crate::cluster::selector;
use crate::cluster::{Address, Kind};

/// A kind, written `deployment` when it is a usual one, else with its group and version: `example.com/v1/Gadget`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KindName {
    pub(super) api_version: String,
    pub(super) kind: String,
}

/// An object, written `deployment/web` or `example.com/v1/Gadget/web`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ObjectName {
    pub(super) kind: KindName,
    pub(super) name: String,
}

impl KindName {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        kind_of(&text.split('/').collect::<Vec<_>>()).ok_or_else(|| match meant(text) {
            Some(kind) => format!("`{text}` is no kind: write `{kind}`"),
            None => format!("`{text}` is no kind: write `deployment`, or with group and version `example.com/v1/Gadget`"),
        })
    }

    /// An unknown kind is taken to live in namespaces.
    pub(super) fn namespace<'a>(&self, namespace: &'a str) -> Option<&'a str> {
        table(&self.api_version, &self.kind).is_none_or(|kind| kind.namespaced).then_some(namespace)
    }

    /// Asks the cluster what it serves, for kinds that are no usual ones.
    pub(super) async fn resolve(&self, place: &Place) -> Result<Kind, ActionError> {
        let found = place.cluster.kind(&self.api_version, &self.kind).await;
        found.map_err(|error| failed(format!("cannot find the kind {} of {}", self.kind, self.api_version), &error))
    }
}

impl ObjectName {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('/').collect();
        let wrong = || match parts.as_slice() {
            [.., kind, name] if !name.is_empty() && meant(kind).is_some() => {
                format!("`{text}` names no object: write `{}/{name}`", meant(kind).unwrap_or_default())
            }
            _ => format!("`{text}` names no object: write `deployment/web`, or with group and version `example.com/v1/Gadget/web`"),
        };
        let (name, kind) = parts.split_last().ok_or_else(wrong)?;
        let kind = kind_of(kind).filter(|_| !name.is_empty()).ok_or_else(wrong)?;
        Ok(Self { kind, name: (*name).to_owned() })
    }

    pub(super) fn reference(&self, namespace: &str) -> Reference {
        Reference {
            group: group_of(&self.kind.api_version).to_owned(),
            kind: self.kind.kind.clone(),
            namespace: self.kind.namespace(namespace).map(str::to_owned),
            name: self.name.clone(),
        }
    }

    pub(super) async fn address(&self, place: &Place) -> Result<Address, ActionError> {
        let kind = self.kind.resolve(place).await?;
        let namespace = kind.namespaced.then(|| place.namespace.clone());
        Ok(Address { kind, namespace, name: self.name.clone() })
    }
}

/// What is wrong with the parameter `selector`.
pub(super) fn selector_problem(selector: &str) -> Option<String> {
    selector::check(selector).err().map(|why| format!("`selector` names no labels, for {why}"))
}

/// The kind that is meant by a short name of kubectl's, or by a plural.
fn meant(word: &str) -> Option<&str> {
    const SHORT: [(&str, &str); 16] = [
        ("cj", "cron-job"),
        ("cm", "config-map"),
        ("crd", "custom-resource-definition"),
        ("deploy", "deployment"),
        ("ds", "daemon-set"),
        ("hpa", "horizontal-pod-autoscaler"),
        ("ing", "ingress"),
        ("netpol", "network-policy"),
        ("ns", "namespace"),
        ("pdb", "pod-disruption-budget"),
        ("po", "pod"),
        ("pvc", "persistent-volume-claim"),
        ("rs", "replica-set"),
        ("sa", "service-account"),
        ("sts", "stateful-set"),
        ("svc", "service"),
    ];
    let short = SHORT.iter().find(|(short, _)| *short == word).map(|(_, kind)| *kind);
    let singular = || ["s", "es"].into_iter().find_map(|end| word.strip_suffix(end).filter(|kind| named(kind).is_some()));
    short.filter(|kind| named(kind).is_some()).or_else(singular)
}

fn kind_of(parts: &[&str]) -> Option<KindName> {
    let whole = |api_version: String, kind: &str| {
        let begins_right = kind.starts_with(|first: char| first.is_ascii_uppercase());
        begins_right.then(|| KindName { api_version, kind: kind.to_owned() })
    };
    match parts {
        [kind] => named(kind).map(|kind| KindName { api_version: kind.api_version, kind: kind.kind }),
        [version, kind] if version.starts_with('v') => whole((*version).to_owned(), kind),
        [group, version, kind] if group.contains('.') || table(&format!("{group}/{version}"), kind).is_some() => {
            whole(format!("{group}/{version}"), kind)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{KindName, ObjectName};

    #[test]
    fn objects_are_named_in_short_or_in_full() {
        let target = |text: &str| ObjectName::parse(text).map(|name| name.reference("shop").target());
        assert_eq!(target("deployment/web").unwrap(), "kube:apps/Deployment/shop/web");
        assert_eq!(target("stateful-set/db").unwrap(), "kube:apps/StatefulSet/shop/db");
        assert_eq!(target("v1/ConfigMap/conf").unwrap(), "kube:core/ConfigMap/shop/conf");
        assert_eq!(target("apps/v1/Deployment/web").unwrap(), "kube:apps/Deployment/shop/web");
        assert_eq!(target("example.com/v1/Gadget/g").unwrap(), "kube:example.com/Gadget/shop/g");
        assert_eq!(target("namespace/shop").unwrap(), "kube:core/Namespace/shop");
        for wrong in ["web", "gadget/web", "deployment/", "deployment/a/b", "example.com/v1/gadget/g", "a/b/c/d/e", ""] {
            assert!(target(wrong).is_err(), "{wrong}");
        }
        let told = |text: &str| ObjectName::parse(text).unwrap_err();
        insta::assert_snapshot!(told("svc/legacy"), @"`svc/legacy` names no object: write `service/legacy`");
        insta::assert_snapshot!(told("deployments/web"), @"`deployments/web` names no object: write `deployment/web`");
        for short in ["cj", "cm", "deploy", "ds", "ing", "ns", "po", "pvc", "rs", "sa", "sts", "svc", "ingresses"] {
            assert!(told(&format!("{short}/x")).contains("/x`"), "{short}");
        }
        insta::assert_snapshot!(KindName::parse("pods").unwrap_err(), @"`pods` is no kind: write `pod`");
        assert_eq!(KindName::parse("config-map").unwrap().api_version, "v1");
        insta::assert_snapshot!(KindName::parse("gadget").unwrap_err(), @"`gadget` is no kind: write `deployment`, or with group and version `example.com/v1/Gadget`");
    }
}
