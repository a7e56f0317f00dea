//! A world for actions on a cluster: the test server, with some objects in it, and one use of an action.

use crate::action::conformance::{Stage, World};
use crate::action::{
    ActionError, DynAction, DynEffect, EffectError, Effects, ErasedTicket, Frozen, Intent, Known, Progress, ReadCx, RunScope, Secret, Sink,
    UndoCx,
};
use crate::cluster::Clusters;
use crate::cluster::test_server::TestServer;
use crate::ids::StepId;
use crate::ports::SystemClock;
use crate::record::{EffectKey, Mark, Settled};
use futures::future::{BoxFuture, FutureExt};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// Makes an action that reaches a server.
pub(super) type Make = fn(Clusters) -> Arc<dyn DynAction>;

/// Worlds that are alike.
pub(super) struct Servers {
    pub(super) make: Make,
    pub(super) params: Value,
    pub(super) objects: Vec<(&'static str, Value)>,
    pub(super) files: Vec<(&'static str, &'static str)>,
    /// What controllers do: they see every write.
    pub(super) controller: Option<fn(&TestServer)>,
}

/// One of them.
pub(super) struct Server {
    pub(super) server: TestServer,
    action: Arc<dyn DynAction>,
    params: Value,
    frozen: Frozen,
}

pub(super) fn clusters(server: &TestServer) -> Clusters {
    Clusters::new(Arc::new(server.clone()), Arc::new(SystemClock))
}

impl World for Server {
    fn action(&self) -> Arc<dyn DynAction> {
        Arc::clone(&self.action)
    }

    fn params(&self) -> Value {
        self.params.clone()
    }

    fn frozen(&self) -> Frozen {
        self.frozen.clone()
    }

    fn secret(&self, _name: &str) -> Option<String> {
        Some(SECRET.to_owned())
    }

    fn fingerprint(&self) -> BoxFuture<'_, String> {
        let strip = |(path, mut object): (String, Value)| {
            for name in ["resourceVersion", "uid"] {
                object["metadata"].as_object_mut().map(|metadata| metadata.shift_remove(name));
            }
            format!("{path} {object}")
        };
        let all: Vec<String> = self.server.objects().into_iter().map(strip).collect();
        futures::future::ready(all.join("\n")).boxed()
    }
}

impl Stage for Servers {
    type World = Server;

    fn fresh(&self) -> BoxFuture<'_, Server> {
        let server = TestServer::default();
        self.objects.iter().for_each(|(path, object)| drop(server.put(path, object.clone())));
        if let Some(controller) = self.controller {
            server.control(controller);
        }
        let files = self.files.iter().map(|(path, text)| ((*path).to_owned(), Arc::from(text.as_bytes())));
        let frozen = Frozen(Arc::new(files.collect::<BTreeMap<_, _>>()));
        let action = (self.make)(clusters(&server));
        futures::future::ready(Server { server, action, params: self.params.clone(), frozen }).boxed()
    }
}

impl Servers {
    pub(super) fn of(make: Make, params: Value, objects: Vec<(&'static str, Value)>) -> Self {
        Self { make, params, objects, files: Vec::new(), controller: None }
    }

    /// The rights that a use of the action needs, told where none is given.
    pub(super) async fn rights(&self) -> String {
        let world = self.fresh().await;
        world.server.give_no_rights();
        world.action().missing_rights(read_cx(&world, &Listener::default()), world.params()).await.unwrap().join("\n")
    }

    /// One attempt in a fresh world, and what it left.
    pub(super) async fn tried(&self) -> (Tried, Server) {
        let world = self.fresh().await;
        (tried(&world).await, world)
    }
}

/// What one attempt gave.
pub(super) struct Tried {
    pub(super) output: Result<Value, ActionError>,
    pub(super) told: Vec<Progress>,
    pub(super) effects: Vec<DynEffect>,
}

pub(super) const SECRET: &str = "hunter2-hunter2";

/// Keeps what is told and what is intended.
#[derive(Default, Clone)]
pub(super) struct Listener {
    told: Arc<Mutex<Vec<Progress>>>,
    effects: Arc<Mutex<Vec<DynEffect>>>,
    pub(super) cancel: CancellationToken,
}

impl Listener {
    pub(super) fn told(&self) -> Vec<Progress> {
        self.told.lock().unwrap().clone()
    }
}

impl Sink for Listener {
    fn progress(&self, _step: &StepId, progress: Progress) {
        self.told.lock().unwrap().push(progress);
    }

    fn secret(&self, _name: &str) -> BoxFuture<'static, Result<Secret, ActionError>> {
        async { Ok(Secret::new(SECRET.to_owned())) }.boxed()
    }
}

impl Effects for Listener {
    fn earlier(&self) -> Vec<ErasedTicket> {
        let ticket = |DynEffect { key, undo, known }: DynEffect| ErasedTicket { key, undo, known };
        self.effects.lock().unwrap().iter().cloned().map(ticket).collect()
    }

    fn intend(&self, _intent: Intent, effects: Vec<(EffectKey, Value)>) -> BoxFuture<'static, Result<Vec<ErasedTicket>, ActionError>> {
        let mut known = self.effects.lock().unwrap();
        let mut tickets = Vec::new();
        for (key, undo) in effects {
            if !known.iter().any(|effect| effect.key == key) {
                known.push(DynEffect { key: key.clone(), undo, known: Known::Open });
            }
            let effect = known.iter().find(|effect| effect.key == key).unwrap();
            tickets.push(ErasedTicket { key, undo: effect.undo.clone(), known: effect.known.clone() });
        }
        async move { Ok(tickets) }.boxed()
    }

    fn effect(
        &self,
        ticket: ErasedTicket,
        future: BoxFuture<'static, Result<Value, EffectError>>,
    ) -> BoxFuture<'static, Result<Value, ActionError>> {
        let effects = self.effects.clone();
        async move {
            let answer = future.await;
            let known = match &answer {
                Ok(after) => Known::Settled(Settled::Done(after.clone())),
                Err(EffectError::Refused(_)) => Known::Settled(Settled::NotDone),
                Err(EffectError::Lost(_)) => Known::Open,
            };
            effects.lock().unwrap().iter_mut().filter(|effect| effect.key == ticket.key).for_each(|effect| effect.known = known.clone());
            answer.map_err(|(EffectError::Refused(error) | EffectError::Lost(error))| error)
        }
        .boxed()
    }
}

pub(super) fn read_cx(world: &impl World, listener: &Listener) -> ReadCx {
    ReadCx {
        step: StepId::new("tried").unwrap(),
        scope: Arc::new(world.scope()),
        frozen: world.frozen(),
        cancel: listener.cancel.clone(),
        sink: Arc::new(listener.clone()),
    }
}

pub(super) async fn tried(world: &impl World) -> Tried {
    tried_with(world, &Listener::default()).await
}

pub(super) async fn tried_with(world: &impl World, listener: &Listener) -> Tried {
    let output = world.action().perform(read_cx(world, listener), Arc::new(listener.clone()), world.params()).await;
    let (told, effects) = (listener.told.lock().unwrap().clone(), listener.effects.lock().unwrap().clone());
    Tried { output, told, effects }
}

pub(super) async fn taken_back(world: &impl World, effects: Vec<DynEffect>) -> Vec<Mark> {
    let evidence = CancellationToken::new();
    evidence.cancel();
    let cx = UndoCx { read: read_cx(world, &Listener::default()), evidence };
    world.action().compensate(cx, world.params(), effects).await.unwrap()
}

pub(super) fn problems(action: &dyn DynAction, params: Value) -> String {
    let scope = RunScope {
        run: crate::ids::RunId::new("run").unwrap(),
        plan: crate::ids::PlanName::new("plan").unwrap(),
        environment: None,
        namespace: None,
        context: None,
    };
    action.prepare(&scope, &Frozen::default(), &params).unwrap().problems.join("\n")
}
