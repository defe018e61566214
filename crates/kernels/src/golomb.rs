//! Golomb-Rice code of ternary numbers: the gaps between the signs, and the signs.
//!
//! Items are cut in chunks of 65,536 that are coded apart, so that they code and decode in parallel:
//!
//! ```text
//! byte 0      b
//! bytes 1-3   0
//! u32 LE      number of chunks
//! each chunk  u32 LE signs in it, u32 LE bytes of its stream
//! then        the streams, one after another
//! ```
//! A stream packs bits from the least significant on, the last byte padded with 0. Of each sign in order: `gap >> b`
//! ones, a zero, the b low bits of the gap (from the lowest on), 1 if negative; the gap is the number of items between
//! it and the sign before (or the chunk's start). O(signs + n / 64).

use crate::bits::{WORD, bytes_of, word_at, words};
use crate::cpu::{Cpu, vectorized};
use crate::job::{Aborted, Job};
use crate::{tasks, threads};
use rayon::prelude::*;
use std::fmt;

/// Items of a chunk.
pub const CHUNK: usize = 1 << 16;
const HEAD: usize = 8;
const ENTRY: usize = 8;
/// Ones that are written or read at once: with the 18 bits that can follow, a word holds them in any byte's middle.
const RUN: u32 = 38;

/// Why bytes are no code of n items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GolombError {
    /// They end before what their head or table says.
    Short {
        wanted: usize,
        got: usize,
    },
    /// A chunk's stream ends before its last sign.
    Truncated {
        chunk: usize,
    },
    /// What no coder writes; says what.
    Corrupt(&'static str),
    Aborted,
}

impl fmt::Display for GolombError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            // Which of the two it is cannot be told.
            GolombError::Short { wanted, got } => write!(
                f,
                "golomb stream is truncated, or golomb stream is corrupt: its table asks for {wanted} bytes, got {got}"
            ),
            GolombError::Truncated { chunk } => {
                write!(f, "golomb stream is truncated: chunk {chunk} ends before its last sign")
            }
            GolombError::Corrupt(what) => write!(f, "golomb stream is corrupt: {what}"),
            GolombError::Aborted => write!(f, "the operation was aborted"),
        }
    }
}

impl std::error::Error for GolombError {}

impl From<Aborted> for GolombError {
    fn from(_: Aborted) -> Self {
        GolombError::Aborted
    }
}

/// The parameter b of `nonzeros` signs in `n` items: `1 + floor(log2(ln(phi - 1) / ln(1 - p)))`, in 0..16, p being
/// their share and phi the golden ratio; 0 for p = 0 and p = 1.
///
/// ```
/// use tamis_kernels::golomb::parameter;
/// assert_eq!([parameter(0, 9), parameter(1, 10), parameter(1, 20), parameter(9, 9)], [0, 3, 4, 0]);
/// ```
pub fn parameter(nonzeros: u64, n: u64) -> u32 {
    if nonzeros == 0 || nonzeros >= n {
        return 0;
    }
    let p = nonzeros as f64 / n as f64;
    let phi = (5f64.sqrt() + 1.0) / 2.0;
    let b = 1.0 + libm::log2(libm::log(phi - 1.0) / libm::log(1.0 - p)).floor();
    b.clamp(0.0, 16.0) as u32
}

/// The code of one tensor of `n` signs (masks as in [`crate::ternary`]). Runs in parallel.
///
/// # Panics
/// If the masks have not [`bytes_of`] n.
///
/// ```
/// use tamis_kernels::{golomb::{decode, encode}, job::Job};
/// let bytes = encode(&[0b0100], &[0b1000], 5, &Job::default()).unwrap();
/// assert_eq!(decode(&bytes, 5, &Job::default()), Ok((vec![0b0100], vec![0b1000])));
/// ```
pub fn encode(positive: &[u8], negative: &[u8], n: usize, job: &Job) -> Result<Vec<u8>, Aborted> {
    assert!(positive.len() == bytes_of(n) && negative.len() == positive.len(), "a bit for each item");
    let counts = tasks::grouped(n, CHUNK, n <= CHUNK, job, |range| {
        let masks = range.start / 8..bytes_of(range.end);
        count(Cpu::current(), &positive[masks.clone()], &negative[masks])
    })?;
    let nonzeros = counts.into_iter().map(u64::from).sum();
    let b = parameter(nonzeros, n as u64);
    let streams = tasks::grouped(n, CHUNK, n <= CHUNK, job, |range| {
        let masks = range.start / 8..bytes_of(range.end);
        encode_chunk(&positive[masks.clone()], &negative[masks], b)
    })?;
    let mut out = head(b, streams.len() as u32).to_vec();
    out.reserve_exact(streams.iter().map(|(_, stream)| ENTRY + stream.len()).sum());
    streams.iter().for_each(|(signs, stream)| out.extend(entry(*signs, stream.len() as u32)));
    streams.iter().for_each(|(_, stream)| out.extend(stream));
    Ok(out)
}

/// What a payload of so many chunks begins with.
pub fn head(b: u32, chunks: u32) -> [u8; 8] {
    (u64::from(b) | u64::from(chunks) << 32).to_le_bytes()
}

/// A chunk's line of the table.
pub fn entry(signs: u32, bytes: u32) -> [u8; 8] {
    (u64::from(signs) | u64::from(bytes) << 32).to_le_bytes()
}

/// One chunk's signs, and their stream.
pub fn encode_chunk(positive: &[u8], negative: &[u8], b: u32) -> (u32, Vec<u8>) {
    let cpu = Cpu::current();
    let signs = count(cpu, positive, negative);
    // Together gaps are as long as the chunk at most.
    let bits = signs as usize * (b as usize + 2) + ((8 * positive.len()) >> b);
    (signs, write(cpu, positive, negative, b, bits.div_ceil(8)))
}

vectorized! {
    /// The signs of a chunk.
    fn count(cpu: Cpu, positive: &[u8], negative: &[u8]) -> u32 {
        words(positive).zip(words(negative)).map(|(p, n)| (p | n).count_ones()).sum()
    }
}

vectorized! {
    /// The stream of a chunk, which has at most so many bytes.
    fn write(cpu: Cpu, positive: &[u8], negative: &[u8], b: u32, most: usize) -> Vec<u8> {
        let mut writer = Writer::new(most);
        let (mut first, mut next) = (0, 0);
        words(positive).zip(words(negative)).for_each(|(positive, negative)| {
            let mut left = positive | negative;
            while left != 0 {
                let bit = left.trailing_zeros();
                left &= left - 1;
                let place = first + bit;
                writer.code(place - next, b, negative >> bit & 1);
                next = place + 1;
            }
            first += WORD as u32;
        });
        writer.finish()
    }
}

/// Bits on their way into bytes.
struct Writer {
    /// Room for a word behind all that is written.
    bytes: Vec<u8>,
    at: usize,
    /// The low `fill` bits are still to be written: fewer than 8.
    word: u64,
    fill: u32,
}

impl Writer {
    /// For at most so many bytes.
    fn new(most: usize) -> Self {
        Writer { bytes: vec![0; most + 8], at: 0, word: 0, fill: 0 }
    }

    #[inline(always)]
    fn code(&mut self, gap: u32, b: u32, negative: u64) {
        let mut ones = gap >> b;
        while ones > RUN {
            self.bits((1 << RUN) - 1, RUN);
            ones -= RUN;
        }
        let low = u64::from(gap) & ((1 << b) - 1);
        self.bits(((1 << ones) - 1) | (low << (ones + 1)) | negative << (ones + 1 + b), ones + b + 2);
    }

    /// At most 56 bits.
    #[inline(always)]
    fn bits(&mut self, bits: u64, length: u32) {
        self.word |= bits << self.fill;
        self.fill += length;
        self.bytes[self.at..self.at + 8].copy_from_slice(&self.word.to_le_bytes());
        self.at += (self.fill / 8) as usize;
        // Fewer than 64 bits are whole bytes: at most 7 and 56 are there.
        self.word >>= self.fill & !7;
        self.fill %= 8;
    }

    fn finish(mut self) -> Vec<u8> {
        // The last bits lie behind the whole bytes already.
        self.bytes.truncate(self.at + usize::from(self.fill > 0));
        self.bytes
    }
}

/// The masks of `n` signs. Runs in parallel.
///
/// # Errors
/// [`GolombError`] where the bytes are not a whole code of n items.
pub fn decode(bytes: &[u8], n: usize, job: &Job) -> Result<(Vec<u8>, Vec<u8>), GolombError> {
    let short = |wanted: usize| GolombError::Short { wanted, got: bytes.len() };
    let chunks = n.div_ceil(CHUNK);
    let table_end = HEAD + ENTRY * chunks;
    let head: [u8; HEAD] = bytes.first_chunk().copied().ok_or(short(table_end))?;
    let b = u32::from(head[0]);
    if b > 16 || head[1..4] != [0; 3] {
        return Err(GolombError::Corrupt("its head is none"));
    }
    if u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize != chunks {
        return Err(GolombError::Corrupt("its number of chunks is not that of the items"));
    }
    let table = bytes.get(HEAD..table_end).ok_or(short(table_end))?;
    let mut at = table_end;
    let mut streams = Vec::with_capacity(chunks);
    for entry in table.as_chunks::<ENTRY>().0 {
        let [a, b, c, d, e, f, g, h] = *entry;
        let [signs, length] = [[a, b, c, d], [e, f, g, h]].map(u32::from_le_bytes);
        // The table's end may lie far behind that of the bytes: no sum of u32 overflows.
        let end = at as u64 + u64::from(length);
        if end > bytes.len() as u64 {
            return Err(short(end as usize));
        }
        streams.push((signs, &bytes[at..end as usize]));
        at = end as usize;
    }
    if at < bytes.len() {
        return Err(GolombError::Corrupt("bytes follow its last chunk"));
    }
    let (mut positive, mut negative) = (vec![0; bytes_of(n)], vec![0; bytes_of(n)]);
    let one = |chunk: usize, &(signs, stream): &(u32, &[u8]), positive: &mut [u8], negative: &mut [u8]| {
        job.check()?;
        let items = (n - chunk * CHUNK).min(CHUNK);
        decode_chunk(stream, b, signs, items, positive, negative).map_err(|error| match error {
            GolombError::Truncated { .. } => GolombError::Truncated { chunk },
            other => other,
        })
    };
    let size = CHUNK / 8;
    if chunks <= 1 {
        let masks = streams.iter().zip(positive.chunks_mut(size)).zip(negative.chunks_mut(size));
        masks
            .enumerate()
            .try_for_each(|(chunk, ((stream, positive), negative))| one(chunk, stream, positive, negative))?;
    } else {
        let masks = streams.par_iter().zip(positive.par_chunks_mut(size)).zip(negative.par_chunks_mut(size));
        // The first chunk's error, whichever thread was first.
        let one = |(chunk, ((stream, positive), negative))| one(chunk, stream, positive, negative);
        let results: Vec<_> = threads::pool().install(|| masks.enumerate().map(one).collect());
        results.into_iter().collect::<Result<(), _>>()?;
    }
    Ok((positive, negative))
}

/// Sets the bits of one chunk of `items` items, which hold none yet.
pub fn decode_chunk(
    stream: &[u8],
    b: u32,
    signs: u32,
    items: usize,
    positive: &mut [u8],
    negative: &mut [u8],
) -> Result<(), GolombError> {
    let mut reader = Reader { bytes: stream, at: 0 };
    let mut next = 0;
    for _ in 0..signs {
        let (gap, sign) = reader.code(b, items).ok_or(GolombError::Truncated { chunk: 0 })?;
        let place = next + gap;
        if place >= items {
            return Err(GolombError::Corrupt("a gap passes its chunk's end"));
        }
        let mask = if sign { &mut *negative } else { &mut *positive };
        mask[place / 8] |= 1 << (place % 8);
        next = place + 1;
    }
    let rest = stream.len() * 8 - reader.at;
    if rest >= 8 || reader.peek() & ((1 << rest) - 1) != 0 {
        return Err(GolombError::Corrupt("bits follow a chunk's last sign"));
    }
    Ok(())
}

struct Reader<'a> {
    bytes: &'a [u8],
    /// In bits.
    at: usize,
}

impl Reader<'_> {
    /// The next bits, at least 57 of them; 0 behind the end.
    #[inline(always)]
    fn peek(&self) -> u64 {
        let first = self.at / 8;
        let word = match self.bytes.get(first..first + 8) {
            Some(eight) => u64::from_le_bytes(eight.try_into().expect("eight bytes")),
            None => word_at(self.bytes, 8 * first.min(self.bytes.len()), WORD),
        };
        word >> (self.at % 8)
    }

    /// A gap, capped a little above `most`, and whether its sign is negative; `None` if the bits do not suffice.
    #[inline(always)]
    fn code(&mut self, b: u32, most: usize) -> Option<(usize, bool)> {
        let mut word = self.peek();
        let mut ones = word.trailing_ones();
        let mut quotient = 0;
        while ones >= RUN {
            self.at += RUN as usize;
            quotient = (quotient + RUN as usize).min(most + 1);
            word = self.peek();
            ones = word.trailing_ones();
        }
        quotient = (quotient + ones as usize).min(most + 1);
        word >>= ones + 1;
        let low = word & ((1 << b) - 1);
        let negative = word >> b & 1 == 1;
        self.at += (ones + b + 2) as usize;
        (self.at <= 8 * self.bytes.len()).then_some((quotient << b | low as usize, negative))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The stream bit by bit.
    fn naive_chunk(signs: &[i8], b: u32) -> Vec<u8> {
        let mut bits = Vec::new();
        let mut before = -1i64;
        for (i, &sign) in signs.iter().enumerate().filter(|(_, sign)| **sign != 0) {
            let gap = i as i64 - before - 1;
            before = i as i64;
            bits.extend((0..gap >> b).map(|_| 1u8));
            bits.push(0);
            bits.extend((0..b).map(|bit| (gap >> bit & 1) as u8));
            bits.push(u8::from(sign < 0));
        }
        bits.chunks(8).map(|eight| eight.iter().zip(0..).fold(0, |byte, (bit, i)| byte | bit << i)).collect()
    }

    fn masks(signs: &[i8]) -> [Vec<u8>; 2] {
        let mut masks = [vec![0; bytes_of(signs.len())], vec![0; bytes_of(signs.len())]];
        for (i, &sign) in signs.iter().enumerate().filter(|(_, sign)| **sign != 0) {
            masks[usize::from(sign < 0)][i / 8] |= 1 << (i % 8);
        }
        masks
    }

    fn code(positive: &[u8], negative: &[u8], n: usize) -> Vec<u8> {
        encode(positive, negative, n, &Job::default()).unwrap()
    }

    fn refuse(bytes: &[u8], n: usize) -> String {
        decode(bytes, n, &Job::default()).unwrap_err().to_string()
    }

    #[test]
    fn long_tensors_are_coded_by_chunks() {
        for share in [1, 40, 3000, 200_000] {
            let mut words = vec![0; 3 * CHUNK + 777];
            crate::philox::Philox::new(share, 0).below(0, 2 * share + 1, &mut words);
            let signs: Vec<i8> = words.iter().map(|&w| if w < 2 { 2 * w as i8 - 1 } else { 0 }).collect();
            let [positive, negative] = masks(&signs);
            let bytes = code(&positive, &negative, signs.len());
            let nonzeros = signs.iter().filter(|&&sign| sign != 0).count() as u64;
            let b = parameter(nonzeros, signs.len() as u64);
            let streams: Vec<u8> = signs.chunks(CHUNK).flat_map(|chunk| naive_chunk(chunk, b)).collect();
            assert!(bytes[HEAD + 4 * ENTRY..] == streams);
            assert_eq!(bytes[..HEAD], [b as u8, 0, 0, 0, 4, 0, 0, 0]);
            assert!(decode(&bytes, signs.len(), &Job::default()) == Ok((positive, negative)));
        }
    }

    #[test]
    fn no_items_and_no_signs_have_a_code() {
        assert_eq!(code(&[], &[], 0), [0; 8]);
        assert_eq!(decode(&[0; 8], 0, &Job::default()), Ok((vec![], vec![])));
        assert_eq!(code(&[0], &[0], 5), [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn what_is_no_code_is_told() {
        let bytes = code(&[0b0001_0010, 1], &[0, 0b10], 10);
        assert!(refuse(&bytes[..4], 10).contains("golomb stream is truncated"));
        assert!(refuse(&bytes[..12], 10).contains("golomb stream is truncated"));
        assert!(refuse(&bytes[..bytes.len() - 1], 10).contains("golomb stream is corrupt"));
        assert!(refuse(&[&bytes[..], &[0]].concat(), 10).contains("bytes follow"));
        assert!(refuse(&bytes, 9).contains("passes"));
        assert!(refuse(&bytes, 100_000).contains("number of chunks"));
        let with = |at: usize, byte: u8| {
            let mut bytes = bytes.clone();
            bytes[at] = byte;
            refuse(&bytes, 10)
        };
        assert!(with(0, 17).contains("head"));
        assert!(with(2, 1).contains("head"));
        assert!(with(8, 5).contains("truncated") || with(8, 5).contains("corrupt"));
        assert!(with(8, 3).contains("bits follow"));
        assert!(with(8, 255).contains("golomb stream is"));
        assert!(with(13, 1).contains("golomb stream is corrupt"));
        let ones = [&[0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 20, 0, 0, 0][..], &[255; 20]].concat();
        assert!(refuse(&ones, 1000).contains("truncated"));
    }

    proptest! {
        #[test]
        fn what_is_coded_comes_back(
            signs in proptest::collection::vec(prop_oneof![8 => Just(0i8), 1 => Just(1), 1 => Just(-1)], 0..2000),
            b in 0u32..17,
        ) {
            let [positive, negative] = masks(&signs);
            let bytes = code(&positive, &negative, signs.len());
            prop_assert_eq!(decode(&bytes, signs.len(), &Job::default()), Ok((positive.clone(), negative.clone())));
            let (count, stream) = encode_chunk(&positive, &negative, b);
            prop_assert_eq!(&stream, &naive_chunk(&signs, b));
            let mut back = [vec![0; positive.len()], vec![0; positive.len()]];
            let [back_positive, back_negative] = &mut back;
            decode_chunk(&stream, b, count, signs.len(), back_positive, back_negative).unwrap();
            prop_assert_eq!(back, [positive, negative]);
        }

        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200), n in 0usize..3000, b in 0u8..18) {
            let _ = decode(&bytes, n, &Job::default());
            let chunks = n.div_ceil(CHUNK) as u8;
            let bytes = [&[b, 0, 0, 0, chunks, 0, 0, 0][..], &bytes].concat();
            let _ = decode(&bytes, n, &Job::default());
            let length = bytes.len().saturating_sub(HEAD) as u8;
            let bytes = [&[b, 0, 0, 0, chunks, 0, 0, 0, 9, 0, 0, 0, length, 0, 0, 0][..], &bytes[HEAD..]].concat();
            let _ = decode(&bytes, n, &Job::default());
        }
    }
}
