//! `detect-colour`: finds out which of two sides traffic goes to. It changes nothing.

use super::kubernetes::{Place, failed};
use crate::action::{Action, ActionError, Asked, Begun, Cx, Frozen, Preview, ReadCx, RunScope, UndoCx};
use crate::cluster::rights::Right;
use crate::cluster::traffic::{Entrance, backends, live_services, selector};
use crate::cluster::{Address, Clusters, Object};
use crate::record::{Mark, Reversibility, Settled, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Finds out which of two sides is live.
pub struct DetectColour {
    clusters: Clusters,
}

impl DetectColour {
    /// Makes the action.
    pub fn new(clusters: Clusters) -> Self {
        Self { clusters }
    }
}

/// Where traffic comes from, and the two sides that it can go to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DetectColourParams {
    /// The Ingress whose backends tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<String>,
    /// The Service whose selector tells, instead of an Ingress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The HTTPRoute whose backends with a weight tell, instead of an Ingress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The blue side: a Service behind the Ingress or HTTPRoute, or a value in the Service's selector.
    pub blue: String,
    /// The green side.
    pub green: String,
    /// Its namespace; the environment's when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

impl DetectColourParams {
    fn at(&self, namespace: &str) -> Address {
        Entrance { ingress: self.ingress.as_deref(), route: self.route.as_deref(), service: self.service.as_deref() }.at(namespace)
    }
}

/// One of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Colour {
    /// The first-named.
    Blue,
    /// The other.
    Green,
}

/// Which side is which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Colours {
    /// The side that traffic goes to: `blue` or `green`; null before the first deployment.
    pub live: Option<Colour>,
    /// The other side; `blue` before the first deployment.
    pub idle: Colour,
    /// What the plan calls the live side; null before the first deployment.
    pub live_name: Option<String>,
    /// What the plan calls the idle side.
    pub idle_name: String,
}

fn colours(params: &DetectColourParams, live: Option<Colour>) -> Colours {
    let name = |colour: Colour| if colour == Colour::Blue { params.blue.clone() } else { params.green.clone() };
    let idle = if live == Some(Colour::Blue) { Colour::Green } else { Colour::Blue };
    Colours { live, idle, live_name: live.map(name), idle_name: name(idle) }
}

/// Which of the two names is among those that traffic goes to.
fn judge(params: &DetectColourParams, object: Option<&Object>) -> Result<Colours, ActionError> {
    let Some(object) = object else { return Ok(colours(params, None)) };
    let names: Vec<String> = match (&params.ingress, &params.route) {
        (Some(_), _) => backends(object).into_iter().map(|backend| backend.service).collect(),
        (None, Some(_)) => live_services(object),
        (None, None) => selector(object).into_values().collect(),
    };
    match (names.contains(&params.blue), names.contains(&params.green)) {
        (true, true) => {
            Err(ActionError::permanent(format!("traffic of {} goes to both `{}` and `{}`", object.reference(), params.blue, params.green))
                .hint("switch all of it to one side by hand first"))
        }
        (true, false) => Ok(colours(params, Some(Colour::Blue))),
        (false, true) => Ok(colours(params, Some(Colour::Green))),
        (false, false) => Ok(colours(params, None)),
    }
}

impl DetectColour {
    async fn look(&self, scope: &RunScope, params: &DetectColourParams) -> Result<Colours, ActionError> {
        let place = Place::open(&self.clusters, scope, params.namespace.as_deref()).await?;
        let at = params.at(&place.namespace);
        let object = place.cluster.get(&at).await.map_err(|error| failed(format!("cannot read {at}"), &error))?;
        judge(params, object.as_ref())
    }
}

impl Action for DetectColour {
    const KIND: &'static str = "detect-colour";
    const ABOUT: &'static str = "Finds out which of two sides traffic goes to.";
    const UNDONE: &'static str = "It only reads.";
    const EXAMPLE: &'static str = include_str!("examples/detect-colour.yaml");
    type Params = DetectColourParams;
    type Undo = ();
    type After = ();
    type Output = Colours;

    fn reversibility(&self, _params: &DetectColourParams) -> Reversibility {
        Reversibility::ReadOnly
    }

    fn targets(&self, _scope: &RunScope, _frozen: &Frozen, _params: &DetectColourParams) -> Vec<Target> {
        Vec::new()
    }

    fn asks(&self, params: &DetectColourParams) -> Vec<Asked> {
        let named = [("ingress", &params.ingress), ("httproute", &params.route), ("service", &params.service)];
        named.into_iter().filter_map(|(kind, name)| Some(Asked::Object(format!("{kind}/{}", name.as_ref()?)))).collect()
    }

    fn problems(&self, params: &DetectColourParams) -> Vec<String> {
        let mut problems = Vec::new();
        match [&params.ingress, &params.route, &params.service].iter().filter(|name| name.is_some()).count() {
            0 => problems.push("say which `ingress`, `route` or `service` traffic comes through".to_owned()),
            1 => {}
            _ => problems.push("say only one of `ingress`, `route` and `service`".to_owned()),
        }
        if params.blue == params.green {
            problems.push(format!("`blue` and `green` are both `{}`: name two sides", params.blue));
        }
        problems
    }

    fn repeatable(&self, _params: &DetectColourParams) -> bool {
        true
    }

    async fn preview(&self, cx: &ReadCx, params: &DetectColourParams) -> Result<Preview, ActionError> {
        let found = self.look(&cx.scope, params).await?;
        let live = found.live_name.map_or_else(|| "neither side is live yet".to_owned(), |name| format!("`{name}` is live"));
        Ok(Preview { notes: vec![format!("{live}, `{}` is idle", found.idle_name)], ..Preview::default() })
    }

    async fn missing_rights(&self, cx: &ReadCx, params: &DetectColourParams) -> Result<Vec<String>, ActionError> {
        let place = Place::open(&self.clusters, &cx.scope, params.namespace.as_deref()).await?;
        place.lacking(&[Right::on("get", &params.at(&place.namespace))]).await
    }

    async fn perform(&self, cx: &Cx<Self>, params: &DetectColourParams) -> Result<Colours, ActionError> {
        self.look(&cx.read.scope, params).await
    }

    async fn settle(&self, _cx: &ReadCx, _params: &DetectColourParams, _effect: &Begun<Self>) -> Result<Settled<()>, ActionError> {
        Ok(Settled::NotDone)
    }

    async fn compensate(&self, _cx: &UndoCx, _params: &DetectColourParams, _effects: Vec<Begun<Self>>) -> Result<Vec<Mark>, ActionError> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::{Colour, DetectColourParams, judge};
    use crate::cluster::Object;
    use serde_json::{Value, json};

    fn params(through: &str) -> DetectColourParams {
        serde_json::from_value(json!({ through: "api", "blue": "web-blue", "green": "web-green" })).unwrap()
    }

    fn ingress(services: &[&str]) -> Object {
        let path = |service: &&str| json!({ "path": "/", "backend": { "service": { "name": service } } });
        let paths: Vec<Value> = services.iter().map(path).collect();
        Object(json!({ "kind": "Ingress", "metadata": { "name": "api" }, "spec": { "rules": [{ "http": { "paths": paths } }] } }))
    }

    #[test]
    fn the_side_that_the_ingress_names_is_live() {
        let found = judge(&params("ingress"), Some(&ingress(&["web-green", "admin"]))).unwrap();
        assert_eq!((found.live, found.idle), (Some(Colour::Green), Colour::Blue));
        assert_eq!((found.live_name.as_deref(), found.idle_name.as_str()), (Some("web-green"), "web-blue"));
        assert_eq!(serde_json::to_value(found).unwrap()["live"], "green");
    }

    #[test]
    fn before_the_first_deployment_blue_is_idle() {
        for object in [None, Some(ingress(&["welcome"]))] {
            let found = judge(&params("ingress"), object.as_ref()).unwrap();
            assert_eq!((found.live, found.idle), (None, Colour::Blue));
        }
    }

    #[test]
    fn traffic_to_both_sides_is_no_answer() {
        let error = judge(&params("ingress"), Some(&ingress(&["web-blue", "web-green"]))).unwrap_err();
        insta::assert_snapshot!(error, @"traffic of ingress/api goes to both `web-blue` and `web-green`");
    }

    #[test]
    fn of_a_route_the_side_with_a_weight_is_live() {
        let route = |blue: i64, green: i64| {
            let refs = json!([{ "name": "web-blue", "weight": blue }, { "name": "web-green", "weight": green }]);
            Object(json!({ "kind": "HTTPRoute", "metadata": { "name": "api" }, "spec": { "rules": [{ "backendRefs": refs }] } }))
        };
        assert_eq!(judge(&params("route"), Some(&route(0, 100))).unwrap().live, Some(Colour::Green));
        assert_eq!(judge(&params("route"), Some(&route(1, 0))).unwrap().live, Some(Colour::Blue));
        assert!(judge(&params("route"), Some(&route(90, 10))).is_err());
    }

    #[test]
    fn a_services_selector_tells_too() {
        let service = Object(
            json!({ "kind": "Service", "metadata": { "name": "api" }, "spec": { "selector": { "app": "web", "side": "web-blue" } } }),
        );
        assert_eq!(judge(&params("service"), Some(&service)).unwrap().live, Some(Colour::Blue));
    }
}
