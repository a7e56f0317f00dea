//! What is asked of an API server: where, how, and what a write gave back. It sends nothing.

use crate::cluster::answer::{ApiError, Class};
use crate::cluster::kinds::Kind;
use crate::cluster::object::{Object, Reference};
use serde_json::Value;
use std::fmt;

/// Where an object is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Address {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; none for objects of the whole cluster.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl Address {
    /// An object of a kind whose path never changes.
    pub(crate) fn known(kind: &str, namespace: &str, name: &str) -> Self {
        let kind = Kind::known(kind);
        let namespace = kind.namespaced.then(|| namespace.to_owned());
        Self { kind, namespace, name: name.to_owned() }
    }

    /// Its name, without a version.
    pub fn reference(&self) -> Reference {
        Reference {
            group: self.kind.group().to_owned(),
            kind: self.kind.kind.clone(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }

    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.kind.path(self.namespace.as_deref()), self.name)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reference().fmt(f)
    }
}

/// What a write returned.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The object as it is now.
    pub object: Object,
    /// It was not there before.
    pub created: bool,
    /// What the server warns of: a version that is going away, a field that does nothing.
    pub warnings: Vec<String>,
}

/// A request, before it is sent.
pub(super) struct Call {
    pub(super) method: http::Method,
    pub(super) uri: String,
    pub(super) content: &'static str,
    pub(super) body: Vec<u8>,
}

impl Call {
    pub(super) fn read(uri: String) -> Self {
        Self { method: http::Method::GET, uri, content: "application/json", body: Vec::new() }
    }

    pub(super) fn write(method: http::Method, uri: String, content: &'static str, body: &Value) -> Self {
        Self { method, uri, content, body: body.to_string().into_bytes() }
    }
}

/// How a write is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Manner<'a> {
    /// The field manager.
    pub manager: &'a str,
    /// The server only says what it would do.
    pub dry_run: bool,
    /// Takes fields from other managers. For server-side apply only.
    pub force: bool,
    /// Fields that the kind does not have are refused. An apply is always so.
    pub strict: bool,
}

impl<'a> Manner<'a> {
    /// A real write of this manager.
    pub fn of(manager: &'a str) -> Self {
        Self { manager, dry_run: false, force: false, strict: false }
    }

    pub(super) fn query(&self) -> String {
        let manager: String = self.manager.bytes().map(encode_byte).collect();
        let (dry_run, force) = (if self.dry_run { "&dryRun=All" } else { "" }, if self.force { "&force=true" } else { "" });
        let strict = if self.strict { "&fieldValidation=Strict" } else { "" };
        format!("?fieldManager={manager}{dry_run}{force}{strict}")
    }
}

/// The part of a query that selects objects by their labels.
pub fn by_labels(selector: &str) -> String {
    format!("labelSelector={}", selector.bytes().map(encode_byte).collect::<String>())
}

pub(super) fn encode_byte(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    }
}

/// A Secret's values stand in what the server says about its content: only that it is refused may be told.
pub(super) fn hide(at: &Address, error: ApiError) -> ApiError {
    let tells_content = matches!(error.class, Class::Invalid | Class::Malformed | Class::Immutable(_));
    match at.kind.kind == "Secret" && tells_content {
        true => ApiError { message: "the server refuses its content; what it says of it is not shown".to_owned(), ..error },
        false => error,
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, Manner, hide};
    use crate::cluster::answer::{ApiError, Class};

    #[test]
    fn a_manager_is_written_so_that_it_survives_a_url() {
        let manner = Manner { dry_run: true, ..Manner::of("bowline:shop") };
        assert_eq!(manner.query(), "?fieldManager=bowline%3Ashop&dryRun=All");
    }

    #[test]
    fn what_the_server_says_of_a_secrets_content_is_not_shown() {
        let error = |class| ApiError { class, message: "Invalid value: \"hunter2\"".to_owned(), retry_after: None };
        let (secret, config) = (Address::known("Secret", "shop", "s"), Address::known("ConfigMap", "shop", "c"));
        assert!(!hide(&secret, error(Class::Invalid)).message.contains("hunter2"));
        assert!(hide(&config, error(Class::Invalid)).message.contains("hunter2"));
        assert!(hide(&secret, error(Class::Forbidden)).message.contains("hunter2"), "who may do what is told");
    }
}
