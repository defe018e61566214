//! Writes the chosen records, in input order, and looks at them once more: their n-grams, and some of their texts.
//!
//! Pieces of chosen records are read, counted and put in their output's form in parallel, and written in order, so that the
//! bytes written do not depend on threads. Memory: two pieces a worker, and what the output's format needs (of a Parquet file, the
//! encoded pages of a row group). O(bytes chosen), but for compressed inputs, which are decompressed whole.

use super::choose::{Chosen, Pick};
use super::gather::{Gather, Piece, Records};
use super::seen::FileTotals;
use crate::atomic::Output;
use crate::error::Error;
use crate::input::{Input, Layout, changed};
use crate::json::{FieldPath, text_of};
use crate::ordered::for_each;
use crate::record::ReadOptions;
use crate::sink::{Columns, Encoded, Form, Forms, OutputFile, Raw, Sink, Values};
use crate::{sink, table};
use arrow_array::{BooleanArray, RecordBatch};
use std::sync::{Arc, Mutex};
use tamis_kernels::job::Job;
use tamis_kernels::ngrams::NgramHasher;

/// Characters of an example's text that are kept.
pub const EXAMPLE_CHARACTERS: usize = 600;

/// How to write.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// The longest n-gram of those that are counted.
    pub order: u32,
    pub buckets: u32,
    /// Added to every record, if asked for: the names of the tables; a single one needs none.
    pub add_scores: Option<Vec<String>>,
    /// How many examples to gather of each kind.
    pub examples: usize,
    /// At most so many threads of the pool.
    pub threads: Option<usize>,
}

/// One record to show.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// Which input.
    pub file: u32,
    /// Place among the good records of its file, from 0.
    pub record: u64,
    pub score: f64,
    /// What decided: score plus noise.
    pub key: f64,
    pub tokens: u32,
    /// Which table took it; none for a miss.
    pub table: Option<u32>,
    /// The text's first [`EXAMPLE_CHARACTERS`] characters, and `…` if there are more.
    pub text: String,
}

/// What was written.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// The output's files, which are complete but for the output's commit; none without an output.
    pub files: Vec<OutputFile>,
    /// N-grams of the records written.
    pub counts: Vec<u64>,
    /// The records written with the highest scores, best first.
    pub highest: Vec<Example>,
    /// Those with the lowest, worst first.
    pub lowest: Vec<Example>,
    /// The records that nearly were chosen, nearest first.
    pub misses: Vec<Example>,
    /// Of each input: records, tokens, n-grams and bytes of text written.
    pub totals: Vec<FileTotals>,
}

struct Worker {
    hasher: NgramHasher,
    buffer: Vec<u8>,
    text: Vec<u8>,
}

/// What became of a piece.
struct Part {
    file: u32,
    totals: FileTotals,
    encoded: Option<Encoded>,
    texts: Vec<(usize, String)>,
}

/// Writes the chosen records of `inputs` into `output`, whose commit is the caller's; without one they are only looked at.
pub fn write_chosen(
    inputs: &[Input],
    read: &ReadOptions,
    chosen: &Chosen,
    output: Option<&mut Output>,
    options: &WriteOptions,
    job: &Job,
) -> Result<Written, Error> {
    let picks = &chosen.picks;
    let shown = Shown::new(picks, options.examples);
    let added = options.add_scores.as_deref().map(Added::new);
    let no_columns = added.as_ref().map(|added| added.columns("", &[])).transpose()?;
    let shape = || shape_of(inputs, read, picks, job);
    let forms = output
        .as_deref()
        .map(|output| Forms::new(output, inputs, read, no_columns.as_ref(), shape))
        .transpose()?;

    // Tables of counts go round, each adding up until the end.
    let tables: Mutex<Vec<Vec<u64>>> = Mutex::default();
    let field = FieldPath::new(&read.text_field);
    let gather = Gather::new(inputs, picks, read);
    let init = || Worker {
        hasher: NgramHasher::new(options.order, options.buckets),
        buffer: Vec::new(),
        text: Vec::new(),
    };
    let work = |worker: &mut Worker, piece: Piece| {
        let input = &inputs[piece.file as usize];
        let Worker { hasher, buffer, text } = worker;
        let mut counts = tables
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .pop()
            .unwrap_or_else(|| vec![0; options.buckets as usize]);
        let columns = added
            .as_ref()
            .map(|added| added.columns(&input.name, &picks[piece.picks.clone()]))
            .transpose()?;
        let mut part =
            Part { file: piece.file, totals: FileTotals::default(), encoded: None, texts: Vec::new() };
        let mut at = piece.picks.start;
        let mut look = |text: &str| {
            if picks[at].table.is_some() {
                let stats = hasher.count(text, &mut counts);
                part.totals.records += 1;
                part.totals.tokens += u64::from(stats.tokens);
                part.totals.features += stats.features;
                part.totals.text_bytes += text.len() as u64;
            }
            if shown.is_wanted(at) {
                part.texts.push((at, cut(text)));
            }
            at += 1;
        };
        let form = forms.as_ref().map(|forms| forms.of(piece.file));
        let encoded = piece.records(input, picks, buffer, |records| {
            let records = seen(records, input, read, &field, text, &mut look)?;
            let Some(form) = form else { return Ok(None) };
            let kept = kept_of(&records, &picks[piece.picks.clone()])?;
            let encoded = kept.as_ref().unwrap_or(&records).encode(form, read, columns.as_ref());
            encoded.map(Some).map_err(|message| Error::format(input.shown(), None, message))
        })?;
        tables.lock().unwrap_or_else(|e| e.into_inner()).push(counts);
        part.encoded = encoded.filter(|_| part.totals.records > 0);
        Ok(part)
    };

    let mut written = Written { totals: vec![FileTotals::default(); inputs.len()], ..Written::default() };
    let mut texts = Vec::new();
    let mut sink = match (output, &forms) {
        (Some(output), Some(forms)) => Some(Sink::new(output, forms, inputs, read)?),
        _ => None,
    };
    let fold = |part: Part| {
        job.advance(part.totals.text_bytes, part.totals.records);
        written.totals[part.file as usize].add(&part.totals);
        texts.extend(part.texts);
        match (&mut sink, part.encoded) {
            (Some(sink), Some(encoded)) => sink.put(part.file, part.totals.records, encoded),
            _ => Ok(()),
        }
    };
    for_each(|| gather.next(), options.threads, job, init, work, fold)?;
    written.files = sink.map(Sink::finish).transpose()?.unwrap_or_default();
    written.counts = vec![0; options.buckets as usize];
    for counts in tables.into_inner().unwrap_or_else(|e| e.into_inner()) {
        written.counts.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
    }
    let examples = |which: &[usize]| which.iter().map(|&at| example(&picks[at], at, &texts)).collect();
    (written.highest, written.lowest, written.misses) =
        (examples(&shown.highest), examples(&shown.lowest), examples(&shown.misses));
    Ok(written)
}

/// The records of a piece, looked at, in the form that an output takes.
enum Looked<'a> {
    Json(Vec<&'a str>),
    /// Lines as they stand in the file, and their texts.
    Text(Vec<&'a str>, Vec<&'a str>),
    Rows(RecordBatch),
}

/// Shows every text to `look`.
fn seen<'a>(
    records: Records<'a>,
    input: &Input,
    read: &ReadOptions,
    field: &FieldPath,
    scratch: &mut Vec<u8>,
    look: &mut impl FnMut(&str),
) -> Result<Looked<'a>, Error> {
    match records {
        Records::Rows(rows, column) => {
            table::each_text(input, rows.clone(), column, |text| {
                look(text.ok_or_else(|| changed(input.shown()))?);
                Ok(())
            })?;
            Ok(Looked::Rows(rows.clone()))
        }
        Records::Lines(lines) if input.format.layout == Layout::Text => {
            let whole = read.is_whole(input);
            let text =
                |line: &&'a str| if whole { line.strip_prefix('\u{FEFF}').unwrap_or(line) } else { *line };
            let texts: Vec<&str> = lines.iter().map(text).collect();
            texts.iter().for_each(|text| look(text));
            Ok(Looked::Text(lines, texts))
        }
        Records::Lines(lines) => {
            for line in &lines {
                look(text_of(line, field, scratch).map_err(|_| changed(input.shown()))?);
            }
            Ok(Looked::Json(lines))
        }
    }
}

/// Those records that are kept; none if all are.
fn kept_of<'a>(records: &Looked<'a>, picks: &[Pick]) -> Result<Option<Looked<'a>>, Error> {
    if picks.iter().all(|pick| pick.table.is_some()) {
        return Ok(None);
    }
    let kept = |lines: &[&'a str]| {
        lines.iter().zip(picks).filter(|(_, pick)| pick.table.is_some()).map(|(line, _)| *line).collect()
    };
    Ok(Some(match records {
        Looked::Json(lines) => Looked::Json(kept(lines)),
        Looked::Text(lines, texts) => Looked::Text(kept(lines), kept(texts)),
        Looked::Rows(rows) => {
            let mask: BooleanArray = picks.iter().map(|pick| Some(pick.table.is_some())).collect();
            let rows = arrow_select::filter::filter_record_batch(rows, &mask);
            Looked::Rows(rows.map_err(|e| Error::range(e.to_string()))?)
        }
    }))
}

impl Looked<'_> {
    fn encode(&self, form: &Form, read: &ReadOptions, columns: Option<&Columns>) -> Result<Encoded, String> {
        let raw = match self {
            Looked::Json(lines) => Raw::Json(lines),
            // A file as it is keeps the mark at its start.
            Looked::Text(lines, _) if matches!(form, Form::Text(..)) => Raw::Text(lines),
            Looked::Text(_, texts) => Raw::Text(texts),
            Looked::Rows(rows) => Raw::Rows(rows),
        };
        form.encode(raw, &read.text_field, columns)
    }
}

/// The shape of the kept JSON records.
fn shape_of(inputs: &[Input], read: &ReadOptions, picks: &[Pick], job: &Job) -> Result<sink::Records, Error> {
    let is_json = |pick: &&Pick| {
        pick.table.is_some() && inputs[pick.candidate.file as usize].format.layout == Layout::Jsonl
    };
    let picks: Vec<Pick> = picks.iter().filter(is_json).copied().collect();
    let gather = Gather::new(inputs, &picks, read);
    let mut shape = sink::Records::default();
    let mut buffer = Vec::new();
    while let Some((_, piece)) = gather.next().map_err(|(_, error)| error)? {
        job.check()?;
        let input = &inputs[piece.file as usize];
        piece.records(input, &picks, &mut buffer, |records| {
            let Records::Lines(lines) = records else { return Ok(()) };
            for (line, pick) in lines.iter().zip(&picks[piece.picks.clone()]) {
                shape.see(line).map_err(|message| {
                    Error::format(input.shown(), Some(pick.candidate.ordinal + 1), message)
                })?;
            }
            Ok(())
        })?;
    }
    Ok(shape)
}

/// The columns that are added to every record.
struct Added {
    tables: Arc<Vec<String>>,
}

impl Added {
    fn new(tables: &[String]) -> Self {
        Added { tables: Arc::new(tables.to_vec()) }
    }

    /// The values of those of the picks that are kept.
    fn columns(&self, source: &str, picks: &[Pick]) -> Result<Columns, Error> {
        let kept: Vec<&Pick> = picks.iter().filter(|pick| pick.table.is_some()).collect();
        let mut columns = Columns::default();
        columns.push("log_weight", Values::F64(kept.iter().map(|pick| pick.candidate.score).collect()))?;
        columns.push("perturbed", Values::F64(kept.iter().map(|pick| pick.candidate.key).collect()))?;
        columns.push("source", Values::Named(Arc::new(vec![source.to_owned()]), vec![0; kept.len()]))?;
        columns.push("record", Values::U64(kept.iter().map(|pick| pick.candidate.ordinal).collect()))?;
        if self.tables.len() > 1 {
            columns.push(
                "target",
                Values::Named(self.tables.clone(), kept.iter().filter_map(|pick| pick.table).collect()),
            )?;
        }
        Ok(columns)
    }
}

/// Which picks are shown.
struct Shown {
    highest: Vec<usize>,
    lowest: Vec<usize>,
    misses: Vec<usize>,
    /// All of them, ascending.
    wanted: Vec<usize>,
}

impl Shown {
    fn new(picks: &[Pick], most: usize) -> Self {
        let of = |at: usize| picks[at].candidate;
        let mut misses: Vec<usize> = (0..picks.len()).filter(|&at| picks[at].table.is_none()).collect();
        misses.sort_by(|&a, &b| of(a).order(&of(b)));
        misses.truncate(most);
        // Twice a selection of a few is cheaper than one sort of all.
        let extreme = |sign: f64| {
            let mut best: Vec<usize> = Vec::with_capacity(most + 1);
            for at in (0..picks.len()).filter(|&at| picks[at].table.is_some()) {
                let place = best.partition_point(|&other| sign * of(other).score >= sign * of(at).score);
                if place < most {
                    best.insert(place, at);
                    best.truncate(most);
                }
            }
            best
        };
        let (highest, lowest) = (extreme(1.0), extreme(-1.0));
        let mut wanted = [&highest[..], &lowest, &misses].concat();
        wanted.sort_unstable();
        wanted.dedup();
        Shown { highest, lowest, misses, wanted }
    }

    fn is_wanted(&self, at: usize) -> bool {
        self.wanted.binary_search(&at).is_ok()
    }
}

fn example(pick: &Pick, at: usize, texts: &[(usize, String)]) -> Example {
    let text = texts.iter().find(|(of, _)| *of == at).map_or_else(String::new, |(_, text)| text.clone());
    let candidate = &pick.candidate;
    Example {
        file: candidate.file,
        record: candidate.ordinal,
        score: candidate.score,
        key: candidate.key,
        tokens: candidate.tokens,
        table: pick.table,
        text,
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(EXAMPLE_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
