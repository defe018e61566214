//! The axes of an array in another order.
//!
//! A copy, whatever the items are. Axes that stay neighbours are taken as one; lines are copied whole where the last
//! axis stays the last. Cost: one read and one write an item, in parallel over the outer axes.

use crate::threads;
use rayon::prelude::*;

/// Items of one task.
const TASK: usize = 1 << 14;

/// The array whose axis i is axis `order[i]` of `x`, row-major of `dims`.
///
/// ```
/// use tamis_kernels::permute::permute;
/// assert_eq!(permute(&[1, 2, 3, 4, 5, 6], &[2, 3], &[1, 0]), [1, 4, 2, 5, 3, 6]);
/// ```
///
/// # Panics
/// If the data have another shape, or `order` does not name every axis once.
pub fn permute<T: Copy + Default + Send + Sync>(x: &[T], dims: &[usize], order: &[usize]) -> Vec<T> {
    assert_eq!(x.len(), dims.iter().product::<usize>(), "data of another shape");
    let mut named = order.to_vec();
    named.sort_unstable();
    assert!(named.iter().copied().eq(0..dims.len()), "an order of other axes");
    if x.is_empty() {
        return Vec::new();
    }
    let axes = merged(dims, order);
    // The last two are worked through together, the others give the place where they begin.
    let (outer, inner) = axes.split_at(axes.len().saturating_sub(2));
    let [rows, line] = match *inner {
        [rows, line] => [rows, line],
        [line] => [Axis { len: 1, step: 0 }, line],
        _ => [Axis { len: 1, step: 0 }; 2],
    };
    let area = rows.len * line.len;
    let mut out = vec![T::default(); x.len()];
    let fill = |(place, out): (usize, &mut [T])| {
        let mut left = place;
        let mut start = 0;
        for axis in outer.iter().rev() {
            start += left % axis.len * axis.step;
            left /= axis.len;
        }
        for (row, out) in out.chunks_mut(line.len).enumerate() {
            let start = start + row * rows.step;
            if line.step == 1 {
                out.copy_from_slice(&x[start..start + line.len]);
            } else {
                out.iter_mut().enumerate().for_each(|(i, out)| *out = x[start + i * line.step]);
            }
        }
    };
    threads::pool().install(|| {
        out.par_chunks_mut(area).with_min_len(TASK.div_ceil(area)).enumerate().for_each(fill);
    });
    out
}

/// An axis of the result: its length, and how far apart its items are in the input.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Axis {
    len: usize,
    step: usize,
}

fn merged(dims: &[usize], order: &[usize]) -> Vec<Axis> {
    let mut axes: Vec<Axis> = Vec::new();
    for &axis in order {
        let next = Axis { len: dims[axis], step: dims[axis + 1..].iter().product() };
        match axes.last_mut() {
            _ if next.len == 1 => {}
            Some(last) if last.step == next.len * next.step => {
                *last = Axis { len: last.len * next.len, step: next.step }
            }
            _ => axes.push(next),
        }
    }
    axes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(x: &[u32], dims: &[usize], order: &[usize]) -> Vec<u32> {
        let step = |axis: usize| dims[axis + 1..].iter().product::<usize>();
        let place = |mut at: usize| {
            let mut from = 0;
            for &axis in order.iter().rev() {
                from += at % dims[axis] * step(axis);
                at /= dims[axis];
            }
            from
        };
        (0..x.len()).map(|at| x[place(at)]).collect()
    }

    #[test]
    fn neighbours_are_one_axis() {
        assert_eq!(merged(&[2, 3, 4, 1], &[0, 1, 2, 3]), [Axis { len: 24, step: 1 }]);
        assert_eq!(merged(&[2, 3, 4], &[2, 0, 1]), [Axis { len: 4, step: 1 }, Axis { len: 6, step: 4 }]);
    }

    #[test]
    fn many_tasks() {
        let dims = [3, 50, 4, 70];
        let x: Vec<u32> = (0..3 * 50 * 4 * 70).collect();
        let want = naive(&x, &dims, &[0, 1, 3, 2]);
        assert_eq!(threads::on_any_budget(|| permute(&x, &dims, &[0, 1, 3, 2])), want);
    }

    proptest! {
        #[test]
        fn items_go_where_the_definition_says(
            dims in prop::collection::vec(0usize..4, 0..6),
            order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle(),
        ) {
            let order: Vec<usize> = order.into_iter().filter(|&axis| axis < dims.len()).collect();
            let x: Vec<u32> = (0..dims.iter().product::<usize>() as u32).collect();
            prop_assert_eq!(permute(&x, &dims, &order), naive(&x, &dims, &order));
        }
    }
}
