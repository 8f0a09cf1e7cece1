//! A proxy before an object store, which fails as networks and servers do. It takes one request on each connection.

use std::io::{Cursor, Error, ErrorKind, Result};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::io::{copy, sink};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// What becomes of a request. Numbers are bytes of a body.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// It is refused with 503.
    Refused,
    /// It is passed on after so long.
    Late(Duration),
    /// The connection is gone after so much of the request.
    CutRequest(u64),
    /// The byte of the request that comes after so many is another.
    FlippedRequest(u64),
    /// It is done, and its answer is lost.
    Lost,
    /// The connection is gone after so much of the answer.
    Cut(u64),
    /// Nothing comes after so much of the answer, on a connection that stays open.
    Silent(u64),
    /// The byte of the answer that comes after so many is another.
    Flipped(u64),
}

/// A request that has come, and how many came before.
pub struct Request {
    pub number: usize,
    pub line: String,
}

impl Request {
    /// Whether it is one for the bytes of a file.
    pub fn is_download(&self) -> bool {
        self.line.starts_with("GET ") && self.line.contains("/blobs/") && !self.line.contains('?')
    }

    /// Whether it puts parts together.
    pub fn is_completion(&self) -> bool {
        let is_s3 = self.line.starts_with("POST ") && self.line.contains("uploadId=");
        is_s3 || self.line.contains("comp=blocklist")
    }
}

type Plan = Box<dyn FnMut(&Request) -> Option<Fault> + Send>;

pub struct Proxy {
    pub address: String,
    plan: Arc<Mutex<Plan>>,
    failed: Arc<AtomicUsize>,
}

impl Proxy {
    /// Begins without faults.
    pub async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let plan: Arc<Mutex<Plan>> = Arc::new(Mutex::new(Box::new(|_| None)));
        let failed = Arc::new(AtomicUsize::new(0));
        let proxy = Self { address, plan: plan.clone(), failed: failed.clone() };
        tokio::spawn(async move {
            let numbers = Arc::new(AtomicUsize::new(0));
            while let Ok((client, _)) = listener.accept().await {
                let (server, plan) = (server.clone(), plan.clone());
                let (numbers, failed) = (numbers.clone(), failed.clone());
                tokio::spawn(async move {
                    let mut client = BufReader::new(client);
                    let mut head = read_head(&mut client).await?;
                    let number = numbers.fetch_add(1, Ordering::Relaxed);
                    let line = head.lines().next().unwrap_or_default().to_owned();
                    let fault = (*plan.lock().unwrap())(&Request { number, line });
                    failed.fetch_add(usize::from(fault.is_some()), Ordering::Relaxed);
                    // A connection may be closed, and it may be reset.
                    if number % 2 == 0 && !matches!(fault, None | Some(Fault::Refused)) {
                        client.get_ref().set_zero_linger()?;
                    }
                    head.insert_str(head.len() - 2, "Connection: close\r\n");
                    pass(client, &head, &server, fault).await
                });
            }
        });
        proxy
    }

    /// What fails from now on.
    pub fn fail(&self, plan: impl FnMut(&Request) -> Option<Fault> + Send + 'static) {
        self.failed.store(0, Ordering::Relaxed);
        *self.plan.lock().unwrap() = Box::new(plan);
    }

    /// How many requests have failed since it was said which do.
    pub fn failed(&self) -> usize {
        self.failed.load(Ordering::Relaxed)
    }
}

/// The first line and the headers, with the empty line.
async fn read_head(from: &mut (impl AsyncBufRead + Unpin)) -> Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if from.read_line(&mut head).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

async fn pass(
    mut client: BufReader<TcpStream>,
    head: &str,
    server: &str,
    fault: Option<Fault>,
) -> Result<()> {
    match fault {
        Some(Fault::Refused) => {
            let refusal =
                "HTTP/1.1 503 Slow Down\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
            client.write_all(refusal.as_bytes()).await?;
            client.shutdown().await?;
            // Else what was sent would reset the connection before that is read.
            return copy(&mut client, &mut sink()).await.map(drop);
        }
        Some(Fault::Late(time)) => tokio::time::sleep(time).await,
        _ => {}
    }
    let sent = Cursor::new(client.buffer().to_vec());
    let (mut client, mut server) = (client.into_inner(), TcpStream::connect(server).await?);
    let (from_client, mut to_client) = client.split();
    let mut from_client = sent.chain(from_client);
    let (from_server, mut to_server) = server.split();
    to_server.write_all(head.as_bytes()).await?;
    let request = async {
        match fault {
            Some(Fault::CutRequest(bytes)) => {
                copy(&mut (&mut from_client).take(bytes), &mut to_server).await?;
                return Err(Error::other("cut"));
            }
            Some(Fault::FlippedRequest(before)) => {
                flip(&mut from_client, &mut to_server, before).await?;
            }
            _ => {}
        }
        copy(&mut from_client, &mut to_server).await
    };
    let answer = answer(BufReader::new(from_server), &mut to_client, fault);
    // A request has no end before the client has its answer, or goes away.
    tokio::select! {
        // First, since what is cut off must not be answered.
        biased;
        requested = request => requested.map(drop),
        answered = answer => answered,
    }
}

async fn answer(
    mut server: BufReader<ReadHalf<'_>>,
    client: &mut WriteHalf<'_>,
    fault: Option<Fault>,
) -> Result<()> {
    let head = read_head(&mut server).await?;
    if matches!(fault, Some(Fault::Lost)) {
        return copy(&mut server, &mut sink()).await.map(drop);
    }
    client.write_all(head.as_bytes()).await?;
    match fault {
        Some(Fault::Cut(bytes)) => {
            return copy(&mut server.take(bytes), client).await.map(drop);
        }
        Some(Fault::Silent(bytes)) => {
            copy(&mut (&mut server).take(bytes), client).await?;
            std::future::pending().await
        }
        Some(Fault::Flipped(before)) => flip(&mut server, client, before).await?,
        _ => {}
    }
    copy(&mut server, client).await.map(drop)
}

/// Passes so many bytes on, and the next one as another, if there is one.
async fn flip(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    before: u64,
) -> Result<()> {
    copy(&mut from.take(before), to).await?;
    match from.read_u8().await {
        Ok(byte) => to.write_u8(byte ^ 1).await,
        Err(_) => Ok(()),
    }
}
