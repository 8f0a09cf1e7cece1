//! Files coming in with interruptions: what each step does, whatever the protocol says of it.
//!
//! How much is durable is noted while bytes arrive, so a server that is killed goes on from there. One request
//! at a time writes; one that comes later stops it, because it may be of a client whose connection is gone.

use axum::http::HeaderMap;
use futures_util::{Stream, StreamExt};

use super::{Place, compared, upload};
use crate::access::{Actor, Writer};
use crate::app::App;
use crate::change::Change;
use crate::error::{Error, Result};
use crate::files::upload::Place as _;
use crate::in_flight::Arrival;
use crate::registry::catalog::file;
use crate::registry::catalog::upload::rules::NewUpload;
use crate::registry::catalog::upload::sent::{self, Received};
use crate::registry::catalog::upload::{self as uploads, Upload};
use crate::store::{self, Blob, Checksum, Partial, Sent, Writing, Written, next_part};
use crate::text::FilePath;
use crate::time::Timestamp;

/// How much arrives before it is made durable and noted.
const CHECKPOINT: u64 = 64 << 20;

/// An upload that only the holder of this goes on with.
pub struct Held {
    pub upload: Upload,
    place: Place,
    partial: Partial,
    /// What an object store has of the bytes.
    sent: Option<Sent>,
    /// What a final upload puts together.
    parts: Vec<store::Part>,
    /// All bytes, where they are in the store already and the file is not yet at its place.
    finished: Option<Blob>,
}

/// How far an upload is.
pub struct Progress {
    pub offset: u64,
    pub expires_at: Timestamp,
}

/// Why a piece was not taken.
pub enum Refused {
    /// Its bytes are not those that the checksum is of.
    Checksum,
    Error(Error),
}

impl<E: Into<Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

pub fn not_found(id: &str) -> Error {
    Error::not_found("upload", id)
}

/// Refuses what could not be put, before its bytes are taken in; returns the path of the file. A part may name only the
/// folder that the file will be in: its path has a slash at its end.
pub async fn check(app: &App, actor: &Actor, place: &Place, is_part: bool) -> Result<String> {
    let Some(folder) = place.folder().filter(|_| is_part) else {
        return upload::check(app, actor, place, &HeaderMap::new()).await.map(|file| file.path);
    };
    actor.check_may_write()?;
    let (reader, target) = place.find((&app.db).into(), actor).await?;
    file::rules::check_takes_files(&Writer::of(reader)?, &target)?;
    if !folder.is_empty() {
        FilePath::parse("path", folder)?;
    }
    Ok(format!("{folder}/"))
}

/// Begins an upload to a place, for which [`check`] has been asked.
pub async fn begin(app: &App, actor: &Actor, place: &Place, new: NewUpload) -> Result<Upload> {
    let _promise = upload::promise(app, new.size.unwrap_or(0).unsigned_abs()).await?;
    let mut change = Change::begin(app, actor).await?;
    let (reader, target) = place.find((&mut *change).into(), actor).await?;
    let upload = uploads::rules::create(&mut change, &Writer::of(reader)?, &target, new).await?;
    change.commit().await?;
    app.store.begin_partial(&upload.id).await?;
    Ok(upload)
}

/// The upload with this id and where its file will be, for who began it and still may.
pub async fn find(app: &App, actor: &Actor, id: &str) -> Result<(Upload, Place)> {
    actor.check_may_write()?;
    let user = &actor.user()?.id;
    let found = uploads::find(&app.db, user, id, app.clock.now()).await?;
    let upload = found.ok_or_else(|| not_found(id))?;
    let place = Place::of_owner((&app.db).into(), &upload.owner_id, &upload.path).await?;
    let place = place.ok_or_else(|| not_found(id))?;
    let (_, target) = place.find((&app.db).into(), actor).await?;
    if target.id() != upload.owner_id {
        // What it was to is in the trash, and something else has its name.
        return Err(not_found(id));
    }
    Ok((upload, place))
}

/// Takes hold of an upload. Whoever has it ends first, with what it has received; at another server they can note nothing
/// more.
pub async fn hold(app: &App, actor: &Actor, id: &str) -> Result<Held> {
    hold_as(app, actor, id, true).await
}

/// As [`hold`], only to see how far it is: somebody at another server goes on.
pub async fn look(app: &App, actor: &Actor, id: &str) -> Result<Held> {
    hold_as(app, actor, id, false).await
}

async fn hold_as(app: &App, actor: &Actor, id: &str, takes_over: bool) -> Result<Held> {
    let (begun, _) = find(app, actor, id).await?;
    let partial = app.store.partial(id).await.of_part(begun.is_part());
    let (mut upload, place) = find(app, actor, id).await?;
    let mut sent = None;
    if !app.store.is_folder() && !upload.is_over {
        if takes_over {
            match sent::take_over(&app.db, id).await? {
                Some(taken) => upload = taken,
                // It is over by now.
                None => upload = find(app, actor, id).await?.0,
            }
        }
        sent = sent::find(&app.db, id).await?;
    }
    let finished = match upload.length() {
        Some(size) if !upload.is_over => partial.finished(size, sent.as_ref()).await?,
        _ => None,
    };
    let parts = match upload.is_final() {
        true => uploads::parts(&app.db, id).await?,
        false => Vec::new(),
    };
    Ok(Held { upload, place, partial, sent, parts, finished })
}

impl Held {
    /// How many bytes need not be sent again.
    pub async fn progress(&self) -> Result<Progress> {
        let received = self.upload.received.unsigned_abs();
        let there = self.upload.is_over
            || self.finished.is_some()
            || self.partial.has(received, self.sent.as_ref()).await?;
        // Where the bytes are gone, from the beginning.
        let offset = if there { received } else { 0 };
        Ok(Progress { offset, expires_at: self.upload.expires_at_ms })
    }

    /// Gives the upload up: its bytes first, so that a full disk has room for the change.
    pub async fn terminate(self, app: &App) -> Result<()> {
        if !app.store.is_folder() {
            sent::end(&app.db, &self.upload).await?;
        }
        self.partial.remove(self.sent.as_ref()).await?;
        remove_parts(app, &self.parts).await?;
        uploads::rules::delete(&app.db, &self.upload.id).await
    }

    /// Refuses what could not be put, before its bytes are taken in.
    pub async fn check(&self, app: &App, actor: &Actor) -> Result<()> {
        check(app, actor, &self.place, self.upload.is_part()).await.map(drop)
    }

    /// Notes how long the upload is, where that was to be said later; what was said stays.
    pub async fn say_length(&mut self, app: &App, actor: &Actor, length: u64) -> Result<()> {
        let refuse = |reason: String| Err(Error::invalid("upload-length", reason));
        match self.upload.length() {
            Some(known) if known == length => return Ok(()),
            Some(known) => return refuse(format!("was {known} before and cannot change")),
            None => {}
        }
        let there = self.progress().await?.offset;
        let Some(missing) = length.checked_sub(there) else {
            return refuse(format!("must be at least {there}, as many bytes were received"));
        };
        let size = upload::check_size(app, length)?;
        let _promise = upload::promise(app, missing).await?;
        let mut change = Change::begin(app, actor).await?;
        self.upload = uploads::rules::set_length(&mut change, &self.upload, size).await?;
        change.commit().await
    }

    /// Puts the parts of a final upload together, from where that ended last.
    pub async fn join(self, app: &App, actor: &Actor) -> Result<Progress, Refused> {
        if self.finished.is_some() {
            return Ok(self.finish(app, actor).await?);
        }
        let from = self.upload.received.unsigned_abs();
        if self.progress().await?.offset != from {
            // What it had of the first parts is nowhere else any more.
            return Err(store::gone().into());
        }
        let mut bytes = app.store.read_joined(&self.parts, from);
        let size = self.upload.length();
        let joined = self.append(app, actor, from, None, &mut bytes).await?;
        // The parts may have ended before the file does.
        if Some(joined.offset) == size { Ok(joined) } else { Err(store::gone().into()) }
    }

    /// Takes in the bytes behind the first `from`, and puts the file at its place with the last of them. What
    /// arrives before an error is kept, unless there is a checksum of all.
    pub async fn append(
        self,
        app: &App,
        actor: &Actor,
        from: u64,
        checksum: Option<(Checksum, Vec<u8>)>,
        body: &mut (impl Stream<Item = Result<axum::body::Bytes>> + Send + Unpin),
    ) -> Result<Progress, Refused> {
        let upload = self.upload.clone();
        let done = self.take_in(app, actor, from, checksum, body).await;
        if let Err(refused) = &done
            && !app.store.is_folder()
        {
            let error = if let Refused::Error(error) = refused { Some(error) } else { None };
            // What was on its way to a store that did not answer may arrive yet.
            let is_sent = !matches!(error, Some(Error::Unavailable));
            let is_lost = error.is_some_and(store::is_gone);
            if is_sent && let Err(error) = let_go(app, &upload, is_lost).await {
                error.log();
            }
        }
        done
    }

    async fn take_in(
        mut self,
        app: &App,
        actor: &Actor,
        from: u64,
        checksum: Option<(Checksum, Vec<u8>)>,
        body: &mut (impl Stream<Item = Result<axum::body::Bytes>> + Send + Unpin),
    ) -> Result<Progress, Refused> {
        let Upload { owner_id, path, .. } = self.upload.clone();
        let _under_way = app.in_flight.begin(Arrival { owner_id, path });
        let size = self.upload.length();
        if let Some(blob) = &self.finished {
            compared::check_same(app, blob, from, body).await?;
            return Ok(self.finish(app, actor).await?);
        }
        let (checksum, digest) = checksum.unzip();
        let before = (self.sent.as_ref(), size);
        let mut writing = self.partial.write_from(from, checksum, before, app.clock.now()).await?;
        if let Some(sent) = writing.sent.take() {
            sent::note(&app.db, &self.upload, &sent).await?;
            self.sent = Some(sent);
        }
        let received = self.receive(app, actor, &mut writing, digest.is_none(), body).await;
        let ended_by = match received {
            Ok(ended_by) => ended_by,
            Err(error) => {
                if matches!(error, Error::TooLarge(_)) {
                    // What is on its way arrives before anybody else goes on.
                    writing.end(false, app.clock.now()).await?;
                }
                return Err(error.into());
            }
        };
        let is_whole = Some(writing.at) == size;
        let mut written = writing.end(is_whole, app.clock.now()).await?;
        let failure = match ended_by {
            Some(error) => Some(error),
            None if self.partial.is_wanted() => Some(sent::taken_over()),
            None => None,
        };
        let whole = failure.is_none();
        if let (Some(digest), Some(checksum)) = (digest, written.checksum.clone())
            && (!whole || checksum.digest() != digest)
        {
            return Err(failure.map_or(Refused::Checksum, Refused::Error));
        }
        self.partial.keep(&mut written);
        if is_whole {
            // Nothing is missing, however it ended.
            return Ok(self.finish(app, actor).await?);
        }
        let offset = written.size;
        let expires_at = self.note(app, actor, written, false).await?;
        match failure {
            Some(error) => Err(error.into()),
            None => Ok(Progress { offset, expires_at }),
        }
    }

    /// Takes in bytes until they end; returns what ended them before their end. What came before that is kept. Notes how far
    /// it is from time to time, if it may.
    async fn receive(
        &mut self,
        app: &App,
        actor: &Actor,
        writing: &mut Writing,
        may_note: bool,
        body: &mut (impl Stream<Item = Result<axum::body::Bytes>> + Send + Unpin),
    ) -> Result<Option<Error>> {
        let (size, mut noted, mut cut_off) = (self.upload.length(), writing.at, None);
        let arriving = body.take_until(self.partial.wanted()).scan((), |(), bytes| {
            std::future::ready(match bytes {
                Ok(bytes) => Some(Ok::<_, Error>(bytes)),
                Err(error) => {
                    cut_off = Some(error);
                    None
                }
            })
        });
        let mut arriving = Box::pin(arriving);
        loop {
            let (piece, ended) = next_part(&mut arriving).await?;
            let length = piece.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
            self.check_size(app, writing.at + length)?;
            if !piece.is_empty()
                && let Err(error) = app.store.check_disk()
            {
                return Ok(Some(error));
            }
            writing.put(piece).await?;
            if ended {
                drop(arriving);
                return Ok(cut_off);
            }
            if may_note
                && writing.at - noted >= CHECKPOINT
                && Some(writing.at) != size
                && let Some(mut written) = writing.checkpoint().await?
            {
                noted = written.size;
                self.partial.keep(&mut written);
                self.note(app, actor, written, true).await?;
                app.store.give_back(&self.parts, noted).await?;
            }
        }
    }

    /// Refuses more bytes than the file will have, or can have.
    pub fn check_size(&self, app: &App, bytes: u64) -> Result<()> {
        match self.upload.length() {
            Some(length) if bytes > length => {
                let message = format!("the file has {length} bytes, as Upload-Length said");
                Err(Error::TooLarge(message))
            }
            Some(_) => Ok(()),
            None => upload::check_size(app, bytes).map(drop),
        }
    }

    /// Notes what is durable, and whether more is on its way.
    async fn note(
        &mut self,
        app: &App,
        actor: &Actor,
        written: Written,
        goes_on: bool,
    ) -> Result<Timestamp> {
        let now = app.clock.now();
        let size = i64::try_from(written.size).map_err(Error::internal)?;
        let before = std::mem::replace(&mut self.sent, written.sent);
        let known = before.as_ref().map_or(0, |sent| sent.tags.len());
        let received =
            Received { size, sent: self.sent.as_ref().map(|sent| (sent, known)), goes_on };
        let expires_at = sent::receive(&app.db, &self.upload, received, now).await?;
        if let (Some(before), Some(sent)) = (&before, &self.sent)
            && let Some(tail) = before.outdated(sent)
            && let Err(error) = app.store.delete(tail).await
        {
            // It goes with the upload.
            error.log();
        }
        if self.upload.length().is_none() {
            uploads::rules::check_announced(&app.db, &actor.user()?.id, now, 0).await?;
        }
        Ok(expires_at)
    }

    /// Puts the file at its place, all of whose bytes are there. That they are is noted in the same
    /// transaction, so an upload is over when the file is there and not before. A part has no place: it is kept.
    async fn finish(mut self, app: &App, actor: &Actor) -> Result<Progress> {
        let headers = HeaderMap::new();
        let is_part = self.upload.is_part();
        let blob = match self.finished.take() {
            Some(blob) if is_part => {
                if self.upload.was_seized {
                    self = self.prove(app, &blob).await?;
                }
                return self.keep(app, actor, blob.size.unsigned_abs()).await;
            }
            Some(blob) => blob,
            None => {
                let size = self.upload.length().ok_or_else(|| Error::internal("no length"))?;
                if is_part && self.upload.sha256.is_none() {
                    return self.keep_part(app, actor, size).await;
                }
                let hashes = self.partial.hashes(size).await?;
                let sha256 = &hashes.sha256;
                if self.upload.sha256.as_ref().is_some_and(|expected| expected != sha256) {
                    self.terminate(app).await?;
                    let reason = format!(
                        "does not match: the received bytes have {sha256}. Start a new upload"
                    );
                    return Err(Error::invalid("sha256", reason));
                }
                if is_part {
                    return self.keep_part(app, actor, size).await;
                }
                // Tried without a commit first: while it is refused the bytes stay, for when it is not any more.
                let size = i64::try_from(size).map_err(Error::internal)?;
                let blob = self.partial.blob(hashes, size, self.sent.as_ref());
                drop(upload::put_blob(app, actor, &self.place, &headers, &blob).await?);
                self.make(app, &blob).await?;
                blob
            }
        };
        if self.upload.was_seized {
            self = self.prove(app, &blob).await?;
        }
        let Self { upload, place, partial, parts, .. } = self;
        let (mut change, put) = upload::put_blob(app, actor, &place, &headers, &blob).await?;
        uploads::rules::finish(&mut change, &upload).await?;
        change.commit().await?;
        upload::settle(app, &place.path()?, &blob, &put).await;
        if let Err(error) = partial.remove(None).await {
            error.log();
        }
        if let Err(error) = remove_parts(app, &parts).await {
            // They go with the row.
            error.log();
        }
        Ok(Progress { offset: blob.size.unsigned_abs(), expires_at: upload.expires_at_ms })
    }

    /// Keeps the bytes of a part, all of which are there.
    async fn keep_part(mut self, app: &App, actor: &Actor, size: u64) -> Result<Progress> {
        if !app.store.is_folder() {
            let hashes = self.partial.hashes(size).await?;
            let bytes = i64::try_from(size).map_err(Error::internal)?;
            let blob = self.partial.blob(hashes, bytes, self.sent.as_ref());
            self.make(app, &blob).await?;
            if self.upload.was_seized {
                self = self.prove(app, &blob).await?;
            }
        }
        self.keep(app, actor, size).await
    }

    /// Makes the object of all bytes. What it will be is noted first: whoever goes on need not read it to know.
    async fn make(&mut self, app: &App, blob: &Blob) -> Result<()> {
        if let Some(sent) = &mut self.sent {
            *sent = sent.finished_as(blob);
            sent::note(&app.db, &self.upload, sent).await?;
        }
        self.partial.finish(blob).await
    }

    async fn keep(mut self, app: &App, actor: &Actor, size: u64) -> Result<Progress> {
        let written = Written::of_size(size, self.sent.clone());
        let expires_at = self.note(app, actor, written, false).await?;
        Ok(Progress { offset: size, expires_at })
    }

    /// Compares an object with its hash, since somebody may have sent a part of it again after this upload was taken from
    /// them.
    async fn prove(self, app: &App, blob: &Blob) -> Result<Self> {
        let proven = compared::prove(app, blob).await;
        match proven {
            Ok(()) => Ok(self),
            Err(error) => {
                if store::is_gone(&error) {
                    // Its object is not what it should be.
                    sent::let_go(&app.db, &self.upload, true).await?;
                }
                Err(error)
            }
        }
    }
}

/// Lets an upload go, of which an object store may have lost bytes; unless whoever had it before has made the object of
/// them meanwhile.
async fn let_go(app: &App, upload: &Upload, is_lost: bool) -> Result<()> {
    let sent = if is_lost { sent::find(&app.db, &upload.id).await? } else { None };
    let Some(sent) = sent else { return sent::let_go(&app.db, upload, false).await.map(drop) };
    let partial = app.store.partial(&upload.id).await;
    let size = upload.length().unwrap_or(0);
    let is_lost = partial.finished(size, Some(&sent)).await?.is_none();
    if sent::let_go(&app.db, upload, is_lost).await? && is_lost {
        partial.abort(&sent).await?;
    }
    Ok(())
}

/// Removes what is left of the bytes of parts: they are elsewhere, or given up.
async fn remove_parts(app: &App, parts: &[store::Part]) -> Result<()> {
    for part in parts {
        app.store.partial(&part.name).await.remove(None).await?;
    }
    Ok(())
}
