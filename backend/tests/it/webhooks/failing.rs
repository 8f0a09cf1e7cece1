//! What does not arrive: tried again, left alone, given up; and by which of several servers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use model_registry::db::query;
use model_registry::id::WebhookId;
use model_registry::registry::webhook::{delivery, outbox};
use model_registry::time::Clock;
use serde_json::json;

use super::receiver::{Got, Receiver};
use super::{ALLOW, hook, set_alias, set_tag, state, until, version, with_model, world};
use crate::harness::{Caller, Server, is_postgres, storage};

/// As [`world`], where time passes as the test says.
async fn timed(clock: &Arc<AtomicI64>) -> (Server, Caller, Receiver) {
    let server = Server::start_at_with(Clock::Fixed(clock.clone()), &ALLOW).await;
    let admin = with_model(&server).await;
    (server, admin, Receiver::start().await)
}

/// Lets time pass, and has the sender look, which sleeps by the real clock.
async fn pass(clock: &AtomicI64, admin: &Caller, seconds: i64) {
    let now = clock.fetch_add(seconds * 1000, Ordering::Relaxed);
    set_tag(admin, &now.to_string()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_comes_again_with_the_same_id_and_body() {
    let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
    let (server, admin, receiver) = timed(&clock).await;
    receiver.reply([(500, None), (503, Some(("retry-after", "600".to_owned()))), (200, None)]);
    let made = hook(&admin, &receiver, &["alias.set"], json!({})).await;
    version(&admin, "1.0.0").await;
    set_alias(&admin, "production", "1.0.0").await;
    receiver.wait(1).await;
    until(&admin, &made, |state| state["deliveries"]["nodes"][0]["attempts"][0]["status"] == 500)
        .await;
    pass(&clock, &admin, 6).await;
    receiver.wait(2).await;
    until(&admin, &made, |state| state["deliveries"]["nodes"][0]["attempts"][1]["status"] == 503)
        .await;
    // The receiver asked for more time than it would have got.
    pass(&clock, &admin, 400).await;
    assert_eq!(receiver.all().len(), 2);
    pass(&clock, &admin, 300).await;
    let got = receiver.wait(3).await;
    let state =
        until(&admin, &made, |state| state["deliveries"]["nodes"][0]["state"] == "DELIVERED").await;
    assert_eq!(state["deliveries"]["nodes"][0]["attemptCount"], 3);
    let same: BTreeSet<_> = got.iter().map(|got| (got.id(), &got.text)).collect();
    assert_eq!(same.len(), 1);
    let times: BTreeSet<_> = got.iter().map(|got| got.header("webhook-timestamp")).collect();
    assert_eq!(times.len(), 3, "each attempt is signed for its own time");
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_for_long_is_left_alone_and_its_owners_are_told() {
    let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
    let (_server, admin, receiver) = timed(&clock).await;
    receiver.usually(500);
    let made = hook(&admin, &receiver, &["tag.set"], json!({})).await;
    for number in 0..12 {
        set_tag(&admin, &number.to_string()).await;
    }
    receiver.wait(12).await;
    assert_eq!(state(&admin, &made).await["state"], "ACTIVE", "not within an hour");
    pass(&clock, &admin, 3700).await;
    let backing = until(&admin, &made, |state| state["state"] == "BACKING_OFF").await;
    assert!(backing["stateReason"].as_str().unwrap().contains("failed"));
    // It takes them again: the next one that is tried releases the others.
    receiver.usually(200);
    pass(&clock, &admin, 7300).await;
    let well = until(&admin, &made, |state| {
        state["state"] == "ACTIVE"
            && state["deliveries"]["nodes"]
                .as_array()
                .unwrap()
                .iter()
                .all(|d| d["state"] == "DELIVERED")
    });
    well.await;
    // Five days without any success are enough.
    receiver.usually(500);
    set_tag(&admin, "again").await;
    for _ in 0..7 {
        pass(&clock, &admin, 24 * 3600).await;
    }
    let ended = until(&admin, &made, |state| state["state"] == "DISABLED").await;
    assert!(ended["stateReason"].as_str().unwrap().contains("5 days"));
    let log = admin.get("/api/events?action=webhook.disable").await.text().await.unwrap();
    assert!(log.contains("5 days") && log.contains("\"actor\":null"), "{log}");
    let before = state(&admin, &made).await["deliveries"]["totalCount"].clone();
    set_tag(&admin, "unheard").await;
    assert_eq!(
        state(&admin, &made).await["deliveries"]["totalCount"],
        before,
        "nothing is kept for it"
    );
    let enable = "mutation($id: ID!) { updateWebhook(input: {id: $id, enabled: true}) { webhook { state } } }";
    let id = json!({ "id": made["webhook"]["id"] });
    assert_eq!(admin.ok(enable, id).await["updateWebhook"]["webhook"]["state"], "ACTIVE");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_gone_is_sent_nothing_and_a_redirect_is_not_followed() {
    let (_server, admin, receiver) = world().await;
    let elsewhere = Receiver::start().await;
    receiver.reply([(302, Some(("location", elsewhere.url.clone()))), (410, None)]);
    let made = hook(&admin, &receiver, &["tag.set"], json!({})).await;
    set_tag(&admin, "1").await;
    until(&admin, &made, |state| state["deliveries"]["nodes"][0]["attempts"][0]["status"] == 302)
        .await;
    assert!(elsewhere.all().is_empty());
    set_tag(&admin, "2").await;
    let state = until(&admin, &made, |state| state["state"] == "DISABLED").await;
    assert!(state["stateReason"].as_str().unwrap().contains("410"));
    let states: BTreeSet<_> = state["deliveries"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["state"].to_string())
        .collect();
    assert_eq!(states, ["\"FAILED\"".to_owned()].into(), "nothing waits for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_had_claimed_that_was_killed_another_one_sends() {
    let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
    let (server, admin, receiver) = timed(&clock).await;
    receiver.usually(500);
    let made = hook(&admin, &receiver, &["alias.set"], json!({})).await;
    version(&admin, "1.0.0").await;
    set_alias(&admin, "production", "1.0.0").await;
    until(&admin, &made, |state| state["deliveries"]["nodes"][0]["attempts"][0]["status"] == 500)
        .await;
    receiver.usually(200);
    let (id,): (String,) =
        query("SELECT id FROM webhooks").fetch_one(&server.app.db).await.unwrap();
    let soon = server.app.clock.now().plus_seconds(6);
    let claimed = outbox::claim(&server.app.db, &WebhookId::from_raw(id), soon, 10).await.unwrap();
    assert_eq!((claimed.len(), claimed[0].attempts), (1, 2));
    pass(&clock, &admin, 30).await;
    assert_eq!(receiver.all().len(), 1, "it may still be under way");
    pass(&clock, &admin, 40).await;
    let got = receiver.wait(2).await;
    assert_eq!((got[0].id(), got[1].header("x-registry-attempt")), (got[1].id(), "3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_that_waits_is_dropped_from_its_oldest_end() {
    let (server, admin, receiver) = world().await;
    let made = hook(&admin, &receiver, &["model.delete"], json!({})).await;
    let (id,): (String,) =
        query("SELECT id FROM webhooks").fetch_one(&server.app.db).await.unwrap();
    // In one statement: a transaction that stays open holds up who follows the log, in all databases of a PostgreSQL.
    let rows = "INSERT INTO webhook_deliveries (id, webhook_id, action, created_at_ms, body, due_ms)
        SELECT CAST(1000000 + n.i AS TEXT), CAST($1 AS TEXT), 'model.delete', CAST($2 AS BIGINT), '{}', 9000000000000
        FROM (WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 10002) SELECT i FROM n) n";
    let rows = query(rows).bind(id.as_str()).bind(Clock::System.now());
    assert_eq!(rows.alone(&server.app.db).await.unwrap(), 10_003);
    let hook_id = WebhookId::from_raw(id);
    let drop = || delivery::drop_oldest(&server.app.db, &hook_id);
    drop().await.unwrap();
    assert_eq!(drop().await.unwrap(), 0);
    // Those that were dropped the sweep may have forgotten already.
    let waiting = "SELECT COUNT(*), MIN(id) FROM webhook_deliveries WHERE state = 'PENDING'";
    let waiting: (i64, String) = query(waiting).fetch_one(&server.app.db).await.unwrap();
    assert_eq!(waiting, (10_000, "1000003".to_owned()));
    let purged = delivery::purge(&server.app.db, Clock::System.now()).await;
    purged.unwrap();
    assert_eq!(
        state(&admin, &made).await["deliveries"]["totalCount"],
        10_000,
        "what waits is kept"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_deliver_once() {
    if !is_postgres() || storage().is_none() {
        return;
    }
    let (server, admin, receiver) = world().await;
    let _beside = server.beside_with(&ALLOW).await;
    hook(&admin, &receiver, &["tag.set"], json!({ "secret": "not made here" })).await;
    for number in 0..50 {
        set_tag(&admin, &number.to_string()).await;
    }
    receiver.wait(50).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let got = receiver.all();
    let ids: BTreeSet<_> = got.iter().map(Got::id).collect();
    assert_eq!((got.len(), ids.len()), (50, 50));
}
