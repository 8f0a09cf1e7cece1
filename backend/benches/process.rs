//! The program by itself: how soon it is ready, and what it takes when idle.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Row;

pub fn measure() -> Vec<Row> {
    let data = tempfile::tempdir().expect("a folder");
    let first = start(data.path());
    let again = start(data.path());
    vec![
        Row {
            what: "ready, first start",
            ours: format!("{:.0} ms", first.0 * 1e3),
            reference: "goal 200 ms".into(),
            ratio: format!("{:.2}", first.0 / 0.2),
        },
        Row {
            what: "ready, later start",
            ours: format!("{:.0} ms", again.0 * 1e3),
            reference: "goal 200 ms".into(),
            ratio: format!("{:.2}", again.0 / 0.2),
        },
        Row {
            what: "idle memory (RSS)",
            ours: format!("{:.1} MiB", again.1 / 1024.0),
            reference: "goal 40 MiB".into(),
            ratio: format!("{:.2}", again.1 / 1024.0 / 40.0),
        },
    ]
}

/// Seconds until the server answers, and its resident memory in KiB two seconds later.
fn start(data: &std::path::Path) -> (f64, f64) {
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let started = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_model-registry"))
        .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data"])
        .arg(data)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program");
    let seconds = loop {
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
            stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n").expect("a connection");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an answer");
            assert!(answer.contains("200 OK"), "{answer}");
            break started.elapsed().as_secs_f64();
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    std::thread::sleep(Duration::from_secs(2));
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let resident =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
    let kibibytes = resident.and_then(|number| number.parse().ok()).unwrap_or(f64::NAN);
    child.kill().and_then(|()| child.wait()).expect("an end");
    (seconds, kibibytes)
}
