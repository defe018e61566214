//! An index as bytes.
//!
//! Little-endian: the magic `TAMISIDX`, a version (u32), then each field of the index in turn: numbers as u64 or
//! float64, lists as their length (u64) and their items. Rows of vectors are there or not, by a flag.

use super::index::Index;
use super::packing::Layout;
use std::fmt;

const MAGIC: &[u8; 8] = b"TAMISIDX";
const VERSION: u32 = 1;

/// Bytes that are no index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatError(pub String);

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "the buffer is no index: {}", self.0)
    }
}

impl std::error::Error for FormatError {}

/// An item of a list in the file.
trait Item: Copy {
    const BYTES: usize;
    fn write(self, out: &mut Vec<u8>);
    fn read(bytes: &[u8]) -> Self;
}

macro_rules! items {
    ($($t:ty)*) => {$(
        impl Item for $t {
            const BYTES: usize = size_of::<$t>();
            fn write(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn read(bytes: &[u8]) -> Self {
                <$t>::from_le_bytes(bytes.try_into().expect("as many bytes as the item has"))
            }
        }
    )*};
}
items!(u8 u32 u64 f32 f64);

fn put<T: Item>(out: &mut Vec<u8>, items: &[T]) {
    (items.len() as u64).write(out);
    out.reserve(items.len() * T::BYTES);
    items.iter().for_each(|item| item.write(out));
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take(&mut self, bytes: usize) -> Result<&[u8], FormatError> {
        let (head, tail) =
            self.0.split_at_checked(bytes).ok_or_else(|| FormatError("it ends early".into()))?;
        self.0 = tail;
        Ok(head)
    }

    fn one<T: Item>(&mut self) -> Result<T, FormatError> {
        Ok(T::read(self.take(T::BYTES)?))
    }

    /// A list, which must have `want` items.
    fn list<T: Item>(&mut self, name: &str, want: usize) -> Result<Vec<T>, FormatError> {
        let length = self.one::<u64>()?;
        let bytes = (length == want as u64).then(|| want.checked_mul(T::BYTES)).flatten();
        let bytes =
            bytes.ok_or_else(|| FormatError(format!("{name} has {length} items in place of {want}")))?;
        Ok(self.take(bytes)?.chunks_exact(T::BYTES).map(T::read).collect())
    }
}

impl Index {
    /// The index as bytes, with the rows of vectors or without.
    pub fn to_bytes(&self, with_rows: bool) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        VERSION.write(&mut out);
        u32::from(with_rows).write(&mut out);
        for number in [self.n, self.width, usize::from(self.cosine), self.columns, self.parts.len()] {
            (number as u64).write(&mut out);
        }
        self.reach.write(&mut out);
        put(&mut out, &self.mean);
        put(&mut out, &self.axes);
        put(&mut out, &self.signs_axes);
        put(&mut out, self.layout.bits());
        self.boundaries.iter().for_each(|boundaries| put(&mut out, boundaries));
        put(&mut out, &self.segments);
        put(&mut out, &self.signs);
        put(&mut out, &self.order);
        put(&mut out, &self.parts.iter().map(|&end| end as u64).collect::<Vec<_>>());
        put(&mut out, &self.centres);
        put(&mut out, &self.attributes);
        put(&mut out, if with_rows { &self.rows } else { &[][..] });
        out
    }

    /// The index of bytes; `rows` in place of those that may be in it, divided by their norms for the cosine.
    ///
    /// # Errors
    /// [`FormatError`], also if there are rows nowhere, or others than those that were indexed in number or width.
    pub fn from_bytes(bytes: &[u8], rows: Option<&[f32]>) -> Result<Index, FormatError> {
        let bad = |why: &str| Err(FormatError(why.into()));
        let mut reader = Reader(bytes);
        if reader.take(8)? != MAGIC {
            return bad("it does not begin with TAMISIDX");
        }
        let version = reader.one::<u32>()?;
        if version != VERSION {
            return bad(&format!("it has version {version}, this is version {VERSION}"));
        }
        let with_rows = reader.one::<u32>()? == 1;
        let mut number = || reader.one::<u64>().map(|number| number as usize);
        let (n, width, cosine) = (number()?, number()?, number()? == 1);
        let (columns, ends) = (number()?, number()?);
        // Products of these are lengths of lists, each of which must be there.
        let most = bytes.len();
        if n == 0 || width == 0 || ends < 2 || [n, width, columns, ends].iter().any(|&number| number > most) {
            return bad("its sizes cannot be");
        }
        let product =
            |a: usize, b: usize| a.checked_mul(b).ok_or_else(|| FormatError("its sizes cannot be".into()));
        let reach = reader.one()?;
        let mean = reader.list("mean", width)?;
        let axes = reader.list("axes", product(width, width)?)?;
        let signs_axes = reader.list("axes of signs", product(width, width)?)?;
        let bits: Vec<u8> = reader.list("bits", width)?;
        if bits.iter().any(|&bits| bits > 8) {
            return bad("a dimension has more than 8 bits");
        }
        let layout = Layout::new(&bits);
        let cells = |&bits: &u8| reader.list("boundaries", (1 << bits) + 1);
        let boundaries = bits.iter().map(cells).collect::<Result<_, _>>()?;
        let segments = reader.list("codes", product(layout.segments, n)?)?;
        let signs = reader.list("signs", product(width.div_ceil(8), n)?)?;
        let order: Vec<u32> = reader.list("order", n)?;
        let parts: Vec<u64> = reader.list("partitions", ends)?;
        let parts: Vec<usize> = parts.into_iter().map(|end| end as usize).collect();
        let partitions = if reader.0.starts_with(&[0; 8]) { 0 } else { ends - 1 };
        let centres = reader.list("centres", product(partitions, width)?)?;
        let attributes = reader.list("attributes", product(n, columns)?)?;
        let kept: Vec<f32> = reader.list("rows", if with_rows { product(n, width)? } else { 0 })?;
        if !reader.0.is_empty() {
            return bad("it is longer than its index");
        }
        let mut seen = vec![false; n];
        for &row in &order {
            match seen.get_mut(row as usize) {
                Some(seen) if !*seen => *seen = true,
                _ => return bad("its order is no permutation"),
            }
        }
        if parts[0] != 0 || parts[ends - 1] != n || parts.windows(2).any(|ends| ends[0] > ends[1]) {
            return bad("its partitions do not follow each other");
        }
        let rows = match rows {
            Some(rows) if rows.len() == n * width => {
                let mut rows = rows.to_vec();
                if cosine && rows.chunks_exact_mut(width).any(|row| !crate::unit::unit_row(row)) {
                    return bad("a row of x is zero");
                }
                rows
            }
            Some(_) => return bad(&format!("x must have dims [{n}, {width}]")),
            None if with_rows => kept,
            None => return bad("it holds no rows, so that x must be given"),
        };
        Ok(Index {
            n,
            width,
            cosine,
            mean,
            axes,
            signs_axes,
            layout,
            boundaries,
            segments,
            signs,
            order,
            parts,
            centres,
            reach,
            attributes,
            columns,
            rows,
        })
    }
}
