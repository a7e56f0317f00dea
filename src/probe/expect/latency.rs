//! How quickly answers came, held against how quickly they should. It asks nobody.

use crate::ids::Period;
use std::time::Duration;

/// Says what is not as expected when this share of answers, in a hundred, must have come within a time.
pub(super) fn complaint(within: Period, percentile: f64, took: &[Duration]) -> Option<String> {
    let mut sorted = took.to_vec();
    sorted.sort_unstable();
    let slowest = *sorted.last()?;
    let reached = sorted[rank(percentile, sorted.len())];
    if reached <= within.0 {
        return None;
    }
    Some(match sorted.len() {
        1 => format!("expected an answer within {within}, got one after {}", rounded(reached)),
        count => format!(
            "expected {percentile} % of {count} answers within {within}, got {} (the slowest took {})",
            rounded(reached),
            rounded(slowest)
        ),
    })
}

/// The place of a percentile among sorted values: the nearest rank.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "at most a thousand answers")]
fn rank(percentile: f64, count: usize) -> usize {
    ((percentile / 100.0 * count as f64).ceil() as usize).clamp(1, count) - 1
}

/// Whole milliseconds: nobody can use more.
fn rounded(took: Duration) -> Period {
    Period(Duration::from_millis(u64::try_from(took.as_millis()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::complaint;
    use crate::ids::Period;
    use std::time::Duration;

    fn told(limit: u64, percentile: f64, milliseconds: impl IntoIterator<Item = u64>) -> Option<String> {
        let took: Vec<Duration> = milliseconds.into_iter().map(Duration::from_millis).collect();
        complaint(Period(Duration::from_millis(limit)), percentile, &took)
    }

    #[test]
    fn one_answer_is_held_against_the_limit() {
        assert_eq!(told(200, 100.0, [200]), None);
        insta::assert_snapshot!(told(200, 100.0, [250]).unwrap(), @"expected an answer within 200ms, got one after 250ms");
    }

    #[test]
    fn of_many_answers_a_share_may_be_late() {
        let took = || (1..=20).map(|n| if n == 20 { 900 } else { n * 5 });
        assert_eq!(told(100, 95.0, took()), None);
        insta::assert_snapshot!(told(100, 96.0, took()).unwrap(), @"expected 96 % of 20 answers within 100ms, got 900ms (the slowest took 900ms)");
        assert_eq!(told(100, 100.0, []), None);
    }
}
