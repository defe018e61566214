//! Tensors as float32, some hundred thousand items at a time.
//!
//! A window is a run of a tensor's items that begins at a multiple of [`PIECE`], so that sums in blocks of 4,096 come out as over the whole
//! tensor. It is read in pieces on the shared pool, each widened, freed from its base and checked while it is in the cache.

use super::Place;
use super::updates::{Tensor, Updates};
use crate::error::Error;
use crate::safetensors::Dtype;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use half::{bf16, f16};
use rayon::prelude::*;
use std::cell::RefCell;
use tamis_kernels::elementwise::take_from;
use tamis_kernels::job::Job;
use tamis_kernels::magnitude::first_not_finite;
use tamis_kernels::{sums, threads};

/// Items of a piece.
pub const PIECE: usize = 1 << 16;
/// Items of a window over one tensor alone; more tensors share them: 64 MB, so that most tensors of a small model are one window each,
/// which is read once however often it is gone through.
const MOST: usize = 1 << 24;
/// Items of a window at least.
const LEAST: usize = 1 << 18;

/// Memory for windows over several tensors at once.
#[derive(Debug)]
pub struct Windows {
    /// Items of a window.
    size: usize,
    slots: Vec<Vec<f32>>,
    items: usize,
    /// Of each slot the sum of its squares, if [`Updates::read`] has filled them.
    squares: Vec<f64>,
    /// The tensor and the start of the window that the slots hold, if [`Updates::read`] has filled them.
    held: Option<(String, u64)>,
}

impl Windows {
    /// For so many tensors at once.
    pub fn new(slots: usize) -> Self {
        let size = (MOST / slots.max(1) / PIECE * PIECE).clamp(LEAST, MOST);
        Windows { size, slots: vec![Vec::new(); slots], items: 0, squares: Vec::new(), held: None }
    }

    /// Items of a window.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Where the windows over `items` items begin.
    pub fn starts(&self, items: u64) -> impl Iterator<Item = u64> + use<> {
        (0..items).step_by(self.size)
    }

    fn holds(&self, tensor: &Tensor, start: u64) -> bool {
        self.held.as_ref().is_some_and(|(name, at)| (name, *at) == (&tensor.name, start))
    }

    /// A slot of the window that was read last.
    pub fn slot(&self, slot: usize) -> &[f32] {
        &self.slots[slot][..self.items]
    }

    /// All slots of the window that was read last.
    pub fn slots(&self) -> Vec<&[f32]> {
        self.slots.iter().map(|slot| &slot[..self.items]).collect()
    }

    /// The sum of squares of each slot of the window that [`Updates::read`] read last.
    pub fn squares(&self) -> &[f64] {
        &self.squares
    }

    /// The first three slots, cut to the window of `items` items at `start`.
    ///
    /// # Panics
    /// If there are not three.
    pub(super) fn three(&mut self, items: u64, start: u64) -> [&mut [f32]; 3] {
        self.cut(items, start);
        let n = self.items;
        let [a, b, c] = &mut self.slots[..] else { panic!("there are not three slots") };
        [&mut a[..n], &mut b[..n], &mut c[..n]]
    }

    /// Makes the slots hold the window of `items` items at `start`: grown only as far as tensors need it, never cleared.
    fn cut(&mut self, items: u64, start: u64) {
        self.held = None;
        self.items = (items - start).min(self.size as u64) as usize;
        for slot in &mut self.slots {
            if slot.len() < self.items {
                slot.resize(self.items, 0.0);
            }
        }
    }

    /// Cuts the slots to the window of `items` items at `start`, as pieces: of each, its first item and its part of every slot.
    pub(super) fn pieces(&mut self, items: u64, start: u64) -> Vec<(u64, Vec<&mut [f32]>)> {
        self.cut(items, start);
        let count = self.slots.len();
        let starts = (0..self.items).step_by(PIECE).map(|at| start + at as u64);
        let mut pieces: Vec<_> = starts.map(|start| (start, Vec::with_capacity(count))).collect();
        for slot in &mut self.slots {
            for ((_, parts), part) in pieces.iter_mut().zip(slot[..self.items].chunks_mut(PIECE)) {
                parts.push(part);
            }
        }
        pieces
    }
}

impl Updates {
    /// Reads the window of all updates that begins at `start` of a tensor into `windows`, which has a slot for each: model minus base, in float32,
    /// every item finite. With a further slot the base itself goes into it. A window that is there is not read again.
    pub fn read(&self, tensor: &Tensor, start: u64, windows: &mut Windows, job: &Job) -> Result<(), Error> {
        if !windows.holds(tensor, start) {
            self.fill(tensor, start, windows, job)?;
            windows.held = Some((tensor.name.clone(), start));
        }
        let items = windows.items as u64;
        let width = |place: Place| place.entry.dtype.bits() / 8;
        let models = (0..self.models().len()).map(|m| width(self.model_place(tensor, m))).sum::<u64>();
        let ended = start + items == tensor.items;
        job.advance(items * (models + self.base_place(tensor).map_or(0, width)), u64::from(ended));
        Ok(())
    }

    fn fill(&self, tensor: &Tensor, start: u64, windows: &mut Windows, job: &Job) -> Result<(), Error> {
        let models = self.models().len();
        let base = self.base_place(tensor);
        let origin = self.origin();
        let read = |(start, mut parts): (u64, Vec<&mut [f32]>)| -> Result<Vec<f64>, Error> {
            job.check()?;
            let (updates, rest) = parts.split_at_mut(models);
            let n = updates[0].len();
            BASE.with_borrow_mut(|own| {
                let below: Option<&mut [f32]> = match rest {
                    [slot, ..] => Some(slot),
                    [] if base.is_some() => {
                        own.resize(PIECE, 0.0);
                        Some(&mut own[..n])
                    }
                    [] => None,
                };
                let below: Option<&[f32]> = match (below, base) {
                    (Some(below), Some(place)) => {
                        read_f32(place, start, below)?;
                        check_finite(place, start, below)?;
                        Some(below)
                    }
                    (Some(below), None) => {
                        below.fill(origin);
                        None
                    }
                    (None, _) => None,
                };
                for (m, update) in updates.iter_mut().enumerate() {
                    let place = self.model_place(tensor, m);
                    read_f32(place, start, update)?;
                    match below {
                        Some(below) => take_from(update, below),
                        None if origin != 0.0 => update.iter_mut().for_each(|x| *x -= origin),
                        None => {}
                    }
                    check_finite(place, start, update)?;
                }
                Ok::<(), Error>(())
            })?;
            Ok(parts.iter().map(|part| sums::norm_sq(part)).collect())
        };
        let pieces = windows.pieces(tensor.items, start);
        let squares: Vec<Vec<f64>> = match pieces.len() {
            0 | 1 => pieces.into_iter().map(read).collect::<Result<_, _>>()?,
            _ => threads::pool().install(|| pieces.into_par_iter().map(read).collect::<Result<_, _>>())?,
        };
        // In the order of the pieces, whichever thread was first.
        windows.squares = vec![0.0; windows.slots.len()];
        for of_piece in squares {
            windows.squares.iter_mut().zip(of_piece).for_each(|(sum, x)| *sum += x);
        }
        Ok(())
    }
}

/// The sum of squares of a window, as [`Windows::squares`] has it.
pub fn squares(x: &[f32]) -> f64 {
    if x.len() <= PIECE {
        return sums::norm_sq(x);
    }
    let of_pieces: Vec<f64> = threads::pool().install(|| x.par_chunks(PIECE).map(sums::norm_sq).collect());
    of_pieces.iter().sum()
}

thread_local! {
    /// Of the base, where nobody asks for it.
    static BASE: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    /// Bits of half types on their way.
    static HALVES: RefCell<Vec<u16>> = const { RefCell::new(Vec::new()) };
}

/// Fills `out` with a tensor's items from `start` on, widened.
///
/// # Panics
/// If the tensor holds no weights, or ends before.
pub fn read_f32(place: Place, start: u64, out: &mut [f32]) -> Result<(), Error> {
    let Place { file, entry } = place;
    if entry.dtype == Dtype::F32 {
        return file.read(entry, start * 4, bytemuck::cast_slice_mut(out));
    }
    HALVES.with_borrow_mut(|bits| {
        bits.resize(out.len(), 0);
        file.read(entry, start * 2, bytemuck::cast_slice_mut(bits))?;
        match entry.dtype {
            Dtype::F16 => bits.reinterpret_cast::<f16>().convert_to_f32_slice(out),
            Dtype::BF16 => bits.reinterpret_cast::<bf16>().convert_to_f32_slice(out),
            other => panic!("{other} is no type of weights"),
        }
        Ok(())
    })
}

pub(super) fn check_finite(place: Place, start: u64, x: &[f32]) -> Result<(), Error> {
    match first_not_finite(x) {
        None => Ok(()),
        Some(at) => {
            Err(place.error(format_args!("is not finite: {} at its item {}", x[at], start + at as u64)))
        }
    }
}

/// The bytes of `x` in a type of weights, rounded to nearest even, appended to `out`.
///
/// # Errors
/// The place of the first item that is finite and rounds to infinity.
///
/// # Panics
/// If the type is none of weights.
pub fn narrow(x: &[f32], dtype: Dtype, out: &mut Vec<u8>) -> Result<(), usize> {
    let width = (dtype.bits() / 8) as usize;
    let begin = out.len();
    if dtype == Dtype::F32 {
        out.extend_from_slice(bytemuck::cast_slice(x));
        return Ok(());
    }
    HALVES.with_borrow_mut(|bits| {
        bits.resize(x.len(), 0);
        let infinite = match dtype {
            Dtype::F16 => {
                bits.reinterpret_cast_mut::<f16>().convert_from_f32_slice(x);
                0x7c00
            }
            Dtype::BF16 => {
                bits.reinterpret_cast_mut::<bf16>().convert_from_f32_slice(x);
                0x7f80
            }
            other => panic!("{other} is no type of weights"),
        };
        let over = bits.iter().fold(false, |any, bits| any | (bits & 0x7fff >= infinite));
        if over
            && let Some(at) =
                bits.iter().zip(x).position(|(bits, x)| bits & 0x7fff >= infinite && x.is_finite())
        {
            return Err(at);
        }
        out.extend_from_slice(bytemuck::cast_slice(&bits[..]));
        debug_assert_eq!(out.len() - begin, x.len() * width);
        Ok(())
    })
}
