use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use model_registry::registry::catalog::upload;
use model_registry::role::TokenScope;
use model_registry::time::Clock;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::harness::{Caller, PASSWORD, Server};
use crate::tus::{begin, begun, location, offset, patch, patching, refusal, tus};

const BASE: &str = "/files/vision/ocr/1.0.0";

async fn with_version() -> (Server, Caller) {
    let (server, admin) = Server::with_model().await;
    admin.create_version(Some("1.0.0")).await;
    (server, admin)
}

fn partial(server: &Server) -> usize {
    std::fs::read_dir(server.data.path().join("partial")).map_or(0, Iterator::count)
}

/// Waits until some of what is being sent is on the disk.
async fn arrived(server: &Server) {
    let folder = server.data.path().join("partial");
    for _ in 0..500 {
        let mut files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        if files.any(|file| file.metadata().is_ok_and(|file| file.len() > 0)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nothing arrived");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_pieces_is_put_as_if_it_had_come_as_one() {
    let (server, admin) = with_version().await;
    let bytes: Vec<u8> = (0..5_000_000_u32).map(|n| (n * 7 % 251) as u8).collect();
    let sha256 = hex::encode(Sha256::digest(&bytes));
    let metadata = [("filename", "a b.bin"), ("sha256", sha256.as_str())];
    let response = begin(&admin, &format!("{BASE}/dir/"), 5_000_000, &metadata).await;
    assert_eq!(response.headers()["tus-resumable"], "1.0.0");
    let expires = response.headers()["upload-expires"].to_str().unwrap().to_owned();
    assert!(expires.ends_with(" GMT") && expires.as_bytes()[3] == b',', "{expires}");
    let upload = location(&response);
    assert_eq!(offset(&admin, &upload).await, 0);
    for (from, to) in [(0, 10), (10, 3_000_000), (3_000_000, 5_000_000)] {
        assert_eq!(admin.get(&format!("{BASE}/dir/a%20b.bin")).await.status(), 404);
        let response = patch(&admin, &upload, from, bytes[from as usize..to].to_vec()).await;
        assert_eq!(response.status(), 204);
        assert_eq!(response.headers()["upload-offset"], to.to_string());
        assert!(response.headers().contains_key("upload-expires"));
        assert_eq!(offset(&admin, &upload).await, to as u64);
    }
    let head = tus(&admin, Method::HEAD, &upload).send().await.unwrap();
    assert_eq!(head.headers()["upload-length"], "5000000");
    assert!(
        head.headers()["upload-metadata"].to_str().unwrap().starts_with("filename YSBiLmJpbg==")
    );
    let file = admin.get(&format!("{BASE}/dir/a%20b.bin")).await;
    assert_eq!(file.headers()["etag"], format!("\"{sha256}\""));
    assert_eq!(file.bytes().await.unwrap(), bytes);
    assert_eq!(server.count("SELECT COUNT(*) FROM events WHERE action = 'file.put'").await, 1);

    // The same bytes elsewhere are not stored twice, and an empty piece after the last is nothing.
    let again = begun(&admin, &format!("{BASE}/again"), 5_000_000).await;
    assert_eq!(patch(&admin, &again, 0, bytes.clone()).await.status(), 204);
    assert_eq!(patch(&admin, &again, 5_000_000, "").await.status(), 204);
    assert_eq!(server.count("SELECT COUNT(*) FROM blobs").await, 1);
    assert_eq!(partial(&server), 0);
    let same = begun(&admin, &format!("{BASE}/again"), 5_000_000).await;
    assert_eq!(patch(&admin, &same, 0, bytes).await.status(), 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_may_come_with_the_metadata_and_bytes_with_the_beginning() {
    let (server, admin) = with_version().await;
    for (path, metadata, name) in [
        ("", vec![("filename", "a")], "a"),
        ("/", vec![("filename", "b"), ("relativePath", "null")], "b"),
        ("/d/", vec![("filename", "c"), ("relativePath", "e/c")], "d/e/c"),
        ("/f", vec![("filename", "other")], "f"),
    ] {
        // An empty file is there at once.
        location(&begin(&admin, &format!("{BASE}{path}"), 0, &metadata).await);
        assert_eq!(admin.get(&format!("{BASE}/{name}")).await.status(), 200, "{name}");
    }
    let unnamed = refusal(begin(&admin, BASE, 1, &[]).await).await;
    assert_eq!((unnamed.0, unnamed.2.as_str()), (400, "path: must not be empty"));

    let with_bytes = |bytes: &'static str| {
        tus(&admin, Method::POST, &format!("{BASE}/g"))
            .header("upload-length", 4)
            .header("content-type", "application/offset+octet-stream")
            .body(bytes)
    };
    let half = with_bytes("12").send().await.unwrap();
    assert_eq!(half.headers()["upload-offset"], "2");
    assert_eq!(patch(&admin, &location(&half), 2, "34").await.status(), 204);
    assert_eq!(admin.get(&format!("{BASE}/g")).await.text().await.unwrap(), "1234");
    let whole = with_bytes("1234").send().await.unwrap();
    assert_eq!(whole.headers()["upload-offset"], "4");
    let count = "SELECT COUNT(*) FROM uploads";
    let before = server.count(count).await;
    assert_eq!(with_bytes("5678").send().await.unwrap().status(), 409, "it is written once");
    assert_eq!(with_bytes("12345").send().await.unwrap().status(), 413);
    assert_eq!(server.count(count).await, before, "nothing is left of what nobody heard of");
    assert_eq!(partial(&server), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_wrongly_is_refused_with_what_would_be_right() {
    let (_server, admin) = with_version().await;
    let path = format!("{BASE}/f");
    let old = admin.request(Method::POST, &path).header("tus-resumable", "0.2.2");
    let old = old.header("upload-length", 1).send().await.unwrap();
    assert_eq!(
        (old.status().as_u16(), &old.headers()["tus-version"]),
        (412, &"1.0.0".parse().unwrap())
    );

    let post = |name: &'static str, value: &'static str| {
        tus(&admin, Method::POST, &path).header(name, value)
    };
    for (request, status, message) in [
        (
            tus(&admin, Method::POST, &path),
            400,
            "upload-length: is missing: send the size of the file in bytes, or Upload-Defer-Length: 1",
        ),
        (post("upload-length", "-1"), 400, "upload-length: must be a whole number of bytes"),
        (
            post("upload-length", "9999999999999"),
            413,
            "The file is too large: at most 1099511627776 bytes are allowed.",
        ),
        (
            post("upload-length", "1").header("upload-metadata", "a ?"),
            400,
            "upload-metadata: must have the form KEY BASE64,KEY BASE64, with values in UTF-8",
        ),
        (
            post("upload-length", "1").header("upload-metadata", "sha256 YQ=="),
            400,
            "sha256: must be 64 hexadecimal digits",
        ),
        (
            post("upload-length", "1").body("x"),
            415,
            "content-type: must be application/offset+octet-stream",
        ),
    ] {
        let (got, _, said) = refusal(request.send().await.unwrap()).await;
        assert_eq!((got, said.as_str()), (status, message));
    }

    let upload = begun(&admin, &path, 4).await;
    let piece = |offset: &'static str, bytes: &'static str| {
        tus(&admin, Method::PATCH, &upload).header("upload-offset", offset).body(bytes)
    };
    let typed =
        |request: RequestBuilder| request.header("content-type", "application/offset+octet-stream");
    for (request, status, message) in [
        (piece("0", "x"), 415, "content-type: must be application/offset+octet-stream"),
        (typed(piece("1", "x")), 409, "the upload goes on at 0, not at 1"),
        (typed(piece("x", "x")), 400, "upload-offset: must be a whole number of bytes"),
        (typed(piece("0", "12345")), 413, "the file has 4 bytes, as Upload-Length said"),
        (
            typed(piece("0", "1")).header("upload-checksum", "md5 x"),
            400,
            "upload-checksum: must have the form sha256 BASE64 or sha1 BASE64",
        ),
    ] {
        let (got, _, said) = refusal(request.send().await.unwrap()).await;
        assert_eq!((got, said.as_str()), (status, message));
    }
    let streamed = futures_util::stream::iter(["12", "345"].map(Ok::<_, std::io::Error>));
    let streamed = patch(&admin, &upload, 0, reqwest::Body::wrap_stream(streamed)).await;
    assert_eq!(streamed.status(), 413);
    assert_eq!(offset(&admin, &upload).await, 0);
    let get = tus(&admin, Method::GET, &upload).send().await.unwrap();
    assert_eq!((get.status().as_u16(), get.headers().contains_key("allow")), (405, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_learn_what_is_spoken_and_may_have_only_post() {
    let (server, admin) = with_version().await;
    let path = format!("{BASE}/f");
    for path in [path.as_str(), "/api/uploads/x"] {
        let response = server.anonymous().request(Method::OPTIONS, path).send().await.unwrap();
        let headers = response.headers();
        assert_eq!(
            (response.status().as_u16(), &headers["tus-version"]),
            (204, &"1.0.0".parse().unwrap())
        );
        assert_eq!(
            headers["tus-extension"],
            "creation,creation-defer-length,creation-with-upload,checksum,concatenation,expiration,termination"
        );
        assert_eq!(headers["tus-checksum-algorithm"], "sha1,sha256");
        assert_eq!(headers["tus-max-size"], (1_u64 << 40).to_string());
    }
    let upload = begun(&admin, &path, 4).await;
    // By a client behind a proxy that passes neither PATCH nor DELETE.
    let overridden = |method: &'static str| {
        tus(&admin, Method::POST, &upload).header("x-http-method-override", method)
    };
    let request = overridden("PATCH").header("content-type", "application/offset+octet-stream");
    let request = request.header("upload-offset", 0).body("12");
    assert_eq!(request.send().await.unwrap().status(), 204);
    assert_eq!(overridden("DELETE").send().await.unwrap().status(), 204);
    assert_eq!(tus(&admin, Method::HEAD, &upload).send().await.unwrap().status(), 404);
    assert_eq!(partial(&server), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_checked_by_piece_and_as_a_whole() {
    let (server, admin) = with_version().await;
    let upload = begun(&admin, &format!("{BASE}/f"), 6).await;
    let sha1 = |bytes: &str| format!("sha1 {}", STANDARD.encode(Sha1::digest(bytes)));
    let sha256 = |bytes: &str| format!("sha256 {}", STANDARD.encode(Sha256::digest(bytes)));
    let send = async |from: u64, bytes: &'static str, checksum: String| {
        let request = patching(&admin, &upload, from).header("upload-checksum", checksum);
        request.body(bytes).send().await.unwrap().status().as_u16()
    };
    assert_eq!(send(0, "abc", sha1("abd")).await, 460);
    assert_eq!(offset(&admin, &upload).await, 0, "what is wrong is thrown away");
    assert_eq!(send(0, "abc", sha1("abc")).await, 204);
    assert_eq!(send(3, "xyz", sha256("def")).await, 460);
    assert_eq!(send(3, "def", sha256("def")).await, 204);
    assert_eq!(admin.get(&format!("{BASE}/f")).await.text().await.unwrap(), "abcdef");

    let wrong = hex::encode(Sha256::digest("other"));
    let upload = location(&begin(&admin, &format!("{BASE}/g"), 3, &[("sha256", &wrong)]).await);
    let (status, code, message) = refusal(patch(&admin, &upload, 0, "abc").await).await;
    assert_eq!((status, code.as_str()), (400, "INVALID"));
    assert!(
        message.starts_with("sha256: does not match: the received bytes have ba7816bf"),
        "{message}"
    );
    assert_eq!(patch(&admin, &upload, 0, "abc").await.status(), 404, "it is over");
    assert_eq!(admin.get(&format!("{BASE}/g")).await.status(), 404);
    assert_eq!(partial(&server), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_of_files_hold_at_the_end() {
    let (server, admin) = with_version().await;
    let upload = begun(&admin, &format!("{BASE}/f"), 6).await;
    assert_eq!(patch(&admin, &upload, 0, "abc").await.status(), 204);
    admin.put(&format!("{BASE}/f"), "other").await;
    let (status, _, message) = refusal(patch(&admin, &upload, 3, "def").await).await;
    assert_eq!(status, 409);
    assert!(message.contains("files can't be overwritten. Delete the file first"), "{message}");
    // What has arrived stays, for when the other is gone.
    assert_eq!(offset(&admin, &upload).await, 3);
    let delete = "mutation { deleteFile(input: {model: \"vision/ocr\", version: \"1.0.0\", path: \"f\"}) { file { path } } }";
    admin.ok(delete, json!({})).await;
    assert_eq!(patch(&admin, &upload, 3, "def").await.status(), 204);
    assert_eq!(admin.get(&format!("{BASE}/f")).await.text().await.unwrap(), "abcdef");

    let late = begun(&admin, &format!("{BASE}/late"), 2).await;
    assert_eq!(patch(&admin, &late, 0, "1").await.status(), 204);
    let publish = "mutation { publishModelVersion(input: {
        model: \"vision/ocr\", version: \"1.0.0\", withoutUploads: true}) { modelVersion { id } } }";
    admin.ok(publish, json!({})).await;
    assert_eq!(patch(&admin, &late, 1, "2").await.status(), 409);
    assert_eq!(begin(&admin, &format!("{BASE}/new"), 1, &[]).await.status(), 409);
    assert_eq!(offset(&admin, &upload).await, 6, "what is over is over");
    assert_eq!(tus(&admin, Method::DELETE, &late).send().await.unwrap().status(), 204);

    // It goes on under a new name, and not to what has the old one by now.
    admin.create_version(Some("2.0.0")).await;
    let moved = begun(&admin, "/files/vision/ocr/2.0.0/f", 2).await;
    let rename =
        "mutation { renameModel(input: {model: \"vision/ocr\", name: \"text\"}) { model { id } } }";
    admin.ok(rename, json!({})).await;
    assert_eq!(patch(&admin, &moved, 0, "1").await.status(), 204);
    let model = json!({"m": "vision/text", "v": "2.0.0"});
    let input = "(input: {model: $m, version: $v}) { modelVersion { id } }";
    for verb in ["deleteModelVersion", "createModelVersion"] {
        admin
            .ok(&format!("mutation($m: String!, $v: String!) {{ {verb}{input} }}"), model.clone())
            .await;
    }
    assert_eq!(patch(&admin, &moved, 1, "2").await.status(), 404);
    assert_eq!(server.count("SELECT COUNT(*) FROM files WHERE path = 'f'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_began_goes_on_and_only_while_they_may() {
    let (server, admin) = with_version().await;
    for name in ["ada", "bob"] {
        admin.invite(name).await;
        admin.add_member("vision", name, "DEVELOPER").await;
    }
    let ada = server.person("ada", TokenScope::Write).await;
    let bob = server.person("bob", TokenScope::Write).await;
    let upload = begun(&ada, &format!("{BASE}/f"), 2).await;
    let absent = "/api/uploads/00000000000000000000000000000000";
    for stranger in [&bob, &admin] {
        for method in [Method::PATCH, Method::DELETE] {
            let ask = async |upload: &str| {
                let request = tus(stranger, method.clone(), upload).header("upload-offset", 0);
                let (status, code, message) = refusal(request.send().await.unwrap()).await;
                let id = upload.rsplit('/').next().unwrap();
                (status, code, message.replace(id, "~"))
            };
            let answer = ask(&upload).await;
            assert_eq!((answer.0, answer.1.as_str()), (404, "NOT_FOUND"));
            assert_eq!(answer, ask(absent).await);
        }
    }
    // With another token of hers, and another name of the same.
    let elsewhere = server.person("ada", TokenScope::Write).await;
    assert_eq!(patch(&elsewhere, &upload, 0, "1").await.status(), 204);
    let reading = server.person("ada", TokenScope::Read).await;
    assert_eq!(patch(&reading, &upload, 1, "2").await.status(), 403);
    let remove = "mutation { removeMember(input: {project: \"vision\", username: \"ada\"}) { member { id } } }";
    admin.ok(remove, json!({})).await;
    for method in [Method::HEAD, Method::PATCH, Method::DELETE] {
        let request = tus(&ada, method, &upload).header("upload-offset", 1);
        assert_eq!(request.send().await.unwrap().status(), 404);
    }
    admin.add_member("vision", "ada", "GUEST").await;
    assert_eq!(patch(&ada, &upload, 1, "2").await.status(), 403);
    let refused = "SELECT COUNT(*) FROM events WHERE refused AND action = 'file.put'";
    assert!(server.count(refused).await > 0);

    let browser = Caller {
        http: Client::builder().cookie_store(true).build().unwrap(),
        ..server.anonymous()
    };
    let sign_in = "mutation($p: String!) { signIn(input: {username: \"bob\", password: $p}) { user { id } } }";
    browser.ok(sign_in, json!({"p": PASSWORD})).await;
    let own = begun(&browser, &format!("{BASE}/g"), 1).await;
    let evil = |request: RequestBuilder| request.header("origin", "https://evil.example");
    let post = tus(&browser, Method::POST, &format!("{BASE}/h")).header("upload-length", 1);
    for request in [post, patching(&browser, &own, 0), tus(&browser, Method::DELETE, &own)] {
        assert_eq!(evil(request).send().await.unwrap().status(), 403);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrived_before_the_line_was_cut_is_kept() {
    let (server, admin) = with_version().await;
    let bytes = vec![7; 9_000_000];
    let upload = begun(&admin, &format!("{BASE}/f"), 9_000_000).await;
    let token = admin.token.as_deref().unwrap();
    let head = format!(
        "PATCH {upload} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ntus-resumable: 1.0.0\r\n\
         content-type: application/offset+octet-stream\r\nupload-offset: 0\r\ncontent-length: 9000000\r\n\r\n"
    );
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&bytes[..5_000_000]).unwrap();
    arrived(&server).await;
    // The client is still there, but whoever asks has the newer connection.
    let kept = offset(&admin, &upload).await;
    assert!((1..=5_000_000).contains(&kept), "{kept}");
    drop(stream);
    assert_eq!(offset(&admin, &upload).await, kept);
    let rest = bytes[usize::try_from(kept).unwrap()..].to_vec();
    assert_eq!(patch(&admin, &upload, kept, rest).await.status(), 204);
    let file = admin.get(&format!("{BASE}/f")).await;
    let sha256 = hex::encode(Sha256::digest(&bytes));
    assert_eq!(file.headers()["etag"], format!("\"{sha256}\""));
    assert_eq!(file.bytes().await.unwrap(), bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_send_at_once_one_is_refused() {
    let (server, admin) = with_version().await;
    let bytes = vec![3; 9_000_000];
    let upload = begun(&admin, &format!("{BASE}/f"), 9_000_000).await;
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<std::io::Result<Bytes>>();
    let receiver = futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|bytes| (bytes, receiver))
    });
    let slow = tokio::spawn({
        let request = patching(&admin, &upload, 0).body(reqwest::Body::wrap_stream(receiver));
        async move { refusal(request.send().await.unwrap()).await }
    });
    sender.send(Ok(Bytes::from(bytes[..5_000_000].to_vec()))).unwrap();
    arrived(&server).await;
    let second = patch(&admin, &upload, 0, bytes.clone()).await;
    assert_eq!(second.status(), 409, "the first has brought something");
    let (status, _, message) = slow.await.unwrap();
    assert_eq!((status, message.contains("Another request is sending")), (409, true), "{message}");
    drop(sender);
    let kept = offset(&admin, &upload).await;
    assert!((1..=5_000_000).contains(&kept), "{kept}");
    let rest = bytes[usize::try_from(kept).unwrap()..].to_vec();
    assert_eq!(patch(&admin, &upload, kept, rest).await.status(), 204);
    assert_eq!(admin.get(&format!("{BASE}/f")).await.bytes().await.unwrap(), bytes);

    // And many at once, of whom nobody is slow.
    let bytes = &bytes[..300_000];
    let upload = begun(&admin, &format!("{BASE}/g"), 300_000).await;
    let racers = (0..8).map(|_| patch(&admin, &upload, 0, bytes.to_vec()));
    let answers = futures_util::future::join_all(racers).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    assert!(statuses.iter().all(|status| [204, 409].contains(status)), "{statuses:?}");
    let there = offset(&admin, &upload).await;
    let rest = bytes[usize::try_from(there).unwrap()..].to_vec();
    assert_eq!(patch(&admin, &upload, there, rest).await.status(), 204);
    assert_eq!(admin.get(&format!("{BASE}/g")).await.bytes().await.unwrap(), bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_goes_on_with_expires() {
    let time = Arc::new(AtomicI64::new(1_800_000_000_000));
    let (server, admin) = Server::with_model_at(Clock::Fixed(time.clone())).await;
    admin.create_version(Some("1.0.0")).await;
    let upload = begun(&admin, &format!("{BASE}/f"), 3).await;
    let hours = |hours: i64| time.fetch_add(hours * 3_600_000, Ordering::Relaxed);
    hours(20);
    assert_eq!(patch(&admin, &upload, 0, "1").await.status(), 204);
    hours(20);
    let response = patch(&admin, &upload, 1, "2").await;
    assert_eq!(response.headers()["upload-expires"], "Mon, 18 Jan 2027 00:00:00 GMT");
    upload::rules::sweep(&server.app).await.unwrap_or_else(|error| panic!("{}", error.message()));
    assert_eq!(partial(&server), 1);
    hours(25);
    assert_eq!(tus(&admin, Method::HEAD, &upload).send().await.unwrap().status(), 404);
    assert_eq!(patch(&admin, &upload, 2, "3").await.status(), 404);
    upload::rules::sweep(&server.app).await.unwrap_or_else(|error| panic!("{}", error.message()));
    assert_eq!(partial(&server), 0);
    assert_eq!(server.count("SELECT COUNT(*) FROM uploads").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_more_than_a_thousand_unfinished() {
    let (server, admin) = with_version().await;
    let upload = begun(&admin, &format!("{BASE}/f"), 1).await;
    let id = upload.rsplit('/').next().unwrap();
    let many: String = (1..upload::rules::MAX_OPEN)
        .map(|n| {
            format!(
                "INSERT INTO uploads (id, user_id, owner_id, path, size, received, metadata, created_at_ms, expires_at_ms)
                 SELECT '{n}', user_id, owner_id, path, size, received, '', created_at_ms, expires_at_ms FROM uploads WHERE id = '{id}';"
            )
        })
        .collect();
    server.app.db.run_script(&many).await.unwrap();
    let (status, code, message) = refusal(begin(&admin, &format!("{BASE}/g"), 1, &[]).await).await;
    assert_eq!((status, code.as_str()), (429, "RATE_LIMITED"));
    assert!(message.contains("Finish or DELETE some"), "{message}");
    assert_eq!(patch(&admin, &upload, 0, "1").await.status(), 204);
    assert_eq!(begin(&admin, &format!("{BASE}/g"), 1, &[]).await.status(), 201);
}
