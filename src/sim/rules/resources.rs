//! What the API server refuses of what a container asks for and may have at most.

use super::wrong::Wrong;
use serde_json::{Value, json};

pub(super) fn check(resources: &Value, at: &str, wrong: &mut Wrong) {
    let (limits, requests) = (&resources["limits"], &resources["requests"]);
    for (list, amounts) in [("limits", limits), ("requests", requests)] {
        for (name, amount) in amounts.as_object().into_iter().flatten() {
            if quantity(amount).is_some_and(|amount| amount < 0.0) {
                wrong.invalid(format!("{at}.{list}[{name}]"), &json!(written(amount)), "must be greater than or equal to 0");
            }
        }
    }
    for (name, asked) in requests.as_object().into_iter().flatten() {
        let most = &limits[name];
        if let (Some(asked_amount), Some(most_amount)) = (quantity(asked), quantity(most))
            && asked_amount > most_amount
        {
            let why = format!("must be less than or equal to {name} limit of {}", written(most));
            wrong.invalid(format!("{at}.requests"), &json!(written(asked)), &why);
        }
    }
}

fn written(amount: &Value) -> String {
    amount.as_str().map_or_else(|| amount.to_string(), str::to_owned)
}

/// `500m`, `1.5Gi`, `2`: near enough to compare.
fn quantity(amount: &Value) -> Option<f64> {
    let text = written(amount);
    let digits = text.trim_end_matches(|sign: char| sign.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        suffix => {
            let power = " kMGTPE".find(if suffix == "Ki" { 'k' } else { suffix.chars().next()? })?;
            let base: f64 = if suffix.ends_with('i') { 1024.0 } else { 1000.0 };
            base.powi(i32::try_from(power).ok()?)
        }
    };
    digits.parse::<f64>().ok().map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use super::quantity;
    use serde_json::json;

    #[test]
    fn quantities_are_compared_by_what_they_mean() {
        let of = |text: &str| quantity(&json!(text));
        assert!(of("500m") < of("1") && of("1Ki") > of("1k") && of("2Gi") > of("2047Mi") && of("-1") < of("0"));
        assert_eq!((quantity(&json!(2)), of("lots")), (Some(2.0), None));
    }
}
