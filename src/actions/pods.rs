//! What actions want of pods: a door to one of their ports, and programs that run in them. It knows no probe and no database.

use crate::action::{ActionError, EffectError, Evidence, ReadCx, RunScope};
use futures::future::{BoxFuture, FutureExt, ready};
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncWrite};

/// A port of a pod on this machine's loopback, for as long as this lives.
pub trait Door: Send + Sync {
    /// Where to connect.
    fn address(&self) -> SocketAddr;
    /// Why the last connection through it broke, when the API server said so.
    fn trouble(&self) -> Option<String>;
}

/// How a program in a pod ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodEnd {
    /// Its exit code.
    pub code: i32,
    /// The end of what it printed on standard error.
    pub errors: String,
}

/// A program that runs in a pod. Dropped, it loses its connection.
pub struct PodProgram {
    /// What it reads. Shut down or dropped, its input is over. None when it was started without.
    pub stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// What it prints. It must be read to its end.
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// Its end. An error is a lost connection: how it ended is not known.
    pub end: BoxFuture<'static, Result<PodEnd, ActionError>>,
}

/// A program to start in a pod.
#[derive(Debug, Clone)]
pub struct PodCommand {
    /// The pod.
    pub pod: String,
    /// The container; the only or default one when none.
    pub container: Option<String>,
    /// The program and its arguments. No shell reads them.
    pub command: Vec<String>,
    /// Whether it reads anything.
    pub stdin: bool,
}

/// A way of reaching into a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Programs are started in it.
    Exec,
    /// Connections are made to its ports.
    Forward,
}

/// The way to pods.
pub trait Pods: Send + Sync {
    /// Opens a door to a port of a pod behind `service/NAME`, `deployment/NAME`, `statefulset/NAME` or `pod/NAME`.
    fn door(&self, scope: &RunScope, through: &str, port: Option<&str>) -> BoxFuture<'static, Result<Box<dyn Door>, ActionError>>;

    /// Chooses a ready pod behind such a name.
    fn choose(&self, scope: &RunScope, through: &str) -> BoxFuture<'static, Result<String, ActionError>>;

    /// All ready pods behind such a name, the one that is chosen first.
    fn ready(&self, scope: &RunScope, through: &str) -> BoxFuture<'static, Result<Vec<String>, ActionError>> {
        let chosen = self.choose(scope, through);
        async move { chosen.await.map(|pod| vec![pod]) }.boxed()
    }

    /// Tells which rights we lack to reach into pods, one line each.
    fn missing_rights(&self, scope: &RunScope, reach: Reach) -> BoxFuture<'static, Result<Vec<String>, ActionError>>;

    /// Starts a program. It is lost where the answer was, and it may run.
    fn start(&self, scope: &RunScope, command: PodCommand) -> BoxFuture<'static, Result<PodProgram, EffectError>>;

    /// What explains why these pods gave no good answer: their states, events, last lines. Nothing where nobody can tell.
    fn evidence(&self, _cx: &ReadCx, _scope: &RunScope, _through: &str) -> BoxFuture<'static, Vec<Evidence>> {
        ready(Vec::new()).boxed()
    }
}

#[cfg(feature = "kubernetes")]
pub use real::ClusterPods;

/// Says what is wrong with the name of what leads to a pod.
#[cfg(feature = "kubernetes")]
pub(super) fn check_through(through: &str) -> Result<(), String> {
    through.parse::<crate::cluster::through::Through>().map(drop).map_err(|error| error.to_string())
}

/// Says what is wrong with the name of what leads to a pod.
#[cfg(not(feature = "kubernetes"))]
pub(super) fn check_through(_through: &str) -> Result<(), String> {
    Err("this bowline was built without Kubernetes, so nothing leads to a pod".to_owned())
}

#[cfg(feature = "kubernetes")]
mod real {
    use super::{Door, PodCommand, PodEnd, PodProgram, Pods, Reach};
    use crate::action::{ActionError, EffectError, Evidence, ReadCx, RunScope};
    use crate::actions::kubernetes::{Place, evidence, open_for_evidence};
    use crate::cluster::Clusters;
    use crate::cluster::evidence::gather_answers;
    use crate::cluster::exec::{self, ExecError};
    use crate::cluster::forward::{Forward, ForwardError};
    use crate::cluster::rights::Right;
    use crate::cluster::through::{Through, ThroughError};
    use crate::ports::Connection;
    use futures::future::{BoxFuture, FutureExt};
    use std::net::SocketAddr;

    /// The pods of the run's cluster.
    #[derive(Clone)]
    pub struct ClusterPods(pub Clusters);

    impl ClusterPods {
        /// The connection, and the run's namespace there.
        async fn connect(self, scope: RunScope) -> Result<(Connection, String), ActionError> {
            let opened = self.0.open(scope.context.as_deref()).await;
            let cluster = opened.map_err(|error| ActionError::transient("there is no way to the cluster").because(&error))?;
            let namespace = scope.namespace.unwrap_or_else(|| cluster.connection.namespace.clone());
            Ok((cluster.connection, namespace))
        }
    }

    impl Door for Forward {
        fn address(&self) -> SocketAddr {
            Forward::address(self)
        }

        fn trouble(&self) -> Option<String> {
            Forward::trouble(self)
        }
    }

    impl Pods for ClusterPods {
        fn door(&self, scope: &RunScope, through: &str, port: Option<&str>) -> BoxFuture<'static, Result<Box<dyn Door>, ActionError>> {
            let (pods, scope, through, port) = (self.clone(), scope.clone(), through.to_owned(), port.map(str::to_owned));
            async move {
                let parsed = parse(&through)?;
                let (connection, namespace) = pods.connect(scope).await?;
                let forward = Forward::open(&connection, &namespace, &parsed, port.as_deref()).await;
                let forward = forward.map_err(|error| match &error {
                    ForwardError::Through(why) => not_reached(&through, why),
                    ForwardError::Listen(_) => ActionError::transient(format!("nothing leads to {through}")).because(&error),
                })?;
                Ok(Box::new(forward) as Box<dyn Door>)
            }
            .boxed()
        }

        fn choose(&self, scope: &RunScope, through: &str) -> BoxFuture<'static, Result<String, ActionError>> {
            let (pods, scope, through) = (self.clone(), scope.clone(), through.to_owned());
            async move {
                let parsed = parse(&through)?;
                let (connection, namespace) = pods.connect(scope).await?;
                let chosen = parsed.choose(&connection, &namespace).await;
                chosen.map(|pod| pod.name).map_err(|error| not_reached(&through, &error))
            }
            .boxed()
        }

        fn ready(&self, scope: &RunScope, through: &str) -> BoxFuture<'static, Result<Vec<String>, ActionError>> {
            let (pods, scope, through) = (self.clone(), scope.clone(), through.to_owned());
            async move {
                let parsed = parse(&through)?;
                let (connection, namespace) = pods.connect(scope).await?;
                let ready = parsed.ready(&connection, &namespace).await;
                Ok(ready.map_err(|error| not_reached(&through, &error))?.into_iter().map(|pod| pod.name).collect())
            }
            .boxed()
        }

        fn missing_rights(&self, scope: &RunScope, reach: Reach) -> BoxFuture<'static, Result<Vec<String>, ActionError>> {
            let (pods, scope) = (self.clone(), scope.clone());
            async move {
                let place = Place::open(&pods.0, &scope, None).await?;
                let on = |verb, resource| Right::on_pods(verb, resource, &place.namespace);
                let resource = if reach == Reach::Exec { "pods/exec" } else { "pods/portforward" };
                // Both are asked for by GET, as websockets are.
                place.lacking(&[on("get", "pods"), on("list", "pods"), on("get", resource), on("create", resource)]).await
            }
            .boxed()
        }

        fn start(&self, scope: &RunScope, command: PodCommand) -> BoxFuture<'static, Result<PodProgram, EffectError>> {
            let (pods, scope) = (self.clone(), scope.clone());
            async move {
                let (connection, namespace) = pods.connect(scope).await.map_err(EffectError::Refused)?;
                let PodCommand { pod, container, command, stdin } = command;
                let command = exec::PodCommand { namespace, pod, container, command };
                let started = command.start(&connection, stdin).await;
                let mut process = started.map_err(|error| match &error {
                    ExecError::NotStarted { .. } => EffectError::Refused(not_run(&error)),
                    ExecError::Lost { .. } => EffectError::Lost(not_run(&error)),
                })?;
                let none = || EffectError::Lost(ActionError::permanent("the API server gave no output stream"));
                let stdout = process.stdout().ok_or_else(none)?;
                let stdin = process.stdin();
                let end = async move {
                    let exit = process.wait().await.map_err(|error| not_run(&error))?;
                    Ok(PodEnd { code: exit.code, errors: exit.errors })
                };
                Ok(PodProgram { stdin, stdout, end: end.boxed() })
            }
            .boxed()
        }

        fn evidence(&self, cx: &ReadCx, scope: &RunScope, through: &str) -> BoxFuture<'static, Vec<Evidence>> {
            let (pods, cx, scope, through) = (self.clone(), cx.clone(), scope.clone(), through.to_owned());
            async move {
                let Some(place) = open_for_evidence(&pods.0, &cx, scope.namespace.as_deref()).await else { return Vec::new() };
                let Ok(through) = parse(&through) else { return Vec::new() };
                let names = through.names(&place.cluster.connection, &place.namespace).await.unwrap_or_default();
                evidence(&cx, &place, gather_answers(&place.cluster, &place.namespace, &names).await).await
            }
            .boxed()
        }
    }

    fn parse(through: &str) -> Result<Through, ActionError> {
        through.parse().map_err(|error: ThroughError| ActionError::permanent(error.to_string()))
    }

    fn not_reached(through: &str, error: &ThroughError) -> ActionError {
        let message = format!("no pod can be reached through {through}");
        if error.is_transient() { ActionError::transient(message).because(error) } else { ActionError::permanent(message).because(error) }
    }

    fn not_run(error: &ExecError) -> ActionError {
        match error {
            ExecError::NotStarted { transient: false, .. } => ActionError::permanent(error.to_string()),
            _ => ActionError::transient(error.to_string()),
        }
    }
}
