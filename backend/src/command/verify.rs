//! `model-registry verify`: proves all files, and heals what can be.

use std::process::ExitCode;

use indicatif::{HumanBytes, HumanCount};

use super::{bar, open_beside};
use crate::config;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::registry::catalog::blob::sql;
use crate::registry::catalog::blob::verify::{Gone, Report, Verify};
use crate::store::Store;
use crate::time::Clock;

/// Compares all files with their hashes; the exit code says whether all are right.
pub async fn run(input: config::Verify) -> Result<ExitCode> {
    let (db, storages) = open_beside(&input.data).await?;
    if input.list {
        list(&db).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let backup = match &input.from {
        Some(folder) => Some(Store::open_beside(folder, None).map_err(|_| {
            Error::invalid("--from", format!("{} is not a folder", folder.display()))
        })?),
        None => None,
    };
    let (_, bytes) = sql::totals(&db).await?;
    let bar = bar(bytes.unsigned_abs());
    let verify = Verify {
        db: &db,
        storages: &storages,
        clock: &Clock::System,
        quick: input.quick,
        progress: &|bytes| bar.inc(bytes),
    };
    let report = verify.run(input.repair, backup.as_ref()).await?;
    bar.finish_and_clear();
    if input.json {
        println!("{}", serde_json::to_string_pretty(&report).map_err(Error::internal)?);
    } else {
        print(&report);
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(report: &Report) {
    for bad in &report.bad {
        println!("wrong    {}: {}", bad.key, bad.problem);
    }
    let name = |what: &str, gone: &Gone| {
        println!("{what} {} ({})", gone.sha256, HumanBytes(gone.size.unsigned_abs()));
        for file in &gone.files {
            println!("         {file}");
        }
    };
    report.healed.iter().for_each(|gone| name("healed  ", gone));
    report.lost.iter().for_each(|gone| name("lost    ", gone));
    for key in &report.unknown {
        println!("unknown  {key}");
    }
    println!(
        "{} files, {}: {} wrong, {} healed, {} lost; {} objects that no row names",
        HumanCount(report.copies),
        HumanBytes(report.bytes),
        report.bad.len(),
        report.healed.len(),
        report.lost.len(),
        report.unknown.len(),
    );
}

/// `SHA256  KEY`, as `sha256sum --check` reads it.
async fn list(db: &Db) -> Result<()> {
    let mut last = String::new();
    loop {
        let copies = sql::after(db, &last, 1000).await?;
        let Some(end) = copies.last() else { return Ok(()) };
        last.clone_from(&end.key);
        for copy in &copies {
            println!("{}  {}", copy.sha256, copy.key);
        }
    }
}
