//! `kernels.*`: shares, assignments.

use crate::call::{Now, run_on};
use crate::failure::Failure;
use crate::job::Job;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use tamis_kernels::{apportion, assign, job};

/// Whole shares of `total` in proportion to the weights.
#[napi]
pub fn apportion<'env>(
    env: &'env Env,
    total: f64,
    weights: &[f64],
    capacities: Option<&[f64]>,
    job: Option<&Job>,
) -> Result<Now<'env, Uint32Array>> {
    let capacities = capacities.map(<[f64]>::to_vec);
    let work = move |weights: &[f64], _: &job::Job| {
        let shares = apportion::apportion(total as u64, weights, capacities.as_deref());
        let shares = shares.map_err(|e| Failure::range(e.to_string()))?;
        Ok(shares.into_iter().map(|share| share as u32).collect())
    };
    run_on(env, job, weights, work, |shares: Vec<u32>| Uint32Array::new(shares))
}

#[napi(object)]
pub struct Assigned {
    pub columns: Uint32Array,
    pub total: f64,
}

/// The column of each row of `cost`, [rows, columns].
#[napi]
pub fn assign<'env>(
    env: &'env Env,
    cost: &[f64],
    rows: u32,
    columns: u32,
    maximize: bool,
    job: Option<&Job>,
) -> Result<Now<'env, Assigned>> {
    let (rows, columns) = (rows as usize, columns as usize);
    if rows > columns || cost.len() != rows * columns {
        return Err(Failure::shape("cost of another shape").into());
    }
    let work = move |cost: &[f64], job: &job::Job| {
        if let Some(i) = cost.iter().position(|c| !c.is_finite()) {
            return Err(Failure::range(format!("cost must be finite, got {} at index {i}", cost[i])));
        }
        Ok(assign::assign(cost, rows, columns, maximize, job)?)
    };
    run_on(env, job, cost, work, |found| Assigned {
        columns: Uint32Array::new(found.columns),
        total: found.total,
    })
}
