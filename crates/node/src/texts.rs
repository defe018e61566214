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
        let mut bytes: Vec<u8> = Vec::new();
        let mut ends = Vec::with_capacity(len as usize);
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
                let got = unsafe { push_element(env, value, i, &mut bytes) };
                ends.push(bytes.len());
                match got {
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
        // SAFETY: the engine writes well-formed UTF-8, and every end lies between two strings.
        Ok(StringArray(Ok(unsafe { Texts::from_parts_unchecked(bytes, ends) })))
    }
}

/// Units of UTF-16 up to which there is room for a string's longest possible form: asking how long it is takes as long as
/// writing it.
const LONG: usize = 1 << 20;

/// Appends element `i` of the array as UTF-8; tells its kind if it is no string.
///
/// # Safety
/// `env` and `array` are live handles on the JavaScript thread.
unsafe fn push_element(
    env: sys::napi_env,
    array: sys::napi_value,
    i: u32,
    bytes: &mut Vec<u8>,
) -> Result<Option<ValueType>> {
    let mut element = std::ptr::null_mut();
    let mut units = 0usize;
    // SAFETY: by the caller's promise; a null buffer asks for the length alone, which the engine knows in units of UTF-16.
    let status = unsafe {
        check_status!(sys::napi_get_element(env, array, i, &mut element))?;
        sys::napi_get_value_string_utf16(env, element, std::ptr::null_mut(), 0, &mut units)
    };
    if status != sys::Status::napi_ok {
        return Ok(Some(type_of!(env, element)?));
    }
    let mut size = 3 * units;
    if units > LONG {
        // SAFETY: as above; this walks through the string.
        check_status!(unsafe {
            sys::napi_get_value_string_utf8(env, element, std::ptr::null_mut(), 0, &mut size)
        })?;
    }
    let start = bytes.len();
    bytes.reserve(size + 1);
    let mut written = 0usize;
    // SAFETY: size + 1 bytes are reserved behind `start` (Node ends the copy with a zero), and only what was
    // written becomes part of the vector.
    unsafe {
        let end = bytes.as_mut_ptr().add(start).cast();
        check_status!(sys::napi_get_value_string_utf8(env, element, end, size + 1, &mut written))?;
        bytes.set_len(start + written);
    }
    Ok(None)
}
