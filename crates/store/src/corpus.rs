//! A corpus that is open: its files, its shards, how its records are read, and the copy of standard input if that is part of it.

use crate::block::{Shard, plan_shards};
use crate::error::Error;
use crate::input::{Input, find_inputs};
use crate::record::ReadOptions;
use crate::spool::Spool;
use crate::state::InputPrint;
use tamis_kernels::job::Job;

/// Input files, in order. A copy of standard input goes when it is dropped.
#[derive(Debug)]
pub struct Corpus {
    pub inputs: Vec<Input>,
    pub shards: Vec<Shard>,
    pub read: ReadOptions,
    spool: Option<Spool>,
}

impl Corpus {
    /// Finds the files that `patterns` name (see [`find_inputs`]) and cuts them into shards. Standard input (`-`) is copied to
    /// a temporary file, which may take long: the job can stop it.
    pub fn open(patterns: &[String], read: ReadOptions, job: &Job) -> Result<Self, Error> {
        let mut spool = None;
        let inputs = find_inputs(patterns, || {
            if spool.is_some() {
                return Err(Error::range("standard input (-) can be named only once"));
            }
            Ok(spool.insert(Spool::standard_input(job)?).path().to_owned())
        })?;
        job.check()?;
        let shards = plan_shards(&inputs, &read)?;
        Ok(Corpus { inputs, shards, read, spool })
    }

    /// Whether standard input is part of it: then it is gone when the process is, and no later run can go on with it.
    pub fn uses_standard_input(&self) -> bool {
        self.spool.is_some()
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.inputs.iter().map(|input| input.bytes).sum()
    }

    /// Its files as the fingerprint of a run names them.
    pub fn prints(&self) -> Vec<InputPrint> {
        let one = |input: &Input| InputPrint {
            path: input.path.to_string_lossy().into_owned(),
            bytes: input.bytes,
            modified_ns: input.modified_ns,
        };
        self.inputs.iter().map(one).collect()
    }
}
