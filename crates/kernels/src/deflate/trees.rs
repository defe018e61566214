//! Huffman trees of several alphabets side by side, as zlib builds them.
//!
//! zlib takes the two least nodes by (frequency, depth) from a binary heap, and which of equal nodes that is follows
//! from the heap's sift-down. One sift-down is a chain of loads that wait for each other; those of [`LANES`] trees, each
//! without a branch and of the same number of levels, overlap. Cost: O(s log s) for s symbols that occur.

/// Trees that are built side by side.
pub const LANES: usize = 4;
/// Most symbols of an alphabet, in whole vectors; inner nodes are numbered from here on.
pub const SYMBOLS: usize = 288;
/// Places of a heap: a power of two, with children for every symbol.
const HEAP: usize = 512;

/// A node is its frequency, its height under 5 bits, and under 10 its number. A tree over 2^14 symbols is at most 20
/// high, since each level asks for the next Fibonacci number of them.
const NUMBER: u32 = 10;
const FREQUENCY: u32 = NUMBER + 5;
const NUMBERS: u32 = (1 << NUMBER) - 1;
const HEIGHTS: u32 = (1 << FREQUENCY) - 1 - NUMBERS;
/// Behind the last node of a heap: greater than any.
const NONE: u32 = u32::MAX;

/// A tree, and what it is built from.
struct Lane {
    /// From 1 on.
    heap: [u32; HEAP],
    /// The two nodes below each inner node, as they left the heap.
    below: [[u32; 2]; SYMBOLS],
    /// Of each node by its number.
    lengths: [u8; 1 << NUMBER],
}

/// What is known of a code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Code {
    /// The last symbol that has a code.
    pub last: usize,
    /// Of all symbols together.
    pub bits: u32,
}

/// Room for [`LANES`] trees.
pub struct Trees(Box<[Lane; LANES]>);

impl Trees {
    pub fn new() -> Self {
        let lane = || Lane { heap: [0; HEAP], below: [[0; 2]; SYMBOLS], lengths: [0; 1 << NUMBER] };
        Trees(Box::new(std::array::from_fn(|_| lane())))
    }

    /// The lengths of the codes of the last trees in a lane, 0 for symbols that do not occur.
    pub fn lengths(&self, lane: usize) -> &[u8] {
        &self.0[lane].lengths
    }

    /// Builds a code of lengths up to `most` for each alphabet, whose frequencies come in whole vectors of 16.
    pub fn build(&mut self, frequencies: [&[u16]; LANES], most: u8) -> [Code; LANES] {
        let mut codes = [Code::default(); LANES];
        let mut symbols = [0; LANES];
        let mut made_up = [0; LANES];
        for l in 0..LANES {
            (symbols[l], made_up[l], codes[l].last) = self.0[l].fill(frequencies[l]);
        }
        let largest = symbols.into_iter().max().unwrap_or(0);
        self.merge(symbols, largest);
        for l in 0..LANES {
            let (bits, height) = self.0[l].measure(symbols[l]);
            // Made-up symbols are never written.
            codes[l].bits = bits - made_up[l];
            if height > u32::from(most) {
                codes[l].bits = self.0[l].cut(symbols[l], usize::from(most));
            }
        }
        codes
    }

    /// A tree has been built when its heap holds one node; what its lane does while larger trees go on is of no use.
    fn merge(&mut self, symbols: [usize; LANES], largest: usize) {
        let Trees(lanes) = self;
        let levels = largest.ilog2();
        for (lane, &symbols) in lanes.iter_mut().zip(&symbols) {
            lane.heap[symbols + 1..2 << levels].fill(NONE);
        }
        for at in (1..=largest / 2).rev() {
            let nodes = std::array::from_fn(|l| lanes[l].heap[at & (HEAP - 1)]);
            sift(lanes, at, nodes, levels - at.ilog2());
        }
        let mut left = symbols;
        for made in 0..largest - 1 {
            let levels = (largest - made).ilog2();
            let mut first = [0; LANES];
            let mut last = [0; LANES];
            for l in 0..LANES {
                let heap = &mut lanes[l].heap;
                first[l] = heap[1];
                let end = left[l] & (HEAP - 1);
                last[l] = heap[end];
                heap[end] = NONE;
                left[l] = left[l].saturating_sub(1);
            }
            sift(lanes, 1, last, levels);
            let mut inner = [0; LANES];
            for l in 0..LANES {
                let (first, second) = (first[l], lanes[l].heap[1]);
                lanes[l].below[made] = [first, second];
                let frequency = (first >> FREQUENCY).wrapping_add(second >> FREQUENCY) << FREQUENCY;
                let height = (first & HEIGHTS).max(second & HEIGHTS) + (1 << NUMBER);
                inner[l] = frequency.wrapping_add(height) + (SYMBOLS + made) as u32;
            }
            sift(lanes, 1, inner, levels);
        }
    }
}

/// zlib's sift-down: of equal children the right one, and a node stays above an equal child. A node that stays where
/// it is does so at each further level.
#[inline(always)]
fn sift(lanes: &mut [Lane; LANES], at: usize, nodes: [u32; LANES], levels: u32) {
    let mut at = [at; LANES];
    for _ in 0..levels {
        for l in 0..LANES {
            let heap = &mut lanes[l].heap;
            let place = at[l] & (HEAP - 1);
            let child = (2 * place) & (HEAP - 2);
            let (left, right) = (heap[child], heap[child + 1]);
            let take = right <= left | NUMBERS;
            let least = if take { right } else { left };
            let goes = nodes[l] > least | NUMBERS;
            heap[place] = if goes { least } else { nodes[l] };
            at[l] = if goes { child + usize::from(take) } else { place };
        }
    }
    for l in 0..LANES {
        lanes[l].heap[at[l] & (HEAP - 1)] = nodes[l];
    }
}

impl Lane {
    /// Puts the symbols that occur into the heap: their number, those made up for a code to have two, and the last one.
    fn fill(&mut self, frequencies: &[u16]) -> (usize, u32, usize) {
        let mut len = 0;
        let mut last = None;
        for (v, vector) in frequencies.as_chunks::<16>().0.iter().enumerate() {
            let mut occur = nonzero(vector);
            while occur != 0 {
                let i = occur.trailing_zeros() as usize & 15;
                occur &= occur - 1;
                len += 1;
                self.heap[len & (HEAP - 1)] = u32::from(vector[i]) << FREQUENCY | (16 * v + i) as u32;
                last = Some(16 * v + i);
            }
        }
        let occurring = len;
        while len < 2 {
            let symbol = match last {
                Some(symbol) if symbol < 2 => symbol + 1,
                _ => 0,
            };
            last = last.max(Some(symbol));
            len += 1;
            self.heap[len] = 1 << FREQUENCY | symbol as u32;
        }
        (len, (len - occurring) as u32, last.unwrap_or(0))
    }

    /// Sets the lengths of the codes, and gives the bits of all symbols and the length of the longest code.
    fn measure(&mut self, symbols: usize) -> (u32, u32) {
        let below = &self.below[..symbols - 1];
        let lengths = &mut self.lengths;
        lengths[..SYMBOLS].fill(0);
        lengths[SYMBOLS + symbols - 2] = 0;
        for (made, nodes) in below.iter().enumerate().rev() {
            let length = lengths[SYMBOLS + made] + 1;
            nodes.iter().for_each(|node| lengths[(node & NUMBERS) as usize] = length);
        }
        // Each symbol is counted once at every node above it.
        let bits = below.iter().map(|[a, b]| (a >> FREQUENCY) + (b >> FREQUENCY)).sum();
        let [a, b] = below[symbols - 2];
        (bits, ((a & HEIGHTS).max(b & HEIGHTS) >> NUMBER) + 1)
    }

    /// zlib's repair of a code with lengths over `most`, once [`Lane::measure`] has set them: how many codes have each
    /// length is put right, and they are given out anew, the longest first in the order in which nodes left the heap.
    fn cut(&mut self, symbols: usize, most: usize) -> u32 {
        let below = &self.below[..symbols - 1];
        let nodes = || below.iter().flatten();
        let is_symbol = |node: &&u32| ((*node & NUMBERS) as usize) < SYMBOLS;
        let length = |node: &u32| usize::from(self.lengths[(node & NUMBERS) as usize]);
        let mut count = [0; 16];
        nodes().filter(is_symbol).for_each(|node| count[length(node).min(most)] += 1);
        let over = nodes().filter(|node| length(node) > most).count() as i32;
        for _ in 0..(over + 1) / 2 {
            let longest = (1..most).rev().find(|&length| count[length] > 0).expect("a shorter code");
            count[longest] -= 1;
            count[longest + 1] += 2;
            count[most] -= 1;
        }
        let mut given = (1..=most).rev().flat_map(|length| std::iter::repeat_n(length, count[length]));
        let mut bits = 0;
        for node in below.iter().flatten().filter(is_symbol) {
            let length = given.next().expect("a length for each symbol");
            bits += (node >> FREQUENCY) * length as u32;
            self.lengths[(node & NUMBERS) as usize] = length as u8;
        }
        bits
    }
}

/// A bit for each that is not zero.
#[inline(always)]
fn nonzero(vector: &[u16; 16]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::*;
        // SAFETY: two loads of 16 bytes from an array of 32; SSE2 is in the architecture's baseline.
        unsafe {
            let zero = _mm_setzero_si128();
            let low = _mm_cmpeq_epi16(_mm_loadu_si128(vector.as_ptr().cast()), zero);
            let high = _mm_cmpeq_epi16(_mm_loadu_si128(vector.as_ptr().add(8).cast()), zero);
            !_mm_movemask_epi8(_mm_packs_epi16(low, high)) as u32 & 0xffff
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    (0..16).fold(0, |bits, i| bits | u32::from(vector[i] != 0) << i)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Lengths, the last symbol and all bits: a heap of numbers, one comparison after the other.
    fn naive(frequencies: &[u16], most: usize) -> (Vec<u8>, Code) {
        let mut keys: Vec<(u32, u32)> = frequencies.iter().map(|&f| (u32::from(f), 0)).collect();
        let mut heap: Vec<usize> = (0..keys.len()).filter(|&i| keys[i].0 > 0).collect();
        let occurring = heap.len();
        while heap.len() < 2 {
            let symbol = match heap.last() {
                Some(&last) if last < 2 => last + 1,
                _ => 0,
            };
            keys[symbol].0 = 1;
            heap.push(symbol);
        }
        let symbols = heap.len();
        let last = heap.iter().copied().max().unwrap();
        let sift = |heap: &mut [usize], keys: &[(u32, u32)], mut at: usize| {
            let node = heap[at];
            while 2 * at + 1 < heap.len() {
                let mut child = 2 * at + 1;
                if child + 1 < heap.len() && keys[heap[child + 1]] <= keys[heap[child]] {
                    child += 1;
                }
                if keys[node] <= keys[heap[child]] {
                    break;
                }
                heap[at] = heap[child];
                at = child;
            }
            heap[at] = node;
        };
        (0..heap.len() / 2).rev().for_each(|at| sift(&mut heap, &keys, at));
        let mut left = Vec::new();
        let mut parent = vec![0; keys.len()];
        while heap.len() >= 2 {
            let first = heap.swap_remove(0);
            sift(&mut heap, &keys, 0);
            let second = heap[0];
            keys.push((keys[first].0 + keys[second].0, keys[first].1.max(keys[second].1) + 1));
            parent.push(0);
            let inner = keys.len() - 1;
            (parent[first], parent[second], heap[0]) = (inner, inner, inner);
            left.extend([first, second]);
            sift(&mut heap, &keys, 0);
        }
        let mut lengths = vec![0usize; keys.len()];
        let mut over = 0;
        for &node in left.iter().rev() {
            lengths[node] = lengths[parent[node]] + 1;
            if lengths[node] > most {
                lengths[node] = most;
                over += 1;
            }
        }
        left.retain(|&node| node < frequencies.len());
        let mut count = vec![0; most + 1];
        left.iter().for_each(|&node| count[lengths[node]] += 1);
        let repaired = over > 0;
        while over > 0 {
            let longest = (1..most).rev().find(|&length| count[length] > 0).unwrap();
            count[longest] -= 1;
            count[longest + 1] += 2;
            count[most] -= 1;
            over -= 2;
        }
        if repaired {
            let mut at = 0;
            for length in (1..=most).rev() {
                for _ in 0..count[length] {
                    lengths[left[at]] = length;
                    at += 1;
                }
            }
        }
        let bits: usize = left.iter().map(|&symbol| keys[symbol].0 as usize * lengths[symbol]).sum();
        lengths.truncate(frequencies.len());
        let bits = (bits - (symbols - occurring)) as u32;
        (lengths.iter().map(|&length| length as u8).collect(), Code { last, bits })
    }

    fn check(alphabets: &[Vec<u16>; LANES], most: u8) {
        let mut trees = Trees::new();
        // What was there before is of no use.
        trees.build([&[7; SYMBOLS]; LANES], 15);
        let codes = trees.build(alphabets.each_ref().map(|alphabet| &alphabet[..]), most);
        for (l, alphabet) in alphabets.iter().enumerate() {
            let (lengths, code) = naive(alphabet, usize::from(most));
            assert_eq!(codes[l], code, "lane {l}: {alphabet:?}");
            assert_eq!(&trees.lengths(l)[..alphabet.len()], lengths, "lane {l}: {alphabet:?}");
        }
    }

    #[test]
    fn codes_of_few_symbols_and_codes_that_are_cut() {
        let place = |symbols: &[(usize, u16)]| {
            let mut alphabet = vec![0; 32];
            symbols.iter().for_each(|&(symbol, frequency)| alphabet[symbol] = frequency);
            alphabet
        };
        check(&[place(&[]), place(&[(0, 5)]), place(&[(1, 5)]), place(&[(31, 1)])], 15);
        check(&[place(&[(0, 1), (1, 1)]), place(&[(3, 2), (9, 2)]), place(&[]), place(&[(2, 3)])], 7);
        let fibonacci = |many: usize| {
            let mut alphabet = vec![0u16; SYMBOLS];
            let (mut a, mut b) = (1, 1);
            for frequency in &mut alphabet[..many] {
                (*frequency, a, b) = (a, b, a + b);
            }
            alphabet
        };
        check(&[18, 19, 17, 16].map(fibonacci), 15);
        check(&[9, 12, 8, 18].map(fibonacci), 7);
        check(&[vec![1; SYMBOLS], vec![57; SYMBOLS], vec![3; 16], fibonacci(2)], 15);
    }

    proptest! {
        #[test]
        fn codes_are_those_of_a_plain_heap(
            alphabets in [(); LANES].map(|()| {
                prop::collection::vec(prop_oneof![3 => Just(0u16), 4 => 1u16..4, 2 => 1u16..50, 1 => 1u16..400], 1..18)
                    .prop_flat_map(|few| (Just(few), 1usize..=18))
                    .prop_map(|(few, times)| few.into_iter().cycle().take(16 * times).collect::<Vec<u16>>())
            }),
            skew in prop::collection::vec(0u32..10, 32),
        ) {
            check(&alphabets, 15);
            // Of code lengths: few symbols of unlike frequencies.
            let skewed = |l: usize| -> Vec<u16> {
                (0..32).map(|i| if i < 19 { (1u16 << skew[(i + 5 * l) % 32]) >> 1 } else { 0 }).collect()
            };
            check(&[skewed(0), skewed(1), skewed(2), skewed(3)], 7);
        }
    }
}
