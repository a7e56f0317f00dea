//! How lists and maps of Kubernetes' own kinds are to be compared: by which key, or only as a whole. Pure.

use crate::cluster::undo::merge::Path;
use serde_json::Value;

/// Lists whose elements have a name of some kind: the end of the path and the fields that make the key.
/// The keys are those of server-side apply, except for lists that are atomic there and have natural keys all the same
/// (an Ingress' rules and paths, a route's backends), where whoever adds an element does not mean the others.
/// Source: the `+listMapKey` markers in k8s.io/api.
const KEYS: &[(&[&str], &[&str])] = &[
    (&["containers"], &["name"]),
    (&["initContainers"], &["name"]),
    (&["ephemeralContainers"], &["name"]),
    (&["containers", "ports"], &["containerPort", "protocol"]),
    (&["initContainers", "ports"], &["containerPort", "protocol"]),
    (&["env"], &["name"]),
    (&["volumeMounts"], &["mountPath"]),
    (&["volumeDevices"], &["devicePath"]),
    (&["resources", "claims"], &["name"]),
    (&["volumes"], &["name"]),
    (&["imagePullSecrets"], &["name"]),
    (&["secrets"], &["name"]),
    (&["schedulingGates"], &["name"]),
    (&["resourceClaims"], &["name"]),
    (&["hostAliases"], &["ip"]),
    (&["topologySpreadConstraints"], &["topologyKey", "whenUnsatisfiable"]),
    (&["spec", "ports"], &["port", "protocol"]),
    (&["spec", "rules"], &["host"]),
    (&["rules", "http", "paths"], &["path", "pathType"]),
    (&["spec", "tls"], &["secretName", "hosts"]),
    (&["metadata", "ownerReferences"], &["uid"]),
    (&["webhooks"], &["name"]),
    (&["matchConditions"], &["name"]),
    (&["variables"], &["name"]),
    (&["subjects"], &["kind", "namespace", "name"]),
    (&["backendRefs"], &["kind", "namespace", "name", "port"]),
    (&["listeners"], &["name"]),
    (&["parentRefs"], &["namespace", "name", "sectionName", "port"]),
];

/// Maps in which every entry stands for itself: with none of them the map itself is missing.
const OPEN_MAPS: &[&[&str]] =
    &[&["metadata", "labels"], &["metadata", "annotations"], &["data"], &["binaryData"], &["limits"], &["requests"], &["parameters"]];

/// Maps that mean something only as a whole.
const ATOMIC: &[&[&str]] = &[&["spec", "selector"], &["labelSelector"], &["podSelector"], &["namespaceSelector"], &["nodeSelector"]];

/// The natural key of an element of the list at `path`; none when it has none.
pub(super) fn element_key(path: &Path, element: &Value) -> Option<String> {
    let fields = path.fields();
    if fields.ends_with(&["finalizers"]) {
        return element.as_str().map(str::to_owned);
    }
    // A route's rules have no name: what a rule matches is what it is.
    if fields == ["spec", "rules"] && ["backendRefs", "matches"].iter().any(|field| element.get(field).is_some()) {
        return Some(element.get("matches").map(Value::to_string).unwrap_or_default());
    }
    let (_, names) = KEYS.iter().find(|(end, _)| fields.ends_with(end))?;
    let object = element.as_object()?;
    let parts: Vec<String> = names.iter().map(|name| object.get(*name).map(show).unwrap_or_default()).collect();
    Some(parts.join(" ").trim().to_owned())
}

/// What a rule or path that leads traffic is besides its key; none for elements of other lists. By that it is found again when somebody
/// has changed what it matches: it leads to our side all the same.
pub(super) fn besides_key(path: &Path, element: &Value) -> Option<Value> {
    let keys: &[&str] = match path.fields()[..] {
        ["spec", "rules"] => &["matches", "host"],
        ["spec", "rules", "http", "paths"] => &["path", "pathType"],
        _ => return None,
    };
    let mut rest = element.clone();
    let fields = rest.as_object_mut()?;
    keys.iter().for_each(|key| drop(fields.shift_remove(*key)));
    (!fields.is_empty()).then_some(rest)
}

fn show(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(super) fn is_open_map(path: &Path) -> bool {
    OPEN_MAPS.iter().any(|end| path.fields().ends_with(end))
}

pub(super) fn is_atomic(path: &Path) -> bool {
    ATOMIC.iter().any(|end| path.fields().ends_with(end))
}
