//! The candidates and how near each is known to be to what is kept, brought up to date only where that decides.
//!
//! Of each row there is `near`: its least distance to the kept rows that it has been compared with, which bounds from
//! above its least distance to all of them. With codes it is an upper bound of that first (the row is *loose*) and
//! becomes the exact value (*settled*) when the row may be the farthest. The farthest row is found under a bar, the
//! largest exact `near` found so far: whatever falls below it is left as it is. Which rows are worked on, and how
//! far, depends on the order of the work; the row found and its distance do not.

use super::codes::{Codes, GROUP, Groups, SIDE};
use super::space::{Real, Space};
use crate::job::{Aborted, Job};
use rayon::prelude::*;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// Rows that go through the groups together.
const CHUNK: usize = 32;
/// Chunks of a task, at most.
const TASK: usize = 128;
/// Tasks that there should be at least, where there are as many chunks.
const TASKS: usize = 16;
/// Settled rows that are remembered as likely to be farthest next.
const RUNNERS_UP: usize = 32;
/// The bit of `done` that says that a row is settled.
const SETTLED: u32 = 1 << 31;

/// A row and its exact distance.
type Found<T> = (usize, T);

/// The farther row, the lower one of equals.
fn farther<T: Real>(a: Option<Found<T>>, b: Option<Found<T>>) -> Option<Found<T>> {
    match (a, b) {
        (Some((i, x)), Some((j, y))) => Some(if y > x || (y == x && j < i) { (j, y) } else { (i, x) }),
        (a, b) => a.or(b),
    }
}

/// The largest exact distance found so far, over all threads.
struct Bar(AtomicI64);

impl Bar {
    fn new() -> Self {
        Bar(AtomicI64::new(ordered(f64::NEG_INFINITY)))
    }

    fn raise<T: Real>(&self, to: T) {
        self.0.fetch_max(ordered(to.into()), Relaxed);
    }

    fn height(&self) -> f64 {
        let bits = self.0.load(Relaxed);
        f64::from_bits((bits ^ ((bits >> 63) as u64 >> 1) as i64) as u64)
    }
}

/// Integers in the order of the numbers.
fn ordered(x: f64) -> i64 {
    let bits = x.to_bits() as i64;
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

/// See the module.
pub struct Front<'a, T: Real> {
    space: &'a Space<'a, T>,
    codes: Option<&'a Codes>,
    /// What distances are sought to, in the order in which each row meets it.
    kept: Vec<usize>,
    groups: Option<Groups>,
    /// Whether the rows themselves are what is kept: then each is compared with all but itself, those beside it first.
    all_pairs: bool,
    /// -Infinity for what is no candidate.
    near: Vec<T>,
    /// Groups (rows, without codes) of `kept` that are behind a row, and whether it is settled.
    done: Vec<u32>,
    /// The largest `near` of each chunk, or more.
    peaks: Vec<T>,
    runners_up: Vec<usize>,
}

/// A chunk's part of the state.
struct Chunk<'s, T> {
    first: usize,
    near: &'s mut [T],
    done: &'s mut [u32],
}

impl<'a, T: Real> Front<'a, T> {
    /// With nothing kept yet.
    pub fn new(space: &'a Space<'a, T>, codes: Option<&'a Codes>, candidates: &[u32]) -> Self {
        let mut near = vec![T::NEG_INFINITY; space.rows];
        candidates.iter().for_each(|&row| near[row as usize] = T::INFINITY);
        Front {
            space,
            codes,
            kept: Vec::new(),
            groups: codes.map(Groups::new),
            all_pairs: false,
            near,
            done: vec![if codes.is_some() { 0 } else { SETTLED }; space.rows],
            peaks: vec![T::INFINITY; space.rows.div_ceil(CHUNK)],
            runners_up: Vec::new(),
        }
    }

    /// With every candidate's nearest other candidate sought.
    pub fn of_all_pairs(space: &'a Space<'a, T>, codes: Option<&'a Codes>, candidates: &[u32]) -> Self {
        let mut front = Front::new(space, codes, candidates);
        front.all_pairs = true;
        candidates.iter().for_each(|&row| front.keep(row as usize));
        front.runners_up.push(candidates[candidates.len() / 2] as usize);
        front
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Keeps a row that is no candidate, or an anchor.
    pub fn keep(&mut self, i: usize) {
        self.kept.push(i);
        if let (Some(codes), Some(groups)) = (self.codes, &mut self.groups) {
            codes.push(groups, self.space, i);
        }
    }

    /// Keeps a candidate.
    pub fn take(&mut self, row: usize) {
        self.near[row] = T::NEG_INFINITY;
        self.keep(row);
    }

    /// The candidate farthest from what is kept, the lowest of equals, and its distance; none if none is left.
    pub fn farthest(&mut self, job: &Job) -> Result<Option<Found<T>>, Aborted> {
        let mut near = std::mem::take(&mut self.near);
        let mut done = std::mem::take(&mut self.done);
        let mut peaks = std::mem::take(&mut self.peaks);
        let bar = Bar::new();
        let mut found = None;
        for &row in &self.runners_up {
            let one = Chunk { first: row, near: &mut near[row..=row], done: &mut done[row..=row] };
            found = farther(found, self.raise(one, &bar));
        }
        let size = (self.peaks_of_task(peaks.len())) * CHUNK;
        let tasks = near.par_chunks_mut(size).zip(done.par_chunks_mut(size));
        let tasks = tasks.zip(peaks.par_chunks_mut(size / CHUNK)).enumerate();
        let work = |(task, ((near, done), peaks)): (usize, ((&mut [T], &mut [u32]), &mut [T]))| {
            let mut found = Vec::new();
            let chunks = near.chunks_mut(CHUNK).zip(done.chunks_mut(CHUNK)).zip(peaks).enumerate();
            for (c, ((near, done), peak)) in chunks {
                if (*peak).into() < bar.height() || job.is_stopped() {
                    continue;
                }
                let first = task * size + c * CHUNK;
                let best = self.raise(Chunk { first, near: &mut *near, done }, &bar);
                *peak =
                    near.iter().fold(T::NEG_INFINITY, |peak, &near| if near > peak { near } else { peak });
                found.extend(best);
            }
            found
        };
        let bests: Vec<Vec<Found<T>>> = tasks.map(work).collect();
        (self.near, self.done, self.peaks) = (near, done, peaks);
        job.check()?;
        let bests: Vec<Found<T>> = bests.into_iter().flatten().collect();
        found = bests.iter().fold(found, |found, &best| farther(found, Some(best)));
        self.remember(bests, found);
        Ok(found)
    }

    fn peaks_of_task(&self, chunks: usize) -> usize {
        (chunks / TASKS).clamp(1, TASK)
    }

    /// The rows to look at first in the next search: those that came nearest to be found.
    fn remember(&mut self, bests: Vec<Found<T>>, found: Option<Found<T>>) {
        self.runners_up.extend(bests.into_iter().map(|(row, _)| row));
        let near = &self.near;
        self.runners_up.retain(|&row| near[row] > T::NEG_INFINITY && Some(row) != found.map(|(row, _)| row));
        let descending = |&a: &usize, &b: &usize| {
            near[b].partial_cmp(&near[a]).expect("distances are numbers").then(a.cmp(&b))
        };
        self.runners_up.sort_unstable_by(descending);
        self.runners_up.dedup();
        self.runners_up.truncate(RUNNERS_UP);
    }

    /// Brings rows up to date until they are below the bar, and raises it to the exact distance of those that stay.
    fn raise(&self, mut chunk: Chunk<T>, bar: &Bar) -> Option<Found<T>> {
        let mut alive = [0; CHUNK];
        let mut count = 0;
        let height = bar.height();
        for (at, &near) in chunk.near.iter().enumerate() {
            alive[count] = at;
            count += usize::from(near > T::NEG_INFINITY && near.into() >= height);
        }
        if count == 0 {
            return None;
        }
        let left = match (self.codes, &self.groups) {
            (Some(codes), Some(groups)) => {
                self.pass_groups(codes, groups, &mut chunk, &mut alive[..count], bar)
            }
            _ => self.pass_rows(&mut chunk, &mut alive[..count], bar),
        };
        let mut found = None;
        for &at in &alive[..left] {
            let row = chunk.first + at;
            if let (Some(codes), Some(groups)) = (self.codes, &self.groups)
                && chunk.done[at] & SETTLED == 0
            {
                chunk.near[at] = self.settle(codes, groups, row, chunk.near[at]);
                chunk.done[at] |= SETTLED;
            }
            if chunk.near[at].into() >= bar.height() {
                bar.raise(chunk.near[at]);
                found = farther(found, Some((row, chunk.near[at])));
            }
        }
        found
    }

    /// Where in `kept` a row begins: at its like if all pairs are sought, so that what lies beside it comes first.
    fn beginning(&self, row: usize) -> usize {
        if !self.all_pairs {
            return 0;
        }
        let chunk = row / CHUNK * CHUNK;
        self.kept.partition_point(|&kept| kept < chunk) % self.kept.len()
    }

    /// Exact comparisons of the rows that `alive` lists, each until it is below the bar. How many stay.
    fn pass_rows(&self, chunk: &mut Chunk<T>, alive: &mut [usize], bar: &Bar) -> usize {
        let begin = self.beginning(chunk.first);
        let mut left = 0;
        for a in 0..alive.len() {
            let (at, row) = (alive[a], chunk.first + alive[a]);
            let near = &mut chunk.near[at];
            let mut done = (chunk.done[at] & !SETTLED) as usize;
            while done < self.kept.len() && (*near).into() >= bar.height() && *near > self.space.floor() {
                let kept = self.kept[(begin + done) % self.kept.len()];
                done += 1;
                if self.all_pairs && kept == row {
                    continue;
                }
                let distance = self.space.between(row, kept);
                if distance < *near {
                    *near = distance;
                }
            }
            chunk.done[at] = done as u32 | SETTLED;
            if (*near).into() >= bar.height() {
                alive[left] = at;
                left += 1;
            }
        }
        left
    }

    /// Comparisons by codes of the rows that `alive` lists, group after group side by side, each until it is below
    /// the bar. How many stay.
    fn pass_groups(
        &self,
        codes: &Codes,
        groups: &Groups,
        chunk: &mut Chunk<T>,
        alive: &mut [usize],
        bar: &Bar,
    ) -> usize {
        let (begin, count) = (self.beginning(chunk.first) / GROUP, groups.count());
        let full = if self.all_pairs { count } else { groups.full() } as u32;
        let behind = |done: u32| (done & !SETTLED) as usize;
        let mut left = alive.len();
        let first = alive.iter().map(|&at| behind(chunk.done[at])).min().unwrap_or(count);
        for step in first..count {
            let group = (begin + step) % count;
            let mut side = [0; SIDE];
            let mut rows = [0; SIDE];
            let mut filled = 0;
            for a in 0..left {
                let at = alive[a];
                if behind(chunk.done[at]) <= step && chunk.near[at] > self.space.floor() {
                    (side[filled], rows[filled]) = (at, chunk.first + at);
                    filled += 1;
                }
                if filled == SIDE || (a + 1 == left && filled > 0) {
                    let products = codes.products(&rows[..filled], groups, group);
                    for ((&at, &row), mut products) in side.iter().zip(&rows).zip(products).take(filled) {
                        self.leave_out(row, group, &mut products);
                        let near = &mut chunk.near[at];
                        if chunk.done[at] & SETTLED != 0 {
                            *near = self.exact_of(codes, row, group, &products, *near);
                        } else {
                            let most = products.into_iter().max().unwrap_or(i32::MIN);
                            let upper = T::above(codes.upper(row, most));
                            if upper < *near {
                                *near = upper;
                            }
                        }
                        let behind = (step as u32 + 1).min(full);
                        chunk.done[at] = chunk.done[at] & SETTLED | behind;
                    }
                    filled = 0;
                }
            }
            let height = bar.height();
            let mut stay = 0;
            for a in 0..left {
                alive[stay] = alive[a];
                stay += usize::from(chunk.near[alive[a]].into() >= height);
            }
            left = stay;
            if left == 0 {
                break;
            }
        }
        left
    }

    /// The exact `near` of a row whose bound is `near`.
    fn settle(&self, codes: &Codes, groups: &Groups, row: usize, mut near: T) -> T {
        for group in 0..groups.count() {
            let mut products = codes.products(&[row], groups, group)[0];
            self.leave_out(row, group, &mut products);
            near = self.exact_of(codes, row, group, &products, near);
        }
        near
    }

    /// Takes the row itself out of its products with a group.
    fn leave_out(&self, row: usize, group: usize, products: &mut [i32; GROUP]) {
        if self.all_pairs {
            let kept = &self.kept[group * GROUP..];
            for (product, _) in products.iter_mut().zip(kept).filter(|(_, kept)| **kept == row) {
                *product = i32::MIN;
            }
        }
    }

    /// `near`, or the least exact distance to a row of the group if that is less.
    #[inline]
    fn exact_of(&self, codes: &Codes, row: usize, group: usize, products: &[i32; GROUP], mut near: T) -> T {
        let mut reach = codes.reach(row, near.into());
        if products.iter().all(|&product| product <= reach) {
            return near;
        }
        let kept = &self.kept[group * GROUP..];
        for (&product, &kept) in products.iter().zip(kept) {
            if product > reach {
                let distance = self.space.between(row, kept);
                if distance < near {
                    near = distance;
                    reach = codes.reach(row, near.into());
                }
            }
        }
        near
    }
}

/// The first row of the farthest pair of candidates, first by its lower row, then by its higher one.
pub fn farthest_pair<T: Real>(
    space: &Space<T>,
    codes: Option<&Codes>,
    candidates: &[u32],
    job: &Job,
) -> Result<usize, Aborted> {
    let groups = codes.map(|codes| {
        let mut groups = Groups::new(codes);
        candidates.iter().for_each(|&row| codes.push(&mut groups, space, row as usize));
        groups
    });
    // Each pair counts once, as the one of the lower row, but where the two ways differ.
    let both_ways = space.floor() < T::ZERO;
    let bar = Bar::new();
    let work = |(chunk, rows): (usize, &[u32])| {
        let mut found = None;
        let mut look = |row: usize, other: usize| {
            let far = space.between(row, other);
            if far.into() >= bar.height() {
                bar.raise(far);
                found = farther(found, Some((row, far)));
            }
        };
        if let (Some(codes), Some(groups)) = (codes, &groups) {
            for group in chunk * CHUNK / GROUP..groups.count() {
                if job.is_stopped() {
                    break;
                }
                for rows in rows.chunks(SIDE) {
                    let rows: Vec<usize> = rows.iter().map(|&row| row as usize).collect();
                    let products = codes.products(&rows, groups, group);
                    for (&row, products) in rows.iter().zip(products) {
                        let beyond = codes.beyond(row, bar.height());
                        if products.iter().all(|&product| product >= beyond) {
                            continue;
                        }
                        for (&product, &other) in products.iter().zip(&candidates[group * GROUP..]) {
                            if product < beyond && other as usize >= row {
                                look(row, other as usize);
                            }
                        }
                    }
                }
            }
            return found;
        }
        for (at, &row) in rows.iter().enumerate() {
            if job.is_stopped() {
                break;
            }
            let from = if both_ways { 0 } else { chunk * CHUNK + at };
            candidates[from..].iter().for_each(|&other| look(row as usize, other as usize));
        }
        found
    };
    let found = candidates.par_chunks(CHUNK).enumerate().map(work).reduce(|| None, farther);
    job.check()?;
    Ok(found.expect("there are candidates").0)
}
