//! What a scenario has no words for, among what is known of a run before it begins. It simulates nothing.

use super::outside::{may_be_modelled, rule_for};
use super::rules;
use crate::ports::Script;
use crate::scenario::{Scenario, may_fit};
use serde_json::Value;

/// The rule to write in `simulate.processes` for a program that no rule can mean, whatever a `*` in it comes to stand for.
pub fn lacking_program(scenario: &Scenario, script: &Script) -> Option<String> {
    let (program, args) = script.command();
    let words = [vec![program], args].concat();
    (!may_be_modelled(&scenario.processes, &words)).then(|| rule_for(&words))
}

/// The images that the simulated cluster must know to take an object, in their order.
pub fn images(object: &Value) -> Vec<&str> {
    rules::images(object).collect()
}

/// The pattern to write in `simulate.images` for an image that none there can mean, whatever a `*` in it comes to stand for.
pub fn lacking_image(scenario: &Scenario, image: &str) -> Option<String> {
    // A container without an image is told by the simulated cluster, in the words of a real one.
    let is_known = image.is_empty() || scenario.images.keys().any(|pattern| may_fit(pattern, image));
    (!is_known).then(|| format!("'{}': {{}}", image.replace('\'', "''")))
}
