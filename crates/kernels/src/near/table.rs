//! Which document had a key first.

use std::collections::HashMap;
use std::fmt::Debug;

/// What documents are found by: a hash, of which all values are about equally likely. `Key::default()`, zero, is no
/// key: documents that have it are linked to nothing.
pub trait Key: Copy + Eq + Default + Debug + Send + Sync + 'static {
    /// The 64 bits by which keys are spread over parts and tables.
    fn spread(self) -> u64;
}

impl Key for u64 {
    #[inline]
    fn spread(self) -> u64 {
        self
    }
}

impl Key for u128 {
    #[inline]
    fn spread(self) -> u64 {
        (self >> 64) as u64
    }
}

/// A key and the first document that had it; the default key where the place is free.
#[derive(Clone, Copy, Default)]
#[repr(C, packed(4))]
struct Entry<K> {
    key: K,
    document: u32,
}

/// The first document of each key, of the keys of one part: a hash table with open addressing, in the order of the keys,
/// at most three quarters full.
pub struct FirstTable<K> {
    entries: Vec<Entry<K>>,
    used: usize,
    parts: u64,
}

impl<K: Key> FirstTable<K> {
    /// A table for one of `parts` parts of the keys, with room for so many.
    pub fn new(keys: usize, parts: u64) -> Self {
        let mut table = FirstTable { entries: Vec::new(), used: 0, parts };
        table.make_room(keys);
        table
    }

    /// Bytes of a table for so many keys.
    pub fn bytes(keys: usize) -> usize {
        Self::places(keys) * size_of::<Entry<K>>()
    }

    fn places(keys: usize) -> usize {
        keys + keys / 3 + 8
    }

    /// The part of `parts` that a key is in: equal ranges of keys.
    pub fn part_of(key: K, parts: u64) -> u64 {
        Self::divide(key, parts).0
    }

    /// A key's part, and where in it the key is, in 2^64ths.
    #[inline]
    fn divide(key: K, parts: u64) -> (u64, u64) {
        let wide = u128::from(key.spread()) * u128::from(parts);
        ((wide >> 64) as u64, wide as u64)
    }

    /// Where a key would be without others in its way.
    #[inline]
    fn place(&self, key: K) -> usize {
        let (_, within) = Self::divide(key, self.parts);
        ((u128::from(within) * self.entries.len() as u128) >> 64) as usize
    }

    /// Forgets all keys.
    pub fn clear(&mut self) {
        self.entries.fill(Entry::default());
        self.used = 0;
    }

    /// Sends for the memory in which a key is.
    #[inline]
    pub fn prefetch(&self, key: K) {
        if let Some(entry) = self.entries.get(self.place(key)) {
            crate::cpu::prefetch(entry);
        }
    }

    /// Whether a document had the key.
    pub fn contains(&self, key: K) -> bool {
        let found = self.entries[self.find(key)].key;
        found == key
    }

    /// The place of the key, or the free place where it would be.
    #[inline]
    fn find(&self, key: K) -> usize {
        assert!(key != K::default());
        let mut place = self.place(key);
        loop {
            let found = self.entries[place].key;
            if found == key || found == K::default() {
                return place;
            }
            place = if place + 1 == self.entries.len() { 0 } else { place + 1 };
        }
    }

    /// The first document that had the key: `document` if none had it before.
    ///
    /// # Panics
    /// If the key is no key.
    #[inline]
    pub fn first(&mut self, key: K, document: u32) -> u32 {
        if 4 * (self.used + 1) > 3 * self.entries.len() {
            self.make_room(2 * self.used + 8);
        }
        let place = self.find(key);
        let entry = &mut self.entries[place];
        let found = entry.key;
        if found != key {
            *entry = Entry { key, document };
            self.used += 1;
        }
        entry.document
    }

    /// A larger table with the same keys.
    fn make_room(&mut self, keys: usize) {
        let old = std::mem::replace(&mut self.entries, vec![Entry::default(); Self::places(keys)]);
        self.used = 0;
        for Entry { key, document } in old {
            if key != K::default() {
                self.first(key, document);
            }
        }
    }
}

/// The documents that hold a key beside the first one.
pub type MoreHolders = HashMap<u32, Vec<u32>>;

/// Finds the holders of `key` that `resembles` accepts and gives each to `link`; the document becomes a holder if there
/// are none.
pub fn link<K: Key, E>(
    table: &mut FirstTable<K>,
    more: &mut MoreHolders,
    (key, document): (K, u32),
    mut resembles: impl FnMut(u32) -> Result<bool, E>,
    mut link: impl FnMut(u32),
) -> Result<(), E> {
    let first = table.first(key, document);
    if first == document {
        return Ok(());
    }
    let mut linked = false;
    let others = more.get(&first).map_or(&[][..], Vec::as_slice);
    for &holder in std::iter::once(&first).chain(others) {
        if resembles(holder)? {
            link(holder);
            linked = true;
        }
    }
    if !linked {
        more.entry(first).or_default().push(document);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check<K: Key + std::hash::Hash>(keys: &[K], parts: u64, room: usize) {
        let mut first: HashMap<K, u32> = HashMap::new();
        let mut tables: Vec<FirstTable<K>> = (0..parts).map(|_| FirstTable::new(room, parts)).collect();
        for _ in 0..2 {
            for (&key, document) in keys.iter().zip(0..) {
                let want = *first.entry(key).or_insert(document);
                let table = &mut tables[FirstTable::part_of(key, parts) as usize];
                table.prefetch(key);
                assert_eq!(table.first(key, document), want);
            }
            first.clear();
            tables.iter_mut().for_each(FirstTable::clear);
        }
    }

    proptest! {
        #[test]
        fn the_first_document_of_every_key(
            keys in prop::collection::vec(prop_oneof![1..9_u64, any::<u64>().prop_map(|key| key.max(1)), (0..9_u64).prop_map(|i| u64::MAX - i)], 0..300),
            parts in 1..9_u64,
            room in 0..100_usize,
        ) {
            check(&keys, parts, room);
            let wide: Vec<u128> = keys.iter().map(|&key| u128::from(key) << 64 | u128::from(key % 3)).collect();
            check(&wide, parts, room);
        }
    }

    #[test]
    fn a_table_takes_16_bytes_a_key() {
        assert_eq!((size_of::<Entry<u64>>(), size_of::<Entry<u128>>()), (12, 20));
        assert!(FirstTable::<u64>::bytes(3000) <= 16 * 3000 + 96);
    }

    #[test]
    fn a_document_joins_the_holders_where_it_resembles_none() {
        let (mut table, mut more) = (FirstTable::<u64>::new(0, 1), MoreHolders::new());
        // Documents resemble each other where they are equal mod 10.
        let mut links = Vec::new();
        for document in [1, 2, 11, 12, 3, 21, 13] {
            let resembles = |holder: u32| Ok::<_, ()>(holder % 10 == document % 10);
            link(&mut table, &mut more, (5, document), resembles, |holder| links.push((document, holder)))
                .unwrap();
        }
        assert_eq!(links, [(11, 1), (12, 2), (21, 1), (13, 3)]);
        assert_eq!(link(&mut table, &mut more, (5, 4), |_| Err("unreadable"), |_| ()), Err("unreadable"));
    }
}
