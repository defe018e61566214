//! An update as signs and one scale, in a safetensors file.
//!
//! # The file, version 1
//! The metadata, in this order: `encoding` (`bitmask` or `golomb`), `format` (`tamis.ternary`), `shapes` (JSON: of each tensor its shape, by
//! name), `version` (`1`). Then of each tensor NAME `NAME.scale` (F32, one item), by name; then `NAME.negative` and `NAME.positive` (U8, a bit an item, least
//! significant first) or `NAME.golomb` (U8, the stream of [`tamis_kernels::golomb`]), by name.

use super::journal::{Journal, Kept, Steps, once};
use super::output::{FilePlan, Plan, Planned, Writer, WrittenFile};
use super::updates::{Tensor, TensorChange, Updates};
use super::windows::Windows;
use crate::atomic::Output;
use crate::error::Error;
use crate::passes::blob;
use crate::safetensors::Dtype;
use crate::state::State;
use tamis_kernels::bits::bytes_of;
use tamis_kernels::golomb;
use tamis_kernels::job::Job;
use tamis_kernels::magnitude::{Cut, MagnitudeSelect, keep_count};
use tamis_kernels::moments::Moments;
use tamis_kernels::ternary::{Cost, Scale, add_kept, cost, pack_signs};

use super::merge::{MEASURE, WRITE};

/// The metadata's `format`.
pub const FORMAT: &str = "tamis.ternary";
/// The metadata's `version`.
pub const VERSION: &str = "1";
/// The file's name in an output folder.
pub const NAME: &str = "update.safetensors";

const CHUNK: usize = 1 << 20;

/// How signs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Bitmask,
    Golomb,
}

/// How an update is compressed.
#[derive(Debug, Clone, Copy)]
pub struct CompressOptions {
    /// The share of all items that is kept, in (0, 1].
    pub density: f64,
    pub scale: Scale,
    pub encoding: Encoding,
}

/// What a compression came to.
#[derive(Debug, Clone)]
pub struct Compressed {
    pub files: Vec<WrittenFile>,
    pub scale: f32,
    pub elements: u64,
    /// Signs that are not 0.
    pub nonzeros: u64,
    pub cost: Cost,
    /// Of each tensor of the update.
    pub tensors: Vec<TensorChange>,
}

/// Keeps of an update (the first model's) the signs of its largest magnitudes, ranked over all tensors, and one scale; writes them.
///
/// Reads the update three times (with density 1 twice). Memory: a window of it, and two bits an item of the largest tensor. A tensor is
/// a step, from which an interrupted run goes on.
///
/// # Errors
/// With the file and the tensor: a number that is not finite.
pub fn compress(
    updates: &Updates,
    output: Output,
    options: &CompressOptions,
    state: &State,
    job: &Job,
) -> Result<(Output, Compressed), Error> {
    let elements = updates.elements();
    let keep = keep_count(options.density, elements);
    let mut windows = Windows::new(1);
    let work = updates.print();
    let (moments, cut) = once(state, "measured", &work, || measure(updates, keep, &mut windows, job))?;
    let mut signs = Signs { updates, windows, cut, positive: Vec::new(), negative: Vec::new() };
    let metadata = metadata(updates, options.encoding);
    let (writer, found) = match options.encoding {
        Encoding::Bitmask => {
            let sized = updates.tensors().iter().flat_map(|tensor| {
                let bytes = tensor.items.div_ceil(8);
                ["negative", "positive"].map(|mask| (format!("{}.{mask}", tensor.name), bytes))
            });
            let plan = plan(updates, &metadata, sized.collect())?;
            let writer = Writer::begin(output, plan, &work, state, job)?;
            let mut steps: Steps<Found> = writer.steps();
            signs.begin(&steps, job);
            for tensor in updates.tensors().iter().skip(steps.done) {
                signs.find(tensor, &mut steps.more, job)?;
                writer.write_bytes(&format!("{}.negative", tensor.name), 0, &signs.negative)?;
                writer.write_bytes(&format!("{}.positive", tensor.name), 0, &signs.positive)?;
                writer.step(&mut steps, job)?;
            }
            (writer, steps.more)
        }
        Encoding::Golomb => {
            // How long a stream is is known when it is made, and the header comes before them all.
            let spool = Journal::open(state, "streams", work, vec![output.target().into()])?;
            let mut steps: Steps<Found> = spool.steps();
            signs.begin(&steps, job);
            for tensor in updates.tensors().iter().skip(steps.done) {
                signs.find(tensor, &mut steps.more, job)?;
                let stream = golomb::encode(&signs.positive, &signs.negative, tensor.items as usize, job)?;
                spool.write_at(0, &stream, steps.more.streams.iter().sum())?;
                steps.more.streams.push(stream.len() as u64);
                spool.step(&mut steps, job)?;
            }
            let found = steps.more;
            let streams = || updates.tensors().iter().zip(&found.streams);
            let sized = streams().map(|(tensor, &bytes)| (format!("{}.golomb", tensor.name), bytes));
            let plan = plan(updates, &metadata, sized.collect())?;
            let writer = Writer::begin(output, plan, &work, state, job)?;
            let mut buffer = vec![0; CHUNK];
            let mut begin = 0;
            for (tensor, &bytes) in streams() {
                for at in (0..bytes).step_by(CHUNK) {
                    job.check()?;
                    let part = &mut buffer[..(bytes - at).min(CHUNK as u64) as usize];
                    spool.read_at(0, part, begin + at)?;
                    writer.write_bytes(&format!("{}.golomb", tensor.name), at, part)?;
                }
                begin += bytes;
            }
            spool.discard();
            (writer, found)
        }
    };
    let scale = match options.scale {
        Scale::Std(alpha) => (alpha * moments.std()) as f32,
        Scale::MeanAbs => (found.kept / keep as f64) as f32,
    };
    if !scale.is_finite() {
        return Err(Error::range("scale must be finite in float32: alpha times the deviation is not"));
    }
    for tensor in updates.tensors() {
        writer.write(&format!("{}.scale", tensor.name), 0, &[scale], job)?;
    }
    updates.check_unchanged()?;
    let (output, files) = writer.finish()?;
    let nonzeros = found.nonzeros;
    let change = |(tensor, &(nonzeros, squares)): (&Tensor, &(u64, f64))| TensorChange {
        name: tensor.name.clone(),
        items: tensor.items,
        updates: vec![squares.sqrt()],
        base: None,
        written: f64::from(scale).abs() * (nonzeros as f64).sqrt(),
        nonzeros: Some(nonzeros),
    };
    let tensors = updates.tensors().iter().zip(&found.tensors).map(change).collect();
    let cost = cost(elements, nonzeros);
    Ok((output, Compressed { files, scale, elements, nonzeros, cost, tensors }))
}

/// The moments of all items, and the cut that keeps so many.
fn measure(updates: &Updates, keep: u64, windows: &mut Windows, job: &Job) -> Result<(Moments, Cut), Error> {
    let whole = keep == updates.elements();
    let mut moments = Moments::default();
    let mut select: MagnitudeSelect = MagnitudeSelect::new(keep);
    job.begin(MEASURE, if whole { 1 } else { 2 } * updates.pass_bytes());
    for first in [true, false] {
        for tensor in updates.tensors() {
            for start in windows.starts(tensor.items) {
                updates.read(tensor, start, windows, job)?;
                // What is not finite was refused as it was read.
                if first {
                    moments.add(windows.slot(0), job).map_err(|_| Error::Aborted)?;
                }
                if !whole {
                    select.add(windows.slot(0), job).map_err(|_| Error::Aborted)?;
                }
            }
        }
        if whole {
            return Ok((moments, Cut::all()));
        }
        if !select.next_pass() {
            break;
        }
    }
    Ok((moments, select.cut()))
}

/// What the tensors behind need of those whose signs are found.
#[derive(Debug, Clone, Default)]
struct Found {
    nonzeros: u64,
    /// The sum of the magnitudes that are kept.
    kept: f64,
    /// As it is in front of the next tensor; at the start that of the whole update.
    cut: Option<Cut>,
    /// Bytes of each stream.
    streams: Vec<u64>,
    /// Of each tensor its signs that are not 0, and the sum of its squares.
    tensors: Vec<(u64, f64)>,
}

impl Kept for Found {
    fn put(&self, out: &mut blob::Writer) {
        out.u64(self.nonzeros);
        out.f64(self.kept);
        self.cut.iter().cloned().collect::<Vec<Cut>>().put(out);
        self.streams.put(out);
        self.tensors.put(out);
    }

    fn take(from: &mut blob::Reader) -> Option<Self> {
        let (nonzeros, kept) = (from.u64()?, from.f64()?);
        let (cut, streams) = (Vec::take(from)?.pop(), Vec::take(from)?);
        Some(Found { nonzeros, kept, cut, streams, tensors: Vec::take(from)? })
    }
}

/// The last walk over an update.
struct Signs<'a> {
    updates: &'a Updates,
    windows: Windows,
    /// Of the whole update.
    cut: Cut,
    /// The masks of the tensor that was walked over last.
    positive: Vec<u8>,
    negative: Vec<u8>,
}

impl Signs<'_> {
    fn begin(&self, steps: &Steps<Found>, job: &Job) {
        job.begin(WRITE, self.updates.pass_bytes());
        steps.tell(job);
    }

    /// Finds the masks of the next tensor.
    fn find(&mut self, tensor: &Tensor, found: &mut Found, job: &Job) -> Result<(), Error> {
        let bytes = bytes_of(tensor.items as usize);
        self.positive.resize(bytes, 0);
        self.negative.resize(bytes, 0);
        let cut = found.cut.get_or_insert_with(|| self.cut.clone());
        let (before, mut squares) = (found.nonzeros, 0.0);
        for start in self.windows.starts(tensor.items) {
            self.updates.read(tensor, start, &mut self.windows, job)?;
            let x = self.windows.slot(0);
            let cut = cut.part(x);
            let place = start as usize / 8..start as usize / 8 + bytes_of(x.len());
            let masks = (&mut self.positive[place.clone()], &mut self.negative[place]);
            found.nonzeros += pack_signs(x, cut, masks.0, masks.1, job)?;
            add_kept(x, cut, &mut found.kept, job)?;
            squares += self.windows.squares()[0];
        }
        found.tensors.push((found.nonzeros - before, squares));
        Ok(())
    }
}

fn metadata(updates: &Updates, encoding: Encoding) -> Vec<(String, String)> {
    let one =
        |tensor: &Tensor| format!("{}:{}", serde_json::json!(tensor.name), serde_json::json!(tensor.shape));
    let shapes: Vec<String> = updates.tensors().iter().map(one).collect();
    let encoding = match encoding {
        Encoding::Bitmask => "bitmask",
        Encoding::Golomb => "golomb",
    };
    [
        ("encoding", encoding),
        ("format", FORMAT),
        ("shapes", &format!("{{{}}}", shapes.join(","))),
        ("version", VERSION),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .to_vec()
}

/// Scales first, then what has the bytes given.
fn plan(
    updates: &Updates,
    metadata: &[(String, String)],
    mut sized: Vec<(String, u64)>,
) -> Result<Plan, Error> {
    let mut scales: Vec<String> =
        updates.tensors().iter().map(|tensor| format!("{}.scale", tensor.name)).collect();
    scales.sort();
    sized.sort();
    let scales = scales.into_iter().map(|name| Planned { name, dtype: Dtype::F32, shape: vec![1] });
    let sized = sized.into_iter().map(|(name, bytes)| Planned { name, dtype: Dtype::U8, shape: vec![bytes] });
    let file = FilePlan::in_order(NAME.into(), metadata, scales.chain(sized).collect())?;
    Plan::file(file).with_side_files(&updates.models()[0])
}
