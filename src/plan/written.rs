//! The pieces of a plan as they are written: these types read a plan and make its schema. They know no steps' order.

use crate::ids::{LockName, LockNamespace, Period, PlanName, StepId, StepName};
use crate::record::RetryPolicy;
use crate::scenario::Scenario;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// A whole plan. Read key by key; as one type it makes the schema.
#[derive(JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[allow(dead_code)]
pub(super) struct PlanWritten {
    /// The plan's name, a DNS label. With the environment it is the plan's identity.
    pub(super) plan: PlanName,
    /// What the plan is for.
    pub(super) about: Option<String>,
    /// What must be known to run the plan.
    pub(super) inputs: Option<BTreeMap<String, InputWritten>>,
    /// Where the plan can run: `namespace`, `context`, `lock` and `lock-namespace`, and inputs that have another value there.
    pub(super) environments: Option<BTreeMap<String, EnvironmentWritten>>,
    /// Where secrets come from: references, never values.
    pub(super) secrets: Option<BTreeMap<String, SecretSource>>,
    /// What holds for every step that does not say otherwise.
    pub(super) defaults: Option<Defaults>,
    /// Most steps side by side; no limit when it is not given.
    pub(super) concurrency: Option<NonZeroU32>,
    /// The lock that runs of this plan take, whatever their environment: plans that name the same one never run side by side. Each plan and
    /// environment has its own when it is not given.
    pub(super) lock: Option<LockName>,
    /// The namespace of the lock; the environment's when it is not given. It must be there before the run: a plan that makes its own
    /// namespace names another one here.
    pub(super) lock_namespace: Option<LockNamespace>,
    /// What the outside is like when the run is simulated: `run --simulate`. A real run never looks at it.
    pub(super) simulate: Option<Scenario>,
}

/// The type of an input's values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InputType {
    /// A text.
    #[default]
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A list.
    List,
    /// A mapping.
    Map,
    /// A length of time, such as `30s`.
    Duration,
}

/// An input.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct InputWritten {
    /// The type of its values.
    #[serde(default, rename = "type")]
    pub(super) kind: InputType,
    /// A regular expression that a text must match.
    pub(super) pattern: Option<String>,
    /// The only possible values; of a list, the only possible items.
    #[allow(dead_code)]
    #[serde(rename = "enum")]
    pub(super) one_of: Option<Vec<Value>>,
    /// The least number or length of time.
    #[allow(dead_code)]
    pub(super) min: Option<Value>,
    /// The greatest number or length of time.
    #[allow(dead_code)]
    pub(super) max: Option<Value>,
    /// Its value when nobody gives one.
    pub(super) default: Option<Value>,
    /// Whether it must have a value; true unless there is a default.
    pub(super) required: Option<bool>,
    /// What it is for.
    pub(super) about: Option<String>,
}

/// The reserved keys of an environment. Other keys name inputs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(extend("additionalProperties" = { "type": ["string", "number", "boolean", "array", "object"] }))]
pub(super) struct EnvironmentWritten {
    /// The namespace of objects that name none.
    pub(super) namespace: Option<String>,
    /// The kubeconfig context.
    pub(super) context: Option<String>,
    /// The lock that runs of this environment take instead of the plan's.
    pub(super) lock: Option<LockName>,
    /// The namespace of the lock, instead of the plan's.
    pub(super) lock_namespace: Option<LockNamespace>,
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file, by its path.
    File(String),
    /// A command and its arguments; its output is the secret.
    Command(Vec<String>),
    /// A key of a Kubernetes Secret.
    Kubernetes(KubernetesSecret),
}

/// A key of a Kubernetes Secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct KubernetesSecret {
    /// The Secret's name.
    pub secret: String,
    /// The key in it.
    pub key: String,
    /// Its namespace; the environment's when it is not given.
    pub namespace: Option<String>,
}

/// What holds for every step that does not say otherwise.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Defaults {
    /// Time for a whole step.
    pub(super) timeout: Option<Period>,
    /// What happens after a failed attempt; not for `shell`, `exec`, `job` and `restore`, unless they only read or are idempotent.
    pub(super) retry: Option<RetryWritten>,
}

/// What happens after a failed attempt.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RetryWritten {
    /// Attempts in all.
    pub(super) attempts: Option<NonZeroU32>,
    /// Delay before the second attempt.
    pub(super) backoff: Option<Period>,
    /// Growth of the delay from attempt to attempt, at least 1.
    #[schemars(range(min = 1))]
    pub(super) factor: Option<f64>,
    /// Longest delay.
    pub(super) max: Option<Period>,
    /// Time for one attempt.
    pub(super) timeout: Option<Period>,
}

impl RetryWritten {
    /// The policy that comes out when this is laid over another one.
    pub(super) fn over(&self, base: RetryPolicy) -> RetryPolicy {
        RetryPolicy {
            attempts: self.attempts.map_or(base.attempts, NonZeroU32::get),
            backoff: self.backoff.unwrap_or(base.backoff),
            factor: self.factor.unwrap_or(base.factor),
            max: self.max.unwrap_or(base.max),
            timeout: self.timeout.or(base.timeout),
        }
    }
}

/// The keys that every step may have, besides its action.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct StepWritten {
    /// The step's id, a DNS label, unique in the plan.
    #[allow(dead_code)]
    pub(super) id: StepName,
    /// What the step is for.
    pub(super) about: Option<String>,
    /// The steps that it waits for; all above it when this is not given. Of a step with `for-each`, `deploy` means all, `deploy[eu]` one.
    #[allow(dead_code)]
    pub(super) needs: Option<Vec<StepId>>,
    /// A CEL condition; the step is skipped when it is false.
    #[allow(dead_code)]
    #[schemars(schema_with = "when_schema")]
    pub(super) when: Option<IgnoredAny>,
    /// The step is there once for each item of a list, or of a mapping: `deploy[eu]`. In it, `each.key` and `each.value` are the item's.
    #[allow(dead_code)]
    #[schemars(schema_with = "for_each_schema")]
    pub(super) for_each: Option<IgnoredAny>,
    /// Most of the steps of `for-each` side by side.
    pub(super) max_parallel: Option<NonZeroU32>,
    /// Locks inside the run: of the steps that name the same one, one is at work at a time.
    #[allow(dead_code)]
    pub(super) locks: Option<Vec<LockName>>,
    /// Time for the whole step, retries included.
    pub(super) timeout: Option<Period>,
    /// What happens after a failed attempt.
    pub(super) retry: Option<RetryWritten>,
    /// When it fails, its own effects are undone, its dependants are skipped, and the run goes on.
    #[serde(default)]
    pub(super) continue_on_error: bool,
    /// An attempt with an unknown end may simply be repeated.
    #[serde(default)]
    pub(super) idempotent: bool,
    /// How it is taken back: `{ none: why }`, or steps of one action each, run in this order.
    #[allow(dead_code)]
    #[schemars(schema_with = "undo_schema")]
    pub(super) undo: Option<IgnoredAny>,
}

/// The keys of [`StepWritten`].
pub(super) const STEP_KEYS: [&str; 12] =
    ["id", "about", "needs", "when", "for-each", "max-parallel", "locks", "timeout", "retry", "continue-on-error", "idempotent", "undo"];

fn when_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "boolean"] })
}

fn for_each_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [
        { "type": "array", "minItems": 1, "items": { "type": ["string", "number", "boolean"] } },
        { "type": "object", "minProperties": 1 },
        { "$ref": "#/$defs/Template" },
    ] })
}

fn undo_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "oneOf": [
        {
            "type": "object", "required": ["none"], "additionalProperties": false,
            "properties": { "none": { "type": "string", "description": "Why there is nothing to take back" } },
        },
        { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/Undo" } },
    ] })
}

/// `rollback-on-fail`: guards the steps above it and takes them back together when one of them fails.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct GuardWritten {
    /// The steps that it guards; when it is not given, all above it that no earlier guard holds.
    #[allow(dead_code)]
    pub(super) guards: Option<Vec<StepId>>,
    /// Time that the rollback may take.
    pub(super) budget: Option<Period>,
    /// Probes that must pass after the rollback, as those of `smoke-test`.
    #[allow(dead_code)]
    pub(super) verify: Option<Vec<Value>>,
}

/// `approve`: asks a person.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ApproveWritten {
    /// What is asked.
    #[allow(dead_code)]
    pub(super) message: String,
    /// How long the answer is waited for; for ever when it is not given.
    pub(super) timeout: Option<Period>,
}

/// `pause`: waits.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct PauseWritten {
    /// How long.
    #[allow(dead_code)]
    pub(super) r#for: Period,
}
