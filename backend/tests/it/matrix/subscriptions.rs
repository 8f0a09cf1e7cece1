//! Every subscription as everybody: what its first message is.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::operations::SUBSCRIPTIONS;
use super::table::Table;
use super::world::{VISIBILITIES, World, fill};
use super::{alike, verdict};
use crate::harness::Caller;
use crate::socket::{Heard, Socket};

/// The first message of a subscription, as the answer to a query.
async fn first(caller: &Caller, field: &str) -> Value {
    let mut socket = Socket::of(caller).await;
    socket.subscribe("1", field).await;
    match socket.hear().await {
        Heard::Message(mut message) if message["type"] == "error" => {
            json!({ "errors": message["payload"].take() })
        }
        Heard::Message(mut message) => message["payload"].take(),
        closed @ Heard::Closed(..) => panic!("{field}: {closed:?}"),
    }
}

pub async fn try_all(world: &mut World, table: &Table) {
    for visibility in VISIBILITIES {
        for (name, field) in SUBSCRIPTIONS {
            let expected = table.expected("subscription", name, visibility);
            let world_ref = &*world;
            let tries = table.actors.iter().zip(expected).map(async |(actor, expected)| {
                let caller = &world_ref.callers[&(*actor, visibility)];
                let ask = async |project: &str| {
                    let run = &world_ref.laid_out[visibility].run;
                    let field = fill(field, project, "", "").replace("{run}", run);
                    alike(&first(caller, &field).await, &[project])
                };
                let answer = ask(visibility).await;
                let got = verdict(&answer, &ask("absent").await);
                (format!("{name} as {actor}, {visibility}"), *expected, got, answer.to_string())
            });
            for (what, expected, got, answer) in join_all(tries).await {
                world.check(&what, expected, got, &answer);
            }
        }
    }
    for caller in &world.shut_out {
        let bearer = format!("Bearer {}", caller.token.as_deref().unwrap_or_default());
        let opened = Socket::open(&caller.url, &[("authorization", &bearer)]).await;
        assert_eq!(opened.err(), Some(401));
    }
}
