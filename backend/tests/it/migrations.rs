//! Every migration runs on a database that has data of the version before it.

use model_registry::db::{Db, query};
use serde_json::json;

use crate::harness::{Server, database};

#[tokio::test(flavor = "multi_thread")]
async fn migrations_keep_the_sample_data_of_each_step() {
    let data = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let url = database(&data).await;
    let root =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("migrations");
    for step in 1..=Db::migrations() {
        let db = Db::open_at(&url, step).await.unwrap();
        // A step that only adds a column with a default needs no data of its own.
        let sample = root.join(format!("samples/{step:04}.sql"));
        if sample.exists() {
            db.run_script(&std::fs::read_to_string(&sample).unwrap()).await.unwrap();
        }
        db.close().await;
    }
    // The one file that the sample has.
    let folder = data.path().join("blobs/e3");
    std::fs::create_dir_all(&folder).unwrap();
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    std::fs::write(folder.join(empty), "").unwrap();
    let server = Server::start_on(data, &url, &[]).await;
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
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_program_is_left_alone() {
    let data = tempfile::tempdir().unwrap();
    let url = database(&data).await;
    let db = Db::open(&url).await.unwrap();
    db.run_script("INSERT INTO migrations (number) VALUES (9999)").await.unwrap();
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
    let reason = format!("at schema {last} of {}: start the server once", Db::migrations());
    assert!(error.contains(&reason), "{error}");
    let db = Db::open_at(&url, last).await.unwrap();
    let (done,): (i64,) = query("SELECT MAX(number) FROM migrations").fetch_one(&db).await.unwrap();
    assert_eq!(done, i64::try_from(last).unwrap(), "nothing was changed");
    db.close().await;

    Db::open(&url).await.unwrap().close().await;
    Db::open_beside(&url).await.unwrap().close().await;
}
