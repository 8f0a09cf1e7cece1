//! The zip format, as PKWARE's APPNOTE.TXT 6.3.10 and Info-ZIP's extra fields have it, so that it can be read as a stream,
//! too: CRC-32 and size stand before the bytes of a member, which are stored.
//!
//! Where a CRC-32 is not known before the bytes are, it stands behind them, and those are in
//! [stored blocks](super::blocks) of deflate, which say themselves where they end. The central directory is listed
//! anew: nothing is kept of the members but 4 bytes of those.

use std::io;

use super::members::{Member, Members};
use super::output::Output;
use super::{blocks, changed};
use crate::time::Timestamp;

/// Stands for a 32-bit number that is in the field of zip64.
const ELSEWHERE: u32 = u32::MAX;

/// Writes all members, and the central directory; returns what they are.
pub async fn write(members: &Members, to: &mut Output) -> io::Result<[u8; 32]> {
    let mut directory = Directory::default();
    let mut found = Vec::new();
    let mut listing = members.list();
    loop {
        let some = listing.next().await?;
        if some.is_empty() {
            break;
        }
        for member in some {
            let mut entry = Entry::new(&member, to.at());
            to.bytes(entry.local()).await?;
            if entry.is_known {
                to.blob(&member).await?;
            } else {
                entry.crc32 = to.deflated(&member).await?;
                found.push(entry.crc32);
                to.bytes(entry.behind()).await?;
            }
            directory.add(&entry);
        }
    }
    directory.at = to.at();
    let digest = listing.digest();
    if !to.pass(directory.size) && list(members, found, to).await? != digest {
        return Err(changed());
    }
    to.bytes(directory.end()).await?;
    Ok(digest)
}

/// Writes the central directory; returns what the members are by now.
async fn list(members: &Members, found: Vec<u32>, to: &mut Output) -> io::Result<[u8; 32]> {
    let (mut found, mut at) = (found.into_iter(), 0);
    let mut listing = members.list();
    loop {
        let some = listing.next().await?;
        if some.is_empty() {
            return Ok(listing.digest());
        }
        for member in some {
            let mut entry = Entry::new(&member, at);
            if !entry.is_known {
                entry.crc32 = found.next().unwrap_or_default();
            }
            to.bytes(entry.central()).await?;
            at += entry.size();
        }
    }
}

/// A member at its place.
struct Entry<'a> {
    member: &'a Member,
    /// Whether its CRC-32 is known before its bytes are.
    is_known: bool,
    crc32: u32,
    /// Where it begins.
    at: u64,
}

impl<'a> Entry<'a> {
    fn new(member: &'a Member, at: u64) -> Self {
        Self { member, is_known: member.crc32.is_some(), crc32: member.crc32.unwrap_or(0), at }
    }

    /// How large its bytes are in the archive.
    fn packed_size(&self) -> u64 {
        if self.is_known { self.member.size } else { blocks::size(self.member.size) }
    }

    /// With all around it.
    fn size(&self) -> u64 {
        (self.local().len() + self.behind().len()) as u64 + self.packed_size()
    }

    fn is_large(&self) -> bool {
        self.packed_size() >= u64::from(ELSEWHERE)
    }

    /// The header before the bytes.
    fn local(&self) -> Vec<u8> {
        let (crc32, packed, plain) = match self.is_known {
            true => (self.crc32, self.packed_size(), self.member.size),
            false => (0, 0, 0),
        };
        let large: &[u64] = if self.is_large() { &[plain, packed] } else { &[] };
        let mut header = b"PK\x03\x04".to_vec();
        header.extend(self.common(large));
        header.extend(crc32.to_le_bytes());
        header.extend([packed, plain].map(|size| self.size_field(size)).concat());
        self.names(&mut header, large, &[]);
        header
    }

    /// What stands behind the bytes where it was not known before.
    fn behind(&self) -> Vec<u8> {
        if self.is_known {
            return Vec::new();
        }
        let mut descriptor = b"PK\x07\x08".to_vec();
        descriptor.extend(self.crc32.to_le_bytes());
        for size in [self.packed_size(), self.member.size] {
            let bytes = if self.is_large() { 8 } else { 4 };
            descriptor.extend(&size.to_le_bytes()[..bytes]);
        }
        descriptor
    }

    /// The header in the central directory.
    fn central(&self) -> Vec<u8> {
        let (packed, plain) = (self.packed_size(), self.member.size);
        let mut large = if self.is_large() { vec![plain, packed] } else { Vec::new() };
        if self.at >= u64::from(ELSEWHERE) {
            large.push(self.at);
        }
        // Made by version 6.3, on Unix.
        let mut header = b"PK\x01\x02\x3f\x03".to_vec();
        header.extend(self.common(&large));
        header.extend(self.crc32.to_le_bytes());
        header.extend([packed, plain].map(|size| self.size_field(size)).concat());
        // No comment, on the first disk, not known to be text, readable by all.
        let mut rest = [0; 6].to_vec();
        rest.extend((0o100_644_u32 << 16).to_le_bytes());
        rest.extend(narrow(self.at).to_le_bytes());
        self.names(&mut header, &large, &rest);
        header
    }

    /// A size, where both are not in the field of zip64.
    fn size_field(&self, size: u64) -> [u8; 4] {
        if self.is_large() { [0xff; 4] } else { narrow(size).to_le_bytes() }
    }

    /// What both headers have from the version that is needed to the time.
    fn common(&self, large: &[u64]) -> Vec<u8> {
        let version: u16 = if large.is_empty() { 20 } else { 45 };
        // Names are UTF-8.
        let flags = 1 << 11 | u16::from(!self.is_known) << 3;
        let method = if self.is_known { 0 } else { 8 };
        let (date, time) = dos_time(self.member.time);
        [version, flags, method, time, date].map(u16::to_le_bytes).concat()
    }

    /// The ends of both headers, with what the central one has between lengths and name.
    fn names(&self, header: &mut Vec<u8>, large: &[u64], between: &[u8]) {
        let mut extra = Vec::new();
        if !large.is_empty() {
            extra.extend([1_u16, 8 * large.len() as u16].map(u16::to_le_bytes).concat());
            extra.extend(large.iter().flat_map(|number| number.to_le_bytes()));
        }
        // As Unix has the time, in seconds, while it has 31 bits.
        if let Ok(seconds) = i32::try_from(self.member.time.millis().div_euclid(1000)) {
            extra.extend([b'U', b'T', 5, 0, 1]);
            extra.extend(seconds.to_le_bytes());
        }
        let name = self.member.path.as_bytes();
        header
            .extend([name.len(), extra.len()].map(|length| (length as u16).to_le_bytes()).concat());
        header.extend(between);
        header.extend(name);
        header.extend(extra);
    }
}

/// A number in 32 bits, or what says that it is in the field of zip64.
fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(ELSEWHERE)
}

/// The date and the time of day as DOS has them: in UTC, in steps of 2 seconds, from 1980 to 2107.
fn dos_time(time: Timestamp) -> (u16, u16) {
    let time = time.to_civil();
    let part = |part: i8| u16::from(part.unsigned_abs());
    match time.year() {
        ..1980 => (1 << 5 | 1, 0),
        2108.. => (127 << 9 | 12 << 5 | 31, 23 << 11 | 59 << 5 | 29),
        year => (
            (year - 1980).unsigned_abs() << 9 | part(time.month()) << 5 | part(time.day()),
            part(time.hour()) << 11 | part(time.minute()) << 5 | (part(time.second()) / 2),
        ),
    }
}

/// The central directory as a whole.
#[derive(Default)]
struct Directory {
    entries: u64,
    size: u64,
    at: u64,
}

impl Directory {
    fn add(&mut self, entry: &Entry<'_>) {
        self.entries += 1;
        self.size += entry.central().len() as u64;
    }

    /// What is behind it: where it is, twice where a number is too large for what was there first.
    fn end(&self) -> Vec<u8> {
        let Self { entries, size, at } = *self;
        let mut end = Vec::new();
        let few = u16::try_from(entries).unwrap_or(u16::MAX);
        if few == u16::MAX || size.max(at) >= u64::from(ELSEWHERE) {
            end.extend(b"PK\x06\x06");
            end.extend(44_u64.to_le_bytes());
            end.extend(b"\x3f\x03\x2d\x00");
            end.extend([0; 8]);
            end.extend([entries, entries, size, at].map(u64::to_le_bytes).concat());
            end.extend(b"PK\x06\x07");
            end.extend([0; 4]);
            end.extend((at + size).to_le_bytes());
            end.extend(1_u32.to_le_bytes());
        }
        end.extend(b"PK\x05\x06");
        end.extend([0; 4]);
        end.extend([few, few].map(u16::to_le_bytes).concat());
        end.extend([narrow(size), narrow(at)].map(u32::to_le_bytes).concat());
        end.extend([0; 2]);
        end
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, SeekFrom};

    use super::*;

    /// Zeros, but for some pieces at their places.
    struct Sparse {
        pieces: Vec<(u64, Vec<u8>)>,
        size: u64,
        at: u64,
    }

    impl Sparse {
        fn push(&mut self, bytes: Vec<u8>) {
            let at = self.size;
            self.size += bytes.len() as u64;
            self.pieces.push((at, bytes));
        }
    }

    impl Read for Sparse {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = (self.size - self.at.min(self.size)).min(buffer.len() as u64);
            let buffer = &mut buffer[..length as usize];
            buffer.fill(0);
            let end = self.at + length;
            let first =
                self.pieces.partition_point(|(at, piece)| at + piece.len() as u64 <= self.at);
            for (at, piece) in self.pieces[first..].iter().take_while(|(at, _)| *at < end) {
                let (from, to) = (self.at.max(*at), end.min(at + piece.len() as u64));
                let part = &piece[(from - at) as usize..(to - at) as usize];
                buffer[(from - self.at) as usize..(to - self.at) as usize].copy_from_slice(part);
            }
            self.at = end;
            Ok(length as usize)
        }
    }

    impl Seek for Sparse {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.at = match to {
                SeekFrom::Start(at) => at,
                SeekFrom::End(by) => self.size.saturating_add_signed(by),
                SeekFrom::Current(by) => self.at.saturating_add_signed(by),
            };
            Ok(self.at)
        }
    }

    /// An archive whose members are zeros, which nobody writes.
    fn archive(sizes: impl Iterator<Item = u64>, crc32: Option<u32>) -> Sparse {
        let mut file = Sparse { pieces: Vec::new(), size: 0, at: 0 };
        let (mut directory, mut central) = (Directory::default(), Vec::new());
        for (number, size) in sizes.enumerate() {
            let path = format!("ü/{number}");
            let time = Timestamp::from_millis(1_700_000_000_000);
            let crc32 = if size == 0 { Some(0) } else { crc32 };
            let member = Member { path, sha256: String::new(), size, crc32, time };
            let entry = Entry::new(&member, file.size);
            file.push(entry.local());
            file.size += entry.packed_size();
            file.push(entry.behind());
            assert_eq!(file.size - entry.at, entry.size());
            central.extend(entry.central());
            directory.add(&entry);
        }
        directory.at = file.size;
        assert_eq!(central.len() as u64, directory.size);
        file.push(central);
        file.push(directory.end());
        file
    }

    const GIB: u64 = 1 << 30;

    #[test]
    fn large_members_and_places_are_in_the_fields_of_zip64() {
        // Just below and at what 32 bits hold, and behind that.
        let edge = u64::from(u32::MAX);
        let sizes = [5 * GIB, edge - 1, edge, 3, 0, 70 * GIB, 1];
        for crc32 in [Some(7), None] {
            let mut read = ::zip::ZipArchive::new(archive(sizes.into_iter(), crc32)).unwrap();
            assert_eq!(read.len(), sizes.len());
            for (number, size) in sizes.into_iter().enumerate() {
                let file = read.by_index_raw(number).unwrap();
                assert_eq!(
                    (file.name().unwrap().as_ref(), file.size()),
                    (format!("ü/{number}").as_str(), size)
                );
                let packed = if crc32.is_some() || size == 0 { size } else { blocks::size(size) };
                assert_eq!(file.compressed_size(), packed);
                // The local header is where the central one says, and the bytes behind it.
                assert!(file.data_start() > Some(file.header_start()));
            }
        }
    }

    #[test]
    fn there_may_be_more_members_than_16_bits_count() {
        for count in [65_534, 65_535, 65_536, 70_000] {
            let read =
                ::zip::ZipArchive::new(archive(std::iter::repeat_n(1, count), Some(7))).unwrap();
            assert_eq!(read.len(), count);
        }
    }

    #[test]
    fn times_that_dos_has_not_are_the_nearest_that_it_has() {
        let time = |text| dos_time(Timestamp::from_rfc3339(text).unwrap());
        assert_eq!(time("1970-01-01T00:00:00Z"), (0x21, 0));
        assert_eq!(time("1980-01-01T00:00:00Z"), (0x21, 0));
        assert_eq!(time("2026-02-03T04:05:07Z"), (46 << 9 | 2 << 5 | 3, 4 << 11 | 5 << 5 | 3));
        assert_eq!(
            time("2999-01-01T00:00:00Z"),
            (127 << 9 | 12 << 5 | 31, 23 << 11 | 59 << 5 | 29)
        );
    }
}
