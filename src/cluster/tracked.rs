//! Which other tool keeps an object as it wants it. Pure.
//!
//! What such a tool tracks it puts back, or takes our change for its own: two tools that write one object undo each other.

use crate::cluster::object::Object;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who may keep objects besides bowline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Keeper {
    /// An application of Argo CD.
    ArgoCd,
    /// A Kustomization or HelmRelease of Flux.
    Flux,
    /// A release of Helm.
    Helm,
    /// A controller that made the object for another one.
    Controller,
}

/// An object is kept by another tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracked {
    /// What kind of tool.
    pub keeper: Keeper,
    /// Which application, release or object.
    pub name: String,
}

impl fmt::Display for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ArgoCd => "argo-cd",
            Self::Flux => "flux",
            Self::Helm => "helm",
            Self::Controller => "controller",
        })
    }
}

impl fmt::Display for Tracked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.keeper {
            Keeper::ArgoCd => write!(f, "the Argo CD application `{}`", self.name),
            Keeper::Flux => write!(f, "Flux ({})", self.name),
            Keeper::Helm => write!(f, "the Helm release `{}`", self.name),
            Keeper::Controller => write!(f, "the controller of {}", self.name),
        }
    }
}

/// Who keeps the object; none when nobody is known to.
pub fn tracked(object: &Object) -> Option<Tracked> {
    let annotation = |name: &str| object.at("/metadata/annotations")?.get(name)?.as_str();
    if let Some(id) = annotation("argocd.argoproj.io/tracking-id") {
        let name = id.split(':').next().unwrap_or(id).to_owned();
        return Some(Tracked { keeper: Keeper::ArgoCd, name });
    }
    for (label, what) in [("kustomize.toolkit.fluxcd.io/name", "the Kustomization"), ("helm.toolkit.fluxcd.io/name", "the HelmRelease")] {
        if let Some(name) = object.label(label) {
            return Some(Tracked { keeper: Keeper::Flux, name: format!("{what} `{name}`") });
        }
    }
    if object.label("app.kubernetes.io/managed-by") == Some("Helm")
        && let Some(name) = annotation("meta.helm.sh/release-name")
    {
        return Some(Tracked { keeper: Keeper::Helm, name: name.to_owned() });
    }
    let owner = object.list("/metadata/ownerReferences").iter().find(|owner| owner["controller"] == true)?;
    let part = |name: &str| owner[name].as_str().unwrap_or_default().to_owned();
    Some(Tracked { keeper: Keeper::Controller, name: format!("{}/{}", part("kind").to_lowercase(), part("name")) })
}

#[cfg(test)]
mod tests {
    use super::{Keeper, tracked};
    use crate::cluster::object::Object;
    use serde_json::json;

    #[test]
    fn other_tools_are_known_by_what_they_leave_on_their_objects() {
        let of = |metadata| tracked(&Object(json!({ "metadata": metadata }))).map(|tracked| (tracked.keeper, tracked.to_string()));
        let helm = json!({ "labels": { "app.kubernetes.io/managed-by": "Helm" }, "annotations": { "meta.helm.sh/release-name": "shop" } });
        assert_eq!(of(helm), Some((Keeper::Helm, "the Helm release `shop`".to_owned())));
        let argo = json!({ "annotations": { "argocd.argoproj.io/tracking-id": "shop:apps/Deployment:prod/web" } });
        assert_eq!(of(argo), Some((Keeper::ArgoCd, "the Argo CD application `shop`".to_owned())));
        let flux = json!({ "labels": { "kustomize.toolkit.fluxcd.io/name": "apps" } });
        assert_eq!(of(flux), Some((Keeper::Flux, "Flux (the Kustomization `apps`)".to_owned())));
        let owned = json!({ "ownerReferences": [{ "kind": "ReplicaSet", "name": "web-1", "controller": true }] });
        assert_eq!(of(owned), Some((Keeper::Controller, "the controller of replicaset/web-1".to_owned())));
        let free = json!({ "labels": { "app.kubernetes.io/managed-by": "Helm" }, "ownerReferences": [{ "kind": "A", "name": "b" }] });
        assert_eq!(of(free), None, "a label alone, or an owner that controls nothing, keeps nothing");
    }
}
