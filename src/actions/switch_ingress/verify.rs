//! Whether traffic arrives where it was sent: answers in a row, each over a connection of its own. It knows no Ingress.

use crate::action::ActionError;
use crate::ids::Period;
use crate::ports::{Clock, Http, HttpRequest};
use crate::probe::{HttpExpect, StatusExpect};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(100);
/// Time for one answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How to see that traffic arrives.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Verify {
    /// Where to ask. Without it, `path` at the address that the Ingress' controller tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The path to ask for, when there is no `url`; `/` unless it says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The `Host` of the question; the Ingress rule's when none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What tells an answer of the new side. Without it any answer that is no error will do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect: Option<HttpExpect>,
    /// So many answers in a row: 3 unless it says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Time for all of it: 30s unless it says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,
}

/// Where to ask, and what for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Question {
    pub(super) url: String,
    pub(super) host: Option<String>,
    /// What tells an answer of the new side; none when any answer will do.
    pub(super) expect: Option<HttpExpect>,
    pub(super) times: u32,
    pub(super) timeout: Duration,
}

impl Question {
    pub(super) fn new(verify: &Verify, url: String, host: Option<String>) -> Self {
        Self {
            url,
            host: verify.host.clone().or(host),
            expect: Some(verify.expect.clone().unwrap_or_default()),
            times: verify.times.unwrap_or(3).max(1),
            timeout: verify.timeout.map_or(Duration::from_secs(30), |period| period.0),
        }
    }

    /// The same question, where any answer will do: what the old side says at this path is its own business.
    pub(super) fn of_any_side(self) -> Self {
        Self { expect: None, ..self }
    }

    /// True when anybody answers at all, asked once.
    pub(super) async fn is_answered(&self, http: &dyn Http) -> bool {
        self.clone().of_any_side().ask_once(http).await.is_ok()
    }

    /// Asks until so many answers in a row are as they should be.
    pub(super) async fn ask(&self, http: &dyn Http, clock: &dyn Clock, mut tell: impl FnMut(String)) -> Result<(), ActionError> {
        let mut last = String::from("no answer yet");
        let asking = async {
            let mut row = 0;
            while row < self.times {
                match self.ask_once(http).await {
                    Ok(()) => row += 1,
                    Err(why) => {
                        row = 0;
                        tell(format!("{}: {why}", self.url));
                        last = why;
                        clock.sleep(PAUSE).await;
                    }
                }
            }
        };
        tokio::select! {
            () = asking => Ok(()),
            () = clock.sleep(self.timeout) => {
                let (url, times, timeout) = (&self.url, self.times, Period(self.timeout));
                Err(ActionError::permanent(format!("{url} did not answer as it should {times} times in a row within {timeout}: {last}")))
            }
        }
    }

    /// Asks until so many answers in a row are no answers of the side that the question means; gives up in silence after `limit`, since an
    /// expectation that both sides meet tells nothing.
    pub(super) async fn ask_until_left(&self, http: &dyn Http, clock: &dyn Clock, limit: Duration) {
        let asking = async {
            let mut row = 0;
            while row < self.times {
                row = if self.ask_once(http).await.is_err() { row + 1 } else { 0 };
                if row == 0 {
                    clock.sleep(PAUSE).await;
                }
            }
        };
        tokio::select! {
            () = asking => {}
            () = clock.sleep(limit) => {}
        }
    }

    async fn ask_once(&self, http: &dyn Http) -> Result<(), String> {
        let headers = self.host.iter().map(|host| ("Host".to_owned(), host.clone())).collect();
        let request =
            HttpRequest { method: "GET".to_owned(), url: self.url.clone(), headers, body: None, timeout: ANSWER_WITHIN, fresh: true };
        let response = http.send(request).await.map_err(|error| error.what)?;
        let Some(expect) = &self.expect else { return Ok(()) };
        let mut complaints = expect.complaints(&response, &StatusExpect::hundreds(&[2, 3]));
        complaints.extend(expect.delay(&[response.latency]));
        if complaints.is_empty() { Ok(()) } else { Err(complaints.join("; ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Question, Verify};
    use crate::ports::{Http, HttpError, HttpRequest, HttpResponse, SystemClock};
    use futures::future::{BoxFuture, FutureExt};
    use serde_json::Value;
    use std::sync::Mutex;
    use std::time::Duration;

    fn answer(status: u16, body: &Value) -> HttpResponse {
        HttpResponse {
            status,
            headers: vec![("x-version".to_owned(), "v2".to_owned())],
            body: body.to_string().into_bytes(),
            ..HttpResponse::default()
        }
    }

    /// Answers in turn, then with the last one for ever.
    struct Scripted(Mutex<Vec<u16>>);

    impl Http for Scripted {
        fn send(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, HttpError>> {
            assert!(request.fresh);
            let mut statuses = self.0.lock().unwrap();
            let status = if statuses.len() > 1 { statuses.remove(0) } else { statuses[0] };
            async move { Ok(answer(status, &Value::Null)) }.boxed()
        }
    }

    fn question() -> Question {
        Question::new(&Verify::default(), "http://10.0.0.1/health".to_owned(), None)
    }

    #[tokio::test(start_paused = true)]
    async fn one_bad_answer_begins_the_row_anew() {
        let http = Scripted(Mutex::new(vec![200, 200, 503, 200, 200, 200, 500]));
        let mut told = Vec::new();
        question().ask(&http, &SystemClock, |text| told.push(text)).await.unwrap();
        assert_eq!(told, ["http://10.0.0.1/health: expected status 2xx or 3xx, got 503 (null)"]);
        assert_eq!(*http.0.lock().unwrap(), [500]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_is_left_when_others_answer_so_many_times_in_a_row() {
        let http = Scripted(Mutex::new(vec![200, 500, 500, 200, 500, 500, 500, 404]));
        question().ask_until_left(&http, &SystemClock, Duration::from_secs(5)).await;
        assert_eq!(*http.0.lock().unwrap(), [404]);
        let begun = tokio::time::Instant::now();
        question().ask_until_left(&Scripted(Mutex::new(vec![200])), &SystemClock, Duration::from_secs(5)).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(5), "what both sides answer alike is not waited for for ever");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_row_in_time_it_fails_with_the_last_reason() {
        let error = question().ask(&Scripted(Mutex::new(vec![502])), &SystemClock, |_| ()).await.unwrap_err();
        insta::assert_snapshot!(error, @"http://10.0.0.1/health did not answer as it should 3 times in a row within 30s: expected status 2xx or 3xx, got 502 (null)");
    }
}
