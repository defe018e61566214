//! Names of sources as numbers.

use std::collections::HashMap;

/// Numbers names in the order in which it first sees them.
///
/// ```
/// let mut names = tamis_kernels::sources::SourceNames::default();
/// assert_eq!((names.number("wiki"), names.number("books"), names.number("wiki")), (0, 1, 0));
/// ```
#[derive(Debug, Clone, Default)]
pub struct SourceNames {
    numbers: HashMap<Box<str>, u32>,
}

impl SourceNames {
    /// The number of a name.
    pub fn number(&mut self, name: &str) -> u32 {
        match self.numbers.get(name) {
            Some(&number) => number,
            None => {
                let number = self.numbers.len() as u32;
                self.numbers.insert(name.into(), number);
                number
            }
        }
    }
}
