//! Files over MLflow's API in parts and by signed addresses.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use model_registry::role::TokenScope;
use model_registry::time::Clock;
use reqwest::Client;
use serde_json::{Value, json};

use crate::harness::{CREATE_PROJECT, Caller, PASSWORD, Server, left_over};
use crate::mlflow_artifacts::{PROXY, answer, get, post, put, run, sha256, text};

/// Begins an upload; its id and the addresses of its parts.
pub async fn begin(caller: &Caller, root: &str, parts: usize) -> (String, Vec<String>) {
    let new = json!({"path": "/home/ada/big.bin", "num_parts": parts});
    let (status, begun) = post(caller, &format!("/mlflow-artifacts/mpu/create/{root}"), new).await;
    assert_eq!(status, 200, "{begun}");
    let credentials = begun["credentials"].as_array().unwrap();
    assert_eq!(credentials.len(), parts);
    let urls = credentials.iter().map(|part| part["url"].as_str().unwrap().to_owned()).collect();
    (begun["upload_id"].as_str().unwrap().to_owned(), urls)
}

/// Sends something to a signed address, as a client that sends nothing else; the status and the ETag.
pub async fn send(url: &str, bytes: impl Into<reqwest::Body>) -> (u16, String) {
    let response = Client::new().put(url).body(bytes).send().await.unwrap();
    let etag = response.headers().get("etag").map(|etag| etag.to_str().unwrap().to_owned());
    (response.status().as_u16(), etag.unwrap_or_default())
}

pub fn finished(upload_id: &str, etags: &[String]) -> Value {
    let parts = etags.iter().enumerate();
    let parts =
        parts.map(|(index, etag)| json!({"part_number": index + 1, "etag": etag, "url": "x"}));
    json!({"path": "/home/ada/big.bin", "upload_id": upload_id, "parts": parts.collect::<Vec<_>>()})
}

pub async fn end(caller: &Caller, what: &str, root: &str, body: Value) -> u16 {
    post(caller, &format!("/mlflow-artifacts/mpu/{what}/{root}"), body).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_come_in_any_order_and_are_put_together() {
    let (server, admin) = Server::with_model().await;
    let (run_id, root) = run(&admin).await;
    let folder = format!("{root}/model");
    let (upload_id, urls) = begin(&admin, &folder, 5).await;
    let part = |number: u32| -> Vec<u8> {
        (0..1_000_000_u32).map(|n| ((n * 31 + number) % 251) as u8).collect()
    };
    let sending = (0..5).rev().map(|index| send(&urls[index as usize], part(index)));
    let mut sent = futures_util::future::join_all(sending).await;
    sent.reverse();
    // One comes again.
    assert_eq!(send(&urls[2], part(2)).await, sent[2]);
    let etags: Vec<_> = sent.iter().map(|(_, etag)| etag.clone()).collect();
    assert_eq!(etags[0], format!("\"{}\"", sha256(&part(0))));
    assert_eq!(server.count("SELECT COUNT(*) FROM files").await, 0);
    for wrong in [
        finished(&upload_id, &etags[..4]),
        finished(&upload_id, &[&etags[..4], &etags[..1]].concat()),
        finished("x", &etags),
        finished(&upload_id[1..], &etags),
        json!({"path": "other.bin", "upload_id": upload_id, "parts": finished("", &etags)["parts"]}),
        json!({"path": "/home/ada/big.bin", "upload_id": upload_id}),
    ] {
        let status = end(&admin, "complete", &folder, wrong.clone()).await;
        assert!(matches!(status, 400 | 404), "{status}: {wrong}");
    }
    assert_eq!(end(&admin, "complete", &folder, finished(&upload_id, &etags)).await, 200);
    let whole: Vec<u8> = (0..5).flat_map(part).collect();
    let response = admin.get(&format!("{PROXY}/artifacts/{folder}/big.bin")).await;
    assert_eq!(response.headers()["etag"], format!("\"{}\"", sha256(&whole)));
    assert_eq!(response.bytes().await.unwrap(), whole);
    assert_eq!(left_over(&server), 0);
    let put = "SELECT COUNT(*) FROM events WHERE action = 'file.put' AND credential_id IS NOT NULL";
    assert_eq!(server.count(put).await, 1);
    // It is over.
    assert_eq!(send(&urls[0], part(0)).await.0, 409);
    assert_eq!(
        end(&admin, "complete", &folder, finished(&upload_id, &etags)).await,
        200,
        "as good"
    );
    assert_eq!(end(&admin, "abort", &folder, finished(&upload_id, &[])).await, 200);

    let (upload_id, urls) = begin(&admin, &folder, 2).await;
    send(&urls[0], "one").await;
    assert_eq!(left_over(&server), 1);
    assert_eq!(end(&admin, "abort", &folder, finished(&upload_id, &[])).await, 200);
    assert_eq!(end(&admin, "abort", &folder, finished(&upload_id, &[])).await, 200, "as good");
    assert_eq!(send(&urls[1], "two").await.0, 409);
    assert_eq!(left_over(&server), 0);
    for (num_parts, message) in [
        (json!(10_001), "Multipart upload is not supported for the current artifact repository"),
        (json!(0), "num_parts"),
        (json!("x"), "Invalid value \"x\" for parameter 'num_parts'"),
    ] {
        let new = json!({"path": "f", "num_parts": num_parts});
        let (status, failure) =
            post(&admin, &format!("/mlflow-artifacts/mpu/create/{root}"), new).await;
        assert_eq!(status, 400);
        assert!(failure["message"].as_str().unwrap().starts_with(message), "{failure}");
    }
    let (_, listing) = get(&admin, &format!("/mlflow/artifacts/list?run_id={run_id}")).await;
    assert_eq!(listing["files"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_parts_together_are_as_large_as_a_file_may_be() {
    let server = Server::start_with(&["--max-file-size", "1000"]).await;
    let admin = server.admin().await;
    admin.ok(CREATE_PROJECT, json!({"path": "vision"})).await;
    let (_, root) = run(&admin).await;
    let (upload_id, urls) = begin(&admin, &root, 2).await;
    let (_, first) = send(&urls[0], vec![1; 600]).await;
    assert_eq!(send(&urls[1], vec![1; 401]).await.0, 413);
    assert_eq!(send(&urls[1], vec![1; 1001]).await.0, 413);
    let (status, second) = send(&urls[1], vec![1; 400]).await;
    assert_eq!(status, 200);
    assert_eq!(end(&admin, "complete", &root, finished(&upload_id, &[first, second])).await, 200);
    assert_eq!(left_over(&server), 0);
}

/// ada, a developer, and bob, who is one, too.
async fn with_developers() -> (Server, Caller, Caller, Caller) {
    let (server, admin) = Server::with_model().await;
    for name in ["ada", "bob"] {
        admin.invite(name).await;
        admin.add_member("vision", name, "DEVELOPER").await;
    }
    let ada = server.person("ada", TokenScope::Write).await;
    let bob = server.person("bob", TokenScope::Write).await;
    (server, admin, ada, bob)
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_addresses_are_for_one_thing_and_end_with_who_asked() {
    let (server, admin, ada, bob) = with_developers().await;
    let (run_id, root) = run(&ada).await;
    put(&ada, &format!("{root}/a.bin"), "0123456789").await;
    let (status, signed) = get(&ada, &format!("/mlflow-artifacts/presigned/{root}/a.bin")).await;
    assert_eq!((status, &signed["file_size"], &signed["headers"]), (200, &json!(10), &json!({})));
    let url = signed["url"].as_str().unwrap();
    let anybody = Client::new();
    let range = anybody.get(url).header("range", "bytes=3-5").send().await.unwrap();
    assert_eq!((range.status().as_u16(), range.text().await.unwrap()), (206, "345".to_owned()));
    assert_eq!(anybody.head(url).send().await.unwrap().headers()["content-length"], "10");
    assert_eq!(send(url, "x").await.0, 403);
    assert_eq!(anybody.get(&url[..url.len() - 1]).send().await.unwrap().status(), 403);
    let (status, failure) =
        answer(anybody.get(format!("{}/mlflow-signed/x", server.url)).send().await.unwrap()).await;
    assert_eq!((status, &failure["error_code"]), (403, &json!("PERMISSION_DENIED")));

    let ask = json!({"run_id": run_id, "path": "a.bin", "expiration": 60});
    let (status, by_run) = post(&ada, "/mlflow/artifacts/presigned-download-url", ask).await;
    assert_eq!((status, &by_run["file_size"]), (200, &json!(10)));
    let download = by_run["presigned_url"].as_str().unwrap();
    assert_eq!(anybody.get(download).send().await.unwrap().text().await.unwrap(), "0123456789");
    let ask = json!({"run_id": run_id, "path": "up/b.bin"});
    let (status, up) = post(&ada, "/mlflow/artifacts/presigned-upload-url", ask).await;
    assert_eq!((status, &up["headers"]), (200, &json!({})));
    let upload = up["presigned_url"].as_str().unwrap();
    assert_eq!(anybody.get(upload).send().await.unwrap().status(), 403);
    assert_eq!(send(upload, "by ada").await.0, 200);
    assert_eq!(text(&ada, &format!("{root}/up/b.bin")).await, "by ada");
    let by_ada = "SELECT COUNT(*) FROM events e JOIN users u ON u.id = e.actor_id
        JOIN credentials c ON c.id = e.credential_id
        WHERE NOT e.refused AND e.action = 'file.put' AND u.username = 'ada' AND e.address = '127.0.0.1'";
    assert_eq!(server.count(by_ada).await, 2);
    for (body, status) in [
        (json!({"run_id": run_id, "path": "b", "expiration": 0}), 400),
        (json!({"run_id": run_id, "path": "b", "expiration": 604_801}), 400),
        (json!({"run_id": run_id, "model_id": "m-1", "path": "b"}), 400),
        (json!({"path": "b"}), 400),
        (json!({"run_id": run_id, "path": "../b"}), 400),
        (json!({"run_id": run_id, "path": "a.bin/b"}), 409),
        (json!({"run_id": "0".repeat(32), "path": "b"}), 404),
    ] {
        let asked = post(&ada, "/mlflow/artifacts/presigned-upload-url", body.clone()).await;
        assert_eq!(asked.0, status, "{body}");
    }
    let (upload_id, parts) = begin(&ada, &root, 1).await;
    let (_, etag) = send(&parts[0], "part").await;
    let whole = finished(&upload_id, &[etag]);
    assert_eq!(end(&bob, "complete", &root, whole.clone()).await, 404, "another one's");
    assert_eq!(end(&bob, "abort", &root, whole.clone()).await, 404);

    // Other bytes are there now: they are not what the address was for.
    put(&bob, &format!("{root}/a.bin"), "another").await;
    assert_eq!(anybody.get(url).send().await.unwrap().status(), 403);
    put(&bob, &format!("{root}/a.bin"), "0123456789").await;
    assert_eq!(anybody.get(url).send().await.unwrap().status(), 200);
    // ada may only look now.
    let role = "mutation { updateMember(input: {project: \"vision\", username: \"ada\", role: GUEST}) { member { id } } }";
    admin.ok(role, json!({})).await;
    assert_eq!(anybody.get(url).send().await.unwrap().status(), 200);
    assert_eq!(send(upload, "again").await.0, 403);
    assert_eq!(send(&parts[0], "again").await.0, 403);
    assert_eq!(end(&ada, "complete", &root, whole).await, 403);
    assert_eq!(text(&bob, &format!("{root}/up/b.bin")).await, "by ada");
    let refused = "SELECT COUNT(*) FROM events WHERE refused AND action = 'file.put'";
    assert_eq!(server.count(refused).await, 4);
    // Her token is revoked.
    let tokens = "{ users(search: \"ada\") { nodes { tokens { id } } } }";
    let id = admin.ok(tokens, json!({})).await["users"]["nodes"][0]["tokens"][0]["id"].take();
    let revoke = "mutation($id: ID!) { revokeToken(input: {id: $id}) { token { name } } }";
    admin.ok(revoke, json!({"id": id})).await;
    assert_eq!(anybody.get(url).send().await.unwrap().status(), 403);
    assert_eq!(left_over(&server), 1, "what she began, until it is stale");
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_addresses_end_with_the_password_that_made_them() {
    let (server, _, ada, _) = with_developers().await;
    let (_, root) = run(&ada).await;
    put(&ada, &format!("{root}/a.bin"), "0123456789").await;
    let by_password = |path: &str| {
        ada.http
            .get(format!("{}/mlflow/vision/api/2.0{path}", server.url))
            .basic_auth("ada", Some(PASSWORD))
    };
    let asked = by_password(&format!("/mlflow-artifacts/presigned/{root}/a.bin"));
    let (status, signed) = answer(asked.send().await.unwrap()).await;
    assert_eq!(status, 200, "{signed}");
    let url = signed["url"].as_str().unwrap();
    let anybody = Client::new();
    assert_eq!(anybody.get(url).send().await.unwrap().status(), 200);
    let change = "mutation($old: String!) { changePassword(input: {
        currentPassword: $old, newPassword: \"another battery staple\"}) { user { id } } }";
    let changed = ada
        .http
        .post(format!("{}/graphql", server.url))
        .basic_auth("ada", Some(PASSWORD))
        .json(&json!({"query": change, "variables": {"old": PASSWORD}}));
    let (_, changed) = answer(changed.send().await.unwrap()).await;
    assert!(changed.get("errors").is_none(), "{changed}");
    assert_eq!(anybody.get(url).send().await.unwrap().status(), 403);
    // Nor when she asks for another one.
    let again = ada
        .http
        .get(format!(
            "{}/mlflow/vision/api/2.0/mlflow-artifacts/presigned/{root}/a.bin",
            server.url
        ))
        .basic_auth("ada", Some("another battery staple"));
    let (status, signed) = answer(again.send().await.unwrap()).await;
    assert_eq!(status, 200, "{signed}");
    assert_eq!(anybody.get(signed["url"].as_str().unwrap()).send().await.unwrap().status(), 200);
    assert_eq!(anybody.get(url).send().await.unwrap().status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_addresses_expire() {
    let time = Arc::new(AtomicI64::new(1_000_000));
    let server = Server::start_at(Clock::Fixed(time.clone())).await;
    let admin = server.admin().await;
    admin.ok(CREATE_PROJECT, json!({"path": "vision"})).await;
    let (run_id, root) = run(&admin).await;
    put(&admin, &format!("{root}/a"), "a").await;
    let ask = json!({"run_id": run_id, "path": "a", "expiration": 10});
    let (_, asked) = post(&admin, "/mlflow/artifacts/presigned-download-url", ask).await;
    let url = asked["presigned_url"].as_str().unwrap();
    let (_, parts) = begin(&admin, &root, 1).await;
    let status = async || Client::new().get(url).send().await.unwrap().status().as_u16();
    time.store(1_009_999, Ordering::Relaxed);
    assert_eq!(status().await, 200);
    time.store(1_010_000, Ordering::Relaxed);
    assert_eq!(status().await, 403);
    assert_eq!(send(&parts[0], "x").await.0, 200);
    time.store(1_000_000 + 3_600_000, Ordering::Relaxed);
    assert_eq!(send(&parts[0], "x").await.0, 403);
}
