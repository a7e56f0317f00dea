//! Reads everything above a plan's steps. It knows no step.

use super::simulate::named_in_scenario;
use super::{Draft, Named, Reader};
use crate::expr::yaml::{Entry, Kind, Node};
use crate::ids::{LockName, LockNamespace, PlanName};
use crate::plan::decode::decode_as;
use crate::plan::model::{Environment, Input};
use crate::plan::suggest::{instead, instead_key};
use crate::plan::written::{Defaults, EnvironmentWritten, RetryWritten, SecretSource};
use crate::scenario::Scenario;
use indexmap::IndexMap;
use std::collections::HashSet;
use std::num::NonZeroU32;
use std::ops::Range;

/// The keys of a plan.
pub(in crate::plan) const PLAN_KEYS: [&str; 11] =
    ["plan", "about", "inputs", "environments", "secrets", "defaults", "concurrency", "lock", "lock-namespace", "simulate", "steps"];
/// The keys of an environment that are no inputs.
const RESERVED: [&str; 4] = ["namespace", "context", "lock", "lock-namespace"];

/// Everything above the steps.
#[derive(Default)]
pub(in crate::plan) struct Head {
    pub(in crate::plan) name: Option<PlanName>,
    pub(in crate::plan) about: Option<String>,
    pub(in crate::plan) inputs: IndexMap<String, Input>,
    /// Inputs of which not all could be read: what they are like is not known.
    pub(in crate::plan) broken_inputs: HashSet<String>,
    /// `inputs` is no mapping: nobody can say that a name stands for none.
    pub(in crate::plan) has_broken_inputs: bool,
    /// Where each input begins.
    pub(in crate::plan) input_spans: Vec<(String, Range<usize>)>,
    pub(in crate::plan) environments: IndexMap<String, Environment>,
    pub(in crate::plan) secrets: IndexMap<String, SecretSource>,
    /// Some secret could not be read: nobody can say that a name stands for none.
    pub(in crate::plan) has_broken_secrets: bool,
    pub(in crate::plan) defaults: Defaults,
    pub(in crate::plan) concurrency: u32,
    pub(in crate::plan) lock: Option<LockName>,
    pub(in crate::plan) lock_namespace: Option<LockNamespace>,
    pub(in crate::plan) simulate: Scenario,
    /// The steps that `simulate` names.
    pub(in crate::plan) simulated: Vec<Named>,
}

/// The inputs that environments can give values to.
struct Known<'h> {
    inputs: &'h IndexMap<String, Input>,
    broken: &'h HashSet<String>,
}

impl Reader<'_, '_> {
    /// Reads what stands around the steps, which were taken before.
    pub(in crate::plan) fn plan(&mut self, root: &Node) -> (Head, Vec<Draft>) {
        let entries = self.entries_of(root, "a mapping with the keys `plan` and `steps`");
        if !matches!(root.kind, Kind::Map(_)) {
            return (Head::default(), Vec::new());
        }
        for entry in entries.iter().filter(|entry| !PLAN_KEYS.contains(&entry.key.as_str())) {
            let problem = self.notes.error("plan::unknown-key", &entry.key_span, format!("there is no key `{}` in a plan", entry.key));
            problem.help(instead_key(&entry.key, "keys", PLAN_KEYS));
        }
        let head = self.head(root);
        let start = 0..root.label.end.min(self.notes.source.text.len());
        let whole = entries.first().map_or(start, |first| first.key_span.clone());
        match root.get("steps") {
            Some(node) => self.check_list(node),
            None => self.missing("steps", "- id: first", &whole),
        }
        (head, std::mem::take(&mut self.drafts))
    }

    fn missing(&mut self, key: &str, example: &str, span: &Range<usize>) {
        let problem = self.notes.error("plan::missing-key", span, format!("a plan needs the key `{key}`"));
        problem.help(format!("add `{key}:` with for example `{example}`"));
    }

    fn head(&mut self, root: &Node) -> Head {
        let mut broken_inputs = HashSet::new();
        let inputs = root.get("inputs").map(|node| self.inputs(node, &mut broken_inputs)).unwrap_or_default();
        let known = Known { inputs: &inputs, broken: &broken_inputs };
        let environments = root.get("environments").map(|node| self.environments(node, &known)).unwrap_or_default();
        let defaults = root.get("defaults").and_then(|node| self.piece::<Defaults>(node, "`defaults`")).unwrap_or_default();
        if let Some(node) = root.get("defaults").and_then(|node| node.get("retry")) {
            self.check_factor(node, defaults.retry.as_ref());
        }
        let secrets = root.get("secrets").map(|node| self.secrets(node)).unwrap_or_default();
        Head {
            name: self.name(root),
            has_broken_secrets: root.get("secrets").is_some_and(|node| node.entries().len() > secrets.len()),
            about: root.get("about").and_then(|node| self.piece(node, "`about`")),
            secrets,
            concurrency: root.get("concurrency").and_then(|node| self.piece::<NonZeroU32>(node, "a plan")).map_or(0, NonZeroU32::get),
            lock: root.get("lock").and_then(|node| self.piece(node, "`lock`")),
            lock_namespace: root.get("lock-namespace").and_then(|node| self.piece(node, "`lock-namespace`")),
            simulate: root.get("simulate").map(|node| self.scenario(node)).unwrap_or_default(),
            simulated: root.get("simulate").map(named_in_scenario).unwrap_or_default(),
            input_spans: root
                .get("inputs")
                .into_iter()
                .flat_map(Node::entries)
                .map(|entry| (entry.key.clone(), entry.key_span.clone()))
                .collect(),
            has_broken_inputs: root.get("inputs").is_some_and(|node| !matches!(node.kind, Kind::Map(_) | Kind::Null)),
            inputs,
            broken_inputs,
            environments,
            defaults,
        }
    }

    fn name(&mut self, root: &Node) -> Option<PlanName> {
        match root.get("plan") {
            Some(node) => self.piece(node, "`plan`"),
            None => {
                let first = root.entries().first().map_or(root.label.clone(), |entry| entry.key_span.clone());
                self.missing("plan", "plan: my-service", &first);
                None
            }
        }
    }

    /// Reads a piece that must be known before the run.
    fn piece<T: serde::de::DeserializeOwned>(&mut self, node: &Node, what: &str) -> Option<T> {
        let decoded = decode_as::<T>(node);
        self.tell(&decoded.failures, what);
        self.refuse_templates(node);
        decoded.value
    }

    fn environments(&mut self, node: &Node, known: &Known<'_>) -> IndexMap<String, Environment> {
        let entries = self.entries_of(node, "a mapping of environments");
        entries.iter().map(|entry| (entry.key.clone(), self.environment(entry, known))).collect()
    }

    fn environment(&mut self, entry: &Entry, known: &Known<'_>) -> Environment {
        self.check_name(entry, "an environment");
        let entries = self.entries_of(&entry.value, "a mapping with `namespace`, `context` or inputs");
        let (reserved, given): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|inner| RESERVED.contains(&inner.key.as_str()));
        let own = Node { kind: Kind::Map(reserved.into_iter().cloned().collect()), ..entry.value.clone() };
        let written: EnvironmentWritten = self.piece(&own, "an environment").unwrap_or_default();
        let mut values = IndexMap::new();
        for inner in given {
            match known.inputs.get(&inner.key) {
                Some(_) if known.broken.contains(&inner.key) => {}
                Some(input) => values.extend(self.value_of(&inner.value, input).map(|value| (inner.key.clone(), value))),
                None => {
                    let names: Vec<&str> = RESERVED.into_iter().chain(known.inputs.keys().map(String::as_str)).collect();
                    let message = format!("`{}` is neither a key of environments nor an input", inner.key);
                    let help = instead(&inner.key, "keys and inputs", names);
                    self.notes.error("plan::unknown-key", &inner.key_span, message).help(help);
                }
            }
        }
        let EnvironmentWritten { namespace, context, lock, lock_namespace } = written;
        Environment { namespace, context, lock, lock_namespace, inputs: values }
    }

    fn secrets(&mut self, node: &Node) -> IndexMap<String, SecretSource> {
        if !matches!(node.kind, Kind::Map(_) | Kind::Null) {
            // What stands here may be the secrets themselves.
            self.mask(node);
            let problem = self.notes.error("plan::wrong-type", &node.label, "`secrets` tells of each name where that secret comes from");
            problem.help("write for example `secrets: { token: { env: TOKEN } }`");
        }
        let entries = node.entries();
        entries.iter().filter_map(|entry| Some((entry.key.clone(), self.secret(entry)?))).collect()
    }

    fn secret(&mut self, entry: &Entry) -> Option<SecretSource> {
        self.check_name(entry, "a secret");
        let decoded = decode_as::<SecretSource>(&entry.value);
        if decoded.failures.is_empty() {
            self.refuse_templates(&entry.value);
            return decoded.value;
        }
        // Whatever stands here instead may be the secret itself: it is shown to nobody.
        self.mask(&entry.value);
        let message = format!("`{}` must say where the secret comes from, not what it is", entry.key);
        let problem = self.notes.error("plan::secret-source", &entry.key_span, message);
        problem.help(
            "write one of `{ env: VARIABLE }`, `{ file: PATH }`, `{ command: [program, argument] }` and `{ kubernetes: { secret: NAME, key: KEY } }`",
        );
        None
    }

    fn mask(&mut self, node: &Node) {
        match &node.kind {
            Kind::List(items) => items.iter().for_each(|item| self.mask(item)),
            Kind::Map(entries) => entries.iter().for_each(|entry| self.mask(&entry.value)),
            _ => self.notes.mask(&node.span),
        }
    }

    /// A factor below 1 would make delays shrink to nothing.
    pub(super) fn check_factor(&mut self, node: &Node, retry: Option<&RetryWritten>) {
        let Some(factor) = retry.and_then(|retry| retry.factor) else { return };
        if !(1.0..=100.0).contains(&factor) {
            let span = node.get("factor").map_or(&node.label, |node| &node.label);
            self.notes.error("plan::wrong-value", span, "the delay grows by a factor from 1 to 100").help("write for example `factor: 2`");
        }
    }
}
