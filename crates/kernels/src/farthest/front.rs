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
const BATCH: usize = 32;
/// Rows of a task, at most, in batches.
const TASK: usize = 128;
/// Tasks that there should be at least, where there are as many batches.
const TASKS: usize = 16;
/// Settled rows that are remembered as likely to be farthest next.
const RUNNERS_UP: usize = 32;
/// Rows of a group that are multiplied one by one; from more on all of the group are.
const ONE_BY_ONE: usize = 4;
/// Groups that every row goes through before the first bar is set, where all pairs are sought.
const FIRST_GROUPS: usize = 4;
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
    /// How many of `kept` are behind a row, and whether it is settled.
    done: Vec<u32>,
    /// The largest `near` of each batch of rows, or more.
    peaks: Vec<T>,
    runners_up: Vec<usize>,
}

/// Rows that are worked on together, and their state while they are.
struct Batch<T> {
    rows: [usize; BATCH],
    near: [T; BATCH],
    done: [u32; BATCH],
    count: usize,
}

impl<T: Real> Batch<T> {
    fn new() -> Self {
        Batch { rows: [0; BATCH], near: [T::ZERO; BATCH], done: [0; BATCH], count: 0 }
    }

    #[inline]
    fn push(&mut self, row: usize, near: T, done: u32) {
        (self.rows[self.count], self.near[self.count], self.done[self.count]) = (row, near, done);
        self.count += 1;
    }

    fn behind(&self, at: usize) -> usize {
        (self.done[at] & !SETTLED) as usize
    }

    fn is_settled(&self, at: usize) -> bool {
        self.done[at] & SETTLED != 0
    }

    fn lower(&mut self, at: usize, near: T) {
        if near < self.near[at] {
            self.near[at] = near;
        }
    }

    /// Writes the state back, into the rows from `first` on.
    fn restore(&self, first: usize, near: &mut [T], done: &mut [u32]) {
        for at in 0..self.count {
            (near[self.rows[at] - first], done[self.rows[at] - first]) = (self.near[at], self.done[at]);
        }
    }
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
            peaks: vec![T::INFINITY; space.rows.div_ceil(BATCH)],
            runners_up: Vec::new(),
        }
    }

    /// With every candidate's nearest other candidate sought.
    pub fn of_all_pairs(space: &'a Space<'a, T>, codes: Option<&'a Codes>, candidates: &[u32]) -> Self {
        let mut front = Front::new(space, codes, candidates);
        front.all_pairs = true;
        front.kept = candidates.iter().map(|&row| row as usize).collect();
        front.groups = codes.map(|codes| Groups::of_rows(codes, candidates));
        front.foresee(candidates);
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
        let mut likely = Batch::new();
        self.runners_up.iter().for_each(|&row| likely.push(row, near[row], done[row]));
        let likely_best = self.raise(&mut likely, &bar);
        likely.restore(0, &mut near, &mut done);
        let size = (peaks.len() / TASKS).clamp(1, TASK) * BATCH;
        let tasks = near.par_chunks_mut(size).zip(done.par_chunks_mut(size));
        let tasks = tasks.zip(peaks.par_chunks_mut(size / BATCH)).enumerate();
        let work = |task: usize, near: &mut [T], done: &mut [u32], peaks: &mut [T]| {
            let mut bests = Vec::new();
            let batches = near.chunks_mut(BATCH).zip(done.chunks_mut(BATCH)).zip(peaks).enumerate();
            for (b, ((near, done), peak)) in batches {
                let height = bar.height();
                if (*peak).into() < height || job.is_stopped() {
                    continue;
                }
                let first = task * size + b * BATCH;
                let mut batch = Batch::new();
                for (at, (&near, &done)) in near.iter().zip(&*done).enumerate() {
                    if near > T::NEG_INFINITY && near.into() >= height {
                        batch.push(first + at, near, done);
                    }
                }
                bests.extend(self.raise(&mut batch, &bar));
                batch.restore(first, near, done);
                *peak =
                    near.iter().fold(T::NEG_INFINITY, |peak, &near| if near > peak { near } else { peak });
            }
            bests
        };
        let bests: Vec<Vec<Found<T>>> =
            tasks.map(|(task, ((near, done), peaks))| work(task, near, done, peaks)).collect();
        (self.near, self.done, self.peaks) = (near, done, peaks);
        job.check()?;
        let bests: Vec<Found<T>> = bests.into_iter().flatten().collect();
        let found = bests.iter().fold(likely_best, |found, &best| farther(found, Some(best)));
        self.runners_up.extend(bests.into_iter().map(|(row, _)| row));
        self.remember(found.map(|(row, _)| row));
        Ok(found)
    }

    /// Before the first search over all pairs: every row goes through the rows beside it and a few groups, and those
    /// that stay farthest are looked at first, since the bar that they set spares the others.
    fn foresee(&mut self, candidates: &[u32]) {
        if let (Some(codes), Some(groups)) = (self.codes, &self.groups) {
            let first = groups.count().min(FIRST_GROUPS);
            let mut near = std::mem::take(&mut self.near);
            let mut done = std::mem::take(&mut self.done);
            let tasks = near.par_chunks_mut(BATCH).zip(done.par_chunks_mut(BATCH)).enumerate();
            tasks.for_each(|(task, (near, done))| {
                let mut batch = Batch::new();
                for (at, (&near, &done)) in near.iter().zip(&*done).enumerate() {
                    if near > T::NEG_INFINITY {
                        batch.push(task * BATCH + at, near, done);
                    }
                }
                let alive: [usize; BATCH] = std::array::from_fn(|at| at);
                let alive = &alive[..batch.count];
                let beside = candidates.partition_point(|&row| (row as usize) < task * BATCH) / GROUP;
                let beside =
                    (beside..groups.count().min(beside + BATCH / GROUP)).filter(|&group| group >= first);
                for group in (0..first).chain(beside) {
                    self.pass_group(codes, groups, group, &mut batch, alive);
                }
                (0..batch.count).for_each(|at| batch.done[at] = batch.done[at].min((first * GROUP) as u32));
                batch.restore(task * BATCH, near, done);
            });
            (self.near, self.done) = (near, done);
        }
        self.runners_up = candidates.iter().map(|&row| row as usize).collect();
        self.remember(None);
    }

    /// Leaves of the runners-up those that came nearest to be found, but for the row that was.
    fn remember(&mut self, found: Option<usize>) {
        let near = &self.near;
        self.runners_up.retain(|&row| near[row] > T::NEG_INFINITY && Some(row) != found);
        let descending = |&a: &usize, &b: &usize| {
            near[b].partial_cmp(&near[a]).expect("distances are numbers").then(a.cmp(&b))
        };
        if self.runners_up.len() > RUNNERS_UP {
            self.runners_up.sort_unstable();
            self.runners_up.dedup();
            if self.runners_up.len() > RUNNERS_UP {
                self.runners_up.select_nth_unstable_by(RUNNERS_UP - 1, descending);
                self.runners_up.truncate(RUNNERS_UP);
            }
        }
        self.runners_up.sort_unstable_by(descending);
        self.runners_up.dedup();
    }

    /// Brings rows up to date until they are below the bar, and raises it to the exact distance of those that stay.
    fn raise(&self, batch: &mut Batch<T>, bar: &Bar) -> Option<Found<T>> {
        let mut alive: [usize; BATCH] = std::array::from_fn(|at| at);
        let alive = &mut alive[..batch.count];
        let left = match (self.codes, &self.groups) {
            (Some(codes), Some(groups)) => self.pass_groups(codes, groups, batch, alive, bar),
            _ => self.pass_rows(batch, alive, bar),
        };
        let mut found = None;
        for &at in &alive[..left] {
            let row = batch.rows[at];
            if let (Some(codes), Some(groups)) = (self.codes, &self.groups)
                && !batch.is_settled(at)
            {
                batch.near[at] = self.settle(codes, groups, row, batch.near[at]);
                batch.done[at] |= SETTLED;
            }
            if batch.near[at].into() >= bar.height() {
                bar.raise(batch.near[at]);
                found = farther(found, Some((row, batch.near[at])));
            }
        }
        found
    }

    /// Exact comparisons of the rows at `alive`, each until it is below the bar. How many stay, first in `alive`.
    fn pass_rows(&self, batch: &mut Batch<T>, alive: &mut [usize], bar: &Bar) -> usize {
        let mut left = 0;
        for a in 0..alive.len() {
            let at = alive[a];
            let row = batch.rows[at];
            let mut done = batch.behind(at);
            while done < self.kept.len()
                && batch.near[at].into() >= bar.height()
                && batch.near[at] > self.space.floor()
            {
                let kept = self.kept[done];
                done += 1;
                if !(self.all_pairs && kept == row) {
                    batch.lower(at, self.space.between(row, kept));
                }
            }
            batch.done[at] = done as u32 | SETTLED;
            if batch.near[at].into() >= bar.height() {
                alive[left] = at;
                left += 1;
            }
        }
        left
    }

    /// Comparisons by codes of the rows at `alive`, group after group, each until it is below the bar. How many stay,
    /// first in `alive`.
    fn pass_groups(
        &self,
        codes: &Codes,
        groups: &Groups,
        batch: &mut Batch<T>,
        alive: &mut [usize],
        bar: &Bar,
    ) -> usize {
        let mut left = alive.len();
        let first = alive.iter().map(|&at| batch.behind(at)).min().unwrap_or(0) / GROUP;
        for group in first..groups.count() {
            self.pass_group(codes, groups, group, batch, &alive[..left]);
            let height = bar.height();
            let mut stay = 0;
            for a in 0..left {
                alive[stay] = alive[a];
                stay += usize::from(batch.near[alive[a]].into() >= height);
            }
            left = stay;
            if left == 0 {
                break;
            }
        }
        left
    }

    /// Takes the rows at `alive` through what is new to them in a group.
    fn pass_group(
        &self,
        codes: &Codes,
        groups: &Groups,
        group: usize,
        batch: &mut Batch<T>,
        alive: &[usize],
    ) {
        let end = self.kept.len().min((group + 1) * GROUP);
        let mut side = [0; SIDE];
        let mut filled = 0;
        for (a, &at) in alive.iter().enumerate() {
            let behind = batch.behind(at);
            if behind < end && batch.near[at] > self.space.floor() {
                if end - behind <= ONE_BY_ONE && !self.all_pairs {
                    let mut products = [i32::MIN; GROUP];
                    for kept in behind..end {
                        products[kept % GROUP] = codes.product(batch.rows[at], groups, kept);
                    }
                    self.compare(codes, group, &products, batch, at);
                } else {
                    side[filled] = at;
                    filled += 1;
                }
            }
            if filled == SIDE || (a + 1 == alive.len() && filled > 0) {
                let rows: [usize; SIDE] = std::array::from_fn(|s| batch.rows[side[s]]);
                let products = codes.products(&rows[..filled], groups, group);
                for (&at, mut products) in side.iter().zip(products).take(filled) {
                    let known = batch.behind(at).saturating_sub(group * GROUP).min(GROUP);
                    products[..known].fill(i32::MIN);
                    self.leave_out(batch.rows[at], group, &mut products);
                    self.compare(codes, group, &products, batch, at);
                }
                filled = 0;
            }
        }
        alive.iter().for_each(|&at| {
            batch.done[at] = batch.done[at] & SETTLED | (batch.behind(at).max(end)) as u32;
        });
    }

    /// Lowers what is known of the row at `at` by its products with a group.
    #[inline]
    fn compare(&self, codes: &Codes, group: usize, products: &[i32; GROUP], batch: &mut Batch<T>, at: usize) {
        let row = batch.rows[at];
        if batch.is_settled(at) {
            batch.near[at] = self.exact_of(codes, row, group, products, batch.near[at]);
        } else {
            let most = products.iter().copied().max().unwrap_or(i32::MIN);
            batch.lower(at, T::above(codes.upper(row, most)));
        }
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
    let groups = codes.map(|codes| Groups::of_rows(codes, candidates));
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
            for group in chunk * BATCH / GROUP..groups.count() {
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
            let from = if both_ways { 0 } else { chunk * BATCH + at };
            candidates[from..].iter().for_each(|&other| look(row as usize, other as usize));
        }
        found
    };
    let found = candidates.par_chunks(BATCH).enumerate().map(work).reduce(|| None, farther);
    job.check()?;
    Ok(found.expect("there are candidates").0)
}
