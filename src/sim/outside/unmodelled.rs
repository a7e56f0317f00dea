//! What no scenario can describe yet: names, certificates and databases outside the cluster. Whoever asks for them is told so.

use crate::ports::{Certificate, NameError, Names, Postgres, SqlAnswer, SqlError, SqlQuestion, Tls, TlsError, TlsQuestion};
use crate::sim::shared::Shared;
use futures::future::{BoxFuture, FutureExt, ready};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Nobody who could answer.
#[derive(Clone)]
pub(in crate::sim) struct Unmodelled(pub(in crate::sim) Arc<Shared>);

impl Unmodelled {
    fn told(&self, what: &str) -> String {
        let told = format!("not modelled: {what}; no simulation can answer that yet");
        self.0.with(|world| world.note(&told));
        told
    }
}

impl Names for Unmodelled {
    fn look_up(&self, name: &str, _limit: Duration) -> BoxFuture<'static, Result<Vec<IpAddr>, NameError>> {
        ready(Err(NameError { name: name.to_owned(), what: self.told(&format!("the host name {name}")) })).boxed()
    }
}

impl Tls for Unmodelled {
    fn look(&self, question: TlsQuestion) -> BoxFuture<'static, Result<Certificate, TlsError>> {
        let what = self.told(&format!("the certificate of {}", question.address));
        ready(Err(TlsError { address: question.address, what })).boxed()
    }
}

impl Postgres for Unmodelled {
    fn ask(&self, question: SqlQuestion) -> BoxFuture<'static, Result<SqlAnswer, SqlError>> {
        let what = self.told(&format!("the database at {}", question.address));
        ready(Err(SqlError { address: question.address, what })).boxed()
    }
}
