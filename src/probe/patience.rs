//! How long and how often a question is put before its verdict stands. It knows no question.

use super::Verdict;
use crate::ids::Period;
use crate::ports::Clock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long and how often a question is put. Without `within` one answer that is not as expected ends it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Patience {
    /// How long to go on asking until the answers are as expected.
    #[serde(default)]
    pub within: Option<Period>,
    /// The pause between two questions; 1 s when it is not given.
    #[serde(default)]
    pub every: Option<Period>,
    /// How many answers in a row must be as expected; 1 when it is not given.
    #[serde(default)]
    pub times: Option<u32>,
}

impl Patience {
    /// Asks until `times` answers in a row have passed, or time is over.
    pub async fn until<F: Future<Output = Verdict>>(
        &self,
        clock: &dyn Clock,
        cancel: &CancellationToken,
        mut ask: impl FnMut() -> F,
    ) -> Verdict {
        let pause = self.every.map_or(Duration::from_secs(1), |every| every.0);
        let times = self.times.unwrap_or(1).max(1);
        let mut last: Option<String> = None;
        let asking = async {
            let mut row = 0;
            loop {
                match ask().await {
                    Verdict::Passed => row += 1,
                    Verdict::Failed(why) => {
                        row = 0;
                        last = Some(why);
                        if self.within.is_none() {
                            return;
                        }
                    }
                }
                if row == times {
                    last = None;
                    return;
                }
                clock.sleep(pause).await;
            }
        };
        let over = async {
            match self.within {
                Some(within) => clock.sleep(within.0).await,
                None => std::future::pending().await,
            }
        };
        let finished = tokio::select! {
            biased;
            () = asking => true,
            () = cancel.cancelled() => false,
            () = over => false,
        };
        self.verdict(finished, cancel.is_cancelled(), last, times)
    }

    fn verdict(&self, finished: bool, cancelled: bool, last: Option<String>, times: u32) -> Verdict {
        let within = self.within.map(|within| format!(" within {within}")).unwrap_or_default();
        match (finished, last) {
            (true, None) => Verdict::Passed,
            (true, Some(why)) => Verdict::Failed(why),
            (false, why) if cancelled => Verdict::Failed(why.unwrap_or_else(|| "stopped before there was an answer".to_owned())),
            (false, Some(why)) if times > 1 => Verdict::Failed(format!("not {times} times in a row{within}: {why}")),
            (false, Some(why)) => Verdict::Failed(format!("not{within}: {why}")),
            (false, None) => Verdict::Failed(format!("no answer{within}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Patience, Verdict};
    use crate::ids::{Moment, Period};
    use crate::ports::Clock;
    use futures::future::{BoxFuture, FutureExt};
    use std::time::Duration;
    use tokio::time::Instant;
    use tokio_util::sync::CancellationToken;

    /// The paused clock of the runtime.
    struct Paused;

    impl Clock for Paused {
        fn now(&self) -> Moment {
            Moment::from_millis(0)
        }

        fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()> {
            tokio::time::sleep(wait).boxed()
        }
    }

    fn patience(within: Option<u64>, times: Option<u32>) -> Patience {
        let seconds = |seconds| Period(Duration::from_secs(seconds));
        Patience { within: within.map(seconds), every: Some(seconds(2)), times }
    }

    /// Gives answers from a row of `+` and `-`, the last one for ever; says the verdict, the number of questions and the seconds.
    async fn asked(patience: Patience, answers: &str) -> (Verdict, usize, u64) {
        let begun = Instant::now();
        let mut asked = 0;
        let verdict = patience
            .until(&Paused, &CancellationToken::new(), || {
                let answer = answers.chars().nth(asked).or(answers.chars().last());
                asked += 1;
                let number = asked;
                async move { if answer == Some('+') { Verdict::Passed } else { Verdict::Failed(format!("answer {number}")) } }
            })
            .await;
        (verdict, asked, begun.elapsed().as_secs())
    }

    fn failed(why: &str) -> Verdict {
        Verdict::Failed(why.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn without_patience_one_answer_decides() {
        assert_eq!(asked(patience(None, None), "+").await, (Verdict::Passed, 1, 0));
        assert_eq!(asked(patience(None, None), "-+").await, (failed("answer 1"), 1, 0));
        assert_eq!(asked(patience(None, Some(3)), "+++").await, (Verdict::Passed, 3, 4));
        assert_eq!(asked(patience(None, Some(3)), "++-").await, (failed("answer 3"), 3, 4));
    }

    #[tokio::test(start_paused = true)]
    async fn with_patience_the_row_begins_anew_until_time_is_over() {
        assert_eq!(asked(patience(Some(30), None), "--+").await, (Verdict::Passed, 3, 4));
        assert_eq!(asked(patience(Some(30), Some(3)), "++-+++").await, (Verdict::Passed, 6, 10));
        assert_eq!(asked(patience(Some(5), None), "-").await, (failed("not within 5s: answer 3"), 3, 5));
        assert_eq!(asked(patience(Some(5), Some(2)), "-+-").await, (failed("not 2 times in a row within 5s: answer 3"), 3, 5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_is_never_answered_does_not_outlast_patience() {
        let verdict = patience(Some(5), None).until(&Paused, &CancellationToken::new(), std::future::pending).await;
        assert_eq!(verdict, failed("no answer within 5s"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_is_stopped_does_not_go_on_asking() {
        let cancel = CancellationToken::new();
        let stop = cancel.clone();
        let verdict = patience(Some(30), None)
            .until(&Paused, &cancel, || {
                stop.cancel();
                async { failed("not yet") }
            })
            .await;
        assert_eq!(verdict, failed("not yet"));
    }
}
