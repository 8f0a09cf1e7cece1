//! Every migration runs on a database that has data of the version before it.

use std::path::Path;
use std::sync::Arc;

use model_registry::db::{Db, FLOOR, query};
use model_registry::registry::catalog::blob::sweep::Sweep;
use serde_json::json;

use crate::harness::{Server, database};

/// Makes the database of an older program: up to the migration with this number, with the samples of all steps.
pub async fn fill(url: &str, last: usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("migrations");
    for step in 1..=last {
        let db = Db::open_at(url, step).await.unwrap();
        // A step that only adds a column with a default needs no data of its own.
        let sample = root.join(format!("samples/{step:04}.sql"));
        if sample.exists() {
            db.run_script(&std::fs::read_to_string(&sample).unwrap()).await.unwrap();
        }
        db.close().await;
    }
}

/// The objects that the samples name: since which step, under which key, and their bytes. Two of them are wrong.
const OBJECTS: [(usize, &str, &str); 9] = [
    (1, "e3/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", ""),
    (13, "7e/7eb2ca55b87a4d45d66a63f76db11f9b4aa9106472a62b5865060f9fd8eadaaa", "draft\n"),
    (13, UNUSED, "unused\n"),
    (
        14,
        "01/7b2480e4cd760f124e4487871ba6c7a23d3b13ed5d74d247644b7bc9551e9f5b.01900000000070008000000000000401",
        "suspect\n",
    ),
    (14, LOST, "LOST\n"),
    (
        14,
        "03/7eb2ca55b87a4d45d66a63f76db11f9b4aa9106472a62b5865060f9fd8eadaaa.01900000000070008000000000000403",
        "DRAFT\n",
    ),
    (
        14,
        "04/7f51b4fb44dbc72708fac0a474600c2e9d8af4ce3a8b8f1680330454f6a8d68f.01900000000070008000000000000404",
        "unknown\n",
    ),
    (
        14,
        "05/a2425dff5985cb339e9979ce554c2ce03bc142d42ec61540128e31ed43b2a34a.01900000000070008000000000000405",
        "deleting\n",
    ),
    (
        14,
        "06/7eb2ca55b87a4d45d66a63f76db11f9b4aa9106472a62b5865060f9fd8eadaaa.01900000000070008000000000000406",
        "draft\n",
    ),
];
const UNUSED: &str = "2a/2a37b3fecb9e5b1ea21167eae81c526f9a1449a226ccb1ce87b83e068ae79f23";
const LOST: &str = "02/ed1d1a8db09e369fa33bde54f504d1fda0161a5ccd8a0d5517d92456fec28c41.01900000000070008000000000000402";

/// Puts the objects of the samples up to this step into a folder of data.
pub fn put_objects(data: &Path, last: usize) {
    for (_, key, bytes) in OBJECTS.into_iter().filter(|(step, ..)| *step <= last) {
        let object = data.join("blobs").join(key);
        std::fs::create_dir_all(object.parent().unwrap()).unwrap();
        std::fs::write(object, bytes).unwrap();
    }
}

/// A server with the samples of all steps.
pub async fn start_with_samples() -> Server {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let url = database(&data).await;
    fill(&url, Db::migrations()).await;
    put_objects(data.path(), Db::migrations());
    Server::start_on(data, &url, &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_keep_the_sample_data_of_each_step() {
    let server = start_with_samples().await;
    let admin = server.admin().await;
    let read = "{ model(path: \"sample/ocr\") { latestVersion { version digest files { nodes { path } } params { value } }
        aliases { name } candidates { nodes { number metrics { value } metricHistory(name: \"loss\") { totalCount }
            kinds: metricHistory(name: \"kinds\") { nodes { value } } } }
        events { totalCount } tags { key } }
        project(path: \"sample\") { modelFacet(of: LICENSE) { value count } }
        models(search: \"OCR\") { totalCount } }";
    model_registry::registry::catalog::model::facet::read_cards(&server.app).await.ok().unwrap();
    let found = admin.ok(read, json!({})).await;
    let version = json!({"version": "1.0.0", "digest": "abc", "files": {"nodes": [{"path": "a/b.bin"}]},
        "params": [{"value": "0.1"}]});
    let kinds = json!([
        0.5,
        -1.5,
        "NaN",
        "-Infinity",
        "Infinity",
        -0.0,
        5e-324,
        -2.5e-310,
        f64::MAX,
        0.1,
        -123_456.789
    ]);
    let kinds: Vec<_> =
        kinds.as_array().unwrap().iter().map(|value| json!({"value": value})).collect();
    let candidate = json!({"number": 1, "metrics": [{"value": "NaN"}], "metricHistory": {"totalCount": 3},
        "kinds": {"nodes": kinds}});
    let model = json!({"latestVersion": version, "aliases": [{"name": "champion"}],
        "candidates": {"nodes": [candidate]}, "events": {"totalCount": 1}, "tags": [{"key": "team"}]});
    assert_eq!(
        found,
        json!({"model": model, "project": {"modelFacet": [{"value": "mit", "count": 1}]},
        "models": {"totalCount": 1}})
    );
    // They are the same points to the database, too: who sends them again adds nothing.
    let again = kinds.iter().zip(0..).map(|(point, step)| {
        json!({"name": "kinds", "step": step,
        "timestamp": "2023-11-14T22:13:20Z", "value": point["value"]})
    });
    let log = "mutation($metrics: [MetricInput!]) { updateCandidate(input: {
        model: \"sample/ocr\", candidate: 1, metrics: $metrics}) {
        candidate { metricHistory(name: \"kinds\") { totalCount } } } }";
    let logged = admin.ok(log, json!({"metrics": again.collect::<Vec<_>>()})).await;
    assert_eq!(logged["updateCandidate"]["candidate"]["metricHistory"]["totalCount"], kinds.len());
    let access = "{ project(path: \"sample\") { members { nodes { role bySingleSignOn user { username } } } protectedAliases { pattern }
        events(filter: {refused: true}) { nodes { address } } }
        viewer { tokens { name scope } } }";
    let found = admin.ok(access, json!({})).await;
    let owner = json!({"role": "OWNER", "bySingleSignOn": false, "user": {"username": "admin"}});
    let ada = json!({"role": "DEVELOPER", "bySingleSignOn": true, "user": {"username": "ada"}});
    let project = json!({"members": {"nodes": [ada, owner]}, "protectedAliases": [{"pattern": "champion"}],
        "events": {"nodes": [{"address": "192.0.2.1"}]}});
    assert_eq!(found["project"], project, "who made a project before there were members owns it");
    let old = json!({"name": "ci", "scope": "ADMIN"});
    assert!(
        found["viewer"]["tokens"].as_array().unwrap().contains(&old),
        "old tokens may what they could"
    );
    let create = "mutation { createModel(input: {project: \"sample\", name: \"new\"}) { model { experiment { number } } } }";
    let made = admin.ok(create, json!({})).await["createModel"]["model"].take();
    assert_eq!(made["experiment"]["number"], 3, "numbers go on after the sample's");
    let over = server.count("SELECT COUNT(*) FROM uploads WHERE is_over").await;
    let unfinished = server.count("SELECT COUNT(*) FROM uploads WHERE NOT is_over").await;
    assert_eq!(over, 1, "of the uploads of before, the one that is whole");
    assert!(unfinished > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_an_old_database_are_served_or_go_by_their_states() {
    let server = start_with_samples().await;
    let admin = server.admin().await;
    const BASE: &str = "/files/sample/files/1.0.0";
    let swept = Sweep::of(&server.app).run().await;
    swept.unwrap_or_else(|error| panic!("{}", error.message()));
    for (name, bytes) in [("draft", "draft\n"), ("empty", ""), ("suspect", "suspect\n")] {
        let answer = admin.get(&format!("{BASE}/{name}.txt")).await;
        assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (200, bytes));
    }
    let lost = format!("{BASE}/lost.txt");
    assert_eq!(admin.get(&lost).await.status(), 410);
    // The first sweep of the server, or this one: what had been unused for long goes, and what was being removed.
    let there = |key: &str| server.data.path().join("blobs").join(key).exists();
    let left: Vec<&str> = OBJECTS
        .iter()
        .map(|(_, key, _)| &key[..2])
        .filter(|folder| OBJECTS.iter().any(|(_, key, _)| key.starts_with(folder) && there(key)))
        .collect();
    assert_eq!(left, ["e3", "7e", "01", "02"]);
    assert!(there(LOST) && !there(UNUSED));
    let states: Vec<(String, i64)> =
        query("SELECT state, COUNT(*) FROM copies GROUP BY state ORDER BY state")
            .fetch_all(&server.app.db)
            .await
            .unwrap();
    let states: Vec<(&str, i64)> =
        states.iter().map(|(state, count)| (state.as_str(), *count)).collect();
    assert_eq!(states, [("GONE", 5), ("LOST", 1), ("READY", 3)]);

    assert_eq!(admin.put(&lost, "lost\n").await.status(), 200);
    assert_eq!(admin.get(&lost).await.text().await.unwrap(), "lost\n");
    let upload = "SELECT COUNT(*) FROM uploads WHERE path = 'later.txt'";
    assert_eq!(server.count(upload).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_note_which_programs_understand_them() {
    let data = tempfile::tempdir().unwrap();
    let db = Db::open(&database(&data).await).await.unwrap();
    let (floor,): (i64,) = query("SELECT floor FROM registry").fetch_one(&db).await.unwrap();
    assert_eq!(
        floor, FLOOR,
        "the last UPDATE of registry.floor in migrations/, and FLOOR in db/migrate.rs"
    );
    db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_program_is_left_alone() {
    let data = tempfile::tempdir().unwrap();
    let url = database(&data).await;
    let db = Db::open(&url).await.unwrap();
    let newer = "INSERT INTO migrations (number) VALUES (9999); UPDATE registry SET floor = 9999;";
    db.run_script(newer).await.unwrap();
    db.close().await;
    for opened in [Db::open(&url).await, Db::open_beside(&url).await] {
        let error = opened.err().expect("it is refused").to_string();
        assert!(error.contains("newer than this program"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_beside_a_server_never_migrates() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("none.sqlite");
    let error = Db::open_beside(&Db::sqlite_url(&file)).await.err().expect("it is refused");
    assert!(error.to_string().contains("there is no database"), "{error}");
    assert!(!file.exists());

    let url = database(&data).await;
    let last = Db::migrations() - 1;
    Db::open_at(&url, last).await.unwrap().close().await;
    let error = Db::open_beside(&url).await.err().expect("it is refused").to_string();
    let reason = format!("has schema {last} of {}: start the server once", Db::migrations());
    assert!(error.contains(&reason), "{error}");
    let db = Db::open_at(&url, last).await.unwrap();
    let (done,): (i64,) = query("SELECT MAX(number) FROM migrations").fetch_one(&db).await.unwrap();
    assert_eq!(done, i64::try_from(last).unwrap(), "nothing was changed");
    db.close().await;

    Db::open(&url).await.unwrap().close().await;
    Db::open_beside(&url).await.unwrap().close().await;
}
