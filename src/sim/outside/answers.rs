//! What a container answers to a request, its templates filled in. It knows no wire.

use crate::scenario::{Served, fits};
use crate::sim::controllers::configuration;
use crate::sim::world::World;
use serde_json::Value;
use std::borrow::Cow;
use std::time::Duration;

/// How long an answer takes where nothing else is said.
const TAKES: Duration = Duration::from_millis(5);

/// A request, as far as an answer depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) method: String,
    /// Without its query.
    pub(super) path: String,
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) takes: Duration,
}

/// What an answer is made of.
pub(super) struct Parts<'a> {
    pub(super) status: Option<u16>,
    pub(super) headers: Vec<(&'a String, &'a String)>,
    pub(super) json: Option<&'a Value>,
    pub(super) text: Option<&'a String>,
    pub(super) takes: Option<crate::ids::Period>,
}

impl Parts<'_> {
    pub(super) fn reply(&self, fill: impl Fn(&str) -> String) -> Reply {
        let mut headers: Vec<(String, String)> = self.headers.iter().map(|(name, value)| (name.to_lowercase(), fill(value))).collect();
        let body = match (self.json, self.text) {
            (Some(json), _) => {
                if !headers.iter().any(|(name, _)| name == "content-type") {
                    headers.push(("content-type".to_owned(), "application/json".to_owned()));
                }
                filled(json, &fill).to_string().into_bytes()
            }
            (None, Some(text)) => fill(text).into_bytes(),
            (None, None) => Vec::new(),
        };
        Reply { status: self.status.unwrap_or(200), headers, body, takes: self.takes.map_or(TAKES, |period| period.0) }
    }
}

fn filled(value: &Value, fill: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(fill(text)),
        Value::Array(items) => items.iter().map(|item| filled(item, fill)).collect(),
        Value::Object(map) => Value::Object(map.iter().map(|(name, value)| (name.clone(), filled(value, fill))).collect()),
        other => other.clone(),
    }
}

/// What a pod answers.
///
/// # Errors
/// What is not modelled.
pub(super) fn of_pod(world: &World, pod: &Value, question: &Question) -> Result<Reply, String> {
    let containers = pod["spec"]["containers"].as_array().cloned().unwrap_or_default();
    for container in &containers {
        let image = container["image"].as_str().unwrap_or_default();
        let served = world.scenario.image(image).map_or(&[][..], |rule| rule.http.as_slice());
        let is_given = |served: &Served| {
            served.env.iter().all(|(name, wanted)| environment(world, pod, container, name).is_some_and(|value| fits(wanted, &value)))
        };
        if let Some(served) = served.iter().find(|served| is_meant(served, question) && is_given(served)) {
            return Ok(parts(served).reply(|text| fill(world, pod, container, text)));
        }
    }
    let image = containers.first().and_then(|container| container["image"].as_str()).unwrap_or_default();
    let Question { method, path } = question;
    Err(format!("{method} {path} of the image `{image}`; add it to `http` of the image in `simulate.images`"))
}

fn is_meant(served: &Served, question: &Question) -> bool {
    served.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(&question.method))
        && served.path.as_ref().is_none_or(|path| fits(path, &question.path))
}

fn parts(served: &Served) -> Parts<'_> {
    Parts {
        status: served.status,
        headers: served.headers.iter().collect(),
        json: served.json.as_ref(),
        text: served.text.as_ref(),
        takes: served.takes,
    }
}

/// Puts in what `{{ … }}` stands for; what is unknown stays as it is written.
fn fill(world: &World, pod: &Value, container: &Value, text: &str) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else { break };
        filled.push_str(before);
        match value(world, pod, container, name.trim()) {
            Some(value) => filled.push_str(&value),
            None => filled.extend(["{{", name, "}}"]),
        }
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

fn value(world: &World, pod: &Value, container: &Value, name: &str) -> Option<String> {
    let image = container["image"].as_str().unwrap_or_default();
    let (repository, tag) = match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (image, "latest"),
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match name.split_once('.')? {
        ("image", "tag") => Some(tag.to_owned()),
        ("image", "name") => Some(repository.to_owned()),
        ("pod", "name") => text(&pod["metadata"]["name"]),
        ("labels", label) => text(&pod["metadata"]["labels"][label]),
        ("env", variable) => environment(world, pod, container, variable),
        _ => None,
    }
}

/// A variable of a container, as it was when the container started.
fn environment(world: &World, pod: &Value, container: &Value, variable: &str) -> Option<String> {
    let kept = pod["metadata"]["uid"].as_str().and_then(|uid| world.environments.get(uid));
    let all = kept.map_or_else(|| configuration::read(world, pod).map(Cow::Owned), |kept| Ok(Cow::Borrowed(kept))).ok()?;
    all.get(container["name"].as_str()?)?.get(variable).cloned()
}

#[cfg(test)]
mod tests {
    use super::{Question, of_pod};
    use crate::ids::Moment;
    use crate::scenario::Scenario;
    use crate::sim::world::World;
    use serde_json::json;

    #[test]
    fn an_answer_may_depend_on_what_the_container_was_given() {
        let broken = json!({ "env": { "COLOUR": "be*" }, "status": 500 });
        let scenario: Scenario = serde_json::from_value(json!({ "images": { "web:*": { "http": [broken, { "status": 204 }] } } })).unwrap();
        let world = World::new(scenario, 1, Moment::from_millis(0));
        let ask = |env: serde_json::Value| {
            let pod = json!({ "metadata": { "name": "web-1", "namespace": "shop" }, "spec": { "containers": [{ "name": "web", "image": "web:v1", "env": env }] } });
            of_pod(&world, &pod, &Question { method: "GET".into(), path: "/".into() }).unwrap().status
        };
        let colour = |value: &str| json!([{ "name": "COLOUR", "value": value }]);
        assert_eq!([ask(colour("beige")), ask(colour("green")), ask(json!([]))], [500, 204, 204]);
    }

    #[test]
    fn an_answer_tells_what_the_container_is() {
        let rule = json!({ "http": [{ "path": "/health", "json": { "v": "{{ image.tag }}", "c": "{{ env.COLOUR }}-{{ pod.name }}", "x": "{{ other }}" } }] });
        let scenario: Scenario = serde_json::from_value(json!({ "images": { "web:*": rule } })).unwrap();
        let world = World::new(scenario, 1, Moment::from_millis(0));
        let container = json!({ "name": "web", "image": "web:v2", "env": [{ "name": "COLOUR", "value": "blue" }] });
        let pod = json!({ "metadata": { "name": "web-1", "namespace": "shop" }, "spec": { "containers": [container] } });
        let ask = |path: &str| of_pod(&world, &pod, &Question { method: "GET".into(), path: path.into() });
        let reply = ask("/health").unwrap();
        assert_eq!(String::from_utf8(reply.body).unwrap(), r#"{"v":"v2","c":"blue-web-1","x":"{{ other }}"}"#);
        assert_eq!(ask("/other").unwrap_err(), "GET /other of the image `web:v2`; add it to `http` of the image in `simulate.images`");
    }
}
