//! Whose backup it is: what it is one of, where it comes from, and what it is called. It knows no archive.

use super::PostgresSource;
use crate::action::{ReadCx, RunScope};
use sha2::{Digest, Sha256};

/// Backups of one plan and environment that come from the same place replace each other. What people read of it is not enough to tell
/// them apart: two servers may have a database of the same name, and signs that a file's name does not take look alike in it.
pub(in crate::actions) fn series(scope: &RunScope, postgres: &PostgresSource) -> String {
    let environment = scope.environment.as_deref().unwrap_or_default();
    let whose = [scope.plan.as_str(), environment, &source(scope, postgres)].join("\0");
    format!("{}-{}", readable(scope, &postgres.database), sum(&whose))
}

/// What a series was called before it had a sum.
pub(in crate::actions) fn readable(scope: &RunScope, database: &str) -> String {
    let environment = scope.environment.as_deref().map(|environment| format!("{environment}-")).unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    format!("{}-{environment}{}", scope.plan, database).chars().map(plain).collect()
}

/// Where a backup comes from. It is stored with it, and compared: what it says of one place must stay the same.
pub(in crate::actions) fn source(scope: &RunScope, postgres: &PostgresSource) -> String {
    let more = [("container", &postgres.container), ("namespace", &scope.namespace), ("context", &scope.context)];
    let more = more.iter().filter_map(|(what, name)| name.as_ref().map(|name| format!(", {what} {name}")));
    format!("database {} of {}{}", postgres.database, postgres.pod, more.collect::<String>())
}

/// The name of what a step makes: the same in every attempt, and in no other run.
pub(super) fn name(cx: &ReadCx, postgres: &PostgresSource) -> String {
    format!("{}-{}-{}", series(&cx.scope, postgres), cx.scope.run, cx.step.unbracketed())
}

/// The name of a database that a step makes. PostgreSQL cuts names after 63 bytes, so the step's id goes in as a sum.
pub(in crate::actions) fn database_name(purpose: &str, cx: &ReadCx) -> String {
    let run: String = cx.scope.run.as_str().chars().take(38).collect();
    format!("bowline_{purpose}_{}_{}", run.replace('-', "_"), sum(cx.step.as_str()))
}

fn sum(text: &str) -> String {
    Sha256::digest(text).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{PostgresSource, readable, series, source};
    use crate::action::RunScope;
    use crate::ids::{PlanName, RunId};
    use serde_json::json;
    use std::collections::BTreeSet;

    fn scope(plan: &str, environment: Option<&str>) -> RunScope {
        RunScope {
            run: RunId::new("r1").unwrap(),
            plan: PlanName::new(plan).unwrap(),
            environment: environment.map(str::to_owned),
            namespace: None,
            context: None,
        }
    }

    fn postgres(pod: &str, database: &str) -> PostgresSource {
        serde_json::from_value(json!({ "pod": pod, "database": database })).unwrap()
    }

    #[test]
    fn no_two_databases_have_one_series() {
        let (shop, users) = (scope("shop", Some("staging")), postgres("pod/users", "my-app"));
        let mut all = vec![
            (shop.clone(), users.clone()),
            (shop.clone(), postgres("pod/orders", "my-app")),
            (shop.clone(), PostgresSource { container: Some("second".to_owned()), ..users.clone() }),
            (RunScope { namespace: Some("a".to_owned()), ..shop.clone() }, users.clone()),
            (RunScope { context: Some("a".to_owned()), ..shop.clone() }, users.clone()),
            (scope("shop-staging", None), users.clone()),
        ];
        all.extend(["my.app", "my app", "my_app"].map(|database| (shop.clone(), postgres("pod/users", database))));
        let names: BTreeSet<String> = all.iter().map(|(scope, postgres)| series(scope, postgres)).collect();
        assert_eq!(names.len(), all.len(), "{names:?}");
        assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))), "{names:?}");
        assert!(names.contains(&format!("{}-5005aaa4", readable(&shop, "my-app"))), "the name of a series never changes: {names:?}");
    }

    #[test]
    fn a_source_says_where_the_database_is() {
        let scope = RunScope { namespace: Some("shop".to_owned()), context: Some("prod".to_owned()), ..scope("shop", None) };
        let postgres = PostgresSource { container: Some("db".to_owned()), ..postgres("pod/users", "app") };
        insta::assert_snapshot!(source(&scope, &postgres), @"database app of pod/users, container db, namespace shop, context prod");
    }
}
