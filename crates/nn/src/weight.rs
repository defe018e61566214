//! The tensors of a model, held in the type that their file has and widened to float32 row by row as they are used.
//!
//! Memory: the file's bytes of what was loaded. Widening costs a pass over the rows that are used, small beside a product with
//! more than a few rows.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use std::ops::Range;
use tamis_store::checkpoint::Checkpoint;
use tamis_store::error::Error;
use tamis_store::gguf::{self, Gguf};
use tamis_store::safetensors::Dtype;

/// Rows of numbers, [rows, columns].
#[derive(Debug, Clone)]
pub struct Weight {
    pub rows: usize,
    pub columns: usize,
    items: Items,
}

#[derive(Debug, Clone)]
enum Items {
    F32(Vec<f32>),
    F16(Vec<f16>),
    Bf16(Vec<bf16>),
    Blocks(gguf::Kind, Vec<u8>),
}

impl Items {
    /// All behind each other, if they are of one type.
    fn concat(parts: &[Weight]) -> Option<Items> {
        let (mut f32s, mut f16s, mut bf16s, mut blocks) = (vec![], vec![], vec![], vec![]);
        let mut kinds = Vec::new();
        for part in parts {
            match &part.items {
                Items::F32(own) => f32s.extend_from_slice(own),
                Items::F16(own) => f16s.extend_from_slice(own),
                Items::Bf16(own) => bf16s.extend_from_slice(own),
                Items::Blocks(kind, own) => {
                    kinds.push(*kind);
                    blocks.extend_from_slice(own);
                }
            }
        }
        let kind = kinds.first().copied().filter(|first| kinds.iter().all(|kind| kind == first));
        match [f32s.is_empty(), f16s.is_empty(), bf16s.is_empty(), kinds.is_empty()] {
            [false, true, true, true] => Some(Items::F32(f32s)),
            [true, false, true, true] => Some(Items::F16(f16s)),
            [true, true, false, true] => Some(Items::Bf16(bf16s)),
            [true, true, true, false] => Some(Items::Blocks(kind?, blocks)),
            _ => None,
        }
    }
}

impl Weight {
    /// # Panics
    /// If the data have another shape.
    pub fn new(data: Vec<f32>, rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "a weight of another shape");
        Weight { rows, columns, items: Items::F32(data) }
    }

    /// Its items, if they are float32.
    pub fn as_f32(&self) -> Option<&[f32]> {
        match &self.items {
            Items::F32(own) => Some(own),
            _ => None,
        }
    }

    /// Bytes of its items.
    pub fn bytes(&self) -> usize {
        match &self.items {
            Items::F32(own) => 4 * own.len(),
            Items::F16(own) => 2 * own.len(),
            Items::Bf16(own) => 2 * own.len(),
            Items::Blocks(_, bytes) => bytes.len(),
        }
    }

    /// Some rows as float32: its own, or widened into `scratch`.
    pub fn widen<'a>(&'a self, rows: Range<usize>, scratch: &'a mut Vec<f32>) -> &'a [f32] {
        let items = rows.start * self.columns..rows.end * self.columns;
        if let Items::F32(own) = &self.items {
            return &own[items];
        }
        // What lies there is written over whole.
        scratch.resize(items.len(), 0.0);
        match &self.items {
            Items::F32(_) => {}
            Items::F16(own) => own[items].convert_to_f32_slice(scratch),
            Items::Bf16(own) => own[items].convert_to_f32_slice(scratch),
            Items::Blocks(kind, bytes) => {
                let row = self.columns / kind.block_items() * kind.block_bytes();
                gguf::blocks::widen(*kind, &bytes[rows.start * row..rows.end * row], scratch);
            }
        }
        scratch
    }

    /// All of it as float32.
    pub fn into_f32(self) -> Vec<f32> {
        if let Items::F32(own) = self.items {
            return own;
        }
        let mut out = Vec::new();
        self.widen(0..self.rows, &mut out);
        out
    }

    /// Weights of one width, one below the other: in their type if it is one, else as float32.
    ///
    /// # Panics
    /// If they differ in width.
    pub fn stack(parts: Vec<Weight>) -> Weight {
        let columns = parts[0].columns;
        assert!(parts.iter().all(|part| part.columns == columns), "weights of one width");
        let rows = parts.iter().map(|part| part.rows).sum();
        let items = match Items::concat(&parts) {
            Some(items) => items,
            None => Items::F32(parts.into_iter().flat_map(Weight::into_f32).collect()),
        };
        Weight { rows, columns, items }
    }

    /// Turns the rows of each head from pairs that lie side by side into halves, as rotary embeddings of halves want them: of
    /// GGUF files, which keep q and k so.
    pub fn unpermute(self, heads: usize) -> Weight {
        let (rows, columns) = (self.rows, self.columns);
        let head = rows / heads;
        // Row i of the first half is row 2 i, row i of the second is row 2 i + 1.
        let from = |row: usize| {
            let (first, within) = (row / head * head, row % head);
            let (half, i) = (within / (head / 2), within % (head / 2));
            first + 2 * i + half
        };
        fn gather<T: Copy>(own: &[T], width: usize, rows: usize, from: impl Fn(usize) -> usize) -> Vec<T> {
            (0..rows).flat_map(|row| own[from(row) * width..][..width].iter().copied()).collect()
        }
        let items = match &self.items {
            Items::F32(own) => Items::F32(gather(own, columns, rows, from)),
            Items::F16(own) => Items::F16(gather(own, columns, rows, from)),
            Items::Bf16(own) => Items::Bf16(gather(own, columns, rows, from)),
            Items::Blocks(kind, bytes) => {
                let width = columns / kind.block_items() * kind.block_bytes();
                Items::Blocks(*kind, gather(bytes, width, rows, from))
            }
        };
        Weight { rows, columns, items }
    }
}

/// Where a model's tensors are.
#[derive(Debug)]
pub enum Source {
    Safetensors(Checkpoint),
    Gguf(Gguf),
}

impl Source {
    /// Whether there is such a tensor.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Source::Safetensors(file) => file.find(name).is_some(),
            Source::Gguf(file) => file.find(name).is_some(),
        }
    }

    /// An error if a file was written to since it was opened: what was read of it may be of two models.
    pub fn check_unchanged(&self) -> Result<(), Error> {
        match self {
            Source::Safetensors(file) => file.check_unchanged(),
            Source::Gguf(file) => file.check_unchanged(),
        }
    }

    /// An error about the file or folder.
    pub fn bad(&self, message: impl Into<String>) -> Error {
        let path = match self {
            Source::Safetensors(file) => file.path(),
            Source::Gguf(file) => file.path(),
        };
        Error::format(path, None, message)
    }

    /// A matrix.
    ///
    /// # Errors
    /// `ERR_TAMIS_FORMAT` with the tensor's name where it is missing, or has another shape or an unknown type.
    pub fn matrix(&self, name: &str, rows: usize, columns: usize) -> Result<Weight, Error> {
        self.load(name, &[rows, columns])
    }

    /// A vector, as float32.
    pub fn vector(&self, name: &str, length: usize) -> Result<Vec<f32>, Error> {
        Ok(self.load(name, &[length])?.into_f32())
    }

    /// A tensor of one or two axes; one of one is a row.
    ///
    /// # Errors
    /// Those of [`matrix`](Self::matrix).
    pub fn load(&self, name: &str, want: &[usize]) -> Result<Weight, Error> {
        let [rows, columns] = match *want {
            [rows, columns] => [rows, columns],
            _ => [1, want[0]],
        };
        match self {
            Source::Safetensors(file) => {
                let place = file.find(name).ok_or_else(|| {
                    Error::format(file.path(), None, format!("the tensor {name:?} is missing"))
                })?;
                let entry = place.entry;
                let bad = |message: String| {
                    Error::format(place.file.path(), None, format!("the tensor {name:?} {message}"))
                };
                if !entry.shape.iter().map(|&n| n as usize).eq(want.iter().copied()) {
                    return Err(bad(format!(
                        "has the shape {:?}, the configuration wants {want:?}",
                        entry.shape
                    )));
                }
                let items = rows * columns;
                let items = match entry.dtype {
                    Dtype::F32 => Items::F32(read(items, |bytes| place.file.read(entry, 0, bytes))?),
                    Dtype::F16 => Items::F16(read(items, |bytes| place.file.read(entry, 0, bytes))?),
                    Dtype::BF16 => Items::Bf16(read(items, |bytes| place.file.read(entry, 0, bytes))?),
                    other => {
                        return Err(bad(format!("has the type {other}: F32, F16 and BF16 are read")));
                    }
                };
                Ok(Weight { rows, columns, items })
            }
            Source::Gguf(file) => {
                let tensor = file.find(name).ok_or_else(|| {
                    Error::format(file.path(), None, format!("the tensor {name:?} is missing"))
                })?;
                if !tensor.dims.iter().map(|&n| n as usize).eq(want.iter().copied()) {
                    return Err(Error::format(
                        file.path(),
                        None,
                        format!(
                            "the tensor {name:?} has the shape {:?}, the metadata want {want:?}",
                            tensor.dims
                        ),
                    ));
                }
                let mut bytes = Vec::new();
                file.read(tensor, 0..rows as u64, &mut bytes)?;
                Ok(Weight { rows, columns, items: Items::Blocks(tensor.kind, bytes) })
            }
        }
    }
}

/// Items of a type whose every pattern of bits is a value, as bytes fill them; files are little-endian, as are all processors that
/// tamis is built for.
fn read<T: bytemuck::Pod>(
    items: usize,
    fill: impl FnOnce(&mut [u8]) -> Result<(), Error>,
) -> Result<Vec<T>, Error> {
    let mut out = vec![T::zeroed(); items];
    fill(bytemuck::cast_slice_mut(&mut out))?;
    Ok(out)
}
