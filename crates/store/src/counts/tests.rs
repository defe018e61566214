use super::*;
use proptest::prelude::*;

fn counts(ngrams: u32, counts: Vec<u64>) -> NgramCounts {
    let features = counts.iter().sum();
    let header = CountsHeader {
        ngrams,
        buckets: counts.len() as u32,
        unicode: (16, 0, 0),
        records: 3,
        tokens: 9,
        features,
        bytes: 40,
    };
    NgramCounts { header, counts }
}

fn encode(counts: &NgramCounts) -> Vec<u8> {
    let mut bytes = counts.header.encode().to_vec();
    counts.counts.iter().for_each(|count| bytes.extend_from_slice(&count.to_le_bytes()));
    seal(bytes)
}

/// Adds the right checksum, so that what is wrong is not found by it.
fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let hash = Sha256::digest(&bytes);
    bytes.extend_from_slice(&hash);
    bytes
}

fn resealed(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = encode(&counts(2, vec![1, 2, 3]));
    bytes.truncate(bytes.len() - CHECKSUM);
    change(&mut bytes);
    seal(bytes)
}

fn refusal(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hostile.counts");
    std::fs::write(&path, bytes).unwrap();
    let error = NgramCounts::read(&path).unwrap_err();
    assert_eq!(error.code(), "ERR_TAMIS_FORMAT");
    let message = error.to_string();
    assert!(message.contains("hostile.counts"), "{message}");
    assert!(NgramCounts::decode(bytes).is_err());
    message
}

#[test]
fn the_bytes_are_those_of_the_documented_form() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c");
    let wrote = counts(2, vec![1, 0x0102_0304_0506_0708]);
    wrote.write(&path, false).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(bytes.len(), 88 + 8 * 2);
    assert_eq!(&bytes[..24], b"TAMISNGC\x01\0\0\0\x02\0\0\0\x02\0\0\0\x10\0\0\0");
    assert_eq!(&bytes[24..32], &3_u64.to_le_bytes());
    assert_eq!(&bytes[64..72], &[8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(bytes, encode(&wrote));
    assert_eq!(NgramCounts::read(&path).unwrap(), wrote);
    assert_eq!(CountsHeader::read(&path).unwrap(), wrote.header);
    assert!(wrote.write(&path, false).unwrap_err().to_string().contains("exists"));
    wrote.write(&path, true).unwrap();
}

#[test]
fn each_lie_has_its_own_message() {
    let good = encode(&counts(2, vec![1, 2, 3]));
    assert!(refusal(b"").contains("cut short"));
    assert!(refusal(b"{\"a\":1}").contains("does not begin with TAMISNGC"));
    assert!(refusal(&resealed(|b| b[0] = b'X')).contains("does not begin with TAMISNGC"));
    assert!(refusal(&resealed(|b| b[8] = 2)).contains("of version 2; this program reads version 1"));
    assert!(refusal(&resealed(|b| b[12] = 0)).contains("ngrams 0"));
    assert!(refusal(&resealed(|b| b[16] = 0)).contains("buckets 0"));
    assert!(refusal(&resealed(|b| b[23] = 1)).contains("after its Unicode version"));
    assert!(refusal(&good[..30]).contains("cut short"));
    assert!(refusal(&good[..good.len() - 1]).contains("cut short"));
    assert!(refusal(&[&good[..], b"x"].concat()).contains("too long"));
    assert!(refusal(&resealed(|b| b[56] = 7)).contains("do not sum to the 6 features"));
    assert!(refusal(&resealed(|b| b[56..].fill(0xff))).contains("do not sum"));
    let mut flipped = good.clone();
    flipped[60] ^= 1;
    assert!(refusal(&flipped).contains("checksum"));
}

#[test]
fn a_header_that_claims_too_much_allocates_nothing() {
    let message = refusal(&resealed(|b| b[16..20].fill(0xff)));
    assert!(message.contains("where 4294967295 buckets take 34359738448"), "{message}");
}

#[test]
fn what_does_not_fit_is_refused_naming_both_files() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str, counts: &NgramCounts| {
        let path = dir.path().join(name);
        counts.write(&path, true).unwrap();
        path
    };
    let one = at("one", &counts(2, vec![1, 2]));
    let mut other = counts(2, vec![1, 2]);
    other.header.unicode = (15, 1, 0);
    for (path, what) in [
        (at("ngrams", &counts(3, vec![1, 2])), "ngrams 2 and 3"),
        (at("buckets", &counts(2, vec![1, 2, 3])), "buckets 2 and 3"),
        (at("unicode", &other), "Unicode 16.0.0 and 15.1.0"),
        (at("overflow", &counts(2, vec![u64::MAX, 0])), "exceeds 64 bits"),
    ] {
        let message = NgramCounts::merge(&[&one, &path]).unwrap_err().to_string();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(message.contains(what) && message.contains(name) && message.contains("one"), "{message}");
    }
    assert!(NgramCounts::merge::<&Path>(&[]).is_err());
    assert!(counts(2, vec![]).write(&dir.path().join("none"), false).is_err());
}

proptest! {
    #[test]
    fn merging_is_adding_in_any_order(parts in prop::collection::vec(prop::collection::vec(0..1_u64 << 40, 5), 1..5), turn in 0..5_usize) {
        let dir = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        for (i, part) in parts.iter().enumerate() {
            let path = dir.path().join(i.to_string());
            counts(2, part.clone()).write(&path, false).unwrap();
            paths.push(path);
        }
        let merged = NgramCounts::merge(&paths).unwrap();
        let n = parts.len();
        paths.rotate_left(turn % n);
        prop_assert_eq!(&NgramCounts::merge(&paths).unwrap(), &merged);
        let sums: Vec<u64> = (0..5).map(|b| parts.iter().map(|part| part[b]).sum()).collect();
        prop_assert_eq!(merged.header.features, sums.iter().sum::<u64>());
        prop_assert_eq!(merged.header.records, 3 * n as u64);
        prop_assert_eq!(merged.counts, sums);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), keep in 0..64_usize) {
        let mut hostile = encode(&counts(2, vec![1, 2, 3]));
        hostile.truncate(keep);
        hostile.extend(bytes);
        let _ = NgramCounts::decode(&hostile);
    }
}
