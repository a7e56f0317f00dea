//! What an answer should be like, and the words for what it is not. It asks nobody.

use super::excerpt;
use crate::ids::Period;
use crate::ports::HttpResponse;
use jsonpath_rust::JsonPath;
use jsonpath_rust::parser::parse_json_path;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// What is expected of an HTTP answer. All of it must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HttpExpect {
    /// Its status: `200`, `2xx`, or a list of those. `2xx` when it is not given.
    #[serde(default)]
    pub status: StatusExpect,
    /// Values in its JSON body, by JSONPath: `'$.status': healthy`. Where a path finds several values, all must be as expected.
    #[serde(default)]
    pub json: JsonExpect,
    /// Its headers, by name.
    #[serde(default)]
    pub header: BTreeMap<String, String>,
    /// A text that its body holds.
    #[serde(default)]
    pub body_contains: Option<String>,
    /// The longest time that it may take, from sending to the last byte.
    #[serde(default)]
    pub latency: Option<Period>,
}

impl HttpExpect {
    /// Says what is not as expected; nothing when all is. Each line reads `expected …, got …`.
    pub fn complaints(&self, answer: &HttpResponse) -> Vec<String> {
        let body = String::from_utf8_lossy(&answer.body);
        let mut complaints = Vec::new();
        if !self.status.allows(answer.status) {
            let quoted = if body.trim().is_empty() { String::new() } else { format!(" ({})", excerpt(&body)) };
            complaints.push(format!("expected status {}, got {}{quoted}", self.status, answer.status));
        }
        for (name, expected) in &self.header {
            let values: Vec<&str> =
                answer.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect();
            if !values.contains(&expected.as_str()) {
                let got = if values.is_empty() { "no such header".to_owned() } else { excerpt(&values.join(", ")) };
                complaints.push(format!("expected header {name}: {expected}, got {got}"));
            }
        }
        if let Some(text) = self.body_contains.as_ref().filter(|text| !body.contains(text.as_str())) {
            complaints.push(format!("expected a body with `{}`, got `{}`", excerpt(text), excerpt(&body)));
        }
        complaints.extend(self.json.complaints(&body));
        if let Some(latency) = self.latency.filter(|latency| answer.latency > latency.0) {
            let took = Period(std::time::Duration::from_millis(u64::try_from(answer.latency.as_millis()).unwrap_or(u64::MAX)));
            complaints.push(format!("expected an answer within {latency}, got one after {took}"));
        }
        complaints
    }

    /// Finds mistakes that its types allow.
    pub fn problems(&self) -> Vec<String> {
        self.json.problems()
    }
}

/// Values that are expected in a JSON text, by JSONPath (RFC 9535).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct JsonExpect(pub BTreeMap<String, Value>);

impl JsonExpect {
    /// Says what is not as expected in a text; nothing when all is, or nothing is expected.
    pub fn complaints(&self, text: &str) -> Vec<String> {
        if self.0.is_empty() {
            return Vec::new();
        }
        match serde_json::from_str::<Value>(text) {
            Ok(document) => self.0.iter().filter_map(|(path, expected)| complaint(path, expected, &document)).collect(),
            Err(_) => vec![format!("expected JSON, got `{}`", excerpt(text))],
        }
    }

    /// Says which paths are none.
    pub fn problems(&self) -> Vec<String> {
        let wrong = self.0.keys().filter(|path| parse_json_path(path).is_err());
        wrong.map(|path| format!("`{path}` is not a JSONPath: write it as `$.status` or `$.items[0].name`")).collect()
    }
}

fn complaint(path: &str, expected: &Value, document: &Value) -> Option<String> {
    let found = match document.query(path) {
        Ok(found) => found,
        Err(_) => return Some(format!("`{path}` is not a JSONPath")),
    };
    if found.is_empty() {
        return Some(format!("expected {path} = {}, got nothing there", excerpt(&expected.to_string())));
    }
    let other = found.into_iter().find(|value| !is_same(value, expected))?;
    Some(format!("expected {path} = {}, got {}", excerpt(&expected.to_string()), excerpt(&other.to_string())))
}

/// Equal as people see it: `1` and `1.0` are.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| is_same(x, y)),
        (Value::Object(x), Value::Object(y)) => x.len() == y.len() && x.iter().all(|(key, x)| y.get(key).is_some_and(|y| is_same(x, y))),
        _ => a == b,
    }
}

/// The statuses that are expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusExpect(Vec<StatusSet>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StatusSet {
    One(u16),
    Hundred(u16),
}

impl Default for StatusExpect {
    fn default() -> Self {
        Self(vec![StatusSet::Hundred(2)])
    }
}

impl StatusExpect {
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
    use super::{HttpExpect, StatusExpect};
    use crate::ports::HttpResponse;
    use serde_json::{Value, json};
    use std::time::Duration;

    fn complaints(expect: Value, answer: &HttpResponse) -> String {
        serde_json::from_value::<HttpExpect>(expect).unwrap().complaints(answer).join("\n")
    }

    fn answer(status: u16, body: &str) -> HttpResponse {
        let headers = vec![("x-colour".to_owned(), "blue".to_owned())];
        HttpResponse { status, headers, body: body.into(), latency: Duration::from_micros(250_400) }
    }

    #[test]
    fn an_answer_as_expected_gives_no_complaint() {
        let body = r#"{"status":"healthy","items":[{"ok":true},{"ok":true}],"n":1}"#;
        let expect = json!({
            "status": [200, "3xx"], "json": { "$.status": "healthy", "$.items[*].ok": true, "$.n": 1.0 },
            "header": { "X-Colour": "blue" }, "body-contains": "healthy", "latency": "300ms",
        });
        assert_eq!(complaints(expect, &answer(200, body)), "");
        assert_eq!(complaints(json!({}), &answer(204, "")), "");
    }

    #[test]
    fn everything_that_is_not_as_expected_is_told() {
        let expect = json!({
            "json": { "$.status": "healthy", "$.items[*].ok": true, "$.absent": null },
            "header": { "X-Colour": "green", "X-Version": "v2" }, "body-contains": "ready", "latency": "200ms",
        });
        let body = "{\"status\":\"starting\",\n \"items\":[{\"ok\":true},{\"ok\":false}]}";
        insta::assert_snapshot!(complaints(expect, &answer(503, body)), @r#"
        expected status 2xx, got 503 ({"status":"starting", "items":[{"ok":true},{"ok":false}]})
        expected header X-Colour: green, got blue
        expected header X-Version: v2, got no such header
        expected a body with `ready`, got `{"status":"starting", "items":[{"ok":true},{"ok":false}]}`
        expected $.absent = null, got nothing there
        expected $.items[*].ok = true, got false
        expected $.status = "healthy", got "starting"
        expected an answer within 200ms, got one after 250ms
        "#);
        insta::assert_snapshot!(complaints(json!({ "json": { "$.a": 1 } }), &answer(200, "<html>")), @"expected JSON, got `<html>`");
    }

    #[test]
    fn a_long_answer_is_cut_between_characters() {
        let told = complaints(json!({}), &answer(500, &"\u{e9}".repeat(1000)));
        assert!(told.ends_with("\u{e9}\u{2026})") && told.chars().count() < 200, "{told}");
    }

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

    #[test]
    fn a_path_that_is_none_is_found_before_anything_is_asked() {
        let expect: HttpExpect = serde_json::from_value(json!({ "json": { "status": "healthy", "$.ok": true } })).unwrap();
        insta::assert_snapshot!(expect.problems().join("\n"), @"`status` is not a JSONPath: write it as `$.status` or `$.items[0].name`");
    }
}
