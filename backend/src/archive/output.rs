//! Where an archive is written to: a row of segments, each of which is bytes in memory or a blob, that are counted or
//! sent. What is sent is cut to the range that was asked for, and only what is in it is read.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use futures_util::TryStreamExt;
use tokio::sync::mpsc;

use super::members::Member;
use super::{blocks, gzip, io_error};
use crate::app::App;
use crate::registry::catalog::blob;
use crate::store::Pieces;

/// How many bytes are gathered before they are sent.
const GATHERED: usize = 64 << 10;

pub type Sender = mpsc::Sender<io::Result<Bytes>>;

/// A place for the segments of an archive.
pub struct Output {
    at: u64,
    to: To,
}

enum To {
    /// Counted, with their CRC-32 where that is asked for.
    Nobody(Option<crc32fast::Hasher>),
    Client(Box<Sending>),
}

impl Output {
    pub fn counting(with_crc32: bool) -> Self {
        Self { at: 0, to: To::Nobody(with_crc32.then(crc32fast::Hasher::new)) }
    }

    pub async fn sending(mut sending: Sending) -> io::Result<Self> {
        sending.begin().await?;
        Ok(Self { at: 0, to: To::Client(Box::new(sending)) })
    }

    /// How many bytes there were.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// How many bytes were counted, and their CRC-32 where it was asked for.
    pub fn counted(self) -> (u64, Option<u32>) {
        match self.to {
            To::Nobody(crc32) => (self.at, crc32.map(crc32fast::Hasher::finalize)),
            To::Client(_) => (self.at, None),
        }
    }

    fn step(&mut self, size: u64) -> u64 {
        let at = self.at;
        self.at += size;
        at
    }

    /// Bytes in memory.
    pub async fn bytes(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        let at = self.step(bytes.len() as u64);
        match &mut self.to {
            To::Nobody(Some(crc32)) => crc32.update(&bytes),
            To::Nobody(None) => {}
            To::Client(sending) => sending.bytes(at, bytes.into()).await?,
        }
        Ok(())
    }

    /// The bytes of a member.
    pub async fn blob(&mut self, member: &Member) -> io::Result<()> {
        let at = self.step(member.size);
        match &mut self.to {
            To::Nobody(Some(crc32)) => {
                let known = member.crc32.unwrap_or_default();
                crc32.combine(&crc32fast::Hasher::new_with_initial_len(known, member.size));
            }
            To::Nobody(None) => {}
            To::Client(sending) => sending.blob(at, member).await?,
        }
        Ok(())
    }

    /// The bytes of a member, deflated; returns their CRC-32. Of an archive with such members no part is sent.
    pub async fn deflated(&mut self, member: &Member) -> io::Result<u32> {
        let at = self.step(blocks::size(member.size));
        match &mut self.to {
            To::Nobody(_) => Ok(0),
            To::Client(sending) => sending.deflated(at, member).await,
        }
    }

    /// Passes over so many bytes where none of them is wanted; returns whether none is.
    pub fn pass(&mut self, size: u64) -> bool {
        let is_wanted = match &self.to {
            To::Nobody(_) => false,
            To::Client(sending) => cut(&sending.needed, self.at, size).is_some(),
        };
        if !is_wanted {
            self.at += size;
        }
        !is_wanted
    }

    /// Sends what was kept back for when all is known to be right.
    pub async fn finish(self) -> io::Result<()> {
        match self.to {
            To::Nobody(_) => Ok(()),
            To::Client(sending) => sending.finish().await,
        }
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the client went away")
}

/// What of `size` bytes at a place is in a range, counted from their own beginning.
fn cut(range: &Range<u64>, at: u64, size: u64) -> Option<Range<u64>> {
    let start = range.start.max(at);
    let end = range.end.min(at + size);
    (start < end).then(|| start - at..end - at)
}

/// A range of an archive on its way to a client.
pub struct Sending {
    app: App,
    sender: Sender,
    range: Range<u64>,
    /// What of the archive before it is framed that range is made of.
    needed: Range<u64>,
    gzip: Option<Gzip>,
    /// What is sent next. The last of it is sent when all is known to be right.
    gathered: Vec<Bytes>,
}

/// The frame of a tar.
struct Gzip {
    plain_size: u64,
    /// Of the tar, where it is known; then not of what is sent.
    crc32: Option<u32>,
    sent: crc32fast::Hasher,
}

impl Sending {
    /// `gzip` has the CRC-32 of what is framed, where that is to be and it is known.
    pub fn new(
        app: App,
        sender: Sender,
        range: Range<u64>,
        plain_size: u64,
        gzip: Option<Option<u32>>,
    ) -> Self {
        let head = gzip::HEAD.len() as u64;
        let inside = range.start.saturating_sub(head)..range.end.saturating_sub(head);
        let needed = match gzip {
            Some(_) => blocks::needed(&inside, plain_size),
            None => range.clone(),
        };
        let sent = crc32fast::Hasher::new();
        let gzip = gzip.map(|crc32| Gzip { plain_size, crc32, sent });
        Self { app, sender, range, needed, gzip, gathered: Vec::new() }
    }

    async fn begin(&mut self) -> io::Result<()> {
        match self.gzip {
            Some(_) => self.send(0, Bytes::from_static(&gzip::HEAD)).await,
            None => Ok(()),
        }
    }

    async fn bytes(&mut self, at: u64, bytes: Bytes) -> io::Result<()> {
        // Every member has some, in the range or not: nothing is listed on for a client who is gone.
        if self.sender.is_closed() {
            return Err(gone());
        }
        match cut(&self.needed, at, bytes.len() as u64) {
            Some(part) => {
                let piece = bytes.slice(part.start as usize..part.end as usize);
                self.frame(at + part.start, piece).await
            }
            None => Ok(()),
        }
    }

    async fn blob(&mut self, at: u64, member: &Member) -> io::Result<()> {
        let Some(part) = cut(&self.needed, at, member.size) else { return Ok(()) };
        let mut at = at + part.start;
        let mut pieces = if part == (0..member.size) {
            self.whole(member).await?
        } else {
            blob::read::range(&self.app, &member.sha256, part).await.map_err(io_error)?
        };
        while let Some(piece) = pieces.try_next().await? {
            let size = piece.len() as u64;
            self.frame(at, piece).await?;
            at += size;
        }
        Ok(())
    }

    async fn deflated(&mut self, at: u64, member: &Member) -> io::Result<u32> {
        let mut pieces = self.whole(member).await?;
        let (mut inside, mut crc32) = (0, crc32fast::Hasher::new());
        while let Some(piece) = pieces.try_next().await? {
            crc32.update(&piece);
            let size = piece.len() as u64;
            let (begin, framed) = blocks::frame(inside, piece, member.size);
            self.send(at + begin, framed).await?;
            inside += size;
        }
        Ok(crc32.finalize())
    }

    /// All bytes of a member, proven before the last of them comes.
    async fn whole(&self, member: &Member) -> io::Result<Pieces> {
        blob::read::whole(&self.app, &member.sha256).await.map_err(io_error)
    }

    /// Bytes of the archive before it is framed.
    async fn frame(&mut self, at: u64, piece: Bytes) -> io::Result<()> {
        let Some(gzip) = &mut self.gzip else { return self.send(at, piece).await };
        if gzip.crc32.is_none() {
            gzip.sent.update(&piece);
        }
        let (begin, framed) = blocks::frame(at, piece, gzip.plain_size);
        self.send(gzip::HEAD.len() as u64 + begin, framed).await
    }

    /// Bytes as they go out, where they are in the range.
    async fn send(&mut self, at: u64, bytes: Bytes) -> io::Result<()> {
        let Some(part) = cut(&self.range, at, bytes.len() as u64) else { return Ok(()) };
        let piece = bytes.slice(part.start as usize..part.end as usize);
        let gathered: usize = self.gathered.iter().map(Bytes::len).sum();
        if gathered + piece.len() > GATHERED {
            self.flush().await?;
        }
        self.gathered.push(piece);
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        let pieces = std::mem::take(&mut self.gathered);
        let bytes = match pieces.as_slice() {
            [] => return Ok(()),
            [one] => one.clone(),
            several => several.concat().into(),
        };
        self.sender.send(Ok(bytes)).await.map_err(|_| gone())
    }

    async fn finish(mut self: Box<Self>) -> io::Result<()> {
        if let Some(Gzip { plain_size, crc32, sent }) = self.gzip.take() {
            let tail = gzip::tail(crc32.unwrap_or_else(|| sent.finalize()), plain_size);
            let at = gzip::size(plain_size) - tail.len() as u64;
            self.send(at, Bytes::copy_from_slice(&tail)).await?;
        }
        self.flush().await
    }
}
