//! A port as plans write it: its number or its name. It knows no pod.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::fmt;

/// A port's number or name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct PortName(String);

impl PortName {
    /// It as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for PortName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PortVisitor)
    }
}

struct PortVisitor;

impl Visitor<'_> for PortVisitor {
    type Value = PortName;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a port's number or name")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<PortName, E> {
        match u16::try_from(number) {
            Ok(port @ 1..) => Ok(PortName(port.to_string())),
            _ => Err(E::custom(format!("{number} is not a port: they go from 1 to 65535"))),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<PortName, E> {
        self.visit_u64(u64::try_from(number).unwrap_or(0))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<PortName, E> {
        match text.parse() {
            Ok(number) => self.visit_u64(number),
            Err(_) if text.is_empty() => Err(E::custom("a port's name must not be empty")),
            Err(_) => Ok(PortName(text.to_owned())),
        }
    }
}

impl JsonSchema for PortName {
    fn schema_name() -> Cow<'static, str> {
        "PortName".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "integer", "minimum": 1, "maximum": 65535 }, { "type": "string", "minLength": 1 }] })
    }
}

#[cfg(test)]
mod tests {
    use super::PortName;
    use serde_json::json;

    #[test]
    fn a_port_is_a_number_or_a_name() {
        for (value, text) in [(json!(8080), "8080"), (json!("8080"), "8080"), (json!("http"), "http")] {
            assert_eq!(serde_json::from_value::<PortName>(value).unwrap().as_str(), text);
        }
        for value in [json!(0), json!(70000), json!(""), json!(true)] {
            assert!(serde_json::from_value::<PortName>(value.clone()).is_err(), "{value}");
        }
    }
}
