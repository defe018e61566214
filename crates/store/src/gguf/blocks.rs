//! The kinds of a tensor's items, and how each is widened to float32.
//!
//! A quantised kind packs the items of a row in blocks: a block's scales in front or behind, then a few bits an item. What an
//! item widens to is the product (and the sum) in float32 that the format's own library forms, operation by operation, so that
//! the bits are the same; only the payload of a NaN is not promised.
//!
//! Cost: O(items), one pass, nothing allocated. The bit fields of a block lie so that 16 or 32 neighbouring bytes are shifted
//! and masked alike; the loops below run over just those, for the compiler to make vectors of.

use half::f16;
use half::slice::HalfFloatSliceExt;
use std::fmt;

macro_rules! kinds {
    ($($(#[$about:meta])* $name:ident $number:literal $items:literal $bytes:literal,)*) => {
        /// The kind of a tensor's items, as the format names it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(non_camel_case_types)]
        pub enum Kind {
            $($(#[$about])* $name,)*
            /// A kind that is not read, by its number.
            Other(u32),
        }

        impl Kind {
            /// The kinds that are read.
            pub const ALL: &[Kind] = &[$(Kind::$name,)*];

            /// The kind of that number in a file.
            pub fn from_number(number: u32) -> Self {
                match number { $($number => Kind::$name,)* other => Kind::Other(other) }
            }

            /// The number in a file.
            pub fn number(self) -> u32 {
                match self { $(Kind::$name => $number,)* Kind::Other(number) => number }
            }

            /// The format's name; `unknown` where it has none for the number.
            pub fn name(self) -> &'static str {
                match self {
                    $(Kind::$name => stringify!($name),)*
                    Kind::Other(number) => {
                        OTHERS.iter().find(|(n, _)| *n == number).map_or("unknown", |(_, name)| name)
                    }
                }
            }

            /// Items of a block; rows are whole blocks.
            pub fn block_items(self) -> usize {
                match self { $(Kind::$name => $items,)* Kind::Other(_) => 1 }
            }

            /// Bytes of a block; zero for a kind that is not read.
            pub fn block_bytes(self) -> usize {
                match self { $(Kind::$name => $bytes,)* Kind::Other(_) => 0 }
            }
        }
    };
}

kinds! {
    F32 0 1 4,
    F16 1 1 2,
    /// 4 bits and a scale for 32 items.
    Q4_0 2 32 18,
    /// 4 bits, a scale and an offset for 32 items.
    Q4_1 3 32 20,
    Q5_0 6 32 22,
    Q5_1 7 32 24,
    Q8_0 8 32 34,
    /// 2 bits; 16 scales and offsets of 4 bits for 256 items.
    Q2_K 10 256 84,
    /// 3 bits; 16 scales of 6 bits for 256 items.
    Q3_K 11 256 110,
    /// 4 bits; 8 scales and offsets of 6 bits for 256 items.
    Q4_K 12 256 144,
    Q5_K 13 256 176,
    /// 6 bits; 16 scales of 8 bits for 256 items.
    Q6_K 14 256 210,
    F64 28 1 8,
    BF16 30 1 2,
}

/// Names for messages about what is not read.
const OTHERS: [(u32, &str); 20] = [
    (9, "Q8_1"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
    (40, "NVFP4"),
    (41, "Q1_0"),
];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Widens whole blocks to float32. F64 is rounded to the nearest.
///
/// # Panics
/// If `out` has not just the items of `bytes`, if these are no whole blocks, or if the kind is not read.
pub fn widen(kind: Kind, bytes: &[u8], out: &mut [f32]) {
    match kind {
        Kind::F32 => {
            each(bytes, out, |block: &[u8; 4], out: &mut [f32; 1]| out[0] = f32::from_le_bytes(*block))
        }
        Kind::F64 => {
            each(bytes, out, |block: &[u8; 8], out: &mut [f32; 1]| out[0] = f64::from_le_bytes(*block) as f32)
        }
        Kind::BF16 => each(bytes, out, |block: &[u8; 2], out: &mut [f32; 1]| {
            out[0] = f32::from_bits(u32::from(u16::from_le_bytes(*block)) << 16);
        }),
        Kind::F16 => halves(bytes, out),
        Kind::Q4_0 => each(bytes, out, q4_0),
        Kind::Q4_1 => each(bytes, out, q4_1),
        Kind::Q5_0 => each(bytes, out, q5_0),
        Kind::Q5_1 => each(bytes, out, q5_1),
        Kind::Q8_0 => each(bytes, out, q8_0),
        Kind::Q2_K => each(bytes, out, q2_k),
        Kind::Q3_K => each(bytes, out, q3_k),
        Kind::Q4_K => each(bytes, out, q4_k),
        Kind::Q5_K => each(bytes, out, q5_k),
        Kind::Q6_K => each(bytes, out, q6_k),
        Kind::Other(number) => panic!("the kind {kind} (number {number}) is not read"),
    }
}

fn each<const B: usize, const N: usize>(
    bytes: &[u8],
    out: &mut [f32],
    one: impl Fn(&[u8; B], &mut [f32; N]),
) {
    let (blocks, odd) = bytes.as_chunks::<B>();
    let (items, odd_items) = out.as_chunks_mut::<N>();
    assert!(
        odd.is_empty() && odd_items.is_empty() && blocks.len() == items.len(),
        "blocks and items differ in number"
    );
    for (block, items) in blocks.iter().zip(items) {
        one(block, items);
    }
}

/// Many at once: there, `half` looks for the processor's own instruction just once.
fn halves(bytes: &[u8], out: &mut [f32]) {
    let (blocks, odd) = bytes.as_chunks::<2>();
    assert!(odd.is_empty() && blocks.len() == out.len(), "blocks and items differ in number");
    let mut buffer = [f16::ZERO; 256];
    for (blocks, out) in blocks.chunks(256).zip(out.chunks_mut(256)) {
        let buffer = &mut buffer[..out.len()];
        for (half, block) in buffer.iter_mut().zip(blocks) {
            *half = f16::from_le_bytes(*block);
        }
        buffer.convert_to_f32_slice(out);
    }
}

/// The scale at a place of a block.
fn scale(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// The bit of each of a block's 32 items.
fn high_bits(block: &[u8], at: usize) -> [u8; 32] {
    std::array::from_fn(|i| block[at + i / 8] >> (i % 8) & 1)
}

fn q4_0(block: &[u8; 18], out: &mut [f32; 32]) {
    let d = scale(block, 0);
    for i in 0..16 {
        let byte = block[2 + i];
        out[i] = d * (i32::from(byte & 15) - 8) as f32;
        out[i + 16] = d * (i32::from(byte >> 4) - 8) as f32;
    }
}

fn q4_1(block: &[u8; 20], out: &mut [f32; 32]) {
    let (d, m) = (scale(block, 0), scale(block, 2));
    for i in 0..16 {
        let byte = block[4 + i];
        out[i] = d * f32::from(byte & 15) + m;
        out[i + 16] = d * f32::from(byte >> 4) + m;
    }
}

fn q5_0(block: &[u8; 22], out: &mut [f32; 32]) {
    let (d, high) = (scale(block, 0), high_bits(block, 2));
    for i in 0..16 {
        let byte = block[6 + i];
        out[i] = d * (i32::from(byte & 15 | high[i] << 4) - 16) as f32;
        out[i + 16] = d * (i32::from(byte >> 4 | high[i + 16] << 4) - 16) as f32;
    }
}

fn q5_1(block: &[u8; 24], out: &mut [f32; 32]) {
    let (d, m, high) = (scale(block, 0), scale(block, 2), high_bits(block, 4));
    for i in 0..16 {
        let byte = block[8 + i];
        out[i] = d * f32::from(byte & 15 | high[i] << 4) + m;
        out[i + 16] = d * f32::from(byte >> 4 | high[i + 16] << 4) + m;
    }
}

fn q8_0(block: &[u8; 34], out: &mut [f32; 32]) {
    let d = scale(block, 0);
    for i in 0..32 {
        out[i] = d * f32::from(block[2 + i] as i8);
    }
}

/// Scales and offsets of 4 bits (0..16), two bits of the items (16..80), the scale of both (80, 82).
fn q2_k(block: &[u8; 84], out: &mut [f32; 256]) {
    let (d, m) = (scale(block, 80), scale(block, 82));
    for (k, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let (d, m) = (d * f32::from(block[k] & 15), m * f32::from(block[k] >> 4));
        let low: &[u8; 16] = part(block, 16 + 32 * (k / 8) + 16 * (k % 2));
        let shift = 2 * (k / 2 % 4);
        for i in 0..16 {
            out[i] = d * f32::from(low[i] >> shift & 3) - m;
        }
    }
}

/// The third bit of the items (0..32), two bits of them (32..96), scales of 6 bits (96..108), the scale of all (108).
fn q3_k(block: &[u8; 110], out: &mut [f32; 256]) {
    let all = scale(block, 108);
    for (k, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let four = block[96 + k % 8] >> (4 * (k / 8)) & 15;
        let two = block[104 + k % 4] >> (2 * (k / 4)) & 3;
        let d = all * (i32::from(four | two << 4) - 32) as f32;
        let low: &[u8; 16] = part(block, 32 + 32 * (k / 8) + 16 * (k % 2));
        let high: &[u8; 16] = part(block, 16 * (k % 2));
        let shift = 2 * (k / 2 % 4);
        for i in 0..16 {
            let item = low[i] >> shift & 3 | (high[i] >> (k / 2) & 1) << 2;
            out[i] = d * (i32::from(item) - 4) as f32;
        }
    }
}

/// The scale and the offset of the 32 items `k`, six bits each: the first four lie whole, the others are put together from
/// four bits and the two that those leave.
fn six_bits(packed: &[u8; 12], k: usize) -> (f32, f32) {
    let (d, m) = if k < 4 {
        (packed[k] & 63, packed[k + 4] & 63)
    } else {
        (packed[k + 4] & 15 | packed[k - 4] >> 6 << 4, packed[k + 4] >> 4 | packed[k] >> 6 << 4)
    };
    (d.into(), m.into())
}

/// The scale of scales and of offsets (0, 2), both packed (4..16), four bits of the items (16..144).
fn q4_k(block: &[u8; 144], out: &mut [f32; 256]) {
    let (d, m) = (scale(block, 0), scale(block, 2));
    for (k, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (scale, offset) = six_bits(part(block, 4), k);
        let (d, m) = (d * scale, m * offset);
        let low: &[u8; 32] = part(block, 16 + 32 * (k / 2));
        let shift = 4 * (k % 2);
        for i in 0..32 {
            out[i] = d * f32::from(low[i] >> shift & 15) - m;
        }
    }
}

/// As [`q4_k`], with the fifth bit of the items (16..48) before the others (48..176).
fn q5_k(block: &[u8; 176], out: &mut [f32; 256]) {
    let (d, m) = (scale(block, 0), scale(block, 2));
    let high: &[u8; 32] = part(block, 16);
    for (k, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (scale, offset) = six_bits(part(block, 4), k);
        let (d, m) = (d * scale, m * offset);
        let low: &[u8; 32] = part(block, 48 + 32 * (k / 2));
        let shift = 4 * (k % 2);
        for i in 0..32 {
            let item = low[i] >> shift & 15 | (high[i] >> k & 1) << 4;
            out[i] = d * f32::from(item) - m;
        }
    }
}

/// Four bits of the items (0..128), two bits of them (128..192), scales of 8 bits (192..208), the scale of all (208).
fn q6_k(block: &[u8; 210], out: &mut [f32; 256]) {
    let all = scale(block, 208);
    for (k, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let d = all * f32::from(block[192 + k] as i8);
        let low: &[u8; 16] = part(block, 64 * (k / 8) + 16 * (k % 4));
        let high: &[u8; 16] = part(block, 128 + 32 * (k / 8) + 16 * (k % 2));
        let (shift, high_shift) = (4 * (k / 4 % 2), 2 * (k / 2 % 4));
        for i in 0..16 {
            let item = low[i] >> shift & 15 | (high[i] >> high_shift & 3) << 4;
            out[i] = d * (i32::from(item) - 32) as f32;
        }
    }
}

/// The `N` bytes at a place of a block.
fn part<const N: usize>(block: &[u8], at: usize) -> &[u8; N] {
    block[at..at + N].try_into().expect("as many bytes")
}
