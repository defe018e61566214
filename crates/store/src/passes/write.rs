//! Writes the chosen records, in input order, and looks at them once more: their n-grams (as the counting pass kept them, or else
//! of their texts), and some of their texts.
//!
//! Pieces of chosen records are read, counted and put in their output's form in parallel, and written in order, so that the
//! bytes written do not depend on threads. Memory: two pieces a worker, and what the output's format needs (of a Parquet file, the
//! encoded pages of a row group). O(bytes chosen), but for compressed inputs, which are decompressed whole.

use super::choose::{Chosen, Pick};
use super::features::{Buckets, Features, Span};
use super::gather::{Gather, Piece, Records};
use super::seen::FileTotals;
use super::shown::{Shown, cut, example};
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
use tamis_kernels::ngrams::{NgramHasher, Stats};

pub use super::shown::{EXAMPLE_CHARACTERS, Example};

/// How to write.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// The longest n-gram of those that are counted.
    pub order: u32,
    pub buckets: u32,
    /// What is added to every record, if anything is.
    pub add: Option<Add>,
    /// How many examples to gather of each kind.
    pub examples: usize,
    /// At most so many threads of the pool.
    pub threads: Option<usize>,
}

/// What is added to records.
#[derive(Debug, Clone)]
pub enum Add {
    /// Log weights, with and without noise, and where the record came from; of several tables, by these names, the one that took it.
    Weights(Vec<String>),
    /// A model's mean loss (the score), its exponential, and of how many tokens it is.
    Losses,
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

struct Worker<'a> {
    ngrams: Ngrams<'a>,
    buffer: Vec<u8>,
    text: Vec<u8>,
}

/// Where a worker has the n-grams of records from.
enum Ngrams<'a> {
    Hashed(Box<NgramHasher>),
    /// And the memory in which they are read back.
    Kept(&'a Features, Buckets),
}

/// What became of a piece.
struct Part {
    file: u32,
    totals: FileTotals,
    encoded: Option<Encoded>,
    texts: Vec<(usize, String)>,
}

/// Writes the chosen records of `inputs` into `output`, whose commit is the caller's; without one they are only looked at. `features`
/// are those of the pass that scored the records, if they were kept.
pub fn write_chosen(
    inputs: &[Input],
    read: &ReadOptions,
    chosen: &Chosen,
    output: Option<&mut Output>,
    options: &WriteOptions,
    features: Option<&Features>,
    job: &Job,
) -> Result<Written, Error> {
    let picks = &chosen.picks;
    let shown = Shown::new(picks, options.examples);
    let added = options.add.as_ref().map(Added::new);
    let no_columns = added.as_ref().map(|added| added.columns("", &[])).transpose()?;
    let shape = || shape_of(inputs, read, picks, job);
    let forms = output
        .as_deref()
        .map(|output| Forms::new(output, inputs, read, no_columns.as_ref(), shape))
        .transpose()?;

    let gather = Gather::new(inputs, picks, read);
    let writing = Writing {
        inputs,
        read,
        field: FieldPath::new(&read.text_field),
        picks,
        shown: &shown,
        added: added.as_ref(),
        forms: forms.as_ref(),
        buckets: options.buckets,
        spans: features.map_or(Ok(Vec::new()), |features| features.spans(picks, job))?,
        tables: Mutex::default(),
        job,
    };
    let init = || Worker {
        ngrams: match features {
            Some(features) => Ngrams::Kept(features, features.memory()),
            None => Ngrams::Hashed(Box::new(NgramHasher::new(options.order, options.buckets))),
        },
        buffer: Vec::new(),
        text: Vec::new(),
    };
    let work = |worker: &mut Worker, piece| writing.piece(worker, piece);

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
    for counts in writing.tables.into_inner().unwrap_or_else(|e| e.into_inner()) {
        written.counts.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
    }
    let examples = |which: &[usize]| which.iter().map(|&at| example(&picks[at], at, &texts)).collect();
    (written.highest, written.lowest, written.misses) =
        (examples(&shown.highest), examples(&shown.lowest), examples(&shown.misses));
    Ok(written)
}

/// What the workers share.
struct Writing<'a> {
    inputs: &'a [Input],
    read: &'a ReadOptions,
    field: FieldPath,
    picks: &'a [Pick],
    shown: &'a Shown,
    added: Option<&'a Added>,
    forms: Option<&'a Forms>,
    buckets: u32,
    /// Where the n-grams of each pick lie, if they were kept.
    spans: Vec<Span>,
    /// Tables of counts, which go round among the pieces, each adding up until the end.
    tables: Mutex<Vec<Vec<u64>>>,
    job: &'a Job,
}

impl Writing<'_> {
    /// Looks at a piece and puts it in its output's form.
    fn piece(&self, worker: &mut Worker, piece: Piece) -> Result<Part, Error> {
        let input = &self.inputs[piece.file as usize];
        let picks = &self.picks[piece.picks.clone()];
        let Worker { ngrams, buffer, text } = worker;
        let table = self.tables.lock().unwrap_or_else(|e| e.into_inner()).pop();
        let mut counts = table.unwrap_or_else(|| vec![0; self.buckets as usize]);
        let columns = self.added.map(|added| added.columns(&input.name, picks)).transpose()?;
        let (mut totals, mut texts) = (FileTotals::default(), Vec::new());
        let mut at = piece.picks.start;
        let mut look = |text: &str| -> Result<(), Error> {
            if self.picks[at].table.is_some() {
                let stats = self.count(ngrams, at, text, &mut counts)?;
                totals.records += 1;
                totals.tokens += u64::from(stats.tokens);
                totals.features += stats.features;
                totals.text_bytes += text.len() as u64;
            }
            if self.shown.is_wanted(at) {
                texts.push((at, cut(text)));
            }
            at += 1;
            Ok(())
        };
        let encoded = piece.records(input, self.picks, buffer, |records| {
            let records = seen(records, input, self.read, &self.field, text, &mut look)?;
            let Some(forms) = self.forms else { return Ok(None) };
            let kept = kept_of(&records, picks)?;
            let records = kept.as_ref().unwrap_or(&records);
            let encoded = records.encode(forms.of(piece.file), self.read, columns.as_ref());
            encoded.map(Some).map_err(|message| Error::format(input.shown(), None, message))
        })?;
        self.tables.lock().unwrap_or_else(|e| e.into_inner()).push(counts);
        let encoded = encoded.filter(|_| totals.records > 0);
        Ok(Part { file: piece.file, totals, encoded, texts })
    }

    /// Adds the n-grams of a pick, whose text is given, to `counts`.
    fn count(
        &self,
        ngrams: &mut Ngrams,
        pick: usize,
        text: &str,
        counts: &mut [u64],
    ) -> Result<Stats, Error> {
        match ngrams {
            Ngrams::Kept(features, memory) => {
                let span = &self.spans[pick];
                features.count(span, memory, counts)?;
                Ok(Stats { tokens: span.tokens, features: span.features })
            }
            Ngrams::Hashed(hasher) => Ok(hasher.count(text, counts, self.job)?),
        }
    }
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
    look: &mut impl FnMut(&str) -> Result<(), Error>,
) -> Result<Looked<'a>, Error> {
    match records {
        Records::Rows(rows, column) => {
            table::each_text(input, rows.clone(), column, |text| {
                look(text.ok_or_else(|| changed(input.shown()))?)
            })?;
            Ok(Looked::Rows(rows.clone()))
        }
        Records::Lines(lines) if input.format.layout == Layout::Text => {
            let whole = read.is_whole(input);
            let text =
                |line: &&'a str| if whole { line.strip_prefix('\u{FEFF}').unwrap_or(line) } else { *line };
            let texts: Vec<&str> = lines.iter().map(text).collect();
            texts.iter().try_for_each(|text| look(text))?;
            Ok(Looked::Text(lines, texts))
        }
        Records::Lines(lines) => {
            for line in &lines {
                look(text_of(line, field, scratch).map_err(|_| changed(input.shown()))?)?;
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
enum Added {
    Weights(Arc<Vec<String>>),
    Losses,
}

impl Added {
    fn new(add: &Add) -> Self {
        match add {
            Add::Weights(tables) => Added::Weights(Arc::new(tables.clone())),
            Add::Losses => Added::Losses,
        }
    }

    /// The values of those of the picks that are kept.
    fn columns(&self, source: &str, picks: &[Pick]) -> Result<Columns, Error> {
        let kept: Vec<&Pick> = picks.iter().filter(|pick| pick.table.is_some()).collect();
        let mut columns = Columns::default();
        let scores: Vec<f64> = kept.iter().map(|pick| pick.candidate.score).collect();
        let Added::Weights(tables) = self else {
            columns.push("perplexity", Values::F64(scores.iter().map(|loss| loss.exp()).collect()))?;
            columns.push("loss", Values::F64(scores))?;
            let tokens = kept.iter().map(|pick| pick.candidate.tokens.into());
            columns.push("tokens", Values::U64(tokens.collect()))?;
            return Ok(columns);
        };
        columns.push("log_weight", Values::F64(scores))?;
        columns.push("perturbed", Values::F64(kept.iter().map(|pick| pick.candidate.key).collect()))?;
        columns.push("source", Values::Named(Arc::new(vec![source.to_owned()]), vec![0; kept.len()]))?;
        columns.push("record", Values::U64(kept.iter().map(|pick| pick.candidate.ordinal).collect()))?;
        if tables.len() > 1 {
            columns.push(
                "target",
                Values::Named(tables.clone(), kept.iter().filter_map(|pick| pick.table).collect()),
            )?;
        }
        Ok(columns)
    }
}
