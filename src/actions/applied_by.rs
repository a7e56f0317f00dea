//! What an `apply` step leaves for later steps, and how a later step names it. It applies nothing.

use crate::cluster::health::Pin;
use crate::cluster::health::wait::Subject;
use crate::cluster::superseded::Owned;
use crate::cluster::{Address, Kind, Object};
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use std::fmt;

/// What `apply` did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Applied {
    /// The objects, in the order in which they were applied.
    pub objects: Vec<AppliedObject>,
    /// How many of them were made or changed.
    pub changed: usize,
}

/// One object that was applied.
#[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AppliedObject {
    /// Its name among all that steps write, such as `kube:apps/Deployment/production/web`.
    pub target: String,
    /// Its group and version.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// The name of its kind in paths of the API.
    pub plural: String,
    /// Its namespace; none for objects of the whole cluster.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its generation, for kinds that count.
    pub generation: Option<i64>,
    /// What this plan owns of it: by that it is seen when somebody else changes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owned: Option<Owned>,
}

impl AppliedObject {
    pub(super) fn of(at: &Address, object: &Object, plan: &str) -> Self {
        Self {
            target: at.reference().target(),
            api_version: at.kind.api_version.clone(),
            kind: at.kind.kind.clone(),
            plural: at.kind.plural.clone(),
            namespace: at.namespace.clone(),
            name: at.name.clone(),
            uid: object.uid().to_owned(),
            generation: object.generation(),
            owned: Owned::of(object, plan),
        }
    }

    pub(super) fn subject(&self) -> Subject {
        let kind = Kind {
            api_version: self.api_version.clone(),
            kind: self.kind.clone(),
            plural: self.plural.clone(),
            namespaced: self.namespace.is_some(),
        };
        let at = Address { kind, namespace: self.namespace.clone(), name: self.name.clone() };
        Subject { at, pin: Pin { uid: Some(self.uid.clone()), generation: self.generation, owned: self.owned.clone() } }
    }
}

/// The `apply` step whose objects are meant: its id in the plan, its output when the step runs.
#[derive(Debug, Clone, PartialEq)]
pub enum AppliedBy {
    /// The step's id.
    Step(String),
    /// What that step did.
    Output(Applied),
}

impl<'de> Deserialize<'de> for AppliedBy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = AppliedBy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the id of an `apply` step")
            }

            fn visit_str<E: Error>(self, id: &str) -> Result<AppliedBy, E> {
                Ok(AppliedBy::Step(id.to_owned()))
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<AppliedBy, M::Error> {
                let output = serde_json::Value::deserialize(MapAccessDeserializer::new(map))?;
                applied(output).map(AppliedBy::Output).map_err(M::Error::custom)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// The output of an `apply` step; where the step is there once for each item, the outputs of all, by their keys.
fn applied(output: serde_json::Value) -> Result<Applied, serde_json::Error> {
    match output {
        serde_json::Value::Object(items) if !items.get("objects").is_some_and(serde_json::Value::is_array) => {
            let mut all = Applied::default();
            for item in items.into_iter().map(|(_, item)| serde_json::from_value::<Applied>(item)) {
                let item = item?;
                all.objects.extend(item.objects);
                all.changed += item.changed;
            }
            Ok(all)
        }
        one => serde_json::from_value(one),
    }
}

impl Serialize for AppliedBy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Step(id) => serializer.serialize_str(id),
            Self::Output(output) => output.serialize(serializer),
        }
    }
}

impl JsonSchema for AppliedBy {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AppliedBy".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "The id of an `apply` step whose objects are meant" })
    }
}

#[cfg(test)]
mod tests {
    use super::{Applied, AppliedBy, AppliedObject};

    #[test]
    fn a_step_is_named_in_the_plan_and_stands_for_its_output_later() {
        let named: AppliedBy = serde_json::from_str("\"deploy\"").unwrap();
        assert_eq!(named, AppliedBy::Step("deploy".to_owned()));
        let object = AppliedObject {
            target: "kube:apps/Deployment/shop/web".to_owned(),
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            plural: "deployments".to_owned(),
            namespace: Some("shop".to_owned()),
            name: "web".to_owned(),
            uid: "u".to_owned(),
            generation: Some(2),
            owned: None,
        };
        let output = AppliedBy::Output(Applied { objects: vec![object.clone()], changed: 1 });
        let json = serde_json::to_string(&output).unwrap();
        assert_eq!(serde_json::from_str::<AppliedBy>(&json).unwrap(), output);
        assert_eq!(object.subject().at.reference().target(), object.target);
        let each = format!("{{\"eu\": {json}, \"us\": {json}}}");
        let both = AppliedBy::Output(Applied { objects: vec![object.clone(), object], changed: 2 });
        assert_eq!(serde_json::from_str::<AppliedBy>(&each).unwrap(), both);
        assert!(serde_json::from_str::<AppliedBy>("3").is_err());
    }
}
