use super::blocks::widen;
use super::*;
use half::f16;
use proptest::prelude::*;
use std::collections::BTreeMap;
use tempfile::tempdir;

const SMALL: &[u8] = include_bytes!("small.gguf");

/// A file in the making.
#[derive(Default)]
struct Maker(Vec<u8>);

impl Maker {
    fn head(version: u32, tensors: u64, pairs: u64) -> Self {
        Maker(b"GGUF".to_vec()).u32(version).u64(tensors).u64(pairs)
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn u32(self, n: u32) -> Self {
        self.bytes(&n.to_le_bytes())
    }

    fn u64(self, n: u64) -> Self {
        self.bytes(&n.to_le_bytes())
    }

    fn text(self, text: impl AsRef<[u8]>) -> Self {
        self.u64(text.as_ref().len() as u64).bytes(text.as_ref())
    }

    /// Sides in the file's order.
    fn tensor(self, name: &str, sides: &[u64], kind: u32, offset: u64) -> Self {
        let made = self.text(name).u32(sides.len() as u32);
        sides.iter().fold(made, |made, &side| made.u64(side)).u32(kind).u64(offset)
    }

    /// Pads to the data, and appends as many bytes.
    fn data(mut self, bytes: usize) -> Vec<u8> {
        self.0.resize(self.0.len().next_multiple_of(32), 0);
        self.0.resize(self.0.len() + bytes, 7);
        self.0
    }
}

fn open(bytes: &[u8]) -> Result<Gguf, Error> {
    let dir = tempdir().unwrap();
    let path = dir.path().join("x.gguf");
    std::fs::write(&path, bytes).unwrap();
    Gguf::open(&path)
}

fn refused(bytes: &[u8], why: &str) {
    let error = open(bytes).unwrap_err();
    assert_eq!(error.code(), "ERR_TAMIS_FORMAT");
    let text = error.to_string();
    assert!(text.contains("x.gguf: not a GGUF file: ") && text.contains(why), "{why}: {text}");
}

/// What the format's own package writes of a tensor, by the reader and to float32.
fn wide(gguf: &Gguf, name: &str, rows: Range<u64>) -> Vec<f32> {
    let tensor = gguf.find(name).unwrap();
    let mut bytes = vec![9; 3];
    gguf.read(tensor, rows.clone(), &mut bytes).unwrap();
    let mut out = vec![0.0; ((rows.end - rows.start) * tensor.row_items()) as usize];
    widen(tensor.kind, &bytes, &mut out);
    out
}

#[test]
fn every_kind_widens_to_the_bits_of_the_formats_own_package() {
    #[derive(serde::Deserialize)]
    struct Case {
        number: u32,
        bytes: String,
        floats: String,
    }
    let hex = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    };
    let cases: BTreeMap<String, Case> = serde_json::from_str(include_str!("blocks.json")).unwrap();
    let mut names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    names.sort_unstable();
    assert_eq!(cases.keys().collect::<Vec<_>>(), names);
    for (name, case) in &cases {
        let kind = Kind::from_number(case.number);
        assert_eq!((kind.name(), kind.number()), (name.as_str(), case.number));
        let bytes = hex(&case.bytes);
        let want: Vec<u32> =
            hex(&case.floats).as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        assert_eq!(bytes.len() / kind.block_bytes() * kind.block_items(), want.len(), "{name}");
        let mut got = vec![f32::NAN; want.len()];
        widen(kind, &bytes, &mut got);
        for (i, (got, want)) in got.iter().zip(want).enumerate() {
            assert_eq!(got.to_bits(), want, "{name}: item {i} is {got}, not {}", f32::from_bits(want));
        }
    }
}

#[test]
fn all_halves_widen() {
    let bytes: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    let mut out = vec![0.0; 1 << 16];
    widen(Kind::F16, &bytes, &mut out);
    for (bits, got) in (0..=u16::MAX).zip(out) {
        let want = f16::from_bits(bits).to_f64();
        assert!(f64::from(got).to_bits() == want.to_bits() || got.is_nan() && want.is_nan(), "{bits:#x}");
    }
}

#[test]
#[should_panic(expected = "blocks and items differ in number")]
fn blocks_and_items_must_fit() {
    widen(Kind::Q8_0, &[0; 68], &mut [0.0; 32]);
}

#[test]
fn a_file_of_the_formats_own_package_is_read() {
    let gguf = open(SMALL).unwrap();
    assert_eq!((gguf.version(), gguf.bytes()), (3, SMALL.len() as u64));
    assert_eq!(gguf.metadata().len(), 20);
    assert_eq!(gguf.metadata().next(), Some(("general.architecture", &Value::Text("llama".into()))));
    assert_eq!(gguf.text("general.name"), Some("small \u{e9}"));
    assert_eq!(gguf.unsigned("general.alignment"), Some(64));
    for (key, value) in [
        ("a.uint8", Value::Unsigned(200)),
        ("a.int8", Value::Signed(-100)),
        ("a.uint16", Value::Unsigned(60000)),
        ("a.int16", Value::Signed(-30000)),
        ("a.uint32", Value::Unsigned(4_000_000_000)),
        ("a.int32", Value::Signed(-2_000_000_000)),
        ("a.float32", Value::Float(0.1f32.into())),
        ("a.uint64", Value::Unsigned(u64::MAX)),
        ("a.int64", Value::Signed(i64::MIN)),
        ("a.float64", Value::Float(0.1)),
        ("a.bool", Value::Bool(true)),
    ] {
        assert_eq!(gguf.get(key), Some(&value), "{key}");
    }
    assert_eq!((gguf.unsigned("a.int8"), gguf.float("a.int8")), (None, Some(-100.0)));
    assert_eq!((gguf.float("a.float64"), gguf.boolean("a.bool")), (Some(0.1), Some(true)));
    assert_eq!((gguf.text("a.bool"), gguf.texts("a.flags"), gguf.text("nothing")), (None, None, None));

    let tokens = gguf.texts("tokenizer.ggml.tokens").unwrap();
    assert_eq!(tokens.iter().collect::<Vec<_>>(), ["<s>", "", "\u{2581}caf\u{e9}", "\u{1f600}"]);
    assert_eq!((tokens.len(), tokens.get(3), tokens.get(4)), (4, Some("\u{1f600}"), None));
    let scores = gguf.numbers("tokenizer.ggml.scores").unwrap();
    let scores: Vec<f64> = scores.iter().map(|value| value.as_float().unwrap()).collect();
    assert_eq!(scores, [0.0, -1.5, f64::NEG_INFINITY, 2.25]);
    let types = gguf.numbers("tokenizer.ggml.token_type").unwrap();
    assert_eq!(types.iter().collect::<Vec<_>>(), [3, 1, -1, 6].map(Value::Signed));
    assert_eq!((types.len(), types.get(2), types.get(4)), (4, Some(Value::Signed(-1)), None));
    let flags = gguf.numbers("a.flags").unwrap();
    assert_eq!(flags.iter().collect::<Vec<_>>(), [true, false, true].map(Value::Bool));
    let Some(Value::Array(Array::Arrays(nested))) = gguf.get("a.nested") else { panic!("no nested array") };
    let Array::Numbers(inner) = &nested[0] else { panic!("no numbers") };
    assert_eq!(
        (nested.len(), inner.iter().collect::<Vec<_>>()),
        (2, vec![Value::Signed(1), Value::Signed(2)])
    );
    let Some(Value::Array(Array::Arrays(pairs))) = gguf.get("a.pairs") else { panic!("no nested array") };
    let Array::Texts(inner) = &pairs[1] else { panic!("no texts") };
    assert_eq!(inner.iter().collect::<Vec<_>>(), ["z"]);

    let about: Vec<_> =
        gguf.tensors().iter().map(|t| (t.name.as_str(), &t.dims[..], t.kind, t.offset, t.bytes)).collect();
    assert_eq!(
        about,
        [
            ("q8", &[3, 64][..], Kind::Q8_0, 1024, 204),
            ("cube", &[2, 3, 4], Kind::F16, 1280, 48),
            ("q6", &[2, 256], Kind::Q6_K, 1344, 420),
            ("other", &[3], Kind::Other(26), 1792, 0),
            ("last", &[16], Kind::F32, 1856, 64),
        ]
    );
    let cube = gguf.find("cube").unwrap();
    assert_eq!((cube.items(), cube.rows(), cube.row_items(), cube.row_bytes()), (24, 6, 4, 8));
    assert_eq!(wide(&gguf, "cube", 4..6), [16.0, 17.0, 18.0, 19.0, 20.0, 21.0, 22.0, 23.0]);
    let quarters: Vec<f32> = (0..16).map(|i| i as f32 / 4.0).collect();
    assert_eq!(wide(&gguf, "last", 0..1), quarters);
    assert_eq!(wide(&gguf, "q8", 0..3)[64..128], wide(&gguf, "q8", 1..2));
    assert!(wide(&gguf, "q6", 1..1).is_empty());
    assert!(gguf.find("las").is_none());
    let error = gguf.read(gguf.find("other").unwrap(), 0..1, &mut Vec::new()).unwrap_err();
    assert_eq!(error.code(), "ERR_TAMIS_FORMAT");
    assert!(
        error.to_string().contains("\"other\" is of the kind I32 (number 26), which is not read"),
        "{error}"
    );
    let version_2 = [&SMALL[..4], &[2], &SMALL[5..]].concat();
    assert_eq!(open(&version_2).unwrap().tensors(), gguf.tensors());
}

#[test]
fn a_file_cut_meanwhile_is_an_error() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("x.gguf");
    std::fs::write(&path, SMALL).unwrap();
    let gguf = Gguf::open(&path).unwrap();
    gguf.check_unchanged().unwrap();
    std::fs::write(&path, &SMALL[..SMALL.len() - 1]).unwrap();
    assert!(gguf.check_unchanged().unwrap_err().to_string().contains("changed while it was read"));
    let error = gguf.read(gguf.find("last").unwrap(), 0..1, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("changed while it was read"));
    assert_eq!(Gguf::open(&dir.path().join("none")).unwrap_err().code(), "ERR_TAMIS_IO");
    assert_eq!(Gguf::open(dir.path()).unwrap_err().code(), "ERR_TAMIS_FORMAT");
}

#[test]
fn a_file_that_ends_anywhere_is_refused() {
    for length in 0..SMALL.len() {
        match Header::read(&SMALL[..length], length as u64) {
            Err(Stop::Bad(_)) => {}
            other => panic!("{length} bytes: {other:?}"),
        }
    }
    refused(&SMALL[..500], "bytes that are left");
}

#[test]
fn every_lie_is_refused() {
    let head = Maker::head;
    let pair = |key: &str, kind: u32| head(3, 0, 1).text(key).u32(kind);
    refused(b"", "0 bytes that are left");
    refused(b"GGML\0\0\0\x03", "does not begin with GGUF");
    refused(&head(1, 0, 0).0, "version 1,");
    refused(&head(4, 0, 0).0, "version 4,");
    refused(&head(0, 0, 0).0, "version 0,");
    refused(&head(3 << 24, 0, 0).0, "big-endian (version 3)");
    for huge in [1, 1 << 40, u64::MAX] {
        refused(&head(3, huge, 0).0, "tensors would not fit");
        refused(&head(3, 0, huge).0, "metadata would not fit");
        refused(&head(3, 0, 1).u64(huge).bytes(&[0; 5]).0, "would not fit");
        refused(&pair("k", 8).u64(huge).0, "metadata \"k\": ");
        refused(&pair("k", 9).u32(8).u64(huge).0, "texts would not fit");
        refused(&pair("k", 9).u32(9).u64(huge).0, "arrays would not fit");
        refused(&pair("k", 9).u32(12).u64(huge).0, "numbers would not fit");
        refused(
            &head(3, 1, 0).u64(huge).bytes(&[0; 16]).0,
            if huge == 1 { "left" } else { "the name of its tensor 0" },
        );
    }
    refused(&pair("k", 13).u64(0).0, "metadata \"k\": its type has the unknown number 13");
    refused(&pair("k", 9).u32(13).u64(0).0, "unknown number 13");
    refused(&pair("k", 7).bytes(&[2]).0, "neither 0 nor 1");
    refused(&pair("k", 9).u32(7).u64(3).bytes(&[0, 1, 2]).0, "neither 0 nor 1");
    refused(&pair("k", 8).text([0xff]).0, "no UTF-8");
    // Half a character each: whole only together.
    refused(&pair("k", 9).u32(8).u64(2).text([0xc3]).text([0xa9]).0, "no UTF-8");
    refused(
        &head(3, 0, 1).text([0xff]).u32(0).bytes(&[0]).0,
        "the key 0 of its metadata: the text at byte 24",
    );
    refused(&pair(&"k".repeat(65536), 0).bytes(&[0]).0, "at most 65535");
    assert!(open(&pair(&"k".repeat(65535), 0).bytes(&[0]).0).is_ok());
    let deep = |n: usize| (0..n).fold(pair("k", 9), |made, _| made.u32(9).u64(1)).u32(0).u64(0).0;
    assert!(open(&deep(7)).is_ok());
    refused(&deep(8), "more than 8 deep");
    refused(&deep(100_000), "more than 8 deep");
    let twice = |key: &str| head(3, 0, 2).text("k").u32(0).bytes(&[0]).text(key).u32(0).bytes(&[0]).0;
    assert!(open(&twice("l")).is_ok());
    refused(&twice("k"), "names the metadata \"k\" twice");
    for alignment in [0, 3, 96, u32::MAX] {
        refused(&pair("general.alignment", 4).u32(alignment).0, "no power of two");
    }
    refused(&pair("general.alignment", 6).u32(0x4200_0000).0, "no power of two");
}

#[test]
fn every_lie_about_tensors_is_refused() {
    let one = |sides: &[u64], kind: u32, offset: u64, data: usize| {
        Maker::head(3, 1, 0).tensor("x", sides, kind, offset).data(data)
    };
    assert!(open(&one(&[3, 2], 0, 0, 24)).is_ok());
    assert!(open(&one(&[3, 2], 0, 64, 100)).is_ok());
    assert_eq!(open(&one(&[], 0, 0, 4)).unwrap().tensors()[0].rows(), 1);
    assert_eq!(open(&one(&[0, 2], 0, 0, 0)).unwrap().tensors()[0].bytes, 0);
    refused(&one(&[3, 2], 0, 0, 23), "would take 24 bytes");
    refused(&one(&[3, 2], 0, 32, 24), "would take 24 bytes");
    refused(&one(&[3, 2], 0, 1 << 63, 24), "would take 24 bytes");
    refused(&one(&[3, 2], 0, u64::MAX - 31, 24), "would take 24 bytes");
    refused(&one(&[3, 2], 99, 32, 24), "would take 0 bytes");
    refused(&one(&[3, 2], 0, 8, 32), "no multiple of the alignment 32");
    refused(&one(&[1; 5], 0, 0, 4), "5 sides");
    refused(&one(&[1 << 32, 1 << 32], 0, 0, 4), "more than can be counted");
    refused(&one(&[1 << 32, 1 << 32, 0], 0, 0, 4), "more than can be counted");
    refused(&one(&[u64::MAX, 0], 0, 0, 4), "more than can be counted");
    refused(&one(&[0, 1 << 32, 1 << 32], 0, 0, 4), "more than can be counted");
    refused(&one(&[1 << 62], 0, 0, 4), "more than can be counted");
    refused(&one(&[48, 2], 8, 0, 102), "rows of 48 items are no whole blocks of 32 (Q8_0)");
    let cut = Maker::head(3, 1, 0).text("x").u32(u32::MAX).0;
    refused(&[&cut[..], &[0; 20]].concat(), "sides");

    let two = |name: &str, at: u64| {
        Maker::head(3, 2, 0).tensor("x", &[10], 0, 0).tensor(name, &[2], 0, at).data(100)
    };
    assert!(open(&two("y", 64)).is_ok());
    refused(&two("x", 64), "names the tensor \"x\" twice");
    refused(&two("y", 32), "the tensors \"x\" and \"y\" overlap");
    refused(&two("y", 0), "overlap");

    let aligned = |by: u64| {
        Maker::head(3, 1, 1).text("general.alignment").u32(10).u64(by).tensor("x", &[2], 0, 0).data(64)
    };
    assert_eq!(open(&aligned(1)).unwrap().tensors()[0].offset, 94);
    refused(&aligned(1 << 63), "would take 8 bytes");
}

/// What must hold of whatever is opened: no read of it passes the file.
fn sound(bytes: &[u8]) {
    let Ok(header) = Header::read(bytes, bytes.len() as u64) else { return };
    for tensor in &header.tensors {
        assert_eq!(header.find(&tensor.name), Some(tensor));
        assert!(tensor.kind.block_bytes() == 0 || tensor.rows() * tensor.row_bytes() == tensor.bytes);
        let raw = &bytes[tensor.offset as usize..][..tensor.bytes as usize];
        if tensor.kind.block_bytes() > 0 {
            widen(tensor.kind, raw, &mut vec![0.0; tensor.items() as usize]);
        }
    }
    for (key, value) in &header.metadata {
        assert_eq!(header.get(key).map(|v| format!("{v:?}")), Some(format!("{value:?}")));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn no_change_of_a_good_file_makes_it_panic(changes in prop::collection::vec((0..SMALL.len(), any::<u8>()), 1..6)) {
        let mut bytes = SMALL.to_vec();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        sound(&bytes);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), tensors in 0u64..4, pairs in 0u64..4) {
        sound(&[&Maker::head(3, tensors, pairs).0[..], &bytes].concat());
    }
}
