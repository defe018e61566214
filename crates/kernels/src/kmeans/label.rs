//! The nearest centre of each row.

use super::Data;
use crate::distance::Real;
use crate::job::{Aborted, Job};
use rayon::prelude::*;
use std::marker::PhantomData;

/// Rows of one task.
const TASK: usize = 64;

/// Finds the nearest centre of rows.
pub struct Labeler<T> {
    k: usize,
    item: PhantomData<T>,
}

impl<T: Real> Labeler<T> {
    pub fn new(_data: &Data<T>, k: usize) -> Self {
        Labeler { k, item: PhantomData }
    }

    /// The label of every row.
    pub fn label_all(
        &mut self,
        data: &Data<T>,
        centers: &[T],
        labels: &mut [u32],
        job: &Job,
    ) -> Result<(), Aborted> {
        labels.par_chunks_mut(TASK).enumerate().try_for_each(|(t, labels)| {
            job.check()?;
            for (i, label) in labels.iter_mut().enumerate() {
                *label = self.nearest(data, t * TASK + i, centers);
            }
            Ok(())
        })
    }

    /// The labels of some rows.
    pub fn label(
        &mut self,
        data: &Data<T>,
        rows: &[u32],
        centers: &[T],
        labels: &mut [u32],
        job: &Job,
    ) -> Result<(), Aborted> {
        let all = labels.par_chunks_mut(TASK).zip(rows.par_chunks(TASK));
        all.try_for_each(|(labels, rows)| {
            job.check()?;
            for (label, &row) in labels.iter_mut().zip(rows) {
                *label = self.nearest(data, row as usize, centers);
            }
            Ok(())
        })
    }

    fn nearest(&self, data: &Data<T>, row: usize, centers: &[T]) -> u32 {
        let width = data.x.width();
        let mut best = (f64::INFINITY, 0);
        for c in 0..self.k {
            let distance = data.distance(row, &centers[c * width..(c + 1) * width]);
            if distance < best.0 {
                best = (distance, c as u32);
            }
        }
        best.1
    }
}
