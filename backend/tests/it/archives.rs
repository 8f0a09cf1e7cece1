//! Archives: as good as files, with a length, a validator and ranges, and readable as streams.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::GzDecoder;
use futures_util::{StreamExt, TryStreamExt};
use model_registry::archive::{Archive, Format};
use model_registry::registry::catalog::blob::scrub;
use model_registry::registry::catalog::file::sql::Walk;
use model_registry::role::TokenScope;
use model_registry::time::{Clock, Timestamp};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{CREATE_PROJECT, Caller, Server};
use crate::tus::{begun, patch};

const BASE: &str = "/files/vision/ocr/1.0.0";
const KINDS: [(&str, &str); 3] =
    [("tar", "application/x-tar"), ("tgz", "application/gzip"), ("zip", "application/zip")];

type Files = BTreeMap<String, Vec<u8>>;

/// One of more than a block of deflate has, one of more than is read at once, one of nothing.
fn files() -> Files {
    let bytes = |size: u32| (0..size).map(|n| (n * 7 % 251) as u8).collect::<Vec<_>>();
    [
        ("a", bytes(70_000)),
        ("dir/ü 模型.txt", bytes(100)),
        ("empty", bytes(0)),
        ("z", bytes(1_100_000)),
    ]
    .map(|(path, bytes)| (path.to_owned(), bytes))
    .into()
}

async fn with_files(files: &Files) -> (Server, Caller) {
    let (server, admin) = Server::with_model().await;
    admin.create_version(Some("1.0.0")).await;
    for (path, bytes) in files {
        let path = format!("{BASE}/{}", path.replace(' ', "%20"));
        assert_eq!(admin.put(&path, bytes.clone()).await.status(), 201, "{path}");
    }
    (server, admin)
}

fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
}

async fn fetch(caller: &Caller, path: &str) -> Vec<u8> {
    let response = caller.get(path).await;
    assert_eq!(response.status(), 200, "{path}");
    let announced = header(&response, "content-length");
    let bytes = response.bytes().await.unwrap().to_vec();
    assert_eq!(announced, bytes.len().to_string(), "{path}");
    bytes
}

fn unpack(kind: &str, bytes: &[u8]) -> Files {
    let mut files = Files::new();
    let mut tar: Box<dyn Read> = match kind {
        "tar" => Box::new(bytes),
        "tgz" => Box::new(GzDecoder::new(bytes)),
        _ => {
            let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
            for index in 0..archive.len() {
                let mut file = archive.by_index(index).unwrap();
                let mut content = Vec::new();
                // Compares the CRC-32.
                file.read_to_end(&mut content).unwrap();
                let name = file.name().unwrap().into_owned();
                files.insert(name, content);
            }
            return files;
        }
    };
    for entry in tar::Archive::new(&mut tar).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        files.insert(entry.path().unwrap().to_str().unwrap().to_owned(), content);
    }
    // What is behind the archive: gzip compares its CRC-32 there.
    std::io::copy(&mut tar, &mut std::io::sink()).unwrap();
    files
}

async fn forget_crc32(server: &Server) {
    server.app.db.run_script("UPDATE blobs SET crc32 = NULL").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_has_what_a_file_has() {
    let files = files();
    let (_server, admin) = with_files(&files).await;
    admin.publish("1.0.0").await;
    let mut etags = Vec::new();
    for (kind, content_type) in KINDS {
        let path = format!("{BASE}?archive={kind}");
        let whole = fetch(&admin, &path).await;
        assert_eq!(unpack(kind, &whole), files, "{kind}");
        let head = admin.request(Method::HEAD, &path).send().await.unwrap();
        assert_eq!(header(&head, "content-length"), whole.len().to_string());
        assert_eq!(header(&head, "content-type"), content_type);
        assert_eq!(header(&head, "accept-ranges"), "bytes");
        assert_eq!(header(&head, "x-content-type-options"), "nosniff");
        let etag = header(&head, "etag");
        assert!(etag.starts_with('"') && etag.len() > 64, "{etag}");

        let ask = |name: &str, value: &str| {
            let request = admin.request(Method::GET, &path).header(name, value);
            request.header("range", "bytes=100000-100009").send()
        };
        let part = ask("if-range", &etag).await.unwrap();
        let range = format!("bytes 100000-100009/{}", whole.len());
        assert_eq!((part.status().as_u16(), header(&part, "content-range")), (206, range));
        assert_eq!(part.bytes().await.unwrap(), whole[100_000..100_010]);
        let other = ask("if-range", "\"other\"").await.unwrap();
        assert_eq!(
            (other.status().as_u16(), other.bytes().await.unwrap().len()),
            (200, whole.len())
        );
        assert_eq!(ask("if-none-match", &etag).await.unwrap().status(), 304);
        assert_eq!(ask("if-match", "\"other\"").await.unwrap().status(), 412);
        etags.push(etag);
        etags.push(header(&admin.get(&format!("{BASE}/dir?archive={kind}")).await, "etag"));
    }
    etags.sort();
    etags.dedup();
    assert_eq!(etags.len(), 6, "each kind of each folder has its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_ranges_are_answered_as_of_a_file() {
    let (_server, admin) = with_files(&[("f".to_owned(), b"0123456789".to_vec())].into()).await;
    for (kind, _) in KINDS {
        let path = format!("{BASE}?archive={kind}");
        let size = fetch(&admin, &path).await.len();
        for (range, status) in [
            ("bytes=0-18446744073709551615".to_owned(), 206),
            ("bytes=18446744073709551615-".to_owned(), 416),
            ("bytes=99999999999999999999-".to_owned(), 200),
            (format!("bytes={size}-"), 416),
            (format!("bytes={}-", size - 1), 206),
            ("bytes=-0".to_owned(), 416),
            ("bytes=-18446744073709551615".to_owned(), 206),
            ("bytes=5-2".to_owned(), 200),
            ("bytes=--1".to_owned(), 200),
            ("bytes=0-0,5-5".to_owned(), 200),
            ("bytes=0-0;".to_owned(), 200),
        ] {
            let asked = admin.request(Method::GET, &path).header("range", &range);
            let answer = asked.send().await.unwrap();
            assert_eq!(answer.status(), status, "{kind} {range}");
            answer.bytes().await.unwrap();
        }
    }
}

/// Every byte is asked for as the first of a range, and as the last.
#[tokio::test(flavor = "multi_thread")]
async fn every_range_is_a_slice_of_the_whole() {
    let small = |text: &str| text.as_bytes().to_vec();
    let files = [
        ("a".to_owned(), small("one")),
        ("b/ü".to_owned(), small("two")),
        ("c".to_owned(), vec![]),
    ];
    let (server, admin) = with_files(&files.into()).await;
    let owner = "SELECT owner_id FROM files LIMIT 1";
    let (owner,): (String,) =
        model_registry::db::query(owner).fetch_one(&server.app.db).await.unwrap();
    for (kind, format) in [("tar", Format::Tar), ("tgz", Format::Tgz), ("zip", Format::Zip)] {
        let whole = fetch(&admin, &format!("{BASE}?archive={kind}")).await;
        let size = whole.len() as u64;
        let ranges = (0..size).map(|from| {
            let to = size.min(from + 1 + from % 37 * 5);
            if from % 2 == 0 { from..to } else { size - to..size - from }
        });
        let compared = futures_util::stream::iter(ranges).map(async |range| {
            let files = Walk::begin(server.app.db.clone(), &owner, "").await.ok().unwrap().unwrap();
            let archive = Archive::of(&server.app, format, "", files).await.ok().unwrap();
            assert_eq!(archive.size(), size);
            let pieces: Vec<_> = archive.stream(range.clone()).try_collect().await.unwrap();
            let slice = &whole[range.start as usize..range.end as usize];
            assert!(pieces.concat() == slice, "{kind} {range:?}");
        });
        compared.buffer_unordered(8).collect::<()>().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_of_large_members_are_slices_of_the_whole() {
    let (_server, admin) = with_files(&files()).await;
    for (kind, _) in KINDS {
        let path = format!("{BASE}?archive={kind}");
        let whole = fetch(&admin, &path).await;
        let (size, step) = (whole.len(), 65_540);
        // Around the blocks of deflate, the ends of members and those of the archive.
        let edges = (0..size).step_by(step).flat_map(|at| [at + 9, at + 10, at + 14, at + 15]);
        let edges: Vec<usize> =
            edges.chain([70_512, 71_168, size - 9, size - 8, size - 1]).collect();
        for pair in edges.windows(3) {
            for (from, to) in [(pair[0], pair[1]), (pair[0], pair[2])] {
                let (from, to) = (from.min(to), from.max(to).min(size - 1));
                let range = format!("bytes={from}-{to}");
                let asked = admin.request(Method::GET, &path).header("range", &range);
                let part = asked.send().await.unwrap();
                assert_eq!(part.status(), 206, "{kind} {range}");
                assert!(part.bytes().await.unwrap() == whole[from..=to], "{kind} {range}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_crc32_is_deflated_until_the_scrub_came_by() {
    let files = files();
    let (server, admin) = with_files(&files).await;
    let zip = format!("{BASE}?archive=zip");
    let known = header(&admin.get(&zip).await, "etag");
    forget_crc32(&server).await;
    for (kind, _) in KINDS {
        let path = format!("{BASE}?archive={kind}");
        let whole = fetch(&admin, &path).await;
        assert_eq!(unpack(kind, &whole), files, "{kind}");
        let part = admin.request(Method::GET, &path).header("range", "bytes=0-9").send().await;
        let (status, ranges) = if kind == "tar" { (206, "bytes") } else { (200, "none") };
        let part = part.unwrap();
        assert_eq!(
            (part.status().as_u16(), header(&part, "accept-ranges").as_str()),
            (status, ranges)
        );
    }
    assert_ne!(header(&admin.get(&zip).await, "etag"), known, "other bytes");
    let unknown = "SELECT COUNT(*) FROM blobs WHERE crc32 IS NULL";
    assert_eq!(server.count(unknown).await, 4, "a download computes none");
    assert_eq!(scrub::scrub(&server.app).await.ok(), Some(4));
    assert_eq!(server.count(unknown).await, 0);
    assert_eq!(header(&admin.get(&zip).await, "etag"), known);
    assert_eq!(unpack("zip", &fetch(&admin, &zip).await), files);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_upload_keeps_the_crc32() {
    let (server, admin) = with_files(&Files::new()).await;
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n * 11 % 249) as u8).collect();
    admin.put(&format!("{BASE}/put"), bytes[..1_000].to_vec()).await;
    let upload = begun(&admin, &format!("{BASE}/tus"), 3_000_000).await;
    for (from, to) in [(0, 10), (10, 2_500_000), (2_500_000, 3_000_000)] {
        let piece = bytes[from..to].to_vec();
        assert_eq!(patch(&admin, &upload, from as u64, piece).await.status(), 204);
    }
    // A server that was started anew has forgotten the hashes of the first bytes.
    let upload = begun(&admin, &format!("{BASE}/again"), 2_000_000).await;
    assert_eq!(patch(&admin, &upload, 0, bytes[..1_500_000].to_vec()).await.status(), 204);
    let id = upload.rsplit('/').next().unwrap();
    server.app.store.partial(id).await.forget();
    let rest = bytes[1_500_000..2_000_000].to_vec();
    assert_eq!(patch(&admin, &upload, 1_500_000, rest).await.status(), 204);

    assert_eq!(server.count("SELECT COUNT(*) FROM blobs WHERE crc32 IS NULL").await, 0);
    let unpacked = unpack("zip", &fetch(&admin, &format!("{BASE}?archive=zip")).await);
    assert!(unpacked["put"] == bytes[..1_000] && unpacked["tus"] == bytes);
    assert!(unpacked["again"] == bytes[..2_000_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_come_again_bring_the_crc32_that_was_missing() {
    let (server, admin) = with_files(&files()).await;
    forget_crc32(&server).await;
    assert_eq!(admin.put(&format!("{BASE}/a"), files()["a"].clone()).await.status(), 200);
    let known = "SELECT crc32 FROM blobs WHERE crc32 IS NOT NULL";
    assert_eq!(server.count(known).await, i64::from(crc32fast::hash(&files()["a"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn members_have_their_time() {
    let time = Timestamp::from_rfc3339("2026-02-03T04:05:07Z").unwrap();
    let server = Server::start_at(Clock::Fixed(std::sync::Arc::new(time.millis().into()))).await;
    let admin = server.admin().await;
    admin.ok(CREATE_PROJECT, json!({ "path": "vision" })).await;
    admin.create_model("ocr").await;
    admin.create_version(Some("1.0.0")).await;
    admin.put(&format!("{BASE}/f"), "x").await;
    let bytes = fetch(&admin, &format!("{BASE}?archive=zip")).await;
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&bytes)).unwrap();
    let file = archive.by_index(0).unwrap();
    assert_eq!(file.last_modified().unwrap().to_string(), "2026-02-03 04:05:06");
    assert_eq!(file.unix_mode(), Some(0o100_644));
    let extra = file.extra_data().unwrap();
    let seconds = u32::try_from(time.millis() / 1000).unwrap().to_le_bytes();
    assert_eq!(extra, [&[b'U', b'T', 5, 0, 1][..], &seconds].concat());
    let tar = fetch(&admin, &format!("{BASE}?archive=tar")).await;
    let mut tar = tar::Archive::new(&tar[..]);
    let entry = tar.entries().unwrap().next().unwrap().unwrap();
    assert_eq!(entry.header().mtime().unwrap(), time.millis().unsigned_abs() / 1000);
}

async fn kind_of(caller: &Caller, path: &str) -> (u16, String, String) {
    let answer = caller.get(path).await;
    let name = header(&answer, "content-disposition").replace("attachment; filename=", "");
    (answer.status().as_u16(), header(&answer, "content-type"), name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_with_an_ending_is_the_archive_unless_it_is_there() {
    let files: Files =
        [("onnx/f", "x"), ("taken/f", "x"), ("taken.zip", "a file"), ("dir.tar/f", "x")]
            .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
            .into();
    let (_server, admin) = with_files(&files).await;
    let found = |status: u16, kind: &str, name: &str| (status, kind.to_owned(), name.to_owned());
    for (ending, kind, name) in [
        ("tar", "application/x-tar", "tar"),
        ("tar.gz", "application/gzip", "tar.gz"),
        ("tgz", "application/gzip", "tar.gz"),
        ("zip", "application/zip", "zip"),
    ] {
        let of_folder = found(200, kind, &format!("ocr-1.0.0-onnx.{name}"));
        assert_eq!(kind_of(&admin, &format!("{BASE}/onnx.{ending}")).await, of_folder);
        let of_all = found(200, kind, &format!("ocr-1.0.0.{name}"));
        for reference in ["1.0.0", "^1", "%5E1.0"] {
            let path = format!("/files/vision/ocr/{reference}.{ending}");
            assert_eq!(kind_of(&admin, &path).await, of_all, "{path}");
        }
        let same = fetch(&admin, &format!("{BASE}.{ending}")).await;
        assert!(same == fetch(&admin, &format!("{BASE}?archive={ending}")).await);
    }
    // What is there has its name.
    assert_eq!(
        kind_of(&admin, &format!("{BASE}/taken.zip")).await,
        found(200, "application/zip", "taken.zip")
    );
    assert_eq!(admin.get(&format!("{BASE}/taken.zip")).await.text().await.unwrap(), "a file");
    let listed: Value = admin.get(&format!("{BASE}/dir.tar")).await.json().await.unwrap();
    assert_eq!(listed["files"][0]["path"], "dir.tar/f");
    for missing in [
        format!("{BASE}/nope.zip"),
        format!("{BASE}/onnx/f.zip"),
        format!("{BASE}/onnx/.zip"),
        format!("{BASE}/.zip"),
        format!("{BASE}.zip/onnx"),
        "/files/vision/ocr/9.0.0.zip".to_owned(),
        "/files/vision/ocr/.zip".to_owned(),
        "/files/vision/nope/1.0.0.zip".to_owned(),
    ] {
        assert_eq!(admin.get(&missing).await.status(), 404, "{missing}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_in_an_archive_as_they_were_sent() {
    let (_server, admin) = with_files(&Files::new()).await;
    assert_eq!(admin.put(&format!("{BASE}/cafe%CC%81/e%CC%81"), "x").await.status(), 201);
    for folder in ["cafe%CC%81", "caf%C3%A9"] {
        for (kind, _) in KINDS {
            let unpacked = unpack(kind, &fetch(&admin, &format!("{BASE}/{folder}.{kind}")).await);
            assert_eq!(unpacked.into_keys().collect::<Vec<_>>(), ["e\u{301}"], "{folder} {kind}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_aliases_and_candidates_are_told_from_their_archives() {
    let (server, admin) = with_files(&[("f".to_owned(), b"one".to_vec())].into()).await;
    admin.publish("1.0.0").await;
    // As SemVer has it, this is a version.
    for version in ["2.0.0-rc", "2.0.0-rc.zip"] {
        admin.create_version(Some(version)).await;
        admin.put(&format!("/files/vision/ocr/{version}/f"), version).await;
    }
    let alias = "mutation { setAlias(input: {model: \"vision/ocr\", name: \"champion\", version: \"1.0.0\"}) { alias { name } } }";
    admin.ok(alias, json!({})).await;
    let candidate =
        "mutation { createCandidate(input: {model: \"vision/ocr\"}) { candidate { runId } } }";
    let run = admin.ok(candidate, json!({})).await["createCandidate"]["candidate"]["runId"].clone();
    let run = run.as_str().unwrap();
    admin.put("/files/vision/ocr/candidate:1/f", "two").await;

    let listed: Value = admin.get("/files/vision/ocr/2.0.0-rc.zip").await.json().await.unwrap();
    assert_eq!(listed["files"][0]["size"], "2.0.0-rc.zip".len());
    for (path, text) in [
        ("vision/ocr/2.0.0-rc.zip.zip".to_owned(), "2.0.0-rc.zip"),
        ("vision/ocr/2.0.0-rc.tgz".to_owned(), "2.0.0-rc"),
        ("vision/ocr/%5E2.0.0-rc.tar".to_owned(), "2.0.0-rc.zip"),
        ("vision/ocr/latest.zip".to_owned(), "one"),
        ("vision/ocr/@champion.tar.gz".to_owned(), "one"),
        ("vision/ocr/candidate:1.tar".to_owned(), "two"),
        (format!("vision/-/run:{run}.zip"), "two"),
    ] {
        let kind = match path.rsplit('.').next().unwrap() {
            "gz" => "tgz",
            kind => kind,
        };
        let unpacked = unpack(kind, &fetch(&admin, &format!("/files/{path}")).await);
        assert_eq!(unpacked["f"], text.as_bytes(), "{path}");
    }
    admin.invite("eve").await;
    let stranger = server.person("eve", TokenScope::Admin).await;
    for path in ["1.0.0.zip", "1.0.0?archive=zip", "2.0.0-rc.zip", "1.0.0/f.zip"] {
        let answer = stranger.get(&format!("/files/vision/ocr/{path}")).await;
        assert_eq!(answer.status(), 404, "{path}");
        let answer = server.anonymous().get(&format!("/files/vision/ocr/{path}")).await;
        assert!(matches!(answer.status().as_u16(), 401 | 404), "{path}: {}", answer.status());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_files_that_change_meanwhile_is_cut_off() {
    let (server, admin) = with_files(&[("f".to_owned(), b"one".to_vec())].into()).await;
    let owner = "SELECT owner_id FROM files LIMIT 1";
    let (owner,): (String,) =
        model_registry::db::query(owner).fetch_one(&server.app.db).await.unwrap();
    for format in [Format::Tar, Format::Tgz, Format::Zip] {
        let begin = async || {
            let files = Walk::begin(server.app.db.clone(), &owner, "").await.ok().unwrap();
            Archive::of(&server.app, format, "", files.unwrap()).await.ok().unwrap()
        };
        for whole in [true, false] {
            let archive = begin().await;
            let delete = "mutation { deleteFile(input: {model: \"vision/ocr\", version: \"1.0.0\", path: \"f\"}) { file { path } } }";
            admin.ok(delete, json!({})).await;
            assert_eq!(admin.put(&format!("{BASE}/f"), "two").await.status(), 201);
            let range = if whole { 0..archive.size() } else { 0..100 };
            let sent: Result<Vec<_>, _> = archive.stream(range).try_collect().await;
            assert!(sent.unwrap_err().to_string().contains("changed"));
        }
        let archive = begin().await;
        let all = 0..archive.size();
        let sent: Vec<_> = archive.stream(all.clone()).try_collect().await.unwrap();
        assert_eq!(sent.concat().len() as u64, all.end);
    }
}
