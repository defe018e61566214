//! The size of a deflate block from the numbers of its symbols, as zlib chooses it: stored, with the fixed codes, or
//! with codes of its own.
//!
//! Huffman codes of one total length can differ in the lengths of their codes, and those are written too, so ties are
//! broken as zlib breaks them: a binary heap over (frequency, depth) with its sift-down, and its repair of codes that
//! are too long. Cost: O(s log s) for s symbols that occur.

/// Literals, the end of the block, and lengths.
pub const LITERALS_AND_LENGTHS: usize = 286;
pub const DISTANCES: usize = 30;
pub const END_OF_BLOCK: usize = 256;
const CODE_LENGTHS: usize = 19;
const HEAP: usize = 2 * LITERALS_AND_LENGTHS + 1;
const MOST_BITS: usize = 15;
const MOST_BITS_OF_LENGTHS: usize = 7;

/// Repeat the length before 3-6 times, and zero 3-10 or 11-138 times.
const REPEAT: usize = 16;
const ZEROS: usize = 17;
const MANY_ZEROS: usize = 18;

/// The order in which the lengths of the codes of code lengths are written.
const ORDER: [usize; CODE_LENGTHS] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

const EXTRA_OF_LENGTHS: [u8; 29] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const EXTRA_OF_DISTANCES: [u8; DISTANCES] =
    [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];

/// Extra bits and bits of the fixed code of each literal or length.
const LITERAL_BITS: [(u8, u8); LITERALS_AND_LENGTHS] = {
    let mut bits = [(0, 8); LITERALS_AND_LENGTHS];
    let mut i = 0;
    while i < LITERALS_AND_LENGTHS {
        if i > END_OF_BLOCK {
            bits[i].0 = EXTRA_OF_LENGTHS[i - END_OF_BLOCK - 1];
        }
        if i >= 144 && i < 256 {
            bits[i].1 = 9;
        } else if i >= 256 && i < 280 {
            bits[i].1 = 7;
        }
        i += 1;
    }
    bits
};
const FIXED_DISTANCE_BITS: u8 = 5;
const DISTANCE_BITS: [(u8, u8); DISTANCES] = {
    let mut bits = [(0, FIXED_DISTANCE_BITS); DISTANCES];
    let mut i = 0;
    while i < DISTANCES {
        bits[i].0 = EXTRA_OF_DISTANCES[i];
        i += 1;
    }
    bits
};
const CODE_LENGTH_BITS: [(u8, u8); CODE_LENGTHS] = {
    let mut bits = [(0, 0); CODE_LENGTHS];
    bits[REPEAT].0 = 2;
    bits[ZEROS].0 = 3;
    bits[MANY_ZEROS].0 = 7;
    bits
};

/// The symbol of each match length, by length - 3.
const LENGTH_SYMBOLS: [u16; 256] = {
    let mut symbols = [0; 256];
    let (mut length, mut code) = (0, 0);
    while code < 28 {
        let mut i = 0;
        while i < 1 << EXTRA_OF_LENGTHS[code] && length < 256 {
            symbols[length] = (END_OF_BLOCK + 1 + code) as u16;
            length += 1;
            i += 1;
        }
        code += 1;
    }
    // 258 has a symbol of its own.
    symbols[255] = (END_OF_BLOCK + 1 + 28) as u16;
    symbols
};

/// How often each symbol of a block occurs.
#[derive(Debug, Clone)]
pub struct Frequencies {
    literals: [u16; LITERALS_AND_LENGTHS],
    distances: [u16; DISTANCES],
}

impl Frequencies {
    /// Of an empty block: its end alone.
    pub fn new() -> Self {
        let mut literals = [0; LITERALS_AND_LENGTHS];
        literals[END_OF_BLOCK] = 1;
        Frequencies { literals, distances: [0; DISTANCES] }
    }

    #[inline(always)]
    pub fn literal(&mut self, byte: u8) {
        self.literals[usize::from(byte)] += 1;
    }

    /// A match of 3..=258 bytes at a distance from 1 on.
    #[inline(always)]
    pub fn copy(&mut self, length: usize, distance: usize) {
        self.copy_of(copy_symbols(length, distance));
    }

    /// A match with these symbols.
    #[inline(always)]
    pub fn copy_of(&mut self, (length, distance): (u16, u8)) {
        self.literals[usize::from(length)] += 1;
        self.distances[usize::from(distance)] += 1;
    }

    /// Bytes of a stream of this one block, which holds `stored` bytes.
    pub fn stream_size(&self, stored: usize) -> u32 {
        let mut tree = Tree::new();
        let mut bits = Bits { own: 0, fixed: 0 };
        let mut lengths = [0; LITERALS_AND_LENGTHS + DISTANCES];
        let (literal_lengths, distance_lengths) = lengths.split_at_mut(LITERALS_AND_LENGTHS);
        let literals = tree.build(&self.literals, &LITERAL_BITS, MOST_BITS, literal_lengths, &mut bits);
        let distances = tree.build(&self.distances, &DISTANCE_BITS, MOST_BITS, distance_lengths, &mut bits);
        let mut of_lengths = [0; CODE_LENGTHS];
        count_lengths(&literal_lengths[..=literals], &mut of_lengths);
        count_lengths(&distance_lengths[..=distances], &mut of_lengths);
        let fixed = bits.fixed;
        let mut code_lengths = [0; CODE_LENGTHS];
        tree.build(&of_lengths, &CODE_LENGTH_BITS, MOST_BITS_OF_LENGTHS, &mut code_lengths, &mut bits);
        let last = (3..CODE_LENGTHS).rev().find(|&i| code_lengths[ORDER[i]] != 0).unwrap_or(2);
        let own = bits.own + 3 * (last as i32 + 1) + 5 + 5 + 4;
        // Three bits of header, rounded up to bytes.
        let (own, fixed) = ((own + 3 + 7) as usize >> 3, (fixed + 3 + 7) as usize >> 3);
        let best = own.min(fixed);
        (if stored + 4 <= best { stored + 5 } else { best }) as u32
    }
}

/// The symbols of a match's length and distance.
#[inline(always)]
pub fn copy_symbols(length: usize, distance: usize) -> (u16, u8) {
    (LENGTH_SYMBOLS[length - 3], distance_symbol(distance) as u8)
}

#[inline(always)]
fn distance_symbol(distance: usize) -> usize {
    let d = distance as u32 - 1;
    if d < 4 {
        return d as usize;
    }
    let top = d.ilog2();
    (2 * top + (d >> (top - 1) & 1)) as usize
}

/// The symbols that write down a sequence of code lengths.
fn count_lengths(lengths: &[u8], counts: &mut [u16; CODE_LENGTHS]) {
    let mut before = None;
    let mut i = 0;
    while i < lengths.len() {
        let length = lengths[i];
        let most = match length {
            0 => 138,
            _ if before == Some(length) => 6,
            _ => 7,
        };
        let run = lengths[i..].iter().take(most).take_while(|&&l| l == length).count();
        let least = if length == 0 || before == Some(length) { 3 } else { 4 };
        if run < least {
            counts[usize::from(length)] += run as u16;
        } else if length != 0 {
            if before != Some(length) {
                counts[usize::from(length)] += 1;
            }
            counts[REPEAT] += 1;
        } else if run <= 10 {
            counts[ZEROS] += 1;
        } else {
            counts[MANY_ZEROS] += 1;
        }
        before = Some(length);
        i += run;
    }
}

/// Bits of a block's symbols with codes of their own, and with the fixed ones.
struct Bits {
    own: i32,
    fixed: i32,
}

/// A Huffman tree in the making. A node of the heap is its key, which the heap orders by (frequency above, depth below),
/// and under [`NUMBER`] bits its number.
struct Tree {
    key: [u32; HEAP],
    parent: [u16; HEAP],
    /// From 1 on.
    heap: [u64; HEAP + 1],
    /// From the end down the nodes in the order in which they left the heap.
    order: [u16; HEAP],
}

const NUMBER: u32 = 16;

#[inline(always)]
fn node(key: u32, number: usize) -> u64 {
    u64::from(key) << NUMBER | number as u64
}

#[inline(always)]
fn number(node: u64) -> usize {
    usize::from(node as u16)
}

impl Tree {
    fn new() -> Self {
        Tree { key: [0; HEAP], parent: [0; HEAP], heap: [0; HEAP + 1], order: [0; HEAP] }
    }

    /// Sets the code lengths of the symbols that occur, adds up their bits, and gives the last such symbol.
    fn build(
        &mut self,
        frequencies: &[u16],
        costs: &[(u8, u8)],
        most: usize,
        lengths: &mut [u8],
        bits: &mut Bits,
    ) -> usize {
        let elements = frequencies.len();
        let mut len = 0;
        let mut last = None;
        for (symbol, &frequency) in frequencies.iter().enumerate() {
            if frequency > 0 {
                len += 1;
                self.key[symbol] = u32::from(frequency) << 8;
                self.heap[len] = node(self.key[symbol], symbol);
                last = Some(symbol);
            }
        }
        // A code has at least two symbols; those made up have a length, but are never written.
        while len < 2 {
            let symbol = match last {
                None => 0,
                Some(symbol) if symbol < 2 => symbol + 1,
                Some(_) => 0,
            };
            last = last.max(Some(symbol));
            len += 1;
            self.key[symbol] = 1 << 8;
            self.heap[len] = node(self.key[symbol], symbol);
            bits.own -= 1;
            bits.fixed -= i32::from(costs[symbol].1);
        }
        for at in (1..=len / 2).rev() {
            self.sift(at, len);
        }
        let mut next = elements;
        let mut out = HEAP;
        while len >= 2 {
            let first = self.heap[1];
            self.heap[1] = self.heap[len];
            len -= 1;
            self.sift(1, len);
            let second = self.heap[1];
            let (a, b) = ((first >> NUMBER) as u32, (second >> NUMBER) as u32);
            self.key[next] = ((a >> 8) + (b >> 8)) << 8 | ((a & 255).max(b & 255) + 1);
            for left in [first, second] {
                out -= 1;
                self.order[out] = number(left) as u16;
                self.parent[number(left)] = next as u16;
            }
            self.heap[1] = node(self.key[next], next);
            next += 1;
            self.sift(1, len);
        }
        let root = number(self.heap[1]);
        self.measure(root, out, elements, costs, most, lengths, bits);
        last.unwrap_or(0)
    }

    /// zlib's sift-down: of equal keys the left child, and a node stays above an equal child.
    #[inline(always)]
    fn sift(&mut self, at: usize, len: usize) {
        let node = self.heap[at];
        let mut at = at;
        let mut child = 2 * at;
        while child <= len {
            // The right one is taken if it is as small; there is always a place for it.
            let (left, right) = (self.heap[child], self.heap[child + 1]);
            let take = child < len && right >> NUMBER <= left >> NUMBER;
            child += usize::from(take);
            let least = if take { right } else { left };
            if node >> NUMBER <= least >> NUMBER {
                break;
            }
            self.heap[at] = least;
            at = child;
            child = 2 * at;
        }
        self.heap[at] = node;
    }

    /// Lengths from the root down, cut to the most that is allowed.
    #[allow(clippy::too_many_arguments)]
    fn measure(
        &mut self,
        root: usize,
        out: usize,
        elements: usize,
        costs: &[(u8, u8)],
        most: usize,
        lengths: &mut [u8],
        bits: &mut Bits,
    ) {
        // A node's length takes the place of its parent.
        self.parent[root] = 0;
        let mut count = [0u16; MOST_BITS + 1];
        let mut overflow = 0i32;
        for at in out..HEAP {
            let node = usize::from(self.order[at]);
            let mut length = usize::from(self.parent[usize::from(self.parent[node])]) + 1;
            if length > most {
                length = most;
                overflow += 1;
            }
            self.parent[node] = length as u16;
            if node >= elements {
                continue;
            }
            count[length] += 1;
            lengths[node] = length as u8;
            let frequency = (self.key[node] >> 8) as i32;
            let (extra, fixed) = costs[node];
            bits.own += frequency * (length as i32 + i32::from(extra));
            bits.fixed += frequency * i32::from(fixed + extra);
        }
        if overflow == 0 {
            return;
        }
        while overflow > 0 {
            let mut length = most - 1;
            while count[length] == 0 {
                length -= 1;
            }
            count[length] -= 1;
            count[length + 1] += 2;
            count[most] -= 1;
            overflow -= 2;
        }
        let mut at = HEAP;
        for length in (1..=most).rev() {
            let mut left = count[length];
            while left > 0 {
                at -= 1;
                let node = usize::from(self.order[at]);
                if node >= elements {
                    continue;
                }
                let frequency = (self.key[node] >> 8) as i32;
                bits.own += (length as i32 - i32::from(lengths[node])) * frequency;
                lengths[node] = length as u8;
                left -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_of_lengths_and_distances() {
        let symbol = |length: usize| LENGTH_SYMBOLS[length - 3];
        assert_eq!((symbol(3), symbol(10), symbol(11), symbol(12), symbol(13)), (257, 264, 265, 265, 266));
        assert_eq!((symbol(130), symbol(131), symbol(257), symbol(258)), (280, 281, 284, 285));
        let want =
            [(1, 0), (4, 3), (5, 4), (6, 4), (7, 5), (8, 5), (9, 6), (24577, 29), (32768, 29), (16385, 28)];
        want.iter()
            .for_each(|&(distance, symbol)| assert_eq!(distance_symbol(distance), symbol, "{distance}"));
    }

    #[test]
    fn an_empty_block_has_two_bytes() {
        assert_eq!(Frequencies::new().stream_size(0), 2);
    }
}
