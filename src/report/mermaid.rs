//! Writes a plan's graph in the language of Mermaid, guards as subgraphs. Pure text; it knows no program that draws it.

use super::nesting::Nesting;
use super::tree::Remarks;
use crate::ids::StepId;
use crate::record::{Graph, GuardSummary, Reversibility, Role, StepSummary};
use std::collections::HashMap;

/// How steps look that are not plainly taken back; each name stands behind a node.
const CLASSES: [&str; 4] = [
    "classDef reads stroke-dasharray: 1 3",
    "classDef stays stroke-width: 3px",
    "classDef byPlan stroke-dasharray: 5 5",
    "classDef pivot stroke: #c00, stroke-width: 3px",
];

/// Nodes have names of their own: a step's may be a word of the language, such as `end`.
type Names<'a> = HashMap<&'a StepId, String>;

/// Writes the graph.
pub fn write(name: &str, graph: &Graph, remarks: &Remarks) -> String {
    let names: Names<'_> = graph.steps.iter().enumerate().map(|(place, step)| (&step.id, format!("s{place}"))).collect();
    let mut lines =
        vec!["---".to_owned(), format!("title: {}", serde_json::Value::from(name)), "---".to_owned(), "flowchart TD".to_owned()];
    let nesting = Nesting::of(graph);
    lines.extend(nesting.steps(None).iter().map(|step| node(step, &names, 1, remarks)));
    for guard in nesting.guards(None) {
        subgraph(&nesting, guard, &names, 1, remarks, &mut lines);
    }
    for step in &graph.steps {
        let needs = step.needs.iter().filter_map(|need| names.get(need));
        lines.extend(needs.map(|need| format!("  {need} --> {}", names[&step.id])));
    }
    lines.extend(CLASSES.map(|class| format!("  {class}")));
    lines.join("\n")
}

fn subgraph<'g>(
    nesting: &Nesting<'g>,
    guard: &'g GuardSummary,
    names: &Names<'_>,
    depth: usize,
    remarks: &Remarks,
    lines: &mut Vec<String>,
) {
    let indent = "  ".repeat(depth);
    lines.push(format!("{indent}subgraph g{} [{}]", names[&guard.id], quoted(&format!("guarded by {}", escaped(guard.id.as_str())))));
    lines.extend(nesting.steps(Some(&guard.id)).iter().map(|step| node(step, names, depth + 1, remarks)));
    for nested in nesting.guards(Some(&guard.id)) {
        subgraph(nesting, nested, names, depth + 1, remarks, lines);
    }
    lines.push(format!("{indent}end"));
}

fn node(step: &StepSummary, names: &Names<'_>, depth: usize, remarks: &Remarks) -> String {
    let spreads = remarks.spreading.get(&step.id).map(|input| format!("<br>once for each of {}", escaped(input))).unwrap_or_default();
    let label = quoted(&format!("{}<br>{}{spreads}", escaped(step.id.as_str()), escaped(step.kind.as_str())));
    let shape = match step.role {
        Role::Guard => format!("{{{label}}}"),
        Role::Approve | Role::Pause => format!("([{label}])"),
        Role::Action => format!("[{label}]"),
    };
    let class = match (step.role, step.reversibility) {
        (Role::Action, Reversibility::ReadOnly) => ":::reads",
        (Role::Action, Reversibility::Reversible) if remarks.staying.contains_key(&step.id) => ":::stays",
        (Role::Action, Reversibility::Compensable) => ":::byPlan",
        (Role::Action, Reversibility::Irreversible) => ":::pivot",
        _ => "",
    };
    format!("{}{}{shape}{class}", "  ".repeat(depth), names[&step.id])
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// A text as a label reads it: what would end its quotes, or be taken for HTML or for an entity, is written as one.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '#' => escaped.push_str("#35;"),
            '"' => escaped.push_str("#quot;"),
            '&' => escaped.push_str("#amp;"),
            '<' => escaped.push_str("#lt;"),
            '>' => escaped.push_str("#gt;"),
            '`' => escaped.push_str("#96;"),
            '\n' => escaped.push(' '),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{Remarks, escaped, write};
    use crate::record::Reversibility;
    use crate::report::samples::{graph, guard, staying, step};

    #[test]
    fn guards_are_subgraphs_within_subgraphs() {
        use Reversibility::{Compensable, Irreversible, ReadOnly, Reversible};
        let plan = graph(
            vec![
                step("ask", "approve", ReadOnly, &[]),
                step("end", "apply", Reversible, &["ask"]),
                step("backup", "backup", Reversible, &["ask"]),
                step("inner", "rollback-on-fail", ReadOnly, &["end"]),
                step("note", "shell", Compensable, &["inner"]),
                step("outer", "rollback-on-fail", ReadOnly, &["note"]),
                step("announce", "shell", Irreversible, &["backup", "outer"]),
            ],
            vec![guard("inner", &["end"], 60), guard("outer", &["end", "inner", "note"], 60)],
        );
        insta::assert_snapshot!(write("release", &plan, &staying("backup", "it is kept")), @r#"
        ---
        title: "release"
        ---
        flowchart TD
          s0(["ask<br>approve"])
          s2["backup<br>backup"]:::stays
          s5{"outer<br>rollback-on-fail"}
          s6["announce<br>shell"]:::pivot
          subgraph gs5 ["guarded by outer"]
            s3{"inner<br>rollback-on-fail"}
            s4["note<br>shell"]:::byPlan
            subgraph gs3 ["guarded by inner"]
              s1["end<br>apply"]
            end
          end
          s0 --> s1
          s0 --> s2
          s1 --> s3
          s3 --> s4
          s4 --> s5
          s2 --> s6
          s5 --> s6
          classDef reads stroke-dasharray: 1 3
          classDef stays stroke-width: 3px
          classDef byPlan stroke-dasharray: 5 5
          classDef pivot stroke: #c00, stroke-width: 3px
        "#);
    }

    #[test]
    fn items_stand_in_labels_and_never_in_names() {
        let plan = graph(
            vec![
                step("deploy[eu-1.a_b]", "apply", Reversibility::Reversible, &[]),
                step("back", "rollback-on-fail", Reversibility::ReadOnly, &["deploy[eu-1.a_b]"]),
            ],
            vec![guard("back", &["deploy[eu-1.a_b]"], 60)],
        );
        let drawn = write("zones", &plan, &Remarks::default());
        let nodes: Vec<&str> = drawn.lines().skip(4).take(5).map(str::trim).collect();
        assert_eq!(
            nodes,
            [
                "s1{\"back<br>rollback-on-fail\"}",
                "subgraph gs1 [\"guarded by back\"]",
                "s0[\"deploy[eu-1.a_b]<br>apply\"]",
                "end",
                "s0 --> s1"
            ]
        );
    }

    #[test]
    fn nothing_in_a_name_ends_its_label() {
        assert_eq!(escaped("deploy[eu] \"a\" <b> #1;"), "deploy[eu] #quot;a#quot; #lt;b#gt; #35;1;");
    }
}
