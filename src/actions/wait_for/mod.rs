//! `wait-for`: waits until objects are there, are gone, or say something of themselves. It changes nothing.

mod look;
#[cfg(test)]
mod tests;

use super::kubernetes::{Place, evidence, failed, open_for_evidence};
use super::naming::{KindName, ObjectName, selector_problem};
use super::object_condition::condition;
use crate::action::{Action, ActionError, Begun, Cx, Evidence, Frozen, Preview, ReadCx, RunScope, UndoCx};
use crate::cluster::evidence::gather;
use crate::cluster::rights::Right;
use crate::cluster::watch::{Watch, Watched};
use crate::cluster::{Address, Clusters, Kind, Object};
use crate::record::{Mark, Reversibility, Settled, Target};
use look::{Look, look};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// A kind that a cluster does not serve yet is asked for again after this time: discovery cannot be watched.
const SERVED_AGAIN: Duration = Duration::from_secs(1);

/// Waits for objects of any kind.
pub struct WaitFor {
    clusters: Clusters,
}

impl WaitFor {
    /// Makes the action.
    pub fn new(clusters: Clusters) -> Self {
        Self { clusters }
    }
}

/// Which objects, and what for. How long is the step's `timeout`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct WaitForParams {
    /// The object, written `persistent-volume-claim/data`, or with group and version `example.com/v1/Gadget/web`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Every object of this kind that `selector` means: `pod`, or with group and version `example.com/v1/Gadget`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The labels of the objects of `kind`, such as `app=web,tier!=front`; all of the kind when none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// So many objects of `kind` must be there at least; 1 when it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<usize>,
    /// A CEL expression over each object that must become true: `object.status.phase == "Bound"`. A field that is not there yet is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Waits until it is there, whatever it says.
    pub exists: bool,
    /// Waits until it is gone.
    pub absent: bool,
    /// Their namespace; the environment's when none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// What was waited for: `{ "objects": ["persistentvolumeclaim/data"], "object": { … } }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Found {
    /// The objects that are as they were waited for.
    pub objects: Vec<String>,
    /// The one that `object` names, without the list of its fields' owners. None for a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Value>,
}

/// What is waited for, with its kind known.
struct Quest {
    kind: Kind,
    one: Option<Address>,
    watched: Watched,
}

impl WaitForParams {
    fn kind_name(&self) -> Result<KindName, String> {
        match (&self.object, &self.kind) {
            (Some(object), _) => ObjectName::parse(object).map(|name| name.kind),
            (None, Some(kind)) => KindName::parse(kind),
            (None, None) => Err("say what to wait for: an `object`, or a `kind`".to_owned()),
        }
    }

    fn title(&self) -> String {
        let labelled = |kind: &String| self.selector.as_ref().map_or_else(|| kind.clone(), |selector| format!("{kind} with {selector}"));
        self.object.clone().or_else(|| self.kind.as_ref().map(labelled)).unwrap_or_default()
    }

    fn quest(&self, place: &Place, kind: Kind) -> Result<Quest, ActionError> {
        let namespace = kind.namespaced.then(|| place.namespace.clone());
        let one = match &self.object {
            Some(object) => {
                let name = ObjectName::parse(object).map_err(ActionError::permanent)?.name;
                Some(Address { kind: kind.clone(), namespace: namespace.clone(), name })
            }
            None => None,
        };
        let watched = match &one {
            Some(at) => Watched::one(at),
            None => Watched { labels: self.selector.clone(), ..Watched::all(kind.clone(), namespace.as_deref()) },
        };
        Ok(Quest { kind, one, watched })
    }
}

impl WaitFor {
    /// The kind that is waited for; none when it is not served and that is as good as gone.
    async fn kind(&self, cx: &ReadCx, place: &Place, params: &WaitForParams) -> Result<Option<Kind>, ActionError> {
        let name = params.kind_name().map_err(ActionError::permanent)?;
        loop {
            match place.cluster.kind(&name.api_version, &name.kind).await {
                Ok(kind) => return Ok(Some(kind)),
                Err(error) if error.is_absent() && params.absent => return Ok(None),
                Err(error) if error.is_absent() => {
                    cx.doing(format!("waiting until the cluster serves {} of {}", name.kind, name.api_version));
                    tokio::select! {
                        () = place.cluster.clock.sleep(SERVED_AGAIN) => {}
                        () = cx.cancel.cancelled() => return Err(ActionError::transient(error.to_string())),
                    }
                }
                Err(error) => return Err(failed(format!("cannot look for {}", params.title()), &error)),
            }
        }
    }

    async fn wait(&self, cx: &ReadCx, params: &WaitForParams) -> Result<Found, ActionError> {
        let place = Place::open(&self.clusters, &cx.scope, params.namespace.as_deref()).await?;
        let condition = params.until.as_deref().map(|text| condition("until", text)).transpose().map_err(ActionError::permanent)?;
        let Some(kind) = self.kind(cx, &place, params).await? else { return Ok(Found { objects: Vec::new(), object: None }) };
        let Quest { kind, one, watched } = params.quest(&place, kind)?;
        let mut watch = Watch::open(&place.cluster, vec![watched]);
        let mut seen = format!("{} was not looked at yet", params.title());
        loop {
            tokio::select! {
                changed = watch.changed() => changed.map_err(|error| failed(format!("cannot watch {}", params.title()), &error))?,
                () = cx.cancel.cancelled() => {
                    let trouble = watch.trouble().map(|trouble| format!(" (the view may be old: {trouble})")).unwrap_or_default();
                    return Err(ActionError::transient(format!("{seen}{trouble}")));
                }
            }
            let objects: Vec<&Object> = match &one {
                Some(at) => watch.object(at).into_iter().collect(),
                None => watch.objects(&kind.kind).collect(),
            };
            match look(params, condition.as_ref(), &objects) {
                Look::Done => return Ok(found(&objects, one.is_some())),
                Look::Never(why) => return Err(ActionError::permanent(why)),
                Look::NotYet(text) if text != seen => {
                    cx.doing(format!("waiting: {text}"));
                    seen = text;
                }
                Look::NotYet(_) => {}
            }
        }
    }
}

fn found(objects: &[&Object], one: bool) -> Found {
    let object = objects.first().filter(|object| one && object.kind() != "Secret").map(|object| {
        let mut object = object.0.clone();
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.shift_remove("managedFields");
        }
        object
    });
    Found { objects: objects.iter().map(|object| object.reference().to_string()).collect(), object }
}

impl Action for WaitFor {
    const KIND: &'static str = "wait-for";
    const ABOUT: &'static str = "Waits until objects of any kind are there, are gone, or say something of themselves.";
    const UNDONE: &'static str = "It only reads.";
    const EXAMPLE: &'static str = include_str!("../examples/wait-for.yaml");
    type Params = WaitForParams;
    type Undo = ();
    type After = ();
    type Output = Found;

    fn reversibility(&self, _params: &WaitForParams) -> Reversibility {
        Reversibility::ReadOnly
    }

    fn targets(&self, _scope: &RunScope, _frozen: &Frozen, _params: &WaitForParams) -> Vec<Target> {
        Vec::new()
    }

    fn problems(&self, params: &WaitForParams) -> Vec<String> {
        let mut problems: Vec<String> = params.kind_name().err().into_iter().collect();
        if params.object.is_some() && (params.kind.is_some() || params.selector.is_some() || params.at_least.is_some()) {
            problems.push("`object` names one; `kind`, `selector` and `at-least` are for several: keep one way".to_owned());
        }
        if params.selector.is_some() && params.kind.is_none() && params.object.is_none() {
            problems.push("`selector` needs a `kind`".to_owned());
        }
        problems.extend(params.selector.as_deref().and_then(selector_problem));
        let ways = [params.until.is_some(), params.exists, params.absent].iter().filter(|way| **way).count();
        if ways != 1 {
            problems.push("say one of `until`, `exists: true` and `absent: true`".to_owned());
        }
        if params.absent && params.at_least.is_some() {
            problems.push("`at-least` makes no sense with `absent`".to_owned());
        }
        problems.extend(params.until.as_deref().and_then(|until| condition("until", until).err()));
        problems
    }

    fn repeatable(&self, _params: &WaitForParams) -> bool {
        true
    }

    async fn preview(&self, _cx: &ReadCx, params: &WaitForParams) -> Result<Preview, ActionError> {
        let what = match (&params.until, params.absent) {
            (Some(until), _) => until.clone(),
            (None, true) => "it is gone".to_owned(),
            (None, false) => "it is there".to_owned(),
        };
        Ok(Preview { notes: vec![format!("waits for {} until {what}", params.title())], ..Preview::default() })
    }

    async fn missing_rights(&self, cx: &ReadCx, params: &WaitForParams) -> Result<Vec<String>, ActionError> {
        let place = Place::open(&self.clusters, &cx.scope, params.namespace.as_deref()).await?;
        let name = params.kind_name().map_err(ActionError::permanent)?;
        // A kind that is not served yet may be made by an earlier step.
        let Ok(kind) = place.cluster.kind(&name.api_version, &name.kind).await else { return Ok(Vec::new()) };
        let namespace = kind.namespaced.then(|| place.namespace.clone());
        let at = Address { kind, namespace, name: String::new() };
        place.lacking(&["list", "watch"].map(|verb| Right::on(verb, &at))).await
    }

    async fn perform(&self, cx: &Cx<Self>, params: &WaitForParams) -> Result<Found, ActionError> {
        self.wait(&cx.read, params).await
    }

    async fn settle(&self, _cx: &ReadCx, _params: &WaitForParams, _effect: &Begun<Self>) -> Result<Settled<()>, ActionError> {
        Ok(Settled::NotDone)
    }

    async fn compensate(&self, _cx: &UndoCx, _params: &WaitForParams, _effects: Vec<Begun<Self>>) -> Result<Vec<Mark>, ActionError> {
        Ok(Vec::new())
    }

    async fn evidence(&self, cx: &ReadCx, params: &WaitForParams, _effects: Vec<Begun<Self>>) -> Vec<Evidence> {
        let Some(place) = open_for_evidence(&self.clusters, cx, params.namespace.as_deref()).await else { return Vec::new() };
        let Ok(name) = params.kind_name() else { return Vec::new() };
        let Ok(kind) = place.cluster.kind(&name.api_version, &name.kind).await else { return Vec::new() };
        match params.quest(&place, kind) {
            Ok(Quest { one: Some(at), .. }) => evidence(cx, &place, gather(&place.cluster, &[at]).await).await,
            _ => Vec::new(),
        }
    }
}
