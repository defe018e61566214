//! Sizes of gzip files, and how much of a text another one explains: 1 - NCD, the normalized compression distance.
//!
//! C(x) is 18 bytes of header and trailer and the raw deflate stream of stock zlib (windowBits 15, memLevel 8, default
//! strategy) at a level from 1 to 9. `NCD(x, t) = (C(xt) - min(C(x), C(t))) / max(C(x), C(t))` (Cilibrasi, Vitanyi,
//! "Clustering by compression", 2005). A source is compressed once, up to where what follows it can first matter;
//! every target goes on from there. Levels from 4 on and texts of one block ([`lazy`]) need no stream: only the
//! symbols are counted ([`matcher`]), and the block's size follows from their numbers ([`block`]). Everything else is
//! zlib's own work, whose state is copied ([`stream`]). Sizes are the same bytes by all ways.
//! Cost: sources x targets times the length of a target; up to 3 MB a thread and 20 bytes a target's byte. What limits
//! it, over pairs of mail of 1,200 and 1,600 bytes: a fifth is trees, half goes on where the source has a longer match
//! than the target, 60 places a pair, each of a few branches that cannot be foreseen, and the filter's look-ups the rest.

mod block;
mod grams;
mod lazy;
mod matcher;
mod stream;
mod target;
mod trees;

use crate::job::{Aborted, Job};
use crate::ngrams::Texts;
use crate::sums;
use crate::threads;
use rayon::prelude::*;

/// Bytes of a gzip file beside its deflate stream.
const WRAPPER: u32 = 18;
/// Texts of about so many bytes are one task of [`sizes`].
const TASK: usize = 1 << 14;
/// Bytes of a group of targets, and sources that go past it at a time.
const GROUP: usize = 1 << 15;
const SOURCES: usize = 16;

/// How well targets explain sources.
#[derive(Debug, Clone, PartialEq)]
pub struct Alignments {
    /// Of each source: the mean of 1 - NCD over the targets.
    pub scores: Vec<f64>,
    /// The mean of the scores.
    pub mean: f64,
}

/// The gzip size of each text in bytes.
///
/// ```
/// use tamis_kernels::{deflate::sizes, job::Job};
/// let texts = ["", "abc abc abc abc abc"].into_iter().collect();
/// assert_eq!(sizes(&texts, 6, &Job::default()).unwrap(), [20, 26]);
/// ```
///
/// # Panics
/// If the level is not from 1 to 9.
pub fn sizes(texts: &Texts, level: u32, job: &Job) -> Result<Vec<u32>, Aborted> {
    let run = |run: std::ops::Range<usize>| {
        job.check()?;
        let mut worker = Worker::new(level);
        Ok(run.map(|i| worker.begin(0, texts.get(i).as_bytes())).collect::<Vec<u32>>())
    };
    let runs = texts.runs(TASK);
    let runs: Result<Vec<Vec<u32>>, Aborted> =
        threads::pool().install(|| runs.into_par_iter().map(run).collect());
    Ok(runs?.concat())
}

/// The mean alignment of each source with the targets, summed in target order.
///
/// # Panics
/// If the level is not from 1 to 9.
pub fn alignments(sources: &Texts, targets: &Texts, level: u32, job: &Job) -> Result<Alignments, Aborted> {
    let targets = prepare(targets, level, job)?;
    let longest = targets.iter().map(|target| target.text.len()).max().unwrap_or(0);
    let groups = group(&targets);
    let score = |worker: &mut Worker, run: std::ops::Range<usize>| {
        let mut sums = vec![0.0; run.len()];
        let source = |i: usize| sources.get(i).as_bytes();
        let begin = |(slot, i)| {
            job.check()?;
            Ok(worker.begin(slot, source(i)))
        };
        let alone = run.clone().enumerate().map(begin).collect::<Result<Vec<u32>, Aborted>>()?;
        for (g, group) in groups.iter().enumerate() {
            for (slot, (sum, i)) in sums.iter_mut().zip(run.clone()).enumerate() {
                job.check()?;
                let source = source(i);
                // Taking a source up again is dear for a stream, which sees all targets at once.
                let group = match (lazy::fits(level, source.len() + longest), g) {
                    (true, _) => &targets[group.clone()],
                    (false, 0) => &targets[..],
                    (false, _) => continue,
                };
                let joined = worker.finish(slot, source, group);
                group.iter().zip(joined).for_each(|(t, both)| *sum += alignment(alone[slot], t.size, both));
            }
        }
        run.for_each(|i| job.advance(sources.get(i).len() as u64, 1));
        Ok(sums.into_iter().map(|sum| sum / targets.len() as f64).collect::<Vec<f64>>())
    };
    let chunk = sources.len().div_ceil(4 * threads::threads()).clamp(1, SOURCES);
    let starts: Vec<usize> = (0..sources.len()).step_by(chunk).collect();
    let scores: Result<Vec<Vec<f64>>, Aborted> = threads::pool().install(|| {
        let run = |first: usize| first..sources.len().min(first + chunk);
        let work = |worker: &mut Worker, first: usize| score(worker, run(first));
        starts.into_par_iter().map_init(|| Worker::new(level), work).collect()
    });
    let scores = scores?.concat();
    let mean = sums::sum_f64(&scores) / scores.len() as f64;
    Ok(Alignments { scores, mean })
}

/// What all sources share of the targets' compression, for [`Worker::alignment`].
///
/// # Panics
/// If the level is not from 1 to 9.
pub fn prepare<'a>(targets: &'a Texts, level: u32, job: &Job) -> Result<Vec<Target<'a>>, Aborted> {
    let bare = sizes(targets, level, job)?;
    Ok(threads::pool().install(|| {
        (0..targets.len())
            .into_par_iter()
            .map(|t| Target::new(targets.get(t).as_bytes(), bare[t], level))
            .collect()
    }))
}

/// Runs of targets whose preparation stays in the cache while several sources go past.
fn group(targets: &[Target<'_>]) -> Vec<std::ops::Range<usize>> {
    let mut groups = Vec::new();
    let (mut first, mut bytes) = (0, 0);
    for (i, target) in targets.iter().enumerate() {
        bytes += target.text.len();
        if bytes >= GROUP || i + 1 == targets.len() {
            groups.push(first..i + 1);
            (first, bytes) = (i + 1, 0);
        }
    }
    groups
}

/// 1 - NCD of two sizes and that of both together.
fn alignment(x: u32, t: u32, both: u32) -> f64 {
    let (least, most) = (x.min(t), x.max(t));
    1.0 - (f64::from(both) - f64::from(least)) / f64::from(most)
}

/// A target, with what all sources share of its compression.
pub struct Target<'a> {
    text: &'a [u8],
    size: u32,
    prepared: Option<target::Target>,
}

impl<'a> Target<'a> {
    fn new(text: &'a [u8], size: u32, level: u32) -> Self {
        let prepared = lazy::fits(level, text.len()).then(|| target::Target::new(text, level));
        Target { text, size, prepared }
    }
}

/// What one thread works with.
pub struct Worker {
    level: u32,
    /// A source in each.
    matchers: Vec<matcher::Matcher>,
    sizer: block::Sizer,
    stream: Option<stream::Deflater>,
}

impl Worker {
    /// For a level from 1 to 9, that of the targets.
    pub fn new(level: u32) -> Self {
        assert!((1..=9).contains(&level), "a level from 1 to 9");
        Worker { level, matchers: Vec::new(), sizer: block::Sizer::new(), stream: None }
    }

    fn stream(&mut self) -> &mut stream::Deflater {
        self.stream.get_or_insert_with(|| stream::Deflater::new(self.level))
    }

    /// The size of a text, which the targets of [`Worker::finish`] go behind. At most one slot is new.
    fn begin(&mut self, slot: usize, text: &[u8]) -> u32 {
        if slot == self.matchers.len() {
            self.matchers.push(matcher::Matcher::new(self.level));
        }
        let size = if lazy::fits(self.level, text.len()) {
            self.sizer.size(self.matchers[slot].begin(text))
        } else {
            self.stream().size(text)
        };
        WRAPPER + size
    }

    /// The mean alignment of a source with the targets, summed in their order.
    pub fn alignment(&mut self, source: &[u8], targets: &[Target<'_>]) -> f64 {
        let alone = self.begin(0, source);
        let joined = self.finish(0, source, targets);
        let sum: f64 = targets.iter().zip(joined).map(|(t, both)| alignment(alone, t.size, both)).sum();
        sum / targets.len() as f64
    }

    /// The sizes of the source in a slot with each target behind it.
    fn finish(&mut self, slot: usize, source: &[u8], targets: &[Target<'_>]) -> Vec<u32> {
        if source.is_empty() {
            return targets.iter().map(|target| target.size).collect();
        }
        let mut joined = vec![0; targets.len()];
        let mut blocks = block::Blocks::new();
        let mut begun = false;
        for (t, target) in targets.iter().enumerate() {
            match &target.prepared {
                Some(prepared) if lazy::fits(self.level, source.len() + target.text.len()) => {
                    blocks.push(t, self.matchers[slot].finish(prepared));
                    if blocks.is_full() {
                        blocks.drain(&mut self.sizer, |t, size| joined[t] = WRAPPER + size);
                    }
                }
                _ => {
                    if !std::mem::replace(&mut begun, true) {
                        self.stream().begin(source);
                    }
                    joined[t] = WRAPPER + self.stream().finish(target.text);
                }
            }
        }
        blocks.drain(&mut self.sizer, |t, size| joined[t] = WRAPPER + size);
        joined
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By one call of zlib, without any sharing.
    fn plain(text: &[u8], level: u32) -> u32 {
        WRAPPER + stream::Deflater::new(level).size(text)
    }

    fn check(sources: &[&[u8]], targets: &[&[u8]], level: u32) {
        let sizes: Vec<u32> = targets.iter().map(|t| plain(t, level)).collect();
        let prepared: Vec<Target<'_>> =
            targets.iter().zip(&sizes).map(|(t, &size)| Target::new(t, size, level)).collect();
        let mut worker = Worker::new(level);
        for (i, source) in sources.iter().enumerate() {
            let slot = i % 2;
            let alone = worker.begin(slot, source);
            let joined = worker.finish(slot, source, &prepared);
            assert_eq!(alone, plain(source, level), "source {i} of {} bytes, level {level}", source.len());
            for (t, target) in targets.iter().enumerate() {
                let both = [*source, *target].concat();
                let lengths = (source.len(), target.len());
                assert_eq!(
                    joined[t],
                    plain(&both, level),
                    "source {i}, target {t}, {lengths:?}, level {level}"
                );
            }
        }
    }

    /// Text-like bytes: words of a small vocabulary, phrases again and again.
    fn prose(seed: u64, len: usize) -> Vec<u8> {
        let draws = crate::philox::Philox::new(seed, 3);
        let words: Vec<String> = (0..60)
            .map(|w| {
                let letters = 1 + draws.word(w) % 9;
                (0..letters)
                    .map(|l| (b'a' + (draws.word(w * 16 + 1000 + u64::from(l)) % 26) as u8) as char)
                    .collect()
            })
            .collect();
        let mut out = Vec::new();
        let mut at = 5000;
        while out.len() < len {
            at += 1;
            let word = draws.word(at);
            if word.is_multiple_of(11) && out.len() > 40 {
                let from = (word >> 8) as usize % (out.len() - 30);
                let piece = out[from..from + 30].to_vec();
                out.extend(piece);
            }
            out.extend(words[(word as usize >> 4) % 60].bytes());
            out.push(b" \n,."[(word as usize >> 28) % 4]);
        }
        out.truncate(len);
        out
    }

    #[test]
    fn sizes_of_prose_are_zlib_s_at_every_level() {
        let lengths = [0, 1, 2, 3, 4, 5, 10, 100, 261, 262, 263, 700, 3000, 9000];
        let sources: Vec<Vec<u8>> = lengths.iter().map(|&len| prose(len as u64, len)).collect();
        let targets: Vec<Vec<u8>> = lengths.iter().map(|&len| prose(7, len)).collect();
        let sources: Vec<&[u8]> = sources.iter().map(Vec::as_slice).collect();
        let targets: Vec<&[u8]> = targets.iter().map(Vec::as_slice).collect();
        for level in 1..=9 {
            check(&sources, &targets, level);
        }
    }

    #[test]
    fn sizes_of_runs_and_of_long_texts_are_zlib_s() {
        let runs: Vec<Vec<u8>> =
            [1, 2, 3, 4, 257, 258, 259, 300, 600, 5000].iter().map(|&n| vec![b'a'; n]).collect();
        let runs: Vec<&[u8]> = runs.iter().map(Vec::as_slice).collect();
        let long = [prose(1, 16_000), prose(2, 40_000), prose(3, 70_000), prose(4, 200_000)];
        let noise: Vec<u8> = (0..12_000).map(|i| crate::philox::Philox::new(8, 8).word(i) as u8).collect();
        let short = prose(5, 500);
        for level in [1, 3, 4, 5, 6, 7, 8, 9] {
            check(&runs, &runs, level);
            let mut sources: Vec<&[u8]> = long.iter().map(Vec::as_slice).collect();
            sources.extend([&noise[..], &noise[..1000], &short]);
            check(&sources, &[&short, &noise[..300], &long[0], &[]], level);
        }
    }

    #[test]
    fn alignment_of_the_same_text_is_near_one_and_of_others_near_zero() {
        let text = String::from_utf8(prose(1, 1500)).unwrap();
        let other = String::from_utf8((0..1500).map(|i| b'0' + (i * i % 71) as u8).collect()).unwrap();
        let sources: Texts = [text.as_str(), other.as_str(), ""].into_iter().collect();
        let targets: Texts = [text.as_str()].into_iter().collect();
        let found = alignments(&sources, &targets, 6, &Job::default()).unwrap();
        assert!(found.scores[0] > 0.9 && found.scores[1] < 0.3 && found.scores[2] < found.scores[1] + 0.1);
        assert_eq!(found.mean, sums::sum_f64(&found.scores) / 3.0);
    }

    #[test]
    fn alignments_are_those_of_every_pair_alone() {
        let lengths = |i: usize| 200 + 97 * i % 1500;
        let text = |seed: usize, len: usize| String::from_utf8(prose(seed as u64, len)).unwrap();
        let mut sources: Vec<String> = (0..40).map(|i| text(i, lengths(i))).collect();
        // One goes past all targets by itself.
        sources.extend([text(50, 16_000), String::new()]);
        let targets: Vec<String> = (0..36).map(|i| text(i + 20, 900 + lengths(i))).collect();
        let size = |text: &str| plain(text.as_bytes(), 6);
        let found = alignments(
            &sources.iter().map(String::as_str).collect(),
            &targets.iter().map(String::as_str).collect(),
            6,
            &Job::default(),
        );
        let scores = sources.iter().map(|source| {
            let pairs = targets.iter().map(|t| alignment(size(source), size(t), size(&(source.clone() + t))));
            pairs.fold(0.0, |sum, of| sum + of) / targets.len() as f64
        });
        assert_eq!(found.unwrap().scores, scores.collect::<Vec<f64>>());
    }

    #[test]
    fn a_stopped_job_ends_it() {
        let job = Job::default();
        job.stop();
        let texts: Texts = ["abc"].into_iter().collect();
        assert_eq!(sizes(&texts, 6, &job), Err(Aborted));
        assert_eq!(alignments(&texts, &texts, 6, &job), Err(Aborted));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn sizes_are_zlib_s(
            x in prop::collection::vec(prop::sample::select(&b"aab cd"[..]), 0..400),
            t in prop::collection::vec(prop::sample::select(&b"aab cd"[..]), 0..400),
            level in 1u32..=9,
        ) {
            check(&[&x], &[&t], level);
        }

        #[test]
        fn sizes_of_any_bytes_are_zlib_s(
            x in prop::collection::vec(any::<u8>(), 0..300), t in prop::collection::vec(any::<u8>(), 0..300),
            repeats in 1usize..6, level in 4u32..=9,
        ) {
            check(&[&x.repeat(repeats), &t], &[&t.repeat(repeats), &x], level);
        }

        #[test]
        fn sizes_of_prose_are_zlib_s_(
            seed: u64, x in 0usize..3000, t in 0usize..3000, level in 4u32..=9,
        ) {
            check(&[&prose(seed, x)], &[&prose(seed / 2, t), &prose(seed, t)], level);
        }
    }
}
