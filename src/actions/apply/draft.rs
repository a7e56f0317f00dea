//! Manifests as read from the frozen files, before a cluster says what their kinds are. It writes nothing.

use super::{ApplyParams, order, sources};
use crate::action::{ActionError, Frozen};
use crate::actions::named;
use crate::cluster::object::{Reference, group_of};
use crate::cluster::write::Wanted;
use crate::cluster::{Address, Kind, kinds};
use crate::expr::{manifest_faults, manifests, render_manifest};
use serde_json::{Map, Value, json};
use std::collections::HashSet;

/// The label by which a plan knows its objects.
const PLAN_LABEL: &str = "bowline/plan";

/// One object of a manifest.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::actions) struct Draft {
    pub(in crate::actions) api_version: String,
    pub(in crate::actions) kind: String,
    pub(in crate::actions) namespace: Option<String>,
    pub(in crate::actions) name: String,
    manifest: Value,
}

impl Draft {
    /// Its name; an unknown kind is taken to live in namespaces.
    pub(in crate::actions) fn reference(&self, namespace: &str) -> Reference {
        let namespaced = kinds::table(&self.api_version, &self.kind).is_none_or(|kind| kind.namespaced);
        let namespace = namespaced.then(|| self.namespace.clone().unwrap_or_else(|| namespace.to_owned()));
        Reference { group: group_of(&self.api_version).to_owned(), kind: self.kind.clone(), namespace, name: self.name.clone() }
    }

    pub(in crate::actions) fn is_at(&self, at: &Address) -> bool {
        self.api_version == at.kind.api_version
            && self.kind == at.kind.kind
            && self.name == at.name
            && self.namespace.as_ref().is_none_or(|namespace| Some(namespace) == at.namespace.as_ref())
    }

    /// What to write, now that the kind is known.
    pub(in crate::actions) fn wanted(&self, kind: Kind, namespace: &str, force: bool) -> Wanted {
        let namespace = kind.namespaced.then(|| self.namespace.clone().unwrap_or_else(|| namespace.to_owned()));
        let mut manifest = self.manifest.clone();
        if let Some(metadata) = manifest["metadata"].as_object_mut() {
            match &namespace {
                Some(namespace) => metadata.insert("namespace".to_owned(), json!(namespace)),
                None => metadata.shift_remove("namespace"),
            };
        }
        Wanted { at: Address { kind, namespace, name: self.name.clone() }, manifest, force }
    }

    /// True when this is the definition of that kind.
    pub(in crate::actions) fn defines(&self, other: &Draft) -> bool {
        let spec = &self.manifest["spec"];
        self.kind == "CustomResourceDefinition"
            && spec["group"] == group_of(&other.api_version)
            && spec["names"]["kind"] == other.kind.as_str()
    }
}

/// Reads all manifests that the step names, in the order in which they are applied. All that is wrong is told at once.
pub(in crate::actions) fn read(frozen: &Frozen, params: &ApplyParams, namespace: &str, plan: &str) -> Result<Vec<Draft>, ActionError> {
    let (mut drafts, mut problems) = (Vec::<Draft>::new(), Vec::new());
    for source in &params.manifests {
        let paths = sources::files(frozen, source);
        if paths.is_empty() {
            problems.push(format!("`{source}` means no file"));
        }
        for path in paths {
            let (more, wrong) = read_file(frozen, path, params.values.as_ref(), plan);
            drafts.extend(more);
            problems.extend(wrong);
        }
    }
    for command in &params.commands {
        let name = Frozen::name_of(command);
        let (more, wrong) = read_file(frozen, &name, params.values.as_ref(), plan);
        if more.is_empty() && wrong.is_empty() {
            problems.push(format!("`{name}` printed no manifest"));
        }
        drafts.extend(more);
        problems.extend(wrong);
    }
    let mut seen = HashSet::new();
    for draft in &drafts {
        let reference = draft.reference(namespace);
        let told = reference.to_string();
        if !seen.insert(reference) {
            problems.push(format!("{told} is there twice"));
        }
    }
    drafts.sort_by_key(|draft| order::rank(&draft.kind));
    match problems.is_empty() {
        true => Ok(drafts),
        false => Err(all("the manifests cannot be applied", problems)),
    }
}

/// One error that tells several problems.
pub(in crate::actions) fn all(what: &str, problems: Vec<String>) -> ActionError {
    match <[String; 1]>::try_from(problems) {
        Ok([one]) => ActionError::permanent(format!("{what}: {one}")),
        Err(problems) => ActionError::permanent(format!("{what} ({} problems): {}", problems.len(), problems.join("; "))),
    }
}

/// The objects of a file, and what is wrong with others.
fn read_file(frozen: &Frozen, path: &str, values: Option<&Map<String, Value>>, plan: &str) -> (Vec<Draft>, Vec<String>) {
    let Some(bytes) = frozen.file(path) else { return (Vec::new(), vec![format!("`{path}` was not kept with the run")]) };
    let Ok(text) = std::str::from_utf8(&bytes) else { return (Vec::new(), vec![format!("`{path}` is no UTF-8 text")]) };
    let documents = match manifests(text, path) {
        Ok(documents) => documents,
        Err(_) => return (Vec::new(), manifest_faults(text, path).iter().map(ToString::to_string).collect()),
    };
    let values = values.cloned().map_or(Value::Null, Value::Object);
    let read = |document| {
        let rendered = render_manifest(document, &values).map_err(|error| format!("{path}: {error}"))?;
        draft(rendered, plan).map_err(|problem| format!("{path}: {problem}"))
    };
    let (drafts, wrong): (Vec<_>, Vec<_>) = documents.into_iter().map(read).partition(Result::is_ok);
    (drafts.into_iter().flatten().collect(), wrong.into_iter().filter_map(Result::err).collect())
}

fn draft(mut manifest: Value, plan: &str) -> Result<Draft, String> {
    let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let (api_version, kind) =
        (text("/apiVersion").ok_or("an object has no `apiVersion`")?, text("/kind").ok_or("an object has no `kind`")?);
    if let Some((why, _)) = named::fault(&manifest) {
        return Err(format!("a {kind} cannot be applied: {why}"));
    }
    let name = text("/metadata/name").unwrap_or_default();
    let namespace = text("/metadata/namespace");
    if let Some(fields) = manifest.as_object_mut() {
        fields.shift_remove("status");
    }
    if let Some(metadata) = manifest["metadata"].as_object_mut() {
        // What a server adds would be refused, or guard against the wrong object.
        for servers in ["managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"] {
            metadata.shift_remove(servers);
        }
    }
    if manifest["metadata"]["labels"].is_null() {
        manifest["metadata"]["labels"] = json!({});
    }
    manifest["metadata"]["labels"][PLAN_LABEL] = json!(plan);
    Ok(Draft { api_version, kind, namespace, name, manifest })
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::action::Frozen;
    use crate::actions::apply::ApplyParams;
    use crate::cluster::kinds::table;
    use serde_json::json;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    fn frozen(files: &[(&str, &str)]) -> Frozen {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), Arc::from(text.as_bytes())));
        Frozen(Arc::new(files.collect::<BTreeMap<_, _>>()))
    }

    #[test]
    fn what_a_command_printed_is_read_like_a_file() {
        let command: crate::ports::Script = serde_json::from_value(serde_json::json!(["helm", "template", "my chart"])).unwrap();
        let name = Frozen::name_of(&command);
        assert_eq!(name, "$ helm template 'my chart'");
        let params = ApplyParams { commands: vec![command], ..ApplyParams::default() };
        let files = frozen(&[(&name, "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}")]);
        assert_eq!(read(&files, &params, "shop", "p").unwrap().len(), 1);
        let error = read(&frozen(&[(&name, "# nothing")]), &params, "shop", "p").err().unwrap();
        insta::assert_snapshot!(error, @"the manifests cannot be applied: `$ helm template 'my chart'` printed no manifest");
    }

    fn params(manifests: &[&str]) -> ApplyParams {
        ApplyParams { manifests: manifests.iter().map(|&path| path.to_owned()).collect(), ..ApplyParams::default() }
    }

    #[test]
    fn objects_are_ordered_labelled_and_stripped() {
        let text = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, uid: x, creationTimestamp: null}
status: {}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c, namespace: other, labels: {team: a}}
";
        let drafts = read(&frozen(&[("app.yaml", text)]), &params(&["app.yaml"]), "shop", "blue-green").unwrap();
        assert_eq!(
            drafts.iter().map(|draft| draft.reference("shop").target()).collect::<Vec<_>>(),
            ["kube:core/ConfigMap/other/c", "kube:apps/Deployment/shop/web"]
        );
        let wanted = drafts[1].wanted(table("apps/v1", "Deployment").unwrap(), "shop", false);
        assert_eq!(wanted.manifest["metadata"], json!({ "name": "web", "labels": { "bowline/plan": "blue-green" }, "namespace": "shop" }));
        assert!(wanted.manifest.get("status").is_none());
        assert!(drafts[1].is_at(&wanted.at) && !drafts[0].is_at(&wanted.at));
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let twice = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n";
        let files = frozen(&[("a.yaml", twice), ("b.yaml", "{apiVersion: v1, kind: Pod, metadata: {generateName: p-}}")]);
        let error = read(&files, &params(&["a.yaml", "b.yaml", "none/*.yaml"]), "shop", "p").unwrap_err();
        insta::assert_snapshot!(error, @"the manifests cannot be applied (3 problems): b.yaml: a Pod cannot be applied: a generated name cannot be found again; `none/*.yaml` means no file; configmap/c is there twice");
    }
}
