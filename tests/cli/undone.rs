//! What a run made and began is gone when it came undone, whatever its own steps did to that: in a simulated world, which says whether it
//! is as before.

use crate::bench::Bench;

/// Simulates steps, the last of which fails.
fn comes_undone(steps: &str, world: &str) {
    let bench = Bench::with(&format!(
        "plan: sketch\nsteps:\n{steps}  - id: last\n    shell: {{ run: 'true', read-only: true }}\nsimulate:\n  processes: [{{ run: '*' }}]\n  fails: {{ last: it is said to fail }}\n{world}"
    ));
    bench.write("conf.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: conf }\ndata: { a: '1' }\n");
    bench.write("sealed.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: conf }\ndata: { a: '1' }\nimmutable: true\n");
    bench
        .run(&["run", "plan.yaml", "--simulate", "--seed", "7"])
        .assert_code(3)
        .assert_says("simulated: the cluster was as before the run");
}

#[test]
fn what_a_later_step_deleted_is_not_made_again_for_good() {
    comes_undone("  - id: make\n    apply: { manifests: [conf.yaml] }\n  - id: drop\n    delete: { objects: [configmap/conf] }\n", "");
}

#[test]
fn what_a_later_step_made_immutable_is_not_made_again_for_good() {
    comes_undone("  - id: make\n    apply: { manifests: [conf.yaml] }\n  - id: seal\n    apply: { manifests: [sealed.yaml] }\n", "");
}

#[test]
fn the_job_of_a_step_with_an_undo_of_its_own_does_not_stay() {
    let step = "  - id: migrate\n    job: { image: 'app:v1', command: migrate up }\n    undo: [{ shell: { run: migrate down } }]\n";
    comes_undone(step, "  images: { 'app:v1': {} }\n");
}

#[test]
fn an_undo_of_several_actions_goes_on_at_the_one_that_failed() {
    let bench = Bench::with(
        "plan: sketch\nsteps:\n  - id: w\n    shell: { run: touch w }\n    undo: [{ shell: { run: rm w } }, { shell: { run: 'test -f told || { touch told; exit 9; }' } }]\n  - id: last\n    needs: [w]\n    shell: { run: 'false', read-only: true }\n",
    );
    let ended = bench.run(&["run", "plan.yaml"]);
    ended.assert_code(3).assert_says("action 2 of 2 of its `undo`: ").assert_says("everything is as it was");
}

#[test]
fn a_patch_of_a_field_that_the_kind_does_not_have_is_refused() {
    let bench = Bench::with(
        "plan: sketch\nsteps:\n  - id: p\n    patch: { object: configmap/conf, merge: { dat: { a: '2' } } }\nsimulate: { cluster: [conf.yaml] }\n",
    );
    bench.write("conf.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: conf }\ndata: { a: '1' }\n");
    let refused = "configmap/conf is refused: strict decoding error: unknown field \"dat\"";
    bench.run(&["run", "plan.yaml", "--simulate"]).assert_code(3).assert_says(refused);
    bench.run(&["preview", "plan.yaml", "--simulate"]).assert_says(refused);
}
