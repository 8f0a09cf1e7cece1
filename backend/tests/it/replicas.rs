//! Two servers with one PostgreSQL and one object store: whatever one of them begins, the other one goes on with.
//!
//! They run where there is such a pair to try, as `make test-storage` makes it.

use std::collections::HashSet;
use std::time::Duration;

use axum::body::Bytes;
use futures_util::future::join_all;
use futures_util::stream;
use model_registry::db::{Db, query};
use model_registry::error::Error;
use model_registry::registry::replica::lease::Lease;
use model_registry::registry::replica::{self, Replica};
use model_registry::role::TokenScope;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::harness::{Caller, PASSWORD, Server};
use crate::mlflow_artifacts::{PROXY, get, put, run, sha256};
use crate::mlflow_signed::{begin as begin_parts, end, finished, send};
use crate::tus;

/// What a program of another schema makes of a database.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_too_old_stops_and_one_that_is_old_goes_on() {
    let server = Server::start().await;
    let (db, clock) = (&server.app.db, &server.app.clock);
    let replica = Replica::new(db, clock);
    // A newer program was here, whose schema this one understands: it may be started again.
    let newer = "INSERT INTO migrations (number) SELECT MAX(number) + 1 FROM migrations";
    query(newer).alone(db).await.unwrap();
    Db::open_beside(&server.database).await.unwrap();
    replica.beat().await.unwrap();
    query("UPDATE registry SET floor = 1000").alone(db).await.unwrap();
    let refused = Db::open_beside(&server.database).await.err().unwrap().to_string();
    assert!(refused.contains("newer than this program"), "{refused}");
    assert!(matches!(replica.beat().await, Err(Error::Conflict(_))));
}

/// The size of a part of an upload to an object store, in bytes.
const PART: usize = 8 << 20;

/// Two servers, and somebody at each of them with the same token; none where there is no such pair.
pub async fn pair() -> Option<(Server, Server, Caller, Caller)> {
    let shared = ["MODEL_REGISTRY_TEST_POSTGRES", "MODEL_REGISTRY_TEST_STORAGE"];
    if shared.iter().any(|name| std::env::var(name).is_err()) {
        return None;
    }
    let (first, admin) = Server::with_model().await;
    admin.create_version(Some("1.0.0")).await;
    let second = first.beside().await;
    let there = Caller { url: second.url.clone(), ..admin.clone() };
    Some((first, second, admin, there))
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

const FOLDER: &str = "/files/vision/ocr/1.0.0";

/// The address of an upload at another server.
fn at(caller: &Caller, upload: &str) -> String {
    let path = upload.find("/api/").map_or(upload, |start| &upload[start..]);
    assert!(path.starts_with("/api/"), "{upload} {}", caller.url);
    path.to_owned()
}

async fn assert_file(caller: &Caller, path: &str, bytes: &[u8]) {
    let response = caller.get(&format!("{FOLDER}/{path}")).await;
    assert_eq!(response.headers()["etag"], format!("\"{}\"", sha256(bytes)));
    assert!(response.bytes().await.unwrap() == bytes, "{path} has other bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_at_the_other_server_wherever_it_was_interrupted() {
    let Some((first, _second, here, there)) = pair().await else { return };
    for (name, size) in [("small", 70_000), ("large", 3 * PART + 5), ("even", 2 * PART)] {
        let all = bytes(size);
        let upload = tus::begun(&here, &format!("{FOLDER}/{name}"), size as u64).await;
        let upload = at(&here, &upload);
        let mut from = 0;
        let cuts = [1, 4 << 10, PART - 1, PART, PART + 1, 2 * PART + 7, size];
        let cuts = cuts.into_iter().filter(|cut| *cut <= size);
        for (cut, caller) in cuts.zip([&here, &there].into_iter().cycle()) {
            assert_eq!(tus::offset(caller, &upload).await, from as u64, "{name}");
            let sent = tus::patch(caller, &upload, from as u64, all[from..cut].to_vec()).await;
            assert_eq!(sent.status(), 204, "{name} to {cut}");
            from = cut;
        }
        assert_file(&there, name, &all).await;
    }
    let left = "SELECT COUNT(*) FROM sent_parts";
    assert_eq!(first.count("SELECT COUNT(*) FROM uploads WHERE was_seized").await, 0);
    assert!(first.count(left).await <= 10);
    assert!(first.app.store.partial_names().await.unwrap().is_empty(), "nothing is left beside");
}

/// A client whose connection hangs, which a server does not know; what is sent to it, and how the request ends.
fn hang(
    caller: &Caller,
    upload: &str,
    from: u64,
) -> (mpsc::Sender<Result<Bytes, std::io::Error>>, JoinHandle<u16>) {
    let (sender, receiver) = mpsc::channel(1);
    let body = stream::unfold(receiver, async |mut receiver: mpsc::Receiver<_>| {
        Some((receiver.recv().await?, receiver))
    });
    let (caller, upload) = (caller.clone(), upload.to_owned());
    let body = reqwest::Body::wrap_stream(body);
    let hanging =
        tokio::spawn(
            async move { tus::patch(&caller, &upload, from, body).await.status().as_u16() },
        );
    (sender, hanging)
}

/// Waits until somebody writes to an upload.
async fn wait_for_writer(server: &Server) {
    for _ in 0..500 {
        if server.count("SELECT COUNT(*) FROM uploads WHERE is_held").await == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody writes");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_lost_an_upload_cannot_replace_the_bytes_of_its_file() {
    let Some((_first, second, here, there)) = pair().await else { return };
    let (mine, theirs) = (bytes(100_000), vec![7; 100_000]);
    // Known already: nothing keeps whoever sends it from the end.
    assert_eq!(here.put(&format!("{FOLDER}/known"), mine.clone()).await.status(), 201);
    let upload = tus::begun(&here, &format!("{FOLDER}/f"), mine.len() as u64).await;
    let upload = at(&here, &upload);
    let (sender, hanging) = hang(&here, &upload, 0);
    sender.send(Ok(mine[..99_999].to_vec().into())).await.unwrap();
    wait_for_writer(&second).await;
    assert_eq!(tus::patch(&there, &upload, 0, theirs.clone()).await.status(), 204);
    sender.send(Ok(mine[99_999..].to_vec().into())).await.unwrap();
    drop(sender);
    assert_eq!(hanging.await.unwrap(), 409);
    assert_file(&here, "f", &theirs).await;
    assert_file(&here, "known", &mine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_parts_the_store_has_lost_begins_anew() {
    let Some((first, _second, here, there)) = pair().await else { return };
    let all = bytes(2 * PART + 5);
    let upload = tus::begun(&here, &format!("{FOLDER}/f"), all.len() as u64).await;
    let upload = at(&here, &upload);
    let half = all[..PART + 9].to_vec();
    assert_eq!(tus::patch(&here, &upload, 0, half).await.status(), 204);
    let lose = "UPDATE uploads SET sent = REPLACE(sent, '\"multipart\":\"', '\"multipart\":\"x')";
    query(lose).alone(&first.app.db).await.unwrap();
    let rest = tus::patch(&there, &upload, PART as u64 + 9, all[PART + 9..].to_vec()).await;
    assert_eq!(rest.status(), 409);
    assert_eq!(tus::offset(&there, &upload).await, 0);
    assert_eq!(tus::patch(&there, &upload, 0, all.clone()).await.status(), 204);
    assert_file(&here, "f", &all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_lost_an_upload_to_the_other_server_changes_nothing_any_more() {
    let Some((first, _second, here, there)) = pair().await else { return };
    let all = bytes(2 * PART + 100);
    let upload = tus::begun(&here, &format!("{FOLDER}/f"), all.len() as u64).await;
    let upload = at(&here, &upload);
    assert_eq!(tus::patch(&here, &upload, 0, all[..1000].to_vec()).await.status(), 204);
    let (sender, hanging) = hang(&here, &upload, 1000);
    // Bytes that nobody is to see: the same place gets others.
    sender.send(Ok(vec![7; PART].into())).await.unwrap();
    wait_for_writer(&first).await;
    assert_eq!(tus::offset(&there, &upload).await, 1000);
    let rest = tus::patch(&there, &upload, 1000, all[1000..PART + 9].to_vec()).await;
    assert_eq!(rest.status(), 204);
    sender.send(Ok(vec![7; PART - 2000].into())).await.unwrap();
    drop(sender);
    assert_eq!(hanging.await.unwrap(), 409, "it was taken from them");
    let rest = tus::patch(&there, &upload, PART as u64 + 9, all[PART + 9..].to_vec()).await;
    let status = rest.status().as_u16();
    // Their late part may have come between: then the whole is refused, and never shown.
    assert!(matches!(status, 204 | 409), "{status}");
    if status == 204 {
        assert_file(&here, "f", &all).await;
        assert_eq!(first.count("SELECT COUNT(*) FROM uploads WHERE was_seized").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_put_together_from_parts_that_came_to_both_servers() {
    let Some((first, _second, here, there)) = pair().await else { return };
    let parts = [bytes(PART + 3), bytes(10), bytes(2 * PART)];
    let mut uploads = Vec::new();
    for (part, caller) in parts.iter().zip([&here, &there].into_iter().cycle()) {
        uploads
            .push(at(caller, &tus::part(caller, &format!("{FOLDER}/joined"), part.clone()).await));
    }
    let joined = tus::join(&there, &format!("{FOLDER}/joined"), &uploads).await;
    assert_eq!(joined.status(), 201);
    assert_file(&here, "joined", &parts.concat()).await;
    assert!(first.app.store.partial_names().await.unwrap().is_empty(), "nothing is left beside");
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_mlflow_and_signed_addresses_are_good_at_both_servers() {
    let Some((first, second, here, there)) = pair().await else { return };
    let (_, root) = run(&here).await;
    let (upload_id, urls) = begin_parts(&here, &root, 4).await;
    let part = |number: usize| bytes((1 << 20) + number);
    let mut etags = Vec::new();
    for (number, url) in urls.iter().enumerate() {
        let url = match number % 2 {
            0 => url.clone(),
            _ => url.replace(&first.url, &second.url),
        };
        let (status, etag) = send(&url, part(number)).await;
        assert_eq!(status, 200);
        etags.push(etag);
    }
    assert_eq!(end(&there, "complete", &root, finished(&upload_id, &etags)).await, 200);
    let whole: Vec<u8> = (0..4).flat_map(part).collect();
    let response = here.get(&format!("{PROXY}/artifacts/{root}/big.bin")).await;
    assert!(response.bytes().await.unwrap() == whole);
    assert_eq!(send(&urls[0], part(0)).await.0, 409, "it is over here, too");

    // Whoever loses their token there loses the addresses that it made here.
    let ada = first.person("admin", TokenScope::Write).await;
    put(&ada, &format!("{root}/a.bin"), "0123456789").await;
    let (_, signed) = get(&ada, &format!("/mlflow-artifacts/presigned/{root}/a.bin")).await;
    let url = signed["url"].as_str().unwrap().replace(&first.url, &second.url);
    assert_eq!(Client::new().get(&url).send().await.unwrap().status(), 200);
    let tokens = "{ viewer { tokens { id } } }";
    let token = ada.ok(tokens, json!({})).await["viewer"]["tokens"][0]["id"].take();
    let revoke = "mutation($id: ID!) { revokeToken(input: {id: $id}) { token { id } } }";
    there.ok(revoke, json!({ "id": token })).await;
    assert_eq!(ada.get("/files/vision/ocr/1.0.0").await.status(), 401);
    assert_eq!(Client::new().get(&url).send().await.unwrap().status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_forty_who_race_at_both_servers_one_wins_and_all_numbers_differ() {
    let Some((_first, _second, here, there)) = pair().await else { return };
    let create = "mutation($version: String) {
        createModelVersion(input: {model: \"vision/ocr\", version: $version}) { modelVersion { version number } } }";
    let racing = |version: Option<&'static str>| {
        let callers = [&here, &there].into_iter().cycle().take(40);
        join_all(callers.map(move |caller| caller.graphql(create, json!({ "version": version }))))
    };
    let of = |answers: Vec<Value>| -> Vec<Value> {
        let made =
            answers.into_iter().map(|mut answer| answer["data"]["createModelVersion"].take());
        made.filter(Value::is_object).map(|mut made| made["modelVersion"].take()).collect()
    };
    assert_eq!(of(racing(Some("2.0.0")).await).len(), 1);
    let next = of(racing(None).await);
    assert_eq!(next.len(), 40);
    let numbers: HashSet<_> = next.iter().map(|version| version["number"].as_i64()).collect();
    let versions: HashSet<_> = next.iter().map(|version| version["version"].as_str()).collect();
    assert_eq!((numbers.len(), versions.len()), (40, 40));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_are_counted_for_both_servers_together() {
    let Some((_first, _second, here, there)) = pair().await else { return };
    let sign_in = "mutation($p: String!) {
        signIn(input: {username: \"admin\", password: $p}) { user { id } } }";
    let strangers = [here, there].map(|caller| Caller { token: None, ..caller });
    for (_, caller) in (0..20).zip(strangers.iter().cycle()) {
        assert_eq!(caller.refused(sign_in, json!({"p": "wrong"})).await.code, "UNAUTHENTICATED");
    }
    for caller in &strangers {
        assert_eq!(caller.refused(sign_in, json!({"p": PASSWORD})).await.code, "RATE_LIMITED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_servers_are_seen_until_they_leave_and_one_has_the_background_jobs() {
    let Some((first, second, ..)) = pair().await else { return };
    let (db, clock) = (&first.app.db, &first.app.clock);
    let mut seen = Vec::new();
    for _ in 0..500 {
        seen = replica::all(db, clock).await.unwrap();
        if seen.len() == 2 && first.count("SELECT COUNT(*) FROM leases").await == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(seen.len() == 2 && seen.iter().all(|replica| replica.is_alive), "{seen:?}");
    let (holder,): (String,) = query("SELECT holder FROM leases").fetch_one(db).await.unwrap();
    assert!(seen.iter().any(|replica| replica.id == holder));
    drop(second);
    for _ in 0..1000 {
        seen = replica::all(db, clock).await.unwrap();
        if seen.len() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(seen.len(), 1);
    query("UPDATE replicas SET seen_at_ms = seen_at_ms - 61000").alone(db).await.unwrap();
    let dead = replica::all(db, clock).await.unwrap();
    assert!(!dead.iter().all(|replica| replica.is_alive), "{dead:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_had_by_one_until_it_is_given_back_or_runs_out() {
    let server = Server::start().await;
    let (db, clock) = (&server.app.db, &server.app.clock);
    let take = async |holder: &str| {
        Lease::try_take(db, clock, "test", holder).await.unwrap_or_else(|e| panic!("{e:?}"))
    };
    assert!(take("a").await.is_some());
    assert!(take("b").await.is_none());
    assert!(take("a").await.is_some(), "they have it still");
    Lease::give_back(db, "test", "a").await.unwrap();
    assert!(take("b").await.is_some());
    // Dead without a word, for longer than a lease lasts: the next one has it.
    query("UPDATE leases SET until_ms = until_ms - 61000").alone(db).await.unwrap();
    assert!(take("c").await.is_some());
    Lease::give_back(db, "test", "b").await.unwrap();
    assert!(take("d").await.is_none(), "what is somebody else's is not given back");
    let replica = Replica::new(db, clock);
    replica.beat().await.unwrap();
    replica.beat().await.unwrap();
    // The server of the test is one, too, where it has an object store.
    let seen = async || {
        let seen = replica::all(db, clock).await.unwrap();
        seen.into_iter().filter(|seen| seen.id == replica.id).count()
    };
    assert_eq!(seen().await, 1);
    replica.leave().await.unwrap();
    assert_eq!(seen().await, 0);
}
