//! When each change of an `apply` is taken back, and what has to wait for what could not be. It takes nothing back.

use super::order::{self, rank, removal_rank};
use crate::cluster::undo::Change;
use crate::cluster::{Address, Object};
use serde_json::Value;

/// When a change is taken back, among those of its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    /// What the run made and could refuse every write that follows.
    Unblock,
    /// What was there before and could refuse them as the run left it.
    Unbar,
    /// Configuration that was there before: whoever starts from now on reads it.
    Configuration,
    /// All else that was there before.
    Standing,
    /// What the run made.
    Made,
    /// Definitions of kinds that know fewer versions than the run wrote: its objects can only be reached before that.
    Definition,
    /// What all else stands on: definitions, rights, namespaces.
    Ground,
}

/// The turn of a change among all of its step.
pub(super) fn turn(change: &Change, all: &[Address]) -> Turn {
    let kind = change.at.kind.kind.as_str();
    match &change.before {
        None if order::is_blocking(kind) => Turn::Unblock,
        None if removal_rank(kind) >= removal_rank("CustomResourceDefinition") => Turn::Ground,
        None => Turn::Made,
        Some(before) if order::is_blocking(kind) && !is_stricter(before, &change.after) => Turn::Unbar,
        Some(before) if kind == "CustomResourceDefinition" && all.iter().any(|at| takes_away(before, at)) => Turn::Definition,
        Some(_) if is_configuration(kind) => Turn::Configuration,
        Some(_) => Turn::Standing,
    }
}

/// True when something that the run made has to stay while this, which was there before, could not be restored: it may name it still.
/// Configuration names nothing but configuration, as a binding names an account.
pub(super) fn names(unrestored: &Address, made: &Address) -> bool {
    !is_configuration(&unrestored.kind.kind) || is_configuration(&made.kind.kind)
}

/// True for an object of the kind that a definition defines.
pub(super) fn defines(definition: &Object, at: &Address) -> bool {
    at.kind.group() == definition.text("/spec/group") && at.kind.kind == definition.text("/spec/names/kind")
}

fn is_configuration(kind: &str) -> bool {
    rank(kind) <= rank("Secret")
}

/// True when an object cannot be reached any more, as it was written, once its definition is this one.
fn takes_away(definition: &Object, at: &Address) -> bool {
    let version = at.kind.api_version.rsplit('/').next();
    let is_served = |known: &Value| known["name"].as_str() == version && known["served"] == true;
    defines(definition, at) && !definition.list("/spec/versions").iter().any(is_served)
}

/// True when a configuration of webhooks refuses, while one of them does not answer, what it lets pass as the run left it.
fn is_stricter(before: &Object, after: &Object) -> bool {
    let hooks = |object: &Object| object.list("/webhooks").to_vec();
    let refuses = |hook: &Value| hook["failurePolicy"] != "Ignore";
    let after = hooks(after);
    hooks(before).iter().filter(|hook| refuses(hook)).any(|hook| !after.iter().any(|now| now["name"] == hook["name"] && refuses(now)))
}

#[cfg(test)]
mod tests {
    use super::{Turn, names, turn};
    use crate::cluster::undo::Change;
    use crate::cluster::{Address, Kind, Object};
    use serde_json::{Value, json};

    fn change(kind: &str, before: Option<Value>, after: Value) -> Change {
        let at = Address::known(kind, "shop", "x");
        Change { at, created: before.is_none(), before: before.map(Object), after: Object(after) }
    }

    fn widget(version: &str) -> Address {
        let kind = Kind { api_version: format!("a.test/{version}"), kind: "Widget".into(), plural: "widgets".into(), namespaced: true };
        Address { kind, namespace: Some("shop".to_owned()), name: "w".to_owned() }
    }

    fn hooks(policy: Value) -> Value {
        json!({ "webhooks": [{ "name": "a", "failurePolicy": policy }] })
    }

    #[test]
    fn webhooks_go_back_before_the_writes_that_they_refuse() {
        let of = |before, after| turn(&change("ValidatingWebhookConfiguration", before, after), &[]);
        assert_eq!(of(None, hooks(json!("Fail"))), Turn::Unblock);
        assert_eq!(of(Some(hooks(json!("Ignore"))), hooks(json!("Fail"))), Turn::Unbar);
        assert_eq!(of(Some(hooks(json!("Fail"))), hooks(json!("Fail"))), Turn::Unbar);
        assert_eq!(of(Some(hooks(Value::Null)), hooks(json!("Ignore"))), Turn::Standing, "it refuses more than what it replaces");
        assert_eq!(of(Some(hooks(json!("Fail"))), json!({})), Turn::Standing);
    }

    #[test]
    fn a_definition_waits_for_objects_that_it_would_put_out_of_reach() {
        let definition = json!({ "spec": { "group": "a.test", "names": { "kind": "Widget" },
            "versions": [{ "name": "v1", "served": true }, { "name": "v0", "served": false }] } });
        let of = |at: Address| turn(&change("CustomResourceDefinition", Some(definition.clone()), json!({})), &[at]);
        assert_eq!(of(widget("v2")), Turn::Definition);
        assert_eq!(of(widget("v0")), Turn::Definition);
        assert_eq!(of(widget("v1")), Turn::Configuration, "its schema may be what the objects need");
        assert_eq!(of(Address::known("Deployment", "shop", "x")), Turn::Configuration);
    }

    #[test]
    fn what_was_there_goes_back_before_what_was_made_goes() {
        let there = |kind| turn(&change(kind, Some(json!({})), json!({})), &[]);
        let made = |kind| turn(&change(kind, None, json!({})), &[]);
        assert_eq!((there("ConfigMap"), there("Deployment")), (Turn::Configuration, Turn::Standing));
        assert_eq!((made("Deployment"), made("ConfigMap")), (Turn::Made, Turn::Made));
        assert_eq!((made("CustomResourceDefinition"), made("Role"), made("Namespace")), (Turn::Ground, Turn::Ground, Turn::Ground));
    }

    #[test]
    fn what_could_not_be_restored_may_still_name_what_was_made() {
        let at = |kind| Address::known(kind, "shop", "x");
        assert!(names(&at("Service"), &at("Deployment")) && names(&at("Deployment"), &at("ConfigMap")));
        assert!(names(&at("RoleBinding"), &at("ServiceAccount")));
        assert!(!names(&at("ConfigMap"), &at("Deployment")));
    }
}
