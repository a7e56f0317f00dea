//! The simulated server says what a real one says: the table of `tests/cluster/same_words.yaml`, which the suite there asks a real one.

#[path = "../../tests/cluster/table.rs"]
mod table;

use super::api;
use super::shared::Shared;
use super::world::World;
use crate::ids::Moment;
use crate::ports::VirtualClock;
use crate::scenario::{Image, Scenario};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::Value;
use std::sync::Arc;
use table::{Request, Table};

const NAMESPACE: &str = "same-words";

fn server() -> Arc<Shared> {
    let images = [("*".to_owned(), Image::default())].into();
    let began = Moment::from_millis(1_795_000_000_000);
    let world = World::new(Scenario { images, ..Scenario::default() }, 1, began);
    let shared = Shared::new(world, Arc::new(VirtualClock::from(began)));
    shared.with(|world| world.make_namespace(NAMESPACE));
    Arc::new(shared)
}

async fn ask(server: &Arc<Shared>, request: Request) -> (u16, Value) {
    let body = Body::from(request.body.to_string().into_bytes());
    let asked = http::Request::builder().method(request.method).uri(request.path).header("content-type", request.content).body(body);
    let answer = api::serve(server, asked.unwrap()).await.unwrap();
    let code = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&bytes).unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn the_simulated_server_uses_the_words_of_a_real_one() {
    let table = Table::read();
    let mut wrong = Vec::new();
    for case in &table.cases {
        let server = server();
        let (first, question) = table.requests(case, NAMESPACE);
        if let Some(first) = first {
            let (code, made) = ask(&server, first).await;
            assert!(code < 300, "{}: {made}", case.says);
        }
        let (code, answer) = ask(&server, question).await;
        wrong.extend(case.differs(code, &answer, NAMESPACE));
    }
    assert!(table.cases.len() > 100 && wrong.is_empty(), "{} of {}:\n{}", wrong.len(), table.cases.len(), wrong.join("\n"));
}
