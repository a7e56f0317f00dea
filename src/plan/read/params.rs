//! Reads the parameters of an action, and makes a template of them. What the action makes of them is its own affair.

use super::place::within;
use super::{Mention, Named, Reader};
use crate::action::DynAction;
use crate::expr::yaml::{Kind, Node};
use crate::expr::{Reference, Template, Text, Wanted};
use crate::plan::decode::{Decoded, Failure, Mistake, decode};
use serde_json::Value;

/// A parameter of this name takes the whole output of a step and is written as the step's id.
const STEP_OUTPUT: &str = "applied-by";
/// A parameter of this name, where a text is wanted, names a secret.
const SECRET: [&str; 2] = ["bearer", "password"];
/// A mapping of this name has names of secrets for values.
const SECRETS: [&str; 2] = ["secrets", "secret-headers"];

impl Reader<'_, '_> {
    /// The parameters as a template; none, and told, when they do not fit.
    pub(super) fn params(
        &mut self,
        action: &dyn DynAction,
        node: &Node,
        mentions: &mut Vec<Mention>,
        secrets: &mut Vec<Named>,
    ) -> Option<Template> {
        let decoded = decode(node, |reader| action.decode(&mut <dyn erased_serde::Deserializer<'_>>::erase(reader)));
        if is_no_mapping(&decoded, node) {
            let message = format!("`{kind}` takes a mapping, found {}", node.describe(), kind = action.kind());
            let shown = || format!("a mapping, such as `bowline actions {}` shows", action.kind());
            let help = format!("write {}", self.as_mapping(action, node).unwrap_or_else(shown));
            self.notes.error("plan::wrong-type", &node.label, message).help(help);
            return None;
        }
        let fits = self.tell(&decoded.failures, format_args!("`{}`", action.kind()));
        named_secrets(node, &decoded, secrets);
        let template = self.template(node, &decoded, mentions);
        template.filter(|_| fits).map(|template| self.with_outputs(node, template, mentions))
    }

    /// A tree as a template, told where a template in it is broken.
    pub(super) fn template<T>(&mut self, node: &Node, decoded: &Decoded<T>, mentions: &mut Vec<Mention>) -> Option<Template> {
        match &node.kind {
            Kind::Text(text) if Text::is_template(text) => self.hole(node, text, decoded, mentions),
            Kind::List(items) => {
                let items: Vec<_> = items.iter().map(|item| self.template(item, decoded, mentions)).collect();
                items.into_iter().collect::<Option<_>>().map(Template::list)
            }
            Kind::Map(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|entry| Some((entry.key.clone(), self.template(&entry.value, decoded, mentions)?))).collect();
                entries.into_iter().collect::<Option<_>>().map(Template::map)
            }
            _ => Some(Template::literal(scalar(node, decoded))),
        }
    }

    fn hole<T>(&mut self, node: &Node, text: &str, decoded: &Decoded<T>, mentions: &mut Vec<Mention>) -> Option<Template> {
        let source = &self.notes.source.text;
        match Text::parse(text) {
            Ok(parsed) => {
                let wanted = decoded.wanted.get(&node.id).copied().unwrap_or(Wanted::Any);
                mentions.extend(parsed.references().iter().map(|reference| Mention {
                    span: within(source, node, text, &reference.at),
                    reference: reference.clone(),
                    in_condition: false,
                    compared: None,
                    wanted: if parsed.is_plain() { wanted } else { Wanted::Any },
                    is_step: false,
                }));
                let sample = decoded.samples.get(&node.id).cloned().unwrap_or_else(|| Value::String(text.to_owned()));
                Some(Template::text(parsed, wanted, sample))
            }
            Err(error) => {
                let span = within(source, node, text, &error.at);
                let problem = self.notes.error("plan::template", &span, error.message);
                if let Some(help) = error.help {
                    problem.help(help);
                }
                None
            }
        }
    }

    /// Turns `applied-by: deploy` into the output of the step `deploy`.
    fn with_outputs(&mut self, node: &Node, template: Template, mentions: &mut Vec<Mention>) -> Template {
        let Some(named) = node.get(STEP_OUTPUT) else { return template };
        let Kind::Text(id) = &named.kind else { return template };
        if Text::is_template(id) {
            return template;
        }
        let Ok(output) = Text::parse(&format!("{{{{ steps.[{id}] }}}}")) else { return template };
        let reference = Reference { path: vec!["steps".to_owned(), id.clone()], optional: false, at: 0..id.len() };
        mentions.push(Mention {
            span: named.label.clone(),
            reference,
            in_condition: false,
            compared: None,
            wanted: Wanted::Any,
            is_step: true,
        });
        template.with_entry(STEP_OUTPUT, Template::text(output, Wanted::Any, Value::String(id.clone())))
    }
}

/// True when all that is wrong is that the whole is no mapping.
fn is_no_mapping<T>(decoded: &Decoded<T>, node: &Node) -> bool {
    matches!(decoded.failures.as_slice(), [Failure { span, mistake: Mistake::WrongType { .. }, .. }] if *span == node.label)
        && !matches!(node.kind, Kind::Map(_) | Kind::Null)
}

fn scalar<T>(node: &Node, decoded: &Decoded<T>) -> Value {
    let as_text = decoded.wanted.get(&node.id) == Some(&Wanted::Text);
    match (&node.kind, &node.written) {
        (Kind::Number(_) | Kind::Bool(_), Some(written)) if as_text => Value::String(written.clone()),
        (Kind::Bool(value), _) => Value::Bool(*value),
        (Kind::Number(number), _) => Value::Number(number.clone()),
        (Kind::Text(text), _) => Value::String(text.clone()),
        (Kind::Null, _) if decoded.empty_maps.contains(&node.id) => Value::Object(serde_json::Map::new()),
        _ => Value::Null,
    }
}

/// The secrets that parameters name. What an action takes as it comes, such as the values of a manifest, names none.
pub(super) fn named_secrets<T>(node: &Node, decoded: &Decoded<T>, found: &mut Vec<Named>) {
    let mut name = |node: &Node| match &node.kind {
        Kind::Text(id) if decoded.wanted.get(&node.id) == Some(&Wanted::Text) && !Text::is_template(id) => {
            found.push(Named { id: id.into(), span: node.label.clone() });
        }
        _ => {}
    };
    for entry in node.entries() {
        match entry.key.as_str() {
            key if SECRET.contains(&key) => name(&entry.value),
            key if SECRETS.contains(&key) => entry.value.entries().iter().for_each(|inner| name(&inner.value)),
            _ => {}
        }
    }
    match &node.kind {
        Kind::List(items) => items.iter().for_each(|item| named_secrets(item, decoded, found)),
        _ => node.entries().iter().for_each(|entry| named_secrets(&entry.value, decoded, found)),
    }
}
