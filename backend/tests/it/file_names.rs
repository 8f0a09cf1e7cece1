//! Names of files: tricks are refused, and all others are bytes that come back as they were sent.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::files::{BASE, with_version};
use crate::harness::{Caller, Server, left_over};
use crate::mlflow_artifacts::sha256;

#[tokio::test(flavor = "multi_thread")]
async fn every_path_trick_is_refused() {
    let (server, admin) = with_version().await;
    let long = "a".repeat(1025);
    // Sent by hand: a client would tidy these paths up before they leave.
    for path in [
        "../x",
        "a/../x",
        "%2e%2e/x",
        "a/%2e%2e%2fx",
        "%252e%252e/x",
        "a%255cx",
        "a%5Cx",
        "a\\x",
        "a%00x",
        "/x",
        "a//x",
        "a/",
        "./x",
        "a/./x",
        "%2Fetc%2Fpasswd",
        "a%0Ax",
        "a%7Fx",
        "model-%E2%80%AExnno.exe",
        "%ff%fe",
        &long,
    ] {
        let answer = raw_put(&server, &admin, &format!("{BASE}/{path}"));
        assert!(answer.starts_with("HTTP/1.1 400"), "{path:?}: {answer}");
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM files").await, 0);
    assert_eq!(left_over(&server), 0);
    // What only looks odd is fine, in composed form, up to 1,024 bytes.
    for path in ["caf%C3%A9", "..a", "100%25", "a%252Fb", "%E2%98%83/%F0%9F%A6%80", &long[1..]] {
        assert_eq!(admin.put(&format!("{BASE}/{path}"), "x").await.status(), 201, "{path}");
    }
    // Decoded once, and not a second time.
    let image = "dog%25step%250%25timestamp%251718000000%25ab.png";
    let partition = "ts=2024-01-01%2000%253A00%253A00/part";
    for path in [image, partition] {
        assert_eq!(admin.put(&format!("{BASE}/{path}"), path).await.status(), 201, "{path}");
        assert_eq!(admin.get(&format!("{BASE}/{path}")).await.text().await.unwrap(), path);
    }
    let list: Value =
        admin.get(&format!("{BASE}/ts=2024-01-01%2000%253A00%253A00/")).await.json().await.unwrap();
    assert_eq!(list["files"][0]["path"], "ts=2024-01-01 00%3A00%3A00/part");
}

/// `café` in Unicode normalisation forms C and D, percent-encoded.
const FORMS: [&str; 2] = ["caf%C3%A9", "cafe%CC%81"];

const WITH_FILES: &str = "{ model(path: \"vision/ocr\") { version(ref: \"1.0.0\") {
    digest nameWarnings { path reason } files { nodes { path sha256 downloadUrl } } } } }";

#[tokio::test(flavor = "multi_thread")]
async fn names_that_some_systems_cannot_keep_are_told() {
    let (_server, admin) = with_version().await;
    for path in ["Data/a", "data/a", "what%3F", "aux.txt", "fine"] {
        assert_eq!(admin.put(&format!("{BASE}/{path}"), "x").await.status(), 201, "{path}");
    }
    let publish =
        "mutation { publishModelVersion(input: {model: \"vision/ocr\", version: \"1.0.0\"}) {
        modelVersion { nameWarnings { path reason } } } }";
    let data = admin.ok(publish, json!({})).await;
    assert_eq!(
        data["publishModelVersion"]["modelVersion"]["nameWarnings"],
        json!([
            { "path": "aux.txt", "reason": "Windows reserves this name for a device" },
            { "path": "data", "reason": "Windows and macOS can't tell it from \"Data\"" },
            { "path": "data/a", "reason": "Windows and macOS can't tell it from \"Data/a\"" },
            { "path": "what?", "reason": "Windows doesn't allow '?' in names" },
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_keeps_its_bytes_and_is_found_in_either_form() {
    let (server, admin) = with_version().await;
    let [composed, sent] = FORMS;
    let put = async |path: &str| admin.put(&format!("{BASE}/{path}"), "x").await.status().as_u16();
    assert_eq!(put(&format!("{sent}/{sent}.bin")).await, 201);
    assert_eq!(put(&format!("{sent}/{sent}.bin")).await, 200, "the same again");
    for twin in [
        format!("{composed}/{composed}.bin"),
        format!("{sent}/{composed}.bin"),
        format!("{composed}/other"),
        format!("{composed}/a/other"),
        composed.to_owned(),
        sent.to_owned(),
    ] {
        assert_eq!(put(&twin).await, 409, "{twin}");
    }
    assert_eq!(put(&format!("{sent}/a/other")).await, 201);
    let list = async |path: &str| -> Vec<String> {
        let list: Value = admin.get(&format!("{path}/")).await.json().await.unwrap();
        let files = list["files"].as_array().unwrap();
        files.iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect()
    };
    let there = ["cafe\u{301}/a/other", "cafe\u{301}/cafe\u{301}.bin"];
    for form in FORMS {
        assert_eq!(list(&format!("{BASE}/{form}")).await, there);
        for file in FORMS {
            let got = admin.get(&format!("{BASE}/{form}/{file}.bin")).await;
            assert_eq!(got.status(), 200, "{form}/{file}");
        }
    }
    admin.publish("1.0.0").await;
    let data = admin.ok(WITH_FILES, json!({})).await;
    let version = &data["model"]["version"];
    let mut text = String::new();
    for file in version["files"]["nodes"].as_array().unwrap() {
        let (path, sha256) = (file["path"].as_str().unwrap(), file["sha256"].as_str().unwrap());
        writeln!(text, "{path}\0{}\0{sha256}", 1).unwrap();
        assert_eq!(admin.get(file["downloadUrl"].as_str().unwrap()).await.status(), 200, "{path}");
    }
    assert!(text.contains(there[0]) && text.contains(there[1]), "{text}");
    assert_eq!(version["digest"], sha256(text.as_bytes()), "of what was sent");
    assert_eq!(server.count("SELECT COUNT(*) FROM files WHERE sent_path IS NOT NULL").await, 2);
    // Of names from before forms were kept nobody knows how they were sent.
    let older = "UPDATE files SET form_known = FALSE, sent_path = NULL";
    server.app.db.run_script(older).await.unwrap();
    for form in FORMS {
        let path = format!("{BASE}/{form}/{form}.bin");
        assert_eq!(admin.put(&path, "x").await.status(), 200, "the same bytes again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_path_that_turns_text_around_is_still_read_and_published() {
    let (server, admin) = with_version().await;
    assert_eq!(admin.put(&format!("{BASE}/old"), "x").await.status(), 201);
    let older = "UPDATE files SET path = 'model-\u{202e}xnno.exe'";
    server.app.db.run_script(older).await.unwrap();
    let old = format!("{BASE}/model-%E2%80%AExnno.exe");
    assert_eq!(admin.get(&old).await.text().await.unwrap(), "x");
    assert_eq!(admin.put(&old, "x").await.status(), 200, "the same bytes again");
    assert_eq!(admin.put(&format!("{BASE}/new-%E2%80%AE"), "x").await.status(), 400);
    admin.publish("1.0.0").await;
    assert_eq!(admin.get(&old).await.text().await.unwrap(), "x");
    assert_eq!(admin.put(&old, "x").await.status(), 200);
}

fn raw_put(server: &Server, caller: &Caller, path: &str) -> String {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let token = caller.token.as_deref().unwrap();
    let head = format!(
        "PUT {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_is_a_file_or_a_folder() {
    let (_server, admin) = with_version().await;
    admin.put(&format!("{BASE}/a/b"), "x").await;
    for path in ["a", "a/b/c", "a/b/c/d"] {
        assert_eq!(admin.put(&format!("{BASE}/{path}"), "x").await.status(), 409, "{path}");
    }
    for path in ["a/c", "a0", "a-b", "ab"] {
        assert_eq!(admin.put(&format!("{BASE}/{path}"), "x").await.status(), 201, "{path}");
    }
}
