//! Where every record of a corpus lies, with the numbers of its fields: for choices that look at all records at once.
//!
//! One pass, O(bytes), in parallel. Memory: 40 bytes a record, and its vector. What a state keeps of a shard takes as much disk.

mod kept;

use super::choose::{Chosen, Pick};
use super::heap::{Best, Budget, Candidate, share_out};
use super::score::{SAMPLE_STREAM, Sample};
use super::seen::{Part, Seen};
use crate::block::{Block, BlockReader, Scratch, Shard, Start};
use crate::error::Error;
use crate::input::{Input, Layout};
use crate::json::{FieldPath, numbers_of};
use crate::ordered::for_each_block;
use crate::record::{ReadOptions, Record};
use crate::scores::ScoresWriter;
use crate::state::State;
use crate::vectors::columns::{each_numbers, find_numbers};
use crate::vectors::no_vector;
use std::path::Path;
use tamis_kernels::job::{Aborted, Job};
use tamis_kernels::losses;
use tamis_kernels::ngrams::NgramHasher;
use tamis_kernels::philox::Philox;

/// What to read beside the texts.
#[derive(Debug, Clone, Default)]
pub struct PlaceOptions {
    /// The field of a vector, which every record must have, all of one width.
    pub vector: Option<String>,
    /// The fields of numbers, which every record must have.
    pub numbers: Vec<String>,
    /// At most so many threads of the pool.
    pub threads: Option<usize>,
}

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Among the good records of its file.
    ordinal: u64,
    offset: u64,
    len: u32,
    text_bytes: u32,
    tokens: u32,
    file: u32,
}

/// All good records, in order.
#[derive(Debug, Default)]
pub struct Places {
    pub seen: Seen,
    pub(super) places: Vec<Place>,
    /// Numbers of a vector.
    pub width: usize,
    /// [records, width], until somebody takes them.
    pub vectors: Vec<f32>,
    /// [records, fields of numbers].
    pub numbers: Vec<f64>,
}

#[derive(Default)]
struct Found {
    part: Part,
    places: Vec<Place>,
    vectors: Vec<f32>,
    numbers: Vec<f64>,
}

struct Worker {
    tokens: NgramHasher,
    scratch: Scratch,
    read: Vec<f64>,
}

/// The phase of a run that finds places.
const PHASE: &str = "places";

/// Goes through all records of `inputs`; finished shards found in `state` are not read again.
pub fn find_places(
    inputs: &[Input],
    shards: &[Shard],
    read: &ReadOptions,
    options: &PlaceOptions,
    state: Option<&State>,
    job: &Job,
) -> Result<Places, Error> {
    let fields = Fields::new(options);
    let width = fields.width(inputs, shards, read, job)?;
    let init = || Worker { tokens: NgramHasher::new(1, 1), scratch: Scratch::default(), read: Vec::new() };
    let mut all = Places { seen: Seen::new(inputs.len()), width, ..Places::default() };
    let first = state.map_or(0, |state| all.restore(shards, options, read.hash, state));
    job.advance(shards[..first].iter().map(|s| s.bytes).sum(), all.seen.records());
    let mut shard = Part::default();
    let mut shard_start = all.ends();
    let reader = BlockReader::new(inputs, &shards[first..], read, all.seen.start(shards, first));
    let work = |worker: &mut Worker, block: &Block| {
        fields.of_block(worker, &inputs[block.file() as usize], block, Some(width), job)
    };
    let fold = |block: &Block, mut found: Found| {
        job.advance(0, found.part.totals.records);
        let before = all.seen.files[block.file() as usize].records + shard.totals.records;
        found.places.iter_mut().for_each(|place| place.ordinal += before);
        all.places.append(&mut found.places);
        all.vectors.append(&mut found.vectors);
        all.numbers.append(&mut found.numbers);
        shard.add(found.part);
        if block.ends_shard() {
            if let Some(state) = state {
                let blob = all.to_bytes(&shard, shard_start);
                state.put(PHASE, (first + block.shard()) as u64, &blob)?;
            }
            shard_start = all.ends();
            all.seen.add(block.file(), std::mem::take(&mut shard));
        }
        Ok(())
    };
    for_each_block(&reader, options.threads, job, init, work, fold)?;
    all.seen.bytes_read = reader.bytes_read();
    Ok(all)
}

/// Which fields are read.
struct Fields {
    vector: Option<FieldPath>,
    numbers: Vec<FieldPath>,
}

/// The numbers of a row group's rows, each with why it has none.
struct Column<T> {
    ends: Vec<usize>,
    items: Vec<T>,
    lacks: Vec<Option<String>>,
}

impl<T> Column<T> {
    fn of(&self, row: usize) -> Result<&[T], String> {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        match &self.lacks[row] {
            Some(why) => Err(why.clone()),
            None => Ok(&self.items[start..self.ends[row]]),
        }
    }
}

impl Fields {
    fn new(options: &PlaceOptions) -> Self {
        let numbers = options.numbers.iter().map(|name| FieldPath::new(name)).collect();
        Fields { vector: options.vector.as_deref().map(FieldPath::new), numbers }
    }

    /// Numbers of the first vector: what all others must have.
    fn width(
        &self,
        inputs: &[Input],
        shards: &[Shard],
        read: &ReadOptions,
        job: &Job,
    ) -> Result<usize, Error> {
        if self.vector.is_none() {
            return Ok(0);
        }
        let mut worker =
            Worker { tokens: NgramHasher::new(1, 1), scratch: Scratch::default(), read: Vec::new() };
        let read = ReadOptions { block_bytes: read.block_bytes.min(1 << 20), hash: false, ..read.clone() };
        let reader = BlockReader::new(inputs, shards, &read, Start::default());
        while let Some((_, block)) = reader.next().map_err(|(_, error)| error)? {
            let found = self.of_block(&mut worker, &inputs[block.file() as usize], &block, None, job)?;
            if !found.places.is_empty() {
                return Ok(found.vectors.len());
            }
        }
        Ok(0)
    }

    /// The records of a block. Without a width, only the first one's vector is kept.
    fn of_block(
        &self,
        worker: &mut Worker,
        input: &Input,
        block: &Block,
        width: Option<usize>,
        job: &Job,
    ) -> Result<Found, Error> {
        let mut found = Found::default();
        let vectors = match &self.vector {
            Some(field) => self.column(input, block, field, |x| x as f32)?,
            None => None,
        };
        let numbers = self.numbers.iter().map(|field| self.column(input, block, field, |x| x));
        let numbers = numbers.collect::<Result<Vec<_>, Error>>()?;
        let first_row = block.row_group().map_or(0, |(.., first)| first);
        let Worker { tokens, scratch, read } = worker;
        let stats = block.fit_records(scratch, |record| {
            job.check()?;
            if width.is_none() && !found.places.is_empty() {
                return Ok(None);
            }
            let row = (record.offset - first_row.min(record.offset)) as usize;
            let starts = (found.vectors.len(), found.numbers.len());
            let vector = match &self.vector {
                Some(field) => {
                    vector_of(record, row, field, vectors.as_ref(), width, read, &mut found.vectors)
                }
                None => Ok(()),
            };
            let lacks = vector.and_then(|()| {
                self.numbers.iter().zip(&numbers).try_for_each(|(field, column)| {
                    found.numbers.push(number_of(record, row, field, column.as_ref(), read)?);
                    Ok(())
                })
            });
            if let Err(lacks) = lacks {
                found.vectors.truncate(starts.0);
                found.numbers.truncate(starts.1);
                return Ok(Some(lacks));
            }
            let tokens = tokens.features(record.text, job)?.tokens;
            found.part.totals.tokens += u64::from(tokens);
            found.part.totals.text_bytes += record.text.len() as u64;
            found.places.push(Place {
                ordinal: record.ordinal,
                offset: record.offset,
                // A record has at most 2^31 bytes.
                len: record.len as u32,
                text_bytes: record.text.len() as u32,
                tokens,
                file: block.file(),
            });
            Ok(None)
        })?;
        found.part.totals.candidates = found.places.len() as u64;
        found.part.add_block(block, stats);
        Ok(found)
    }

    /// A column of a table's row group.
    fn column<T>(
        &self,
        input: &Input,
        block: &Block,
        field: &FieldPath,
        convert: impl Fn(f64) -> T,
    ) -> Result<Option<Column<T>>, Error> {
        let (Layout::Parquet, Some((footer, group, _))) = (input.format.layout, block.row_group()) else {
            return Ok(None);
        };
        let parts = find_numbers(input, footer.schema(), field)?;
        let mut column = Column { ends: Vec::new(), items: Vec::new(), lacks: Vec::new() };
        each_numbers(input, footer, group, &parts, |numbers| {
            column.lacks.push(numbers.as_ref().err().map(|why| (*why).to_owned()));
            column.items.extend(numbers.unwrap_or(&[]).iter().map(|&x| convert(x)));
            column.ends.push(column.items.len());
            Ok(())
        })?;
        Ok(Some(column))
    }
}

/// Why a record of another form has no field at all.
fn in_line<'a>(record: &Record<'a>) -> Result<&'a str, String> {
    std::str::from_utf8(record.raw).map_err(|_| "not UTF-8".to_owned())
}

/// Appends a record's vector.
fn vector_of(
    record: &Record,
    row: usize,
    field: &FieldPath,
    column: Option<&Column<f32>>,
    width: Option<usize>,
    read: &mut Vec<f64>,
    out: &mut Vec<f32>,
) -> Result<(), String> {
    let start = out.len();
    match column {
        Some(column) => out.extend_from_slice(column.of(row).map_err(|why| no_vector(field.whole(), &why))?),
        None => {
            read.clear();
            in_line(record)
                .and_then(|line| numbers_of(line, field, read))
                .map_err(|why| no_vector(field.whole(), &why))?;
            out.extend(read.iter().map(|&x| x as f32));
        }
    }
    let got = out.len() - start;
    if got == 0 {
        return Err(no_vector(field.whole(), "it is empty"));
    }
    if let Some(width) = width.filter(|&width| width != got) {
        return Err(format!(
            "the vector in \"{}\" has {got} numbers, that of the first record has {width}",
            field.whole()
        ));
    }
    match out[start..].iter().all(|x| x.is_finite()) {
        true => Ok(()),
        false => {
            Err(format!("the vector in \"{}\" holds a number that is not finite in float32", field.whole()))
        }
    }
}

/// A record's number.
fn number_of(
    record: &Record,
    row: usize,
    field: &FieldPath,
    column: Option<&Column<f64>>,
    read: &mut Vec<f64>,
) -> Result<f64, String> {
    let none = |why: &str| format!("no finite number in the field \"{}\" ({why})", field.whole());
    read.clear();
    match column {
        Some(column) => read.extend_from_slice(column.of(row).map_err(|why| none(&why))?),
        None => {
            in_line(record).and_then(|line| numbers_of(line, field, read)).map_err(|why| none(&why))?;
        }
    }
    match read[..] {
        [number] if number.is_finite() => Ok(number),
        [_] => Err(none("it is not finite")),
        _ => Err(none("it is an array")),
    }
}

impl Places {
    /// How many records there are.
    pub fn records(&self) -> usize {
        self.places.len()
    }

    /// The file of a record, the bytes of its text, and its tokens.
    pub(super) fn about(&self, row: usize) -> (u32, u64, u64) {
        let place = &self.places[row];
        (place.file, place.text_bytes.into(), place.tokens.into())
    }

    fn candidate(&self, row: usize, score: f64, key: f64) -> Candidate {
        let place = &self.places[row];
        Candidate {
            key,
            score,
            index: row as u64,
            ordinal: place.ordinal,
            offset: place.offset,
            len: place.len.into(),
            text_bytes: place.text_bytes.into(),
            tokens: place.tokens,
            file: place.file,
        }
    }

    /// The records at these places, ascending, each with its score.
    ///
    /// # Errors
    /// `ERR_TAMIS_RANGE` for places that are not ascending or not there, or another number of scores.
    pub fn choose(&self, rows: &[u32], scores: &[f64]) -> Result<Chosen, Error> {
        let ascending = rows.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending
            || rows.last().is_some_and(|&row| row as usize >= self.records())
            || scores.len() != rows.len()
        {
            return Err(Error::range(format!(
                "rows must be ascending places of the {} records, with a score each",
                self.records()
            )));
        }
        let pick = |(&row, &score): (&u32, &f64)| Pick {
            candidate: self.candidate(row as usize, score, score),
            table: Some(0),
        };
        let picks = rows.iter().zip(scores).map(pick).collect();
        Ok(Chosen { picks, kept: vec![rows.len() as u64] })
    }

    /// All records, each with its score and the tokens that this is of.
    ///
    /// # Errors
    /// `ERR_TAMIS_RANGE` for another number of scores than records.
    pub fn choose_all(&self, scored: &[(f64, u32)]) -> Result<Chosen, Error> {
        self.check_scores(scored.len())?;
        let pick = |(row, &(score, tokens)): (usize, &(f64, u32))| Pick {
            candidate: Candidate { tokens, ..self.candidate(row, score, score) },
            table: Some(0),
        };
        let picks = scored.iter().enumerate().map(pick).collect();
        Ok(Chosen { picks, kept: vec![scored.len() as u64] })
    }

    /// The records at these places, ascending; those of `shown` among them get the score 1, the others 0, and what of `shown` is not
    /// among them is read with them as misses are.
    ///
    /// # Errors
    /// What [`choose`](Self::choose) refuses, of `shown` as of `rows`.
    pub fn choose_shown(&self, rows: &[u32], shown: &[u32]) -> Result<Chosen, Error> {
        let score = |row| if shown.binary_search(row).is_ok() { 1.0 } else { 0.0 };
        let mut chosen = self.choose(rows, &rows.iter().map(score).collect::<Vec<f64>>())?;
        let others: Vec<u32> = shown.iter().copied().filter(|row| rows.binary_search(row).is_err()).collect();
        let others = self.choose(&others, &vec![1.0; others.len()])?.picks;
        chosen.picks.extend(others.into_iter().map(|pick| Pick { table: None, ..pick }));
        chosen.picks.sort_unstable_by_key(|pick| pick.candidate.index);
        Ok(chosen)
    }

    /// The records of the highest scores (or the `lowest`) that the budget pays for, and the `spare` next best as nearest misses. Ties
    /// go to the lower record.
    ///
    /// # Errors
    /// `ERR_TAMIS_RANGE` for another number of scores than records.
    pub fn choose_best(
        &self,
        scores: &[f32],
        lowest: bool,
        budget: Budget,
        spare: usize,
    ) -> Result<Chosen, Error> {
        self.check_scores(scores.len())?;
        let mut best = Best::new(budget, spare);
        for (row, &score) in scores.iter().enumerate() {
            let score = f64::from(score);
            // Adding 0 makes one zero of two.
            let key = if lowest { -score } else { score } + 0.0;
            if key >= best.threshold() {
                best.offer(self.candidate(row, score, key));
            }
        }
        let (mut shares, misses) = share_out(vec![best.into_sorted()], &[budget], spare);
        let kept = shares.pop().unwrap_or_default();
        let count = kept.len() as u64;
        let mut picks: Vec<Pick> =
            kept.into_iter().map(|candidate| Pick { candidate, table: Some(0) }).collect();
        picks.extend(misses.into_iter().map(|candidate| Pick { candidate, table: None }));
        picks.sort_unstable_by_key(|pick| pick.candidate.index);
        Ok(Chosen { picks, kept: vec![count] })
    }

    /// By how much the second of each record's two numbers is below the first, in float32.
    ///
    /// # Errors
    /// `ERR_TAMIS_RANGE` for a pair that has no difference in float32.
    pub fn reductions(numbers: &[f64], job: &Job) -> Result<Vec<f32>, Error> {
        let of = |i: usize| numbers.chunks_exact(2).map(|pair| pair[i] as f32).collect::<Vec<f32>>();
        let found = losses::reductions(&of(0), &of(1), job).map_err(|Aborted| Error::Aborted)?;
        found.map_err(|record| {
            Error::range(format!("losses must be numbers of float32, those of record {record} are none"))
        })
    }

    /// Scores and tokens of a random sample of at most `most` records; without scores, tokens alone.
    pub fn sample(
        &self,
        scores: Option<&[f32]>,
        most: usize,
        seed: u64,
    ) -> Result<(Vec<f64>, Vec<u32>), Error> {
        scores.map_or(Ok(()), |scores| self.check_scores(scores.len()))?;
        let lots = Philox::new(seed, SAMPLE_STREAM);
        let mut sample = Sample::new(most);
        for (row, place) in self.places.iter().enumerate() {
            let score = scores.map_or(0.0, |scores| f64::from(scores[row]));
            sample.offer(lots.word(row as u64), row as u64, score, place.tokens);
        }
        let (sampled, tokens) = sample.columns();
        Ok((if scores.is_some() { sampled } else { Vec::new() }, tokens))
    }

    /// Writes a scores file of every record (see [`ScoresWriter`]), its files named as they are as inputs.
    pub fn write_scores(
        &self,
        path: &Path,
        inputs: &[Input],
        scores: &[f32],
        force: bool,
        job: &Job,
    ) -> Result<(), Error> {
        self.check_scores(scores.len())?;
        let mut writer = ScoresWriter::create(path, &[String::new()], force)?;
        let mut at = 0;
        while at < self.places.len() {
            job.check()?;
            let first = &self.places[at];
            let end = (at + (1 << 16)).min(self.places.len());
            let end = at + self.places[at..end].partition_point(|place| place.file == first.file);
            let weights: Vec<f64> = scores[at..end].iter().map(|&score| score.into()).collect();
            let tokens: Vec<u32> = self.places[at..end].iter().map(|place| place.tokens).collect();
            writer.push(&inputs[first.file as usize].name, first.ordinal, &weights, &tokens)?;
            at = end;
        }
        writer.finish()
    }

    fn check_scores(&self, scores: usize) -> Result<(), Error> {
        if scores == self.records() {
            return Ok(());
        }
        Err(Error::range(format!("scores must be one for each of {} records, got {scores}", self.records())))
    }
}
