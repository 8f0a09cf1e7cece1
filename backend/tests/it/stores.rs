//! The contract of a store, which a folder holds and an object store: `MODEL_REGISTRY_TEST_STORAGE` names one to try, too.

mod failing;
mod proxy;

use std::io::ErrorKind;
use std::sync::LazyLock;

use axum::body::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use model_registry::access::user::find_by_username;
use model_registry::change::Change;
use model_registry::db::query;
use model_registry::error::{Error, Result};
use model_registry::registry::catalog::blob;
use model_registry::store::{Blob, Bucket, Found, Identity, Store, next_part};
use model_registry::time::{Clock, Timestamp};
use sha2::{Digest, Sha256};
use tempfile::{TempDir, tempdir};

use crate::harness::{Server, storage};

/// The size of a part in these tests, in bytes: the smallest that object stores take.
const PART: usize = 5 << 20;

fn now() -> Timestamp {
    Clock::System.now()
}

fn in_cloud() -> Option<Bucket> {
    storage().map(|url| format!("{url}&part=5MiB").parse().unwrap())
}

/// A folder, and an object store if there is one to try.
async fn stores() -> Vec<(TempDir, Store)> {
    let mut stores = Vec::new();
    for storage in [None].into_iter().chain(in_cloud().map(Some)) {
        let folder = tempdir().unwrap();
        let store = Store::open(folder.path(), storage.as_ref()).await;
        stores.push((folder, store.unwrap_or_else(|error| panic!("{}", error.message()))));
    }
    stores
}

/// So many bytes, which are nowhere the same.
fn bytes(length: usize) -> Bytes {
    static BYTES: LazyLock<Bytes> = LazyLock::new(|| {
        (0..4 * PART).map(|n| (n.wrapping_mul(2_654_435_761) >> 16) as u8).collect()
    });
    BYTES.slice(..length)
}

/// The bytes in pieces of odd sizes.
fn pieces(bytes: &Bytes) -> Vec<Result<Bytes>> {
    let sizes = [1, 70_001, 1 << 20, 333_333].into_iter().cycle();
    let (mut pieces, mut rest) = (Vec::new(), bytes.clone());
    for size in sizes {
        if rest.is_empty() {
            break;
        }
        pieces.push(Ok(rest.split_to(size.min(rest.len()))));
    }
    pieces
}

async fn write(store: &Store, bytes: &Bytes, length: Option<u64>) -> Blob {
    let body = stream::iter(pieces(bytes));
    store.write(body, length, u64::MAX, now()).await.unwrap_or_else(|e| panic!("{e:?}"))
}

async fn read(store: &Store, blob: &Blob) -> std::io::Result<Vec<u8>> {
    match store.read_proven(blob).await.unwrap_or_else(|e| panic!("{e:?}")) {
        Found::Whole(pieces) => Ok(pieces.try_collect::<Vec<Bytes>>().await?.concat()),
        Found::Missing => Err(ErrorKind::NotFound.into()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_all_sizes_come_back_as_they_were() {
    for (_folder, store) in stores().await {
        for size in [0, 1, PART - 1, PART, PART + 1, 3 * PART, 3 * PART + 7] {
            let bytes = bytes(size);
            for length in [Some(size as u64), None] {
                let blob = write(&store, &bytes, length).await;
                assert_eq!(blob.sha256, hex::encode(Sha256::digest(&bytes)));
                assert_eq!(store.size(&blob.key).await.unwrap(), Some(size as u64));
                assert!(read(&store, &blob).await.unwrap() == bytes, "{size} bytes");
                store.delete(&blob.key).await.unwrap();
                store.delete(&blob.key).await.unwrap();
                assert_eq!(read(&store, &blob).await.unwrap_err().kind(), ErrorKind::NotFound);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_read_and_what_is_of_another_size_is_missing() {
    for (_folder, store) in stores().await {
        let (size, bytes) = (2 * PART, bytes(2 * PART));
        let blob = write(&store, &bytes, None).await;
        for range in [0..1, 0..size, size - 1..size, PART - 3..PART + 3, 5..5] {
            let Found::Whole(pieces) =
                store.read(&blob, range.start as u64..range.end as u64).await.unwrap()
            else {
                panic!("it is there");
            };
            let read = pieces.try_collect::<Vec<Bytes>>().await.unwrap().concat();
            assert!(read == bytes[range.clone()], "{range:?}");
        }
        for other in [size as i64 - 1, size as i64 + 1] {
            let other = Blob { size: other, ..blob.clone() };
            let found = store.read(&other, other.size as u64 - 1..other.size as u64).await.unwrap();
            assert!(matches!(found, Found::Missing));
        }
        let wrong = Blob { sha256: hex::encode([0; 32]), ..blob };
        let Found::Whole(mut pieces) = store.read_proven(&wrong).await.unwrap() else {
            panic!("there")
        };
        let mut came = 0;
        let error = loop {
            match pieces.next().await.unwrap() {
                Ok(piece) => came += piece.len(),
                Err(error) => break error,
            }
        };
        assert!(error.kind() == ErrorKind::InvalidData && came < size, "{came} of {size} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_off_or_is_too_large_leaves_nothing() {
    for (_folder, store) in stores().await {
        let broken = || {
            let mut pieces = pieces(&bytes(2 * PART));
            pieces.push(Err(Error::Timeout("the client is gone")));
            stream::iter(pieces)
        };
        assert!(matches!(
            store.write(broken(), None, u64::MAX, now()).await,
            Err(Error::Timeout(_))
        ));
        let large = stream::iter(pieces(&bytes(2 * PART)));
        let refused = store.write(large, None, PART as u64, now()).await;
        assert!(matches!(refused, Err(Error::TooLarge(_))));
        assert!(store.is_empty().await.unwrap());
        let blob = write(&store, &bytes(3), Some(3)).await;
        let listed: Vec<_> = store.all().try_collect::<Vec<_>>().await.unwrap().concat();
        assert_eq!(listed.iter().map(|object| &object.key).collect::<Vec<_>>(), [&blob.key]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_put_together_and_identity_is_kept() {
    for (_folder, store) in stores().await {
        let (mut parts, mut all) = (Vec::new(), Vec::new());
        for size in [7, PART + 5, 0] {
            let part = bytes(size);
            let body = stream::iter(pieces(&part));
            let staged = store.stage("0192f0", body, None, u64::MAX, now()).await;
            parts.push(staged.unwrap_or_else(|error| panic!("{error:?}")));
            all.extend_from_slice(&part);
        }
        let large = stream::iter(pieces(&bytes(PART)));
        let refused = store.stage("0192f0", large, None, PART as u64 - 1, now()).await;
        assert!(matches!(refused, Err(Error::TooLarge(_))));
        let read: Vec<Bytes> = store.read_staged(parts.clone()).try_collect().await.unwrap();
        assert!(read.concat() == all);
        assert_eq!(store.partial_names().await.unwrap(), ["0192f0"]);
        store.remove_staged("0192f0").await.unwrap();
        store.remove_staged("0192f0").await.unwrap();
        assert!(store.partial_names().await.unwrap().is_empty());
        assert!(store.read_staged(parts).try_collect::<Vec<Bytes>>().await.is_err());
        assert!(store.identity().await.unwrap().is_none());
        let identity =
            Identity { registry: "a".into(), storage: "b".into(), former: vec!["c".into()] };
        store.identify(&identity).await.unwrap();
        assert_eq!(store.identity().await.unwrap(), Some(identity));
        assert!(store.is_there().await.unwrap() && store.is_empty().await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_not_there_is_told_at_once() {
    let Some(storage) = storage() else { return };
    let wrong: Bucket = storage.replace("://test/", "://another-bucket/").parse().unwrap();
    let folder = tempdir().unwrap();
    let opened = Store::open(folder.path(), Some(&wrong));
    let opened = tokio::time::timeout(std::time::Duration::from_secs(10), opened);
    let message = opened.await.expect("at once").err().unwrap().message();
    assert!(
        message.contains("://another-bucket/")
            && ["NoSuchBucket", "ContainerNotFound"].iter().any(|code| message.contains(code)),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sweep_has_noted_becomes_the_copy_of_its_bytes_with_their_hash() {
    let (server, _) = Server::with_model().await;
    let blob = write(&server.app.store, &bytes(1000), None).await;
    // As a sweep notes an object of which only the database could say what it is.
    query(
        "INSERT INTO copies (key, storage, sha256, size, state, since_ms, since_sweep)
         VALUES ($1, 'default', '', 0, 'UNKNOWN', 0, 0)",
    )
    .bind(&blob.key)
    .alone(&server.app.db)
    .await
    .unwrap();
    let admin = find_by_username(&server.app.db, "admin").await.unwrap().unwrap();
    let mut change = Change::begin_in(&server.app.db, &Clock::System, admin.id).await.unwrap();
    assert!(blob::rules::put(&mut change, &blob).await.unwrap());
    change.commit().await.unwrap();
    let copy =
        blob::sql::find(&server.app.db, &server.app.storages, &blob.sha256).await.unwrap().unwrap();
    assert_eq!((copy.key, copy.size, &*copy.state), (blob.key, 1000, "READY"));
}

#[tokio::test]
async fn many_small_pieces_are_put_together() {
    let crumbs = stream::iter((0..1_000_000).map(|_| Ok::<_, Error>(Bytes::from_static(b"x"))));
    let (piece, ended) = next_part(&mut crumbs.boxed()).await.unwrap();
    assert!(ended && piece.len() == 1 && piece[0].len() == 1_000_000);
    let mixed = [vec![1; 3], vec![2; 20_000], vec![3; 5]].map(|bytes| Ok::<_, Error>(bytes.into()));
    let (piece, _) = next_part(&mut stream::iter(mixed).boxed()).await.unwrap();
    assert_eq!(piece.concat(), [vec![1; 3], vec![2; 20_000], vec![3; 5]].concat());
}
