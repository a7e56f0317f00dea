//! What an HTTP answer should be like, and the words for what it is not. It asks nobody.

mod condition;
mod json;
mod latency;
mod status;

pub use condition::ConditionExpect;
pub use json::JsonExpect;
pub use status::StatusExpect;

use super::excerpt;
use crate::ids::Period;
use crate::ports::HttpResponse;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// What is expected of an HTTP answer. All of it must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct HttpExpect {
    /// Its status: `200`, `2xx`, or a list of those. `2xx` when it is not given, `3xx` when a redirect is expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusExpect>,
    /// Values in its JSON body, by JSONPath: `'$.status': healthy`. Where a path finds several values, all must be as expected.
    pub json: JsonExpect,
    /// Its headers, by name.
    pub header: BTreeMap<String, String>,
    /// A text that its body holds.
    pub body_contains: Option<String>,
    /// Where it sends the asker to: the whole header `Location`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect: Option<String>,
    /// A CEL expression over `status`, `headers` (names in lower case), `body`, `json` (null when the body is none) and `milliseconds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cel: Option<ConditionExpect>,
    /// The longest time that it may take, from sending to the last byte.
    pub latency: Option<Period>,
    /// With the probe's `tries`: so many answers in a hundred must come within `latency`; all of them when it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percentile: Option<f64>,
}

impl HttpExpect {
    /// Says what is not as expected; nothing when all is. Each line reads `expected …, got …`. See
    /// [`HttpExpect::delay`] for its latency. `usual` are the statuses that will do where the plan names none.
    pub fn complaints(&self, answer: &HttpResponse, usual: &StatusExpect) -> Vec<String> {
        let body = String::from_utf8_lossy(&answer.body);
        let mut complaints = Vec::new();
        let status = self.status(usual);
        if !status.allows(answer.status) {
            let quoted = if body.trim().is_empty() { String::new() } else { format!(" ({})", excerpt(&body)) };
            complaints.push(format!("expected status {status}, got {}{quoted}", answer.status));
        }
        complaints.extend(self.header.iter().filter_map(|(name, expected)| header(answer, name, expected)));
        complaints.extend(self.redirect.iter().filter_map(|expected| header(answer, "Location", expected)));
        if let Some(text) = self.body_contains.as_ref().filter(|text| !body.contains(text.as_str())) {
            complaints.push(format!("expected a body with `{}`, got `{}`", excerpt(text), excerpt(&body)));
        }
        complaints.extend(self.json.complaints(&body));
        complaints.extend(self.cel.iter().filter_map(|cel| cel.complaint(&names(answer, &body))));
        complaints
    }

    /// Finds mistakes that its types allow.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.json.problems();
        problems.extend(self.cel.iter().filter_map(ConditionExpect::problem));
        if self.percentile.is_some_and(|percentile| !(percentile > 0.0 && percentile <= 100.0)) {
            problems.push("`percentile` is more than 0 and at most 100".to_owned());
        }
        if self.percentile.is_some() && self.latency.is_none() {
            problems.push("`percentile` is a share of answers within `latency`, which is not given".to_owned());
        }
        problems
    }

    /// Says what is not as expected of the time that answers took.
    pub fn delay(&self, took: &[Duration]) -> Option<String> {
        latency::complaint(self.latency?, self.percentile.unwrap_or(100.0), took)
    }

    fn status(&self, usual: &StatusExpect) -> StatusExpect {
        match (&self.status, &self.redirect) {
            (Some(status), _) => status.clone(),
            (None, Some(_)) => StatusExpect::hundreds(&[3]),
            (None, None) => usual.clone(),
        }
    }
}

fn header(answer: &HttpResponse, name: &str, expected: &str) -> Option<String> {
    let values: Vec<&str> =
        answer.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect();
    if values.contains(&expected) {
        return None;
    }
    let got = if values.is_empty() { "no such header".to_owned() } else { excerpt(&values.join(", ")) };
    Some(format!("expected header {name}: {expected}, got {got}"))
}

/// What a condition may speak of.
fn names(answer: &HttpResponse, body: &str) -> Map<String, Value> {
    let headers: Map<String, Value> =
        answer.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), Value::from(value.as_str()))).collect();
    let names = json!({
        "status": answer.status,
        "headers": headers,
        "body": body,
        "json": serde_json::from_str::<Value>(body).unwrap_or(Value::Null),
        "milliseconds": u64::try_from(answer.latency.as_millis()).unwrap_or(u64::MAX),
    });
    names.as_object().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{HttpExpect, StatusExpect};
    use crate::ports::HttpResponse;
    use serde_json::{Value, json};
    use std::time::Duration;

    fn complaints(expect: Value, answer: &HttpResponse) -> String {
        serde_json::from_value::<HttpExpect>(expect).unwrap().complaints(answer, &StatusExpect::hundreds(&[2])).join("\n")
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
            "header": { "X-Colour": "blue" }, "body-contains": "healthy",
            "cel": "status == 200 && json.items.all(i, i.ok) && headers['x-colour'] == 'blue' && milliseconds < 300",
        });
        assert_eq!(complaints(expect, &answer(200, body)), "");
        assert_eq!(complaints(json!({}), &answer(204, "")), "");
    }

    #[test]
    fn everything_that_is_not_as_expected_is_told() {
        let expect = json!({
            "json": { "$.status": "healthy", "$.items[*].ok": true, "$.absent": null },
            "header": { "X-Colour": "green", "X-Version": "v2" }, "body-contains": "ready", "redirect": "/login", "cel": "json.items[1].ok",
        });
        let body = "{\"status\":\"starting\",\n \"items\":[{\"ok\":true},{\"ok\":false}]}";
        insta::assert_snapshot!(complaints(expect, &answer(503, body)), @r#"
        expected status 3xx, got 503 ({"status":"starting", "items":[{"ok":true},{"ok":false}]})
        expected header X-Colour: green, got blue
        expected header X-Version: v2, got no such header
        expected header Location: /login, got no such header
        expected a body with `ready`, got `{"status":"starting", "items":[{"ok":true},{"ok":false}]}`
        expected $.absent = null, got nothing there
        expected $.items[*].ok = true, got false
        expected $.status = "healthy", got "starting"
        expected json.items[1].ok, which does not hold
        "#);
        insta::assert_snapshot!(complaints(json!({ "json": { "$.a": 1 } }), &answer(200, "<html>")), @"expected JSON, got `<html>`");
    }

    #[test]
    fn a_long_answer_is_cut_between_characters() {
        let told = complaints(json!({}), &answer(500, &"\u{e9}".repeat(1000)));
        assert!(told.ends_with("\u{e9}\u{2026})") && told.chars().count() < 200, "{told}");
    }

    #[test]
    fn a_path_that_is_none_is_found_before_anything_is_asked() {
        let expect: HttpExpect =
            serde_json::from_value(json!({ "json": { "status": "healthy", "$.ok": true }, "cel": "status = 200" })).unwrap();
        insta::assert_snapshot!(expect.problems().join("\n"), @r"
        `status` is not a JSONPath: write it as `$.status` or `$.items[0].name`
        `status = 200` is not a CEL expression: `=` is not an operator: `==` compares
        ");
    }
}
