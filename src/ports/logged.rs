//! Logs requests to an API server: method, path, status and time; never a header or a body, and no query, in which a selector may stand
//! that is nobody's business. It changes nothing.

use futures::future::{BoxFuture, FutureExt};
use http::{Request, Response};
use std::task::{Context, Poll};
use std::time::Instant;
use tower::{BoxError, Service};

/// Logs what goes through. Of an answer that streams the time is told until it begins.
#[derive(Clone)]
pub(super) struct Logged<S>(pub(super) S);

impl<S, A, B> Service<Request<A>> for Logged<S>
where
    S: Service<Request<A>, Response = Response<B>, Error = BoxError>,
    S::Future: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<B>, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = self.0.call(request);
        async move {
            // Nothing is sent before its future is asked for the first time.
            let begun = Instant::now();
            let answer = answer.await;
            let millis = begun.elapsed().as_millis();
            match &answer {
                Ok(response) => tracing::info!(%method, path, status = response.status().as_u16(), millis, "request"),
                Err(error) => tracing::info!(%method, path, %error, millis, "request"),
            }
            answer
        }
        .boxed()
    }
}
