//! Metadata values. An array keeps the bytes that the file has for its numbers and one run of text for its strings, so that
//! a vocabulary takes what it takes in the file, and an array never more than a small multiple of that.

/// A metadata value; numbers are widened to the widest type of their sort.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    Array(Array),
}

impl Value {
    /// A whole number that is not negative, of either sort.
    pub fn as_unsigned(&self) -> Option<u64> {
        match *self {
            Value::Unsigned(n) => Some(n),
            Value::Signed(n) => u64::try_from(n).ok(),
            _ => None,
        }
    }

    /// A number of any sort; whole ones beyond 2^53 are rounded.
    pub fn as_float(&self) -> Option<f64> {
        match *self {
            Value::Unsigned(n) => Some(n as f64),
            Value::Signed(n) => Some(n as f64),
            Value::Float(x) => Some(x),
            _ => None,
        }
    }
}

/// An array of values of one type.
#[derive(Debug, Clone, PartialEq)]
pub enum Array {
    /// Numbers or booleans.
    Numbers(Numbers),
    Texts(Texts),
    /// Arrays of arrays, each with a type of its own.
    Arrays(Vec<Array>),
}

/// Numbers or booleans, as they lie in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbers {
    pub(super) scalar: Scalar,
    pub(super) bytes: Vec<u8>,
}

impl Numbers {
    pub fn len(&self) -> usize {
        self.bytes.len() / self.scalar.width()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The number at that place; none behind the last one.
    pub fn get(&self, at: usize) -> Option<Value> {
        self.bytes.chunks_exact(self.scalar.width()).nth(at).map(|bytes| self.scalar.value(bytes))
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Value> + '_ {
        self.bytes.chunks_exact(self.scalar.width()).map(|bytes| self.scalar.value(bytes))
    }
}

/// Strings, one behind the other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Texts {
    text: String,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl Texts {
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len());
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The string at that place; none behind the last one. O(1).
    pub fn get(&self, at: usize) -> Option<&str> {
        let end = *self.ends.get(at)?;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        Some(&self.text[start..end])
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        (0..self.len()).map(|at| self.get(at).expect("a place of the array"))
    }
}

/// The types of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Unsigned(usize),
    Signed(usize),
    F32,
    F64,
    Bool,
}

impl Scalar {
    /// The format's number for it; none if it means no number.
    pub(super) fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Scalar::Unsigned(1),
            1 => Scalar::Signed(1),
            2 => Scalar::Unsigned(2),
            3 => Scalar::Signed(2),
            4 => Scalar::Unsigned(4),
            5 => Scalar::Signed(4),
            6 => Scalar::F32,
            7 => Scalar::Bool,
            10 => Scalar::Unsigned(8),
            11 => Scalar::Signed(8),
            12 => Scalar::F64,
            _ => return None,
        })
    }

    /// Bytes of one.
    pub(super) fn width(self) -> usize {
        match self {
            Scalar::Unsigned(width) | Scalar::Signed(width) => width,
            Scalar::F32 => 4,
            Scalar::F64 => 8,
            Scalar::Bool => 1,
        }
    }

    /// The value of `width` bytes.
    pub(super) fn value(self, bytes: &[u8]) -> Value {
        let mut wide = [0; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        let raw = u64::from_le_bytes(wide);
        match self {
            Scalar::Unsigned(_) => Value::Unsigned(raw),
            Scalar::Signed(width) => {
                // Up to the top and back down again: the shift of a signed number carries its sign along.
                let spare = 64 - 8 * width;
                Value::Signed((raw << spare) as i64 >> spare)
            }
            Scalar::F32 => Value::Float(f32::from_bits(raw as u32).into()),
            Scalar::F64 => Value::Float(f64::from_bits(raw)),
            Scalar::Bool => Value::Bool(raw != 0),
        }
    }
}
