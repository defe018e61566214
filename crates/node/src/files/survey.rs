//! What a person is told of groups of duplicates.

use super::dedup::Duplicates;
use super::number;
use crate::job::{Job, promise};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use tamis_store::dedup::documents::Documents;
use tamis_store::dedup::survey::{self, Survey};

/// Groups of about one size.
#[napi(object)]
pub struct SizeClass {
    pub groups: f64,
    pub documents: f64,
}

/// The dropped of one file, by what they are the same as.
#[napi(object)]
pub struct DropReasons {
    pub within: f64,
    pub across: f64,
    pub matched: f64,
}

/// Where a document lies.
#[napi(object)]
pub struct DocumentPlace {
    pub against: bool,
    pub file: u32,
    pub record: f64,
}

#[napi(object)]
pub struct LargeGroup {
    pub documents: f64,
    pub place: DocumentPlace,
}

#[napi(object)]
pub struct DuplicatePair {
    pub dropped: DocumentPlace,
    pub kept: DocumentPlace,
}

/// What a person is told of the groups.
#[napi(object)]
pub struct GroupSurvey {
    /// Groups of 2^i to 2^(i + 1) - 1 documents, one of which is written, at i.
    pub sizes: Vec<SizeClass>,
    pub largest: Vec<LargeGroup>,
    pub pairs: Vec<DuplicatePair>,
    /// Of each file.
    pub reasons: Vec<DropReasons>,
    /// The documents of all these that are of the corpus that is written, ascending.
    pub shown: Uint32Array,
}

impl GroupSurvey {
    fn new(survey: Survey, sides: &[Documents]) -> Self {
        let pinned = sides.last().map_or(0, |own| own.range().start);
        let place = |document: u64| {
            let against = document < pinned;
            let side = if against { sides.first() } else { sides.last() };
            let (file, record) = side.map_or((0, 0), |side| side.place(document));
            DocumentPlace { against, file: file as u32, record: number(record) }
        };
        let named = survey.largest.iter().map(|&(document, _)| document);
        let mut shown: Vec<u32> = named
            .chain(survey.pairs.iter().flat_map(|&(document, of)| [document, of]))
            .filter(|&document| document >= pinned)
            .map(|document| document as u32)
            .collect();
        shown.sort_unstable();
        shown.dedup();
        let class = |size: &survey::SizeClass| SizeClass {
            groups: number(size.groups),
            documents: number(size.documents),
        };
        let reasons = |reasons: &survey::Reasons| DropReasons {
            within: number(reasons.within),
            across: number(reasons.across),
            matched: number(reasons.pinned),
        };
        let large = |&(document, documents): &(u64, u64)| LargeGroup {
            documents: number(documents),
            place: place(document),
        };
        let pair = |&(document, of): &(u64, u64)| DuplicatePair { dropped: place(document), kept: place(of) };
        GroupSurvey {
            sizes: survey.sizes.iter().map(class).collect(),
            largest: survey.largest.iter().map(large).collect(),
            pairs: survey.pairs.iter().map(pair).collect(),
            reasons: survey.reasons.iter().map(reasons).collect(),
            shown: Uint32Array::new(shown),
        }
    }
}

/// Looks at the groups: their sizes, what was dropped for what (`sources`: of each file that is written), and `most` of them to show.
#[napi]
pub fn survey_duplicates<'env>(
    env: &'env Env,
    duplicates: &Duplicates,
    sources: &[u32],
    most: u32,
    job: &Job,
) -> Result<Object<'env>> {
    let (found, sources) = (duplicates.shared.clone(), sources.to_vec());
    let work = move |job: &tamis_kernels::job::Job| {
        let survey = found.1.survey(&found.0, &sources, most as usize, job)?;
        Ok((survey, found))
    };
    job.begin();
    promise(env, Some(job), work, |(survey, found)| GroupSurvey::new(survey, &found.0))
}
