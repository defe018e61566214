//! The header: read as a stream and without trust. A length or a count is held against the bytes that are left before
//! anything is reserved for it, so that memory is bounded by a small multiple of the header's own bytes.

use super::blocks::Kind;
use super::value::{Array, Numbers, Scalar, Texts, Value};
use std::io::{self, Read};

/// The longest header that is read: those of the largest vocabularies take a tenth of it.
pub const MAX_HEADER: u64 = 1 << 28;

/// The format's limit on sides of a tensor.
const MAX_SIDES: u32 = 4;
/// The format's limit on bytes of a key; tensors' names are shorter still.
const MAX_NAME: u64 = 65535;
/// How deep arrays lie within arrays at most: the format sets no limit, the stack does.
const MAX_DEPTH: u32 = 8;
/// Where a file states no alignment.
const ALIGNMENT: u64 = 32;

const TEXT: u32 = 8;
const ARRAY: u32 = 9;

/// A tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    pub name: String,
    /// Row-major: the last side is the one that runs fastest.
    pub dims: Vec<u64>,
    pub kind: Kind,
    /// The first byte, counted from the start of the file.
    pub offset: u64,
    /// Bytes of the tensor; zero for a kind that is not read.
    pub bytes: u64,
}

impl Tensor {
    /// Items of the tensor.
    pub fn items(&self) -> u64 {
        self.dims.iter().product()
    }

    /// Rows: what all sides but the last multiply to.
    pub fn rows(&self) -> u64 {
        self.dims.split_last().map_or(1, |(_, sides)| sides.iter().product())
    }

    /// Items of a row.
    pub fn row_items(&self) -> u64 {
        self.dims.last().copied().unwrap_or(1)
    }

    /// Bytes of a row.
    pub fn row_bytes(&self) -> u64 {
        self.row_items() / self.kind.block_items() as u64 * self.kind.block_bytes() as u64
    }
}

/// What a file says of itself.
#[derive(Debug)]
pub(super) struct Header {
    pub version: u32,
    /// In the file's order, as are the tensors.
    pub metadata: Vec<(String, Value)>,
    pub tensors: Vec<Tensor>,
    /// Places of both lists in the order of their names.
    keys: Vec<usize>,
    names: Vec<usize>,
}

/// Why a header was not read.
#[derive(Debug)]
pub(super) enum Stop {
    Io(io::Error),
    /// For the end of a sentence.
    Bad(String),
}

impl Stop {
    /// Says what it was about.
    fn about(self, what: impl FnOnce() -> String) -> Self {
        match self {
            Stop::Bad(why) => Stop::Bad(format!("{}: {why}", what())),
            io => io,
        }
    }
}

fn bad<T>(why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Bad(why.into()))
}

impl Header {
    /// Reads the header of a file of `bytes` bytes. O(header), and n log n for its n names.
    pub fn read(input: impl Read, bytes: u64) -> Result<Self, Stop> {
        let mut input = Input { input, at: 0, end: bytes.min(MAX_HEADER) };
        let version = input.version()?;
        let (tensors, pairs) = (input.u64()?, input.u64()?);
        // The shortest pair is a key's length, a type and a byte; the shortest tensor a name's length, no sides, a kind and
        // a place.
        input.claim("metadata", pairs, 13)?;
        input.claim("tensors", tensors, 24)?;
        let mut metadata: Vec<(String, Value)> = Vec::new();
        for n in 0..pairs {
            let key = input.name().map_err(|e| e.about(|| format!("the key {n} of its metadata")))?;
            let value = input.value().map_err(|e| e.about(|| format!("its metadata {key:?}")))?;
            metadata.push((key, value));
        }
        let keys = order(&metadata, |(key, _)| key, "metadata")?;
        let mut alignment = ALIGNMENT;
        if let Some(value) = find(&metadata, &keys, |(key, _)| key, "general.alignment") {
            alignment = match value.1 {
                Value::Unsigned(n) if n.is_power_of_two() => n,
                _ => return bad("its general.alignment is no power of two"),
            };
        }
        let mut list: Vec<Tensor> = Vec::new();
        for n in 0..tensors {
            let name = input.name().map_err(|e| e.about(|| format!("the name of its tensor {n}")))?;
            match input.tensor() {
                Ok((dims, kind, offset, bytes)) => list.push(Tensor { name, dims, kind, offset, bytes }),
                Err(error) => return Err(error.about(|| format!("the tensor {name:?}"))),
            }
        }
        let names = order(&list, |tensor| &tensor.name, "tensor")?;
        place(&mut list, input.at, alignment, bytes).map_err(Stop::Bad)?;
        Ok(Header { version, metadata, tensors: list, keys, names })
    }

    /// The metadata under a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        find(&self.metadata, &self.keys, |(key, _)| key, key).map(|(_, value)| value)
    }

    /// The tensor of that name.
    pub fn find(&self, name: &str) -> Option<&Tensor> {
        find(&self.tensors, &self.names, |tensor| &tensor.name, name)
    }
}

/// The places of a list in the order of its names, no two of which are equal.
fn order<T>(list: &[T], name: impl Fn(&T) -> &String, what: &str) -> Result<Vec<usize>, Stop> {
    let mut order: Vec<usize> = (0..list.len()).collect();
    order.sort_unstable_by_key(|&at| name(&list[at]));
    match order.windows(2).find(|pair| name(&list[pair[0]]) == name(&list[pair[1]])) {
        Some(pair) => bad(format!("it names the {what} {:?} twice", name(&list[pair[0]]))),
        None => Ok(order),
    }
}

fn find<'a, T>(list: &'a [T], order: &[usize], name: impl Fn(&T) -> &String, wanted: &str) -> Option<&'a T> {
    let at = order.binary_search_by(|&at| name(&list[at]).as_str().cmp(wanted)).ok()?;
    Some(&list[order[at]])
}

/// Makes offsets count from the start of the file, and checks that each tensor has a place of its own in it.
fn place(tensors: &mut [Tensor], header: u64, alignment: u64, bytes: u64) -> Result<(), String> {
    // Beyond what can be counted is beyond the file as well.
    let start = header.checked_next_multiple_of(alignment).unwrap_or(u64::MAX);
    for tensor in tensors.iter_mut() {
        let Tensor { name, offset, bytes: length, .. } = tensor;
        if *offset % alignment != 0 {
            return Err(format!(
                "the tensor {name:?} lies at {offset}, no multiple of the alignment {alignment}"
            ));
        }
        match start.checked_add(*offset) {
            Some(begin) if begin.checked_add(*length).is_some_and(|end| end <= bytes) => *offset = begin,
            _ => {
                return Err(format!(
                    "the tensor {name:?} would take {length} bytes, {offset} behind byte {start}, in a file of {bytes}"
                ));
            }
        }
    }
    let mut order: Vec<&Tensor> = tensors.iter().collect();
    order.sort_unstable_by_key(|tensor| (tensor.offset, tensor.bytes));
    match order.windows(2).find(|pair| pair[0].offset + pair[0].bytes > pair[1].offset) {
        Some(pair) => Err(format!("the tensors {:?} and {:?} overlap", pair[0].name, pair[1].name)),
        None => Ok(()),
    }
}

/// A stream that knows how much is left of it.
struct Input<R> {
    input: R,
    at: u64,
    end: u64,
}

impl<R: Read> Input<R> {
    /// The bytes that `count` times `each` bytes are, if as many are left.
    fn claim(&self, what: &str, count: u64, each: u64) -> Result<usize, Stop> {
        let left = self.end - self.at;
        match count.checked_mul(each) {
            // At most MAX_HEADER.
            Some(bytes) if bytes <= left => Ok(bytes as usize),
            _ => bad(format!(
                "{count} {what} would not fit the {left} bytes that are left at byte {} (a header may take {MAX_HEADER})",
                self.at
            )),
        }
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<(), Stop> {
        self.claim("bytes", out.len() as u64, 1)?;
        self.input.read_exact(out).map_err(Stop::Io)?;
        self.at += out.len() as u64;
        Ok(())
    }

    fn u32(&mut self) -> Result<u32, Stop> {
        let mut bytes = [0; 4];
        self.fill(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn u64(&mut self) -> Result<u64, Stop> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn version(&mut self) -> Result<u32, Stop> {
        let mut magic = [0; 4];
        self.fill(&mut magic)?;
        if &magic != b"GGUF" {
            return bad("it does not begin with GGUF");
        }
        match self.u32()? {
            version @ (2 | 3) => Ok(version),
            1 => bad("it is of version 1, and versions 2 and 3 are read"),
            version if version != 0 && version & 0xffff == 0 => bad(format!(
                "it is big-endian (version {}), and only little-endian ones are read",
                version.swap_bytes()
            )),
            version => bad(format!("it is of version {version}, and versions 2 and 3 are read")),
        }
    }

    /// A string, which lies in `out` then.
    fn text<'a>(&mut self, out: &'a mut Vec<u8>, most: u64) -> Result<&'a str, Stop> {
        let at = self.at;
        let length = self.u64()?;
        let bytes = self.claim("bytes of text", length, 1)?;
        if length > most {
            return bad(format!("it has {length} bytes, where at most {most} are allowed"));
        }
        out.resize(bytes, 0);
        self.fill(out)?;
        simdutf8::basic::from_utf8(out).or_else(|_| bad(format!("the text at byte {at} is no UTF-8")))
    }

    fn name(&mut self) -> Result<String, Stop> {
        self.text(&mut Vec::new(), MAX_NAME).map(str::to_owned)
    }

    fn value(&mut self) -> Result<Value, Stop> {
        match self.u32()? {
            TEXT => self.text(&mut Vec::new(), u64::MAX).map(|text| Value::Text(text.to_owned())),
            ARRAY => Ok(Value::Array(self.array(1)?)),
            number => {
                let scalar = scalar(number)?;
                let bytes = self.numbers(scalar, 1)?;
                Ok(scalar.value(&bytes))
            }
        }
    }

    fn numbers(&mut self, scalar: Scalar, count: u64) -> Result<Vec<u8>, Stop> {
        let mut bytes = vec![0; self.claim("numbers", count, scalar.width() as u64)?];
        self.fill(&mut bytes)?;
        if scalar == Scalar::Bool && bytes.iter().any(|&byte| byte > 1) {
            return bad("a boolean is neither 0 nor 1");
        }
        Ok(bytes)
    }

    fn array(&mut self, depth: u32) -> Result<Array, Stop> {
        if depth > MAX_DEPTH {
            return bad(format!("arrays within arrays more than {MAX_DEPTH} deep"));
        }
        let number = self.u32()?;
        let count = self.u64()?;
        match number {
            TEXT => {
                self.claim("texts", count, 8)?;
                let (mut texts, mut bytes) = (Texts::default(), Vec::new());
                for _ in 0..count {
                    texts.push(self.text(&mut bytes, u64::MAX)?);
                }
                Ok(Array::Texts(texts))
            }
            ARRAY => {
                self.claim("arrays", count, 12)?;
                (0..count).map(|_| self.array(depth + 1)).collect::<Result<_, _>>().map(Array::Arrays)
            }
            number => {
                let scalar = scalar(number)?;
                Ok(Array::Numbers(Numbers { scalar, bytes: self.numbers(scalar, count)? }))
            }
        }
    }

    /// What follows a tensor's name: sides, kind, place and bytes.
    fn tensor(&mut self) -> Result<(Vec<u64>, Kind, u64, u64), Stop> {
        let sides = self.u32()?;
        if sides > MAX_SIDES {
            return bad(format!("it has {sides} sides, where at most {MAX_SIDES} are allowed"));
        }
        let mut dims = (0..sides).map(|_| self.u64()).collect::<Result<Vec<u64>, Stop>>()?;
        // The file names the side first that runs fastest.
        dims.reverse();
        let kind = Kind::from_number(self.u32()?);
        let offset = self.u64()?;
        let (items, bytes) = (kind.block_items() as u64, kind.block_bytes() as u64);
        let row = dims.last().copied().unwrap_or(1);
        if row % items != 0 {
            return bad(format!("its rows of {row} items are no whole blocks of {items} ({kind})"));
        }
        // A side of zero must not hide what the others multiply to: rows are counted without it.
        let all = dims.iter().try_fold(1u64, |n, &side| n.checked_mul(side.max(1)));
        match all.and_then(|n| (n / items).checked_mul(bytes)) {
            Some(_) if dims.contains(&0) => Ok((dims, kind, offset, 0)),
            Some(bytes) => Ok((dims, kind, offset, bytes)),
            None => bad(format!("its sides {dims:?} multiply to more than can be counted")),
        }
    }
}

fn scalar(number: u32) -> Result<Scalar, Stop> {
    Scalar::from_number(number).ok_or_else(|| Stop::Bad(format!("its type has the unknown number {number}")))
}
