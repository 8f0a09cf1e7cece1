//! The registry over HTTP while its object store fails: what it answers is whole, or ends in an honest error.

use std::collections::HashSet;
use std::ops::Range;
use std::time::Duration;

use axum::body::Bytes;
use futures_util::future::join_all;
use futures_util::stream;
use model_registry::store::Bucket;
use reqwest::{Body, Method, Response};
use serde_json::json;

use super::proxy::{Fault, Proxy};
use super::{PART, bytes, pieces};
use crate::harness::{CREATE_PROJECT, Caller, Server, storage};
use crate::tus::{begin, location, offset, patching};

const SIZES: [usize; 6] = [0, 1, PART - 1, PART, PART + 1, 3 * PART + 7];

/// A server with a draft whose object store is behind a proxy, if there is one to try.
async fn behind_proxy() -> Option<(Server, Caller, Proxy)> {
    let url = storage()?;
    let endpoint = url.parse::<Bucket>().unwrap().endpoint.unwrap();
    let to = format!("{}:{}", endpoint.host_str().unwrap(), endpoint.port().unwrap());
    let proxy = Proxy::before(to.clone()).await;
    let url = format!("{}&part=5MiB", url.replace(&to, &proxy.address));
    let server = Server::start_with(&["--storage", &url]).await;
    let admin = server.admin().await;
    admin.ok(CREATE_PROJECT, json!({ "path": "vision" })).await;
    admin.create_model("ocr").await;
    admin.create_version(Some("1.0.0")).await;
    Some((server, admin, proxy))
}

/// So many bytes, which are others in each round.
fn bytes_of(round: &str, size: usize) -> Bytes {
    let mut bytes = bytes(size).to_vec();
    bytes.iter_mut().zip(round.bytes()).for_each(|(byte, letter)| *byte = letter);
    bytes.into()
}

fn path(name: &str) -> String {
    format!("/files/vision/ocr/1.0.0/{name}")
}

/// Sends a file, of which it is said how large it is or not; whether it was taken.
async fn put(caller: &Caller, name: &str, bytes: &Bytes, is_announced: bool) -> bool {
    let body = match is_announced {
        true => Body::from(bytes.clone()),
        false => Body::wrap_stream(stream::iter(
            pieces(bytes).into_iter().map(|piece| piece.map_err(|e| format!("{e:?}"))),
        )),
    };
    is_done(&caller.put(&path(name), body).await)
}

/// Whether something was done. If not, it is said that it can be tried again, and when.
#[track_caller]
fn is_done(answer: &Response) -> bool {
    if answer.status() == 503 {
        assert!(answer.headers().contains_key("retry-after"), "{answer:?}");
    } else {
        assert!(answer.status().is_success(), "{answer:?}");
    }
    answer.status().is_success()
}

/// A file or a range of it, if it came to its end.
async fn get(caller: &Caller, name: &str, range: Option<Range<usize>>) -> Option<Bytes> {
    let mut request = caller.request(Method::GET, &path(name));
    if let Some(range) = range {
        request = request.header("range", format!("bytes={}-{}", range.start, range.end - 1));
    }
    let answer = request.send().await.unwrap();
    // Azure takes bytes that changed on their way, and they are known to be wrong as soon as they are read.
    if answer.status() == 410 || !is_done(&answer) {
        return None;
    }
    answer.bytes().await.ok()
}

/// Uploads and downloads of all sizes, each of which has to be done at once.
async fn all_is_done(caller: &Caller, round: &str) {
    for (index, size) in SIZES.into_iter().enumerate() {
        let (name, bytes) = (format!("{round}-{size}"), bytes_of(round, size));
        assert!(put(caller, &name, &bytes, index % 2 == 0).await, "{name}");
        assert!(get(caller, &name, None).await.unwrap() == bytes, "{name}");
    }
    let (name, all) = (format!("{round}-{}", SIZES[5]), bytes_of(round, SIZES[5]));
    let range = PART - 3..2 * PART + 3;
    assert!(get(caller, &name, Some(range.clone())).await.unwrap() == all[range]);
}

/// Uploads and downloads of all sizes, each of which is done or ends in an error; and all is well when nothing fails any more.
async fn nothing_is_wrong(caller: &Caller, proxy: &Proxy, round: &str) {
    for (index, size) in SIZES.into_iter().enumerate() {
        let (name, bytes) = (format!("{round}-{size}"), bytes_of(round, size));
        if put(caller, &name, &bytes, index % 2 == 0).await {
            let got = get(caller, &name, None).await;
            assert!(got.is_none_or(|got| got == bytes), "{name}");
        } else {
            assert_eq!(caller.get(&path(&name)).await.status(), 404, "{name}");
        }
    }
    assert!(proxy.failed() > 0);
    proxy.fail(|_| None);
    for size in SIZES {
        let (name, bytes) = (format!("{round}-{size}"), bytes_of(round, size));
        assert!(put(caller, &name, &bytes, true).await, "{name}");
        assert!(get(caller, &name, None).await.unwrap() == bytes, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_now_and_then_is_tried_again() {
    let faults = [
        Fault::Refused,
        Fault::Late(Duration::from_millis(300)),
        Fault::CutRequest(100_000),
        Fault::Lost,
    ];
    let rounds = faults.map(|fault| async move {
        let Some((_server, admin, proxy)) = behind_proxy().await else { return };
        proxy.fail(move |request| (request.number % 3 == 0).then_some(fault));
        all_is_done(&admin, "file").await;
        assert!(proxy.failed() > 3, "{fault:?}");
    });
    join_all(rounds).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_is_cut_off_goes_on_at_its_byte() {
    let Some((_server, admin, proxy)) = behind_proxy().await else { return };
    let bytes = bytes(20 << 20);
    assert!(put(&admin, "file", &bytes, true).await);
    proxy.fail(|request| request.is_download().then_some(Fault::Cut(3 << 20)));
    assert!(get(&admin, "file", None).await.unwrap() == bytes);
    assert!(proxy.failed() >= 6, "{}", proxy.failed());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_last_answer_is_lost_is_there() {
    let Some((_server, admin, proxy)) = behind_proxy().await else { return };
    proxy.fail(|request| request.is_completion().then_some(Fault::Lost));
    all_is_done(&admin, "lost").await;
    assert!(proxy.failed() > 0);
    // It may be unknown for good: to be asked again, some stores say that there is no such upload.
    let mut is_first = true;
    proxy.fail(move |request| match request.is_completion() {
        true => std::mem::take(&mut is_first).then_some(Fault::Lost),
        false => request.line.starts_with("HEAD ").then_some(Fault::Refused),
    });
    let bytes = bytes_of("unknown", PART + 1);
    put(&admin, "unknown", &bytes, true).await;
    proxy.fail(|_| None);
    assert!(put(&admin, "unknown", &bytes, true).await);
    assert!(get(&admin, "unknown", None).await.unwrap() == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_change_on_the_way_are_not_taken_for_right() {
    let Some((_server, admin, proxy)) = behind_proxy().await else { return };
    // What is wrong twice is lost: each object is read wrongly once.
    let mut read = HashSet::new();
    proxy.fail(move |request| {
        (request.is_download() && read.insert(request.line.clone())).then_some(Fault::Flipped(0))
    });
    nothing_is_wrong(&admin, &proxy, "down").await;
    proxy.fail(|request| request.line.starts_with("PUT ").then_some(Fault::FlippedRequest(0)));
    nothing_is_wrong(&admin, &proxy, "up").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_gone_is_told_and_forgiven() {
    let rounds = [Fault::Refused, Fault::CutRequest(0), Fault::Lost].map(|fault| async move {
        let Some((_server, admin, proxy)) = behind_proxy().await else { return };
        let bytes = bytes(PART + 1);
        assert!(put(&admin, "before", &bytes, true).await);
        proxy.fail(move |_| Some(fault));
        for path in [&*path("before"), "/readyz"] {
            assert_eq!(admin.get(path).await.status(), 503, "{fault:?}: {path}");
        }
        nothing_is_wrong(&admin, &proxy, "after").await;
        assert!(get(&admin, "before", None).await.unwrap() == bytes, "{fault:?}");
        assert_eq!(admin.get("/readyz").await.status(), 200, "{fault:?}");
    });
    join_all(rounds).await;
}

/// What comes of trying again, if it comes in time.
async fn in_the_end<T>(mut trying: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..20 {
        if let Some(done) = trying().await {
            return done;
        }
    }
    panic!("it was tried often enough");
}

/// One file of each size, sent at once or in a resumable upload, and read again.
async fn insist(caller: &Caller, client: usize) {
    for (index, size) in SIZES.into_iter().enumerate() {
        let (name, round) = (format!("{client}-{size}"), client.to_string());
        let bytes = bytes_of(&round, size);
        if (client + index).is_multiple_of(2) {
            in_the_end(async || put(caller, &name, &bytes, index > 2).await.then_some(())).await;
        } else {
            let upload = in_the_end(async || {
                let begun = begin(caller, &path(&name), size as u64, &[]).await;
                is_done(&begun).then(|| location(&begun))
            });
            let upload = upload.await;
            in_the_end(async || {
                let from = offset(caller, &upload).await;
                let rest = bytes.slice(from as usize..);
                is_done(&patching(caller, &upload, from).body(rest).send().await.unwrap())
                    .then_some(())
            })
            .await;
        }
        assert!(in_the_end(async || get(caller, &name, None).await).await == bytes, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heavy_of_ten_requests_three_fail_and_who_tries_again_gets_all_through() {
    let Some((server, admin, proxy)) = behind_proxy().await else { return };
    let mut random = 1_u64;
    proxy.fail(move |_| {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let chance = random >> 33;
        let bytes = chance % (3 << 20);
        let faults = [
            Fault::Refused,
            Fault::Late(Duration::from_millis(200)),
            Fault::CutRequest(bytes),
            Fault::Lost,
            Fault::Cut(bytes),
        ];
        (chance % 10 < 3).then(|| faults[(chance / 10 % 5) as usize])
    });
    let clients = 0..6;
    join_all(clients.clone().map(|client| insist(&admin, client))).await;
    assert!(proxy.failed() > 20, "{}", proxy.failed());
    proxy.fail(|_| None);
    for client in clients {
        for size in SIZES {
            let bytes = get(&admin, &format!("{client}-{size}"), None).await.unwrap();
            assert!(bytes == bytes_of(&client.to_string(), size), "{client}: {size}");
        }
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM copies WHERE state <> 'READY'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn heavy_what_never_answers_is_not_waited_for() {
    let Some((_server, admin, proxy)) = behind_proxy().await else { return };
    let bytes = bytes(3 * PART);
    assert!(put(&admin, "file", &bytes, true).await);
    let mut is_silent = true;
    proxy.fail(move |request| match request.is_download() {
        true => std::mem::take(&mut is_silent).then_some(Fault::Silent(1 << 20)),
        false => Some(Fault::Late(Duration::from_secs(3600))),
    });
    let (one, two) = (bytes.slice(..PART - 1), bytes.slice(..PART + 1));
    let all = async {
        tokio::join!(
            put(&admin, "one", &one, true),
            put(&admin, "two", &two, true),
            get(&admin, "file", None),
        )
    };
    // A minute for each request, and some more for what is as large as a part.
    let all = tokio::time::timeout(Duration::from_secs(150), all).await;
    assert!(all.expect("nobody waits for ever") == (false, false, Some(bytes)));
    proxy.fail(|_| None);
    all_is_done(&admin, "after").await;
    // What gets nowhere is given up.
    proxy.fail(|request| request.is_download().then_some(Fault::Cut(0)));
    assert_eq!(admin.get(&path("file")).await.status(), 503);
}
