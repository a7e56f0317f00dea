//! The query of a request, and which objects a selector means. It knows no kind.

use serde_json::Value;
use std::collections::BTreeMap;

/// The pairs after the `?`, decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query(BTreeMap<String, Vec<String>>);

impl Query {
    pub(super) fn read(text: &str) -> Self {
        let mut pairs: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.entry(decode(name)).or_default().push(decode(value));
        }
        Self(pairs)
    }

    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).and_then(|values| values.first()).map_or("", String::as_str)
    }

    /// All values of a name that stands there several times.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        self.0.get(name).cloned().unwrap_or_default()
    }

    /// True for `name=true`, `name=1` and `dryRun=All`.
    pub(super) fn is(&self, name: &str) -> bool {
        matches!(self.get(name), "true" | "1" | "All")
    }

    /// True when the selectors of this query mean the object.
    pub(super) fn means(&self, object: &Value) -> bool {
        is_meant(object, self.get("labelSelector"), self.get("fieldSelector"))
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next(), rest.next()].map(|digit| digit.and_then(|digit| char::from(digit).to_digit(16)));
                if let [Some(high), Some(low)] = digits {
                    bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                }
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// True when these selectors mean the object; empty ones mean every object.
fn is_meant(object: &Value, labels: &str, fields: &str) -> bool {
    let label = |name: &str| object["metadata"]["labels"][name].as_str();
    let field = |name: &str| match object.pointer(&format!("/{}", name.replace('.', "/"))) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    requirements(labels).iter().all(|wanted| holds(wanted, label))
        && fields.split(',').filter(|part| !part.is_empty()).all(|part| match part.split_once("!=") {
            Some((name, value)) => field(name) != value,
            None => part.split_once('=').is_none_or(|(name, value)| field(name) == value.trim_start_matches('=')),
        })
}

/// The parts of a label selector: commas between parentheses belong to a list.
fn requirements(text: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for letter in text.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        match (letter, parts.last_mut()) {
            (',', _) if depth == 0 => parts.push(String::new()),
            (letter, Some(last)) => last.push(letter),
            (_, None) => {}
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn holds<'a>(wanted: &str, label: impl Fn(&str) -> Option<&'a str>) -> bool {
    let listed = |list: &str, value: &str| list.trim().trim_matches(['(', ')']).split(',').any(|one| one.trim() == value);
    if let Some((name, list)) = wanted.split_once(" notin ") {
        return label(name.trim()).is_none_or(|value| !listed(list, value));
    }
    if let Some((name, list)) = wanted.split_once(" in ") {
        return label(name.trim()).is_some_and(|value| listed(list, value));
    }
    if let Some((name, value)) = wanted.split_once("!=") {
        return label(name.trim()) != Some(value.trim());
    }
    if let Some((name, value)) = wanted.split_once('=') {
        return label(name.trim()) == Some(value.trim_start_matches('=').trim());
    }
    match wanted.strip_prefix('!') {
        Some(name) => label(name.trim()).is_none(),
        None => label(wanted).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Query, is_meant};
    use serde_json::json;

    #[test]
    fn a_query_is_decoded() {
        let query = Query::read("?watch=true&labelSelector=a%3Db%2Cc&command=sh&command=-c".trim_start_matches('?'));
        assert!(query.is("watch") && !query.is("dryRun"));
        assert_eq!((query.get("labelSelector"), query.all("command")), ("a=b,c", vec!["sh".to_owned(), "-c".to_owned()]));
    }

    #[test]
    fn selectors_mean_what_they_say() {
        let pod = json!({ "metadata": { "name": "web-1", "labels": { "app": "web", "tier": "front" } }, "status": { "phase": "Running" } });
        for labels in ["", "app=web", "app==web,tier", "app in (api, web)", "app notin (api)", "!gone", "app!=api"] {
            assert!(is_meant(&pod, labels, "metadata.name=web-1,status.phase!=Failed"), "{labels}");
        }
        for labels in ["app=api", "gone", "app in (api)", "app notin (web)", "!app", "app!=web"] {
            assert!(!is_meant(&pod, labels, ""), "{labels}");
        }
        assert!(!is_meant(&pod, "", "metadata.name=other"));
    }
}
