//! The line that a person meant who left the keys out: `shell: echo hi`. Only what fits is told. It reads nothing of a plan.

use super::{APPROVE, GUARD, Reader};
use crate::action::{DynAction, Frozen};
use crate::expr::Text;
use crate::expr::yaml::{Kind, Node, parse};
use crate::ids::{LockName, StepId};
use crate::plan::decode::{decode, decode_as};
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// The keys that are meant where an action could take several, in the order in which they are tried.
const MAIN_KEYS: [(&str, &str); 4] =
    [("apply", "manifests"), ("delete", "objects"), ("wait-healthy", "objects"), ("wait-healthy", "applied-by")];
/// Longest text that is said again in a help.
const MOST_QUOTED: usize = 60;
/// Words that YAML, or an older YAML, takes for something else than a text.
const NO_TEXTS: [&str; 10] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan"];

impl Reader<'_, '_> {
    /// The line that a person meant who wrote `shell: echo hello`: with the key that an action needs, or that is meant most often.
    pub(super) fn as_mapping(&self, action: &dyn DynAction, node: &Node) -> Option<String> {
        let texts = texts_of(node)?;
        let (kind, is_list) = (action.kind(), matches!(node.kind, Kind::List(_)));
        let inlined = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        let schema = action.params_schema(&mut inlined.into_generator()).to_value();
        let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        let needed = match required {
            [key] => key.as_str(),
            _ => None,
        };
        let keys = needed.into_iter().chain(MAIN_KEYS.iter().filter(|(of, _)| *of == kind).map(|(_, key)| *key));
        let forms = keys.flat_map(|key| [(key, false), (key, true)]).filter(|(_, in_list)| *in_list || !is_list);
        let (key, in_list) = forms.into_iter().find(|(key, in_list)| self.fits(action, &mapping(key, &texts, *in_list, whole)))?;
        Some(match texts.iter().any(|text| text.contains('\n')) {
            true => format!("`{key}: |` below `{kind}:`, and the text below that"),
            false => format!("`{kind}: {}`", mapping(key, &texts, in_list, shown)),
        })
    }

    /// True when an action takes this, as far as that can be known before the run.
    fn fits(&self, action: &dyn DynAction, written: &str) -> bool {
        let Ok((node, _)) = parse(written) else { return false };
        let decoded = decode(&node, |reader| action.decode(&mut <dyn erased_serde::Deserializer<'_>>::erase(reader)));
        let value = decode_as::<Value>(&node).value;
        let is_known = !Text::is_template(written);
        decoded.failures.is_empty()
            && value.is_some_and(|value| {
                let prepared = || action.prepare(&self.scope, &Frozen::default(), &value);
                !is_known || prepared().is_ok_and(|prepared| prepared.problems.is_empty())
            })
    }
}

/// The same of a key that is no action's.
pub(super) fn as_own(key: &str, value: &Node) -> Option<String> {
    let texts = texts_of(value)?;
    let words: Vec<String> =
        texts.iter().flat_map(|text| text.split([',', ' '])).map(str::to_owned).filter(|word| !word.is_empty()).collect();
    let are_steps = !words.is_empty() && words.iter().all(|word| StepId::new(word).is_ok());
    let is_scalar = !matches!(value.kind, Kind::List(_));
    let list = || words.iter().map(|word| plain_or_quoted(word)).collect::<Vec<_>>().join(", ");
    match (key, &value.kind) {
        ("needs", _) if is_scalar && are_steps => Some(format!("`needs: [{}]`", list())),
        ("locks", _) if is_scalar && words.iter().all(|word| LockName::new(word).is_ok()) => Some(format!("`locks: [{}]`", list())),
        ("retry", Kind::Number(number)) => {
            let attempts = number.as_u64().filter(|attempts| (1..=u64::from(u32::MAX)).contains(attempts))?;
            Some(format!("`retry: {{ attempts: {attempts} }}`"))
        }
        (APPROVE, Kind::Text(text)) => Some(format!("`{APPROVE}: {{ message: {} }}`", shown(text))),
        (GUARD, Kind::Text(_) | Kind::List(_)) if are_steps => Some(format!("`{GUARD}: {{ guards: [{}] }}`", list())),
        _ => None,
    }
}

/// A scalar, or a list of them, as texts.
fn texts_of(node: &Node) -> Option<Vec<String>> {
    let items = match &node.kind {
        Kind::Map(_) | Kind::Null => return None,
        Kind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    items.iter().map(text_of).collect()
}

fn text_of(node: &Node) -> Option<String> {
    match (&node.kind, &node.written) {
        (Kind::Text(text), _) => Some(text.clone()),
        (_, written) => written.as_deref().map(str::to_owned),
    }
}

fn mapping(key: &str, texts: &[String], in_list: bool, write: impl Fn(&str) -> String) -> String {
    let texts: Vec<String> = texts.iter().map(|text| write(text)).collect();
    match in_list {
        true => format!("{{ {key}: [{}] }}", texts.join(", ")),
        false => format!("{{ {key}: {} }}", texts.join(", ")),
    }
}

/// A text in one line of YAML, whatever it holds: JSON is YAML.
fn whole(text: &str) -> String {
    as_yaml(text).unwrap_or_else(|| Value::String(text.to_owned()).to_string())
}

fn shown(text: &str) -> String {
    as_yaml(text).unwrap_or_else(|| "…".to_owned())
}

/// A short text as it stands in one line of YAML, between braces.
pub(super) fn as_yaml(text: &str) -> Option<String> {
    let is_long = text.contains(['\n', '`']) || text.chars().count() > MOST_QUOTED;
    (!is_long).then(|| plain_or_quoted(text))
}

fn plain_or_quoted(text: &str) -> String {
    let is_harmless = |character: char| character.is_ascii_alphanumeric() || "/._-".contains(character);
    let is_plain = text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.chars().all(is_harmless);
    match is_plain && !NO_TEXTS.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "''")),
    }
}
