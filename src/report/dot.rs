//! Writes a plan's graph in the DOT language, guards as clusters. Pure text; it knows no program that draws it.

use super::tree::Remarks;
use crate::ids::StepId;
use crate::record::{Graph, GuardSummary, Reversibility, Role, StepSummary};

/// Writes the graph.
pub fn write(name: &str, graph: &Graph, remarks: &Remarks) -> String {
    let mut lines = vec![format!("digraph {} {{", quoted(name)), "  node [shape=box, fontname=\"sans-serif\"];".to_owned()];
    for step in graph.steps.iter().filter(|step| innermost(graph, &step.id).is_none()) {
        lines.push(node(step, 1, remarks));
    }
    for guard in graph.guards.iter().filter(|guard| innermost(graph, &guard.id).is_none()) {
        cluster(graph, guard, 1, remarks, &mut lines);
    }
    for step in &graph.steps {
        lines.extend(step.needs.iter().map(|need| format!("  {} -> {};", quoted(need.as_str()), quoted(step.id.as_str()))));
    }
    lines.push("}".to_owned());
    lines.join("\n")
}

/// The smallest guard that guards this step; guards nest or are disjoint, so there is at most one smallest.
pub(super) fn innermost<'a>(graph: &'a Graph, step: &StepId) -> Option<&'a GuardSummary> {
    graph.guards.iter().filter(|guard| guard.guards.contains(step)).min_by_key(|guard| guard.guards.len())
}

fn cluster(graph: &Graph, guard: &GuardSummary, depth: usize, remarks: &Remarks, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    let inside = |id: &StepId| innermost(graph, id).is_some_and(|holder| holder.id == guard.id);
    lines.push(format!("{indent}subgraph {} {{", quoted(&format!("cluster_{}", guard.id))));
    lines.push(format!("{indent}  label={}; style=dashed;", quoted(&format!("guarded by {}", guard.id))));
    lines.extend(graph.steps.iter().filter(|step| inside(&step.id)).map(|step| node(step, depth + 1, remarks)));
    for nested in graph.guards.iter().filter(|nested| inside(&nested.id)) {
        cluster(graph, nested, depth + 1, remarks, lines);
    }
    lines.push(format!("{indent}}}"));
}

fn node(step: &StepSummary, depth: usize, remarks: &Remarks) -> String {
    let look = match (step.role, step.reversibility) {
        (Role::Guard, _) => "shape=diamond",
        (Role::Approve, _) => "shape=oval",
        (Role::Pause, _) => "shape=oval, style=dotted",
        (Role::Action, Reversibility::ReadOnly) => "style=rounded",
        (Role::Action, Reversibility::Reversible) if remarks.staying.contains_key(&step.id) => "style=solid, peripheries=2",
        (Role::Action, Reversibility::Reversible) => "style=solid",
        (Role::Action, Reversibility::Compensable) => "style=dashed",
        (Role::Action, Reversibility::Irreversible) => "style=bold, color=red",
    };
    let spreads = remarks.spreading.get(&step.id).map(|input| format!("\nonce for each of {input}")).unwrap_or_default();
    let label = quoted(&format!("{}\n{}{spreads}", step.id, step.kind));
    format!("{}{} [label={label}, {look}];", "  ".repeat(depth), quoted(step.id.as_str()))
}

/// A quoted string as DOT reads it: only quotes and backslashes are special, and a line break is written as `\n`.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::{Remarks, quoted, write};
    use crate::record::Reversibility;
    use crate::report::samples::{graph, guard, staying, step};

    #[test]
    fn guards_are_clusters_within_clusters() {
        use Reversibility::{Irreversible, ReadOnly, Reversible};
        let plan = graph(
            vec![
                step("ask", "approve", ReadOnly, &[]),
                step("deploy", "apply", Reversible, &["ask"]),
                step("inner", "rollback-on-fail", ReadOnly, &["deploy"]),
                step("outer", "rollback-on-fail", ReadOnly, &["inner"]),
                step("announce", "shell", Irreversible, &["outer"]),
            ],
            vec![guard("inner", &["deploy"], 60), guard("outer", &["deploy", "inner"], 60)],
        );
        insta::assert_snapshot!(write("release", &plan, &staying("deploy", "they stay")), @r#"
        digraph "release" {
          node [shape=box, fontname="sans-serif"];
          "ask" [label="ask\napprove", shape=oval];
          "outer" [label="outer\nrollback-on-fail", shape=diamond];
          "announce" [label="announce\nshell", style=bold, color=red];
          subgraph "cluster_outer" {
            label="guarded by outer"; style=dashed;
            "inner" [label="inner\nrollback-on-fail", shape=diamond];
            subgraph "cluster_inner" {
              label="guarded by inner"; style=dashed;
              "deploy" [label="deploy\napply", style=solid, peripheries=2];
            }
          }
          "ask" -> "deploy";
          "deploy" -> "inner";
          "inner" -> "outer";
          "outer" -> "announce";
        }
        "#);
    }

    #[test]
    fn items_are_quoted_wherever_they_stand() {
        let item = "deploy[eu-1.a_b]";
        let plan = graph(
            vec![step(item, "apply", Reversibility::Reversible, &[]), step("back", "rollback-on-fail", Reversibility::ReadOnly, &[item])],
            vec![guard("back", &[item], 60)],
        );
        let drawn = write("zones", &plan, &Remarks::default());
        assert_eq!(drawn.matches(item).count(), 3, "{drawn}");
        for line in drawn.lines().filter(|line| line.contains(item)) {
            assert!(line.contains(&format!("\"{item}\"")) || line.contains(&format!("\"{item}\\n")), "{line}");
        }
    }

    #[test]
    fn nothing_in_a_name_ends_its_quotes() {
        assert_eq!(quoted("a \"b\" \\ c\nd"), r#""a \"b\" \\ c\nd""#);
    }
}
