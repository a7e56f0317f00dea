//! What is said of the kinds of step that the engine carries out itself. Their parameters come from their types, as those of actions do.

/// Key, what it does, what takes it back, an example.
pub(super) const KINDS: [[&str; 4]; 3] = [
    [
        "approve",
        "Asks a person, and goes on when somebody says yes: `bowline approve`, or no: `bowline reject`, which counts as a failure.",
        "It changes nothing.",
        "\
plan: ask-first
steps:
  - id: gate
    approve: { message: 'Ready to switch the traffic?', timeout: 2h }
  - id: switch
    switch-ingress: { ingress: api, to: web-green }
",
    ],
    [
        "pause",
        "Waits. The time counts on while bowline is not running.",
        "It changes nothing.",
        "\
plan: wait-a-little
steps:
  - id: grow
    scale: { deployment: web, replicas: 3 }
  - id: settle
    pause: 30s
  - id: smoke
    smoke-test: { through: service/web, probes: [{ http: { path: /health } }] }
",
    ],
    [
        "rollback-on-fail",
        "Guards the steps above it: when one of them fails, these are taken back together and the run ends there. It stands where the \
         savepoint is that is reached once they are done.",
        "It changes nothing itself.",
        "\
plan: guarded
steps:
  - id: deploy
    apply: { manifests: [manifests/app.yaml] }
  - id: healthy
    wait-healthy: { applied-by: deploy }
  - id: back
    rollback-on-fail:
      guards: [deploy, healthy]
      budget: 5m
      verify: [{ http: { url: 'https://api.example.com/health' } }]
",
    ],
];
