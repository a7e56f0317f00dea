//! `switch-ingress`: moves traffic from one side to the other, proves that it arrives, and moves it back at once.

mod accepted;
mod back;
mod plan;
mod rights;
#[cfg(test)]
mod tests;
mod verify;

pub use verify::Verify;

use super::kubernetes::{Place, failed, fence_late, namespace_of, stopped, target};
use super::patching::{Image, Patched, Patching, settle_patch};
use super::written::{patched, watch};
use crate::action::{Action, ActionError, Asked, Begun, Change, Cx, Frozen, Intent, Preview, ReadCx, RunScope, Telling, UndoCx, key};
use crate::cluster::traffic::{Entrance, wait_fit};
use crate::cluster::{Address, Clusters, Object};
use crate::ids::Period;
use crate::ports::{Clock, Http};
use crate::record::{Mark, Reversibility, Settled, Target, UndoClass};
use plan::Switch;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use verify::Question;

/// Time for a side to be ready for traffic.
const FIT_WITHIN: Duration = Duration::from_secs(60);

/// Moves traffic.
pub struct SwitchIngress {
    clusters: Clusters,
    http: Arc<dyn Http>,
    clock: Arc<dyn Clock>,
}

impl SwitchIngress {
    /// Makes the action.
    pub fn new(clusters: Clusters, http: Arc<dyn Http>, clock: Arc<dyn Clock>) -> Self {
        Self { clusters, http, clock }
    }
}

/// Which traffic, and where to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct SwitchIngressParams {
    /// The Ingress whose backends are switched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress: Option<String>,
    /// The HTTPRoute of the Gateway API whose weights are switched, instead of an Ingress.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The Service that its traffic goes to from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The Service whose selector is switched, instead of an Ingress.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The labels of the pods that its traffic goes to from now on; other labels of the selector stay.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub selector: BTreeMap<String, String>,
    /// Only backends of this host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Only backends of this path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Only backends that lead to this Service. Needed when the Ingress or HTTPRoute leads to several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// How to see that traffic arrives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verify>,
    /// Ready endpoints that the new side must have, in percent of the old side's: 100 unless it says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_capacity: Option<u32>,
    /// Time for requests on the old side to come to their end: 2s unless it says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain: Option<Period>,
    /// Its namespace; the environment's when none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Where traffic went, and where it goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Switched {
    /// Where it went: a Service, or the pods of a selector; null when it went to the new side already.
    pub from: Option<String>,
    /// Where it goes.
    pub to: String,
}

/// The object that leads traffic, before it was switched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BeforeSwitch {
    /// The Ingress, HTTPRoute or Service.
    pub image: Image,
    /// Ready endpoints of the old side at that time.
    pub ready: usize,
    /// Whether anybody answered then where the plan asks; none where it asks nobody, or in journals that do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<bool>,
}

impl SwitchIngressParams {
    fn at(&self, namespace: &str) -> Address {
        Entrance { ingress: self.ingress.as_deref(), route: self.route.as_deref(), service: self.service.as_deref() }.at(namespace)
    }

    fn drain(&self) -> Duration {
        self.drain.map_or(Duration::from_secs(2), |period| period.0)
    }
}

impl SwitchIngress {
    async fn look(&self, scope: &RunScope, params: &SwitchIngressParams) -> Result<(Place, Address, Object), ActionError> {
        let place = Place::open(&self.clusters, scope, params.namespace.as_deref()).await?;
        let at = params.at(&place.namespace);
        let live = place.get(&at).await?;
        Ok((place, at, live))
    }

    /// The new side must be able to carry what the old one does.
    async fn wait_fit(&self, cx: &ReadCx, place: &Place, params: &SwitchIngressParams, switch: &Switch) -> Result<(), ActionError> {
        let other = switch.old.as_ref().unwrap_or(&switch.new);
        cx.doing(format!("waiting until {} is ready for the traffic of {other}", switch.new));
        let percent = params.min_capacity.unwrap_or(100);
        let waited = tokio::select! {
            waited = wait_fit(&place.cluster, &place.namespace, (&switch.new, other), percent, FIT_WITHIN) => waited,
            () = cx.cancel.cancelled() => return Err(stopped()),
        };
        match waited.map_err(|error| failed("cannot see who is ready", &error))? {
            Ok(()) => Ok(()),
            Err((ready, needed)) => {
                let (new, within) = (&switch.new, Period(FIT_WITHIN));
                Err(ActionError::permanent(format!(
                    "{new} has {ready} ready endpoints and needs {needed}: traffic was not switched (waited {within})"
                ))
                .hint("wait until it is healthy first, or lower `min-capacity`"))
            }
        }
    }

    /// Whether anybody answers before the switch: nobody who does not is missed after it was taken back.
    async fn is_answered(&self, cx: &ReadCx, question: &Question) -> Result<bool, ActionError> {
        tokio::select! {
            answered = question.is_answered(self.http.as_ref()) => Ok(answered),
            () = cx.cancel.cancelled() => Err(stopped()),
        }
    }

    async fn switch(
        &self,
        cx: &Cx<Self>,
        params: &SwitchIngressParams,
        found: (&Place, Address, Object),
        switch: &Switch,
        question: Option<&Question>,
    ) -> Result<Object, ActionError> {
        let (place, at, live) = found;
        let answered = match question {
            Some(question) => Some(self.is_answered(&cx.read, question).await?),
            None => None,
        };
        let ready = switch.old_ready(place).await?;
        let class = UndoClass::Traffic { needs_fit: switch.needs_fit(place).await? };
        let before = BeforeSwitch { image: Image::of(at.clone(), live.clone()), ready, answered };
        let intent = Intent { class: Some(class), irreversible: false };
        let mut tickets = cx.intend(intent, vec![(key(Self::KIND, &target(&at.reference())), before)]).await?;
        let ticket = tickets.pop().ok_or_else(|| ActionError::permanent("the engine gave no ticket for an effect"))?;
        let (first, earlier) = (ticket.undo.image.clone(), ticket.known.done().cloned());
        let manager = place.managers.action(Self::KIND);
        let patching = Patching { cluster: place.cluster.clone(), first, earlier, live, manager, strict: false };
        let params = plan::from_known(params, &patching.live);
        let write = patching.send(move |live| plan::plan(&params, live).map(|switch| switch.operations));
        Ok(cx.effect(ticket, write).await?.after)
    }

    async fn settled(&self, scope: &RunScope, params: &SwitchIngressParams, effect: &Begun<Self>) -> Result<Settled<Patched>, ActionError> {
        let place = Place::open(&self.clusters, scope, params.namespace.as_deref()).await?;
        // Others may have added backends since: only those that led to the old side are ours.
        let image = &effect.undo.image;
        let params = plan::from_known(params, &image.before);
        let manager = place.managers.action(Self::KIND);
        let operations = |object: &Object| plan::plan(&params, object).map(|switch| switch.operations);
        settle_patch(&place, image, effect.known.done(), &manager, operations).await
    }
}

impl Action for SwitchIngress {
    const KIND: &'static str = "switch-ingress";
    const ABOUT: &'static str = "Moves traffic from one side to the other, proves that it arrives, and moves it back at once.";
    const UNDONE: &'static str =
        "Traffic goes back to where it came from, before anything else is taken back, as soon as that side is fit for it.";
    const EXAMPLE: &'static str = include_str!("../examples/switch-ingress.yaml");
    const WATCHED: bool = true;
    type Params = SwitchIngressParams;
    type Undo = BeforeSwitch;
    type After = Patched;
    type Output = Switched;

    fn reversibility(&self, _params: &SwitchIngressParams) -> Reversibility {
        Reversibility::Reversible
    }

    fn targets(&self, scope: &RunScope, _frozen: &Frozen, params: &SwitchIngressParams) -> Vec<Target> {
        let at = params.at(namespace_of(scope, params.namespace.as_deref()));
        vec![target(&at.reference())]
    }

    fn asks(&self, params: &SwitchIngressParams) -> Vec<Asked> {
        let named = [("ingress", &params.ingress), ("httproute", &params.route), ("service", &params.service)];
        let named = named.into_iter().filter_map(|(kind, name)| Some(Asked::Object(format!("{kind}/{}", name.as_ref()?))));
        let verify = params.verify.iter().filter_map(|verify| Some((verify.url.clone()?, verify.host.clone())));
        named.chain(verify.map(|(url, host)| Asked::Server { method: "GET".to_owned(), url, host })).collect()
    }

    fn problems(&self, params: &SwitchIngressParams) -> Vec<String> {
        plan::problems(params)
    }

    fn repeatable(&self, _params: &SwitchIngressParams) -> bool {
        true
    }

    async fn preview(&self, cx: &ReadCx, params: &SwitchIngressParams) -> Result<Preview, ActionError> {
        let (place, at, live) = self.look(&cx.scope, params).await?;
        let switch = plan::plan(params, &live)?;
        switch.check_ports(&place, &at, true).await?;
        let mut preview = Preview::default();
        match accepted::look(&live) {
            None => {}
            Some(Ok(waiting)) => preview.notes.push(format!("{at}: {waiting}")),
            // An error, since an earlier step may mend it: then it is known after that one.
            Some(Err(why)) => return Err(ActionError::permanent(format!("{at} leads no traffic that could be switched: {why}"))),
        }
        if let Some(old) = switch.old.filter(|_| !switch.operations.is_empty()) {
            let lines = vec![format!("- traffic goes to {old}"), format!("+ traffic goes to {}", switch.new)];
            preview.changes.push(Change { target: target(&at.reference()), verb: "change".to_owned(), lines });
        }
        Ok(preview)
    }

    async fn missing_rights(&self, cx: &ReadCx, params: &SwitchIngressParams) -> Result<Vec<String>, ActionError> {
        let place = Place::open(&self.clusters, &cx.scope, params.namespace.as_deref()).await?;
        place.lacking(&rights::needed(&place, params).await).await
    }

    async fn perform(&self, cx: &Cx<Self>, params: &SwitchIngressParams) -> Result<Switched, ActionError> {
        let (place, at, live) = self.look(&cx.read.scope, params).await?;
        let switch = plan::plan(params, &live)?;
        let changes = !switch.operations.is_empty();
        // An earlier attempt may have switched, and have waited in vain.
        let earlier = cx.earlier()?.into_iter().find(|effect| effect.known.done().is_some());
        let old = match &earlier {
            Some(effect) => plan::plan(params, &effect.undo.image.before)?.old,
            None => None,
        };
        if let Err(why) = accepted::wait_accepted(&cx.read, &place, &at, &live).await? {
            return Err(ActionError::permanent(format!("{at} leads no traffic that could be switched: {why}")));
        }
        switch.check_ports(&place, &at, false).await?;
        self.wait_fit(&cx.read, &place, params, &switch).await?;
        // What cannot be asked is found before anything is switched.
        let question = plan::question(params, &place, &live).await?;
        let live = match changes {
            true => self.switch(cx, params, (&place, at.clone(), live), &switch, question.as_ref()).await?,
            false => live,
        };
        if let Err(why) = accepted::wait_accepted(&cx.read, &place, &at, &live).await? {
            return Err(ActionError::permanent(format!("{at} was switched, but {why}")));
        }
        if let Some(question) = question {
            cx.read.doing(format!("asking {}", question.url));
            let asking = question.ask(self.http.as_ref(), self.clock.as_ref(), |text| cx.read.doing(text));
            tokio::select! {
                asked = asking => asked?,
                () = cx.read.cancel.cancelled() => return Err(stopped()),
            }
        }
        if changes || earlier.is_some() {
            cx.read.doing("letting requests on the old side come to their end");
            self.clock.sleep(params.drain()).await;
        }
        let from = old.or(switch.old.filter(|_| changes)).map(|side| side.to_string());
        Ok(Switched { from, to: switch.new.to_string() })
    }

    async fn fence(&self, cx: &ReadCx, params: &SwitchIngressParams, effect: &Begun<Self>) -> Result<(), ActionError> {
        let place = Place::open(&self.clusters, &cx.scope, params.namespace.as_deref()).await?;
        fence_late(&place, &effect.undo.image.at, &effect.undo.image.before).await
    }

    async fn settle(&self, cx: &ReadCx, params: &SwitchIngressParams, effect: &Begun<Self>) -> Result<Settled<Patched>, ActionError> {
        self.settled(&cx.scope, params, effect).await
    }

    async fn compensate(&self, cx: &UndoCx, params: &SwitchIngressParams, effects: Vec<Begun<Self>>) -> Result<Vec<Mark>, ActionError> {
        let mut marks = Vec::new();
        for effect in effects {
            marks.push(self.switch_back(cx, params, effect).await?);
        }
        Ok(marks)
    }

    async fn watch(&self, cx: &ReadCx, _params: &SwitchIngressParams, effects: Vec<Begun<Self>>, tell: &Telling<'_>) {
        let written = effects.iter().filter_map(|effect| patched(&effect.undo.image, &effect.known));
        watch(&self.clusters, cx, Some(Self::KIND), written, tell).await;
    }
}
