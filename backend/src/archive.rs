//! Archives: the files of a folder as one tar, tar.gz or zip, in which the bytes of each stand as they are (weights do
//! not shrink).
//!
//! An archive is computed and nowhere kept. It is written twice by the same code: once to be counted, which reads no file
//! and tells length and validator, and once to be sent, of which only the files are read that are within the range asked
//! for. Memory is flat, however many files there are, and no thread waits for a client, however slow.

mod blocks;
mod gzip;
mod members;
mod output;
mod tar;
mod zip;

use std::io;
use std::ops::Range;

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::mpsc;

use crate::app::App;
use crate::error::{Error, Result};
use crate::registry::catalog::file::sql::Walk;
use members::Members;
use output::{Output, Sending};

/// The kinds of archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Tar,
    #[serde(alias = "tar.gz")]
    Tgz,
    Zip,
}

impl Format {
    const ENDINGS: [(&str, Self); 4] =
        [(".tar.gz", Self::Tgz), (".tgz", Self::Tgz), (".tar", Self::Tar), (".zip", Self::Zip)];

    /// The kind that a name ends with, and the name without it: `onnx` of `onnx.tar.gz`.
    pub fn split(name: &str) -> Option<(&str, Self)> {
        let mut found = Self::ENDINGS
            .into_iter()
            .filter_map(|(ending, format)| Some((name.strip_suffix(ending)?, format)));
        found.next().filter(|(rest, _)| !rest.is_empty() && !rest.ends_with('/'))
    }

    pub fn ending(self) -> &'static str {
        match self {
            Self::Tar => "tar",
            Self::Tgz => "tar.gz",
            Self::Zip => "zip",
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::Tar => "application/x-tar",
            Self::Tgz => "application/gzip",
            Self::Zip => "application/zip",
        }
    }
}

/// A folder as an archive, and what is known of it before it is sent.
pub struct Archive {
    app: App,
    format: Format,
    members: Members,
    /// In bytes, before they are framed as gzip.
    plain_size: u64,
    /// Of all bytes, before they are framed; none where it is known at their end only.
    crc32: Option<u32>,
    /// Of what it is made of.
    digest: [u8; 32],
}

impl Archive {
    /// The archive of `files`, with paths inside `folder`.
    pub async fn of(app: &App, format: Format, folder: &str, files: Walk) -> Result<Self> {
        // A tar has no CRC-32 of its members.
        let have_crc32 = format != Format::Tar && files.have_crc32().await?;
        let members = Members::new(app.db.clone(), folder, files, have_crc32);
        let mut counted = Output::counting(format == Format::Tgz && have_crc32);
        let digest = write(format, &members, &mut counted).await.map_err(Error::internal)?;
        let (plain_size, crc32) = counted.counted();
        Ok(Self { app: app.clone(), format, members, plain_size, crc32, digest })
    }

    /// In bytes.
    pub fn size(&self) -> u64 {
        match self.format {
            Format::Tgz => gzip::size(self.plain_size),
            Format::Tar | Format::Zip => self.plain_size,
        }
    }

    /// Changes when any byte does. More than the digest of a version: the times of its files are in the archive, too.
    pub fn etag(&self) -> String {
        format!("\"{}-{}\"", hex::encode(self.digest), self.format.ending())
    }

    /// Whether a part can be sent without all before it.
    pub fn has_parts(&self) -> bool {
        self.format == Format::Tar || self.members.have_crc32
    }

    /// A range of the bytes. An error ends the stream before its last ones, which the client sees as a transfer that
    /// was cut off.
    pub fn stream(self, range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            if let Err(error) = self.send(range, sender.clone()).await
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

    async fn send(self, range: Range<u64>, sender: output::Sender) -> io::Result<()> {
        let gzip = (self.format == Format::Tgz).then_some(self.crc32);
        let sending = Sending::new(self.app, sender, range, self.plain_size, gzip);
        let mut output = Output::sending(sending).await?;
        let digest = write(self.format, &self.members, &mut output).await?;
        // Files of a draft or a run may change between the two times.
        if (digest, output.at()) != (self.digest, self.plain_size) {
            return Err(changed());
        }
        output.finish().await
    }
}

async fn write(format: Format, members: &Members, to: &mut Output) -> io::Result<[u8; 32]> {
    match format {
        Format::Tar | Format::Tgz => tar::write(members, to).await,
        Format::Zip => zip::write(members, to).await,
    }
}

fn changed() -> io::Error {
    io::Error::other("the files changed while they were sent")
}

fn io_error(error: Error) -> io::Error {
    io::Error::other(error.message())
}
