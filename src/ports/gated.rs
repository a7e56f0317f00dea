//! Keeps requests that may change something from leaving once the gate is shut. It knows no kind of object.

use super::gate::Gate;
use futures::future::{BoxFuture, FutureExt};
use http::{Method, Request};
use kube::client::Body;
use std::task::{Context, Poll};
use tower::{BoxError, Service};

/// Refuses what may change something once the gate is shut. It never leaves then.
#[derive(Clone)]
pub(super) struct Gated<S> {
    pub(super) inner: S,
    pub(super) gate: Gate,
}

impl<S> Service<Request<Body>> for Gated<S>
where
    S: Service<Request<Body>, Error = BoxError>,
    S::Response: Send + 'static,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.gate.check() {
            Err(shut) if changes(&request) => futures::future::ready(Err(shut.into())).boxed(),
            _ => self.inner.call(request).boxed(),
        }
    }
}

/// True for every request that may change something, and for programs and connections inside pods, which may do anything.
fn changes<B>(request: &Request<B>) -> bool {
    !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) || request.headers().contains_key(http::header::UPGRADE)
}

#[cfg(test)]
mod tests {
    use super::Gated;
    use crate::ports::Gate;
    use http::{Request, Response};
    use kube::client::Body;
    use tower::{BoxError, Service};

    #[tokio::test]
    async fn behind_a_shut_gate_nothing_but_looking_is_possible() {
        let reached = tower::service_fn(|_: Request<Body>| async { Ok::<_, BoxError>(Response::new(())) });
        let gate = Gate::default();
        let mut gated = Gated { inner: reached, gate: gate.clone() };
        let ask = |method: &str| Request::builder().method(method).uri("/api/v1/pods").body(Body::empty()).unwrap();
        assert!(gated.call(ask("PATCH")).await.is_ok());
        gate.shut("somebody else holds the lock");
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            assert_eq!(gated.call(ask(method)).await.err().unwrap().to_string(), "somebody else holds the lock", "{method}");
        }
        let mut exec = ask("GET");
        exec.headers_mut().insert("upgrade", "websocket".parse().unwrap());
        assert!(gated.call(exec).await.is_err());
        assert!(gated.call(ask("GET")).await.is_ok());
    }
}
