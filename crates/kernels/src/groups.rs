//! Groups of weights that stand and fall together: index j along an axis of one or several tensors. How salient each is,
//! and groups scaled.
//!
//! Sums over a group's weights are float64, in a fixed order: tensor by tensor, in each by the index before the axis, runs
//! behind it in the order of [`crate::sums`]. Groups side by side on the shared pool: the bits do not depend on the threads.
//! O(weights) a pass; three numbers a group.

use crate::cpu::{Cpu, vectorized};
use crate::sums::{BLOCK, LANES, join};
use crate::{sums, tasks, threads};
use rayon::prelude::*;

/// What of a tensor a set of groups owns: seen as [outer, groups, inner], group j has index j of the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    pub set: usize,
    pub tensor: usize,
    pub outer: usize,
    pub inner: usize,
}

/// Sets of groups, and the tensors' parts that they own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    /// Groups of each set.
    pub counts: Vec<usize>,
    pub members: Vec<Member>,
}

/// Of a group's weights x and directions d: `[sum x x, sum d d, sum x d]`.
type Products = [f64; 3];

/// Runs of at least so many weights are summed as runs; shorter ones line by line.
const RUN: usize = 8;
/// Groups of a tile of lines.
const TILE: usize = 512;
/// Each criterion's part of a score.
const PART: f64 = 0.2;

impl Groups {
    /// Scores of the groups of each set, from five criteria: the norm of the weights; that over their number; their cosine
    /// with the directions, plus 1; the magnitude of their product with the directions; half the square of that. Each
    /// is brought to a Euclidean norm of 0.2 over the groups of all sets, then they are added.
    ///
    /// # Panics
    /// If a tensor is shorter than a member says.
    ///
    /// ```
    /// use tamis_kernels::groups::{Groups, Member};
    /// let member = Member { set: 0, tensor: 0, outer: 1, inner: 1 };
    /// let groups = Groups { counts: vec![2], members: vec![member] };
    /// let scores = groups.saliency(&[&[1.0, -3.0]], &[&[1.0, 1.0]]);
    /// assert!(scores[0][0] > 0.0 && scores[0][1] > scores[0][0]);
    /// ```
    pub fn saliency(&self, weights: &[&[f32]], directions: &[&[f32]]) -> Vec<Vec<f64>> {
        let products = self.products(weights, directions);
        let mut sizes = vec![0usize; self.counts.len()];
        self.members.iter().for_each(|member| sizes[member.set] += member.outer * member.inner);
        let all: Vec<[f64; 5]> = products
            .iter()
            .zip(&sizes)
            .flat_map(|(set, &size)| set.iter().map(move |&products| criteria(products, size)))
            .collect();
        let scales: [f64; 5] = std::array::from_fn(|c| {
            let squares = sums::sum_by(all.len(), |i| all[i][c] * all[i][c]);
            PART / ((1e-8 + squares).sqrt() + 1e-8)
        });
        let mut rest = &all[..];
        let scores = |&count: &usize| {
            let (set, behind) = rest.split_at(count);
            rest = behind;
            set.iter()
                .map(|criteria| criteria.iter().zip(&scales).map(|(c, scale)| c * scale).sum())
                .collect()
        };
        self.counts.iter().map(scores).collect()
    }

    fn products(&self, weights: &[&[f32]], directions: &[&[f32]]) -> Vec<Vec<Products>> {
        let cpu = Cpu::current();
        let mut found: Vec<Vec<Products>> = self.counts.iter().map(|&n| vec![[0.0; 3]; n]).collect();
        for member in &self.members {
            let Member { outer, inner, .. } = *member;
            let out = &mut found[member.set][..];
            let (count, size) = (out.len(), outer * out.len() * inner);
            let (x, d) = (&weights[member.tensor][..size], &directions[member.tensor][..size]);
            let in_runs = outer == 1 || inner >= RUN;
            let tile = if in_runs { (tasks::TASK / (outer * inner).max(1)).clamp(1, TILE) } else { TILE };
            let one = |(i, out): (usize, &mut [Products])| {
                let first = i * tile;
                if in_runs {
                    for (j, out) in (first..).zip(out) {
                        for o in 0..outer {
                            let run = (o * count + j) * inner;
                            add(out, run_products(cpu, &x[run..][..inner], &d[run..][..inner]));
                        }
                    }
                } else {
                    line_products(cpu, x, d, count * inner, inner, first, out);
                }
            };
            if size <= tasks::TASK {
                out.chunks_mut(tile).enumerate().for_each(one);
            } else {
                threads::pool().install(|| out.par_chunks_mut(tile).enumerate().for_each(one));
            }
        }
        found
    }

    /// Multiplies the weights of each group of a set by its factor; a factor of 0 makes them 0 whatever they are.
    ///
    /// # Panics
    /// If there is not a factor a group, or a tensor is shorter than a member says.
    pub fn scale(&self, weights: &mut [Vec<f32>], set: usize, factors: &[f32]) {
        assert_eq!(factors.len(), self.counts[set], "a factor a group");
        for member in self.members.iter().filter(|member| member.set == set) {
            let line = factors.len() * member.inner;
            let x = &mut weights[member.tensor][..member.outer * line];
            let scale = |j: usize, x: &mut [f32]| match factors[j] {
                1.0 => (),
                0.0 => x.fill(0.0),
                factor => x.iter_mut().for_each(|x| *x *= factor),
            };
            if line == 0 {
                continue;
            }
            threads::pool().install(|| {
                if member.outer == 1 {
                    let least = (tasks::TASK / member.inner).max(1);
                    let runs = x.par_chunks_mut(member.inner).enumerate();
                    runs.with_min_len(least).for_each(|(j, x)| scale(j, x));
                } else {
                    let lines = x.par_chunks_mut(line).with_min_len((tasks::TASK / line).max(1));
                    lines.for_each(|x| x.chunks_mut(member.inner).enumerate().for_each(|(j, x)| scale(j, x)));
                }
            });
        }
    }
}

fn add(sum: &mut Products, more: Products) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

fn criteria([xx, dd, xd]: Products, size: usize) -> [f64; 5] {
    let (norm, other) = (xx.sqrt(), dd.sqrt());
    let product = xd.abs();
    [
        norm,
        norm / (size as f64 + 1e-6),
        xd / (norm + 1e-8) / (other + 1e-8) + 1.0,
        product,
        0.5 * product * product,
    ]
}

vectorized! {
    /// The products of a run.
    fn run_products(cpu: Cpu, x: &[f32], d: &[f32]) -> Products {
        let mut sums = [0.0; 3];
        for (x, d) in x.chunks(BLOCK).zip(d.chunks(BLOCK)) {
            let mut lanes = [[0.0f64; LANES]; 3];
            let (whole, rest) = x.as_chunks::<LANES>();
            let (others, others_rest) = d.as_chunks::<LANES>();
            for (x, d) in whole.iter().zip(others) {
                for i in 0..LANES {
                    let (x, d) = (f64::from(x[i]), f64::from(d[i]));
                    lanes[0][i] += x * x;
                    lanes[1][i] += d * d;
                    lanes[2][i] += x * d;
                }
            }
            for (i, (x, d)) in rest.iter().zip(others_rest).enumerate() {
                let (x, d) = (f64::from(*x), f64::from(*d));
                lanes[0][i] += x * x;
                lanes[1][i] += d * d;
                lanes[2][i] += x * d;
            }
            add(&mut sums, lanes.map(join));
        }
        sums
    }
}

vectorized! {
    /// The products of some groups from `first` on, whose weights are `inner` neighbours in every line of `width`.
    fn line_products(
        cpu: Cpu,
        x: &[f32],
        d: &[f32],
        width: usize,
        inner: usize,
        first: usize,
        out: &mut [Products],
    ) {
        let (start, n) = (first * inner, out.len() * inner);
        let mut columns = vec![[0.0f64; 3]; n];
        for (x, d) in x.chunks_exact(width).zip(d.chunks_exact(width)) {
            let (x, d) = (&x[start..][..n], &d[start..][..n]);
            for ((column, x), d) in columns.iter_mut().zip(x).zip(d) {
                let (x, d) = (f64::from(*x), f64::from(*d));
                column[0] += x * x;
                column[1] += d * d;
                column[2] += x * d;
            }
        }
        for (out, columns) in out.iter_mut().zip(columns.chunks_exact(inner)) {
            columns.iter().for_each(|&column| add(out, column));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::Philox;
    use crate::threads::on_any_budget;
    use proptest::prelude::*;

    fn normal(n: usize, seed: u64) -> Vec<f32> {
        let mut out = vec![0.0; n];
        Philox::new(seed, 0).normal(&mut out);
        out.into_iter().map(|x| x as f32).collect()
    }

    /// The places of a group's weights in a tensor.
    fn places(member: &Member, count: usize, j: usize) -> impl Iterator<Item = usize> {
        let Member { outer, inner, .. } = *member;
        (0..outer).flat_map(move |o| (0..inner).map(move |i| (o * count + j) * inner + i))
    }

    fn naive(groups: &Groups, x: &[&[f32]], d: &[&[f32]]) -> Vec<Vec<Products>> {
        let mut found: Vec<Vec<Products>> = groups.counts.iter().map(|&n| vec![[0.0; 3]; n]).collect();
        for member in &groups.members {
            for (j, out) in found[member.set].iter_mut().enumerate() {
                for place in places(member, groups.counts[member.set], j) {
                    let (x, d) = (f64::from(x[member.tensor][place]), f64::from(d[member.tensor][place]));
                    add(out, [x * x, d * d, x * d]);
                }
            }
        }
        found
    }

    fn slices(all: &[Vec<f32>]) -> Vec<&[f32]> {
        all.iter().map(|x| &x[..]).collect()
    }

    fn member(set: usize, tensor: usize, outer: usize, inner: usize) -> Member {
        Member { set, tensor, outer, inner }
    }

    #[test]
    fn large_members_on_any_budget() {
        let groups = Groups {
            counts: vec![700, 3],
            members: vec![
                member(0, 0, 1, 300),
                member(0, 1, 1, 1),
                member(0, 2, 301, 1),
                member(0, 3, 40, 9),
                member(1, 4, 1, 30_000),
            ],
        };
        let lengths = [700 * 300, 700, 301 * 700, 40 * 700 * 9, 90_000];
        let make = |seed| lengths.iter().map(|&n| normal(n, seed + n as u64)).collect::<Vec<_>>();
        let (x, d) = (make(1), make(100));
        let (x, d) = (slices(&x), slices(&d));
        let found = on_any_budget(|| groups.products(&x, &d));
        for (found, want) in found.iter().flatten().zip(naive(&groups, &x, &d).iter().flatten()) {
            for (found, want) in found.iter().zip(want) {
                assert!((found - want).abs() < 1e-8, "{found} {want}");
            }
        }
        on_any_budget(|| groups.saliency(&x, &d));
    }

    #[test]
    fn scores_are_the_sums_of_the_criteria() {
        let groups = Groups { counts: vec![2], members: vec![member(0, 0, 1, 2)] };
        let scores = groups.saliency(&[&[3.0, 4.0, 0.0, 0.0]], &[&[1.0, 0.0, 1.0, 1.0]]);
        // Of the first group: norm 5, mean 2.5, cosine 1.6, product 3, half its square 4.5; the second: a cosine of 1.
        let cosine = (1.6f64 * 1.6 + 1.0).sqrt();
        assert!((scores[0][0] - (0.8 + 0.2 * 1.6 / cosine)).abs() < 1e-6);
        assert!((scores[0][1] - 0.2 / cosine).abs() < 1e-6);
    }

    #[test]
    fn scaling_touches_the_groups_of_a_set_alone() {
        let groups = Groups { counts: vec![3, 2], members: vec![member(0, 0, 1, 2), member(1, 0, 3, 1)] };
        let mut x = vec![vec![1.0, 2.0, 3.0, 4.0, f32::INFINITY, 6.0]];
        groups.scale(&mut x, 0, &[1.0, 0.5, 0.0]);
        assert_eq!(x[0], [1.0, 2.0, 1.5, 2.0, 0.0, 0.0]);
        groups.scale(&mut x, 1, &[0.0, 1.0]);
        assert_eq!(x[0], [0.0, 2.0, 0.0, 2.0, 0.0, 0.0]);
    }

    proptest! {
        #[test]
        fn products_are_those_of_the_definition(
            outer in 1usize..6, count in 1usize..30, inner in 1usize..20, seed: u64,
        ) {
            let groups = Groups { counts: vec![count], members: vec![member(0, 0, outer, inner)] };
            let (x, d) = (normal(outer * count * inner, seed), normal(outer * count * inner, seed ^ 1));
            let (x, d) = ([&x[..]], [&d[..]]);
            for (found, want) in groups.products(&x, &d)[0].iter().zip(&naive(&groups, &x, &d)[0]) {
                prop_assert!(found.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-10));
            }
            let mut scaled = vec![x[0].to_vec()];
            let factors: Vec<f32> = (0..count).map(|j| j as f32 * 0.5).collect();
            groups.scale(&mut scaled, 0, &factors);
            for (i, (got, x)) in scaled[0].iter().zip(x[0]).enumerate() {
                prop_assert_eq!(*got, x * factors[i / inner % count]);
            }
        }
    }
}
