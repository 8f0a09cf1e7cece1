//! Room on disks: how much there is, and how much is kept for what has to go on when files find none.

use std::fs::File;
use std::io::Result;
use std::path::Path;

use rustix::fs::FallocateFlags;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// How much of a disk is free for us, and how large it is, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    pub free: u64,
    pub size: u64,
}

/// How much room there is on the disk of a file or folder.
pub fn space(path: &Path) -> Result<Space> {
    let disk = rustix::fs::statvfs(path)?;
    Ok(Space { free: disk.f_bavail * disk.f_frsize, size: disk.f_blocks * disk.f_frsize })
}

/// How many bytes of a disk are kept free: so many MiB, or a twentieth of it, but 1 to 10 GiB.
pub fn floor(space: Space, keep_mib: Option<u64>) -> u64 {
    keep_mib.map_or_else(|| (space.size / 20).clamp(GIB, 10 * GIB), |mib| mib.saturating_mul(MIB))
}

/// Gives the room of the first bytes of a file back to its disk. They are zeros then. Not every file system can.
pub fn give_back(file: &File, bytes: u64) -> Result<()> {
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Ok(rustix::fs::fallocate(file, hole, 0, bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twentieth_is_kept_free_or_what_is_said() {
        let disk = |size| Space { free: 0, size };
        assert_eq!(floor(disk(GIB), None), GIB);
        assert_eq!(floor(disk(100 * GIB), None), 5 * GIB);
        assert_eq!(floor(disk(10_000 * GIB), None), 10 * GIB);
        assert_eq!(floor(disk(10_000 * GIB), Some(3)), 3 * MIB);
        let here = space(Path::new("/")).unwrap();
        assert!(here.free <= here.size && here.size > 0);
    }
}
