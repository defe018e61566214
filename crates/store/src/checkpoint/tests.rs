use super::compress::{CompressOptions, Encoding, compress};
use super::expand::{ExpandOptions, Expansion};
use super::merge::{MergeOptions, Method, merge};
use super::output::{Plan, Writer};
use super::updates::{MatchOptions, Origin, Updates};
use super::windows::{PIECE, Windows, narrow};
use super::*;
use crate::atomic::Output;
use crate::safetensors::{Dtype, Entry, encode_header};
use crate::state::{Fingerprint, State};
use half::{bf16, f16};
use proptest::prelude::*;
use tamis_kernels::job::Job;
use tamis_kernels::magnitude::{Cut, keep_count, select_parts};
use tamis_kernels::merge::{Elected, Merge, elect_merge};
use tamis_kernels::ternary::{Scale, ternarize};
use tempfile::{TempDir, tempdir};

/// Writes a file of float32 tensors of one axis.
fn write(path: &Path, tensors: &[(&str, &[f32])]) {
    let mut at = 0;
    let entries: Vec<Entry> = tensors
        .iter()
        .map(|(name, items)| {
            let (begin, bytes) = (at, 4 * items.len() as u64);
            at += bytes;
            let shape = vec![items.len() as u64];
            Entry { name: (*name).into(), dtype: Dtype::F32, shape, begin, end: begin + bytes }
        })
        .collect();
    let mut bytes = encode_header(&[], &entries);
    tensors.iter().for_each(|(_, items)| bytes.extend_from_slice(bytemuck::cast_slice(items)));
    std::fs::write(path, bytes).unwrap();
}

fn read(path: &Path, name: &str) -> Vec<f32> {
    let file = Safetensors::open(path).unwrap();
    let entry = file.header().find(name).unwrap();
    let mut items = vec![0.0; entry.items() as usize];
    windows::read_f32(Place { file: &file, entry }, 0, &mut items).unwrap();
    items
}

/// Numbers that repeat, so that magnitudes tie.
fn numbers(n: usize, seed: u64) -> Vec<f32> {
    let mut words = vec![0; n];
    tamis_kernels::philox::Philox::new(seed, 0).below(0, 41, &mut words);
    words.into_iter().map(|w| (w as f32 - 20.0) / 8.0).collect()
}

struct Models {
    dir: TempDir,
    long: Vec<Vec<f32>>,
    short: Vec<Vec<f32>>,
}

/// Three updates of a tensor of several windows and a small one.
fn models() -> Models {
    let dir = tempdir().unwrap();
    let n = 3 * Windows::new(3).size() + PIECE + 77;
    let long: Vec<Vec<f32>> = (0..3).map(|seed| numbers(n, seed)).collect();
    let short: Vec<Vec<f32>> = (0..3).map(|seed| numbers(1001, 10 + seed)).collect();
    for (m, (long, short)) in long.iter().zip(&short).enumerate() {
        write(&dir.path().join(format!("{m}.safetensors")), &[("short", short), ("long", long)]);
    }
    Models { dir, long, short }
}

impl Models {
    fn open(&self) -> Updates {
        let paths: Vec<PathBuf> = (0..3).map(|m| self.dir.path().join(format!("{m}.safetensors"))).collect();
        Updates::open(&paths, &MatchOptions::default(), &Job::default()).unwrap()
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("out.safetensors")
    }
}

fn write_merged(updates: &Updates, out: &Path, method: Method, job: &Job) -> Result<(), Error> {
    let plan = Plan::like(updates.layout(), true, None)?;
    let state = open_state(out, false)?;
    let writer = Writer::begin(Output::file(out, true)?, plan, &updates.print(), &state, job)?;
    merge(updates, &writer, &MergeOptions { method, lambda: 1.0 }, &state, job)?;
    writer.finish()?.0.commit("{\"tamis\":\"0\"}")?;
    state.finish()
}

fn open_state(out: &Path, resume: bool) -> Result<State, Error> {
    State::open(out, &Fingerprint::default(), resume)
}

#[test]
fn windows_merge_as_whole_tensors_do() {
    let models = models();
    let updates = models.open();
    let weights = vec![1.0, 0.5, -0.75];
    let job = Job::default();
    for each_tensor in [false, true] {
        let method =
            Method::Elected { density: 0.3, merge: Merge::Mean, weights: weights.clone(), each_tensor };
        write_merged(&updates, &models.out(), method, &job).unwrap();
        // By name: "long" comes before "short".
        let tensors = [("long", &models.long), ("short", &models.short)];
        let all = models.long[0].len() + models.short[0].len();
        let cuts: Vec<Cut> = (0..3)
            .map(|m| {
                let parts = [&models.long[m][..], &models.short[m][..]];
                select_parts(&parts, keep_count(0.3, all as u64), &job).unwrap()
            })
            .collect();
        let elect = |majority: f64| -> Vec<(Vec<f32>, Elected)> {
            let mut cuts = cuts.clone();
            let of = |items: &[Vec<f32>]| {
                let parts: Vec<&[f32]> = items.iter().map(Vec::as_slice).collect();
                let n = parts[0].len();
                let own = |(x, cut): (&&[f32], &mut Cut)| {
                    if each_tensor {
                        *cut = select_parts(&[x], keep_count(0.3, n as u64), &job).unwrap();
                    }
                    cut.part(x)
                };
                let cuts: Vec<_> = parts.iter().zip(&mut cuts).map(own).collect();
                let mut out = vec![0.0; n];
                let elected =
                    elect_merge(&parts, &cuts, &weights, Merge::Mean, majority, &mut out, &job).unwrap();
                (out, elected)
            };
            tensors.iter().map(|(_, items)| items.as_slice()).map(of).collect()
        };
        let (positive, negative) = (elect(1.0), elect(-1.0));
        let balance: i64 = positive.iter().map(|(_, elected)| elected.balance).sum();
        for (t, (name, _)) in tensors.into_iter().enumerate() {
            assert!(positive[t].1.undecided > 0 || name == "short");
            let balance = if each_tensor { positive[t].1.balance } else { balance };
            let want = if balance < 0 { &negative[t].0 } else { &positive[t].0 };
            let got = read(&models.out(), name);
            assert!(got.iter().zip(want).all(|(a, b)| a.to_bits() == b.to_bits()), "{name} {each_tensor}");
        }
    }
}

#[test]
fn signs_are_those_of_whole_tensors_and_come_back() {
    let models = models();
    let paths = [models.dir.path().join("1.safetensors")];
    let job = Job::default();
    let updates = Updates::open(&paths, &MatchOptions::default(), &job).unwrap();
    for (encoding, scale) in [(Encoding::Golomb, Scale::Std(2.0)), (Encoding::Bitmask, Scale::MeanAbs)] {
        let options = CompressOptions { density: 0.1, scale, encoding };
        let output = Output::file(&models.out(), true).unwrap();
        let state = open_state(&models.out(), false).unwrap();
        let (output, compressed) = compress(&updates, output, &options, &state, &job).unwrap();
        output.commit("{\"tamis\":\"0\"}").unwrap();
        let want = ternarize(&[&models.long[1], &models.short[1]], 0.1, scale, &job).unwrap();
        assert_eq!((compressed.scale, compressed.nonzeros), (want.scale, want.nonzeros));
        let back = models.dir.path().join("back.safetensors");
        let options = ExpandOptions { lambda: 1.0, ..ExpandOptions::default() };
        let expansion = Expansion::open(&models.out(), options, &job).unwrap();
        let (output, expanded) = expansion
            .run(Output::file(&back, true).unwrap(), true, &open_state(&back, false).unwrap(), &job)
            .unwrap();
        output.commit("{\"tamis\":\"0\"}").unwrap();
        // By name: "long" comes before "short".
        let norm = |x: &[f32]| x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b;
        for ((one, back), items) in
            compressed.tensors.iter().zip(&expanded.tensors).zip([&models.long[1], &models.short[1]])
        {
            assert!(close(one.updates[0], norm(items)) && close(back.written, one.written), "{}", one.name);
            assert_eq!((one.items, back.items), (items.len() as u64, items.len() as u64));
        }
        let nonzeros = compressed.tensors.iter().filter_map(|one| one.nonzeros).sum::<u64>();
        assert_eq!(nonzeros, want.nonzeros);
        for (name, signs, n) in
            [("long", &want.parts[0], models.long[1].len()), ("short", &want.parts[1], 1001)]
        {
            let mut items = vec![0.0; n];
            tamis_kernels::ternary::expand(&signs.positive, &signs.negative, want.scale, &mut items, &job)
                .unwrap();
            assert!(read(&back, name) == items, "{name}");
        }
    }
}

#[test]
fn a_stopped_job_leaves_no_output() {
    let models = models();
    let updates = models.open();
    let job = Job::default();
    job.stop();
    let method =
        Method::Elected { density: 0.3, merge: Merge::Sum, weights: vec![1.0; 3], each_tensor: false };
    assert!(matches!(write_merged(&updates, &models.out(), method, &job), Err(Error::Aborted)));
    let output = Output::file(&models.out(), true).unwrap();
    let options = CompressOptions { density: 0.3, scale: Scale::MeanAbs, encoding: Encoding::Golomb };
    let state = open_state(&models.out(), false).unwrap();
    assert!(matches!(compress(&updates, output, &options, &state, &job), Err(Error::Aborted)));
    state.finish().unwrap();
    assert_eq!(std::fs::read_dir(models.dir.path()).unwrap().count(), 3);
}

#[test]
fn a_file_that_changes_ends_the_run() {
    let models = models();
    let updates = models.open();
    let method = Method::Weighted { weights: vec![1.0; 3] };
    let path = models.dir.path().join("2.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 4]).unwrap();
    let error = write_merged(&updates, &models.out(), method, &Job::default()).unwrap_err();
    assert!(error.to_string().contains("2.safetensors: the file changed while it was read"), "{error}");
}

#[test]
fn a_base_of_ones_is_subtracted_and_added() {
    let dir = tempdir().unwrap();
    let (path, out) = (dir.path().join("x.safetensors"), dir.path().join("out.safetensors"));
    write(&path, &[("x", &[1.5, 0.5])]);
    let options = MatchOptions { origin: Origin::One, ..MatchOptions::default() };
    let updates = Updates::open(&[path], &options, &Job::default()).unwrap();
    write_merged(&updates, &out, Method::Weighted { weights: vec![2.0] }, &Job::default()).unwrap();
    assert_eq!(read(&out, "x"), [2.0, 0.0]);
}

/// The nearest half-precision number, ties to the even one, by trying the neighbours.
fn nearest(x: f32, bits: u16, value: impl Fn(u16) -> f64) -> bool {
    let distance = |bits: u16| (value(bits) - f64::from(x)).abs();
    let sign = bits & 0x8000;
    let size = bits & 0x7fff;
    let around = [size.checked_sub(1), Some(size + 1)].into_iter().flatten().map(|size| sign | size);
    around.filter(|&other| value(other).is_finite()).all(|other| {
        distance(bits) < distance(other) || (distance(bits) == distance(other) && size.is_multiple_of(2))
    })
}

proptest! {
    #[test]
    fn rounding_is_to_nearest_even(x in prop_oneof![-70_000.0f32..70_000.0, -1e-4f32..1e-4, any::<f32>().prop_filter("finite", |x| x.is_finite())]) {
        let one = |dtype| {
            let mut out = Vec::new();
            narrow(&[x], dtype, &mut out).map(|()| u16::from_le_bytes([out[0], out[1]]))
        };
        match one(Dtype::F16) {
            Ok(bits) => prop_assert!(nearest(x, bits, |bits| f16::from_bits(bits).to_f64())),
            Err(at) => prop_assert!(at == 0 && x.abs() >= 65520.0),
        }
        match one(Dtype::BF16) {
            Ok(bits) => prop_assert!(nearest(x, bits, |bits| bf16::from_bits(bits).to_f64())),
            Err(at) => prop_assert!(at == 0 && x.abs() > 3.38e38),
        }
    }
}
