use super::*;
use proptest::prelude::*;
use tempfile::tempdir;

fn file(json: &str, data: usize) -> Vec<u8> {
    let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(json.as_bytes());
    bytes.resize(bytes.len() + data, 7);
    bytes
}

fn open(bytes: &[u8]) -> Result<Safetensors, Error> {
    let dir = tempdir().unwrap();
    let path = dir.path().join("x.safetensors");
    std::fs::write(&path, bytes).unwrap();
    Safetensors::open(&path)
}

fn refused(bytes: &[u8], why: &str) {
    let error = open(bytes).unwrap_err();
    assert_eq!(error.code(), "ERR_TAMIS_FORMAT");
    let text = error.to_string();
    assert!(text.contains("x.safetensors: not a safetensors file") && text.contains(why), "{why}: {text}");
}

#[test]
fn a_file_is_read_by_name() {
    let json = r#"{"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[],"data_offsets":[8,10]}}  "#;
    let dir = tempdir().unwrap();
    let path = dir.path().join("x.safetensors");
    let mut bytes = file(json, 0);
    bytes.extend_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    std::fs::write(&path, &bytes).unwrap();
    let file = Safetensors::open(&path).unwrap();
    assert_eq!(file.header().metadata("format"), Some("pt"));
    let names: Vec<&str> = file.header().entries.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let mut out = [0; 4];
    file.read(file.header().find("b").unwrap(), 4, &mut out).unwrap();
    assert_eq!(out, [5, 6, 7, 8]);
    let a = file.header().find("a").unwrap();
    assert_eq!((a.items(), a.bytes()), (1, 2));
    file.read(a, 0, &mut out[..2]).unwrap();
    assert_eq!(out[..2], [9, 10]);
    file.check_unchanged().unwrap();
    bytes.pop();
    std::fs::write(&path, &bytes).unwrap();
    assert!(file.check_unchanged().unwrap_err().to_string().contains("changed while it was read"));
    assert!(file.read(a, 0, &mut out[..2]).unwrap_err().to_string().contains("changed while it was read"));
}

#[test]
fn every_lie_is_refused() {
    let one = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"x":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    refused(b"", "0 bytes");
    refused(&[1; 7], "7 bytes");
    refused(&u64::MAX.to_le_bytes(), "header would be");
    refused(&file("{}", 0)[..9], "header would be 2 bytes");
    refused(&[&(MAX_HEADER + 1).to_le_bytes()[..], &[b' '; 100]].concat(), "header would be");
    refused(&file("", 0), "does not begin with {");
    refused(&file(" {}", 0), "does not begin with {");
    refused(&file("{\"x\":", 0), "damaged");
    refused(&file("{}x", 0), "damaged");
    refused(&file("{\"\u{0}\":1}", 0), "damaged");
    refused(&file("{}", 1), "take 0 bytes, but 1 follow");
    refused(&file(&one("F32", "[2]", "[0,8]"), 7), "take 8 bytes, but 7 follow");
    refused(&file(&one("F32", "[2]", "[0,8]"), 9), "take 8 bytes, but 9 follow");
    refused(&file(&one("F32", "[2]", "[0,4]"), 4), "does not fit its data_offsets");
    refused(&file(&one("F32", "[2]", "[8,0]"), 8), "does not fit its data_offsets");
    refused(&file(&one("F4", "[1]", "[0,1]"), 1), "does not fit its data_offsets");
    refused(&file(&one("F128", "[2]", "[0,32]"), 32), "unknown type \"F128\"");
    refused(&file(&one("F32", "[-1]", "[0,4]"), 4), "damaged");
    refused(&file(&one("F32", "[1.5]", "[0,4]"), 4), "damaged");
    refused(&file(&one("F32", "[4294967296,4294967296]", "[0,0]"), 0), "does not fit its data_offsets");
    refused(&file(&one("F32", "[4611686018427387904,2]", "[0,0]"), 0), "does not fit its data_offsets");
    refused(&file(&one("F32", "[1]", "[18446744073709551612,18446744073709551616]"), 4), "damaged");
    refused(&file(&one("F32", "[1]", "[4,8]"), 8), "has a hole before it");
    refused(&file(r#"{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"more":1}}"#, 1), "damaged");
    refused(&file(r#"{"x":{"dtype":"U8","shape":[1]}}"#, 1), "damaged");
    refused(&file(r#"{"__metadata__":{"a":1}}"#, 0), "damaged");
    refused(&file(r#"{"__metadata__":{"a":"1","a":"2"}}"#, 0), "twice");
    let x = r#""dtype":"U8","shape":[2],"data_offsets":"#;
    refused(&file(&format!("{{\"x\":{{{x}[0,2]}},\"x\":{{{x}[0,2]}}}}"), 2), "names \"x\" twice");
    refused(&file(&format!("{{\"x\":{{{x}[0,2]}},\"y\":{{{x}[1,3]}}}}"), 3), "\"y\" overlaps");
    refused(&file(&format!("{{\"x\":{{{x}[0,2]}},\"y\":{{{x}[0,2]}}}}"), 2), "overlaps");
    refused(&file(&format!("{}{}", "{\"x\":".repeat(200), "}".repeat(200)), 0), "damaged");
    let invalid = [&3u64.to_le_bytes()[..], b"{\xff}"].concat();
    refused(&invalid, "damaged");
    assert_eq!(open(&file("{}", 0)).unwrap().header(), &Header::default());
    let error = Safetensors::open(Path::new("/nowhere/x.safetensors")).unwrap_err();
    assert_eq!(error.code(), "ERR_TAMIS_IO");
}

#[test]
fn empty_tensors_lie_anywhere() {
    let empty = |at: u64| format!(r#"{{"dtype":"F32","shape":[0,3],"data_offsets":[{at},{at}]}}"#);
    let json = format!(
        r#"{{"a":{},"b":{{"dtype":"U8","shape":[2],"data_offsets":[0,2]}},"c":{}}}"#,
        empty(2),
        empty(0)
    );
    assert_eq!(open(&file(&json, 2)).unwrap().header().entries.len(), 3);
}

proptest! {
    #[test]
    fn what_is_written_is_read(names in prop::collection::btree_set(".{0,6}", 0..6), sides in prop::collection::vec(0u64..4, 0..3)) {
        let names: Vec<String> = names.into_iter().filter(|name| name != "__metadata__").collect();
        let bytes = Dtype::F16.bytes(&sides).unwrap();
        let entries: Vec<Entry> = names
            .iter()
            .zip(0..)
            .map(|(name, i)| Entry {
                name: name.clone(),
                dtype: Dtype::F16,
                shape: sides.clone(),
                begin: i * bytes,
                end: (i + 1) * bytes,
            })
            .collect();
        let metadata = vec![("k\"".to_owned(), "v\n\u{e9}".to_owned())];
        let head = encode_header(&metadata, &entries);
        prop_assert_eq!(head.len() % 8, 0);
        prop_assert_eq!(u64::from_le_bytes(head[..8].try_into().unwrap()) as usize, head.len() - 8);
        let header = Header::parse(&head[8..], entries.len() as u64 * bytes).unwrap();
        prop_assert_eq!(header, Header { metadata, entries });
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), data in 0u64..40) {
        let _ = Header::parse(&bytes, data);
    }

    #[test]
    fn no_change_of_a_good_header_makes_it_panic(at in 0usize..60, byte: u8, data in 0u64..40) {
        let mut json = br#"{"x":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}    "#.to_vec();
        json[at] = byte;
        if let Ok(header) = Header::parse(&json, data) {
            for entry in &header.entries {
                assert!(entry.end <= data);
            }
        }
    }
}
