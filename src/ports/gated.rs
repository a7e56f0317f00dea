//! Keeps requests that may change something from leaving once the gate is shut. It knows no kind of object.

use super::gate::Gate;
use futures::future::{BoxFuture, FutureExt};
use http::{Method, Request};
use kube::client::Body;
use std::task::{Context, Poll};
use tower::{BoxError, Service};

/// Lets what may change something wait until the gate is open, and refuses it once the gate is shut.
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
        let changes = changes(&request);
        // Nothing is sent before its future is asked for the first time.
        let answer = self.inner.call(request);
        let gate = self.gate.clone();
        async move {
            if changes {
                gate.pass().await?;
            }
            answer.await
        }
        .boxed()
    }
}

/// True for every request that may change something, and for programs and connections inside pods, which may do anything. The locks of
/// bowline itself are not meant: they are what opens the gate, and each write of them names the version that it replaces.
fn changes<B>(request: &Request<B>) -> bool {
    let path = request.uri().path();
    let is_lock =
        path.starts_with("/apis/coordination.k8s.io/") && (path.contains("/leases/bowline.") || path.contains("/leases/bowline-lock."));
    if is_lock {
        return false;
    }
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
        let lock = Request::put("/apis/coordination.k8s.io/v1/namespaces/shop/leases/bowline.shop").body(Body::empty()).unwrap();
        assert!(gated.call(lock).await.is_ok(), "what opens the gate does not wait for it");
    }
}
