//! The types of a tensor's items.

use std::fmt;

macro_rules! dtypes {
    ($($variant:ident $name:literal $bits:literal,)*) => {
        /// The type of a tensor's items, as the format names it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(non_camel_case_types)]
        pub enum Dtype { $($variant,)* }

        impl Dtype {
            /// The name in a header.
            pub fn name(self) -> &'static str {
                match self { $(Dtype::$variant => $name,)* }
            }

            /// Bits of an item.
            pub fn bits(self) -> u64 {
                match self { $(Dtype::$variant => $bits,)* }
            }

            pub(super) fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Dtype::$variant),)* _ => None }
            }
        }
    };
}

dtypes! {
    Bool "BOOL" 8,
    F4 "F4" 4,
    F6E2M3 "F6_E2M3" 6,
    F6E3M2 "F6_E3M2" 6,
    F8E4M3 "F8_E4M3" 8,
    F8E5M2 "F8_E5M2" 8,
    F8E8M0 "F8_E8M0" 8,
    U8 "U8" 8,
    I8 "I8" 8,
    U16 "U16" 16,
    I16 "I16" 16,
    F16 "F16" 16,
    BF16 "BF16" 16,
    U32 "U32" 32,
    I32 "I32" 32,
    F32 "F32" 32,
    U64 "U64" 64,
    I64 "I64" 64,
    F64 "F64" 64,
    C64 "C64" 64,
}

impl Dtype {
    /// Whether an item is a weight that can be computed with: float32, float16 or bfloat16.
    pub fn is_weight(self) -> bool {
        matches!(self, Dtype::F32 | Dtype::F16 | Dtype::BF16)
    }

    /// Bytes of a tensor of that shape; none if they are no whole number or too many to count.
    pub fn bytes(self, shape: &[u64]) -> Option<u64> {
        let items = shape.iter().try_fold(1u64, |n, &side| n.checked_mul(side))?;
        let bits = items.checked_mul(self.bits())?;
        (bits % 8 == 0).then_some(bits / 8)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
