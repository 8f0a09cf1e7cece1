//! The tar format, with GNU's long names.

use std::io;

use super::members::{Member, Members};
use super::output::Output;

/// Everything begins at a multiple of this.
const BLOCK: u64 = 512;

/// Writes all members; returns what they are.
pub async fn write(members: &Members, to: &mut Output) -> io::Result<[u8; 32]> {
    let mut listing = members.list();
    loop {
        let some = listing.next().await?;
        if some.is_empty() {
            break;
        }
        for member in some {
            to.bytes(head(&member)?).await?;
            to.blob(&member).await?;
            to.bytes(zeros(member.size.next_multiple_of(BLOCK) - member.size)).await?;
        }
    }
    to.bytes(zeros(2 * BLOCK)).await?;
    Ok(listing.digest())
}

fn zeros(count: u64) -> Vec<u8> {
    vec![0; count as usize]
}

/// What is before the bytes of a member.
fn head(member: &Member) -> io::Result<Vec<u8>> {
    let mut header = ::tar::Header::new_gnu();
    // Said outright: without a type, a long name that is cut at a slash would be a folder.
    header.set_entry_type(::tar::EntryType::Regular);
    header.set_size(member.size);
    header.set_mode(0o644);
    header.set_mtime(member.time.millis().unsigned_abs() / 1000);
    let mut archive = ::tar::Builder::new(Vec::new());
    archive.append_data(&mut header, &member.path, io::empty())?;
    Ok(std::mem::take(archive.get_mut()))
}
