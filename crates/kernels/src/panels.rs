//! Products of rows with a matrix whose columns are kept in panels of sixteen, packed once for many rows.
//!
//! `out (+)= x B`, x row-major [rows, inputs], B [inputs, outputs]. Panels are `[inputs][16]` each, so that a step of a product loads sixteen
//! columns and one number of each of six rows, and nothing of x is copied. On processors with AVX2 the sums are fused multiply-adds in
//! registers; elsewhere, and where wider vectors make another kernel faster, products go through [`gemm`](crate::gemm), as
//! [`worth_packing`] says. Inputs go in runs that keep a panel in the first-level cache. Cost: `rows * inputs * outputs` multiply-adds, at
//! about nine tenths of the processor's rate.

use crate::cpu::Cpu;

/// Columns of a panel.
pub const LANES: usize = 16;
/// Rows whose sums are in registers at a time.
const ROWS: usize = 6;
/// Inputs of a run, at most: a panel of so many takes half of a first-level cache of 32 KiB, and leaves room for rows.
const RUN: usize = 256;

/// Whether this processor multiplies panels faster than [`gemm`](crate::gemm) does plain matrices.
pub fn worth_packing(cpu: Cpu) -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        cpu.avx2 && !cpu.avx512 && is_x86_feature_detected!("fma")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = cpu;
        false
    }
}

/// Numbers that the panels of a matrix of this shape take.
pub fn size(inputs: usize, outputs: usize) -> usize {
    inputs * outputs.next_multiple_of(LANES)
}

/// Packs a matrix that lies transposed, [outputs, inputs] with rows `stride` apart, as weights and keys do. Lanes without a column are
/// zero.
///
/// # Panics
/// If `out` has another size than [`size`], or the matrix ends early.
pub fn pack(transposed: &[f32], stride: usize, inputs: usize, outputs: usize, out: &mut [f32]) {
    assert_eq!(out.len(), size(inputs, outputs), "panels of another size");
    /// Steps that are turned at a time, in registers.
    const BLOCK: usize = 8;
    for (panel, first) in out.chunks_exact_mut((inputs * LANES).max(1)).zip((0..outputs).step_by(LANES)) {
        let lanes = LANES.min(outputs - first);
        // Lanes without a column repeat the last one, and are cleared.
        let rows: [&[f32]; LANES] = std::array::from_fn(|lane| {
            let row = first + lane.min(lanes - 1);
            &transposed[row * stride..][..inputs]
        });
        let (steps, _) = panel.as_chunks_mut::<LANES>();
        let (whole, rest) = steps.as_chunks_mut::<BLOCK>();
        for (i, steps) in whole.iter_mut().enumerate() {
            let block: [[f32; BLOCK]; LANES] =
                std::array::from_fn(|lane| rows[lane][i * BLOCK..][..BLOCK].try_into().expect("a block"));
            for (j, step) in steps.iter_mut().enumerate() {
                *step = std::array::from_fn(|lane| block[lane][j]);
            }
        }
        for (i, step) in (whole.len() * BLOCK..).zip(rest) {
            *step = std::array::from_fn(|lane| rows[lane][i]);
        }
        if lanes < LANES {
            steps.iter_mut().for_each(|step| step[lanes..].fill(0.0));
        }
    }
}

/// Sixteen columns of B.
#[derive(Debug, Clone, Copy)]
pub struct Panel<'a> {
    /// Its steps, `stride` apart: 16 in a packed panel, more in a matrix that lies as it is.
    pub data: &'a [f32],
    pub stride: usize,
}

/// Rows of x, `stride` apart.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    pub data: &'a [f32],
    pub stride: usize,
    pub count: usize,
}

/// Columns of the result: rows of up to sixteen, `stride` apart.
#[derive(Debug)]
pub struct Columns<'a> {
    pub data: &'a mut [f32],
    pub stride: usize,
    pub count: usize,
    /// Whether sums are added to what lies there.
    pub add: bool,
}

/// Writes the products of rows with all panels of a packed matrix. `out` has rows `stride` apart.
///
/// # Panics
/// If the shapes do not fit.
///
/// ```
/// use tamis_kernels::{cpu::Cpu, panels::{Rows, multiply, pack, size}};
/// // B is [2, 1], given transposed.
/// let mut panels = vec![0.0; size(2, 1)];
/// pack(&[3.0, 4.0], 2, 2, 1, &mut panels);
/// let mut out = [0.0];
/// let x = Rows { data: &[1.0, 2.0], stride: 2, count: 1 };
/// multiply(Cpu::current(), x, &panels, 2, 1, &mut out, 1, false);
/// assert_eq!(out, [11.0]);
/// ```
#[allow(clippy::too_many_arguments)]
pub fn multiply(
    cpu: Cpu,
    x: Rows<'_>,
    panels: &[f32],
    inputs: usize,
    outputs: usize,
    out: &mut [f32],
    stride: usize,
    add: bool,
) {
    assert_eq!(panels.len(), size(inputs, outputs), "panels of another size");
    assert!(outputs <= stride && out.len() >= reach(x.count, outputs, stride), "a result of another shape");
    if x.count == 0 {
        return;
    }
    if inputs == 0 {
        if !add {
            out.chunks_mut(stride).take(x.count).for_each(|row| row[..outputs].fill(0.0));
        }
        return;
    }
    // A run of inputs stays in the cache for all rows of a panel. Runs are about as long as each other.
    let run = inputs.div_ceil(inputs.div_ceil(RUN));
    for (panel, first) in panels.chunks_exact(inputs * LANES).zip((0..outputs).step_by(LANES)) {
        let count = LANES.min(outputs - first);
        for from in (0..inputs).step_by(run) {
            let run = run.min(inputs - from);
            let x = Rows { data: &x.data[from..], ..x };
            let panel = Panel { data: &panel[from * LANES..][..run * LANES], stride: LANES };
            let to = Columns { data: &mut out[first..], stride, count, add: add || from > 0 };
            multiply_panel(cpu, x, panel, run, to);
        }
    }
}

/// Items from the first of rows to behind their last.
fn reach(rows: usize, columns: usize, stride: usize) -> usize {
    if rows == 0 { 0 } else { (rows - 1) * stride + columns }
}

/// Writes the products of rows with one panel.
///
/// # Panics
/// If the shapes do not fit.
pub fn multiply_panel(cpu: Cpu, x: Rows<'_>, panel: Panel<'_>, inputs: usize, to: Columns<'_>) {
    assert!(to.count <= LANES && panel.stride >= LANES, "a panel of sixteen columns");
    assert!(panel.data.len() >= reach(inputs, LANES, panel.stride), "a panel ends early");
    assert!(x.stride >= inputs && x.data.len() >= reach(x.count, inputs, x.stride), "rows end early");
    assert!(to.data.len() >= reach(x.count, to.count, to.stride), "a result ends early");
    #[cfg(target_arch = "x86_64")]
    if cpu.avx2 && is_x86_feature_detected!("fma") {
        // SAFETY: the processor has the instructions; the asserts hold what is read and written within the slices.
        return unsafe { fused(x, panel, inputs, to) };
    }
    let _ = cpu;
    portable(x, panel, inputs, to);
}

fn portable(x: Rows<'_>, panel: Panel<'_>, inputs: usize, to: Columns<'_>) {
    for row in 0..x.count {
        let mut sums = [0.0f32; LANES];
        for i in 0..inputs {
            let a = x.data[row * x.stride + i];
            let step = &panel.data[i * panel.stride..][..LANES];
            for lane in 0..LANES {
                sums[lane] += a * step[lane];
            }
        }
        let out = &mut to.data[row * to.stride..][..to.count];
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = if to.add { *out + sum } else { sum };
        }
    }
}

/// # Safety
/// The processor has AVX2 and FMA; `x` has `inputs` numbers in each row, the panel as many steps, `to` its rows.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn fused(x: Rows<'_>, panel: Panel<'_>, inputs: usize, to: Columns<'_>) {
    let Columns { data, stride, count, add } = to;
    let mut out = Place { data: data.as_mut_ptr(), stride, count, add };
    let mut row = x.data.as_ptr();
    let mut left = x.count;
    while left > 0 {
        let now = left.min(ROWS);
        // SAFETY: `now` rows are left.
        unsafe {
            match now {
                6 => tile::<6>(row, x.stride, panel, inputs, out),
                5 => tile::<5>(row, x.stride, panel, inputs, out),
                4 => tile::<4>(row, x.stride, panel, inputs, out),
                3 => tile::<3>(row, x.stride, panel, inputs, out),
                2 => tile::<2>(row, x.stride, panel, inputs, out),
                _ => tile::<1>(row, x.stride, panel, inputs, out),
            }
        }
        left -= now;
        row = row.wrapping_add(now * x.stride);
        out.data = out.data.wrapping_add(now * stride);
    }
}

/// The first row of [`Columns`].
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Place {
    data: *mut f32,
    stride: usize,
    count: usize,
    add: bool,
}

/// The products of `R` rows.
///
/// # Safety
/// As [`fused`]; rows and places are there.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn tile<const R: usize>(row: *const f32, stride: usize, panel: Panel<'_>, inputs: usize, to: Place) {
    use std::arch::x86_64::*;
    let mut sums = [[_mm256_setzero_ps(); 2]; R];
    // SAFETY: step `i` of the panel has sixteen numbers, each of the rows a number `i`; results have their places.
    unsafe {
        let rows: [*const f32; R] = std::array::from_fn(|r| row.add(r * stride));
        let mut step = panel.data.as_ptr();
        for i in 0..inputs {
            let columns = [_mm256_loadu_ps(step), _mm256_loadu_ps(step.add(8))];
            for r in 0..R {
                let a = _mm256_broadcast_ss(&*rows[r].add(i));
                sums[r][0] = _mm256_fmadd_ps(a, columns[0], sums[r][0]);
                sums[r][1] = _mm256_fmadd_ps(a, columns[1], sums[r][1]);
            }
            step = step.wrapping_add(panel.stride);
        }
        for (r, sums) in sums.into_iter().enumerate() {
            let out = to.data.add(r * to.stride);
            if to.count == LANES {
                for (half, sum) in sums.into_iter().enumerate() {
                    let place = out.add(8 * half);
                    let sum = if to.add { _mm256_add_ps(_mm256_loadu_ps(place), sum) } else { sum };
                    _mm256_storeu_ps(place, sum);
                }
                continue;
            }
            let mut lanes = [0.0f32; LANES];
            _mm256_storeu_ps(lanes.as_mut_ptr(), sums[0]);
            _mm256_storeu_ps(lanes.as_mut_ptr().add(8), sums[1]);
            for (lane, sum) in lanes.into_iter().enumerate().take(to.count) {
                let place = out.add(lane);
                *place = if to.add { *place + sum } else { sum };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::Philox;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_sum_of_products(
            rows in 0usize..20, inputs in 0usize..60, outputs in 1usize..50, wide in 0usize..5, add: bool, long: bool,
        ) {
            // Some in several runs.
            let inputs = if long { inputs + 2 * RUN } else { inputs };
            let x: Vec<f32> = Philox::new(1, 0).first_normal(rows * (inputs + wide));
            let b: Vec<f32> = Philox::new(2, 0).first_normal(outputs * (inputs + wide));
            let mut panels = vec![f32::NAN; size(inputs, outputs)];
            pack(&b, inputs + wide, inputs, outputs, &mut panels);
            for cpu in Cpu::choices() {
                let mut out = vec![1.0; rows * (outputs + wide)];
                let from = Rows { data: &x, stride: inputs + wide, count: rows };
                multiply(cpu, from, &panels, inputs, outputs, &mut out, outputs + wide, add);
                for i in 0..rows {
                    for j in 0..outputs + wide {
                        let sum: f64 = (0..inputs)
                            .map(|k| f64::from(x[i * (inputs + wide) + k]) * f64::from(b[j.min(outputs - 1) * (inputs + wide) + k]))
                            .sum();
                        let want = if j >= outputs { 1.0 } else if add { sum + 1.0 } else { sum };
                        let got = f64::from(out[i * (outputs + wide) + j]);
                        prop_assert!((got - want).abs() < 1e-3, "{} {} {} {}", i, j, got, want);
                    }
                }
            }
        }
    }

    #[test]
    fn a_matrix_that_lies_as_it_is_serves_as_panels() {
        // [3, 20]: its columns 2 to 18.
        let b: Vec<f32> = (0..60).map(|i| i as f32).collect();
        for cpu in Cpu::choices() {
            let mut out = vec![0.0; 16];
            let x = Rows { data: &[1.0, 10.0, 100.0], stride: 3, count: 1 };
            let panel = Panel { data: &b[2..], stride: 20 };
            multiply_panel(cpu, x, panel, 3, Columns { data: &mut out, stride: 16, count: 16, add: false });
            let want: Vec<f32> =
                (2..18).map(|j| j as f32 + 10.0 * (j + 20) as f32 + 100.0 * (j + 40) as f32).collect();
            assert_eq!(out, want);
        }
    }
}
