//! The Job as it is sent: from a manifest, or from an image and a command; its name and its labels in this run. It sends nothing.

use super::JobParams;
use crate::action::{ActionError, ReadCx};
use crate::cluster::{Address, Object};
use crate::expr::{manifests, render_manifest};
use crate::ids::StepId;
use crate::ports::Script;
use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Seconds after the end in which a Job that is not kept is removed: time enough for whoever takes up a run that died.
const REMOVED_AFTER: u64 = 600;
/// Most characters of a name that people choose: pods get the Job's name with more behind it.
const LONGEST_NAME: usize = 45;
/// The labels by which a run's Jobs are found.
const LABELS: [&str; 3] = ["bowline/plan", "bowline/run", "bowline/step"];

/// A Job without its number.
pub(super) struct Planned {
    namespace: String,
    name: String,
    manifest: Value,
}

impl Planned {
    /// Where the Job of this try is. Another try of the same program has another name.
    pub(super) fn at(&self, number: usize) -> Address {
        let name = if number == 1 { self.name.clone() } else { format!("{}-{number}", self.name) };
        Address::known("Job", &self.namespace, &name)
    }

    pub(super) fn named(&self, number: usize) -> Object {
        let mut manifest = self.manifest.clone();
        manifest["metadata"]["name"] = json!(self.at(number).name);
        Object(manifest)
    }

    pub(super) fn removed_after(&self) -> Option<u64> {
        self.manifest["spec"]["ttlSecondsAfterFinished"].as_u64()
    }

    /// One line for people.
    pub(super) fn title(&self) -> String {
        let container = &self.manifest["spec"]["template"]["spec"]["containers"][0];
        let words = ["command", "args"].iter().flat_map(|part| container[part].as_array().into_iter().flatten()).filter_map(Value::as_str);
        let command = words.collect::<Vec<_>>().join(" ");
        let command: String = command.lines().next().unwrap_or_default().chars().take(100).collect();
        format!("{} {command}", container["image"].as_str().unwrap_or_default()).trim().to_owned()
    }
}

fn labels(cx: &ReadCx) -> [(&'static str, String); 3] {
    let values = [cx.scope.plan.to_string(), cx.scope.run.to_string(), label_of(&cx.step)];
    let mut values = values.into_iter();
    LABELS.map(|name| (name, values.next().unwrap_or_default()))
}

/// True for a Job of this step of this run.
pub(super) fn is_ours(job: &Object, cx: &ReadCx) -> bool {
    labels(cx).iter().all(|(name, value)| job.label(name) == Some(value))
}

/// Mistakes that types allow.
pub(super) fn problems(params: &JobParams) -> Vec<String> {
    let mut problems = Vec::new();
    let ways = [params.image.is_some(), params.file.is_some(), params.manifest.is_some()].iter().filter(|way| **way).count();
    if ways != 1 {
        problems.push("say one of `image`, `file` and `manifest`".to_owned());
    }
    if params.image.is_none() && (params.command.is_some() || !params.env.is_empty() || params.service_account.is_some()) {
        problems.push("`command`, `env` and `service-account` are for `image`: a manifest has its own".to_owned());
    }
    if params.values.is_some() && params.file.is_none() {
        problems.push("`values` are for `file`, which is not given".to_owned());
    }
    if let Some(manifest) = &params.manifest
        && let Err(problem) = check(&Value::Object(manifest.clone()))
    {
        problems.push(format!("`manifest`: {problem}"));
    }
    problems
}

/// Reads what is to be run.
///
/// # Errors
/// When it is no Job.
pub(super) fn read(params: &JobParams, cx: &ReadCx, namespace: &str) -> Result<Planned, ActionError> {
    let wrong = |problem: String| ActionError::permanent(format!("there is no Job to run: {problem}"));
    let mut manifest = match (&params.image, &params.file, &params.manifest) {
        (Some(image), _, _) => short(params, image),
        (None, Some(file), _) => from_file(params, cx, file).map_err(wrong)?,
        (None, None, Some(manifest)) => Value::Object(manifest.clone()),
        (None, None, None) => return Err(wrong("say one of `image`, `file` and `manifest`".to_owned())),
    };
    check(&manifest).map_err(wrong)?;
    let own_namespace = manifest["metadata"]["namespace"].as_str().map(str::to_owned);
    let base = params.name.as_deref().or(manifest["metadata"]["name"].as_str()).map_or_else(|| name_of(&cx.step), str::to_owned);
    complete(&mut manifest, params, cx);
    let digest = Sha256::digest(format!("{}\n{}\n{base}\n{manifest}", cx.scope.run, cx.step));
    let begin: String = base.chars().take(LONGEST_NAME).collect();
    let name = format!("{}-{}", begin.trim_end_matches(['-', '.']), &HEXLOWER.encode(&digest)[..8]);
    let namespace = own_namespace.unwrap_or_else(|| namespace.to_owned());
    manifest["metadata"]["namespace"] = json!(namespace);
    Ok(Planned { namespace, name, manifest })
}

/// A step's id as a name in the cluster: `migrate[eu]` becomes `migrate-eu`.
fn name_of(step: &StepId) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    step.unbracketed().chars().map(plain).collect()
}

/// A step's id as the value of a label, which has 63 characters and no brackets.
fn label_of(step: &StepId) -> String {
    let label = step.unbracketed();
    match label.len() {
        0..=63 => label,
        _ => format!("{}.{}", &label[..46], &HEXLOWER.encode(&Sha256::digest(step.as_str()))[..16]),
    }
}

pub(super) fn short(params: &JobParams, image: &str) -> Value {
    let mut container = json!({ "name": "main", "image": image });
    if let Some(command) = &params.command {
        let (program, args) = Script::command(command);
        container["command"] = [vec![program], args].concat().into();
    }
    if !params.env.is_empty() {
        container["env"] = params.env.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    }
    let mut pod = json!({ "restartPolicy": "Never", "containers": [container] });
    if let Some(account) = &params.service_account {
        pod["serviceAccountName"] = json!(account);
    }
    // Trying again is the step's affair.
    json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": {}, "spec": { "backoffLimit": 0, "template": { "spec": pod } } })
}

fn from_file(params: &JobParams, cx: &ReadCx, file: &str) -> Result<Value, String> {
    let path = file.trim_start_matches("./");
    let bytes = cx.frozen.file(path).ok_or_else(|| format!("`{file}` was not kept with the run"))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("`{file}` is no UTF-8 text"))?;
    let found = manifests(text, file).map_err(|error| error.to_string())?;
    let [one] = <[Value; 1]>::try_from(found).map_err(|found| format!("`{file}` holds {} objects, not one", found.len()))?;
    match &params.values {
        Some(values) => render_manifest(one, &Value::Object(values.clone())).map_err(|error| format!("{file}: {error}")),
        None => Ok(one),
    }
}

fn check(manifest: &Value) -> Result<(), String> {
    match (manifest["apiVersion"].as_str(), manifest["kind"].as_str()) {
        (Some("batch/v1"), Some("Job")) => {}
        (version, kind) => {
            return Err(format!("{} of {} is no Job of batch/v1", kind.unwrap_or("an object"), version.unwrap_or("no `apiVersion`")));
        }
    }
    match manifest["spec"]["template"]["spec"]["containers"].as_array() {
        Some(containers) if !containers.is_empty() => Ok(()),
        _ => Err("it has no `spec.template.spec.containers`".to_owned()),
    }
}

fn complete(manifest: &mut Value, params: &JobParams, cx: &ReadCx) {
    if let Some(fields) = manifest.as_object_mut() {
        fields.shift_remove("status");
    }
    let kept: Map<String, Value> = ["labels", "annotations"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), manifest["metadata"].get(name).filter(|value| value.is_object())?.clone())))
        .collect();
    manifest["metadata"] = Value::Object(kept);
    for place in ["/metadata", "/spec/template/metadata"] {
        let parent = if place == "/metadata" { &mut *manifest } else { &mut manifest["spec"]["template"] };
        if !parent["metadata"].is_object() {
            parent["metadata"] = json!({});
        }
        if !parent["metadata"]["labels"].is_object() {
            parent["metadata"]["labels"] = json!({});
        }
        for (name, value) in labels(cx) {
            parent["metadata"]["labels"][name] = json!(value);
        }
    }
    if let Some(deadline) = params.deadline {
        manifest["spec"]["activeDeadlineSeconds"] = json!(deadline.0.as_secs().max(1));
    }
    if params.keep == Some(false) && manifest["spec"]["ttlSecondsAfterFinished"].is_null() {
        manifest["spec"]["ttlSecondsAfterFinished"] = json!(REMOVED_AFTER);
    }
}
