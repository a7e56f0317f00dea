//! The statuses that an HTTP answer may have. It asks nobody.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// The statuses that are expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusExpect(Vec<StatusSet>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StatusSet {
    One(u16),
    Hundred(u16),
}

impl StatusExpect {
    /// All of these hundreds: 2 is `2xx`.
    pub fn hundreds(hundreds: &[u16]) -> Self {
        Self(hundreds.iter().copied().map(StatusSet::Hundred).collect())
    }

    /// True when this status is one of them.
    pub fn allows(&self, status: u16) -> bool {
        self.0.iter().any(|set| match set {
            StatusSet::One(one) => status == *one,
            StatusSet::Hundred(hundred) => status / 100 == *hundred,
        })
    }
}

impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StatusSet::One(one) => write!(f, "{one}"),
            StatusSet::Hundred(hundred) => write!(f, "{hundred}xx"),
        }
    }
}

impl fmt::Display for StatusExpect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sets: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&sets.join(" or "))
    }
}

impl Serialize for StatusExpect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ToString::to_string))
    }
}

impl<'de> Deserialize<'de> for StatusExpect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StatusVisitor).map(Self)
    }
}

struct StatusVisitor;

impl<'de> Visitor<'de> for StatusVisitor {
    type Value = Vec<StatusSet>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status such as 200 or `2xx`, or a list of those")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Vec<StatusSet>, E> {
        match u16::try_from(number) {
            Ok(status @ 100..=599) => Ok(vec![StatusSet::One(status)]),
            _ => Err(E::custom(format!("{number} is not an http status: they go from 100 to 599"))),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Vec<StatusSet>, E> {
        self.visit_u64(u64::try_from(number).unwrap_or(0))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<StatusSet>, E> {
        if let Ok(number) = text.parse() {
            return self.visit_u64(number);
        }
        match text.strip_suffix("xx").and_then(|hundred| hundred.parse().ok()) {
            Some(hundred @ 1..=5) => Ok(vec![StatusSet::Hundred(hundred)]),
            _ => Err(E::custom(format!("`{text}` is not an http status: write 200 or `2xx`"))),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<StatusSet>, A::Error> {
        let mut sets = Vec::new();
        while let Some(StatusExpect(more)) = items.next_element()? {
            sets.extend(more);
        }
        if sets.is_empty() { Err(A::Error::custom("no status would ever do: name at least one")) } else { Ok(sets) }
    }
}

impl JsonSchema for StatusExpect {
    fn schema_name() -> Cow<'static, str> {
        "StatusExpect".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = serde_json::json!([{ "type": "integer", "minimum": 100, "maximum": 599 }, { "type": "string", "pattern": "^[1-5](xx|\\d\\d)$" }]);
        json_schema!({ "anyOf": [one[0], one[1], { "type": "array", "items": { "anyOf": one }, "minItems": 1 }] })
    }
}

#[cfg(test)]
mod tests {
    use super::StatusExpect;
    use serde_json::json;

    #[test]
    fn a_status_is_a_number_a_hundred_or_a_list() {
        for (value, yes, no) in
            [(json!(200), 200, 201), (json!("4xx"), 404, 200), (json!("503"), 503, 500), (json!([200, "5xx"]), 502, 404)]
        {
            let expect: StatusExpect = serde_json::from_value(value).unwrap();
            assert!(expect.allows(yes) && !expect.allows(no), "{expect}");
            let again: StatusExpect = serde_json::from_value(serde_json::to_value(&expect).unwrap()).unwrap();
            assert_eq!(again, expect);
        }
        for value in [json!(20), json!("2x"), json!("6xx"), json!([]), json!(true)] {
            assert!(serde_json::from_value::<StatusExpect>(value.clone()).is_err(), "{value}");
        }
    }
}
