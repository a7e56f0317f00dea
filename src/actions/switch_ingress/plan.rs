//! What a switch means for the Ingress, HTTPRoute or Service as it is: operations, sides, the question that proves it. It sends nothing.

use super::SwitchIngressParams;
use super::verify::{Question, Verify};
use crate::action::ActionError;
use crate::actions::kubernetes::{Place, failed, target};
use crate::cluster::traffic::{
    Port, Side, Which, backends, behind, choose, gateway_authority, gateways, hostname, ingress_authority, lacked, live_services, ready,
    selector, service_authority, switch_backends, switch_route, switch_selector, watch_sides,
};
use crate::cluster::{Address, Object, Reference};
use crate::record::Target;
use serde_json::Value;

/// A switch of one Ingress, HTTPRoute or Service.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Switch {
    /// Where traffic goes now; none when that is where it should go.
    pub(super) old: Option<Side>,
    /// Where it should go.
    pub(super) new: Side,
    /// The ports that the new side must have.
    pub(super) ports: Vec<Port>,
    /// What has to be patched; nothing when it goes there already.
    pub(super) operations: Vec<Value>,
}

/// Mistakes in the parameters.
pub(super) fn problems(params: &SwitchIngressParams) -> Vec<String> {
    let mut problems = Vec::new();
    let named = [&params.ingress, &params.route, &params.service].iter().filter(|name| name.is_some()).count();
    match named {
        0 => problems.push("say which `ingress`, `route` or `service` is switched".to_owned()),
        1 if params.service.is_none() && params.to.is_none() => problems.push("say the Service that traffic goes `to`".to_owned()),
        1 if params.service.is_some() && params.selector.is_empty() => {
            problems.push("say the `selector` of the pods that traffic goes to".to_owned());
        }
        1 => {}
        _ => problems.push("say only one of `ingress`, `route` and `service`".to_owned()),
    }
    if params.service.is_some() && (params.to.is_some() || params.from.is_some() || params.host.is_some() || params.path.is_some()) {
        problems.push("`to`, `from`, `host` and `path` belong to an `ingress` or a `route`".to_owned());
    }
    if params.service.is_none() && named > 0 && !params.selector.is_empty() {
        problems.push("`selector` belongs to a `service`".to_owned());
    }
    problems
}

/// What has to be done to this object.
pub(super) fn plan(params: &SwitchIngressParams, live: &Object) -> Result<Switch, ActionError> {
    if params.service.is_some() {
        let old = selector(live);
        let mut new = old.clone();
        new.extend(params.selector.clone());
        let old = (old != new && !old.is_empty()).then_some(Side::Pods(old));
        return Ok(Switch { old, new: Side::Pods(new), ports: Vec::new(), operations: switch_selector(live, &params.selector) });
    }
    let to = params.to.as_deref().unwrap_or_default();
    let which = Which { host: params.host.as_deref(), path: params.path.as_deref(), from: params.from.as_deref() };
    let refused = |error: crate::cluster::traffic::TrafficError| ActionError::permanent(error.to_string());
    if params.route.is_some() {
        let switch = switch_route(live, &which, to).map_err(refused)?;
        let (old, new) = (switch.old.map(Side::Service), Side::Service(to.to_owned()));
        return Ok(Switch { old, new, ports: switch.ports, operations: switch.operations });
    }
    let chosen = choose(live, &which, to).map_err(refused)?;
    let old = chosen.first().map(|backend| Side::Service(backend.service.clone()));
    let ports = chosen.iter().filter_map(|backend| backend.port.clone()).collect();
    Ok(Switch { old, new: Side::Service(to.to_owned()), ports, operations: switch_backends(&chosen, to) })
}

/// The parameters, with the old side that they meant for the object as it was read first.
pub(super) fn from_known(params: &SwitchIngressParams, first: &Object) -> SwitchIngressParams {
    let old = plan(params, first).ok().and_then(|switch| switch.old);
    let from = match old {
        Some(Side::Service(name)) => Some(name),
        _ => params.from.clone(),
    };
    SwitchIngressParams { from, ..params.clone() }
}

/// Where traffic went before a switch, told by the object before and after.
pub(super) fn old_side(before: &Object, after: &Object) -> Option<Side> {
    if before.kind() == "Service" {
        return (selector(before) != selector(after)).then(|| Side::Pods(selector(before)));
    }
    if before.kind() == "HTTPRoute" {
        let now = live_services(after);
        return live_services(before).into_iter().find(|service| !now.contains(service)).map(Side::Service);
    }
    let (old, new) = (backends(before), backends(after));
    let moved =
        old.iter().find(|one| !new.iter().any(|other| other.host == one.host && other.path == one.path && other.service == one.service));
    moved.map(|backend| Side::Service(backend.service.clone()))
}

impl Switch {
    /// Refuses a new side that has not the ports of the backends: it would be fit, and nobody would reach it. Where a step before may make
    /// it, one that is not there is passed over.
    pub(super) async fn check_ports(&self, place: &Place, at: &Address, may_be_made: bool) -> Result<(), ActionError> {
        let Side::Service(name) = &self.new else { return Ok(()) };
        if self.ports.is_empty() {
            return Ok(());
        }
        let new = Address::known("Service", &place.namespace, name);
        if may_be_made && matches!(place.cluster.get(&new).await, Ok(None)) {
            return Ok(());
        }
        let service = place.get(&new).await?;
        match lacked(&service, &self.ports) {
            None => Ok(()),
            Some((port, known)) => {
                let new = &self.new;
                Err(ActionError::permanent(format!("{new} has no port {port}, which {at} leads to, but {known}: traffic was not switched"))
                    .hint(format!("give {new} that port, or let {at} name one that both sides have")))
            }
        }
    }

    /// How many are ready on the old side.
    pub(super) async fn old_ready(&self, place: &Place) -> Result<usize, ActionError> {
        let Some(old) = &self.old else { return Ok(0) };
        let mut watch = watch_sides(&place.cluster, &place.namespace, &[old]);
        watch.changed().await.map_err(|error| failed("cannot see who is ready", &error))?;
        Ok(ready(&watch, old))
    }

    /// What has to be fit before traffic may return to the old side.
    pub(super) async fn needs_fit(&self, place: &Place) -> Result<Vec<Target>, ActionError> {
        let (mut references, labels) = match &self.old {
            None => return Ok(Vec::new()),
            Some(Side::Pods(labels)) => (Vec::new(), labels.clone()),
            Some(Side::Service(name)) => {
                let at = Address::known("Service", &place.namespace, name);
                let service = place.cluster.get(&at).await.map_err(|error| failed(format!("cannot read {at}"), &error))?;
                (vec![Reference::new("", "Service", &place.namespace, name)], service.as_ref().map(selector).unwrap_or_default())
            }
        };
        let workloads = behind(&place.cluster, &place.namespace, &labels).await;
        references.extend(workloads.map_err(|error| failed("cannot see what the old side runs on", &error))?);
        Ok(references.iter().map(target).collect())
    }
}

/// The question that shows whether traffic arrives; none when the plan asks none.
pub(super) async fn question(params: &SwitchIngressParams, place: &Place, live: &Object) -> Result<Option<Question>, ActionError> {
    let Some(verify) = &params.verify else { return Ok(None) };
    let authority = match verify.url {
        Some(_) => None,
        None => authority(place, live).await?,
    };
    question_at(params, verify, live, authority).map(Some)
}

/// Where traffic of this object comes in, as far as the cluster tells.
async fn authority(place: &Place, live: &Object) -> Result<Option<String>, ActionError> {
    match live.kind() {
        "Ingress" => Ok(ingress_authority(live)),
        "HTTPRoute" => {
            for (at, parent) in gateways(live) {
                let gateway = place.cluster.get(&at).await.map_err(|error| failed(format!("cannot read {at}"), &error))?;
                if let Some(authority) = gateway.and_then(|gateway| gateway_authority(&gateway, parent)) {
                    return Ok(Some(authority));
                }
            }
            Ok(None)
        }
        _ => Ok(service_authority(live)),
    }
}

/// `authority` is where traffic comes in.
fn question_at(params: &SwitchIngressParams, verify: &Verify, live: &Object, authority: Option<String>) -> Result<Question, ActionError> {
    let of_rules = || backends(live).into_iter().find_map(|backend| backend.host).or_else(|| hostname(live));
    if let Some(url) = &verify.url {
        return Ok(Question::new(verify, url.clone(), None));
    }
    let path = verify.path.as_deref().unwrap_or("/");
    match authority {
        Some(authority) => Ok(Question::new(verify, format!("http://{authority}{path}"), params.host.clone().or_else(of_rules))),
        None => Err(ActionError::permanent(format!("{} tells no address to ask at", live.reference())).hint("say `verify: { url: ... }`")),
    }
}

#[cfg(test)]
mod tests {
    use super::{from_known, old_side, plan, problems, question_at};
    use crate::actions::switch_ingress::{SwitchIngressParams, Verify};
    use crate::cluster::Object;
    use crate::cluster::traffic::{Side, ingress_authority};
    use serde_json::{Value, json};

    fn params(value: Value) -> SwitchIngressParams {
        serde_json::from_value(value).unwrap()
    }

    fn ingress(service: &str) -> Object {
        Object(json!({
            "kind": "Ingress", "metadata": { "name": "api" }, "status": { "loadBalancer": { "ingress": [{ "ip": "10.0.0.9" }] } },
            "spec": { "rules": [{ "host": "api.example", "http": { "paths": [{ "path": "/", "backend": { "service": { "name": service } } }] } }] }
        }))
    }

    #[test]
    fn a_switch_of_an_ingress_goes_from_service_to_service() {
        let switch = plan(&params(json!({ "ingress": "api", "to": "green" })), &ingress("blue")).unwrap();
        assert_eq!((switch.old, switch.new), (Some(Side::Service("blue".to_owned())), Side::Service("green".to_owned())));
        assert_eq!(switch.operations.len(), 2);
        let done = plan(&params(json!({ "ingress": "api", "to": "green" })), &ingress("green")).unwrap();
        assert!(done.operations.is_empty() && done.old.is_none());
        assert_eq!(old_side(&ingress("blue"), &ingress("green")), Some(Side::Service("blue".to_owned())));
        assert_eq!(old_side(&ingress("blue"), &ingress("blue")), None);
    }

    #[test]
    fn backends_that_others_add_later_are_not_switched() {
        let mut later = ingress("green");
        let other = json!({ "path": "/other", "backend": { "service": { "name": "other" } } });
        later.0["spec"]["rules"][0]["http"]["paths"].as_array_mut().unwrap().push(other);
        let params = params(json!({ "ingress": "api", "to": "green" }));
        assert!(plan(&params, &later).is_err());
        let known = from_known(&params, &ingress("blue"));
        assert!(plan(&known, &later).unwrap().operations.is_empty());
    }

    #[test]
    fn a_switch_of_a_service_keeps_the_rest_of_the_selector() {
        let service = Object(json!({ "kind": "Service", "spec": { "selector": { "app": "web", "colour": "blue" } } }));
        let switch = plan(&params(json!({ "service": "web", "selector": { "colour": "green" } })), &service).unwrap();
        assert_eq!(switch.new.to_string(), "pods app=web,colour=green");
        assert_eq!(switch.operations.len(), 2);
    }

    #[test]
    fn the_question_goes_to_the_ingress_own_address() {
        let params = params(json!({ "ingress": "api", "to": "green" }));
        let verify = Verify { path: Some("/health".to_owned()), ..Verify::default() };
        let asked = question_at(&params, &verify, &ingress("green"), ingress_authority(&ingress("green"))).unwrap();
        assert_eq!((asked.url.as_str(), asked.host.as_deref()), ("http://10.0.0.9/health", Some("api.example")));
        let mut nowhere = ingress("green");
        nowhere.0["status"] = Value::Null;
        insta::assert_snapshot!(question_at(&params, &verify, &nowhere, None).unwrap_err(), @"ingress/api tells no address to ask at");
    }

    #[test]
    fn what_does_not_fit_together_is_told() {
        insta::assert_snapshot!(problems(&params(json!({ "service": "web", "to": "x" }))).join("\n"), @r"
        say the `selector` of the pods that traffic goes to
        `to`, `from`, `host` and `path` belong to an `ingress` or a `route`
        ");
        assert!(problems(&params(json!({ "ingress": "api", "to": "x" }))).is_empty());
    }
}
