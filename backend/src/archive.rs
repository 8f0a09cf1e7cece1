//! Folders as one stream: tar or zip, made while it is sent, with flat memory and nothing compressed
//! (weights do not shrink).

use std::io::{self, Read, Write};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::stream::{BoxStream, StreamExt};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::registry::file::File;
use crate::store::Store;

const PIECE_SIZE: usize = 1 << 20;

/// The kinds of archive.
#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Tar,
    Zip,
}

impl Format {
    pub fn ending(self) -> &'static str {
        match self {
            Self::Tar => "tar",
            Self::Zip => "zip",
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::Tar => "application/x-tar",
            Self::Zip => "application/zip",
        }
    }
}

/// The archive of `files`, with paths inside `folder`. An error ends the stream early, which the
/// client sees as a transfer that was cut off.
pub fn stream(
    store: Store,
    format: Format,
    folder: String,
    files: Vec<File>,
) -> impl Stream<Item = io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(2);
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let mut pieces = Pieces { sender, buffer: BytesMut::with_capacity(PIECE_SIZE) };
        let files = files.into_iter().map(|file| {
            let inside = file.path.strip_prefix(&folder).unwrap_or(&file.path);
            (inside.trim_start_matches('/').to_owned(), file)
        });
        let source = Source { store, runtime };
        let written = match format {
            Format::Tar => write_tar(&mut pieces, &source, files),
            Format::Zip => write_zip(&mut pieces, &source, files),
        };
        if let Err(error) = written.and_then(|()| pieces.flush())
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            tracing::error!(?error, "an archive was cut off");
            pieces.sender.blocking_send(Err(error)).ok();
        }
    });
    futures_util::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|piece| (piece, receiver))
    })
}

struct Source {
    store: Store,
    runtime: Handle,
}

impl Source {
    /// The bytes of a file, to be read on a thread that may block.
    fn open(&self, file: &File) -> io::Result<Reader> {
        let range = 0..file.size.0.unsigned_abs();
        let stream = self
            .runtime
            .block_on(self.store.read(&file.sha256, range))
            .map_err(|error| io::Error::other(error.message()))?;
        Ok(Reader { stream, piece: Bytes::new(), runtime: self.runtime.clone() })
    }
}

struct Reader {
    stream: BoxStream<'static, io::Result<Bytes>>,
    piece: Bytes,
    runtime: Handle,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.runtime.block_on(self.stream.next()) {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.piece.len());
        buffer[..length].copy_from_slice(&self.piece.split_to(length));
        Ok(length)
    }
}

fn write_tar(
    pieces: &mut Pieces,
    source: &Source,
    files: impl Iterator<Item = (String, File)>,
) -> io::Result<()> {
    let mut archive = tar::Builder::new(pieces);
    for (path, file) in files {
        let mut header = tar::Header::new_gnu();
        // Said outright: without a type, a long name that is cut at a slash would be a folder.
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(file.size.0.unsigned_abs());
        header.set_mode(0o644);
        header.set_mtime(file.created_at_ms.millis().unsigned_abs() / 1000);
        archive.append_data(&mut header, path, source.open(&file)?)?;
    }
    archive.finish()
}

fn write_zip(
    pieces: &mut Pieces,
    source: &Source,
    files: impl Iterator<Item = (String, File)>,
) -> io::Result<()> {
    let mut archive = zip::ZipWriter::new_stream(pieces);
    for (path, file) in files {
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .unix_permissions(0o644)
            .large_file(file.size.0 >= i64::from(u32::MAX));
        archive.start_file(path, options)?;
        io::copy(&mut source.open(&file)?, &mut archive)?;
    }
    archive.finish()?;
    Ok(())
}

/// Collects what an archive writes and sends it in pieces; blocks while the client is slow.
struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    buffer: BytesMut,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE_SIZE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = self.buffer.split().freeze();
        self.sender
            .blocking_send(Ok(piece))
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the client went away"))
    }
}
