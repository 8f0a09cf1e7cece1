//! Stored blocks of deflate (RFC 1951 §3.2.4): bytes as they stand, with five before each 65,535. So the length of what is
//! deflated is known before its bytes are, and the place of each of them.

use std::ops::Range;

use bytes::Bytes;

/// How many bytes a block has at most.
const MOST: u64 = 0xffff;
/// Of a block, before its bytes.
const HEAD: u64 = 5;

/// How many bytes so many are, deflated.
pub fn size(plain: u64) -> u64 {
    plain + plain.div_ceil(MOST) * HEAD
}

/// The piece that begins at `at` of `plain` bytes, deflated, and where that begins.
pub fn frame(mut at: u64, mut piece: Bytes, plain: u64) -> (u64, Bytes) {
    let begin = size(at);
    let mut framed = Vec::with_capacity(piece.len() + 5 * (piece.len() / 0xffff + 2));
    while !piece.is_empty() {
        let inside = at % MOST;
        if inside == 0 {
            framed.extend(head(at, plain));
        }
        let part = piece.split_to(piece.len().min((MOST - inside) as usize));
        framed.extend_from_slice(&part);
        at += part.len() as u64;
    }
    (begin, framed.into())
}

/// What a block that begins at `at` has before its bytes: whether it is the last, and how many there are, twice.
fn head(at: u64, plain: u64) -> [u8; 5] {
    let length = (plain - at).min(MOST) as u16;
    let [low, high] = length.to_le_bytes();
    [u8::from(plain - at <= MOST), low, high, !low, !high]
}

/// Which of the plain bytes a range of the deflated ones is made of.
pub fn needed(range: &Range<u64>, plain: u64) -> Range<u64> {
    let place = |at: u64| (at / (MOST + HEAD) * MOST, at % (MOST + HEAD));
    let (block, inside) = place(range.start);
    let start = block + inside.saturating_sub(HEAD);
    let (block, inside) = place(range.end);
    // What a block has before its bytes comes with the first of them.
    let end = if inside == 0 { block } else { block + inside.saturating_sub(HEAD).max(1) };
    start.min(plain)..end.min(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_at_its_place() {
        let plain: Bytes = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        let total = plain.len() as u64;
        let (begin, whole) = frame(0, plain.clone(), total);
        assert_eq!((begin, whole.len() as u64), (0, size(total)));
        let mut unpacked = Vec::new();
        let reader = &mut flate2::read::DeflateDecoder::new(&whole[..]);
        std::io::Read::read_to_end(reader, &mut unpacked).unwrap();
        assert_eq!(unpacked, plain);
        let edges = [0, 1, 4, 5, 6, 65_534, 65_535, 65_539, 65_540, 65_541, 65_544, 65_545, 65_546];
        let edges: Vec<u64> =
            edges.into_iter().chain([131_080, 131_085, size(total) - 1]).collect();
        for (from, to) in edges.iter().flat_map(|from| edges.iter().map(move |to| (*from, *to + 1)))
        {
            if from >= to {
                continue;
            }
            let needed = needed(&(from..to), total);
            assert!(needed.end - needed.start <= to - from, "{from}..{to}: {needed:?}");
            let piece = plain.slice(needed.start as usize..needed.end as usize);
            let (begin, framed) = frame(needed.start, piece, total);
            assert!(begin <= from && begin + framed.len() as u64 >= to, "{from}..{to}");
            let cut = &framed[(from - begin) as usize..(to - begin) as usize];
            assert_eq!(cut, &whole[from as usize..to as usize], "{from}..{to}");
        }
    }
}
