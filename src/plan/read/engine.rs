//! Reads the kinds of step that the engine carries out itself.

use super::params::named_secrets;
use super::{APPROVE, Draft, GUARD, Named, PAUSE, Reader};
use crate::action::{DynAction, Frozen};
use crate::expr::yaml::{Entry, Kind, Node};
use crate::expr::{Template, Text};
use crate::ids::Period;
use crate::plan::decode::{Failure, Mistake, decode, decode_as};
use crate::plan::model::Does;
use crate::plan::written::{ApproveWritten, GuardWritten, PauseWritten};
use std::time::Duration;

/// Time that a rollback may take unless the plan says otherwise.
pub(in crate::plan) const BUDGET: Period = Period(Duration::from_secs(600));

impl Reader<'_, '_> {
    pub(super) fn engine_kind(&mut self, entry: &Entry, draft: &mut Draft) {
        draft.does = match entry.key.as_str() {
            GUARD => self.guard(entry, draft),
            APPROVE => self.approve(entry, draft),
            PAUSE => self.pause(&entry.value, draft),
            _ => None,
        };
    }

    fn guard(&mut self, entry: &Entry, draft: &mut Draft) -> Option<Does> {
        let node = &entry.value;
        let decoded = decode_as::<GuardWritten>(node);
        self.tell_own(&decoded.failures, "`rollback-on-fail`", std::slice::from_ref(entry));
        ["guards", "budget"].into_iter().filter_map(|key| node.get(key)).for_each(|inner| self.refuse_templates(inner));
        draft.guards = node.get("guards").and_then(named);
        let misread = |failure: &Failure| matches!(failure.mistake, Mistake::UnknownKey { .. });
        let is_said = node.get("guards").is_some_and(|node| !matches!(node.kind, Kind::Null));
        draft.has_broken_guards = is_said && draft.guards.is_none() || decoded.failures.iter().any(misread);
        let verify = match node.get("verify").map(|node| &node.kind) {
            Some(Kind::List(probes)) => probes.iter().filter_map(|probe| self.probe(probe, draft)).collect(),
            _ => Vec::new(),
        };
        let budget = decoded.value?.budget.unwrap_or(BUDGET);
        Some(Does::Guard { guards: Vec::new(), budget, verify })
    }

    /// A probe is checked as one of a smoke test, if there is such an action.
    fn probe(&mut self, probe: &Node, draft: &mut Draft) -> Option<Template> {
        let Some(action) = self.registry.get("smoke-test").cloned() else {
            let decoded = decode_as::<serde_json::Value>(probe);
            return self.template(probe, &decoded, &mut draft.mentions);
        };
        let list = Node { id: usize::MAX, kind: Kind::List(vec![probe.clone()]), ..probe.clone() };
        let entry = Entry { key: "probes".to_owned(), key_id: usize::MAX - 1, key_span: probe.label.clone(), value: list };
        let test = Node { id: usize::MAX - 2, kind: Kind::Map(vec![entry]), ..probe.clone() };
        let decoded = decode(&test, |reader| action.decode(&mut <dyn erased_serde::Deserializer<'_>>::erase(reader)));
        self.tell(&decoded.failures, "a probe");
        named_secrets(probe, &decoded, &mut draft.secrets);
        let template = self.template(probe, &decoded, &mut draft.mentions)?;
        if decoded.failures.is_empty() && template.is_literal() {
            self.tell_probe(&*action, &test, &template);
        }
        Some(template)
    }

    /// What the action finds wrong with a probe whose parts all fit.
    fn tell_probe(&mut self, action: &dyn DynAction, test: &Node, probe: &Template) {
        let params = serde_json::json!({ "probes": [probe.sample().into_owned()] });
        let Ok(prepared) = action.prepare(&self.scope, &Frozen::default(), &params) else { return };
        for problem in &prepared.problems {
            self.tell_problem(action, problem, test, &test.label);
        }
    }

    fn approve(&mut self, entry: &Entry, draft: &mut Draft) -> Option<Does> {
        let node = &entry.value;
        let decoded = decode_as::<ApproveWritten>(node);
        self.tell_own(&decoded.failures, "`approve`", std::slice::from_ref(entry));
        node.get("timeout").into_iter().for_each(|inner| self.refuse_templates(inner));
        let message = self.template(node.get("message")?, &decoded, &mut draft.mentions)?;
        let written = decoded.value?;
        draft.timeout = written.timeout.or(draft.timeout);
        Some(Does::Approve { message })
    }

    /// `pause: 30s` or `pause: { for: 30s }`.
    fn pause(&mut self, node: &Node, draft: &mut Draft) -> Option<Does> {
        let time = match node.kind {
            Kind::Map(_) | Kind::Null => {
                let decoded = decode_as::<PauseWritten>(node);
                self.tell(&decoded.failures, "`pause`").then_some(())?;
                node.get("for")?
            }
            _ => node,
        };
        let decoded = decode_as::<Period>(time);
        if matches!(node.kind, Kind::Map(_)) || self.tell(&decoded.failures, "`pause`") {
            return self.template(time, &decoded, &mut draft.mentions).map(|time| Does::Pause { time });
        }
        None
    }
}

/// The steps of a list of ids, with their places.
pub(super) fn named(node: &Node) -> Option<Vec<Named>> {
    let Kind::List(items) = &node.kind else { return None };
    let one = |item: &Node| match (&item.kind, &item.written) {
        (Kind::Text(id), _) if !Text::is_template(id) => Some(Named { id: id.into(), span: item.label.clone() }),
        (_, Some(id)) => Some(Named { id: id.into(), span: item.label.clone() }),
        _ => None,
    };
    // No room for more: a large plan has very many of these lists, and nearly all are short.
    let mut all = Vec::with_capacity(items.len());
    all.extend(items.iter().filter_map(one));
    Some(all)
}
