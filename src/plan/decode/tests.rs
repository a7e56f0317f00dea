//! What the decoder tells of pieces that do not fit.

use super::{Decoded, decode, decode_as};
use crate::expr::Wanted;
use crate::expr::yaml::parse;
use crate::ids::Period;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[allow(dead_code)]
struct Sample {
    name: String,
    count: u32,
    wait: Option<Period>,
    mode: Option<Mode>,
    inner: Option<Inner>,
    items: Option<Vec<Inner>>,
    values: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[allow(dead_code)]
struct Inner {
    port: u16,
    open: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(dead_code)]
enum Mode {
    Fast,
    Slow,
    Paced { every: Period },
}

fn told(text: &str) -> Vec<String> {
    let (node, _) = parse(text).unwrap();
    let direct: Decoded<Sample> = decode_as(&node);
    // An action is decoded behind a trait object, which must lose nothing.
    let erased: Decoded<Sample> =
        decode(&node, |reader| erased_serde::deserialize(&mut <dyn erased_serde::Deserializer<'_>>::erase(reader)));
    assert_eq!(direct.failures, erased.failures);
    direct.failures.iter().map(|failure| format!("{}: {}", &text[failure.span.clone()], failure.mistake)).collect()
}

#[test]
fn all_mistakes_of_a_piece_are_told_each_at_its_place() {
    let text = "name: [a]\ncount: many\nwait: soon\nmode: fats\ninner: {port: 70000, open: 'yes', prot: 1}\nitems: [{port: 1}, {open: true}, 5]\nextra: 1\n";
    let expected = [
        "name: expected a text",
        "many: expected a whole number (at least 0)",
        "soon: `soon` is not a length of time: write it as `30s`, `5m` or `1h 30m`",
        "fats: `fats` is not known here",
        "70000: expected a whole number from 0 to 65535",
        "'yes': expected `true` or `false`",
        "prot: there is no key `prot` here",
        "open: the key `port` is missing",
        "5: expected a mapping",
        "extra: there is no key `extra` here",
    ];
    assert_eq!(told(text), expected);
}

#[test]
fn a_template_with_something_around_it_is_a_text_for_sure() {
    assert_eq!(
        told("name: x\ncount: 1\ninner: 'a {{ b }}'\nitems: '{{ a }}{{ b }}'\n"),
        ["'a {{ b }}': expected a mapping", "'{{ a }}{{ b }}': expected a list",]
    );
    assert_eq!(told("name: x\ncount: 1\ninner: '{{ b }}'\nitems: '{{ a }}'\n"), [""; 0]);
}

#[test]
fn what_follows_from_a_mistake_is_not_told_again() {
    assert_eq!(told("name: x\ncount: [1]\n"), ["count: expected a whole number (at least 0)"]);
    assert_eq!(told("name: x\n"), ["name: the key `count` is missing"]);
    assert_eq!(
        told("name: x\ncount: 1\nmode: {paced: {every: 5}}\n"),
        ["5: `5` is not a length of time: write it as `30s`, `5m` or `1h 30m`"]
    );
    assert_eq!(told("name: x\ncount: 1\nmode: {fast: , slow: }\n"), ["mode: exactly one key belongs here, and `slow` came too"]);
}

#[test]
fn a_template_may_stand_for_any_scalar() {
    let text = "name: '{{ a }}'\ncount: '{{ b }}'\nwait: '{{ c }}'\nmode: '{{ d }}'\ninner: {port: '{{ e }}', open: '{{ f }}'}\nvalues: {x: '{{ g }}'}\n";
    let (node, _) = parse(text).unwrap();
    let decoded: Decoded<Sample> = decode_as(&node);
    assert_eq!(decoded.failures, []);
    assert!(decoded.value.is_some());
    let of = |key: &str| node.get(key).unwrap().id;
    assert_eq!(decoded.wanted.get(&of("name")), Some(&Wanted::Text));
    assert_eq!(decoded.wanted.get(&of("count")), Some(&Wanted::Number));
    assert_eq!(decoded.samples.get(&of("mode")), Some(&serde_json::json!("fast")));
    assert_eq!(decoded.samples.get(&of("wait")), Some(&serde_json::json!("1m")));
}

#[test]
fn a_text_keeps_how_it_was_written_and_a_leading_zero_is_refused() {
    let (node, _) = parse("name: 1.10\ncount: 1\n").unwrap();
    let decoded: Decoded<Sample> = decode_as(&node);
    assert_eq!(decoded.value.unwrap().name, "1.10");
    let told = told("name: 0644\ncount: 0644\nvalues: {mode: 0644}\n");
    let refused = "0644: `0644` has a leading zero: write '0644' if it is a text, 0o644 if it is octal";
    assert_eq!(told, [refused, refused]);
}
