//! What administrators see of where files are: storages, what is damaged, what the scrub and the sweep have to do.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{ComplexObject, Context, Enum, Object, SimpleObject};
use futures_util::future::join_all;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::damaged::{self, Damage, DamagedFile, FilesWith};
use super::figures;
use crate::access::{self, actor};
use crate::app::App;
use crate::cache::{Amount, Figures};
use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::loader::loaders;
use crate::long::Long;
use crate::page::{LOOK_UP, Page, SCAN, cost};
use crate::store::Store;
use crate::time::Timestamp;

/// How long a storage may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a storage is. More may come.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageKind {
    /// A folder on a disk of the server.
    Folder,
    /// An object store, such as S3.
    ObjectStore,
}

/// A place where the bytes of files are.
#[derive(SimpleObject)]
pub struct Storage {
    /// What it is called.
    name: String,
    /// Where it is: the path of a folder, or the address of an object store without its keys.
    location: String,
    /// What it is.
    kind: StorageKind,
    /// Whether it answers within three seconds, and is there, which a disk that is not mounted is not.
    is_reachable: bool,
    /// Whether it takes more files. A folder keeps some of its disk free; an object store is taken to have room.
    has_room: bool,
    /// How much of its disk is free, in bytes; null for an object store, and where the disk doesn't say.
    free_bytes: Option<Long>,
    /// How large its disk is, in bytes; null for an object store, and where the disk doesn't say.
    total_bytes: Option<Long>,
    /// How many files it holds, the same bytes counted once; null while they are counted for the first time.
    file_count: Option<Long>,
    /// How large these are together, in bytes.
    byte_count: Option<Long>,
    /// When they were counted: at most about once a minute, and less often where it takes long.
    counted_at: Option<Timestamp>,
    /// Whether it takes what is uploaded: the first storage does.
    takes_uploads: bool,
    /// How many of its files were found damaged once.
    suspect_count: Long,
    /// How many of its files were found damaged twice.
    lost_count: Long,
}

/// What is known of them, each asked at the same time.
async fn storages(app: &App) -> Result<Vec<Storage>> {
    let asked = join_all(app.storages.iter().map(async |store| (store, ask(store).await)));
    let (asked, figures) = tokio::join!(asked, figures::figures(app));
    let (figures, counts) = (figures?, damaged::counts(&app.db).await?);
    let storages = asked.into_iter().map(|(store, asked)| {
        let name = store.name();
        let count = |state| Long(counts.get(&(name.to_owned(), state)).copied().unwrap_or(0));
        let stored = figures.as_ref().map(|figures| figures.stored.get(name).copied());
        let stored = stored.map(Option::unwrap_or_default);
        Storage {
            name: name.to_owned(),
            location: store.place(),
            kind: if store.is_folder() { StorageKind::Folder } else { StorageKind::ObjectStore },
            is_reachable: asked.is_there,
            has_room: asked.has_room,
            free_bytes: asked.space.map(|(free, _)| free),
            total_bytes: asked.space.map(|(_, total)| total),
            file_count: stored.map(|stored| Long(stored.count)),
            byte_count: stored.map(|stored| Long(stored.bytes)),
            counted_at: figures.as_ref().map(|figures| figures.counted_at),
            takes_uploads: name == app.store.name(),
            suspect_count: count(Damage::Suspect),
            lost_count: count(Damage::Lost),
        }
    });
    Ok(storages.collect())
}

/// What a storage says of itself.
struct Asked {
    is_there: bool,
    has_room: bool,
    /// Free, and all of it, in bytes.
    space: Option<(Long, Long)>,
}

async fn ask(store: &Store) -> Asked {
    let is_there = answer("is there", async { store.is_there().await });
    if !store.is_folder() {
        return Asked { is_there: is_there.await.unwrap_or(false), has_room: true, space: None };
    }
    let here = store.clone();
    // A disk that hangs holds up no other request.
    let room = spawn_blocking(move || Ok((here.space()?, here.has_room()?)));
    let room = answer("has room", async { room.await.map_err(Error::internal)? });
    let (is_there, room) = tokio::join!(is_there, room);
    let long = |bytes| Long(i64::try_from(bytes).unwrap_or(i64::MAX));
    Asked {
        is_there: is_there.unwrap_or(false),
        has_room: room.is_some_and(|(_, has_room)| has_room),
        space: room.map(|(space, _)| (long(space.free), long(space.size))),
    }
}

/// What a storage answers in time; none, and a line of the log, where it does not.
async fn answer<T>(what: &str, asked: impl Future<Output = Result<T>>) -> Option<T> {
    match timeout(PATIENCE, asked).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::warn!(?error, "a storage does not say whether it {what}");
            None
        }
        Err(_) => {
            tracing::warn!("a storage does not say in time whether it {what}");
            None
        }
    }
}

/// How much the next sweeps will remove of one kind.
#[derive(SimpleObject)]
struct SweepAmount {
    /// How many there are.
    count: Long,
    /// How large they are together, in bytes.
    byte_count: Long,
    /// Since when the first of them is there; null if there are none.
    since: Option<Timestamp>,
}

impl From<(Amount, Option<Timestamp>)> for SweepAmount {
    fn from((Amount { count, bytes }, since): (Amount, Option<Timestamp>)) -> Self {
        Self { count: Long(count), byte_count: Long(bytes), since }
    }
}

/// What the next sweeps will remove, as far as the last one found it. A sweep runs every hour and removes a tenth of all
/// files at most. Whatever is used again before stays.
#[derive(SimpleObject)]
struct SweepPreview {
    /// The bytes of files that were deleted for good, which nothing else has. Null while they are counted for the first
    /// time.
    unused: Option<SweepAmount>,
    /// What no file needs: what interrupted uploads left, copies that were moved to another storage, and damaged copies that
    /// have been replaced. Null while they are counted for the first time.
    unknown: Option<SweepAmount>,
    /// About when the first of all these will be removed; null if there is nothing.
    first_removal_at: Option<Timestamp>,
    /// Until when nothing is removed; null if that is not so. Sweeps pause after a restore, and where the database seems
    /// to be older than the files.
    paused_until: Option<Timestamp>,
    /// How many days what is unused is kept (`--keep-removed`).
    keep_days: i32,
    /// When these were counted: at most about once a minute, and less often where it takes long.
    counted_at: Option<Timestamp>,
}

async fn preview(app: &App) -> Result<SweepPreview> {
    let found = figures::figures(app).await?;
    let paused_until = figures::paused_until(&app.db).await?;
    let paused_until = (paused_until > app.clock.now()).then_some(paused_until);
    let first = found.as_ref().and_then(|figures| figures.first_goes_at);
    Ok(SweepPreview {
        unused: found.as_ref().map(|figures| figures.unused.into()),
        unknown: found.as_ref().map(|figures| figures.useless.into()),
        first_removal_at: first.map(|first| paused_until.map_or(first, |until| first.max(until))),
        paused_until,
        keep_days: i32::try_from(app.config.keep.days).unwrap_or(i32::MAX),
        counted_at: found.map(|figures| figures.counted_at),
    })
}

/// The scrub: the server reads all files again and again, slowly, and compares them with their hashes.
#[derive(SimpleObject)]
struct Scrub {
    /// How many MiB a second it reads (`--scrub-rate`); 0 if it is off.
    rate: i32,
    /// How many files were never read, such as those that have just come; null while they are counted for the first time.
    unchecked_count: Option<Long>,
    /// When the file was read that was so longest ago; null if none was read yet.
    oldest_check_at: Option<Timestamp>,
    /// When a file was last read; null if none was read yet.
    last_check_at: Option<Timestamp>,
    /// When the files that were never read were counted.
    counted_at: Option<Timestamp>,
}

async fn scrub(app: &App) -> Result<Scrub> {
    let (oldest_check_at, last_check_at) = figures::checked(&app.db).await?;
    let figures = figures::figures(app).await?;
    let counted = |of: fn(&Figures) -> i64| figures.as_ref().map(|figures| Long(of(figures)));
    Ok(Scrub {
        rate: i32::try_from(app.config.scrub_rate).unwrap_or(i32::MAX),
        unchecked_count: counted(|figures| figures.unchecked),
        oldest_check_at,
        last_check_at,
        counted_at: figures.as_ref().map(|figures| figures.counted_at),
    })
}

#[ComplexObject]
impl DamagedFile {
    /// Where these bytes are used: five files at most, such as `vision/ocr/1.0.0/model.onnx`. Empty if no file needs
    /// them any more.
    #[graphql(complexity = "LOOK_UP")]
    async fn files(&self, ctx: &Context<'_>) -> Result<Arc<Vec<String>>> {
        let files = loaders(ctx).load_one(FilesWith(self.sha256.clone())).await?;
        Ok(files.unwrap_or_default())
    }
}

#[derive(Default)]
pub struct BlobQuery;

#[Object]
impl BlobQuery {
    /// The places where the bytes of files are; only for administrators.
    #[graphql(complexity = "SCAN + child_complexity")]
    async fn storages(&self, ctx: &Context<'_>) -> Result<Vec<Storage>> {
        access::auditor(actor(ctx))?;
        storages(&loaders(ctx).loader().app).await
    }

    /// What the next sweeps will remove; only for administrators.
    #[graphql(complexity = "SCAN + child_complexity")]
    async fn sweep_preview(&self, ctx: &Context<'_>) -> Result<SweepPreview> {
        access::auditor(actor(ctx))?;
        preview(&loaders(ctx).loader().app).await
    }

    /// How far the server is with reading all files to find damage; only for administrators.
    #[graphql(complexity = "SCAN + child_complexity")]
    async fn scrub(&self, ctx: &Context<'_>) -> Result<Scrub> {
        access::auditor(actor(ctx))?;
        scrub(&loaders(ctx).loader().app).await
    }

    /// Files whose bytes were found damaged, what was found last first; only for administrators.
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn damaged_files(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<DamagedFile>> {
        access::auditor(actor(ctx))?;
        Ok(damaged::list(Page::new(first, after, last, before)?))
    }
}
