//! NumPy's array files, as NEP 1 describes them.
//!
//! `\x93NUMPY`, a byte each for major and minor version, the header's length (two bytes little-endian, from version 2 on four), the
//! header (a Python dictionary with the keys `descr`, `fortran_order` and `shape`), the items.

use super::{PIECE, Vectors};
use crate::error::Error;
use half::f16;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use tamis_kernels::job::Job;

/// The longest header that is read; that of two axes takes 118 bytes.
const MOST_HEADER: usize = 1 << 16;

/// What a header says.
#[derive(Debug, PartialEq)]
struct Header {
    /// Bytes of an item.
    size: usize,
    big_endian: bool,
    rows: usize,
    width: usize,
}

/// Reads an array of two axes.
pub(super) fn read(path: &Path, job: &Job) -> Result<Vectors, Error> {
    let io = |e| Error::io(path, "read", e);
    let bad = |message: String| Error::format(path, None, message);
    let file = File::open(path).map_err(io)?;
    let bytes = file.metadata().map_err(io)?.len();
    let mut file = BufReader::with_capacity(1 << 16, file);
    let mut start = [0; 12];
    let short = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::UnexpectedEof => bad("no NumPy array file: it ends in its header".into()),
        _ => io(e),
    };
    file.read_exact(&mut start[..10]).map_err(short)?;
    if !start.starts_with(b"\x93NUMPY") {
        return Err(bad("no NumPy array file: it does not start with \\x93NUMPY".into()));
    }
    let length = match start[6] {
        1 => usize::from(u16::from_le_bytes([start[8], start[9]])),
        2 | 3 => {
            file.read_exact(&mut start[10..]).map_err(short)?;
            u32::from_le_bytes([start[8], start[9], start[10], start[11]]) as usize
        }
        other => return Err(bad(format!("a NumPy array file of version {other}: 1 to 3 are read"))),
    };
    if length > MOST_HEADER {
        return Err(bad(format!("no NumPy array file: its header would have {length} bytes")));
    }
    let mut header = vec![0; length];
    file.read_exact(&mut header).map_err(short)?;
    let header = parse(&String::from_utf8_lossy(&header)).map_err(bad)?;
    let items = header.rows.checked_mul(header.width);
    let start = if start[6] == 1 { 10 } else { 12 } + length as u64;
    let left = bytes.saturating_sub(start);
    let want = items.and_then(|items| items.checked_mul(header.size)).map(|want| want as u64);
    if want != Some(left) {
        let (rows, width) = (header.rows, header.width);
        return Err(bad(format!(
            "an array of {rows} x {width}, but {left} bytes of items follow its header"
        )));
    }
    let items = items.unwrap_or(0);
    let mut data = Vec::with_capacity(items);
    let mut buffer = Vec::new();
    while data.len() < items {
        job.check()?;
        let now = PIECE.min(items - data.len());
        buffer.resize(now * header.size, 0);
        file.read_exact(&mut buffer).map_err(io)?;
        header.widen(&buffer, &mut data);
    }
    super::check_finite(path, header.width, &data)?;
    Ok(Vectors { rows: header.rows, width: if header.rows == 0 { 0 } else { header.width }, data })
}

impl Header {
    fn widen(&self, bytes: &[u8], out: &mut Vec<f32>) {
        macro_rules! items {
            ($size:literal, $float:ty, $narrow:expr) => {
                out.extend(bytes.as_chunks::<$size>().0.iter().map(|&item| {
                    let x = if self.big_endian {
                        <$float>::from_be_bytes(item)
                    } else {
                        <$float>::from_le_bytes(item)
                    };
                    $narrow(x)
                }))
            };
        }
        match self.size {
            2 => items!(2, f16, f16::to_f32),
            4 => items!(4, f32, |x: f32| x),
            _ => items!(8, f64, |x: f64| x as f32),
        }
    }
}

fn parse(header: &str) -> Result<Header, String> {
    let value = |key: &str| {
        let at = header
            .find(&format!("'{key}':"))
            .ok_or_else(|| format!("no NumPy array file: its header names no {key}"))?;
        Ok::<&str, String>(header[at + key.len() + 3..].trim_start())
    };
    let descr = value("descr")?;
    let descr = descr.strip_prefix('\'').and_then(|rest| rest.split('\'').next()).unwrap_or("a structure");
    let (size, big_endian) = match descr {
        "<f2" | "|f2" => (2, false),
        "<f4" | "|f4" => (4, false),
        "<f8" | "|f8" => (8, false),
        ">f2" => (2, true),
        ">f4" => (4, true),
        ">f8" => (8, true),
        other => return Err(format!("an array of {other}: vectors are read from floats (f2, f4, f8)")),
    };
    if !value("fortran_order")?.starts_with("False") {
        return Err("an array in Fortran order: save numpy.ascontiguousarray of it".into());
    }
    let shape = value("shape")?;
    let shape = shape.strip_prefix('(').and_then(|rest| rest.split(')').next());
    let sides = shape.ok_or("no NumPy array file: its header has no shape")?.split(',').map(str::trim);
    let sides: Option<Vec<usize>> =
        sides.filter(|side| !side.is_empty()).map(|side| side.parse().ok()).collect();
    match sides.as_deref() {
        Some(&[rows, width]) => Ok(Header { size, big_endian, rows, width }),
        Some(other) => Err(format!("rank: vectors must have 2 axes, got an array of {}", other.len())),
        None => Err("no NumPy array file: its header has no shape".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn headers_of_numpy() {
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (10, 384), }          \n";
        assert_eq!(parse(text), Ok(Header { size: 4, big_endian: false, rows: 10, width: 384 }));
        let why = |text: &str| parse(text).unwrap_err();
        assert!(why("{'descr': '<i4', 'fortran_order': False, 'shape': (1, 2)}").contains("an array of <i4"));
        assert!(why("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2)}").contains("Fortran"));
        assert!(why("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}").contains("rank"));
        assert!(
            why("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,)}").contains("a structure")
        );
        assert!(why("{'descr': '<f4', 'shape': (3,)}").contains("fortran_order"));
    }

    proptest! {
        #[test]
        fn no_header_panics(text in any::<String>(), other in r"\{'descr': '<f4', 'fortran_order': False, 'shape': .{0,12}") {
            let _ = (parse(&text), parse(&other));
        }
    }
}
