//! What the simulated world does by itself, and that nobody waits for what it will never do.

use crate::bench::Bench;

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: web, image: 'web:1' }] }
";

#[test]
fn a_wait_that_nothing_will_end_fails_and_says_what_it_waited_for() {
    let bench = Bench::with(
        "
plan: forever
steps:
  - id: deploy
    apply: { manifests: [web.yaml] }
  - id: wait
    wait-for: { object: configmap/nobody, exists: true }
  - id: rest
    needs: [deploy]
    pause: 2h
simulate:
  images: { 'web:1': { fails: crashes } }
",
    );
    bench.write("web.yaml", DEPLOYMENT);
    let told = bench.run(&["run", "plan.yaml", "--simulate"]);
    told.assert_code(3).assert_says("wait    failed: nothing in the simulation will make it come true: there is no configmap/nobody");
    told.assert_says("rest    done in 2h 00m").assert_says("simulated: the cluster was as before the run");
}

#[test]
fn a_program_that_never_ends_keeps_nobody_waiting() {
    let plan = |more: &str| {
        format!(
            "plan: forever\nsteps:\n  - id: migrate\n    job: {{ image: 'migrate:1', read-only: true{more} }}\nsimulate:\n  images: {{ 'migrate:1': {{ fails: never-ready }} }}\n"
        )
    };
    let told = Bench::with(&plan("")).run(&["run", "plan.yaml", "--simulate"]);
    told.assert_code(3).assert_says("nothing in the simulation will make it come true: job/migrate-");
    let told = Bench::with(&plan(", deadline: 2m")).run(&["run", "plan.yaml", "--simulate"]);
    told.assert_code(3).assert_says("DeadlineExceeded: Job was active longer than specified deadline").assert_says("rolled back after 2m");
}

#[test]
fn a_job_that_takes_longer_than_its_deadline_fails_in_the_words_of_a_cluster() {
    let bench = Bench::with(
        "
plan: slow
inputs: { deadline: { type: duration, default: 30s } }
steps:
  - id: migrate
    job: { image: 'migrate:1', read-only: true, deadline: '{{ inputs.deadline }}' }
simulate:
  images: { 'migrate:1': { runs-for: 5m } }
",
    );
    let told = bench.run(&["run", "plan.yaml", "--simulate"]);
    told.assert_code(3).assert_says("DeadlineExceeded: Job was active longer than specified deadline");
    bench.run(&["run", "plan.yaml", "--simulate", "-i", "deadline=10m"]).assert_code(0);
}
