//! Objects as the API server gives them, and their names. It knows no client.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// An object as the API server gives it, nothing left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Object(pub Value);

impl Object {
    /// The value at a JSON pointer.
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        self.0.pointer(pointer)
    }

    /// The text at a JSON pointer; empty when there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.at(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The number at a JSON pointer; none when there is none.
    pub fn number(&self, pointer: &str) -> Option<i64> {
        self.at(pointer).and_then(Value::as_i64)
    }

    /// The list at a JSON pointer; empty when there is none.
    pub fn list(&self, pointer: &str) -> &[Value] {
        self.at(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Its group and version, such as `apps/v1`.
    pub fn api_version(&self) -> &str {
        self.text("/apiVersion")
    }

    /// Its kind, such as `Deployment`.
    pub fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// Its namespace; none for objects of the whole cluster.
    pub fn namespace(&self) -> Option<&str> {
        self.at("/metadata/namespace").and_then(Value::as_str)
    }

    /// The id that no other object ever has.
    pub fn uid(&self) -> &str {
        self.text("/metadata/uid")
    }

    /// Changes with every write.
    pub fn resource_version(&self) -> &str {
        self.text("/metadata/resourceVersion")
    }

    /// Counts the changes of what is wanted; none for kinds that do not count.
    pub fn generation(&self) -> Option<i64> {
        self.number("/metadata/generation")
    }

    /// True when it was deleted and is not gone yet: what is written to it dies with it.
    pub fn is_terminating(&self) -> bool {
        self.at("/metadata/deletionTimestamp").is_some_and(|at| !at.is_null())
    }

    /// A label's value.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.at("/metadata/labels")?.get(name)?.as_str()
    }

    /// True when one of its owners has this uid.
    pub fn is_owned_by(&self, uid: &str) -> bool {
        self.list("/metadata/ownerReferences").iter().any(|owner| owner["uid"] == uid)
    }

    /// The condition of this type.
    pub fn condition(&self, kind: &str) -> Option<&Value> {
        self.list("/status/conditions").iter().find(|condition| condition["type"] == kind)
    }

    /// True when the condition of this type holds.
    pub fn is_condition_true(&self, kind: &str) -> bool {
        self.condition(kind).is_some_and(|condition| condition["status"] == "True")
    }

    /// Its name, without a version.
    pub fn reference(&self) -> Reference {
        Reference {
            group: group_of(self.api_version()).to_owned(),
            kind: self.kind().to_owned(),
            namespace: self.namespace().map(str::to_owned),
            name: self.name().to_owned(),
        }
    }
}

/// The group in a group and version: empty for `v1`, `apps` for `apps/v1`.
pub fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// An object's name, without a version: two manifests of different versions can mean one object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reference {
    /// Its group; empty for the core group.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace; none for objects of the whole cluster.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl Reference {
    /// A namespaced object.
    pub fn new(group: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self { group: group.to_owned(), kind: kind.to_owned(), namespace: Some(namespace.to_owned()), name: name.to_owned() }
    }

    /// Its name among all that bowline can write: `kube:apps/Deployment/production/web`, `kube:core/Namespace/production`.
    pub fn target(&self) -> String {
        let group = if self.group.is_empty() { "core" } else { &self.group };
        let namespace = self.namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
        format!("kube:{group}/{}/{namespace}{}", self.kind, self.name)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.to_lowercase(), self.name)
    }
}

/// Says that a text names no object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no object: write `kube:GROUP/KIND/NAMESPACE/NAME`")]
pub struct ReferenceError(String);

impl FromStr for Reference {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let wrong = || ReferenceError(text.to_owned());
        let parts: Vec<&str> = text.strip_prefix("kube:").ok_or_else(wrong)?.split('/').collect();
        let (group, kind, namespace, name) = match parts[..] {
            [group, kind, namespace, name] => (group, kind, Some(namespace), name),
            [group, kind, name] => (group, kind, None, name),
            _ => return Err(wrong()),
        };
        let group = if group == "core" { "" } else { group };
        Ok(Self { group: group.to_owned(), kind: kind.to_owned(), namespace: namespace.map(str::to_owned), name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::{Object, Reference};
    use serde_json::json;

    #[test]
    fn a_target_has_no_version_and_comes_back() {
        let deployment =
            Object(json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "namespace": "shop" } }));
        let namespace = Object(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } }));
        for (object, target) in [(deployment, "kube:apps/Deployment/shop/web"), (namespace, "kube:core/Namespace/shop")] {
            let reference = object.reference();
            assert_eq!(reference.target(), target);
            assert_eq!(target.parse::<Reference>().unwrap(), reference);
        }
        assert!("file:/a/b/c".parse::<Reference>().is_err());
    }
}
