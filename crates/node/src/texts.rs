//! Strings out of JavaScript into one packed UTF-8 buffer, that every call on them shares.

use crate::failure::Failure;
use napi::bindgen_prelude::{Env, FromNapiValue, ObjectFinalize, Result, TypeName, ValidateNapiValue};
use napi::{ValueType, check_status, sys, type_of};
use napi_derive::napi;
use std::sync::Arc;
use tamis_kernels::ngrams::Texts;

/// An array of strings, copied once. Lone surrogates are U+FFFD (the engine replaces them as it encodes).
#[napi(js_name = "Texts", custom_finalize)]
pub struct PackedTexts {
    pub(crate) shared: Arc<Texts>,
}

#[napi]
impl PackedTexts {
    /// `name` is what a message calls the array.
    #[napi(constructor)]
    pub fn new(env: Env, name: String, texts: StringArray) -> Result<Self> {
        let texts =
            texts.0.map_err(|(i, got)| Failure::kind(format!("{name}[{i}] must be a string, got {got}")))?;
        env.adjust_external_memory(texts.memory() as i64)?;
        Ok(PackedTexts { shared: Arc::new(texts) })
    }
}

impl ObjectFinalize for PackedTexts {
    fn finalize(self, env: Env) -> Result<()> {
        env.adjust_external_memory(-(self.shared.memory() as i64)).map(|_| ())
    }
}

/// The packed strings of an argument, or the place and kind of the first element that is none.
pub struct StringArray(std::result::Result<Texts, (u32, ValueType)>);

impl TypeName for StringArray {
    fn type_name() -> &'static str {
        "Array<string>"
    }
    fn value_type() -> ValueType {
        ValueType::Object
    }
}

impl ValidateNapiValue for StringArray {}

impl FromNapiValue for StringArray {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        let mut len = 0u32;
        // SAFETY: env and value are live handles of the call that napi-rs is converting arguments for.
        check_status!(unsafe { sys::napi_get_array_length(env, value, &mut len) })?;
        let (mut texts, mut units) = (Texts::default(), Vec::new());
        // A handle scope of its own every so many elements keeps a long array from filling the call's scope.
        const HANDLES: u32 = 1024;
        let mut first = 0;
        while first < len {
            let mut scope = std::ptr::null_mut();
            // SAFETY: as above; the scope is closed below on every path.
            check_status!(unsafe { sys::napi_open_handle_scope(env, &mut scope) })?;
            let last = len.min(first + HANDLES);
            let wrong = (first..last).find_map(|i| {
                // SAFETY: as above, inside the open scope.
                match unsafe { push_element(env, value, i, &mut units, &mut texts) } {
                    Ok(None) => None,
                    Ok(Some(kind)) => Some(Ok((i, kind))),
                    Err(error) => Some(Err(error)),
                }
            });
            // SAFETY: the scope opened above, closed once.
            check_status!(unsafe { sys::napi_close_handle_scope(env, scope) })?;
            if let Some(wrong) = wrong {
                return Ok(StringArray(Err(wrong?)));
            }
            first = last;
        }
        Ok(StringArray(Ok(texts)))
    }
}

/// Appends element `i` of the array; tells its kind if it is no string. It comes by way of UTF-16, in `units`: the engine copies
/// that at the speed of memory, where it writes UTF-8 a character at a time.
///
/// # Safety
/// `env` and `array` are live handles on the JavaScript thread.
unsafe fn push_element(
    env: sys::napi_env,
    array: sys::napi_value,
    i: u32,
    units: &mut Vec<u16>,
    texts: &mut Texts,
) -> Result<Option<ValueType>> {
    let mut element = std::ptr::null_mut();
    let mut len = 0usize;
    // SAFETY: by the caller's promise; a null buffer asks for the length alone.
    let status = unsafe {
        check_status!(sys::napi_get_element(env, array, i, &mut element))?;
        sys::napi_get_value_string_utf16(env, element, std::ptr::null_mut(), 0, &mut len)
    };
    if status != sys::Status::napi_ok {
        return Ok(Some(type_of!(env, element)?));
    }
    // Node ends the copy with a zero.
    if units.len() < len + 1 {
        units.resize(len + 1, 0);
    }
    // SAFETY: there is room for len + 1 units.
    check_status!(unsafe {
        sys::napi_get_value_string_utf16(env, element, units.as_mut_ptr(), len + 1, &mut len)
    })?;
    texts.push_utf16(&units[..len]);
    Ok(None)
}
