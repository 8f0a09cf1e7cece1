//! One gzip member (RFC 1952) whose bytes are in [stored blocks](super::blocks).

use super::blocks;

/// Deflated; no name, no time, of no system in particular.
pub const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
const TAIL: u64 = 8;

/// How many bytes so many are as gzip.
pub fn size(plain: u64) -> u64 {
    HEAD.len() as u64 + blocks::size(plain) + TAIL
}

/// What is behind the blocks: the CRC-32 and the size, modulo 2³², of what is in them.
pub fn tail(crc32: u32, plain: u64) -> [u8; TAIL as usize] {
    (u64::from(crc32) | plain << 32).to_le_bytes()
}
