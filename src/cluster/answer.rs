//! What an API server's refusal means, and whether a request whose answer was lost may have been done. It knows no kind of object.

use crate::ports::{NotReached, Shut};
use http::HeaderMap;
use kube::core::Status;
use std::time::Duration;

/// Why a request did not do what it should.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What that means.
    pub class: Class,
    /// The server's words.
    pub message: String,
    /// When to try again, if the server said so.
    pub retry_after: Option<Duration>,
}

/// What a refusal means.
#[derive(Debug, Clone, PartialEq)]
pub enum Class {
    /// There is no such object or namespace.
    Absent,
    /// The server does not know this kind.
    NotServed,
    /// Somebody has changed, deleted or replaced the object meanwhile.
    Stale,
    /// An object of this name is there already, or is going.
    AlreadyThere,
    /// Fields belong to other managers.
    Owned(Vec<OwnedField>),
    /// Fields cannot be changed once they are set.
    Immutable(Vec<String>),
    /// The object is not valid.
    Invalid,
    /// A rule, a quota or a missing right forbids it.
    Forbidden,
    /// Who we are was not accepted.
    Unauthorised,
    /// Too many requests: nothing was done.
    Busy,
    /// What was read so far is too old to read on from.
    Expired,
    /// The request itself is wrong.
    Malformed,
    /// There was no way to the server: nothing was done.
    Unreached,
    /// There is no answer, or none that tells: it may have been done.
    Lost,
}

/// A field that belongs to another manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedField {
    /// The field, such as `.spec.replicas`.
    pub field: String,
    /// The other manager.
    pub manager: String,
}

impl ApiError {
    /// True when it may have been done.
    pub fn is_lost(&self) -> bool {
        self.class == Class::Lost
    }

    /// True when there is no such object.
    pub fn is_absent(&self) -> bool {
        matches!(self.class, Class::Absent | Class::NotServed)
    }

    /// True when somebody was faster.
    pub fn is_stale(&self) -> bool {
        matches!(self.class, Class::Stale | Class::AlreadyThere)
    }

    /// True when trying again may help: a server that starts does not know who is who for a moment, and tokens are made anew.
    pub fn is_transient(&self) -> bool {
        use Class::{AlreadyThere, Busy, Expired, Lost, Stale, Unauthorised, Unreached};
        matches!(self.class, Lost | Unreached | Busy | Expired | Stale | AlreadyThere | Unauthorised)
    }

    /// An error without an answer.
    pub fn lost(message: impl Into<String>) -> Self {
        Self { class: Class::Lost, message: message.into(), retry_after: None }
    }

    /// A request that was never sent because it makes no sense.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self { class: Class::Malformed, message: message.into(), retry_after: None }
    }

    /// A kind that the server does not know.
    pub fn not_served(api_version: &str, kind: &str) -> Self {
        Self { class: Class::NotServed, message: format!("the cluster knows no {kind} of {api_version}"), retry_after: None }
    }

    /// Reads an answer that is not a success.
    pub fn read(code: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        let seconds = headers.get("retry-after").and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
        let retry_after = seconds.map(Duration::from_secs);
        let Some(status) = read_status(body) else {
            let text = String::from_utf8_lossy(body).trim().chars().take(300).collect::<String>();
            let class = match (code, text.as_str()) {
                // A path that is not served is told in plain text, a missing object never is.
                (404, "404 page not found") => Class::NotServed,
                // What stands between us and the server does not know what there is.
                (404, _) => Class::Lost,
                _ => classify_code(code),
            };
            return Self { class, message: format!("HTTP {code} {text}"), retry_after };
        };
        Self { class: classify(code, &status), message: tidy(&status.message), retry_after }
    }

    /// What went wrong on the way to an answer.
    pub fn from_client(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self { class: classify(status.code, status), message: tidy(&status.message), retry_after: None },
            kube::Error::Auth(_) => Self { class: Class::Unauthorised, message: error.to_string(), retry_after: None },
            kube::Error::BuildRequest(_) | kube::Error::HttpError(_) => Self::malformed(error.to_string()),
            kube::Error::Service(inner) if inner.is::<NotReached>() || inner.is::<Shut>() => {
                Self { class: Class::Unreached, message: format!("the API server cannot be reached: {}", chain(error)), retry_after: None }
            }
            other => Self::lost(chain(other)),
        }
    }
}

/// What a Kubernetes API server says of itself; other servers on the way say other things.
fn read_status(body: &[u8]) -> Option<Status> {
    let told: serde_json::Value = serde_json::from_slice(body).ok()?;
    let status: Status = (told["kind"] == "Status").then(|| serde_json::from_value(told).ok())??;
    (!status.message.is_empty()).then_some(status)
}

/// Only the innermost cause of a broken connection says what broke.
fn chain(error: &dyn std::error::Error) -> String {
    let (mut last, mut next) = (error.to_string(), error.source());
    while let Some(error) = next {
        last = error.to_string();
        next = error.source();
    }
    last
}

/// The server prints whole Go structs into some messages; what they hold and a limit keep a message readable.
fn tidy(message: &str) -> String {
    let message = message.trim();
    // Of a patch that makes no object of the kind the whole object is told first.
    let patched = message.split_once("is invalid: patch: Invalid value: \"").and_then(|(_, rest)| rest.rsplit_once("}\": "));
    let message = patched.map_or(message, |(_, told)| told);
    let typed = message.strip_prefix("failed to create typed patch object (").and_then(|rest| rest.split_once("): "));
    let message = typed.map_or_else(|| message.to_owned(), |(_, told)| typed_errors(told));
    match message.char_indices().nth(1200) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message,
    }
}

/// What is wrong with the types of an object: of several fields the server makes a list, a line for each.
fn typed_errors(told: &str) -> String {
    let field = |error: &str| {
        let error = error.trim().trim_start_matches('.');
        match error.split_once("&value.valueUnstructured{Value:") {
            Some((before, value)) => format!("{before}{}", value.strip_suffix('}').unwrap_or(value)),
            None => error.to_owned(),
        }
    };
    match told.strip_prefix("errors:") {
        Some(errors) => errors.split("\n  ").filter(|error| !error.trim().is_empty()).map(field).collect::<Vec<_>>().join("; "),
        None => field(told),
    }
}

fn classify_code(code: u16) -> Class {
    match code {
        401 => Class::Unauthorised,
        403 => Class::Forbidden,
        404 => Class::Absent,
        409 => Class::Stale,
        410 => Class::Expired,
        422 => Class::Invalid,
        429 => Class::Busy,
        400..=499 => Class::Malformed,
        _ => Class::Lost,
    }
}

fn classify(code: u16, status: &Status) -> Class {
    let causes = status.details.as_ref().map_or(&[][..], |details| &details.causes);
    match (code, status.reason.as_str()) {
        (409, "AlreadyExists") => Class::AlreadyThere,
        (409, _) if causes.iter().any(|cause| cause.reason == "FieldManagerConflict") => Class::Owned(owned_fields(causes)),
        // Without causes it is a `test` or a path of a JSON patch that does not hold any more.
        (422, _) if causes.is_empty() && status.message.contains("server rejected our request") => Class::Stale,
        // The uid that guards a write names an object that is gone.
        (422, _) if causes.iter().any(|cause| cause.field == "metadata.uid") => Class::Stale,
        (422, _) => match immutable_fields(causes) {
            fields if fields.is_empty() => Class::Invalid,
            fields => Class::Immutable(fields),
        },
        (403, _) if status.message.contains("only dynamically provisioned pvc can be resized") => {
            Class::Immutable(vec!["spec.resources.requests.storage".to_owned()])
        }
        // Server-side apply tells wrong types and unknown fields like this.
        (500, _) if status.message.contains("failed to create typed patch object") => Class::Invalid,
        _ => classify_code(code),
    }
}

fn owned_fields(causes: &[kube::core::response::StatusCause]) -> Vec<OwnedField> {
    let conflicts = causes.iter().filter(|cause| cause.reason == "FieldManagerConflict");
    conflicts
        .map(|cause| OwnedField {
            field: cause.field.clone(),
            manager: cause.message.split('"').nth(1).unwrap_or(&cause.message).to_owned(),
        })
        .collect()
}

fn immutable_fields(causes: &[kube::core::response::StatusCause]) -> Vec<String> {
    const WORDS: [&str; 8] = [
        "is immutable",
        "are forbidden",
        "may not change once set",
        "cannot change roleRef",
        "may not be changed in an update",
        "pod updates may not change",
        "can not be less than",
        "must remain in spec.versions",
    ];
    let immutable = causes.iter().filter(|cause| WORDS.iter().any(|word| cause.message.contains(word)));
    let mut fields: Vec<String> = immutable.map(|cause| cause.field.clone()).collect();
    fields.dedup();
    fields
}

#[cfg(test)]
mod tests {
    use super::{ApiError, Class, OwnedField};
    use crate::ports::{NotReached, Shut};
    use http::HeaderMap;
    use serde_json::{Value, json};

    fn read(code: u16, reason: &str, message: &str, causes: Value) -> ApiError {
        let status = json!({ "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message, "details": { "causes": causes } });
        ApiError::read(code, &HeaderMap::new(), status.to_string().as_bytes())
    }

    #[test]
    fn an_immutable_field_is_known_by_every_wording_of_the_server() {
        let wordings = [
            ("spec.selector", "Invalid value: {}: field is immutable"),
            (
                "spec",
                "Forbidden: updates to statefulset spec for fields other than 'replicas', 'template' and 'minReadySeconds' are forbidden",
            ),
            ("spec.clusterIPs[0]", "Invalid value: []: may not change once set"),
            ("roleRef", "Invalid value: cannot change roleRef"),
            ("value", "Forbidden: may not be changed in an update."),
            ("data", "Forbidden: field is immutable when `immutable` is set"),
        ];
        for (field, message) in wordings {
            let error =
                read(422, "Invalid", "x is invalid", json!([{ "reason": "FieldValueInvalid", "field": field, "message": message }]));
            assert_eq!(error.class, Class::Immutable(vec![field.to_owned()]), "{message}");
        }
        let error =
            read(422, "Invalid", "x", json!([{ "reason": "FieldValueRequired", "field": "spec.template", "message": "Required value" }]));
        assert_eq!(error.class, Class::Invalid);
    }

    #[test]
    fn a_conflict_names_field_and_manager() {
        let causes = json!([{ "reason": "FieldManagerConflict", "field": ".spec.replicas", "message": "conflict with \"hpa\" with subresource \"scale\" using apps/v1" }]);
        let error = read(409, "Conflict", "Apply failed with 1 conflict", causes);
        assert_eq!(error.class, Class::Owned(vec![OwnedField { field: ".spec.replicas".to_owned(), manager: "hpa".to_owned() }]));
    }

    #[test]
    fn who_was_faster_is_told_apart() {
        assert_eq!(read(409, "Conflict", "the object has been modified", json!([])).class, Class::Stale);
        assert_eq!(read(409, "AlreadyExists", "object is being deleted: x", json!([])).class, Class::AlreadyThere);
        let test = read(422, "Invalid", "the server rejected our request due to an error in our request", json!([]));
        assert_eq!(test.class, Class::Stale);
        let gone =
            read(422, "Invalid", "x", json!([{ "reason": "FieldValueInvalid", "field": "metadata.uid", "message": "field is immutable" }]));
        assert_eq!(gone.class, Class::Stale);
    }

    #[test]
    fn only_answers_that_tell_nothing_are_lost() {
        for code in [500, 502, 503, 504] {
            assert!(read(code, "", "etcdserver: request timed out", json!([])).is_lost(), "{code}");
        }
        let schema = read(500, "", "failed to create typed patch object (ns/x; v1, Kind=ConfigMap): .data: expected map", json!([]));
        assert_eq!(schema.class, Class::Invalid);
        let wrong = "failed to create typed patch object (ns/x; /v1, Kind=ConfigMap): .data.value: expected string, got &value.valueUnstructured{Value:1}";
        assert_eq!(read(500, "", wrong, json!([])).message, "data.value: expected string, got 1");
        assert_eq!(ApiError::read(404, &HeaderMap::new(), b"404 page not found\n").class, Class::NotServed);
        assert_eq!(read(404, "NotFound", "configmaps \"x\" not found", json!([])).class, Class::Absent);
    }

    #[test]
    fn of_several_fields_of_a_wrong_type_each_is_told() {
        let told = |errors: &str| {
            let message = format!("failed to create typed patch object (ns/x; /v1, Kind=ConfigMap): {errors}");
            read(500, "", &message, json!([])).message
        };
        let several = "errors:\n  .data.ON: expected string, got &value.valueUnstructured{Value:true}\n  .data.B: expected string, got &value.valueUnstructured{Value:false}";
        assert_eq!(told(several), "data.ON: expected string, got true; data.B: expected string, got false");
        let mapping = ".data.A: expected string, got &value.valueUnstructured{Value:map[string]interface {}{\"a\":1}}";
        assert_eq!(told(mapping), "data.A: expected string, got map[string]interface {}{\"a\":1}");
        assert_eq!(told(".spec.replics: field not declared in schema"), "spec.replics: field not declared in schema");
    }

    #[test]
    fn a_busy_server_says_when_to_come_back() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "7".parse().unwrap());
        let error = ApiError::read(429, &headers, b"{}");
        assert_eq!((error.class, error.retry_after), (Class::Busy, Some(std::time::Duration::from_secs(7))));
    }

    #[test]
    fn what_never_left_is_not_lost() {
        let class = |error: Box<dyn std::error::Error + Send + Sync>| ApiError::from_client(&kube::Error::Service(error)).class;
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert_eq!(class(Box::new(NotReached::because(refused))), Class::Unreached);
        assert_eq!(class(Box::new(Shut("somebody else holds the run".to_owned()))), Class::Unreached);
        assert_eq!(class(Box::new(std::io::Error::from(std::io::ErrorKind::ConnectionReset))), Class::Lost);
    }

    #[test]
    fn what_a_server_on_the_way_does_not_find_may_be_there() {
        let class = |body: &[u8]| ApiError::read(404, &HeaderMap::new(), body).class;
        assert_eq!(class(b"404 page not found\n"), Class::NotServed);
        for body in [&b"default backend - 404"[..], b"<html>", b"", br#"{ "message": "Not Found", "code": 404 }"#] {
            assert_eq!(class(body), Class::Lost, "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn of_a_patch_that_fits_no_object_only_what_is_wrong_is_told() {
        let object = format!("{{\\\"data\\\":\\\"{}\\\"}}", "x".repeat(2_000));
        let told =
            |why: &str| read(422, "Invalid", &format!(" \"\" is invalid: patch: Invalid value: \"{object}\": {why}"), json!([])).message;
        assert_eq!(told("strict decoding error: unknown field \"spec.replica\""), "strict decoding error: unknown field \"spec.replica\"");
        let wrong = "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32";
        assert_eq!(told(wrong), wrong);
    }
}
