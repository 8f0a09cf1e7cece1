//! The log as a feed: whoever follows it gets every line once, in one order, also beside many who write.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use model_registry::access::user;
use model_registry::action::Action;
use model_registry::change::Change;
use model_registry::db::{Db, query};
use model_registry::log::Subject;
use model_registry::role::TokenScope;
use model_registry::time::Clock;
use serde_json::{Value, json};

use crate::harness::{Caller, Server};

/// How many lines are written, and in a short test; how many of them by one writer.
const LINES: usize = 100_000;
const FEW: usize = 2000;
const WRITERS: usize = 8;

/// A page of the log, and where to go on.
async fn page(caller: &Caller, query: &str) -> (Vec<Value>, String) {
    let answer = caller.get(&format!("/api/events?{query}")).await;
    assert_eq!(answer.status(), 200, "{query}");
    assert_eq!(answer.headers()["cache-control"], "private, no-store");
    let mut answer: Value = answer.json().await.unwrap();
    let Value::Array(events) = answer["events"].take() else { panic!("{answer}") };
    assert!(!events.is_empty() || answer["more"] == false, "{answer}");
    (events, answer["next"].as_str().unwrap().to_owned())
}

fn ids(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

async fn set_tag(caller: &Caller, value: &str) {
    let set = format!(
        "mutation {{ setTag(input: {{model: \"vision/ocr\", key: \"note\", value: \"{value}\"}}) {{ tag {{ key }} }} }}"
    );
    caller.ok(&set, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_the_log_are_the_whole_log_in_its_order() {
    let (_server, admin) = Server::with_model().await;
    for number in 0..10 {
        set_tag(&admin, &number.to_string()).await;
    }
    let export = admin.get("/api/events").await.text().await.unwrap();
    let export: Vec<Value> =
        export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (mut found, mut cursor) = (Vec::new(), String::new());
    // With PostgreSQL a transaction of another database may hold it up.
    while found.len() < export.len() {
        let (events, next) = page(&admin, &format!("after={cursor}&first=3&wait=60")).await;
        cursor = next;
        assert!((1..=3).contains(&events.len()));
        found.extend(events);
    }
    assert_eq!(found, export, "one after the other, they are made as they are written");
    // The end stays where it is until there is more.
    assert_eq!(page(&admin, &format!("after={cursor}")).await, (Vec::new(), cursor.clone()));
    assert_eq!(page(&admin, "after=now").await, (Vec::new(), cursor.clone()));
    set_tag(&admin, "last").await;
    let (events, next) = page(&admin, &format!("after={cursor}&action=tag.set&wait=60")).await;
    assert_eq!((events.len(), &events[0]["detail"]["value"]), (1, &json!("last")));
    // What does not match is left behind, too.
    let (events, other) = page(&admin, &format!("after={cursor}&action=file.put")).await;
    assert_eq!((events, other), (Vec::new(), next));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_goes_on_in_another_postgresql() {
    let (server, admin) = Server::with_model().await;
    if Db::sqlite_file(&server.database).is_some() {
        return;
    }
    let (_, end) = page(&admin, "after=&wait=60").await;
    // As if the ids of transactions had begun anew: these are below all that were told.
    let anew = query("UPDATE registry SET feed_offset = feed_offset - 1000000000");
    anew.alone(&server.app.db).await.unwrap();
    Db::open_beside(&server.database).await.unwrap().close().await;
    set_tag(&admin, "afterwards").await;
    let (events, _) = page(&admin, &format!("after={end}&action=tag.set&wait=60")).await;
    assert_eq!((events.len(), &events[0]["detail"]["value"]), (1, &json!("afterwards")));
}

/// Waits until followers are told of a line: with PostgreSQL no sooner than all that began before it is over, in any of its
/// databases, such as a migration in another test.
async fn wait_for(admin: &Caller, text: &str) {
    for _ in 0..600 {
        let (events, _) = page(admin, "after=").await;
        if json!(events).to_string().contains(text) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nobody is told of {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_is_told_at_once() {
    let (_server, admin) = Server::with_model().await;
    wait_for(&admin, "model.create").await;
    let (_, end) = page(&admin, "after=now").await;
    let started = Instant::now();
    let news = format!("after={end}&wait=60&model=vision/ocr");
    let ((events, next), ()) = tokio::join!(page(&admin, &news), set_tag(&admin, "news"));
    assert_eq!((events.len(), &events[0]["detail"]["value"]), (1, &json!("news")));
    assert!(started.elapsed() < Duration::from_secs(50));
    // Nobody is told of what they do not ask for.
    set_tag(&admin, "other").await;
    wait_for(&admin, "other").await;
    let (events, after) = page(&admin, &format!("after={next}&wait=1&action=file.*")).await;
    assert_eq!(events, Vec::<Value>::new());
    assert_ne!(after, next);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_follow_what_they_may_see() {
    let (server, admin) = Server::with_model().await;
    admin.invite("eve").await;
    admin.invite("mallory").await;
    let (eve, mallory) = (
        server.person("eve", TokenScope::Read).await,
        server.person("mallory", TokenScope::Read).await,
    );
    admin.add_member("vision", "eve", "GUEST").await;
    set_tag(&admin, "hunter2").await;
    wait_for(&admin, "hunter2").await;
    for part in ["project=vision", "model=vision/ocr"] {
        let (events, _) = page(&eve, &format!("after=&{part}")).await;
        let text = json!(events).to_string();
        assert!(text.contains("tag.set") && !text.contains("hunter2"), "{text}");
        assert!(!text.contains("member.") && !text.contains("127.0.0.1"), "{text}");
        let (events, _) = page(&admin, &format!("after=&{part}")).await;
        assert!(json!(events).to_string().contains("hunter2"));
    }
    for (caller, query, status) in [
        (&eve, "after=", 403),
        (&mallory, "after=&project=vision", 404),
        (&server.anonymous(), "after=&project=vision", 404),
        (&admin, "after=nonsense", 400),
        // "7 01900000000070008000000000000abc": of a log that had more than this one.
        (&admin, "after=NyAwMTkwMDAwMDAwMDA3MDAwODAwMDAwMDAwMDAwMGFiYw", 400),
        (&admin, "after=&first=0", 400),
        (&admin, "after=&first=1001", 400),
        (&admin, "after=&wait=61", 400),
        (&admin, "wait=1", 400),
        (&admin, "first=1", 400),
    ] {
        let answer = caller.get(&format!("/api/events?{query}")).await;
        assert_eq!(answer.status().as_u16(), status, "{query}");
    }
    // Who loses access while they wait is told nothing more.
    let (_, end) = page(&eve, "after=now&project=vision").await;
    let waiting = format!("/api/events?after={end}&wait=30&project=vision");
    let leave = "mutation { removeMember(input: {project: \"vision\", username: \"eve\"}) { member { id } } }";
    let removed = async {
        admin.ok(leave, json!({})).await;
        set_tag(&admin, "secret").await;
    };
    let (answer, ()) = tokio::join!(eve.get(&waiting), removed);
    assert_eq!(answer.status(), 404);
}

/// Writes lines as changes do that take a moment.
async fn write(server: &Server, writer: usize, count: usize) {
    let db = &server.app.db;
    let admin = user::find_by_username(db, "admin").await.ok().flatten().unwrap();
    for number in 0..count {
        let mut change = Change::begin_in(db, &Clock::System, admin.id.clone()).await.ok().unwrap();
        let object = format!("{writer}-{number}");
        let subject =
            Subject { name: object.clone(), project_id: None, model_id: None, object_id: &object };
        change.record(Action::TagSet, subject, json!({})).await.ok().unwrap();
        if (number * 7 + writer).is_multiple_of(5) {
            // The line is there, and nobody sees it yet.
            change.run_kept().await.unwrap();
            tokio::time::sleep(Duration::from_millis((number % 4) as u64)).await;
        }
        change.commit().await.ok().unwrap();
    }
}

/// Follows until all is written and read; what is read last may be lost before it is kept, and is read again then.
async fn follow(caller: &Caller, is_written: &AtomicBool, seed: usize) -> Vec<String> {
    let (mut kept, mut cursor, mut asked) = (Vec::new(), String::new(), seed);
    loop {
        let was_written = is_written.load(Ordering::SeqCst);
        asked += 1;
        let first = 1 + asked * 37 % 900;
        let (events, next) = page(caller, &format!("after={cursor}&first={first}&wait=1")).await;
        if asked.is_multiple_of(6) {
            continue;
        }
        if events.is_empty() && next == cursor && was_written {
            return kept;
        }
        kept.extend(ids(&events));
        cursor = next;
    }
}

async fn follow_beside_writers(lines: usize) {
    let (server, admin) = Server::with_model().await;
    let is_written = AtomicBool::new(false);
    let writing = async {
        join_all((0..WRITERS).map(|writer| write(&server, writer, lines / WRITERS))).await;
        is_written.store(true, Ordering::SeqCst);
    };
    let (one, two, ()) =
        tokio::join!(follow(&admin, &is_written, 0), follow(&admin, &is_written, 3), writing);
    assert_eq!(one.len() as i64, server.count("SELECT COUNT(*) FROM events").await);
    let mut once = one.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), one.len(), "none comes twice");
    assert!(one == two, "the order is the same for both");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_missing_and_nothing_comes_twice_beside_many_writers() {
    follow_beside_writers(FEW).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes minutes: `cargo test --test it feed -- --ignored`"]
async fn nothing_is_missing_of_a_hundred_thousand_lines() {
    follow_beside_writers(LINES).await;
}
