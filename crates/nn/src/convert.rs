//! GGUF files as folders of safetensors, as other tools load them.
//!
//! Tensor by tensor; memory: the largest one in float32. q and k are turned back from pairs to halves, a tied head stays tied. O(parameters).

use crate::family::{FREQUENCIES, Plan};
use crate::vocabulary;
use crate::weight::Source;
use serde_json::json;
use std::io::Write;
use std::path::Path;
use tamis_kernels::job::Job;
use tamis_store::atomic::{AtomicFolder, FolderFile};
use tamis_store::checkpoint::windows::narrow;
use tamis_store::error::Error;
use tamis_store::gguf::Gguf;
use tamis_store::safetensors::{Dtype, Entry, encode_header};

/// Rows that are widened at a time.
const ROWS: usize = 4096;

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Converted {
    pub tensors: usize,
    pub parameters: u64,
    /// Of the weights' file.
    pub bytes: u64,
}

/// Writes `config.json`, `tokenizer.json`, `tokenizer_config.json` and `model.safetensors` of a GGUF file of Llama's architecture into
/// a folder, which appears whole or not at all. `dtype` is `float32` (which keeps the file's own values), `float16` or `bfloat16`.
///
/// # Errors
/// `ERR_TAMIS_FORMAT` for what is not read, or has no place in such a folder, by its name; `ERR_TAMIS_RANGE` if the folder is there and
/// must not be replaced, or a weight does not fit the type; `ERR_TAMIS_IO`.
pub fn convert_gguf(
    file: &Path,
    folder: &Path,
    dtype: &str,
    force: bool,
    job: &Job,
) -> Result<Converted, Error> {
    let gguf = Gguf::open(file)?;
    let plan = Plan::of_gguf(&gguf)?;
    if gguf.find(FREQUENCIES).is_some() {
        let why =
            format!("the tensor {FREQUENCIES:?}, which stretches positions, has no place in a config.json");
        return Err(Error::format(file, None, why));
    }
    let tokenizer = vocabulary::tokenizer(&gguf)?;
    let (config, about) = (plan.config(&gguf, dtype), vocabulary::about(&gguf, plan.positions));
    let source = Source::Gguf(gguf);
    let parts = plan.parts(&source);
    let kind = match dtype {
        "float16" => Dtype::F16,
        "bfloat16" => Dtype::BF16,
        _ => Dtype::F32,
    };
    let mut end = 0;
    let entries: Vec<Entry> = parts
        .iter()
        .map(|part| {
            let begin = end;
            end += part.shape.iter().product::<usize>() as u64 * kind.bits() / 8;
            let shape = part.shape.iter().map(|&n| n as u64).collect();
            Entry { name: part.usual.clone(), dtype: kind, shape, begin, end }
        })
        .collect();
    let mut out = AtomicFolder::create(folder, force)?;
    for (name, json) in
        [("config.json", config), ("tokenizer_config.json", about), ("tokenizer.json", tokenizer)]
    {
        let mut file = out.file(Path::new(name))?;
        write(&mut file, format!("{json:#}\n").as_bytes())?;
        file.finish()?;
    }
    let mut weights = out.file(Path::new("model.safetensors"))?;
    let header = encode_header(&[("format".into(), "pt".into())], &entries);
    write(&mut weights, &header)?;
    job.begin(0, end);
    let mut parameters = 0;
    for part in &parts {
        let weight = part.load(&source)?;
        let mut scratch = Vec::new();
        for from in (0..weight.rows).step_by(ROWS) {
            job.check()?;
            let items = weight.widen(from..weight.rows.min(from + ROWS), &mut scratch);
            let mut bytes = Vec::new();
            narrow(items, kind, &mut bytes).map_err(|i| {
                let (name, x) = (&part.usual, items[i]);
                Error::range(format!(
                    "the tensor {name} does not fit {dtype}: an item is {x}; choose bfloat16 or float32"
                ))
            })?;
            write(&mut weights, &bytes)?;
            job.advance(bytes.len() as u64, 0);
            parameters += items.len() as u64;
        }
    }
    weights.finish()?;
    source.check_unchanged()?;
    let manifest = json!({
        "tamis": env!("CARGO_PKG_VERSION"), "command": "convertGguf",
        "from": file.to_string_lossy(), "dtype": dtype, "tensors": parts.len(), "parameters": parameters,
    });
    out.commit(&format!("{manifest:#}\n"))?;
    Ok(Converted { tensors: parts.len(), parameters, bytes: header.len() as u64 + end })
}

fn write(file: &mut FolderFile, bytes: &[u8]) -> Result<(), Error> {
    let path = file.path().to_owned();
    file.write_all(bytes).map_err(|e| Error::io(path, "write", e))
}
