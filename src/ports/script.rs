//! A program as people write it: a text for the shell, or a list that no shell reads. It knows no plan.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// A program to run: text for `sh`, which stops at the first command that fails, or a list of the program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Script {
    /// Text for `sh -e -c`.
    Shell(String),
    /// A program and its arguments; no shell reads them.
    Program {
        /// The program.
        program: String,
        /// Its arguments.
        args: Vec<String>,
    },
}

impl Script {
    /// The program and the arguments to start it with.
    pub fn command(&self) -> (String, Vec<String>) {
        match self {
            // Without -e a line in the middle may fail and nobody hears of it.
            Script::Shell(text) => ("sh".to_owned(), ["-e", "-c", text].map(str::to_owned).to_vec()),
            Script::Program { program, args } => (program.clone(), args.clone()),
        }
    }

    /// The whole of it, so that no two are the same.
    pub fn whole(&self) -> String {
        match self {
            Script::Shell(text) => text.clone(),
            Script::Program { program, args } => {
                let words = std::iter::once(program).chain(args).map(|word| match word.contains(char::is_whitespace) || word.is_empty() {
                    true => format!("'{word}'"),
                    false => word.clone(),
                });
                words.collect::<Vec<_>>().join(" ")
            }
        }
    }

    /// One line for people: the first that does something.
    pub fn title(&self) -> String {
        let whole = match self {
            Script::Shell(text) => text.trim().to_owned(),
            Script::Program { program, args } => [std::slice::from_ref(program), args].concat().join(" "),
        };
        let says_nothing = |line: &&str| line.trim().is_empty() || line.trim_start().starts_with(['#', ':']) || is_setting(line);
        let mut lines = whole.lines();
        let first = lines.find(|line| !says_nothing(line)).or(whole.lines().next()).unwrap_or_default();
        let first: String = first.trim().chars().take(100).collect();
        if first.len() < whole.len() { format!("{first} …") } else { first }
    }
}

/// `set -eu`, and nothing behind it.
fn is_setting(line: &str) -> bool {
    line.trim().strip_prefix("set ").is_some_and(|rest| rest.starts_with(['-', '+']) && !rest.contains([';', '&', '|']))
}

impl Serialize for Script {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Script::Shell(text) => serializer.serialize_str(text),
            Script::Program { program, args } => serializer.collect_seq(std::iter::once(program).chain(args)),
        }
    }
}

impl<'de> Deserialize<'de> for Script {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScriptVisitor)
    }
}

struct ScriptVisitor;

impl<'de> Visitor<'de> for ScriptVisitor {
    type Value = Script;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text for `sh`, or a list of a program and its arguments")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Script, E> {
        match text.trim().is_empty() {
            true => Err(E::custom("there is nothing to run")),
            false => Ok(Script::Shell(text.to_owned())),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Script, A::Error> {
        let program = items.next_element::<String>()?.ok_or_else(|| A::Error::custom("there is nothing to run"))?;
        let mut args = Vec::new();
        while let Some(arg) = items.next_element()? {
            args.push(arg);
        }
        Ok(Script::Program { program, args })
    }
}

impl JsonSchema for Script {
    fn schema_name() -> Cow<'static, str> {
        "Script".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "string", "minLength": 1, "description": "Text for `sh`, which stops at the first command that fails" },
            { "type": "array", "items": { "type": "string" }, "minItems": 1, "description": "A program and its arguments; no shell reads them" }
        ] })
    }
}

#[cfg(test)]
mod tests {
    use super::Script;
    use serde_json::json;

    #[test]
    fn a_script_is_a_text_or_a_list_and_comes_back_as_it_was() {
        for (value, program, args) in [
            (json!("make\nmake install"), "sh", vec!["-e", "-c", "make\nmake install"]),
            (json!(["make", "install"]), "make", vec!["install"]),
        ] {
            let script: Script = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(script.command(), (program.to_owned(), args.into_iter().map(str::to_owned).collect()));
            assert_eq!(serde_json::to_value(&script).unwrap(), value);
        }
    }

    #[test]
    fn what_is_no_script_is_told_what_one_is() {
        let wrong = |value| serde_json::from_value::<Script>(value).unwrap_err().to_string();
        insta::assert_snapshot!(wrong(json!(3)), @"invalid type: integer `3`, expected text for `sh`, or a list of a program and its arguments");
        insta::assert_snapshot!(wrong(json!([])), @"there is nothing to run");
        insta::assert_snapshot!(wrong(json!("  ")), @"there is nothing to run");
    }

    #[test]
    fn a_title_is_one_line() {
        assert_eq!(Script::Shell("\nmake\nmake install".into()).title(), "make …");
        assert_eq!(Script::Program { program: "make".into(), args: vec!["-j".into()] }.title(), "make -j");
    }
}
