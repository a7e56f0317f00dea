//! The forms that names, labels and keys have. Each function says what is wrong, in the words of a real server.
//!
//! Source: `k8s.io/apimachinery/pkg/util/validation`.

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an \
     alphanumeric character (e.g. 'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric \
     character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
     alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
     '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const KEY: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. \
     'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const FILE: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', \
     regex used for validation is '[-._a-zA-Z0-9]+')";

fn is_label(text: &str) -> bool {
    is_made_of(text, |sign| sign.is_ascii_lowercase() || sign.is_ascii_digit(), "-")
}

/// Signs of this kind at both ends, and between them these others, too.
fn is_made_of(text: &str, kind: impl Fn(char) -> bool, others: &str) -> bool {
    let edges = [text.chars().next(), text.chars().next_back()];
    edges.into_iter().all(|edge| edge.is_some_and(&kind)) && text.chars().all(|sign| kind(sign) || others.contains(sign))
}

/// The name of most objects, and of hosts.
pub(super) fn subdomain(text: &str) -> Option<String> {
    match text {
        long if long.len() > 253 => Some("must be no more than 253 characters".to_owned()),
        text if text.split('.').all(is_label) => None,
        _ => Some(SUBDOMAIN.to_owned()),
    }
}

/// A name that becomes a part of a host name.
pub(super) fn label(text: &str) -> Option<String> {
    match text {
        long if long.len() > 63 => Some("must be no more than 63 characters".to_owned()),
        text if text.contains('.') => Some("must not contain dots".to_owned()),
        text if is_label(text) => None,
        _ => Some(LABEL.to_owned()),
    }
}

/// A name that need only fit into a path.
pub(super) fn path_part(text: &str) -> Option<String> {
    match text {
        "." | ".." => Some(format!("may not be '{text}'")),
        text => ['/', '%'].into_iter().find(|sign| text.contains(*sign)).map(|sign| format!("may not contain '{sign}'")),
    }
}

pub(super) fn label_value(text: &str) -> Option<String> {
    let fits = text.is_empty() || is_made_of(text, |sign| sign.is_ascii_alphanumeric(), "-_.");
    match text.len() > 63 {
        true => Some("must be no more than 63 bytes".to_owned()),
        false => (!fits).then(|| VALUE.to_owned()),
    }
}

/// A label's or an annotation's key: a name, or a host's name, `/` and a name.
pub(super) fn key(text: &str) -> Option<String> {
    let (prefix, name) = text.rsplit_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    if let Some(why) = prefix.and_then(subdomain) {
        return Some(format!("prefix part {why}"));
    }
    (!is_made_of(name, |sign| sign.is_ascii_alphanumeric(), "-_.")).then(|| KEY.to_owned())
}

/// A key of a ConfigMap or a Secret, which may become a file's name.
pub(super) fn file(text: &str) -> Option<String> {
    let fits = !text.is_empty() && text.chars().all(|sign| sign.is_ascii_alphanumeric() || "-._".contains(sign));
    (!fits).then(|| FILE.to_owned())
}

/// The name of a container's port: all that is wrong with it.
pub(super) fn port(text: &str) -> Vec<String> {
    if text.len() > 15 {
        return vec!["must be no more than 15 characters".to_owned()];
    }
    let mut wrong = Vec::new();
    if !text.chars().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '-') {
        wrong.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !text.chars().any(|sign| sign.is_ascii_lowercase()) {
        wrong.push("must contain at least one letter (a-z)".to_owned());
    }
    wrong
}
