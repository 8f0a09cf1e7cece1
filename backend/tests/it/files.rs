//! Files over HTTP: conditions, ranges, digests, lists, and uploads that break off.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Caller, Server, left_over};

pub const BASE: &str = "/files/vision/ocr/1.0.0";

pub async fn with_version() -> (Server, Caller) {
    let (server, admin) = Server::with_model().await;
    admin.create_version(Some("1.0.0")).await;
    (server, admin)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_in_and_comes_out_with_conditions_and_ranges() {
    let (_server, admin) = with_version().await;
    let response = admin.put(&format!("{BASE}/dir/data%20f%C3%BCr%20dich.bin"), "0123456789").await;
    assert_eq!(response.status(), 201);
    let sha256 = "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882";
    assert_eq!(response.headers()["etag"], format!("\"{sha256}\""));
    let file: Value = response.json().await.unwrap();
    assert_eq!(
        (&file["path"], &file["size"], &file["sha256"]),
        (&json!("dir/data für dich.bin"), &json!(10), &json!(sha256))
    );
    let path = format!("{BASE}/dir/data%20f%C3%BCr%20dich.bin");
    assert_eq!(admin.put(&path, "0123456789").await.status(), 200);
    let conflict = admin.put(&path, "other").await;
    assert_eq!(conflict.status(), 409);
    assert_eq!(conflict.json::<Value>().await.unwrap()["code"], "CONFLICT");

    let response = admin.get(&path).await;
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    assert_eq!(headers["content-length"], "10");
    assert_eq!(headers["accept-ranges"], "bytes");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    let disposition = headers["content-disposition"].to_str().unwrap();
    assert!(
        disposition.starts_with("attachment; ")
            && disposition.ends_with("filename*=UTF-8''data%20f%C3%BCr%20dich%2Ebin")
    );
    assert_eq!(response.text().await.unwrap(), "0123456789");
    for (range, status, body, content_range) in [
        ("bytes=2-4", 206, "234", "bytes 2-4/10"),
        ("bytes=7-", 206, "789", "bytes 7-9/10"),
        ("bytes=-2", 206, "89", "bytes 8-9/10"),
        ("bytes=10-", 416, "", "bytes */10"),
    ] {
        let response =
            admin.request(Method::GET, &path).header("range", range).send().await.unwrap();
        assert_eq!(response.status(), status, "{range}");
        assert_eq!(response.headers()["content-range"], content_range);
        assert_eq!(response.text().await.unwrap(), body);
    }
    let request = |name: &str, value: &str| admin.request(Method::GET, &path).header(name, value);
    let etag = format!("\"{sha256}\"");
    assert_eq!(request("if-none-match", &etag).send().await.unwrap().status(), 304);
    assert_eq!(request("if-none-match", "\"other\"").send().await.unwrap().status(), 200);
    let stale = request("range", "bytes=0-1").header("if-range", "\"other\"").send().await.unwrap();
    assert_eq!(stale.status(), 200, "other bytes: all of them");
    let head = admin.request(Method::HEAD, &path).send().await.unwrap();
    assert_eq!(
        (head.status().as_u16(), &head.headers()["content-length"]),
        (200, &"10".parse().unwrap())
    );
    for missing in [
        "/files/vision/ocr/1.0.0/nope",
        "/files/vision/ocr/7.0.0/x",
        "/files/vision/no/1.0.0/x",
        "/files/no/ocr/1.0.0/x",
    ] {
        assert_eq!(admin.get(missing).await.status(), 404, "{missing}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn references_in_addresses_resolve() {
    let (_server, admin) = with_version().await;
    admin.put(&format!("{BASE}/f"), "one").await;
    admin.publish("1.0.0").await;
    admin.create_version(Some("1.1.0")).await;
    admin.put("/files/vision/ocr/1.1.0/f", "two").await;
    let alias = "mutation { setAlias(input: {model: \"vision/ocr\", name: \"champion\", version: \"1.1.0\"}) { alias { name } } }";
    admin.ok(alias, json!({})).await;
    for (reference, body) in [
        ("1.0.0", "one"),
        ("latest", "one"),
        ("^1", "one"),
        ("%5E1.1", "two"),
        ("@champion", "two"),
        ("%40champion", "two"),
    ] {
        let response = admin.get(&format!("/files/vision/ocr/{reference}/f")).await;
        assert_eq!(response.text().await.unwrap(), body, "{reference}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn digests_that_clients_send_are_checked() {
    let (server, admin) = with_version().await;
    let put = |name: &str, value: &str| {
        admin
            .request(Method::PUT, &format!("{BASE}/f"))
            .header(name, value)
            .body("0123456789")
            .send()
    };
    let right = "sha-256=:hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII=:";
    let wrong = "sha-256=:AAAAd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII=:";
    for header in ["content-digest", "repr-digest"] {
        let refused = put(header, wrong).await.unwrap();
        assert_eq!(refused.status(), 400);
        assert_eq!(refused.json::<Value>().await.unwrap()["field"], header);
        assert_eq!(put(header, "sha-256=nonsense").await.unwrap().status(), 400);
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM files").await, 0);
    assert_eq!(put("content-digest", &format!("md5=:AAAA:, {right}")).await.unwrap().status(), 201);
    assert_eq!(put("repr-digest", right).await.unwrap().status(), 200);
    let both = admin.request(Method::PUT, &format!("{BASE}/f")).header("content-digest", right);
    let both = both.header("repr-digest", wrong).body("0123456789").send().await.unwrap();
    assert_eq!(both.status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_are_listed_and_archived() {
    let (_server, admin) = with_version().await;
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    // Its hundredth byte is a slash, where tar's old header cuts it.
    let long = format!("{}/{}", "d".repeat(99), "f".repeat(120));
    admin.put(&format!("{BASE}/onnx/model.onnx"), large.clone()).await;
    admin.put(&format!("{BASE}/onnx/{long}"), "deep").await;
    admin.put(&format!("{BASE}/onnx/empty"), "").await;
    admin.put(&format!("{BASE}/onnx2/no"), "x").await;
    let listing: Value = admin.get(&format!("{BASE}/onnx")).await.json().await.unwrap();
    let paths: Vec<&str> =
        listing["files"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap()).collect();
    assert_eq!(paths, [&format!("onnx/{long}"), "onnx/empty", "onnx/model.onnx"]);
    let all: Value = admin.get(BASE).await.json().await.unwrap();
    assert_eq!(all["files"].as_array().unwrap().len(), 4);
    assert_eq!(admin.get(&format!("{BASE}/nope?archive=tar")).await.status(), 404);
    for path in ["?archive=rar", "?archive", "/%ff"] {
        let refused = admin.get(&format!("{BASE}{path}")).await;
        assert_eq!(refused.status(), 400, "{path}");
        assert_eq!(refused.json::<Value>().await.unwrap()["code"], "INVALID", "{path}");
    }
    let refused = admin.request(Method::DELETE, BASE).send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["allow"]),
        (405, &"GET,HEAD,PUT,POST,OPTIONS".parse().unwrap())
    );
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "INVALID");

    let response = admin.get(&format!("{BASE}/onnx?archive=tar")).await;
    assert!(
        response.headers()["content-disposition"]
            .to_str()
            .unwrap()
            .contains("filename=ocr-1.0.0-onnx.tar")
    );
    let bytes = response.bytes().await.unwrap();
    let mut archive = tar::Archive::new(&bytes[..]);
    let mut unpacked = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        assert!(entry.header().entry_type().is_file() && entry.header().as_bytes()[156] == b'0');
        let path = entry.path().unwrap().display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        unpacked.push((path, content));
    }
    let expected =
        [(long, b"deep".to_vec()), ("empty".into(), Vec::new()), ("model.onnx".into(), large)];
    assert_eq!(unpacked, expected);

    let bytes = admin.get(&format!("{BASE}/onnx/?archive=zip")).await.bytes().await.unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&bytes[..])).unwrap();
    for (path, content) in &expected {
        let mut unzipped = Vec::new();
        archive.by_name(path).unwrap().read_to_end(&mut unzipped).unwrap();
        assert_eq!(&unzipped, content, "{path}");
    }
    let whole = admin.get(&format!("{BASE}?archive=tar")).await.bytes().await.unwrap();
    assert_eq!(tar::Archive::new(&whole[..]).entries().unwrap().count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_said_to_be_utf8_and_nothing_else_is() {
    let (_server, admin) = with_version().await;
    for (name, content_type) in [
        ("a.txt", "text/plain; charset=utf-8"),
        ("README.md", "text/markdown; charset=utf-8"),
        ("MLmodel", "text/plain; charset=utf-8"),
        ("data.csv", "text/csv; charset=utf-8"),
        ("config.json", "application/json"),
        ("model.onnx", "application/octet-stream"),
        ("picture.png", "image/png"),
    ] {
        let path = format!("{BASE}/{name}");
        let put: Value = admin.put(&path, "é").await.json().await.unwrap();
        assert_eq!(put["contentType"], content_type.split(';').next().unwrap(), "the type itself");
        assert_eq!(admin.get(&path).await.headers()["content-type"], content_type, "{name}");
    }
    assert_eq!(admin.get(BASE).await.headers()["content-type"], "application/json");
    for path in ["/healthz", "/metrics"] {
        let answer = admin.get(path).await;
        let found = answer.headers()["content-type"].to_str().unwrap();
        assert!(found.starts_with("text/plain") && found.ends_with("; charset=utf-8"), "{found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_off_or_stalls_leaves_nothing() {
    let (server, admin) = with_version().await;
    let token = admin.token.clone().unwrap();
    let head = format!(
        "PUT {BASE}/f HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 9000000\r\n\r\n"
    );
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&vec![7; 5_000_000]).unwrap();
    for _ in 0..200 {
        if left_over(&server) > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(left_over(&server), 1, "it has begun");
    drop(stream);
    for _ in 0..200 {
        if left_over(&server) == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(left_over(&server), 0);
    assert_eq!(server.count("SELECT COUNT(*) FROM files").await, 0);

    let slow = Server::start_with(&["--stall-seconds", "1"]).await;
    let admin = slow.admin().await;
    admin.ok(crate::harness::CREATE_PROJECT, json!({ "path": "vision" })).await;
    admin.create_model("ocr").await;
    admin.create_version(Some("1.0.0")).await;
    let pieces = futures_util::stream::iter([Ok::<_, std::io::Error>("x")])
        .chain(futures_util::stream::pending());
    let stalled = admin.put(&format!("{BASE}/f"), reqwest::Body::wrap_stream(pieces)).await;
    assert_eq!(stalled.status(), 408);
    let drip = futures_util::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Some((Ok::<_, std::io::Error>("x"), ()))
    });
    let dripping = admin.put(&format!("{BASE}/f"), reqwest::Body::wrap_stream(drip)).await;
    assert_eq!(dripping.status(), 408);
    assert_eq!(left_over(&slow), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_large_a_file_is_refused_announced_or_not() {
    let server = Server::start_with(&["--max-file-size", "1000"]).await;
    let admin = server.admin().await;
    admin.ok(crate::harness::CREATE_PROJECT, json!({ "path": "vision" })).await;
    admin.create_model("ocr").await;
    admin.create_version(Some("1.0.0")).await;
    assert_eq!(admin.put(&format!("{BASE}/f"), vec![0; 1001]).await.status(), 413);
    let pieces =
        futures_util::stream::iter((0..11).map(|_| Ok::<_, std::io::Error>(vec![0_u8; 100])));
    assert_eq!(
        admin.put(&format!("{BASE}/f"), reqwest::Body::wrap_stream(pieces)).await.status(),
        413
    );
    assert_eq!(left_over(&server), 0);
    assert_eq!(admin.put(&format!("{BASE}/f"), vec![0; 1000]).await.status(), 201);
}

/// What somebody reads who sends a large file at once, and listens when all is sent.
fn send_at_once(server: &Server, path: &str, token: &str) -> String {
    let mut stream = TcpStream::connect(server.address).unwrap();
    let length = 32 << 20;
    let head = format!(
        "PUT {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..length >> 20 {
        stream.write_all(&[7; 1 << 20]).unwrap();
    }
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    String::from_utf8(answer.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_before_they_listen_reads_why_they_were_refused() {
    let (server, admin) = with_version().await;
    let token = admin.token.clone().unwrap();
    let refused = tokio::task::spawn_blocking(move || {
        [
            ("/files/vision/ocr/1.0.0/f", "mrt_wrong"),
            ("/files/vision/none/1.0.0/f", &*token),
            ("/none", &*token),
        ]
        .map(|(path, token)| send_at_once(&server, path, token))
    });
    let expected = ["HTTP/1.1 401", "HTTP/1.1 404", "HTTP/1.1 404"];
    assert_eq!(refused.await.unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_hold_and_parts_are_not_taken_for_the_whole() {
    let (server, admin) = with_version().await;
    let path = format!("{BASE}/part.bin");
    let request = |method, name, value| {
        let request = admin.request(method, &path).header(name, value);
        async move { request.body("0123456789").send().await.unwrap().status().as_u16() }
    };
    let etag = "\"84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882\"";
    assert_eq!(request(Method::PUT, "content-range", "bytes 6-9/10").await, 400);
    assert_eq!(request(Method::PUT, "if-match", etag).await, 412);
    assert_eq!(request(Method::PUT, "if-none-match", "*").await, 201);
    assert_eq!(request(Method::PUT, "if-none-match", "*").await, 412);
    assert_eq!(request(Method::PUT, "if-match", etag).await, 200);
    assert_eq!(request(Method::GET, "if-match", "\"other\"").await, 412);
    assert_eq!(request(Method::GET, "if-match", etag).await, 200);
    assert_eq!(request(Method::HEAD, "range", "bytes=0-3").await, 200);
    let weak = admin.request(Method::GET, &path).header("range", "bytes=0-3");
    let weak = weak.header("if-range", format!("W/{etag}")).send().await.unwrap();
    assert_eq!(weak.status(), 200, "a weak tag does not vouch for a part");

    let delete = "mutation($path: String!) { deleteFile(input:
        {model: \"vision/ocr\", version: \"1.0.0\", path: $path}) { file { path } } }";
    let refusal = admin.refused(delete, json!({ "path": "pa\u{0}rt.bin" })).await;
    assert_eq!(refusal.code, "NOT_FOUND");
    assert_eq!(server.count("SELECT COUNT(*) FROM files").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_for_many_slow_clients_hold_up_nobody() {
    let (server, admin) = with_version().await;
    admin.put(&format!("{BASE}/big"), vec![7; 8 << 20]).await;
    admin.put(&format!("{BASE}/small"), "here").await;
    let token = admin.token.as_deref().unwrap();
    let head = format!(
        "GET {BASE}?archive=tar HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    // More than there are threads that may block.
    let slow: Vec<TcpStream> = (0..600)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let small = admin.get(&format!("{BASE}/small")).await;
    assert_eq!(small.text().await.unwrap(), "here");
    drop(slow);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_listed_for_who_takes_it_compressed() {
    let (_server, admin) = Server::with_model().await;
    admin.create_version(Some("1.0.0")).await;
    admin.put("/files/vision/ocr/1.0.0/f", "abc").await;
    let listed = admin
        .request(Method::GET, "/files/vision/ocr/1.0.0")
        .header("accept-encoding", "gzip")
        .send()
        .await;
    let listed = listed.unwrap();
    assert_eq!(listed.headers()["content-encoding"], "gzip");
    assert!(!listed.bytes().await.unwrap().is_empty());
}
