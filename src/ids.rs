//! Names that the rest of the program passes around: validated newtypes that know nothing of plans or clusters.

use smol_str::SmolStr;
use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// Says why a text is not a valid name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("a name must not be empty")]
    Empty,
    /// The text is longer than a DNS label may be.
    #[error("a name has at most 63 characters, this one has {0}")]
    TooLong(usize),
    /// The text holds a character that a DNS label may not hold there.
    #[error("{0:?} is not allowed here: write lower-case letters, digits and `-`, with a letter or digit at both ends")]
    Character(char),
    /// The text holds a character that an item may not hold.
    #[error("{0:?} is not allowed here: write letters, digits, `-`, `_` and `.`, with a letter or digit at both ends")]
    ItemCharacter(char),
}

/// Checks that `text` is a DNS label (RFC 1123): what Kubernetes accepts as a name, label value and field manager.
///
/// # Errors
/// Says which rule is broken first.
pub fn check_label(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > 63 {
        return Err(NameError::TooLong(text.len()));
    }
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if let Some(bad) = text.chars().find(|c| !edge(*c) && *c != '-') {
        return Err(NameError::Character(bad));
    }
    match text.starts_with('-') || text.ends_with('-') {
        true => Err(NameError::Character('-')),
        false => Ok(()),
    }
}

/// Checks that `text` can tell the items of a `for-each` apart: what Kubernetes accepts as a label value.
///
/// # Errors
/// Says which rule is broken first.
pub fn check_item(text: &str) -> Result<(), NameError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let edges = [text.chars().next(), text.chars().next_back()].into_iter().flatten();
    let bad = text.chars().find(|c| !fits(*c)).or_else(|| edges.into_iter().find(|c| !c.is_ascii_alphanumeric()));
    match (text.len(), bad) {
        (0, _) => Err(NameError::Empty),
        (64.., _) => Err(NameError::TooLong(text.len())),
        (_, Some(bad)) => Err(NameError::ItemCharacter(bad)),
        (_, None) => Ok(()),
    }
}

/// A name, or one with an item: `deploy`, `deploy[eu]`.
fn check_step(text: &str) -> Result<(), NameError> {
    match text.strip_suffix(']').and_then(|text| text.split_once('[')) {
        Some((name, item)) => check_label(name).and_then(|()| check_item(item)),
        None => check_label(text),
    }
}

/// Takes a text in by checking it: plans and journals hold many names, and none needs a copy of its own for that.
struct Checked<T>(fn(&str) -> Result<T, NameError>);

impl<T> Visitor<'_> for Checked<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        self.0(text).map_err(E::custom)
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        name! { $(#[$doc])* $name checked by check_label }
    };
    ($(#[$doc:meta])* $name:ident checked by $check:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
        #[serde(transparent)]
        #[schemars(with = "String")]
        pub struct $name(SmolStr);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Checked(Self::new))
            }
        }

        impl $name {
            /// Checks and takes a name.
            ///
            /// # Errors
            /// When `text` is no such name.
            pub fn new(text: &str) -> Result<Self, NameError> {
                $check(text).map(|()| Self(SmolStr::new(text)))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(&text)
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.to_string()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

name! {
    /// A step's id, unique in its plan: a DNS label, with an item behind it where the step is there once for each: `deploy[eu]`.
    StepId checked by check_step
}
name! {
    /// What a plan calls a step.
    StepName
}
name! {
    /// A plan's name: with the environment it is the plan's identity for locks and field managers.
    PlanName
}
name! {
    /// A run's id: sortable by the time at which the run opened, such as `20261121-034200-7f3a`.
    RunId
}
name! {
    /// The name of a lock that plans share.
    LockName
}
name! {
    /// The namespace that holds a lock.
    LockNamespace
}
name! {
    /// The YAML key of a kind of step, such as `switch-ingress`.
    ActionKind
}

impl StepId {
    /// The step for one item of the step with this id.
    ///
    /// # Errors
    /// When the item cannot stand in an id.
    pub fn of_item(&self, item: &str) -> Result<Self, NameError> {
        check_item(item).map(|()| Self(smol_str::format_smolstr!("{self}[{item}]")))
    }

    /// The parts of `deploy[eu]`, `deploy` and `eu`; none for an id without an item.
    pub fn parts(&self) -> Option<(&str, &str)> {
        self.0.strip_suffix(']')?.split_once('[')
    }

    /// True for this step itself, and for each of its items: `deploy` stands for `deploy[eu]`, too.
    pub fn stands_for(&self, step: &Self) -> bool {
        self == step || step.parts().is_some_and(|(name, _)| name == self.as_str())
    }

    /// The id without brackets, for places that take none, such as file names: `deploy.eu`. No other step has it.
    pub fn unbracketed(&self) -> String {
        self.0.trim_end_matches(']').replace('[', ".")
    }
}

/// A point in time: UTC, written as RFC 3339, kept to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Moment(#[schemars(with = "String")] pub jiff::Timestamp);

impl Moment {
    /// The moment that lies this many milliseconds after 1970-01-01T00:00:00Z; the nearest one that can be told if there is none.
    pub fn from_millis(millis: i64) -> Self {
        let limit = if millis < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        Self(jiff::Timestamp::from_millisecond(millis).unwrap_or(limit))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn as_millis(self) -> i64 {
        self.0.as_millisecond()
    }

    /// The time from `earlier` to this moment; zero when `earlier` is later, since wall clocks jump.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.as_millis().saturating_sub(earlier.as_millis())).unwrap_or(0))
    }

    /// The moment that comes `wait` later.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.as_millis().saturating_add(wait))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A length of time as people write it: `30s`, `5m`, `1h 30m`, `250ms`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period(pub Duration);

/// Says that a text is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a length of time: write it as `30s`, `5m` or `1h 30m`")]
pub struct PeriodError(String);

impl FromStr for Period {
    type Err = PeriodError;
    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let wrong = || PeriodError(text.to_owned());
        let signed: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
        // A bare number, a calendar unit or a negative length has no meaning as a time limit.
        Duration::try_from(signed).map(Self).map_err(|_| wrong())
    }
}

impl TryFrom<String> for Period {
    type Error = PeriodError;
    fn try_from(text: String) -> Result<Self, PeriodError> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> String {
        period.to_string()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signed = jiff::SignedDuration::try_from(self.0).unwrap_or(jiff::SignedDuration::MAX);
        f.pad(&format!("{signed:#}"))
    }
}

impl fmt::Debug for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl JsonSchema for Period {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Period".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "A length of time, such as 30s, 5m or 1h 30m", "examples": ["30s", "5m", "1h 30m"] })
    }
}

#[cfg(test)]
mod tests {
    use super::{Moment, NameError, Period, StepId};
    use std::time::Duration;

    #[test]
    fn a_step_id_is_a_dns_label() {
        assert_eq!(StepId::new("deploy-2").map(|id| id.to_string()), Ok("deploy-2".to_owned()));
        assert_eq!(StepId::new(""), Err(NameError::Empty));
        assert_eq!(StepId::new("Deploy"), Err(NameError::Character('D')));
        assert_eq!(StepId::new("deploy-"), Err(NameError::Character('-')));
        assert_eq!(StepId::new(&"x".repeat(64)), Err(NameError::TooLong(64)));
        assert_eq!(StepId::new("deploy").unwrap().of_item("eu-1.A_b"), StepId::new("deploy[eu-1.A_b]"));
        assert_eq!(StepId::new("deploy[e u]"), Err(NameError::ItemCharacter(' ')));
        assert_eq!(StepId::new("deploy[]"), Err(NameError::Empty));
        assert_eq!(StepId::new("deploy[-1]"), Err(NameError::ItemCharacter('-')));
        assert_eq!(StepId::new("deploy[eu]").unwrap().unbracketed(), "deploy.eu");
        for text in ["deploy[eu", "deploy]", "[eu]", "deploy[a][b]", "deploy[[a]]"] {
            assert!(StepId::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_period_reads_and_writes_what_people_write() {
        for (text, seconds) in [("30s", 30), ("5m", 300), ("1h 30m", 5400), ("0s", 0)] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.0, Duration::from_secs(seconds));
            assert_eq!(period.to_string().parse::<Period>().unwrap(), period);
        }
        for text in ["", "30", "-5s", "soon", "1 month"] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_moment_survives_json_and_never_runs_backwards() {
        let at = Moment::from_millis(1_795_000_000_123);
        let json = serde_json::to_string(&at).unwrap();
        assert_eq!(serde_json::from_str::<Moment>(&json).unwrap(), at);
        assert_eq!(at.since(at.after(Duration::from_secs(1))), Duration::ZERO);
    }
}
