//! Bytes are proven: what is wrong is never served whole, is lost when it is wrong twice, and is healed by whoever
//! brings it again.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::harness::{Caller, Server};
use crate::tus::{begun, offset, patch};

const BASE: &str = "/files/vision/ocr/1.0.0";

async fn with_version() -> (Server, Caller) {
    let (server, admin) = Server::with_model().await;
    admin.create_version(Some("1.0.0")).await;
    (server, admin)
}

/// The objects of these bytes.
fn objects(server: &Server, bytes: &[u8]) -> Vec<PathBuf> {
    let sha256 = hex::encode(Sha256::digest(bytes));
    let folders = std::fs::read_dir(server.data.path().join("blobs")).unwrap();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    let files = files.map(|file| file.unwrap().path());
    files.filter(|file| file.file_name().unwrap().to_str().unwrap().starts_with(&sha256)).collect()
}

fn flip_a_bit(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(file, bytes).unwrap();
}

async fn lost(admin: &Caller, path: &str) {
    let answer = admin.get(path).await;
    assert_eq!(answer.status(), 410, "{path}");
    let error: Value = answer.json().await.unwrap();
    assert_eq!(error["code"], "DATA_LOSS", "{error}");
    assert!(error["message"].as_str().unwrap().contains("Upload the same file again"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn flipped_bits_are_cut_off_then_lost_and_good_bytes_heal_them() {
    let (server, admin) = with_version().await;
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    for (name, bytes) in [("small", b"some bytes".to_vec()), ("large", large)] {
        let path = format!("{BASE}/{name}");
        assert_eq!(admin.put(&path, bytes.clone()).await.status(), 201);
        for method in [Method::GET, Method::HEAD] {
            let answer = admin.request(method, &path).header("range", "bytes=0-3").send().await;
            let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&bytes)));
            assert_eq!(
                answer.unwrap().headers()["repr-digest"],
                digest,
                "of all, also with a part"
            );
        }
        flip_a_bit(&objects(&server, &bytes)[0]);
        if name == "large" {
            let answer = admin.get(&path).await;
            assert_eq!(answer.status(), 200, "nobody knows yet");
            answer.bytes().await.expect_err("the last piece never comes");
            server.settle().await;
        }
        lost(&admin, &path).await;
        let part =
            admin.request(Method::GET, &path).header("range", "bytes=0-3").send().await.unwrap();
        assert_eq!(part.status(), 410, "of what is lost there are no parts");
        let head = admin.request(Method::HEAD, &path).send().await.unwrap();
        assert_eq!(head.status(), 410);

        assert_eq!(admin.put(&path, bytes.clone()).await.status(), 200);
        assert_eq!(admin.get(&path).await.bytes().await.unwrap(), bytes);
        assert_eq!(objects(&server, &bytes).len(), 2, "what was wrong stays for who looks into it");
    }
    // Also those of what is published, by whoever has them.
    admin.publish("1.0.0").await;
    flip_a_bit(&objects(&server, b"some bytes")[0]);
    flip_a_bit(&objects(&server, b"some bytes")[1]);
    lost(&admin, &format!("{BASE}/small")).await;
    assert_eq!(admin.put(&format!("{BASE}/small"), "some bytes").await.status(), 200);
    assert_eq!(admin.get(&format!("{BASE}/small")).await.text().await.unwrap(), "some bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_or_cut_off_is_lost_unless_the_disk_is() {
    let (server, admin) = with_version().await;
    for name in ["gone", "cut"] {
        assert_eq!(admin.put(&format!("{BASE}/{name}"), name.repeat(10)).await.status(), 201);
    }
    let (gone, cut) = (
        objects(&server, "gone".repeat(10).as_bytes()),
        objects(&server, "cut".repeat(10).as_bytes()),
    );
    let aside = server.data.path().join("aside");
    std::fs::rename(&gone[0], &aside).unwrap();
    let identity = server.data.path().join("registry.json");
    let hidden = server.data.path().join("hidden.json");
    std::fs::rename(&identity, &hidden).unwrap();
    assert_eq!(admin.get(&format!("{BASE}/gone")).await.status(), 500, "it may come back");
    std::fs::rename(&hidden, &identity).unwrap();
    std::fs::rename(&aside, &gone[0]).unwrap();
    assert_eq!(admin.get(&format!("{BASE}/gone")).await.status(), 200);

    std::fs::remove_file(&gone[0]).unwrap();
    std::fs::OpenOptions::new().write(true).open(&cut[0]).unwrap().set_len(12).unwrap();
    for name in ["gone", "cut"] {
        lost(&admin, &format!("{BASE}/{name}")).await;
    }
    let archive = admin.get(&format!("{BASE}?archive=zip")).await;
    archive.bytes().await.expect_err("an archive without them is none");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_whose_commit_was_cut_off_are_put_with_the_next_request() {
    let (server, admin) = with_version().await;
    let bytes = b"all of these arrived".to_vec();
    let size = u64::try_from(bytes.len()).unwrap();
    let sha256 = hex::encode(Sha256::digest(&bytes));
    for (name, again, status) in
        [("same", bytes.clone(), 204), ("other", bytes.to_ascii_uppercase(), 409)]
    {
        let upload = begun(&admin, &format!("{BASE}/{name}"), size).await;
        let id = upload.rsplit('/').next().unwrap();
        // As a server leaves it that is killed between the object and the row.
        let folder = server.data.path().join("blobs").join(&id[30..]);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{sha256}.{id}")), &bytes).unwrap();
        std::fs::remove_file(server.data.path().join("partial").join(id)).unwrap();

        assert_eq!(offset(&admin, &upload).await, 0);
        assert_eq!(patch(&admin, &upload, 0, again).await.status(), status, "{name}");
        if status == 409 {
            assert_eq!(patch(&admin, &upload, 0, bytes.clone()).await.status(), 204);
        }
        assert_eq!(offset(&admin, &upload).await, size);
        assert_eq!(admin.get(&format!("{BASE}/{name}")).await.bytes().await.unwrap(), bytes);
    }
    assert_eq!(objects(&server, &bytes).len(), 1, "the same bytes are kept once");
}
