//! The size of a deflate block from the numbers of its symbols, as zlib chooses it: stored, with the fixed codes, or
//! with codes of its own.
//!
//! Huffman codes of one total length can differ in the lengths of their codes, and those are written too, so the trees
//! are zlib's own to the last tie ([`trees`](super::trees)). Cost: O(s log s) for s symbols that occur.

use super::trees::{Code, LANES, SYMBOLS, Trees};

const DISTANCES: usize = 30;
pub const END_OF_BLOCK: usize = 256;
const CODE_LENGTHS: usize = 19;
/// Room for distances, and for code lengths, in whole vectors.
const VECTORS: usize = 32;
const MOST_BITS: u8 = 15;
const MOST_BITS_OF_LENGTHS: u8 = 7;

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

/// Of each literal or length, and distance: its extra bits, and the bits of its fixed code.
const EXTRA: [i16; SYMBOLS + VECTORS] = {
    let mut bits = [0; SYMBOLS + VECTORS];
    let mut i = 0;
    while i < EXTRA_OF_LENGTHS.len() {
        bits[END_OF_BLOCK + 1 + i] = EXTRA_OF_LENGTHS[i] as i16;
        i += 1;
    }
    let mut i = 0;
    while i < DISTANCES {
        bits[SYMBOLS + i] = EXTRA_OF_DISTANCES[i] as i16;
        i += 1;
    }
    bits
};
const FIXED: [i16; SYMBOLS + VECTORS] = {
    let mut bits = [5; SYMBOLS + VECTORS];
    let mut i = 0;
    while i < SYMBOLS {
        bits[i] = match i {
            144..256 => 9,
            256..280 => 7,
            _ => 8,
        };
        i += 1;
    }
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

/// What a run of equal code lengths adds to the numbers of the symbols that write it: to its own length's, and to those
/// of [`REPEAT`], [`ZEROS`] and [`MANY_ZEROS`]. By the length of the run, first those of other lengths than 0.
const RUNS: [[[u16; 4]; SYMBOLS]; 2] = {
    let mut runs = [[[0; 4]; SYMBOLS]; 2];
    let mut run = 1;
    while run < SYMBOLS {
        // The length is written once before it is repeated.
        let rest = run - 1;
        let repeats = rest / 6 + (rest % 6 >= 3) as usize;
        let own = if rest % 6 >= 3 { 1 } else { 1 + rest % 6 };
        runs[0][run] = [own as u16, repeats as u16, 0, 0];
        let (many, rest) = (run / 138, run % 138);
        runs[1][run] = match rest {
            0..3 => [rest as u16, 0, 0, many as u16],
            3..11 => [0, 0, 1, many as u16],
            _ => [0, 0, 0, many as u16 + 1],
        };
        run += 1;
    }
    runs
};

/// How often each symbol of a block occurs: literals and lengths, and from [`SYMBOLS`] on distances.
#[derive(Debug, Clone)]
pub struct Frequencies([u16; SYMBOLS + VECTORS]);

impl Frequencies {
    /// Of no block: not even its end.
    pub const NONE: Frequencies = Frequencies([0; SYMBOLS + VECTORS]);

    /// Of an empty block: its end alone.
    pub fn new() -> Self {
        let mut frequencies = Self::NONE;
        frequencies.0[END_OF_BLOCK] = 1;
        frequencies
    }

    #[inline(always)]
    pub fn literal(&mut self, byte: u8) {
        let frequency = &mut self.0[usize::from(byte)];
        *frequency = frequency.wrapping_add(1);
    }

    /// A match of 3..=258 bytes at a distance from 1 on.
    #[inline(always)]
    pub fn copy(&mut self, length: usize, distance: usize) {
        self.copy_of(copy_symbols(length, distance));
    }

    /// A match with these symbols.
    #[inline(always)]
    pub fn copy_of(&mut self, (length, distance): (u16, u8)) {
        for symbol in [usize::from(length), SYMBOLS + usize::from(distance)] {
            self.0[symbol] = self.0[symbol].wrapping_add(1);
        }
    }

    /// Takes back what [`Frequencies::literal`] and [`Frequencies::copy_of`] count, were it before they do.
    #[inline(always)]
    pub fn no_literal(&mut self, byte: u8) {
        let frequency = &mut self.0[usize::from(byte)];
        *frequency = frequency.wrapping_sub(1);
    }

    #[inline(always)]
    pub fn no_copy_of(&mut self, (length, distance): (u16, u8)) {
        for symbol in [usize::from(length), SYMBOLS + usize::from(distance)] {
            self.0[symbol] = self.0[symbol].wrapping_sub(1);
        }
    }

    pub fn add(&mut self, other: &Frequencies) {
        self.0.iter_mut().zip(&other.0).for_each(|(to, from)| *to = to.wrapping_add(*from));
    }

    fn literals_and_lengths(&self) -> &[u16] {
        &self.0[..SYMBOLS]
    }

    fn distances(&self) -> &[u16] {
        &self.0[SYMBOLS..]
    }

    /// A weight for each symbol, added up.
    fn weigh(&self, weights: &[i16; SYMBOLS + VECTORS]) -> u32 {
        // Frequencies are below 2^15, and products of 16 bits with sign have an instruction.
        self.0.iter().zip(weights).map(|(&f, &weight)| i32::from(f as i16) * i32::from(weight)).sum::<i32>()
            as u32
    }
}

/// A block: its symbols, and how many bytes it holds.
#[derive(Debug, Clone)]
pub struct Block {
    pub frequencies: Frequencies,
    pub bytes: usize,
}

impl Block {
    const NONE: Block = Block { frequencies: Frequencies::NONE, bytes: 0 };
}

/// Blocks that wait until there are enough of them, each with a number of its own.
pub struct Blocks {
    blocks: [Block; LANES],
    numbers: [usize; LANES],
    len: usize,
}

impl Blocks {
    pub fn new() -> Self {
        Blocks { blocks: [Block::NONE; LANES], numbers: [0; LANES], len: 0 }
    }

    pub fn is_full(&self) -> bool {
        self.len == LANES
    }

    /// # Panics
    /// If it is full.
    pub fn push(&mut self, number: usize, block: Block) {
        (self.blocks[self.len], self.numbers[self.len]) = (block, number);
        self.len += 1;
    }

    /// Gives the size of each, and is empty then.
    pub fn drain(&mut self, sizer: &mut Sizer, mut each: impl FnMut(usize, u32)) {
        if self.len > 0 {
            let sizes = sizer.sizes(&self.blocks);
            self.numbers[..self.len].iter().zip(sizes).for_each(|(&number, size)| each(number, size));
            self.len = 0;
        }
    }
}

/// Room to find sizes in.
pub struct Sizer(Trees);

impl Sizer {
    pub fn new() -> Self {
        Sizer(Trees::new())
    }

    /// Bytes of the stream of a block alone.
    pub fn size(&mut self, block: Block) -> u32 {
        let mut blocks = [Block::NONE; LANES];
        blocks[0] = block;
        self.sizes(&blocks)[0]
    }

    /// Bytes of the stream of each block alone.
    pub fn sizes(&mut self, blocks: &[Block; LANES]) -> [u32; LANES] {
        let Sizer(trees) = self;
        let mut of_lengths = [[0u16; VECTORS]; LANES];
        let mut count = |trees: &Trees, codes: &[Code; LANES]| {
            for (l, (code, counts)) in codes.iter().zip(&mut of_lengths).enumerate() {
                count_lengths(trees.lengths(l), code.last, counts);
            }
        };
        let literals =
            trees.build(blocks.each_ref().map(|b| b.frequencies.literals_and_lengths()), MOST_BITS);
        count(trees, &literals);
        let distances = trees.build(blocks.each_ref().map(|b| b.frequencies.distances()), MOST_BITS);
        count(trees, &distances);
        let codes = trees.build(of_lengths.each_ref().map(|counts| &counts[..]), MOST_BITS_OF_LENGTHS);
        std::array::from_fn(|l| {
            let Block { frequencies, bytes } = &blocks[l];
            let lengths = trees.lengths(l);
            let written = (3..CODE_LENGTHS).rev().find(|&i| lengths[ORDER[i]] != 0).unwrap_or(2) as u32 + 1;
            let counts = &of_lengths[l];
            let repeats = [(REPEAT, 2), (ZEROS, 3), (MANY_ZEROS, 7)];
            let repeats: u32 = repeats.iter().map(|&(symbol, bits)| bits * u32::from(counts[symbol])).sum();
            let tables = codes[l].bits + repeats + 3 * written + 5 + 5 + 4;
            let extra = frequencies.weigh(&EXTRA);
            // Three bits of header, rounded up to bytes.
            let own = (literals[l].bits + distances[l].bits + extra + tables + 3).div_ceil(8);
            let fixed = (frequencies.weigh(&FIXED) + extra + 3).div_ceil(8);
            let best = own.min(fixed);
            if *bytes as u32 + 4 <= best { *bytes as u32 + 5 } else { best }
        })
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

/// Counts the symbols that write down code lengths up to the last one.
fn count_lengths(lengths: &[u8], last: usize, counts: &mut [u16; VECTORS]) {
    let mut others = [0u16; 3];
    let mut first = 0;
    let mut run = |end: usize| {
        let length = lengths[first];
        let [own, added @ ..] = RUNS[usize::from(length == 0)][end - first];
        counts[usize::from(length) & (VECTORS - 1)] += own;
        others.iter_mut().zip(added).for_each(|(count, added)| *count += added);
        first = end;
    };
    for from in (0..last).step_by(16) {
        let mut changes = differ(&lengths[from..from + 17]) & !(u32::MAX << (last - from).min(16));
        while changes != 0 {
            run(from + 1 + changes.trailing_zeros() as usize);
            changes &= changes - 1;
        }
    }
    run(last + 1);
    counts[REPEAT..].iter_mut().zip(others).for_each(|(count, other)| *count += other);
}

/// A bit for each of the first 16 that is not equal to the one behind it.
#[inline(always)]
fn differ(lengths: &[u8]) -> u32 {
    let lengths: &[u8; 17] = lengths.try_into().expect("17 lengths");
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::*;
        // SAFETY: two loads of 16 bytes from an array of 17; SSE2 is in the architecture's baseline.
        unsafe {
            let these = _mm_loadu_si128(lengths.as_ptr().cast());
            let next = _mm_loadu_si128(lengths.as_ptr().add(1).cast());
            !_mm_movemask_epi8(_mm_cmpeq_epi8(these, next)) as u32 & 0xffff
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    (0..16).fold(0, |bits, i| bits | u32::from(lengths[i] != lengths[i + 1]) << i)
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
        assert_eq!(Sizer::new().size(Block { frequencies: Frequencies::new(), bytes: 0 }), 2);
    }
}
