//! Which rights a run lacks, before it writes anything. It grants nothing and knows no action.
//!
//! One review tells most rules that hold in a namespace; a right that none of them gives is asked for by itself, since
//! authorisers that are no rules (webhooks, node rights) do not stand in that answer.

use crate::cluster::answer::ApiError;
use crate::cluster::api::Cluster;
use crate::cluster::request::Address;
use futures::stream::{StreamExt, TryStreamExt, iter};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Requests that are sent side by side.
const SIDE_BY_SIDE: usize = 16;

/// A right to do something with objects of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Right {
    /// What: `get`, `patch`, `delete`.
    pub verb: &'static str,
    /// The group; empty for the core group.
    pub group: String,
    /// The name of the kind in paths, with its subresource: `pods/exec`.
    pub resource: String,
    /// The namespace; none for kinds of the whole cluster.
    pub namespace: Option<String>,
    /// The object; none for all of the kind.
    pub name: Option<String>,
    /// It is only needed to take the change back.
    pub for_undo: bool,
}

impl Right {
    /// A right on one object. `create`, `list` and `watch` cannot be given for a name.
    pub fn on(verb: &'static str, at: &Address) -> Self {
        let named = !matches!(verb, "create" | "list" | "watch");
        Self {
            verb,
            group: at.kind.group().to_owned(),
            resource: at.kind.plural.clone(),
            namespace: at.namespace.clone(),
            name: named.then(|| at.name.clone()),
            for_undo: false,
        }
    }

    /// A right on the pods of a namespace, or on a part of them: `pods/exec`.
    pub fn on_pods(verb: &'static str, resource: &str, namespace: &str) -> Self {
        let (group, resource) = (String::new(), resource.to_owned());
        Self { verb, group, resource, namespace: Some(namespace.to_owned()), name: None, for_undo: false }
    }

    /// The same right, needed only to take the change back.
    pub fn for_undo(self) -> Self {
        Self { for_undo: true, ..self }
    }

    /// The same, whatever it is needed for.
    fn plain(&self) -> Self {
        Self { for_undo: false, ..self.clone() }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_all = self.group == "*" && self.resource == "*";
        write!(f, "may not {} {}", self.verb, if is_all { "objects of every kind" } else { &self.resource })?;
        if !self.group.is_empty() && !is_all {
            write!(f, ".{}", self.group)?;
        }
        if let Some(name) = &self.name {
            write!(f, " `{name}`")?;
        }
        if let Some(namespace) = &self.namespace {
            write!(f, " in namespace `{namespace}`")?;
        }
        f.write_str(if self.for_undo { ": needed to take the change back" } else { "" })
    }
}

/// Those of the rights that we do not have. A right for several objects of a kind is told once, without their names.
///
/// # Errors
/// When the server does not say.
pub async fn missing(cluster: &Cluster, rights: &[Right]) -> Result<Vec<Right>, ApiError> {
    let wanted: BTreeSet<Right> = rights.iter().map(Right::plain).collect();
    let mut open: Vec<Right> = Vec::new();
    let namespaces: BTreeSet<String> = wanted.iter().filter_map(|right| right.namespace.clone()).collect();
    let reviews = namespaces.into_iter().map(|namespace| async move {
        let rules = rules(cluster, &namespace).await?;
        Ok((namespace, rules))
    });
    let rules: BTreeMap<String, Vec<Value>> = iter(reviews).buffer_unordered(SIDE_BY_SIDE).try_collect().await?;
    for right in &wanted {
        let given = right.namespace.as_deref().and_then(|namespace| rules.get(namespace)).is_some_and(|rules| gives(rules, right));
        if !given {
            open.push(right.clone());
        }
    }
    let asked = open.into_iter().map(|right| async move { Ok((is_allowed(cluster, &right).await?, right)) });
    let answers: Vec<(bool, Right)> = iter(asked).buffered(SIDE_BY_SIDE).try_collect().await?;
    let refused: BTreeSet<Right> = answers.into_iter().filter(|(allowed, _)| !allowed).map(|(_, right)| right).collect();
    Ok(told_once(rights.iter().filter(|right| refused.contains(&right.plain())).cloned().collect()))
}

/// The same right on several objects is one problem; a right that the change itself needs is not told again for its undo.
fn told_once(missing: Vec<Right>) -> Vec<Right> {
    let mut groups: Vec<Right> = Vec::new();
    for right in missing {
        let same = |known: &&mut Right| {
            (known.verb, &known.group, &known.resource, &known.namespace) == (right.verb, &right.group, &right.resource, &right.namespace)
        };
        match groups.iter_mut().find(same) {
            Some(known) => {
                known.for_undo &= right.for_undo;
                if known.name != right.name {
                    known.name = None;
                }
            }
            None => groups.push(right),
        }
    }
    groups
}

/// The rules that hold for us in a namespace, asked once a connection.
async fn rules(cluster: &Cluster, namespace: &str) -> Result<Vec<Value>, ApiError> {
    let kept = cluster.rules.lock().await.get(namespace).cloned();
    if let Some(rules) = kept {
        return Ok(rules);
    }
    let review = json!({ "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": { "namespace": namespace } });
    let answer = cluster.review("selfsubjectrulesreviews", &review).await?;
    let rules = answer["status"]["resourceRules"].as_array().cloned().unwrap_or_default();
    cluster.rules.lock().await.insert(namespace.to_owned(), rules.clone());
    Ok(rules)
}

async fn is_allowed(cluster: &Cluster, right: &Right) -> Result<bool, ApiError> {
    let (resource, subresource) = right.resource.split_once('/').unwrap_or((&right.resource, ""));
    let attributes = json!({
        "verb": right.verb, "group": right.group, "resource": resource, "subresource": subresource,
        "namespace": right.namespace.as_deref().unwrap_or_default(), "name": right.name.as_deref().unwrap_or_default(),
    });
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": { "resourceAttributes": attributes }
    });
    let answer = cluster.review("selfsubjectaccessreviews", &review).await?;
    Ok(answer["status"]["allowed"] == true)
}

fn gives(rules: &[Value], right: &Right) -> bool {
    let holds = |rule: &Value, part: &str, wanted: &str| {
        rule[part].as_array().is_some_and(|list| list.iter().any(|given| given == "*" || given == wanted))
    };
    let names = |rule: &Value| match rule["resourceNames"].as_array().filter(|names| !names.is_empty()) {
        None => true,
        Some(names) => right.name.as_ref().is_some_and(|name| names.iter().any(|given| given == name.as_str())),
    };
    rules.iter().any(|rule| {
        holds(rule, "verbs", right.verb)
            && holds(rule, "apiGroups", &right.group)
            && holds(rule, "resources", &right.resource)
            && names(rule)
    })
}

#[cfg(test)]
mod tests {
    use super::{Right, gives, told_once};
    use crate::cluster::request::Address;
    use serde_json::json;

    fn on(verb: &'static str, name: &str) -> Right {
        Right::on(verb, &Address::known("Deployment", "shop", name))
    }

    #[test]
    fn a_rule_gives_what_it_names() {
        let all = [json!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] })];
        assert!(gives(&all, &on("patch", "web")));
        let some = [json!({ "verbs": ["get", "patch"], "apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["web"] })];
        assert!(gives(&some, &on("patch", "web")));
        for not in [on("patch", "other"), on("delete", "web"), on("create", "web"), Right { group: String::new(), ..on("get", "web") }] {
            assert!(!gives(&some, &not), "{not}");
        }
        let exec = Right::on_pods("create", "pods/exec", "shop");
        assert!(!gives(&[json!({ "verbs": ["create"], "apiGroups": [""], "resources": ["pods"] })], &exec));
    }

    #[test]
    fn one_missing_right_is_told_once() {
        let told =
            told_once(vec![on("delete", "a").for_undo(), on("delete", "b").for_undo(), on("patch", "a"), on("patch", "a").for_undo()]);
        let told: Vec<String> = told.iter().map(Right::to_string).collect();
        assert_eq!(
            told,
            [
                "may not delete deployments.apps in namespace `shop`: needed to take the change back",
                "may not patch deployments.apps `a` in namespace `shop`"
            ]
        );
    }
}
