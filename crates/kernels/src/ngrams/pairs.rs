//! A bounded table from pairs of word numbers to buckets: sets of eight, a cache line each.
//!
//! A pair of numbers is mapped to another 44-bit number one to one; its upper bits are the set and the others the tag,
//! so equal tags in a set are equal pairs. A newcomer takes one of the last four places; a pair of those that is asked
//! for again changes places with one of the first four. So pairs that come once only push out their like.

use super::words::ID_BITS;

/// Sets, 2 MiB of them: beyond the caches an access costs half a digest, and a larger table saves less than that.
const SET_BITS: u32 = 15;
const WAYS: usize = 8;
/// Places for newcomers, the last ones of a set.
const NEW: usize = 4;
const KEY_BITS: u32 = 2 * ID_BITS;
const TAG_BITS: u32 = KEY_BITS - SET_BITS;
/// In a tag: somebody is there.
const TAKEN: u32 = 1 << 31;

const _: () = assert!(TAG_BITS < 32);

#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
struct Set {
    tags: [u32; WAYS],
    buckets: [u32; WAYS],
}

/// The place of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    set: u32,
    tag: u32,
}

impl Key {
    /// The place of the pair of two words' numbers.
    #[inline(always)]
    pub fn new(first: u32, second: u32) -> Key {
        // Times an odd number, modulo 2^44: one to one.
        let pair = u64::from(first) << ID_BITS | u64::from(second);
        let mixed = pair.wrapping_mul(0x9e37_79b9_7f4a_7c15) & ((1 << KEY_BITS) - 1);
        Key { set: (mixed >> TAG_BITS) as u32, tag: mixed as u32 & ((1 << TAG_BITS) - 1) | TAKEN }
    }
}

/// The table.
pub struct Pairs {
    sets: Vec<Set>,
    /// Pairs put there so far.
    turn: usize,
}

impl Pairs {
    pub fn new() -> Self {
        Pairs { sets: vec![Set::default(); 1 << SET_BITS], turn: 0 }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.sets.fill(Set::default());
    }

    /// Sends for the set of a pair.
    #[inline(always)]
    pub fn prepare(&self, key: Key) {
        crate::cpu::prefetch(&self.sets[key.set as usize]);
    }

    /// Whether the pair is there, and its bucket if it is.
    #[inline(always)]
    pub fn get(&mut self, key: Key) -> (bool, u32) {
        let Set { tags, buckets } = &mut self.sets[key.set as usize];
        let way = find(tags, key.tag);
        let at = way % WAYS;
        let bucket = buckets[at];
        // Ahead of the newcomers; who is there already changes places with himself.
        let ahead = at % NEW;
        tags.swap(at, ahead);
        buckets.swap(at, ahead);
        (way < WAYS, bucket)
    }

    /// Puts a pair there.
    #[inline(always)]
    pub fn insert(&mut self, key: Key, bucket: u32) {
        let Set { tags, buckets } = &mut self.sets[key.set as usize];
        let found = find(tags, key.tag);
        let way = if found < WAYS { found } else { WAYS - NEW + self.turn % NEW };
        (tags[way], buckets[way]) = (key.tag, bucket);
        self.turn += 1;
    }
}

/// The way of a tag, or [`WAYS`].
#[inline(always)]
fn find(tags: &[u32; WAYS], tag: u32) -> usize {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: eight words are two vectors of four; SSE2 is in the architecture's baseline.
    let equal = unsafe {
        use std::arch::x86_64::*;
        let tag = _mm_set1_epi32(tag as i32);
        let low = _mm_cmpeq_epi32(_mm_loadu_si128(tags.as_ptr().cast()), tag);
        let high = _mm_cmpeq_epi32(_mm_loadu_si128(tags.as_ptr().add(4).cast()), tag);
        let bytes = _mm_packs_epi16(_mm_packs_epi32(low, high), _mm_setzero_si128());
        _mm_movemask_epi8(bytes) as u32
    };
    #[cfg(not(target_arch = "x86_64"))]
    let equal = (0..WAYS).fold(0, |equal, way| equal | u32::from(tags[way] == tag) << way);
    (equal | 1 << WAYS).trailing_zeros() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn different_pairs_have_different_keys(a in 1u32..1 << ID_BITS, b in 1u32..1 << ID_BITS, c in 1u32..1 << ID_BITS) {
            prop_assert_eq!(Key::new(a, b) == Key::new(c, b), a == c);
            prop_assert_eq!(Key::new(a, b) == Key::new(a, c), b == c);
            prop_assert_eq!(Key::new(a, b) == Key::new(b, a), a == b);
        }

        #[test]
        fn what_is_found_is_what_was_put(pairs in proptest::collection::vec((1u32..60, 1u32..60), 0..2000)) {
            let mut table = Pairs::new();
            // All into a few sets, so that they push each other out.
            let crowd = |(a, b)| Key { set: Key::new(a, b).set % 4, tag: a << 8 | b | TAKEN };
            let mut put = HashMap::new();
            for (i, &pair) in pairs.iter().enumerate() {
                let (is_there, bucket) = table.get(crowd(pair));
                if is_there {
                    prop_assert_eq!(Some(&bucket), put.get(&pair));
                } else {
                    table.insert(crowd(pair), i as u32);
                    put.insert(pair, i as u32);
                    prop_assert_eq!(table.get(crowd(pair)), (true, i as u32));
                }
            }
        }
    }
}
