//! Holds what is published beside the program: schemas that fit the types, and plans that are valid.

use super::arguments::SchemaOf;
use super::schema;
use super::testing::ports;
use crate::action::Registry;
use crate::actions::{Places, registry};
use crate::plan::{Source, check};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn beside(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub(super) fn actions() -> Registry {
    registry(&ports(), &Places { backups: PathBuf::from("backups") })
}

fn is_fresh(path: &str, of: SchemaOf) {
    let made = format!("{}\n", schema::text(&schema::of(of, &actions())));
    if std::env::var_os("BOWLINE_WRITE_SCHEMAS").is_some() {
        fs::write(beside(path), &made).unwrap();
    }
    let published = fs::read_to_string(beside(path)).unwrap_or_default();
    assert!(published == made, "{path} is stale: run this test with BOWLINE_WRITE_SCHEMAS=1 and commit what it writes");
}

#[cfg(feature = "kubernetes")]
#[test]
fn the_schema_of_plans_is_fresh() {
    is_fresh("schemas/plan.schema.json", SchemaOf::Plan);
}

#[test]
fn the_schema_of_records_is_fresh() {
    is_fresh("schemas/record.schema.json", SchemaOf::Record);
}

#[test]
fn the_schema_of_events_is_fresh() {
    is_fresh("schemas/event.schema.json", SchemaOf::Event);
}

#[cfg(feature = "kubernetes")]
#[test]
fn every_plan_that_is_published_is_valid_and_warns_of_nothing() {
    let mut found = 0;
    for entry in fs::read_dir(beside("plans")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let plan = check(&Source::new(&name, fs::read_to_string(&path).unwrap()), &actions());
            let plan = plan.unwrap_or_else(|problems| panic!("{problems:?}"));
            assert!(plan.warnings.is_empty(), "{name}: {:?}", plan.warnings);
            found += 1;
        }
    }
    assert!(found > 0);
}

/// The first YAML block of the README is a plan that people will copy.
#[test]
fn the_plan_in_the_readme_is_valid() {
    let text = fs::read_to_string(beside("README.md")).unwrap();
    let block = text.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let plan = check(&Source::new("README.md", block), &actions());
    assert!(plan.is_ok_and(|plan| plan.warnings.is_empty() && plan.steps.len() == 2));
}

/// The schema as a program that is not ours reads it.
#[cfg(feature = "kubernetes")]
fn accepts(text: &str) -> Result<(), String> {
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    let published = serde_json::from_str(&fs::read_to_string(beside("schemas/plan.schema.json")).unwrap()).unwrap();
    compiler.add_resource("plan.schema.json", published).unwrap();
    let schema = compiler.compile("plan.schema.json", &mut schemas).unwrap();
    let plan: Value = crate::expr::yaml::documents(text).unwrap().remove(0);
    schemas.validate(&plan, schema).map_err(|error| error.to_string())
}

#[cfg(feature = "kubernetes")]
#[test]
fn an_independent_validator_accepts_the_published_plans_and_refuses_broken_ones() {
    let mut found = 0;
    for entry in fs::read_dir(beside("plans")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            accepts(&fs::read_to_string(&path).unwrap()).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
            found += 1;
        }
    }
    assert!(found > 0);
    let whole = "plan: p\ninputs:\n  zones: { type: list, enum: [eu, us], default: [eu] }\n  wait: { type: duration, min: 1s }\nsteps:\n- id: a\n  for-each: '{{ inputs.zones }}'\n  max-parallel: 2\n  locks: [db]\n  scale: { deployment: 'web-{{ each.key }}', replicas: '{{ inputs.n }}' }\n- id: b\n  for-each: { eu: { n: 1 } }\n  shell: { run: x, read-only: '{{ inputs.on }}' }\n";
    accepts(whole).unwrap();
    for (from, to) in [
        ("replicas: '{{ inputs.n }}'", "replicas: two"),
        ("shell:", "shel:"),
        ("type: list", "type: sting"),
        ("max-parallel: 2", "max-parallel: 0"),
        ("- id: a\n ", "-"),
        ("for-each: { eu: { n: 1 } }", "for-each: 5"),
    ] {
        let broken = whole.replace(from, to);
        assert!(broken != whole && accepts(&broken).is_err(), "{to}");
    }
}
