//! A lingering close (RFC 9112 §9.6): a connection is closed only after what its client still sends was read for a while.
//!
//! An upload may be refused while it arrives. Where unread bytes meet a closed connection, TCP resets it: the client, or a
//! proxy between, is told so by its next write, and never reads the refusal.

use std::io::{ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How long nothing may come.
const QUIET: Duration = Duration::from_secs(1);
/// How long a client may send what nobody listens to.
const MOST: Duration = Duration::from_secs(5);

/// A connection that is given back when whoever served it is done, unless the client has ended it.
pub struct Lent {
    /// None when it was given back.
    stream: Option<TcpStream>,
    back: Option<oneshot::Sender<TcpStream>>,
    has_ended: bool,
}

/// Lends a connection, and says where it comes back.
pub fn lend(stream: TcpStream) -> (Lent, oneshot::Receiver<TcpStream>) {
    let (back, returned) = oneshot::channel();
    (Lent { stream: Some(stream), back: Some(back), has_ended: false }, returned)
}

impl Lent {
    fn stream(&mut self) -> Pin<&mut TcpStream> {
        Pin::new(self.stream.as_mut().expect("it is given back when it is dropped"))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(stream), Some(back), false) =
            (self.stream.take(), self.back.take(), self.has_ended)
        {
            // Where nobody waits for it, it is closed at once.
            back.send(stream).ok();
        }
    }
}

impl AsyncRead for Lent {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        let done = ready!(self.stream().poll_read(context, buffer));
        self.has_ended |= done.is_err() || buffer.filled().len() == before;
        Poll::Ready(done)
    }
}

impl AsyncWrite for Lent {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        self.stream().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        self.stream().poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.stream().poll_shutdown(context)
    }
}

/// Reads and forgets what still comes, until the client ends the connection or is quiet, for some seconds at most.
pub async fn close(stream: TcpStream) {
    timeout(MOST, drain(&stream)).await.ok();
}

async fn drain(stream: &TcpStream) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(Ok(())) = timeout(QUIET, stream.readable()).await {
        match stream.try_read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
