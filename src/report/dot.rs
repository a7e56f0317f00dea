//! Writes a plan's graph in the DOT language, guards as clusters. Pure text; it knows no program that draws it.

use super::nesting::Nesting;
use super::tree::Remarks;
use crate::ids::StepId;
use crate::record::{Graph, GuardSummary, Reversibility, Role, StepSummary};

/// Writes the graph.
pub fn write(name: &str, graph: &Graph, remarks: &Remarks) -> String {
    let mut drawing = Drawing { remarks, text: String::new() };
    drawing.text.push_str("digraph ");
    drawing.quoted(name);
    drawing.text.push_str(" {\n  node [shape=box, fontname=\"sans-serif\"];\n");
    drawing.inside(&Nesting::of(graph), None, 1);
    for step in &graph.steps {
        step.needs.iter().for_each(|need| drawing.edge(need, &step.id));
    }
    drawing.text.push('}');
    drawing.text
}

/// The text so far: the graph of a large plan is written once, not line by line and then together.
struct Drawing<'g> {
    remarks: &'g Remarks,
    text: String,
}

impl Drawing<'_> {
    /// The steps and the clusters that stand in this guard.
    fn inside<'g>(&mut self, nesting: &Nesting<'g>, holder: Option<&'g StepId>, depth: usize) {
        nesting.steps(holder).iter().for_each(|step| self.node(step, depth));
        nesting.guards(holder).iter().for_each(|guard| self.cluster(nesting, guard, depth));
    }

    fn cluster<'g>(&mut self, nesting: &Nesting<'g>, guard: &'g GuardSummary, depth: usize) {
        self.indent(depth);
        self.text.push_str("subgraph ");
        self.quoted(&format!("cluster_{}", guard.id));
        self.text.push_str(" {\n");
        self.indent(depth + 1);
        self.text.push_str("label=");
        self.quoted(&format!("guarded by {}", guard.id));
        self.text.push_str("; style=dashed;\n");
        self.inside(nesting, Some(&guard.id), depth + 1);
        self.indent(depth);
        self.text.push_str("}\n");
    }

    fn node(&mut self, step: &StepSummary, depth: usize) {
        self.indent(depth);
        self.quoted(step.id.as_str());
        self.text.push_str(" [label=\"");
        self.escaped(step.id.as_str());
        self.text.push_str("\\n");
        self.escaped(step.kind.as_str());
        if let Some(input) = self.remarks.spreading.get(&step.id) {
            self.escaped(&format!("\nonce for each of {input}"));
        }
        self.text.push_str("\", ");
        self.text.push_str(look(step, self.remarks));
        self.text.push_str("];\n");
    }

    fn edge(&mut self, need: &StepId, step: &StepId) {
        self.text.push_str("  ");
        self.quoted(need.as_str());
        self.text.push_str(" -> ");
        self.quoted(step.as_str());
        self.text.push_str(";\n");
    }

    fn indent(&mut self, depth: usize) {
        (0..depth).for_each(|_| self.text.push_str("  "));
    }

    fn quoted(&mut self, text: &str) {
        self.text.push('"');
        self.escaped(text);
        self.text.push('"');
    }

    /// A text as DOT reads it between quotes: only quotes and backslashes are special, and a line break is written as `\n`.
    fn escaped(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                _ => self.text.push(character),
            }
        }
    }
}

fn look(step: &StepSummary, remarks: &Remarks) -> &'static str {
    match (step.role, step.reversibility) {
        (Role::Guard, _) => "shape=diamond",
        (Role::Approve, _) => "shape=oval",
        (Role::Pause, _) => "shape=oval, style=dotted",
        (Role::Action, Reversibility::ReadOnly) => "style=rounded",
        (Role::Action, Reversibility::Reversible) if remarks.staying.contains_key(&step.id) => "style=solid, peripheries=2",
        (Role::Action, Reversibility::Reversible) => "style=solid",
        (Role::Action, Reversibility::Compensable) => "style=dashed",
        (Role::Action, Reversibility::Irreversible) => "style=bold, color=red",
    }
}

#[cfg(test)]
mod tests {
    use super::{Remarks, write};
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
        let drawn = write("a \"b\" \\ c\nd", &graph(Vec::new(), Vec::new()), &Remarks::default());
        assert_eq!(drawn.lines().next(), Some(r#"digraph "a \"b\" \\ c\nd" {"#));
    }
}
