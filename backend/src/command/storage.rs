//! `model-registry storage`: moves files from one storage to another, beside a server that goes on.

use std::process::ExitCode;

use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::{HumanBytes, HumanCount};

use super::{bar, open_beside};
use crate::config::{ApplyRules, Data, MoveFiles, StorageCommand};
use crate::db::Db;
use crate::error::{Error, Result};
use crate::registry::catalog::blob::mover::{Moved, Mover};
use crate::registry::catalog::blob::{Copy, sql};
use crate::registry::lifecycle::placement::plan::{Flow, Plan};
use crate::registry::lifecycle::placement::sql as placement;
use crate::store::{Storages, Store};
use crate::time::Clock;

/// How many files are moved at the same time.
const AT_ONCE: usize = 4;
/// How many rows are read at once.
const PAGE: i64 = 500;

/// Moves files; the exit code says whether all could be.
pub async fn run(command: StorageCommand) -> Result<ExitCode> {
    match command {
        StorageCommand::Move(input) => move_files(input).await,
        StorageCommand::Apply(input) => apply(input).await,
    }
}

/// The database and the storages, whose disks keep as much free as for uploads.
async fn open(data: &Data) -> Result<(Db, Storages)> {
    let (db, storages) = open_beside(data).await?;
    Ok((db, storages.keeping_free(None)))
}

/// A storage by its name.
fn named<'a>(storages: &'a Storages, flag: &str, name: &str) -> Result<&'a Store> {
    storages.find(name).ok_or_else(|| {
        let names: Vec<_> = storages.iter().map(Store::name).collect();
        let reason = format!("must be one of the storages in --storage: {}", names.join(", "));
        Error::invalid(flag, reason)
    })
}

async fn move_files(input: MoveFiles) -> Result<ExitCode> {
    let (db, storages) = open(&input.data).await?;
    let from = named(&storages, "--from", &input.from)?;
    let to = named(&storages, "--to", &input.to)?;
    if from.name() == to.name() {
        return Err(Error::invalid("--to", "must be another storage than --from"));
    }
    let (files, bytes) = sql::totals_in(&db, from.name()).await?;
    let (shown, size) = (HumanCount(files.unsigned_abs()), HumanBytes(bytes.unsigned_abs()));
    if input.dry_run {
        println!("{shown} files, {size}, would be moved from {} to {}", from.place(), to.place());
        return Ok(ExitCode::SUCCESS);
    }
    let failed = move_all(&db, &storages, (from, to), bytes.unsigned_abs()).await?;
    if !failed.is_empty() {
        for line in &failed {
            println!("not moved: {line}");
        }
        return Ok(ExitCode::FAILURE);
    }
    let (from, to) = (from.name(), to.name());
    println!(
        "{shown} files, {size}, are in {to} now. They also stay in {from} as long as everything that is not used any more \
         (--keep-removed); then the server removes them."
    );
    if storages.first().name() == from {
        println!(
            "Uploads go on to {from} while it is the first --storage of the server. Start the server with {to} first, and then run \
             this again."
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Moves all good copies. Returns what could not be moved, and why.
async fn move_all(
    db: &Db,
    storages: &Storages,
    (from, to): (&Store, &Store),
    bytes: u64,
) -> Result<Vec<String>> {
    let bar = bar(bytes);
    let mover = Mover::new(db, storages, &Clock::System);
    let (mut failed, mut last) = (Vec::new(), String::new());
    loop {
        let copies = mover.after(from.name(), &last, PAGE).await?;
        let Some(end) = copies.last() else { break };
        last.clone_from(&end.key);
        let moved = stream::iter(copies).map(|copy: Copy| {
            let mover = &mover;
            async move { Ok::<_, Error>((mover.move_to(to, &copy).await?, copy)) }
        });
        let mut moved = std::pin::pin!(moved.buffer_unordered(AT_ONCE));
        while let Some((moved, copy)) = moved.try_next().await? {
            bar.inc(copy.size.unsigned_abs());
            match moved {
                Moved::Copied | Moved::There | Moved::Gone => {}
                Moved::Bad(finding) => failed.push(format!("{}: {}", copy.key, finding.problem())),
            }
        }
    }
    bar.finish_and_clear();
    Ok(failed)
}

async fn apply(input: ApplyRules) -> Result<ExitCode> {
    let (db, storages) = open(&input.data).await?;
    let plan = Plan::new(&db, &storages, placement::rules(&db).await?, Clock::System.now());
    if input.dry_run {
        let flows = plan.preview(std::time::Duration::MAX).await?.flows;
        if flows.is_empty() {
            println!("nothing would be moved");
        }
        for Flow { from, to, files, bytes } in flows {
            let (files, bytes) =
                (HumanCount(files.unsigned_abs()), HumanBytes(bytes.unsigned_abs()));
            println!("{files} files, {bytes}, would be moved from {from} to {to}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let applied = plan.apply(&Clock::System).await?;
    println!(
        "{} files, {}, were moved; {} could not be",
        HumanCount(applied.files),
        HumanBytes(applied.bytes),
        HumanCount(applied.failed)
    );
    Ok(if applied.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
