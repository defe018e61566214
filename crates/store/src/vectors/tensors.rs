//! A tensor of a safetensors file as vectors.

use super::{PIECE, Vectors};
use crate::error::Error;
use crate::safetensors::{Dtype, Entry, Safetensors};
use half::{bf16, f16};
use std::path::Path;
use tamis_kernels::job::Job;

/// Reads the named tensor, or the only one of two axes.
pub(super) fn read(path: &Path, name: Option<&str>, job: &Job) -> Result<Vectors, Error> {
    let file = Safetensors::open(path)?;
    let bad = |message: String| Error::format(path, None, message);
    let tensor = find(&file.header().entries, name).map_err(bad)?;
    let (rows, width) = match tensor.shape[..] {
        [rows, width] => (rows as usize, width as usize),
        _ => {
            let axes = tensor.shape.len();
            return Err(bad(format!(
                "rank: vectors must have 2 axes, but the tensor \"{}\" has {axes}",
                tensor.name
            )));
        }
    };
    let size = (tensor.dtype.bits() / 8) as usize;
    let mut data = Vec::with_capacity(rows * width);
    let mut buffer = Vec::new();
    while data.len() < rows * width {
        job.check()?;
        let now = PIECE.min(rows * width - data.len());
        buffer.resize(now * size, 0);
        file.read(tensor, (data.len() * size) as u64, &mut buffer)?;
        widen(tensor.dtype, &buffer, &mut data).ok_or_else(|| {
            bad(format!("the tensor \"{}\" has the type {}: vectors are floats", tensor.name, tensor.dtype))
        })?;
    }
    file.check_unchanged()?;
    super::check_finite(path, width, &data)?;
    Ok(Vectors { rows, width: if rows == 0 { 0 } else { width }, data })
}

fn find<'a>(entries: &'a [Entry], name: Option<&str>) -> Result<&'a Entry, String> {
    let names = || {
        let names: Vec<&str> = entries.iter().take(20).map(|entry| entry.name.as_str()).collect();
        names.join(", ")
    };
    if let Some(name) = name {
        let found = entries.iter().find(|entry| entry.name == name);
        return found.ok_or_else(|| format!("no tensor \"{name}\": it has {}", names()));
    }
    let mut matrices = entries.iter().filter(|entry| entry.shape.len() == 2);
    match (matrices.next(), matrices.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(format!("no tensor of 2 axes: it has {}", names())),
        _ => Err(format!(
            "several tensors of 2 axes: name the vectors' one (--vectors-name, name); it has {}",
            names()
        )),
    }
}

fn widen(dtype: Dtype, bytes: &[u8], out: &mut Vec<f32>) -> Option<()> {
    match dtype {
        Dtype::F32 => out.extend(bytes.as_chunks().0.iter().map(|&item| f32::from_le_bytes(item))),
        Dtype::F16 => out.extend(bytes.as_chunks().0.iter().map(|&item| f16::from_le_bytes(item).to_f32())),
        Dtype::BF16 => out.extend(bytes.as_chunks().0.iter().map(|&item| bf16::from_le_bytes(item).to_f32())),
        Dtype::F64 => out.extend(bytes.as_chunks().0.iter().map(|&item| f64::from_le_bytes(item) as f32)),
        _ => return None,
    }
    Some(())
}
