//! ASCII in blocks of 32 bytes by AVX2: classes are looked up by half bytes, and of each 8 bytes what is kept is shuffled
//! to the front.

use super::{ASCII, Cleaned, DELETED};
use crate::cpu::Cpu;
use std::arch::x86_64::*;

const BLOCK: usize = 32;

/// The way over blocks, if `cpu` has what it takes.
pub fn available(cpu: Cpu) -> Option<fn(&mut Cleaned, &[u8]) -> usize> {
    // SAFETY: the processor has the instructions, says `cpu`.
    cpu.avx2.then_some(|cleaned, bytes| unsafe { ascii(cleaned, bytes) })
}

/// As [`Cleaned::ascii`].
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn ascii(cleaned: &mut Cleaned, bytes: &[u8]) -> usize {
    let (mut done, mut used) = (0, cleaned.used);
    let mut after_space = cleaned.after_space;
    loop {
        let left = &bytes[done..];
        let block = match left.first_chunk::<BLOCK>() {
            Some(block) => *block,
            None => {
                // What is missing looks as what is no ASCII: the text ends there.
                let mut block = [0x80; BLOCK];
                block[..left.len()].copy_from_slice(left);
                block
            }
        };
        let classes = Classes::of(&block);
        let valid = classes.valid_bytes();
        let is_valid = (1u64 << valid) - 1;
        let deleted = classes.punctuation & is_valid;
        let spaces = classes.spaces & is_valid;

        // Behind white space and what is deleted there: adding carries a bit through a run of ones, and out of it.
        let behind = spaces << 1 | u64::from(after_space);
        let reached = (((behind & deleted) + deleted) | behind) & !deleted;
        after_space = reached >> valid & 1 == 1;
        let kept = is_valid & !deleted & !(spaces & reached);

        if cleaned.out.len() < used + BLOCK {
            cleaned.used = used;
            cleaned.reserve(left.len().max(BLOCK));
        }
        used += pack(&classes.written, kept, &mut cleaned.out[used..used + BLOCK]);
        done += valid;
        if valid < BLOCK {
            break;
        }
    }
    (cleaned.used, cleaned.after_space) = (used, after_space);
    done
}

/// Of a block, a bit for each byte, the first lowest.
struct Classes {
    /// Of bytes that are no ASCII.
    beyond: u64,
    punctuation: u64,
    spaces: u64,
    /// What is written where it is kept.
    written: [u8; BLOCK],
}

impl Classes {
    #[target_feature(enable = "avx2")]
    #[inline]
    fn of(block: &[u8; BLOCK]) -> Self {
        // SAFETY: a block is 32 readable bytes, as a table is 16; the loads ask for no alignment.
        let (bytes, punctuation, spaces) = unsafe {
            let table = |rows: &[u8; 16]| _mm256_broadcastsi128_si256(_mm_loadu_si128(rows.as_ptr().cast()));
            (_mm256_loadu_si256(block.as_ptr().cast()), table(&PUNCTUATION), table(&SPACES))
        };
        let half = _mm256_set1_epi8(0x0f);
        let low = _mm256_and_si256(bytes, half);
        let high = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), half);
        let row = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_set1_epi64x(ROW)), high);
        let none = _mm256_setzero_si256();
        let is_other =
            |table| _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(table, low), row), none);
        let (no_punctuation, no_space) = (is_other(punctuation), is_other(spaces));

        let upper = _mm256_and_si256(
            _mm256_cmpgt_epi8(bytes, _mm256_set1_epi8(b'A' as i8 - 1)),
            _mm256_cmpgt_epi8(_mm256_set1_epi8(b'Z' as i8 + 1), bytes),
        );
        let lower = _mm256_add_epi8(bytes, _mm256_and_si256(upper, _mm256_set1_epi8(0x20)));
        // Every white space that is kept is a U+0020.
        let written = _mm256_blendv_epi8(_mm256_set1_epi8(b' ' as i8), lower, no_space);
        let bits = |vector| u64::from(_mm256_movemask_epi8(vector) as u32);
        let mut classes = Classes {
            beyond: bits(bytes),
            punctuation: !bits(no_punctuation),
            spaces: !bits(no_space),
            written: [0; BLOCK],
        };
        // SAFETY: 32 writable bytes; the store asks for no alignment.
        unsafe { _mm256_storeu_si256(classes.written.as_mut_ptr().cast(), written) };
        classes
    }

    /// How many bytes lie in front of the first that is no ASCII.
    fn valid_bytes(&self) -> usize {
        (self.beyond | 1 << BLOCK).trailing_zeros() as usize
    }
}

/// Writes the bytes of a block whose bits are set side by side; returns how many. What is written behind them counts for nothing.
#[target_feature(enable = "avx2,popcnt")]
#[inline]
fn pack(block: &[u8; BLOCK], kept: u64, out: &mut [u8]) -> usize {
    let mut used = 0;
    for (i, eight) in block.as_chunks::<8>().0.iter().enumerate() {
        let mask = (kept >> (8 * i) & 0xff) as usize;
        let order = _mm_cvtsi64_si128(i64::from_le_bytes(ORDER[mask]));
        let packed = _mm_shuffle_epi8(_mm_cvtsi64_si128(i64::from_le_bytes(*eight)), order);
        out[used..used + 8].copy_from_slice(&_mm_cvtsi128_si64(packed).to_le_bytes());
        used += mask.count_ones() as usize;
    }
    used
}

/// By the high half of an ASCII byte its bit, in bytes of a 64-bit integer.
const ROW: i64 = i64::from_le_bytes([1, 2, 4, 8, 16, 32, 64, 128]);
static PUNCTUATION: [u8; 16] = rows(DELETED);
static SPACES: [u8; 16] = rows(b' ');

/// By the low half of a byte, bit h tells whether it becomes `kind` where its high half is h.
const fn rows(kind: u8) -> [u8; 16] {
    let mut rows = [0; 16];
    let mut byte = 0;
    while byte < 128 {
        rows[byte % 16] |= ((ASCII[byte] == kind) as u8) << (byte / 16);
        byte += 1;
    }
    rows
}

/// For each mask of 8 bits the places of its ones, in order.
static ORDER: [[u8; 8]; 256] = {
    let mut order = [[0; 8]; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut bit, mut at) = (0, 0);
        while bit < 8 {
            if mask >> bit & 1 == 1 {
                order[mask][at] = bit as u8;
                at += 1;
            }
            bit += 1;
        }
        mask += 1;
    }
    order
};
