//! The functions that a condition can call, and the calls that none of them takes. It evaluates nothing.

use super::ConditionError;
use super::near::closest;
use cel::common::ast::{CallExpr, Expr, SourceInfo};
use std::ops::Range;

/// One function: how many values it takes where it stands alone, and how many behind a value (`text.contains(part)`).
struct Function {
    name: &'static str,
    alone: &'static [usize],
    behind: &'static [usize],
    /// What a call of it looks like.
    like: &'static str,
}

const fn function(name: &'static str, alone: &'static [usize], behind: &'static [usize], like: &'static str) -> Function {
    Function { name, alone, behind, like }
}

/// All that people write, in the order in which they are told; those of CEL's optional values are known, and not told.
const FUNCTIONS: [Function; 36] = [
    function("has", &[1], &[], "has(steps.ID.FIELD)"),
    function("size", &[1], &[0], "size(list)"),
    function("contains", &[], &[1], "text.contains('part')"),
    function("startsWith", &[], &[1], "text.startsWith('begin')"),
    function("endsWith", &[], &[1], "text.endsWith('end')"),
    function("matches", &[2], &[1], "text.matches('^v[0-9]+$')"),
    function("exists", &[], &[2], "list.exists(one, one == 'a')"),
    function("all", &[], &[2], "list.all(one, one != 'a')"),
    function("exists_one", &[], &[2], "list.exists_one(one, one == 'a')"),
    function("existsOne", &[], &[2], "list.existsOne(one, one == 'a')"),
    function("filter", &[], &[2], "list.filter(one, one != 'a')"),
    function("map", &[], &[2, 3], "list.map(one, one + 1)"),
    function("int", &[1], &[], "int(text)"),
    function("uint", &[1], &[], "uint(text)"),
    function("double", &[1], &[], "double(text)"),
    function("string", &[1], &[], "string(number)"),
    function("bool", &[1], &[], "bool(text)"),
    function("bytes", &[1], &[], "bytes(text)"),
    function("dyn", &[1], &[], "dyn(value)"),
    function("type", &[1], &[], "type(value)"),
    function("duration", &[1], &[], "duration('5m')"),
    function("timestamp", &[1], &[], "timestamp(text)"),
    function("getFullYear", &[], &[0, 1], "time.getFullYear()"),
    function("getMonth", &[], &[0, 1], "time.getMonth()"),
    function("getDate", &[], &[0, 1], "time.getDate()"),
    function("getDayOfMonth", &[], &[0, 1], "time.getDayOfMonth()"),
    function("getDayOfWeek", &[], &[0, 1], "time.getDayOfWeek()"),
    function("getDayOfYear", &[], &[0, 1], "time.getDayOfYear()"),
    function("getHours", &[], &[0, 1], "time.getHours()"),
    function("getMinutes", &[], &[0, 1], "time.getMinutes()"),
    function("getSeconds", &[], &[0, 1], "time.getSeconds()"),
    function("getMilliseconds", &[], &[0, 1], "time.getMilliseconds()"),
    function("hasValue", &[], &[0], "optional.hasValue()"),
    function("value", &[], &[0], "optional.value()"),
    function("or", &[], &[1], "optional.or(other)"),
    function("orValue", &[], &[1], "optional.orValue(1)"),
];

/// What makes optional values: these stand behind a name that is no value.
const QUALIFIED: [(&str, Function); 3] = [
    ("optional", function("of", &[1], &[], "optional.of(1)")),
    ("optional", function("none", &[0], &[], "optional.none()")),
    ("optional", function("ofNonZeroValue", &[1], &[], "optional.ofNonZeroValue(1)")),
];

/// What is told of all of them.
const TOLD: &str = "has, size, contains, startsWith, endsWith, matches, exists, all, exists_one, filter, map, int, double, string, bool, \
    duration, timestamp, and of times getFullYear, getMonth, getDate, getHours and the like";

/// True where what stands before the point is a part of the function's name.
pub(super) fn is_qualified(call: &CallExpr) -> bool {
    qualified(call).is_some()
}

fn qualified(call: &CallExpr) -> Option<&'static Function> {
    let Expr::Ident(before) = &call.target.as_ref()?.expr else { return None };
    QUALIFIED.iter().find(|(qualifier, known)| qualifier == before && known.name == call.func_name).map(|(_, known)| known)
}

/// What is wrong with a call; none where there is such a function and it takes that many values. Operators are functions, too: their
/// names are no words.
pub(super) fn fault(call: &CallExpr, id: u64, places: &SourceInfo) -> Option<ConditionError> {
    let name = call.func_name.as_str();
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return None;
    }
    let at = || place(name, id, places);
    let qualified = qualified(call);
    let Some(known) = qualified.or_else(|| FUNCTIONS.iter().find(|known| known.name == name)) else {
        let meant = closest(name, FUNCTIONS.iter().map(|known| known.name));
        let meant =
            meant.or_else(|| FUNCTIONS.iter().map(|known| known.name).find(|known| known.eq_ignore_ascii_case(&name.replace('_', ""))));
        let help = meant.map_or_else(|| format!("known functions: {TOLD}"), |meant| format!("did you mean `{meant}`?"));
        return Some(ConditionError { message: format!("there is no function `{name}`"), at: at(), help: Some(help) });
    };
    let is_behind = call.target.is_some() && qualified.is_none();
    let takes = if is_behind { known.behind } else { known.alone };
    if takes.contains(&call.args.len()) {
        return None;
    }
    let message = match (takes, is_behind) {
        ([], true) => format!("`{name}` stands behind no value"),
        ([], false) => format!("`{name}` stands behind a value"),
        (takes, _) => format!("`{name}` {}", wrong_number(takes, call.args.len())),
    };
    Some(ConditionError { message, at: at(), help: Some(format!("write it as in `{}`", known.like)) })
}

/// What is said of something that takes so many values and is given another number of them.
pub(super) fn wrong_number(takes: &[usize], given: usize) -> String {
    let numbers: Vec<String> = takes.iter().map(ToString::to_string).collect();
    let values = match takes {
        [0] => "no value".to_owned(),
        [1] => "one value".to_owned(),
        [0, 1] => "at most one value".to_owned(),
        _ => format!("{} values", numbers.join(" or ")),
    };
    let stand = match given {
        0 => "none stands".to_owned(),
        1 => "one stands".to_owned(),
        _ => format!("{given} stand"),
    };
    format!("takes {values}, and {stand} here")
}

/// Where the name of a call stands. The parser tells where the call does, which may be its name, its bracket or its point.
fn place(name: &str, id: u64, places: &SourceInfo) -> Range<usize> {
    let text = &places.source;
    let told = places.offset_for(id).map_or(0, |(start, _)| start as usize);
    let told = text.char_indices().nth(told).map_or(text.len(), |(byte, _)| byte);
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let is_call = |at: usize| !text[..at].chars().next_back().is_some_and(is_part) && text[at + name.len()..].trim_start().starts_with('(');
    let all = text.match_indices(name).map(|(at, _)| at).filter(|at| is_call(*at));
    // A comment may stand between the name and its bracket.
    let Some(at) = all.min_by_key(|at| at.abs_diff(told)) else { return 0..text.len() };
    at..at + name.len()
}

#[cfg(test)]
mod tests {
    use super::{FUNCTIONS, QUALIFIED};
    use crate::expr::{Condition, ConditionError};
    use cel::{Context, ExecutionError, Program};

    /// A call of every function that the table has, with as many values as it says: the engine knows each.
    #[test]
    fn the_engine_has_every_function_of_the_table() {
        let bare = FUNCTIONS.iter().map(|known| (String::new(), known));
        for (before, known) in bare.chain(QUALIFIED.iter().map(|(qualifier, known)| (format!("{qualifier}."), known))) {
            let alone = known.alone.iter().map(|count| format!("{before}{}({})", known.name, vec!["1"; *count].join(", ")));
            let behind = known.behind.iter().map(|count| format!("[1].{}({})", known.name, vec!["one"; *count].join(", ")));
            // What must be a name cannot be a number.
            for call in alone.chain(behind).filter(|call| !call.starts_with("has(")) {
                let told = Program::compile(&call).map(|program| program.execute(&Context::default()));
                let is_unknown = matches!(&told, Ok(Err(ExecutionError::UndeclaredReference(name))) if name.as_str() == known.name);
                assert!(told.is_ok() && !is_unknown, "{call}: {told:?}");
            }
        }
    }

    fn told(text: &str) -> String {
        let condition = Condition::parse(text).unwrap();
        let line = |slip: &ConditionError| format!("{}: {slip}; {}", &text[slip.at.clone()], slip.help.clone().unwrap_or_default());
        condition.slips().iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn calls_that_fit_are_left_alone() {
        for text in [
            "has(steps.a.b) && size(inputs.c) == 1 && inputs.c.size() == 1",
            "inputs.a.contains('x') || matches(inputs.a, '^v') || inputs.a.matches('v')",
            "inputs.a.exists(one, one.startsWith('x')) && inputs.b.map(k, v, k == v).size() == 0",
            "timestamp(inputs.t).getHours('UTC') > 3 && duration('5m') < duration('1h')",
            "optional.of(inputs.a).or(optional.none()).orValue(1) == 1 && optional.ofNonZeroValue(inputs.b).hasValue()",
            "-inputs.a < 3 && !(inputs.b in [1]) && (inputs.c ? inputs.d[0] : inputs.e['f']) == 'always()'",
        ] {
            assert_eq!(told(text), "", "{text}");
        }
    }

    #[test]
    fn a_call_of_nothing_is_told_where_it_stands_with_what_was_meant() {
        insta::assert_snapshot!(told("inputs.a == 'é always()' && always()"), @"always: there is no function `always`; known functions: has, size, contains, startsWith, endsWith, matches, exists, all, exists_one, filter, map, int, double, string, bool, duration, timestamp, and of times getFullYear, getMonth, getDate, getHours and the like");
        insta::assert_snapshot!(told("inputs.a.startswith('x')"), @"startswith: there is no function `startswith`; did you mean `startsWith`?");
        insta::assert_snapshot!(told("time.get_full_year() > 2000"), @"get_full_year: there is no function `get_full_year`; did you mean `getFullYear`?");
        insta::assert_snapshot!(told("lenght(inputs.a) > 1 && inputs.b"), @"lenght: there is no function `lenght`; known functions: has, size, contains, startsWith, endsWith, matches, exists, all, exists_one, filter, map, int, double, string, bool, duration, timestamp, and of times getFullYear, getMonth, getDate, getHours and the like");
        insta::assert_snapshot!(told("optional.some(1) == 2 && lenght(inputs.list.exists(x, sise(x) == 1))"), @"
        some: there is no function `some`; known functions: has, size, contains, startsWith, endsWith, matches, exists, all, exists_one, filter, map, int, double, string, bool, duration, timestamp, and of times getFullYear, getMonth, getDate, getHours and the like
        lenght: there is no function `lenght`; known functions: has, size, contains, startsWith, endsWith, matches, exists, all, exists_one, filter, map, int, double, string, bool, duration, timestamp, and of times getFullYear, getMonth, getDate, getHours and the like
        sise: there is no function `sise`; did you mean `size`?
        ");
        assert!(told("foo //\n('ä') || true").contains("there is no function `foo`"), "a comment stands before its bracket");
        insta::assert_snapshot!(told("inputs.list.exists(x, sise(x) == 1)"), @"sise: there is no function `sise`; did you mean `size`?");
    }

    #[test]
    fn a_wrong_number_of_values_is_told() {
        insta::assert_snapshot!(told("size(inputs.a, inputs.b) == 1"), @"size: `size` takes one value, and 2 stand here; write it as in `size(list)`");
        insta::assert_snapshot!(told("size() == 1"), @"size: `size` takes one value, and none stands here; write it as in `size(list)`");
        insta::assert_snapshot!(told("contains(inputs.a, 'x')"), @"contains: `contains` stands behind a value; write it as in `text.contains('part')`");
        insta::assert_snapshot!(told("inputs.a.int() == 1"), @"int: `int` stands behind no value; write it as in `int(text)`");
        insta::assert_snapshot!(told("inputs.a.exists(x == 1)"), @"exists: `exists` takes 2 values, and one stands here; write it as in `list.exists(one, one == 'a')`");
        insta::assert_snapshot!(told("timestamp(inputs.a).getHours(1, 2) == 1"), @"getHours: `getHours` takes at most one value, and 2 stand here; write it as in `time.getHours()`");
    }
}
