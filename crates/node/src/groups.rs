//! Gradient descent over tensors whose weights stand and fall in groups, for `training`.

use crate::failure::Failure;
use crate::job::guard;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use tamis_kernels::descent::{Decay, Descent, Rule};
use tamis_kernels::groups::{Groups, Member};

/// Group j of a set has index j of the middle of the tensor seen as [outer, groups, inner].
#[napi(object)]
pub struct GroupMember {
    pub set: u32,
    pub tensor: u32,
    pub outer: u32,
    pub inner: u32,
}

#[napi(object)]
pub struct DescentRule {
    /// Of directions that are moments' quotients: else `momentum` says how they add up.
    pub betas: Option<Vec<f64>>,
    pub momentum: f64,
    pub decay: f64,
    pub decoupled: bool,
}

fn groups_of(
    counts: &[u32],
    members: &[GroupMember],
    lengths: &[usize],
) -> std::result::Result<Groups, Failure> {
    let counts: Vec<usize> = counts.iter().map(|&n| n as usize).collect();
    let member = |member: &GroupMember| Member {
        set: member.set as usize,
        tensor: member.tensor as usize,
        outer: member.outer as usize,
        inner: member.inner as usize,
    };
    let members: Vec<Member> = members.iter().map(member).collect();
    let fits = |m: &Member| {
        m.set < counts.len()
            && m.tensor < lengths.len()
            && m.outer * counts[m.set] * m.inner == lengths[m.tensor]
    };
    if members.iter().all(fits) {
        Ok(Groups { counts, members })
    } else {
        Err(Failure::shape("groups of other tensors"))
    }
}

fn slices(tensors: &[Float32Array]) -> Vec<&[f32]> {
    tensors.iter().map(|x| &x[..]).collect()
}

fn arrays(scores: Vec<Vec<f64>>) -> Vec<Float64Array> {
    scores.into_iter().map(Float64Array::new).collect()
}

/// The scores of the groups of each set.
#[napi]
pub fn group_saliency(
    weights: Vec<Float32Array>,
    directions: Vec<Float32Array>,
    counts: Vec<u32>,
    members: Vec<GroupMember>,
) -> Result<Vec<Float64Array>> {
    let work = || {
        let (weights, directions) = (slices(&weights), slices(&directions));
        let lengths: Vec<usize> = weights.iter().map(|x| x.len()).collect();
        if directions.len() != lengths.len() || directions.iter().zip(&lengths).any(|(d, &n)| d.len() != n) {
            return Err(Failure::shape("directions of other tensors"));
        }
        Ok(groups_of(&counts, &members, &lengths)?.saliency(&weights, &directions))
    };
    guard(work).map(arrays)
}

/// Weights and where they go.
#[napi]
pub struct GroupedDescent {
    weights: Vec<Vec<f32>>,
    saved: Vec<Vec<f32>>,
    descent: Descent,
    groups: Groups,
}

#[napi]
impl GroupedDescent {
    #[napi(constructor)]
    pub fn new(
        weights: Vec<Float32Array>,
        counts: Vec<u32>,
        members: Vec<GroupMember>,
        rule: DescentRule,
    ) -> Result<Self> {
        guard(|| {
            let weights: Vec<Vec<f32>> = weights.iter().map(|x| x.to_vec()).collect();
            let lengths: Vec<usize> = weights.iter().map(Vec::len).collect();
            let groups = groups_of(&counts, &members, &lengths)?;
            let decay = Decay { rate: rule.decay as f32, decoupled: rule.decoupled };
            let rule = match rule.betas.as_deref() {
                Some(&[beta1, beta2]) => Rule::Moments { beta1, beta2 },
                _ => Rule::Momentum { momentum: rule.momentum as f32 },
            };
            let descent = Descent::new(rule, decay, &lengths);
            Ok(GroupedDescent { weights, saved: Vec::new(), descent, groups })
        })
    }

    /// Makes the directions of the next step; gradients that are not finite change nothing.
    #[napi]
    pub fn direct(&mut self, gradients: Vec<Float32Array>) -> Result<()> {
        guard(|| {
            let gradients = slices(&gradients);
            let fit = gradients.iter().zip(&self.weights).all(|(g, w)| g.len() == w.len());
            if gradients.len() != self.weights.len() || !fit {
                return Err(Failure::shape("gradients of other tensors"));
            }
            let not_finite = |_| Failure::range("gradients must be finite, got NaN or an infinity");
            self.descent.direct(&self.weights, &gradients).map_err(not_finite)
        })
    }

    /// The scores of the groups of each set.
    #[napi]
    pub fn saliency(&self) -> Result<Vec<Float64Array>> {
        let work = || {
            let weights: Vec<&[f32]> = self.weights.iter().map(|x| &x[..]).collect();
            let directions: Vec<&[f32]> = self.descent.directions().iter().map(|x| &x[..]).collect();
            Ok(self.groups.saliency(&weights, &directions))
        };
        guard(work).map(arrays)
    }

    /// Moves these tensors along their directions.
    #[napi]
    pub fn update(&mut self, tensors: Vec<u32>, rate: f64) -> Result<()> {
        guard(|| {
            for tensor in tensors {
                let tensor = tensor as usize;
                let weights = self.weights.get_mut(tensor);
                let weights =
                    weights.ok_or_else(|| Failure::range(format!("there is no tensor {tensor}")))?;
                self.descent.update(tensor, weights, rate);
            }
            Ok(())
        })
    }

    /// Multiplies some groups of a set by a factor; 0 makes them 0 whatever they are.
    #[napi]
    pub fn scale(&mut self, set: u32, groups: &[u32], factor: f64) -> Result<()> {
        guard(|| {
            let set = set as usize;
            let mut factors = vec![1.0; self.groups.counts.get(set).copied().unwrap_or(0)];
            for &group in groups {
                let place = factors.get_mut(group as usize);
                *place.ok_or_else(|| Failure::range(format!("set {set} has no group {group}")))? =
                    factor as f32;
            }
            if factors.is_empty() {
                return Ok(());
            }
            self.groups.scale(&mut self.weights, set, &factors);
            Ok(())
        })
    }

    /// Remembers the weights.
    #[napi]
    pub fn save(&mut self) -> Result<()> {
        guard(|| {
            self.saved.clone_from(&self.weights);
            Ok(())
        })
    }

    /// Takes back what changed since [`Self::save`].
    #[napi]
    pub fn restore(&mut self) -> Result<()> {
        guard(|| {
            if self.saved.len() == self.weights.len() {
                self.weights.clone_from(&self.saved);
            }
            Ok(())
        })
    }

    /// Forgets the remembered weights.
    #[napi]
    pub fn forget(&mut self) {
        self.saved = Vec::new();
    }

    /// A copy of the weights.
    #[napi]
    pub fn weights(&self) -> Vec<Float32Array> {
        self.weights.iter().map(|x| Float32Array::new(x.clone())).collect()
    }
}
