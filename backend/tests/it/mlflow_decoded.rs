//! Artifacts whose names MLflow's clients decode before they ask for them.

use serde_json::json;

use crate::harness::Server;
use crate::mlflow_artifacts::{PROXY, delete, get, post, put, run, text};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_makes_of_a_name_is_found() {
    let (_server, admin) = Server::with_model().await;
    let (run_id, root) = run(&admin).await;
    // As a client of 3.9 sends and then asks for the image of step 20: `dog%step%20%t%g.png`.
    let kept = "dog%25step%2520%25t%25g.png";
    assert_eq!(put(&admin, &format!("{root}/images/{kept}"), "20").await, 200);
    assert_eq!(put(&admin, &format!("{root}/images/dog%25step%250%25t%25g.png"), "0").await, 200);
    assert_eq!(text(&admin, &format!("{root}/images/{kept}")).await, "20");
    let asked = "dog%25step%20%25t%25g.png";
    assert_eq!(text(&admin, &format!("{root}/images/{asked}")).await, "20");
    let (_, listed) =
        get(&admin, &format!("/mlflow/artifacts/list?run_id={run_id}&path=images")).await;
    let names: Vec<_> = listed["files"].as_array().unwrap().iter().map(|f| &f["path"]).collect();
    assert_eq!(names, ["images/dog%step%0%t%g.png", "images/dog%step%20%t%g.png"]);

    // A folder, and a name with a slash in it.
    assert_eq!(put(&admin, &format!("{root}/b%252Fc.txt"), "z").await, 200);
    assert_eq!(text(&admin, &format!("{root}/b/c.txt")).await, "z");
    assert_eq!(put(&admin, &format!("{root}/at%253A00/a%252541b.txt"), "x").await, 200);
    assert_eq!(text(&admin, &format!("{root}/at:00/aAb.txt")).await, "x");
    let (_, listed) =
        get(&admin, &format!("/mlflow/artifacts/list?run_id={run_id}&path=at:00")).await;
    assert_eq!(listed["files"][0]["path"], "at:00/a%2541b.txt");
    // What has the name itself comes first.
    assert_eq!(put(&admin, &format!("{root}/at:00/aAb.txt"), "y").await, 200);
    assert_eq!(text(&admin, &format!("{root}/at:00/aAb.txt")).await, "y");

    // A signed address, too. Only the name itself deletes: what is asked again must not take another file.
    let signed = json!({"run_id": run_id, "path": "images/dog%step %t%g.png"});
    let (_, signed) = post(&admin, "/mlflow/artifacts/presigned-download-url", signed).await;
    let address = signed["presigned_url"].as_str().unwrap();
    assert_eq!(reqwest::get(address).await.unwrap().text().await.unwrap(), "20");
    assert_eq!(delete(&admin, &format!("{root}/images/{asked}")).await, 200);
    assert_eq!(text(&admin, &format!("{root}/images/{kept}")).await, "20");
    assert_eq!(delete(&admin, &format!("{root}/images/{kept}")).await, 200);
    let gone = admin.get(&format!("{PROXY}/artifacts/{root}/images/{kept}")).await;
    assert_eq!(gone.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_would_hide_its_folder_from_clients_is_refused() {
    let (_server, admin) = Server::with_model().await;
    let (_, root) = run(&admin).await;
    for name in ["a%23b", "a%2523b", "dog%25step%2523%25t.png"] {
        assert_eq!(put(&admin, &format!("{root}/{name}"), "x").await, 400, "{name}");
    }
}
