//! Files in parts that are put together at the end, and files whose length is said later.

use futures_util::future::join_all;
use model_registry::registry::catalog::upload;
use model_registry::role::TokenScope;
use reqwest::{Method, Response};
use serde_json::json;

use crate::files::{BASE, with_version};
use crate::harness::{CREATE_PROJECT, Caller, Server};
use crate::mlflow_artifacts::sha256;
use crate::tus::{
    begin, beginning_part, begun, join, joining, location, metadata, offset, part, patch, patching,
    refusal, tus,
};

pub const MIB: usize = 1 << 20;

pub fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n / 7 % 251) as u8).collect()
}

pub fn id(upload: &str) -> &str {
    upload.rsplit('/').next().unwrap()
}

pub fn kept(server: &Server) -> usize {
    std::fs::read_dir(server.data.path().join("partial")).map_or(0, Iterator::count)
}

pub async fn head(caller: &Caller, upload: &str) -> Response {
    tus(caller, Method::HEAD, upload).send().await.unwrap()
}

/// The status and the message of a refusal.
pub async fn refused(response: Response) -> (u16, String) {
    let (status, _, message) = refusal(response).await;
    (status, message)
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_become_one_file_in_the_order_that_is_said() {
    let (server, admin) = with_version().await;
    let whole = bytes(5 * MIB);
    // Of a part that names only a folder, and in pieces, and an empty one.
    let (first, rest) = whole.split_at(2 * MIB);
    let (second, third) = rest.split_at(100);
    let folder = format!("{BASE}/onnx/");
    let last = part(&admin, &folder, third).await;
    let pieces = beginning_part(&admin, BASE).header("upload-length", first.len());
    let pieces = location(&pieces.send().await.unwrap());
    let empty = part(&admin, BASE, "").await;
    let middle = part(&admin, &format!("{BASE}/onnx/model.onnx"), second).await;
    assert_eq!(patch(&admin, &pieces, 0, first[..MIB].to_vec()).await.status(), 204);
    let begun = head(&admin, &pieces).await;
    assert_eq!(begun.headers()["upload-concat"], "partial");
    assert_eq!(begun.headers()["upload-length"], first.len().to_string());
    assert_eq!(begun.headers()["upload-offset"], MIB.to_string());

    // By any name of the server, and by none.
    let absolute = format!("https://models.example.org/registry{middle}");
    let parts = [pieces.clone(), empty.clone(), absolute, last.clone()];
    let named = metadata(&[("filename", "model.onnx"), ("sha256", &sha256(&whole))]);
    let ask = async || {
        let request = joining(&admin, &folder, &parts).header("upload-metadata", &named);
        request.send().await.unwrap()
    };
    let early = refused(ask().await).await;
    let message =
        format!("Part {} is incomplete. Continue it at 1048576, then try again.", id(&pieces));
    assert_eq!(early, (409, message));
    assert_eq!(patch(&admin, &pieces, MIB as u64, first[MIB..].to_vec()).await.status(), 204);
    let path = format!("{BASE}/onnx/model.onnx");
    assert_eq!(admin.get(&path).await.status(), 404, "parts are no file");
    let joined = ask().await;
    assert_eq!(joined.headers()["upload-offset"], whole.len().to_string());
    let joined = location(&joined);
    let file = admin.get(&path).await;
    assert_eq!(file.headers()["etag"], format!("\"{}\"", sha256(&whole)));
    assert_eq!(file.bytes().await.unwrap(), whole);
    assert_eq!(server.count("SELECT COUNT(*) FROM blobs").await, 1, "no part is an object");
    assert_eq!(kept(&server), 0);

    let over = head(&admin, &joined).await;
    assert_eq!(over.headers()["upload-concat"], format!("final;{}", parts.join(" ")));
    assert_eq!(over.headers()["upload-length"], whole.len().to_string());
    assert_eq!(over.headers()["upload-offset"], whole.len().to_string());
    assert_eq!(over.headers()["upload-metadata"], named);
    let more = refused(patch(&admin, &joined, 0, "more").await).await;
    assert_eq!(
        more,
        (403, "A final upload consists of its parts. Send no bytes to it.".to_owned())
    );
    // Who did not hear the answer asks for the parts, and again for the whole.
    for (upload, size) in [(&pieces, first.len()), (&empty, 0), (&last, third.len())] {
        assert_eq!(offset(&admin, upload).await, size as u64);
    }
    assert_eq!(location(&ask().await), joined);
    assert_eq!(server.count("SELECT COUNT(*) FROM events WHERE action = 'file.put'").await, 1);
    assert_eq!(tus(&admin, Method::DELETE, &joined).send().await.unwrap().status(), 204);
    assert_eq!(head(&admin, &pieces).await.status(), 404, "the parts go with it");
    assert_eq!(admin.get(&path).await.status(), 200, "the file stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_may_be_said_later_and_once() {
    let (server, admin) = with_version().await;
    let begin_later = async |path: &str| {
        let request = tus(&admin, Method::POST, &format!("{BASE}/{path}"));
        location(&request.header("upload-defer-length", 1).send().await.unwrap())
    };
    let saying = async |upload: &str, offset: u64, length: u64, bytes: &'static str| {
        let request = patching(&admin, upload, offset).header("upload-length", length);
        request.body(bytes).send().await.unwrap()
    };
    let upload = begin_later("f").await;
    let unknown = head(&admin, &upload).await;
    assert_eq!(unknown.headers()["upload-defer-length"], "1");
    assert!(!unknown.headers().contains_key("upload-length"));
    assert_eq!(patch(&admin, &upload, 0, "abc").await.headers()["upload-offset"], "3");
    let unfinished = "{ model(path: \"vision/ocr\") { version(ref: \"1.0.0\") { unfinishedUploads { path size received } } } }";
    let shown = admin.ok(unfinished, json!({})).await;
    assert_eq!(
        shown["model"]["version"]["unfinishedUploads"],
        json!([{ "path": "f", "size": null, "received": 3 }])
    );
    for (length, bytes, refusal) in [
        (2, "", (400, "upload-length: must be at least 3, as many bytes were received")),
        (1 << 41, "", (413, "The file is too large: at most 1099511627776 bytes are allowed.")),
        (u64::MAX, "", (413, "The file is too large: at most 1099511627776 bytes are allowed.")),
    ] {
        let (status, message) = refused(saying(&upload, 3, length, bytes).await).await;
        assert_eq!((status, message.as_str()), refusal);
    }
    assert_eq!(saying(&upload, 3, 6, "de").await.status(), 204);
    let known = head(&admin, &upload).await;
    assert_eq!(known.headers()["upload-length"], "6");
    assert!(!known.headers().contains_key("upload-defer-length"));
    let changed = refused(saying(&upload, 5, 7, "fg").await).await;
    assert_eq!(changed, (400, "upload-length: was 6 before and cannot change".to_owned()));
    assert_eq!(saying(&upload, 5, 6, "fg").await.status(), 413);
    assert_eq!(saying(&upload, 5, 6, "f").await.status(), 204);
    assert_eq!(saying(&upload, 6, 6, "").await.status(), 204, "again is nothing");
    assert_eq!(admin.get(&format!("{BASE}/f")).await.text().await.unwrap(), "abcdef");

    // With the last bytes, behind them, and of nothing at all.
    let upload = begin_later("g").await;
    assert_eq!(patch(&admin, &upload, 0, "abc").await.status(), 204);
    assert_eq!(admin.get(&format!("{BASE}/g")).await.status(), 404);
    assert_eq!(saying(&upload, 3, 3, "").await.status(), 204);
    assert_eq!(admin.get(&format!("{BASE}/g")).await.text().await.unwrap(), "abc");
    let upload = begin_later("empty").await;
    assert_eq!(saying(&upload, 0, 0, "").await.status(), 204);
    assert_eq!(admin.get(&format!("{BASE}/empty")).await.text().await.unwrap(), "");
    let with_bytes = tus(&admin, Method::POST, &format!("{BASE}/h"));
    let with_bytes = with_bytes.header("upload-defer-length", 1);
    let with_bytes = with_bytes.header("content-type", "application/offset+octet-stream");
    let upload = location(&with_bytes.body("12").send().await.unwrap());
    assert_eq!(saying(&upload, 2, 3, "3").await.status(), 204);
    assert_eq!(admin.get(&format!("{BASE}/h")).await.text().await.unwrap(), "123");

    // A part, too: it is whole when its length was said.
    let later = beginning_part(&admin, BASE).header("upload-defer-length", 1);
    let later = location(&later.send().await.unwrap());
    assert_eq!(patch(&admin, &later, 0, "12").await.status(), 204);
    let ask = async || join(&admin, &format!("{BASE}/i"), std::slice::from_ref(&later)).await;
    assert_eq!(ask().await.status(), 409);
    assert_eq!(saying(&later, 2, 2, "").await.status(), 204);
    location(&ask().await);
    assert_eq!(admin.get(&format!("{BASE}/i")).await.text().await.unwrap(), "12");
    assert_eq!(kept(&server), 0);

    for (name, value, message) in [
        ("upload-defer-length", "2", "upload-defer-length: must be 1"),
        (
            "upload-length",
            "1",
            "upload-defer-length: cannot be combined with Upload-Length: send one of them",
        ),
    ] {
        let request = tus(&admin, Method::POST, &format!("{BASE}/x")).header(name, value);
        let request = match name {
            "upload-length" => request.header("upload-defer-length", 1),
            _ => request,
        };
        assert_eq!(refused(request.send().await.unwrap()).await, (400, message.to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_whole_parts_of_ones_own_are_put_together_and_once() {
    let (server, admin) = with_version().await;
    admin.create_version(Some("2.0.0")).await;
    admin.invite("ada").await;
    admin.add_member("vision", "ada", "DEVELOPER").await;
    let ada = server.person("ada", TokenScope::Write).await;
    let path = format!("{BASE}/f");
    let one = part(&admin, BASE, "1").await;
    let hers = part(&ada, BASE, "2").await;
    let elsewhere = part(&admin, "/files/vision/ocr/2.0.0", "3").await;
    let whole = begun(&admin, &format!("{BASE}/whole"), 4).await;
    let used = part(&admin, BASE, "5").await;
    let joined = location(&join(&admin, &format!("{BASE}/g"), std::slice::from_ref(&used)).await);
    let absent = "/api/uploads/00000000000000000000000000000000".to_owned();
    let not_found = |upload: &str| format!("Upload {:?} was not found.", id(upload));
    for (parts, status, message) in [
        (vec![one.clone(), one.clone()], 400, format!("upload-concat: names {} twice", id(&one))),
        (vec![one.clone(), hers.clone()], 404, not_found(&hers)),
        (vec![one.clone(), absent.clone()], 404, not_found(&absent)),
        (
            vec![joined.clone()],
            400,
            format!(
                "upload-concat: names {}, which is not a part: start parts with Upload-Concat: partial",
                id(&joined)
            ),
        ),
        (
            vec![one.clone(), whole.clone()],
            400,
            format!(
                "upload-concat: names {}, which is not a part: start parts with Upload-Concat: partial",
                id(&whole)
            ),
        ),
        (
            vec![one.clone(), elsewhere.clone()],
            400,
            format!(
                "upload-concat: names {}, a part of a file elsewhere: send all parts to the same version",
                id(&elsewhere)
            ),
        ),
        (
            vec![one.clone(), used.clone()],
            409,
            format!(
                "A part belongs to upload {} of g. Send the same parts and path, or DELETE that upload.",
                id(&joined)
            ),
        ),
    ] {
        let (got, said) = refused(join(&admin, &path, &parts).await).await;
        assert_eq!((got, said), (status, message));
    }
    let elsewhere = refused(join(&admin, &path, std::slice::from_ref(&used)).await).await;
    assert_eq!(elsewhere.0, 409, "to another path it is another file");
    let own = [one.clone()];
    location(&join(&admin, &path, &own).await);
    assert_eq!(
        server.count("SELECT COUNT(*) FROM files").await,
        2,
        "what was refused took nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_wrongly_of_parts_is_refused_with_what_would_be_right() {
    let (server, admin) = with_version().await;
    let path = format!("{BASE}/f");
    for (parts, status, message) in [
        (
            vec!["/files/vision/ocr/1.0.0/f".to_owned()],
            400,
            "upload-concat: names /files/vision/ocr/1.0.0/f, which is not the URL of an upload"
                .to_owned(),
        ),
        (
            vec![],
            400,
            "upload-concat: must be partial, or have the form final;URL URL with the URLs of parts"
                .to_owned(),
        ),
        (
            (0..1001).map(|n| format!("/api/uploads/{n}")).collect(),
            400,
            "upload-concat: must name at most 1000 parts: send fewer and larger ones".to_owned(),
        ),
        (
            vec!["/api/uploads/x".to_owned(); 6000],
            400,
            "upload-concat: must be at most 64 KiB: send fewer parts or shorter URLs".to_owned(),
        ),
    ] {
        let (got, said) = refused(join(&admin, &path, &parts).await).await;
        assert_eq!((got, said), (status, message));
    }
    let own = [part(&admin, BASE, "1").await];
    let request = || joining(&admin, &path, &own);
    for (request, status, message) in [
        (
            request().header("upload-length", 1),
            400,
            "upload-length: is not allowed for a final upload, which is as long as its parts together",
        ),
        (
            request().header("content-type", "application/offset+octet-stream").body("x"),
            403,
            "A final upload consists of its parts. Send no bytes to it.",
        ),
        (
            tus(&admin, Method::POST, &path).header("upload-concat", "both"),
            400,
            "upload-concat: must be partial, or have the form final;URL URL with the URLs of parts",
        ),
        (
            beginning_part(&admin, BASE)
                .header("upload-metadata", metadata(&[("filename", "../x")])),
            400,
            "path: must be a relative path without empty, . or .. parts, for example onnx/model.onnx",
        ),
    ] {
        let (got, said) = refused(request.send().await.unwrap()).await;
        assert_eq!((got, said.as_str()), (status, message));
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM files").await, 0);
    location(&join(&admin, &path, &own).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_parts_together_are_no_larger_than_a_file_can_be() {
    let server = Server::start_with(&["--max-file-size", "10"]).await;
    let admin = server.admin().await;
    admin.ok(CREATE_PROJECT, json!({"path": "vision"})).await;
    admin.create_model("ocr").await;
    admin.create_version(Some("1.0.0")).await;
    let parts = [part(&admin, BASE, "123456").await, part(&admin, BASE, "78901").await];
    let (status, message) = refused(join(&admin, &format!("{BASE}/f"), &parts).await).await;
    assert_eq!(
        (status, message.as_str()),
        (413, "The file is too large: at most 10 bytes are allowed.")
    );
    location(&join(&admin, &format!("{BASE}/f"), &parts[..1]).await);
    let later = tus(&admin, Method::POST, &format!("{BASE}/g")).header("upload-defer-length", 1);
    let later = location(&later.send().await.unwrap());
    let streamed = futures_util::stream::iter(["123456", "78901"].map(Ok::<_, std::io::Error>));
    let streamed = patch(&admin, &later, 0, reqwest::Body::wrap_stream(streamed)).await;
    assert_eq!(streamed.status(), 413);
    assert_eq!(patch(&admin, &later, 0, "12345678901").await.status(), 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hash_of_the_whole_is_checked_at_the_end_and_that_of_a_part_with_it() {
    let (server, admin) = with_version().await;
    let path = format!("{BASE}/f");
    let wrong = metadata(&[("sha256", &sha256(b"other"))]);
    let parts = [part(&admin, BASE, "abc").await, part(&admin, BASE, "def").await];
    let joined = joining(&admin, &path, &parts).header("upload-metadata", &wrong).send().await;
    let (status, message) = refused(joined.unwrap()).await;
    let expected = format!(
        "sha256: does not match: the received bytes have {}. Start a new upload",
        sha256(b"abcdef")
    );
    assert_eq!((status, message), (400, expected));
    assert_eq!(head(&admin, &parts[0]).await.status(), 404, "nothing is left");
    assert_eq!((kept(&server), server.count("SELECT COUNT(*) FROM uploads").await), (0, 0));

    let one = async |digest: &str, bytes: &'static str| {
        let request = beginning_part(&admin, BASE).header("upload-length", 3);
        let request = request.header("upload-metadata", metadata(&[("sha256", digest)]));
        let upload = location(&request.send().await.unwrap());
        (patch(&admin, &upload, 0, bytes).await.status().as_u16(), upload)
    };
    assert_eq!(one(&sha256(b"abd"), "abc").await.0, 400);
    let (status, right) = one(&sha256(b"abc"), "abc").await;
    assert_eq!(status, 204);
    location(&join(&admin, &path, &[right]).await);
    assert_eq!(admin.get(&path).await.text().await.unwrap(), "abc");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_ask_at_once_all_get_the_same_file() {
    let (server, admin) = with_version().await;
    let whole = bytes(9 * MIB);
    let parts: Vec<String> =
        join_all(whole.chunks(3 * MIB).map(|bytes| part(&admin, BASE, bytes))).await;
    let path = format!("{BASE}/f");
    let answers = join_all((0..6).map(|_| join(&admin, &path, &parts))).await;
    let mut locations: Vec<String> = answers.iter().map(location).collect();
    locations.dedup();
    assert_eq!(locations.len(), 1);
    assert_eq!(admin.get(&path).await.bytes().await.unwrap(), whole);
    assert_eq!(server.count("SELECT COUNT(*) FROM events WHERE action = 'file.put'").await, 1);

    // The same parts in different files, named in different orders: one has them.
    let parts = [part(&admin, BASE, "a").await, part(&admin, BASE, "b").await];
    let turned = [parts[1].clone(), parts[0].clone()];
    let tries = (0..6).map(|n| {
        let order = if n % 2 == 0 { &parts } else { &turned };
        let path = format!("{BASE}/g{n}");
        let admin = &admin;
        async move { join(admin, &path, order).await.status().as_u16() }
    });
    let mut statuses = join_all(tries).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_asks_who_may() {
    let (server, admin) = with_version().await;
    admin.invite("ada").await;
    admin.add_member("vision", "ada", "DEVELOPER").await;
    let ada = server.person("ada", TokenScope::Write).await;
    let path = format!("{BASE}/f");
    let parts = [part(&ada, BASE, "1").await];
    let reading = server.person("ada", TokenScope::Read).await;
    assert_eq!(join(&reading, &path, &parts).await.status(), 403);
    let remove = "mutation { removeMember(input: {project: \"vision\", username: \"ada\"}) { member { id } } }";
    admin.ok(remove, json!({})).await;
    assert_eq!(join(&ada, &path, &parts).await.status(), 404);
    assert_eq!(
        beginning_part(&ada, BASE).header("upload-length", 1).send().await.unwrap().status(),
        404
    );
    admin.add_member("vision", "ada", "GUEST").await;
    assert_eq!(join(&ada, &path, &parts).await.status(), 403);
    let own = [part(&admin, BASE, "1").await];
    assert_eq!(join(&admin, &format!("{BASE}/../2.0.0/f"), &own).await.status(), 404);
    let publish = "mutation { publishModelVersion(input: {
        model: \"vision/ocr\", version: \"1.0.0\", withoutUploads: true}) { modelVersion { id } } }";
    admin.ok(publish, json!({})).await;
    assert_eq!(join(&admin, &path, &own).await.status(), 409);
    let new = beginning_part(&admin, BASE).header("upload-length", 1).send().await.unwrap();
    assert_eq!(new.status(), 409, "nothing comes to what is published");
    let delete = "mutation { deleteModelVersion(input: {model: \"vision/ocr\", version: \"1.0.0\"}) { modelVersion { id } } }";
    admin.ok(delete, json!({})).await;
    assert_eq!(join(&admin, &path, &own).await.status(), 404);
    assert_eq!(head(&admin, &own[0]).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_count_as_unfinished_until_they_are_put_together() {
    let (server, admin) = with_version().await;
    let one = part(&admin, BASE, "1").await;
    let row = id(&one);
    let many: String = (1..upload::rules::MAX_OPEN)
        .map(|n| {
            format!(
                "INSERT INTO uploads (id, user_id, owner_id, path, size, received, metadata, created_at_ms, expires_at_ms, concat)
                 SELECT '{n}', user_id, owner_id, path, size, received, '', created_at_ms, expires_at_ms, concat FROM uploads WHERE id = '{row}';"
            )
        })
        .collect();
    server.app.db.run_script(&many).await.unwrap();
    let more = beginning_part(&admin, BASE).header("upload-length", 1).send().await.unwrap();
    assert_eq!(refusal(more).await.0, 429);
    assert_eq!(begin(&admin, &format!("{BASE}/g"), 1, &[]).await.status(), 429);
    location(&join(&admin, &format!("{BASE}/f"), &[one]).await);
    assert_eq!(begin(&admin, &format!("{BASE}/g"), 1, &[]).await.status(), 201);

    // What is sent before its length is said counts by what came.
    let most = "UPDATE uploads SET size = 1099511627776 - 1000000, received = 1099511627776 - 1000000 WHERE id = '1'";
    server.app.db.run_script(most).await.unwrap();
    server.app.db.run_script("DELETE FROM uploads WHERE id = '2'").await.unwrap();
    let later = tus(&admin, Method::POST, &format!("{BASE}/h")).header("upload-defer-length", 1);
    let later = location(&later.send().await.unwrap());
    let said = patching(&admin, &later, 0).header("upload-length", 2_000_000).body("x");
    assert_eq!(said.send().await.unwrap().status(), 429);
    assert_eq!(patch(&admin, &later, 0, bytes(2_000_000)).await.status(), 429);
}
