//! Whether objects are as they are waited for, and what they are instead, in words. Pure.

use super::WaitForParams;
use crate::actions::object_condition::{holds, values};
use crate::cluster::Object;
use crate::expr::Condition;

/// What a look found out.
#[derive(Debug, PartialEq)]
pub(super) enum Look {
    /// All is as it was waited for.
    Done,
    /// Not yet, and what it is instead.
    NotYet(String),
    /// It will never be: the expression makes no sense.
    Never(String),
}

pub(super) fn look(params: &WaitForParams, condition: Option<&Condition>, objects: &[&Object]) -> Look {
    let wanted = params.at_least.unwrap_or(1);
    if params.absent {
        return match objects {
            [] => Look::Done,
            [one] => Look::NotYet(format!("{} is {}", one.reference(), if one.is_terminating() { "being deleted" } else { "still there" })),
            [one, rest @ ..] => Look::NotYet(format!("{} and {} more are still there", one.reference(), rest.len())),
        };
    }
    if objects.len() < wanted {
        return Look::NotYet(match params.object.as_ref() {
            Some(object) => format!("there is no {object}"),
            None => format!("there are {} of {wanted} objects of {}", objects.len(), params.title()),
        });
    }
    let Some(condition) = condition else { return Look::Done };
    let mut waits: Vec<String> = Vec::new();
    for object in objects {
        match holds(condition, object) {
            Ok(true) => {}
            Ok(false) => waits.push(format!("{}: {}", object.reference(), values(condition, object))),
            Err(why) => return Look::Never(why),
        }
    }
    match waits.as_slice() {
        [] => Look::Done,
        [one] => Look::NotYet(one.clone()),
        [one, rest @ ..] => Look::NotYet(format!("{one} (and {} more)", rest.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::{Look, look};
    use crate::actions::wait_for::{WaitForParams, condition};
    use crate::cluster::Object;
    use serde_json::{Value, json};

    fn claim(name: &str, status: Value) -> Object {
        Object(json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": name }, "status": status }))
    }

    fn looked(params: Value, objects: &[Object]) -> Look {
        let params: WaitForParams = serde_json::from_value(params).unwrap();
        let condition = params.until.as_deref().map(|text| condition("until", text).unwrap());
        look(&params, condition.as_ref(), &objects.iter().collect::<Vec<_>>())
    }

    fn not_yet(params: Value, objects: &[Object]) -> String {
        match looked(params, objects) {
            Look::NotYet(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_field_is_instead_is_told() {
        let bound = json!({ "object": "persistentvolumeclaim/data", "until": "object.status.phase == 'Bound'" });
        let text = |status: Value| not_yet(bound.clone(), &[claim("data", status)]);
        insta::assert_snapshot!(text(json!({ "phase": "Pending" })), @r#"persistentvolumeclaim/data: object.status.phase is "Pending""#);
        insta::assert_snapshot!(text(json!({})), @"persistentvolumeclaim/data: object.status.phase is not there");
        insta::assert_snapshot!(not_yet(bound.clone(), &[]), @"there is no persistentvolumeclaim/data");
        assert_eq!(looked(bound, &[claim("data", json!({ "phase": "Bound" }))]), Look::Done);
    }

    #[test]
    fn every_object_of_a_selector_must_be_as_wanted() {
        let all = json!({ "kind": "pvc-is-unknown", "at-least": 2, "until": "object.status.phase == 'Bound'" });
        let (bound, pending) = (claim("a", json!({ "phase": "Bound" })), claim("b", json!({ "phase": "Pending" })));
        insta::assert_snapshot!(not_yet(all.clone(), std::slice::from_ref(&bound)), @"there are 1 of 2 objects of pvc-is-unknown");
        insta::assert_snapshot!(not_yet(all.clone(), &[bound.clone(), pending]), @r#"persistentvolumeclaim/b: object.status.phase is "Pending""#);
        assert_eq!(looked(all, &[bound.clone(), bound]), Look::Done);
    }

    #[test]
    fn a_list_of_conditions_can_be_asked() {
        let ready = json!({ "object": "example.com/v1/Gadget/g", "until": "object.status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')" });
        let with = |status: &str| claim("g", json!({ "conditions": [{ "type": "Ready", "status": status }] }));
        assert_eq!(looked(ready.clone(), &[with("True")]), Look::Done);
        assert!(not_yet(ready.clone(), &[with("False")]).contains("conditions is ["));
        assert!(not_yet(ready, &[claim("g", json!({}))]).contains("is not there"));
    }

    #[test]
    fn an_expression_that_is_never_true_or_false_ends_the_wait() {
        let text = json!({ "object": "pod/a", "until": "object.metadata.name" });
        assert!(matches!(looked(text, &[claim("a", json!({}))]), Look::Never(why) if why.contains("not true or false")));
    }

    #[test]
    fn nothing_of_a_secret_is_told() {
        let secret =
            Object(json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s" }, "data": { "key": "aHVudGVyMg==" } }));
        let text = not_yet(json!({ "object": "secret/s", "until": "object.data.key == ''" }), &[secret]);
        insta::assert_snapshot!(text, @"secret/s: `object.data.key == ''` does not hold");
    }

    #[test]
    fn gone_is_gone() {
        let absent = json!({ "object": "pod/a", "absent": true });
        insta::assert_snapshot!(not_yet(absent.clone(), &[claim("a", json!({}))]), @"persistentvolumeclaim/a is still there");
        assert_eq!(looked(absent, &[]), Look::Done);
    }
}
