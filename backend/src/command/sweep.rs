//! `model-registry sweep`: removes what is due, or says what that is.

use indicatif::HumanCount;

use super::open_beside;
use crate::config;
use crate::error::Result;
use crate::registry::catalog::blob::sweep::Sweep;
use crate::time::Clock;

/// Sweeps once, or says what a sweep would remove.
pub async fn run(input: config::Sweep) -> Result<()> {
    let (db, storages) = open_beside(&input.data).await?;
    let sweep = Sweep::new(&db, &storages, Clock::System.now(), input.keep.days);
    if !input.dry_run {
        let removed = HumanCount(sweep.run().await? as u64);
        println!("{removed} objects were removed");
        return Ok(());
    }
    let due = sweep.due().await?;
    for sha256 in &due.blobs {
        println!("unused   {sha256}");
    }
    for key in &due.objects {
        println!("unknown  {key}");
    }
    let more = if due.more { ", and more by those that follow" } else { "" };
    println!("{} would be removed by the next sweep{more}", HumanCount(due.count() as u64));
    Ok(())
}
