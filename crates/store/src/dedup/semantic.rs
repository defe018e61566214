//! Documents of about the same meaning: groups by the cosine of their vectors, within clusters.

use super::documents::Documents;
use super::groups::Groups;
use crate::error::Error;
use crate::passes::seen::Seen;
use tamis_kernels::distance::Rows;
use tamis_kernels::job::Job;
use tamis_kernels::similar::similar;

/// Groups the documents that a pass saw: those of one cluster (`labels`, a number of each) whose cosine is at least the threshold,
/// with `sources` (of each file) only those of one source.
///
/// # Errors
/// `ERR_TAMIS_SHAPE` for another number of rows or labels than documents, `ERR_TAMIS_ABORTED`.
pub fn similar_documents(
    seen: &Seen,
    vectors: Rows<f32>,
    labels: &[u32],
    sources: Option<&[u32]>,
    threshold: f64,
    job: &Job,
) -> Result<(Documents, Groups), Error> {
    let documents = Documents::of(seen.clone());
    let count = documents.range().end;
    if labels.len() as u64 != count || vectors.count() as u64 != count {
        return Err(Error::range(format!(
            "vectors and labels must be one for each of {count} documents, got {} and {}",
            vectors.count(),
            labels.len()
        )));
    }
    let groups = match sources {
        None => labels.to_vec(),
        Some(sources) => {
            let file = |file: usize| documents.of_file(file).map(move |document| (document, sources[file]));
            let keys: Vec<(u32, u32)> = (0..sources.len())
                .flat_map(file)
                .map(|(document, source)| (labels[document as usize], source))
                .collect();
            number(&keys)
        }
    };
    Ok((documents, Groups::of(similar(vectors, &groups, threshold, job)?)))
}

/// The keys' numbers in the order in which they first come.
fn number(keys: &[(u32, u32)]) -> Vec<u32> {
    let mut numbers = std::collections::HashMap::new();
    keys.iter()
        .map(|&key| {
            let next = numbers.len() as u32;
            *numbers.entry(key).or_insert(next)
        })
        .collect()
}
