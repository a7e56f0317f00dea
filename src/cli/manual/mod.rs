//! The manual of the kinds of step: one page each, in Markdown, made from the types that read plans. It reads no file and prints nothing.

mod engine;
mod shape;

use crate::action::Registry;
use crate::plan;
use serde_json::Value;
use shape::{Definitions, bullets};

/// Everything that is told of one kind of step.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The YAML key.
    pub kind: String,
    /// One sentence.
    pub about: String,
    /// What takes it back.
    pub undone: String,
    /// A small plan that uses it.
    pub example: String,
    /// The schema of what the plan says under the key.
    pub params: Value,
    /// The schema of what later steps may refer to; none for kinds that leave nothing.
    pub output: Option<Value>,
    definitions: Definitions,
}

/// A page for each kind that a step can have: the actions, then what the engine does itself.
pub fn pages(registry: &Registry) -> Vec<Page> {
    let mut schema = plan::schema(registry);
    let definitions = Definitions(schema["$defs"].as_object().cloned().unwrap_or_default());
    let mut kinds = schema["$defs"]["Step"]["properties"].take();
    let actions = registry.iter().map(|action| {
        let mut generator = schemars::SchemaGenerator::default();
        let output = action.output_schema(&mut generator).to_value();
        let mut all = definitions.clone();
        all.0.extend(generator.take_definitions(true));
        let output =
            all.resolved(&output).get("properties").and_then(Value::as_object).is_some_and(|keys| !keys.is_empty()).then_some(output);
        (action.kind(), action.about(), action.undone(), action.example(), output, all)
    });
    let engine = engine::KINDS.iter().map(|[kind, about, undone, example]| (*kind, *about, *undone, *example, None, definitions.clone()));
    let actions: Vec<_> = actions.chain(engine).collect();
    let page = |(kind, about, undone, example, output, definitions): (&str, &str, &str, &str, Option<Value>, Definitions)| Page {
        kind: kind.to_owned(),
        about: about.to_owned(),
        undone: undone.to_owned(),
        example: example.to_owned(),
        params: kinds[kind].take(),
        output,
        definitions,
    };
    actions.into_iter().map(page).collect()
}

impl Page {
    /// The page.
    pub fn to_markdown(&self) -> String {
        let Page { kind, about, undone, example, .. } = self;
        let mut text = format!("# `{kind}`\n\n{about}\n\n**What takes it back:** {undone}\n\n## Example\n\n```yaml\n{example}```\n");
        let params = bullets(&self.params, &self.definitions);
        if !params.is_empty() {
            text.push_str(&format!("\n## Parameters\n\n{}\n", params.join("\n")));
        }
        if let Some(output) = &self.output {
            let lead = "Later steps refer to it: `{{ steps.ID.NAME }}`.";
            text.push_str(&format!("\n## Output\n\n{lead}\n\n{}\n", bullets(output, &self.definitions).join("\n")));
        }
        text
    }

    /// The same for programs.
    pub fn to_json(&self) -> Value {
        serde_json::json!({
            "kind": self.kind, "about": self.about, "undone": self.undone, "example": self.example,
            "params": self.definitions.inlined(&self.params), "output": self.output.as_ref().map(|output| self.definitions.inlined(output)),
        })
    }
}

/// The page that leads to the others, with the keys that every step has.
#[cfg(all(test, feature = "kubernetes"))]
pub fn index(registry: &Registry, pages: &[Page]) -> String {
    let schema = plan::schema(registry);
    let definitions = Definitions(schema["$defs"].as_object().cloned().unwrap_or_default());
    let mut common: serde_json::Map<String, Value> = schema["$defs"]["Step"]["properties"].as_object().cloned().unwrap_or_default();
    common.retain(|key, _| pages.iter().all(|page| page.kind != *key));
    let common = serde_json::json!({ "type": "object", "properties": common, "required": ["id"] });
    let rows: Vec<String> = pages.iter().map(|Page { kind, about, .. }| format!("| [`{kind}`]({kind}.md) | {about} |")).collect();
    format!(
        "# What a step can do\n\nA step has an `id`, exactly one of these keys, and any of the common keys below.\n\n\
         | key | what it does |\n| --- | --- |\n{}\n\n## Keys that every step may have\n\n{}\n",
        rows.join("\n"),
        bullets(&common, &definitions).join("\n")
    )
}

#[cfg(test)]
mod tests;
