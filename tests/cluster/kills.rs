//! The runner is killed, at every sync of its journal and at random instants, and taken up again: the world is the plan's
//! end, or the world before, and no effect happened twice.

use crate::cluster;
use crate::harness::{Cluster, Namespace};
use crate::stage::Ended;
use crate::world::World;
use serde_json::Value;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

const PLAN: &str = "
plan: crash
inputs:
  value: { type: string }
  fail: { type: boolean, default: false }
environments:
  here: { namespace: NAMESPACE }
steps:
  - id: config
    apply: { manifests: [config.yaml], values: { value: '{{ inputs.value }}' } }
  - id: services
    needs: []
    apply: { manifests: [services.yaml], values: { value: '{{ inputs.value }}' } }
  - id: workloads
    apply: { manifests: [workloads.yaml], values: { value: '{{ inputs.value }}' } }
  - id: settled
    wait-healthy: { applied-by: workloads }
  - id: extra
    apply: { manifests: [extra.yaml], values: { value: '{{ inputs.value }}' } }
  - id: end
    shell: { run: 'test {{ inputs.fail }} = false', read-only: true }
";

const CONFIG: &str = "
apiVersion: v1
kind: ConfigMap
metadata: { name: first }
data: { value: '{{ value }}', same: always }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: second }
data: { value: '{{ value }}' }
";

const SERVICES: &str = "
apiVersion: v1
kind: Service
metadata: { name: front, labels: { value: '{{ value }}' } }
spec: { selector: { app: none, value: '{{ value }}' }, ports: [{ name: http, port: 80 }] }
";

const WORKLOADS: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: { name: back }
spec:
  replicas: REPLICAS
  selector: { matchLabels: { app: back } }
  template:
    metadata: { labels: { app: back } }
    spec:
      containers:
        - name: main
          image: 'web:v1'
          env: [{ name: VALUE, value: '{{ value }}' }]
          readinessProbe: { httpGet: { path: /ready, port: 8080 }, periodSeconds: 1 }
";

/// Made by each run anew, under another name: what a rollback must take away again.
const EXTRA: &str = "
apiVersion: v1
kind: ConfigMap
metadata: { name: 'extra-{{ value }}' }
data: { value: '{{ value }}' }
";

/// SplitMix64: the same instants in every run of the suite.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

struct Scene {
    namespace: Namespace,
    folder: tempfile::TempDir,
    round: u32,
    /// Pods of the Deployment.
    replicas: u32,
}

impl Scene {
    fn new(cluster: &'static Cluster, name: &str, replicas: u32) -> Self {
        let namespace = cluster.namespace(name);
        let folder = tempfile::tempdir().expect("a folder for the test");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file of the test");
        write("crash.yaml", &PLAN.replace("NAMESPACE", namespace.name()));
        write("config.yaml", CONFIG);
        write("services.yaml", SERVICES);
        write("workloads.yaml", &WORKLOADS.replace("REPLICAS", &replicas.to_string()));
        write("extra.yaml", EXTRA);
        let scene = Self { namespace, folder, round: 0, replicas };
        // Half of it is there before: the runs change and create.
        scene.bowline(&["run", "crash.yaml", "-e", "here", "--set", "value=v0", "--yes"]).assert_code(0);
        scene
    }

    fn command(&self, before: &[&str], arguments: &[&str]) -> Command {
        let words: Vec<&str> = before.iter().copied().chain([env!("CARGO_BIN_EXE_bowline")]).chain(arguments.iter().copied()).collect();
        let mut command = self.namespace.cluster().command(words[0]);
        command.args(&words[1..]).arg("--state").arg(self.folder.path().join("state")).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn bowline(&self, arguments: &[&str]) -> Ended {
        Ended::from(self.command(&[], arguments).output().expect("bowline can be started"))
    }

    /// What is there, without what earlier rounds left on purpose.
    fn world(&self) -> World {
        World::of(&self.namespace)
    }

    fn next(&mut self, fail: bool) -> (Vec<String>, String) {
        self.round += 1;
        let value = format!("v{}", self.round);
        let words = ["run", "crash.yaml", "-e", "here", "--set", &format!("value={value}"), "--set", &format!("fail={fail}"), "--yes"];
        (words.iter().map(|word| (*word).to_owned()).collect(), value)
    }

    fn is_at(&self, value: &str) -> bool {
        let list = self.namespace.get(&["configmaps,services,deployments"]);
        let found = |kind: &str, name: &str| {
            list["items"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|item| item["kind"] == kind && item["metadata"]["name"] == name)
                .cloned()
                .unwrap_or_default()
        };
        found("ConfigMap", "first")["data"]["value"] == value
            && found("ConfigMap", "second")["data"]["value"] == value
            && found("Service", "front")["spec"]["selector"]["value"] == value
            && found("Deployment", "back")["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] == value
            && found("ConfigMap", &format!("extra-{value}"))["data"]["value"] == value
    }

    /// The pods that are there to stay are as many as there should be, ready, and of the Deployment's present template.
    fn assert_pods_serve(&self) {
        let wanted = &self.namespace.get(&["deployment", "back"])["spec"]["template"]["spec"]["containers"][0]["env"];
        let pods = self.namespace.get(&["pods"]);
        let stay = pods["items"].as_array().into_iter().flatten().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        let serves =
            |pod: &&Value| pod["spec"]["containers"][0]["env"] == *wanted && pod["status"]["containerStatuses"][0]["ready"] == true;
        let (serving, others): (Vec<&Value>, Vec<&Value>) = stay.partition(serves);
        assert!(serving.len() == self.replicas as usize && others.is_empty(), "{wanted} is wanted, there are {pods:#}");
    }

    /// Takes a killed run up, and looks at what is left. False when the kill came after the end.
    fn take_up(&self, before: &World, value: &str, fail: bool, back: bool) -> bool {
        let open = self.bowline(&["runs", "--open", "--output", "json"]);
        open.assert_code(0);
        if open.out.trim().is_empty() || open.out.trim() == "[]" {
            // It was over, or had not begun: either way nothing is half done.
            assert!(self.is_at(value) || before.differences(&self.world()).is_empty(), "half done, and no run is open");
            return false;
        }
        let refused = self.bowline(&["run", "crash.yaml", "-e", "here", "--set", "value=never", "--yes"]);
        refused.assert_code(7);
        let ended = self.bowline(&[if back { "rollback" } else { "resume" }]);
        match back || fail {
            true => {
                ended.assert_code(if back { 0 } else { 3 });
                before.assert_same(&self.world());
                self.assert_pods_serve();
            }
            false => {
                ended.assert_code(0);
                assert!(self.is_at(value), "not at {value}: {}", ended.all());
                self.assert_pods_serve();
            }
        }
        true
    }
}

/// Kills the run at each sync of its journal in turn, until one gets through.
fn at_every_sync(cluster: &'static Cluster, name: &str, fail: bool) {
    if !strace_works() {
        eprintln!("skipped: strace cannot be used here");
        return;
    }
    let mut scene = Scene::new(cluster, name, 0);
    for sync in 1..200 {
        let (words, value) = scene.next(fail);
        let before = scene.world();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let inject = format!("inject=fdatasync:signal=SIGKILL:when={sync}");
        let strace = ["strace", "--follow-forks", "--quiet=all", "--output=/dev/null", "--trace=fdatasync", "-e", &inject];
        let ended = Ended::from(scene.command(&strace, &words).output().expect("strace can be started"));
        if ended.code == 0 || ended.code == 3 {
            assert!(sync > 6, "only {sync} syncs: {}", ended.all());
            return;
        }
        scene.take_up(&before, &value, fail, sync % 2 == 0);
    }
    panic!("the run never got through");
}

fn strace_works() -> bool {
    Command::new("strace").args(["--quiet=all", "--output=/dev/null", "true"]).status().is_ok_and(|status| status.success())
}

#[test]
fn a_run_that_is_killed_at_any_sync_goes_on_or_back() {
    at_every_sync(cluster!(), "kill-run", false);
}

#[test]
fn a_rollback_that_is_killed_at_any_sync_goes_on() {
    at_every_sync(cluster!(), "kill-back", true);
}

#[test]
fn a_run_that_is_killed_at_any_instant_goes_on_or_back() {
    let cluster = cluster!();
    let halves: Vec<_> = (0..2_u64)
        .map(|half| {
            std::thread::spawn(move || {
                let mut scene = Scene::new(cluster, &format!("kill-any-{half}"), 0);
                let mut dice = Dice(half + 7);
                let mut killed = 0;
                for _ in 0..instants() / 2 {
                    killed += u32::from(kill_once(&mut scene, &mut dice, 160));
                }
                killed
            })
        })
        .collect();
    let killed: u32 = halves.into_iter().map(|half| half.join().expect("a case failed: see above")).sum();
    assert!(killed * 3 > instants(), "only {killed} of {} kills hit a run", instants());
}

/// The same with pods that start, serve and are replaced: 20 instants, in four namespaces side by side.
#[test]
fn a_run_with_pods_that_is_killed_at_any_instant_goes_on_or_back() {
    let cluster = cluster!();
    let rounds = instants().min(20).div_ceil(4);
    let parts: Vec<_> = (0..4_u64)
        .map(|part| {
            std::thread::spawn(move || {
                let mut scene = Scene::new(cluster, &format!("kill-pods-{part}"), 1);
                let mut dice = Dice(part + 70);
                (0..rounds).map(|_| u32::from(kill_once(&mut scene, &mut dice, 5_000))).sum::<u32>()
            })
        })
        .collect();
    let killed: u32 = parts.into_iter().map(|part| part.join().expect("a case failed: see above")).sum();
    assert!(killed * 3 > rounds * 4, "only {killed} of {} kills hit a run", rounds * 4);
}

/// 200, as promised; fewer while developing.
fn instants() -> u32 {
    std::env::var("BOWLINE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(200)
}

fn kill_once(scene: &mut Scene, dice: &mut Dice, within: u64) -> bool {
    let (fail, back) = (dice.below(2) == 0, dice.below(2) == 0);
    let (words, value) = scene.next(fail);
    let before = scene.world();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut run = scene.command(&[], &words).spawn().expect("bowline can be started");
    // Mostly counted from the first line that it says: before that it only looks, for longer than it then works.
    let mut said = run.stdout.take().expect("its standard output is a pipe");
    if dice.below(8) > 0 {
        let _first = said.read(&mut [0; 64]).expect("a pipe can be read");
    }
    std::thread::sleep(Duration::from_millis(dice.below(within)));
    run.kill().expect("it is our child");
    run.wait_with_output().expect("it is our child");
    scene.take_up(&before, &value, fail, back)
}
