//! Flipped bits: `verify` finds each, no download gives the file whole, and the good bytes, sent again, heal it.

use std::collections::HashSet;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use model_registry::db::query;
use model_registry::registry::catalog::blob::sweep::Sweep;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Random, is_postgres, seed, times};
use crate::harness::{CREATE_PROJECT, Caller, Server, database, direct};

/// From one byte to several pieces: up to 1 MiB a download is proven before its first byte, above before its last.
const SIZES: [usize; 12] = [
    1,
    1,
    2,
    63,
    1000,
    70_000,
    (1 << 20) - 1,
    1 << 20,
    (1 << 20) + 1,
    2 << 20,
    2_500_000,
    (5 << 20) + 7,
];
/// What is sent and hashed at once: a download without its last such piece is not whole.
const PIECE: usize = 1 << 20;
/// In how many files of all bits are flipped before anybody looks, at most.
const AT_ONCE: u64 = 10;
/// One is published, and the other a draft.
const FOLDERS: [&str; 2] = ["/files/vision/ocr/1.0.0", "/files/vision/ocr/2.0.0"];
/// Where bytes are uploaded anew.
const ELSEWHERE: &str = "/files/vision/ocr/3.0.0";

struct Original {
    folder: &'static str,
    path: String,
    bytes: Vec<u8>,
    sha256: String,
}

/// How a file is asked for. All of these are the whole file.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Plainly,
    AsRange,
    WithLastByte,
}

struct World {
    server: Server,
    admin: Caller,
    database: String,
    files: Vec<Original>,
}

impl World {
    async fn new(random: &mut Random) -> Self {
        let data = Arc::new(tempfile::tempdir().unwrap());
        let database = database(&data).await;
        let server = Server::start_on(data, &database, &["--keep-free", "0"]).await;
        let admin = server.admin().await;
        admin.ok(CREATE_PROJECT, json!({ "path": "vision" })).await;
        admin.create_model("ocr").await;
        for version in ["1.0.0", "2.0.0", "3.0.0"] {
            admin.create_version(Some(version)).await;
        }
        let mut files = Vec::new();
        for (number, size) in SIZES.into_iter().enumerate() {
            for folder in FOLDERS {
                let bytes = random.bytes(size);
                let sha256 = hex::encode(Sha256::digest(&bytes));
                let path = format!("{folder}/{number}.bin");
                assert_eq!(admin.put(&path, bytes.clone()).await.status(), 201);
                files.push(Original { folder, path, bytes, sha256 });
            }
        }
        admin.publish("1.0.0").await;
        Self { server, admin, database, files }
    }

    /// The object that is the copy of a file.
    async fn object(&self, file: &Original) -> (String, PathBuf) {
        let copy = query("SELECT key FROM copies WHERE sha256 = $1 AND state = 'READY'");
        let (key,): (String,) =
            copy.bind(&file.sha256).fetch_one(&self.server.app.db).await.unwrap();
        let path = self.server.data.path().join(&key);
        (key, path)
    }

    /// Flips one bit of the object of a file; returns its key.
    async fn flip(&self, file: &Original, random: &mut Random) -> String {
        let (key, path) = self.object(file).await;
        let object = std::fs::File::options().read(true).write(true).open(path).unwrap();
        // One in four is in the last byte, and one in the first: who stops early would miss it.
        let at = match random.below(4) {
            0 => file.bytes.len() - 1,
            1 => 0,
            _ => random.index(file.bytes.len()),
        };
        let mut byte = [0];
        object.read_exact_at(&mut byte, at as u64).unwrap();
        byte[0] ^= 1 << random.below(8);
        object.write_all_at(&byte, at as u64).unwrap();
        key
    }

    /// Asks for a whole file whose bytes are wrong: it does not come.
    async fn check_not_served(&self, file: &Original, asked: Asked) {
        let request = self.admin.request(Method::GET, &file.path);
        let last = file.bytes.len() - 1;
        let request = match asked {
            Asked::Plainly => request,
            Asked::AsRange => request.header("range", "bytes=0-"),
            Asked::WithLastByte => request.header("range", format!("bytes=0-{last}")),
        };
        let mut answer = request.send().await.unwrap();
        if answer.status() == StatusCode::GONE {
            let said: Value = answer.json().await.unwrap();
            assert_eq!(said["code"], "DATA_LOSS", "{}: {said}", file.path);
            return;
        }
        let mut received = Vec::new();
        let cut_off = loop {
            match answer.chunk().await {
                Ok(Some(bytes)) => received.extend_from_slice(&bytes),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        let (path, size) = (&file.path, file.bytes.len());
        assert!(cut_off, "{path}, {asked:?}: {} of {size} bytes, to the end", received.len());
        let most = (size - 1) / PIECE * PIECE;
        assert!(received.len() <= most, "{path}, {asked:?}: {} of {size} bytes", received.len());
        assert!(size > PIECE, "{path}, {asked:?}: a file of one piece is proven before its answer");
    }

    async fn check_served(&self, file: &Original) {
        let answer = self.admin.get(&file.path).await;
        assert_eq!(answer.status(), 200, "{}", file.path);
        assert!(answer.bytes().await.unwrap() == file.bytes, "{}: other bytes", file.path);
    }

    /// Asks for a folder as an archive: where a file of it is wrong, the archive does not end.
    async fn check_archive(&self, folder: &str, format: &str, has_wrong: bool) {
        let answer = self.admin.get(&format!("{folder}?archive={format}")).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.bytes().await.is_err(), has_wrong, "{folder} as {format}");
    }

    fn verify(&self) -> (i32, Value) {
        let done = Command::new(env!("CARGO_BIN_EXE_model-registry"))
            .args(["verify", "--json"])
            .env("MODEL_REGISTRY_DATA", self.server.data.path())
            .env("MODEL_REGISTRY_DATABASE", &self.database)
            .envs(direct(&self.database))
            .output()
            .unwrap();
        let report = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"));
        (done.status.code().unwrap(), report)
    }

    /// Uploads the good bytes again, to their own place or to another one.
    async fn heal(&self, number: usize, random: &mut Random) {
        let file = &self.files[number];
        let path = match random.below(2) {
            0 => file.path.clone(),
            _ => format!("{ELSEWHERE}/{number}.bin"),
        };
        let put = self.admin.put(&path, file.bytes.clone()).await;
        assert!(put.status().is_success(), "{path}: {}", put.status());
    }
}

/// What a report says of its list, by this field.
fn all_of<'a>(report: &'a Value, list: &str, field: &str) -> HashSet<&'a str> {
    let list = report[list].as_array().unwrap();
    list.iter().map(|item| item[field].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn flipped_bits_are_all_found_and_no_file_is_served_with_one() {
    let (seed, all) = (seed(), times(30, if is_postgres() { 100 } else { 1000 }));
    let mut random = Random::of(seed, 0, 0);
    let world = World::new(&mut random).await;
    let (mut flipped, mut found, mut healed) = (0, 0, 0);
    while flipped < all {
        let mut numbers: Vec<usize> = (0..world.files.len()).collect();
        numbers.retain(|_| random.below(world.files.len() as u64) < AT_ONCE);
        numbers.truncate(usize::try_from(all - flipped).unwrap());
        let mut keys = HashSet::new();
        for number in &numbers {
            keys.insert(world.flip(&world.files[*number], &mut random).await);
        }
        flipped += numbers.len() as u64;
        let wrong: Vec<&Original> = numbers.iter().map(|number| &world.files[*number]).collect();

        // Some are asked for before anybody knows, and again when the first answer is known to have been wrong.
        let folder = random.of_these(&FOLDERS);
        let has_wrong = wrong.iter().any(|file| file.folder == folder);
        let format = random.of_these(&["tar", "zip"]);
        if random.below(2) == 0 {
            world.check_archive(folder, format, has_wrong).await;
        }
        for file in &wrong {
            for _ in 0..random.below(3) {
                let asked = random.of_these(&[Asked::Plainly, Asked::AsRange, Asked::WithLastByte]);
                world.check_not_served(file, asked).await;
            }
        }
        if !wrong.is_empty() {
            let (code, report) = world.verify();
            assert_eq!(code, 1, "seed {seed}: {report}");
            let bad = all_of(&report, "bad", "key");
            assert_eq!(bad, keys.iter().map(String::as_str).collect(), "seed {seed}: {report}");
            let lost = all_of(&report, "lost", "sha256");
            let expected = wrong.iter().map(|file| file.sha256.as_str()).collect();
            assert_eq!(lost, expected, "seed {seed}: {report}");
            found += bad.len();
        }
        for file in &wrong {
            assert_eq!(world.admin.get(&file.path).await.status(), StatusCode::GONE);
        }
        world.check_archive(folder, format, has_wrong).await;

        for number in &numbers {
            world.heal(*number, &mut random).await;
            world.check_served(&world.files[*number]).await;
            healed += 1;
        }
        // What is wrong of no use any more goes, or the disk would be full of it.
        let app = &world.server.app;
        Sweep::new(&app.db, &app.storages, app.clock.now(), 0).run().await.ok().unwrap();
    }
    let (code, report) = world.verify();
    assert_eq!((code, &report["bad"], &report["lost"]), (0, &json!([]), &json!([])), "{report}");
    for file in &world.files {
        world.check_served(file).await;
    }
    eprintln!("flipped bits, seed {seed}: {flipped} flipped, {found} found, {healed} healed");
    assert_eq!((found as u64, healed), (flipped, flipped));
}
