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

/// The kubelet and the scheduler look for what is missing again and again; that is no news.
#[test]
fn a_pod_whose_configuration_or_volume_nobody_makes_keeps_nobody_waiting() {
    let plan = "plan: forever\nsteps:\n  - id: pod\n    apply: { manifests: [pod.yaml] }\n  - id: wait\n    wait-for: { object: config-map/nobody, exists: true }\nsimulate:\n  images: { 'web:1': {} }\n";
    let needs = [
        "containers: [{ name: web, image: 'web:1', envFrom: [{ configMapRef: { name: none } }] }]",
        "containers: [{ name: web, image: 'web:1' }], volumes: [{ name: data, persistentVolumeClaim: { claimName: none } }]",
    ];
    for spec in needs {
        let bench = Bench::with(plan);
        bench.write("pod.yaml", &format!("apiVersion: v1\nkind: Pod\nmetadata: {{ name: web }}\nspec: {{ {spec} }}\n"));
        bench.run(&["run", "plan.yaml", "--simulate"]).assert_code(3).assert_says("nothing in the simulation will make it come true");
    }
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

/// What is told is written into the plan as it stands, and then nothing is missing any more.
#[test]
fn programs_in_pods_servers_and_lacking_objects_are_told_before_anything_begins() {
    let steps = "
plan: whole
inputs: { really: { type: boolean, default: false } }
steps:
  - id: deploy
    apply: { manifests: [web.yaml] }
  - id: healthy
    wait-healthy: { applied-by: deploy }
  - id: migrate
    exec: { pod: deployment/web, run: 'migrate --all', read-only: true }
  - id: tune
    scale: { deployment: other, replicas: 2 }
  - id: ask
    smoke-test: { probes: [{ http: { url: 'https://status.example.com/up?key=1' } }] }
  - id: mark
    when: inputs.really
    patch: { object: config-map/never, merge: { data: { a: b } } }
  - id: back
    rollback-on-fail: { verify: [{ http: { url: 'https://back.example.com/up' } }] }
";
    let bench = Bench::with(steps);
    bench.write("web.yaml", DEPLOYMENT);
    let told = bench.run(&["run", "plan.yaml", "--simulate"]);
    told.assert_code(2).assert_says("not modelled: 1 object, 1 program, 1 image and 2 servers of this plan, so nothing was begun");
    told.assert_says("plan.yaml:9:9: the program `migrate --all` in deployment/web");
    told.assert_says("plan.yaml:11:9: deployment/other, which no step applies");
    told.assert_says("the server that answers GET https://back.example.com/up, should the run come to it");
    assert!(!told.all().contains("key=1") && !told.all().contains("never"), "{}", told.all());
    let rules: Vec<&str> = told.err.lines().skip_while(|line| *line != "simulate:").collect();
    insta::assert_snapshot!(rules.join("\n"), @"
    simulate:
      cluster:
        - there.yaml  # a manifest with deployment/other
      images:
        'web:1': { exec: [{ run: 'migrate --all' }] }
      http:
        - { url: 'https://status.example.com/up', status: 200 }
        - { url: 'https://back.example.com/up', status: 200 }
    ");
    bench.write("plan.yaml", &format!("{steps}{}\n", rules.join("\n")));
    bench.write("there.yaml", &DEPLOYMENT.replace("web", "other").replace("other:1", "web:1"));
    bench.run(&["run", "plan.yaml", "--simulate"]).assert_code(0);
}

#[test]
fn a_container_that_the_pod_does_not_have_is_refused_in_the_words_of_a_cluster() {
    let bench = Bench::with(
        "
plan: into
steps:
  - id: deploy
    apply: { manifests: [web.yaml] }
  - id: healthy
    wait-healthy: { applied-by: deploy }
  - id: look
    exec: { pod: deployment/web, container: wbe, run: ls, read-only: true }
simulate:
  images: { 'web:1': { exec: [{ run: ls }] } }
",
    );
    bench.write("web.yaml", DEPLOYMENT);
    bench.run(&["run", "plan.yaml", "--simulate"]).assert_code(3).assert_says("container wbe is not valid for pod web-");
}
