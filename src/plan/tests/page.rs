//! The page of the language tells every key that is read, and no other.

use crate::plan::read::PLAN_KEYS;
use crate::plan::written::STEP_KEYS;
use std::collections::BTreeSet;

/// The names in the first column of the first table under a heading.
fn told(heading: &str) -> BTreeSet<&'static str> {
    let page = include_str!("../../../docs/language.md");
    let below = page.lines().skip_while(|line| *line != heading).skip_while(|line| !line.starts_with('|'));
    below.skip(2).take_while(|line| line.starts_with('|')).filter_map(|row| row.split('`').nth(1)).collect()
}

#[test]
fn every_key_has_its_line() {
    assert_eq!(told("## Keys of a plan"), BTreeSet::from(PLAN_KEYS));
    assert_eq!(told("## Keys of a step"), BTreeSet::from(STEP_KEYS));
}

#[test]
fn every_type_of_an_input_has_its_line() {
    let mut generator = schemars::SchemaGenerator::default();
    let schema = generator.subschema_for::<crate::plan::InputType>();
    let definitions = generator.take_definitions(true);
    let text = serde_json::json!([schema, definitions]).to_string();
    let types = told("## Inputs");
    assert_eq!(types.len(), 7);
    types.iter().for_each(|word| assert!(text.contains(&format!("\"const\":\"{word}\"")), "{word}: {text}"));
}

#[test]
fn what_expressions_see_has_its_line() {
    assert_eq!(told("## Templates"), BTreeSet::from(["inputs", "steps", "run", "each"]));
}
