//! Which lists have elements with keys, and which mappings belong to one owner as a whole: the part of the API's schema that ownership needs.
//!
//! Source: the `x-kubernetes-list-type`, `x-kubernetes-list-map-keys` and `x-kubernetes-map-type` of the API's published schema.

use serde_json::{Value, json};

/// How a value is owned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) enum Shape {
    /// Each field by itself; a list of this shape as a whole.
    Granular,
    /// As a whole.
    Atomic,
    /// Each element by itself; these of its fields tell it apart.
    Keyed(&'static [&'static str]),
    /// Each element by itself; it is its own key.
    Set,
}

/// The shape of the value at a path.
pub(in crate::sim) fn shape(path: &[&str]) -> Shape {
    let (Some(name), parent) = (path.last(), path.len().checked_sub(2).map(|index| path[index])) else { return Shape::Granular };
    // Keys of maps are anything: a ConfigMap may have one that is called `containers`.
    if matches!(parent, Some("data" | "binaryData" | "stringData" | "labels" | "annotations")) {
        return Shape::Granular;
    }
    match (*name, parent) {
        ("selector" | "nodeSelector" | "labelSelector" | "matchLabels" | "podSelector" | "namespaceSelector", _) => Shape::Atomic,
        ("configMapKeyRef" | "secretKeyRef" | "fieldRef" | "resourceFieldRef" | "secretRef" | "configMapRef" | "scaleTargetRef", _) => {
            Shape::Atomic
        }
        ("ports", Some("containers" | "initContainers" | "ephemeralContainers")) => Shape::Keyed(&["containerPort", "protocol"]),
        ("ports", Some("spec")) => Shape::Keyed(&["port", "protocol"]),
        ("containers" | "initContainers" | "ephemeralContainers" | "env" | "volumes" | "imagePullSecrets" | "listeners" | "claims", _) => {
            Shape::Keyed(&["name"])
        }
        ("volumeMounts", _) => Shape::Keyed(&["mountPath"]),
        ("volumeDevices", _) => Shape::Keyed(&["devicePath"]),
        ("hostAliases" | "podIPs", _) => Shape::Keyed(&["ip"]),
        ("topologySpreadConstraints", _) => Shape::Keyed(&["topologyKey", "whenUnsatisfiable"]),
        ("conditions", _) => Shape::Keyed(&["type"]),
        ("ownerReferences", Some("metadata")) => Shape::Keyed(&["uid"]),
        ("finalizers", Some("metadata")) => Shape::Set,
        _ => Shape::Granular,
    }
}

/// The value of a key field; the API's default where it is left out.
pub(in crate::sim) fn key_of(item: &Value, key: &str) -> Option<Value> {
    match (item.get(key), key) {
        (Some(value), _) => Some(value.clone()),
        (None, "protocol") => Some(json!("TCP")),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Shape, shape};

    #[test]
    fn the_same_word_has_another_shape_elsewhere() {
        assert_eq!(shape(&["spec", "ports"]), Shape::Keyed(&["port", "protocol"]));
        assert_eq!(shape(&["spec", "template", "spec", "containers", "ports"]), Shape::Keyed(&["containerPort", "protocol"]));
        assert_eq!(shape(&["data", "containers"]), Shape::Granular);
        assert_eq!(shape(&["spec", "selector"]), Shape::Atomic);
        assert_eq!(shape(&[]), Shape::Granular);
    }
}
