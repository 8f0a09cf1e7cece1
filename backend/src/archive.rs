//! Folders as one stream: tar or zip, made while it is sent, with flat memory and nothing compressed
//! (weights do not shrink). No thread waits for a client, however slow.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;

use crate::app::App;
use crate::error::Error;
use crate::registry::catalog::blob;
use crate::registry::catalog::file::File;
use crate::registry::catalog::file::sql::Walk;

/// Everything in a tar begins at a multiple of this.
const TAR_BLOCK: u64 = 512;

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
    app: App,
    format: Format,
    folder: String,
    files: Walk,
) -> impl Stream<Item = io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        if let Err(error) = write(&app, format, &folder, files, &sender).await
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            tracing::error!(?error, "an archive was cut off");
            sender.send(Err(error)).await.ok();
        }
    });
    futures_util::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|piece| (piece, receiver))
    })
}

type Sender = mpsc::Sender<io::Result<Bytes>>;

async fn write(
    app: &App,
    format: Format,
    folder: &str,
    mut files: Walk,
    sender: &Sender,
) -> io::Result<()> {
    let frame = Frame::default();
    let mut archive = Archive::new(format, frame.clone());
    let failed = |error: Error| io::Error::other(error.message());
    loop {
        let some = files.next().await.map_err(failed)?;
        if some.is_empty() {
            break;
        }
        for file in some {
            let inside = file.path.strip_prefix(folder).unwrap_or(&file.path);
            archive.begin(inside.trim_start_matches('/'), &file)?;
            let size = file.size.0.unsigned_abs();
            let mut pieces = blob::read::whole(app, &file.sha256).await.map_err(failed)?;
            while let Some(piece) = pieces.next().await {
                let piece = archive.add(piece?)?;
                send(sender, frame.take()).await?;
                send(sender, piece).await?;
            }
            archive.end(size)?;
            send(sender, frame.take()).await?;
        }
    }
    archive.finish()?;
    send(sender, frame.take()).await
}

async fn send(sender: &Sender, piece: Bytes) -> io::Result<()> {
    if piece.is_empty() {
        return Ok(());
    }
    let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the client went away");
    sender.send(Ok(piece)).await.map_err(gone)
}

/// What an archive has around the bytes of its files, on its way to the client.
#[derive(Clone, Default)]
struct Frame(Arc<Mutex<Vec<u8>>>);

impl Frame {
    fn take(&self) -> Bytes {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

impl Write for Frame {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Archive {
    Tar(tar::Builder<Frame>),
    Zip(Box<zip::ZipWriter<zip::write::StreamWriter<Frame>>>),
}

impl Archive {
    fn new(format: Format, frame: Frame) -> Self {
        match format {
            Format::Tar => Self::Tar(tar::Builder::new(frame)),
            Format::Zip => Self::Zip(Box::new(zip::ZipWriter::new_stream(frame))),
        }
    }

    fn begin(&mut self, path: &str, file: &File) -> io::Result<()> {
        match self {
            Self::Tar(archive) => {
                let mut header = tar::Header::new_gnu();
                // Said outright: without a type, a long name that is cut at a slash would be a folder.
                header.set_entry_type(tar::EntryType::Regular);
                header.set_size(file.size.0.unsigned_abs());
                header.set_mode(0o644);
                header.set_mtime(file.created_at_ms.millis().unsigned_abs() / 1000);
                // The header alone: the bytes of the file go to the client as they are.
                archive.append_data(&mut header, path, io::empty())
            }
            Self::Zip(archive) => {
                let options = zip::write::SimpleFileOptions::default()
                    .compression_method(zip::CompressionMethod::Stored)
                    .unix_permissions(0o644)
                    .large_file(file.size.0 >= i64::from(u32::MAX));
                Ok(archive.start_file(path, options)?)
            }
        }
    }

    /// Takes in bytes of the file; gives back those that the frame does not hold.
    fn add(&mut self, piece: Bytes) -> io::Result<Bytes> {
        match self {
            Self::Tar(_) => Ok(piece),
            Self::Zip(archive) => archive.write_all(&piece).map(|()| Bytes::new()),
        }
    }

    fn end(&mut self, size: u64) -> io::Result<()> {
        match self {
            Self::Tar(archive) => {
                let padding = size.next_multiple_of(TAR_BLOCK) - size;
                archive.get_mut().write_all(&[0; TAR_BLOCK as usize][..padding as usize])
            }
            Self::Zip(_) => Ok(()),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Tar(mut archive) => archive.finish(),
            Self::Zip(archive) => archive.finish().map(drop).map_err(Into::into),
        }
    }
}
