//! Feeds of published versions: valid Atom, whatever the notes and names are.

use serde_json::json;

use crate::embeds::{header, parse_xml, start, text};
use crate::harness::Caller;

async fn publish(admin: &Caller, model: &str, version: &str, notes: &str) {
    let make = "mutation($m: String!, $v: String!, $d: String!) {
        createModelVersion(input: {model: $m, version: $v, description: $d}) { modelVersion { id } }
        publishModelVersion(input: {model: $m, version: $v}) { modelVersion { id } } }";
    admin.ok(make, json!({ "m": model, "v": version, "d": notes })).await;
}

/// What the elements of a feed say that have a name, in order.
fn all<'a>(said: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    said.iter().filter(|(found, _)| found == name).map(|(_, text)| text.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_has_the_newest_published_versions() {
    let (server, admin) = start().await;
    let nobody = server.anonymous();
    let other =
        "mutation { createModel(input: {project: \"open\", name: \"a b&c\"}) { model { id } } }";
    admin.ok(other, json!({})).await;
    publish(
        &admin,
        "open/a b&c",
        "0.1.0",
        "**New**: <script>alert(1)</script> ]]> & \u{7}\u{ffff}\n\n[x](javascript:a)",
    )
    .await;
    let response = nobody.get("/feed/open.atom").await;
    assert_eq!(header(&response, "content-type"), "application/atom+xml; charset=utf-8");
    let atom = response.text().await.unwrap();
    let said = parse_xml(&atom);
    assert_eq!(all(&said, "feed@xmlns"), ["http://www.w3.org/2005/Atom"]);
    assert_eq!(
        all(&said, "title"),
        ["Project open: published versions", "a b&c 0.1.0", "ocr 1.2.0"]
    );
    assert_eq!(
        all(&said, "link@href"),
        [
            "https://models.example.org/feed/open.atom",
            "https://models.example.org/open",
            "https://models.example.org/open/a%20b%26c/versions/0.1.0",
            "https://models.example.org/open/ocr/versions/1.2.0"
        ]
    );
    assert_eq!(all(&said, "name"), ["Project open"], "a feed has an author");
    let (ids, updated) = (all(&said, "id"), all(&said, "updated"));
    assert_eq!((ids.len(), updated.len(), all(&said, "published").len()), (3, 3, 2));
    assert!(ids.iter().all(|id| id.starts_with("tag:models.example.org,20")), "{ids:?}");
    assert!(ids[0].contains(":prj_") && ids[1].contains(":ver_"), "{ids:?}");
    assert_eq!(updated[0], updated[1], "it is as new as what is newest");
    let content = all(&said, "content");
    assert!(
        content[0].contains("<strong>New</strong>") && !content[0].contains("<script"),
        "{content:?}"
    );
    assert!(!content[0].contains("javascript:"), "{content:?}");
    assert_eq!(content.len(), 1, "what has no notes has no content");

    let of_model = parse_xml(&text(&nobody, "/feed/open/ocr.atom", 200).await);
    assert_eq!(all(&of_model, "title"), ["open/ocr: published versions", "ocr 1.2.0"]);
    assert!(all(&of_model, "id")[0].contains(":mod_"));
    let empty =
        "mutation { createModel(input: {project: \"open\", name: \"empty\"}) { model { id } } }";
    admin.ok(empty, json!({})).await;
    let empty = parse_xml(&text(&nobody, "/feed/open/empty.atom", 200).await);
    assert_eq!((all(&empty, "entry").len(), all(&empty, "updated").len()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_leaves_out_what_is_withdrawn_and_is_not_long() {
    let (server, admin) = start().await;
    let nobody = server.anonymous();
    for n in 0..55 {
        let notes =
            if n == 54 { format!("{}\nend", "word *word*\n".repeat(900)) } else { String::new() };
        publish(&admin, "open/ocr", &format!("2.0.{n}"), &notes).await;
    }
    let titles = async || {
        let said = parse_xml(&text(&nobody, "/feed/open/ocr.atom", 200).await);
        all(&said, "title").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let before = titles().await;
    assert_eq!(
        (before.len(), before[1].as_str(), before[50].as_str()),
        (51, "ocr 2.0.54", "ocr 2.0.5")
    );
    let atom = text(&nobody, "/feed/open/ocr.atom", 200).await;
    assert!(atom.contains("…") && !atom.contains("end"), "long notes are cut");
    let gone = r#"mutation {
        yankModelVersion(input: {model: "open/ocr", version: "2.0.54", reason: "x"}) { modelVersion { id } }
        deleteModelVersion(input: {model: "open/ocr", version: "2.0.53"}) { modelVersion { id } } }"#;
    admin.ok(gone, json!({})).await;
    assert_eq!(titles().await[1], "ocr 2.0.52");
    let gone = r#"mutation { deleteModel(input: {model: "open/ocr"}) { model { id } } }"#;
    admin.ok(gone, json!({})).await;
    text(&nobody, "/feed/open/ocr.atom", 404).await;
    assert!(!text(&nobody, "/feed/open.atom", 200).await.contains("<entry>"));
}
