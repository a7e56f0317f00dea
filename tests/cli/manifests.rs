//! What is wrong with manifests is told at once, with the place, before anything is written.

use crate::bench::Bench;

const PLAN: &str = "
plan: m
inputs: { n: { type: integer, default: 5 } }
steps:
  - id: one
    apply: { manifests: [a.yaml, b.yaml], values: { n: '{{ inputs.n }}' } }
  - id: two
    apply: { manifests: [c.yaml] }
simulate:
  images: { 'web:1': {} }
";

fn bench(files: &[(&str, &str)]) -> Bench {
    let bench = Bench::with(PLAN);
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: NAME }\n";
    ["a", "b", "c"].iter().for_each(|name| {
        bench.write(
            &format!("{name}.yaml"),
            &(config.replace("NAME", name) + "data: { n: '{{ text n }}' }\n").replace("c }\ndata: { n: '{{ text n }}' }", "c }"),
        )
    });
    files.iter().for_each(|(name, text)| bench.write(name, text));
    bench
}

#[test]
fn a_number_where_a_text_belongs_is_told_with_what_to_write_and_that_is_right() {
    let map = |value: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: a }}\ndata: {{ n: {value} }}\n");
    let wrong = bench(&[("a.yaml", &map("'{{ n }}'"))]);
    for command in [&["validate", "plan.yaml"][..], &["run", "plan.yaml", "--simulate"]] {
        wrong
            .run(command)
            .assert_code(2)
            .assert_says("a.yaml:4:12: `data.n` is 5, and a text must stand here")
            .assert_says("write `'{{ text n }}'`");
    }
    bench(&[("a.yaml", &map("'{{ text n }}'"))]).run(&["run", "plan.yaml", "--simulate"]).assert_code(0);
}

#[test]
fn what_is_there_twice_and_all_else_that_is_wrong_is_told_by_validate_at_once() {
    let broken = bench(&[("b.yaml", "kind: Pod\n---\nx: {a: [}\n"), ("c.yaml", "kind: Pod\nx: y: z\n---\na: [\n")]);
    let told = broken.run(&["validate", "plan.yaml"]);
    told.assert_code(2).assert_says("b.yaml:1:1").assert_says("b.yaml:3:8").assert_says("c.yaml:2:5").assert_says("c.yaml:4:");
    let twice = bench(&[("b.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata: { x: '{{ text n }}', y: 3 }\n")]);
    let told = twice.run(&["validate", "plan.yaml"]);
    told.assert_code(2).assert_says("b.yaml:4:9: configmap/a is there twice: it is at a.yaml:3:19 already").assert_says("b.yaml:5:31");
}

#[test]
fn a_preview_of_what_cannot_run_does_not_say_that_it_changes_nothing_and_tells_every_object() {
    let two = "apiVersion: v1\nkind: Servic\nmetadata: { name: d }\n---\napiVersion: v1\nkind: Secre\nmetadata: { name: e }\n---\napiVersion: v1\nkind: Service\nmetadata: { name: c_c }\nspec: { ports: [{ port: 80 }] }\n";
    let wrong = bench(&[("b.yaml", "apiVersion: v1\nkind: Pd\nmetadata: { name: '{{ text n }}' }\n"), ("c.yaml", two)]);
    let seen = wrong.run(&["preview", "plan.yaml", "--simulate"]);
    seen.assert_code(7)
        .assert_says("m cannot run as it is")
        .assert_says("no Servic of v1")
        .assert_says("no Secre of v1")
        .assert_says("c_c");
    assert!(!seen.all().contains("change nothing"), "{}", seen.all());
    wrong.run(&["run", "plan.yaml", "--simulate"]).assert_code(3).assert_says("no Pd of v1");
}
