//! What containers read when they start: their variables, from ConfigMaps and Secrets, too. A pod keeps them until its containers start
//! again, whatever becomes of what they were read from. It knows no rule of a scenario.

use super::text;
use crate::sim::kinds::Kind;
use crate::sim::store::Key;
use crate::sim::world::World;
use serde_json::Value;
use std::collections::BTreeMap;

/// The variables of each container of a pod, by the container's name.
pub(in crate::sim) type Environments = BTreeMap<String, BTreeMap<String, String>>;

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// Reads all that the pod's containers start with.
///
/// # Errors
/// What is not there, in a kubelet's words.
pub(in crate::sim) fn read(world: &World, pod: &Value) -> Result<Environments, String> {
    let source = Source { world, pod };
    let containers = ["initContainers", "containers"].into_iter().flat_map(|of| list(&pod["spec"], of));
    let environments = containers.map(|container| Ok((text(container, "/name").to_owned(), source.environment(container)?)));
    let environments = environments.collect::<Result<Environments, String>>()?;
    list(&pod["spec"], "volumes").iter().try_for_each(|volume| source.volume(volume))?;
    Ok(environments)
}

/// What a pod's claims lack, in a scheduler's words.
pub(super) fn missing_claim(world: &World, pod: &Value) -> Option<String> {
    let claims = list(&pod["spec"], "volumes").iter().filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str());
    let is_missing =
        |name: &&str| world.store.get(&Key::new(Kind::named("PersistentVolumeClaim"), text(pod, "/metadata/namespace"), name)).is_none();
    claims.into_iter().find(is_missing).map(|name| format!("0/1 nodes are available: persistentvolumeclaim {name:?} not found. not found"))
}

struct Source<'w> {
    world: &'w World,
    pod: &'w Value,
}

impl Source<'_> {
    /// The entries of a ConfigMap or a Secret; none when it may be missing and is.
    fn entries(&self, kind: &str, name: &Value, optional: &Value) -> Result<Option<BTreeMap<String, String>>, String> {
        let name = name.as_str().unwrap_or_default();
        let Some(object) = self.world.store.get(&Key::new(Kind::named(kind), text(self.pod, "/metadata/namespace"), name)) else {
            return if *optional == true { Ok(None) } else { Err(format!("{} {name:?} not found", kind.to_lowercase())) };
        };
        let decoded = |value: &Value| -> Option<String> {
            let value = value.as_str()?;
            match kind {
                "Secret" => Some(String::from_utf8_lossy(&data_encoding::BASE64.decode(value.as_bytes()).ok()?).into_owned()),
                _ => Some(value.to_owned()),
            }
        };
        let mut entries: BTreeMap<String, String> =
            object["data"].as_object().into_iter().flatten().filter_map(|(key, value)| Some((key.clone(), decoded(value)?))).collect();
        let binary = object["binaryData"].as_object().into_iter().flatten();
        entries.extend(binary.map(|(key, _)| (key.clone(), String::new())));
        Ok(Some(entries))
    }

    fn environment(&self, container: &Value) -> Result<BTreeMap<String, String>, String> {
        let mut variables = BTreeMap::new();
        for source in list(container, "envFrom") {
            let prefix = source["prefix"].as_str().unwrap_or_default();
            for (kind, field) in [("ConfigMap", "configMapRef"), ("Secret", "secretRef")] {
                let Some(named) = source.get(field) else { continue };
                let entries = self.entries(kind, &named["name"], &named["optional"])?.unwrap_or_default();
                variables.extend(entries.into_iter().map(|(key, value)| (format!("{prefix}{key}"), value)));
            }
        }
        for variable in list(container, "env") {
            let value = match variable.get("valueFrom") {
                Some(from) => self.value(from)?,
                None => Some(text(variable, "/value").to_owned()),
            };
            variables.extend(value.map(|value| (text(variable, "/name").to_owned(), value)));
        }
        Ok(variables)
    }

    fn value(&self, from: &Value) -> Result<Option<String>, String> {
        for (kind, field) in [("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")] {
            let Some(named) = from.get(field) else { continue };
            let Some(mut entries) = self.entries(kind, &named["name"], &named["optional"])? else { return Ok(None) };
            let key = text(named, "/key");
            return match entries.remove(key) {
                None if named["optional"] != true => {
                    let (namespace, name) = (text(self.pod, "/metadata/namespace"), text(named, "/name"));
                    Err(format!("couldn't find key {key} in {kind} {namespace}/{name}"))
                }
                value => Ok(value),
            };
        }
        Ok(match from["fieldRef"]["fieldPath"].as_str() {
            Some("metadata.name") => Some(text(self.pod, "/metadata/name").to_owned()),
            Some("metadata.namespace") => Some(text(self.pod, "/metadata/namespace").to_owned()),
            _ => None,
        })
    }

    fn volume(&self, volume: &Value) -> Result<(), String> {
        self.files("ConfigMap", "name", &volume["configMap"])?;
        self.files("Secret", "secretName", &volume["secret"])?;
        for source in list(&volume["projected"], "sources") {
            self.files("ConfigMap", "name", &source["configMap"])?;
            self.files("Secret", "name", &source["secret"])?;
        }
        Ok(())
    }

    /// Looks at what a volume takes its files from, whose name stands in this field.
    fn files(&self, kind: &str, field: &str, named: &Value) -> Result<(), String> {
        if named.is_null() {
            return Ok(());
        }
        let Some(entries) = self.entries(kind, &named[field], &named["optional"])? else { return Ok(()) };
        let lacks = |item: &&Value| !entries.contains_key(text(item, "/key"));
        match list(named, "items").iter().find(lacks).filter(|_| named["optional"] != true) {
            Some(item) => Err(format!("{} references non-existent config key: {}", kind.to_lowercase(), text(item, "/key"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::ids::Moment;
    use crate::scenario::Scenario;
    use crate::sim::kinds::Kind;
    use crate::sim::store::Key;
    use crate::sim::world::World;
    use serde_json::{Value, json};

    fn world() -> World {
        let mut world = World::new(Scenario::default(), 1, Moment::from_millis(0));
        let mut make = |kind: &str, name: &str, data: Value| {
            let object = json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name, "namespace": "shop" }, "data": data });
            world.create(&Key::new(Kind::named(kind), "shop", name), object, "test");
        };
        make("ConfigMap", "conf", json!({ "COLOUR": "blue", "SIZE": "1" }));
        make("Secret", "token", json!({ "TOKEN": "eA==" }));
        world
    }

    fn pod(container: &Value, volumes: &Value) -> Value {
        json!({ "metadata": { "name": "web-1", "namespace": "shop" }, "spec": { "containers": [container], "volumes": volumes } })
    }

    #[test]
    fn later_variables_win_and_optional_ones_may_be_missing() {
        let container = json!({
            "name": "web",
            "envFrom": [{ "configMapRef": { "name": "conf" } }, { "prefix": "S_", "secretRef": { "name": "token" } }, { "secretRef": { "name": "no", "optional": true } }],
            "env": [
                { "name": "COLOUR", "value": "green" },
                { "name": "POD", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
                { "name": "NO", "valueFrom": { "configMapKeyRef": { "name": "conf", "key": "no", "optional": true } } },
            ],
        });
        let found = read(&world(), &pod(&container, &json!([]))).unwrap();
        let told: Vec<String> = found["web"].iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(told, ["COLOUR=green", "POD=web-1", "SIZE=1", "S_TOKEN=x"]);
    }

    #[test]
    fn a_slip_in_a_name_or_a_key_is_told_as_a_kubelet_does() {
        let variable = |from: Value| json!({ "name": "web", "env": [{ "name": "A", "valueFrom": from }] });
        let plain = json!({ "name": "web" });
        let none = json!([]);
        let told = |container: &Value, volumes: &Value| read(&world(), &pod(container, volumes)).unwrap_err();
        assert_eq!(
            told(&variable(json!({ "configMapKeyRef": { "name": "cnof", "key": "SIZE" } })), &none),
            r#"configmap "cnof" not found"#
        );
        assert_eq!(
            told(&variable(json!({ "secretKeyRef": { "name": "token", "key": "TOKNE" } })), &none),
            "couldn't find key TOKNE in Secret shop/token"
        );
        assert_eq!(
            told(&plain, &json!([{ "name": "v", "configMap": { "name": "conf", "items": [{ "key": "no", "path": "no" }] } }])),
            "configmap references non-existent config key: no"
        );
        let projected = json!([{ "name": "v", "projected": { "sources": [{ "secret": { "name": "tokne" } }] } }]);
        assert_eq!(told(&plain, &projected), r#"secret "tokne" not found"#);
    }
}
