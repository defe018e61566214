//! A bounded table from words to numbers and buckets.
//!
//! Words of up to 16 bytes are compared as two integers, in sets of two to a cache line: a word that is asked for
//! again moves to the front, a word that is not there takes the other place. Longer ones are compared byte by byte
//! with a copy. Numbers are given in order and never twice, so (number, number) names a pair exactly for as long as
//! anybody remembers it, whatever was pushed out in between.

use super::cutter::PAD;

/// Sets of two short words, 4 MiB of them.
const SETS: usize = 1 << 16;
/// Long words.
const LONG: usize = 1 << 13;
/// Bytes of long words, all together; then they start over.
const LONG_BYTES: usize = 1 << 20;
/// Longer ones are not kept.
const LONGEST: usize = 256;

/// Bytes of a short word.
pub const SHORT: usize = 16;

/// Bits of a word's number; before they run out everything starts over.
pub const ID_BITS: u32 = 22;

/// A short word: its bytes, 0xff (which no UTF-8 has) and zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Key(u64, u64);

impl Key {
    /// The key of the `len` bytes from `start` on, or of the first 16 if there are more.
    ///
    /// # Panics
    /// If fewer than 16 bytes follow `start`.
    #[inline(always)]
    pub fn new(bytes: &[u8], start: usize, len: usize) -> Key {
        let word: &[u8; 16] = bytes[start..start + 16].try_into().expect("16 bytes");
        let (low, high) = word.split_at(8);
        let read = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("8 bytes"));
        let [mask, stop] = &ENDS[len.min(SHORT)];
        Key(read(low) & mask[0] | stop[0], read(high) & mask[1] | stop[1])
    }

    /// The number of the word's set.
    #[inline(always)]
    fn set(self) -> u32 {
        // No key has bytes 0xfe or 0xfd, so neither factor is ever 0.
        let product = u128::from(self.0 ^ 0xfef3_a6d1_94c8_2b7d) * u128::from(self.1 ^ 0xfda1_5c3b_e897_42d5);
        ((product as u64 ^ (product >> 64) as u64) >> (u64::BITS - SETS.ilog2())) as u32
    }
}

/// By length: what to keep of 16 bytes, and what to put behind that.
const ENDS: [[[u64; 2]; 2]; SHORT + 1] = {
    let mut ends = [[[0; 2]; 2]; SHORT + 1];
    let mut len = 0;
    while len <= SHORT {
        let mask: u128 = if len == SHORT { !0 } else { (1 << (8 * len)) - 1 };
        let stop: u128 = if len == SHORT { 0 } else { 0xff << (8 * len) };
        ends[len] = [[mask as u64, (mask >> 64) as u64], [stop as u64, (stop >> 64) as u64]];
        len += 1;
    }
    ends
};

#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
struct Set {
    keys: [Key; 2],
    ids: [u32; 2],
    buckets: [u32; 2],
}

#[derive(Clone, Copy, Default)]
struct Long {
    hash: u64,
    start: u32,
    len: u32,
    id: u32,
    bucket: u32,
}

/// What the table says of a word. A word that was not there has a number too and no bucket yet.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    pub id: u32,
    pub bucket: u32,
}

/// Where a word lies, until others are asked for.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    Short(u32),
    Long(u32),
    Nowhere,
}

/// The table.
pub struct Words {
    sets: Vec<Set>,
    long: Vec<Long>,
    long_bytes: Vec<u8>,
    next: u32,
}

impl Words {
    pub fn new() -> Self {
        Words {
            sets: vec![Set::default(); SETS],
            long: vec![Long::default(); LONG],
            long_bytes: Vec::new(),
            next: 1,
        }
    }

    /// The number that the next word gets that is not there.
    #[inline(always)]
    pub fn next(&self) -> u32 {
        self.next
    }

    /// A number that no word of the table has.
    #[inline(always)]
    pub fn fresh(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }

    /// Starts over, with numbers too.
    pub fn clear(&mut self) {
        self.sets.fill(Set::default());
        self.long.fill(Long::default());
        self.long_bytes.clear();
        self.next = 1;
    }

    /// The set of a short word, on its way into the cache.
    #[inline(always)]
    pub fn prepare(&self, key: Key) -> u32 {
        let set = key.set();
        crate::cpu::prefetch(&self.sets[set as usize]);
        set
    }

    /// Looks a short word up and, if it is not there, puts it there.
    #[inline(always)]
    pub fn short(&mut self, key: Key, set: u32) -> Found {
        let Set { keys, ids, buckets } = &mut self.sets[set as usize];
        if keys[0] == key {
            return Found { id: ids[0], bucket: buckets[0] };
        }
        if keys[1] == key {
            keys.swap(0, 1);
            ids.swap(0, 1);
            buckets.swap(0, 1);
            return Found { id: ids[0], bucket: buckets[0] };
        }
        let id = self.next;
        (keys[1], ids[1]) = (key, id);
        self.next += 1;
        Found { id, bucket: 0 }
    }

    /// As [`Words::short`], for a longer word; also where it lies.
    pub fn long(&mut self, word: &[u8]) -> (Found, Place) {
        if word.len() > LONGEST {
            return (Found { id: self.fresh(), bucket: 0 }, Place::Nowhere);
        }
        let hash = hash(word);
        let at = hash >> (u64::BITS - LONG.ilog2());
        let Long { hash: other, start, len, id, bucket } = self.long[at as usize];
        let place = Place::Long(at as u32);
        // Most others differ in the hash: their bytes need not be fetched.
        if other == hash && self.long_bytes[start as usize..][..len as usize] == *word {
            return (Found { id, bucket }, place);
        }
        if self.long_bytes.len() + word.len() > LONG_BYTES {
            self.long_bytes.clear();
            self.long.fill(Long::default());
        }
        let id = self.fresh();
        let start = self.long_bytes.len() as u32;
        self.long_bytes.extend_from_slice(word);
        self.long[at as usize] = Long { hash, start, len: word.len() as u32, id, bucket: 0 };
        (Found { id, bucket: 0 }, place)
    }

    /// Tells the bucket of the word with number `id`, if it still lies there.
    pub fn learn(&mut self, place: Place, id: u32, bucket: u32) {
        match place {
            Place::Short(set) => {
                let set = &mut self.sets[set as usize];
                for way in 0..2 {
                    if set.ids[way] == id {
                        set.buckets[way] = bucket;
                    }
                }
            }
            Place::Long(at) => {
                let long = &mut self.long[at as usize];
                if long.id == id {
                    long.bucket = bucket;
                }
            }
            Place::Nowhere => {}
        }
    }
}

/// A hash of all bytes of a long word.
fn hash(word: &[u8]) -> u64 {
    let mut hash = word.len() as u64;
    let mut mix = |part: &[u8; 16]| {
        let (low, high) = part.split_at(8);
        let read = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("8 bytes"));
        let product = u128::from(read(low) ^ hash) * u128::from(read(high) ^ 0xfda1_5c3b_e897_42d5);
        hash = (product as u64 ^ (product >> 64) as u64).wrapping_add(hash);
    };
    let (parts, _) = word.as_chunks();
    parts.iter().for_each(&mut mix);
    mix(word.last_chunk().expect("longer than 16 bytes"));
    hash.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

const _: () = assert!(PAD >= SHORT);
