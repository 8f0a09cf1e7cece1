//! What signed addresses and the ids of uploads are signed with, where that is given (`--secret`).

use std::process::Command;
use std::sync::Arc;

use model_registry::store::Storages;
use reqwest::Client;
use tempfile::TempDir;

use crate::harness::{CREATE_PROJECT, Caller, Server, database, is_postgres, storage};
use crate::mlflow_artifacts::{get, put, run};
use crate::mlflow_signed::{begin, end, finished, send};
use crate::storages::text;

const OLD: &str = "the old secret of this registry which is long enough";
const NEW: &str = "the new secret of this registry which is long enough";

/// What a server has signed: an address of a file, an address of a part, and the id of its upload.
struct Signed {
    url: String,
    part: String,
    upload: String,
    root: String,
}

impl Signed {
    async fn by(caller: &Caller) -> Self {
        let (_, root) = run(caller).await;
        assert_eq!(put(caller, &format!("{root}/a.bin"), "0123456789").await, 200);
        let (_, signed) = get(caller, &format!("/mlflow-artifacts/presigned/{root}/a.bin")).await;
        let (upload, mut parts) = begin(caller, &root, 1).await;
        let path = |url: &str| url[url.find("/mlflow-signed/").unwrap()..].to_owned();
        let (url, part) = (path(signed["url"].as_str().unwrap()), path(&parts.remove(0)));
        Self { url, part, upload, root }
    }

    /// Whether a server accepts all of it; none of it otherwise.
    async fn is_good_at(&self, caller: &Caller) -> bool {
        let url = format!("{}{}", caller.url, self.url);
        let file = Client::new().get(&url).send().await.unwrap().status().as_u16();
        let (part, etag) = send(&format!("{}{}", caller.url, self.part), "bytes").await;
        // What is not accepted is as what is not there.
        let body = finished(&self.upload, &[etag]);
        let ended = end(caller, "complete", &self.root, body).await;
        match (file, part, ended) {
            (200, 200, 200) => true,
            (403, 403, 404) => false,
            statuses => panic!("{statuses:?}"),
        }
    }
}

/// A server with a folder, when the one before has let go of it.
async fn start(data: &Arc<TempDir>, database: &str, secrets: &[&str]) -> Server {
    for _ in 0..500 {
        if Storages::open(data.path(), &[]).is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let secrets = secrets.join(",");
    let flags: &[&str] = if secrets.is_empty() { &[] } else { &["--secret", &secrets] };
    let flags = [&["--storage", "default=file:"], flags].concat();
    Server::start_on(data.clone(), database, &flags).await
}

async fn stop(server: Server) {
    server.app.db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_replaced_while_what_it_signed_stays_good() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let database = database(&data).await;
    let server = start(&data, &database, &[OLD]).await;
    assert_eq!(server.count("SELECT COUNT(*) FROM registry WHERE secret IS NULL").await, 1);
    let admin = server.admin().await;
    admin.ok(CREATE_PROJECT, serde_json::json!({"path": "vision"})).await;
    let at = |server: &Server| Caller { url: server.url.clone(), ..admin.clone() };
    let (first, second) = (Signed::by(&admin).await, Signed::by(&admin).await);
    stop(server).await;

    let server = start(&data, &database, &[OLD, NEW]).await;
    let third = Signed::by(&at(&server)).await;
    assert!(first.is_good_at(&at(&server)).await);
    stop(server).await;

    let server = start(&data, &database, &[NEW, OLD]).await;
    let [fourth, fifth] = [Signed::by(&at(&server)).await, Signed::by(&at(&server)).await];
    assert!(second.is_good_at(&at(&server)).await && fourth.is_good_at(&at(&server)).await);
    stop(server).await;

    let server = start(&data, &database, &[NEW]).await;
    assert!(fifth.is_good_at(&at(&server)).await);
    assert!(!third.is_good_at(&at(&server)).await, "it was signed with the old one");
    stop(server).await;

    // Without any, the database has one.
    let server = start(&data, &database, &[]).await;
    let own = Signed::by(&at(&server)).await;
    assert!(own.is_good_at(&at(&server)).await);
    assert_eq!(server.count("SELECT COUNT(*) FROM registry WHERE secret IS NULL").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_open_what_the_other_one_signed_while_a_secret_is_replaced() {
    if !is_postgres() || storage().is_none() {
        return;
    }
    let (both, other_way) = ([OLD, NEW].join(","), [NEW, OLD].join(","));
    let first = Server::start_with(&["--secret", &both]).await;
    let second = first.beside_with(&["--secret", &other_way]).await;
    let stranger =
        first.beside_with(&["--secret", "somebody else's secret which is long enough"]).await;
    let here = first.admin().await;
    here.ok(CREATE_PROJECT, serde_json::json!({"path": "vision"})).await;
    let at = |server: &Server| Caller { url: server.url.clone(), ..here.clone() };
    let (there, elsewhere) = (at(&second), at(&stranger));
    let (mine, theirs) = (Signed::by(&here).await, Signed::by(&there).await);
    for signed in [&mine, &theirs] {
        assert!(!signed.is_good_at(&elsewhere).await);
    }
    assert!(mine.is_good_at(&there).await && theirs.is_good_at(&here).await);
}

#[test]
fn a_secret_that_is_short_is_refused_and_not_shown() {
    let data = tempfile::tempdir().unwrap();
    let refused = Command::new(env!("CARGO_BIN_EXE_model-registry"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .env("MODEL_REGISTRY_SECRET", format!("{OLD},not-long"))
        .output()
        .unwrap();
    let reason = text(&refused);
    assert!(!refused.status.success() && reason.contains("--secret: each"), "{reason}");
    assert!(!reason.contains("not-long") && !reason.contains(OLD), "{reason}");
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0);
}
