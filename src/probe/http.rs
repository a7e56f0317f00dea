//! The question over HTTP. It knows how to ask; what to expect is [`super::expect`]'s.

use super::{DEFAULT_TIMEOUT, HttpExpect, Outside, Setting, StatusExpect};
use crate::ids::Period;
use crate::ports::{HttpError, HttpRequest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Most questions of one probe.
const MOST_TRIES: u32 = 1000;

/// An HTTP request, on a connection of its own, and what is expected of the answer. Redirects are not followed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HttpProbe {
    /// Where to ask: an absolute URL.
    #[serde(default)]
    pub url: Option<String>,
    /// Where to ask, from the step's `base` or `through`.
    #[serde(default)]
    pub path: Option<String>,
    /// `GET` when it is not given.
    #[serde(default)]
    pub method: Option<String>,
    /// Headers, by name. `Host` too.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What is sent: text as it is, anything else as JSON.
    #[serde(default)]
    pub body: Option<Body>,
    /// The name of a secret of the plan that is sent as the bearer token.
    #[serde(default)]
    pub bearer: Option<String>,
    /// A user, and the name of the secret that is the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<BasicAuth>,
    /// Headers whose values are secrets of the plan, by the secret's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secret_headers: BTreeMap<String, String>,
    /// Ask so often, one after the other; every answer must be as expected. Once when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries: Option<u32>,
    /// Time for the whole exchange; 5 s when it is not given.
    #[serde(default)]
    pub timeout: Option<Period>,
    /// What is expected of the answer; a status of 2xx when it is not given.
    #[serde(default)]
    pub expect: HttpExpect,
}

/// Who asks, for servers that want a password.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BasicAuth {
    /// The user's name.
    pub user: String,
    /// The name of the secret that is the password.
    pub password: String,
}

/// A request's body: a text that is sent as it is, or anything else, which is sent as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Body(pub Value);

impl Body {
    fn bytes(&self) -> Vec<u8> {
        match &self.0 {
            Value::String(text) => text.clone().into_bytes(),
            other => other.to_string().into_bytes(),
        }
    }
}

impl HttpProbe {
    pub(super) fn server(&self, base: Option<&str>) -> Option<(String, String, Option<String>)> {
        let of_base = || Some(format!("{}{}", base?.trim_end_matches('/'), self.path.as_deref()?));
        let url = self.url.clone().or_else(of_base)?;
        let host = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host")).map(|(_, value)| value.clone());
        Some((self.method().to_owned(), url, host))
    }

    pub(super) fn title(&self) -> String {
        format!("{} {}", self.method(), self.path.as_deref().or(self.url.as_deref()).unwrap_or("/"))
    }

    fn method(&self) -> &str {
        self.method.as_deref().unwrap_or("GET")
    }

    pub(super) fn problems(&self, based: bool) -> Vec<String> {
        let mut problems = self.expect.problems();
        match (&self.url, &self.path) {
            (Some(_), Some(_)) => problems.push("`url` and `path` both say where to ask: keep one".to_owned()),
            (None, None) => problems.push("nothing says where to ask: write `url: https://…` or `path: /…`".to_owned()),
            (None, Some(_)) if !based => {
                problems.push("`path` needs a place to start from: give the step `base` or `through`, or write `url`".to_owned());
            }
            _ => {}
        }
        let named = self.headers.keys().chain(self.secret_headers.keys());
        let authorized = named.filter(|name| name.eq_ignore_ascii_case("authorization")).count();
        if authorized + usize::from(self.bearer.is_some()) + usize::from(self.basic.is_some()) > 1 {
            problems.push("`bearer`, `basic` and the header `Authorization` are the same: keep one".to_owned());
        }
        if self.tries.is_some_and(|tries| !(1..=MOST_TRIES).contains(&tries)) {
            problems.push(format!("`tries` is from 1 to {MOST_TRIES}: a smoke test is no load test"));
        }
        if self.expect.percentile.is_some() && self.tries.is_none() {
            problems.push("`percentile` is a share of many answers: say how many with `tries`".to_owned());
        }
        problems
    }

    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        let names = self.bearer.iter().chain(self.basic.iter().map(|basic| &basic.password)).chain(self.secret_headers.values());
        names.map(String::as_str)
    }

    pub(super) async fn ask(&self, setting: &Setting, outside: &Outside) -> Vec<String> {
        let tries = self.tries.unwrap_or(1).max(1);
        let mut took = Vec::new();
        for place in 1..=tries {
            let request = match self.request(setting) {
                Ok(request) => request,
                Err(complaint) => return vec![complaint],
            };
            let complaints = match outside.http.send(request).await {
                Ok(answer) => {
                    took.push(answer.latency);
                    self.expect.complaints(&answer, &StatusExpect::hundreds(&[2]))
                }
                Err(HttpError { what, .. }) => vec![format!("expected an answer, got none: {what}")],
            };
            if !complaints.is_empty() {
                let which = if tries > 1 { format!("try {place} of {tries}: ") } else { String::new() };
                return complaints.into_iter().map(|complaint| format!("{which}{complaint}")).collect();
            }
        }
        self.expect.delay(&took).into_iter().collect()
    }

    fn request(&self, setting: &Setting) -> Result<HttpRequest, String> {
        let mut headers: Vec<(String, String)> = self.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        for (header, name) in &self.secret_headers {
            headers.push((header.clone(), setting.secret(name)?.to_owned()));
        }
        if let Some(name) = &self.bearer {
            headers.push(("Authorization".to_owned(), format!("Bearer {}", setting.secret(name)?)));
        }
        if let Some(BasicAuth { user, password }) = &self.basic {
            let both = data_encoding::BASE64.encode(format!("{user}:{}", setting.secret(password)?).as_bytes());
            headers.push(("Authorization".to_owned(), format!("Basic {both}")));
        }
        let is_typed = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if self.body.as_ref().is_some_and(|body| !body.0.is_string()) && !is_typed {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        Ok(HttpRequest {
            method: self.method().to_owned(),
            url: self.url(setting)?,
            headers,
            body: self.body.as_ref().map(Body::bytes),
            timeout: self.timeout.map_or(DEFAULT_TIMEOUT, |timeout| timeout.0),
            fresh: true,
        })
    }

    fn url(&self, setting: &Setting) -> Result<String, String> {
        match (&self.url, &self.path, &setting.base) {
            (Some(url), _, _) => Ok(url.clone()),
            (None, Some(path), Some(base)) => Ok(format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'))),
            _ => Err("nothing says where to ask".to_owned()),
        }
    }
}
