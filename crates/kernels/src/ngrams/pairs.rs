//! A bounded table from pairs of word numbers to buckets: sets of five, a cache line each.

/// Sets of five pairs.
const SETS: usize = 1 << 15;
const WAYS: usize = 5;

#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
struct Set {
    keys: [u64; WAYS],
    buckets: [u32; WAYS],
    /// The way that is pushed out next.
    turn: u32,
}

/// The table.
pub struct Pairs {
    sets: Vec<Set>,
}

/// The key of two words; their numbers are above 0, so no key is 0.
#[inline(always)]
pub fn key(first: u32, second: u32) -> u64 {
    u64::from(first) << 32 | u64::from(second)
}

#[inline(always)]
fn set_of(key: u64) -> usize {
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SETS.ilog2())) as usize
}

impl Pairs {
    pub fn new() -> Self {
        Pairs { sets: vec![Set::default(); SETS] }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Pairs::new();
    }

    /// Sends for the set of a pair.
    #[inline(always)]
    pub fn prepare(&self, key: u64) {
        super::prefetch(&self.sets[set_of(key)]);
    }

    /// Whether the pair is there, and its bucket if it is.
    #[inline(always)]
    pub fn get(&self, key: u64) -> (bool, u32) {
        let set = &self.sets[set_of(key)];
        let mut way = WAYS;
        for i in 0..WAYS {
            if set.keys[i] == key {
                way = i;
            }
        }
        (way < WAYS, set.buckets[way.min(WAYS - 1)])
    }

    /// Puts a pair there.
    #[inline(always)]
    pub fn insert(&mut self, key: u64, bucket: u32) {
        let set = &mut self.sets[set_of(key)];
        if set.keys.contains(&key) {
            return;
        }
        let way = set.turn as usize % WAYS;
        (set.keys[way], set.buckets[way]) = (key, bucket);
        set.turn = (way + 1) as u32 % WAYS as u32;
    }
}
