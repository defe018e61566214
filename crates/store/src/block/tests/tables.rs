//! Blocks of Parquet files.

use super::*;
use arrow_array::{ArrayRef, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use std::path::{Path, PathBuf};

/// Texts in a column, and one in a struct; a null is a record without a text.
fn table(path: &Path, texts: &[Option<String>], group: usize) -> Input {
    let plain: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
    let fields = vec![Field::new("body", DataType::Utf8, true)];
    let nested: ArrayRef =
        Arc::new(StructArray::try_new(fields.clone().into(), vec![plain.clone()], None).unwrap());
    let numbers: ArrayRef = Arc::new(arrow_array::Int64Array::from_iter_values(0..texts.len() as i64));
    let batch = RecordBatch::try_from_iter([("n", numbers), ("text", plain), ("o", nested)]).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group)).build();
    let mut writer =
        ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    Input::open(path).unwrap()
}

fn table_path(dir: &TempDir) -> PathBuf {
    dir.path().join("a.parquet")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn tables_give_their_texts(
        texts in prop::collection::vec(prop::option::weighted(0.9, any::<String>()), 0..60),
        group in 1..20_usize,
        shard in 1..2000_u64,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let input = [table(&table_path(&dir), &texts, group)];
        let want: Vec<(u64, &String)> = texts.iter().enumerate().filter_map(|(row, text)| Some((row as u64, text.as_ref()?))).collect();
        for field in ["text", "o.body"] {
            let options = ReadOptions { text_field: field.into(), hash: true, ..skipping(small(10, shard)) };
            let got = read(&input, &options).unwrap();
            let records: Vec<(u64, &String)> = got.records[0].iter().map(|record| (record.1, &record.0)).collect();
            prop_assert_eq!(&records, &want);
            prop_assert_eq!(got.skipped[0], (texts.len() - want.len()) as u64);
            let hash = crate::hash::RunningHash::resume(got.hashes[0].as_ref().unwrap()).unwrap().hex();
            prop_assert_eq!(hash, crate::hash::hex(&Sha256::digest(std::fs::read(&input[0].path).unwrap())));
        }
    }
}

#[test]
fn tables_that_are_damaged_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let texts: Vec<Option<String>> =
        (0..500).map(|i| Some(format!("text {i} {}", i * 7919 % 1000))).collect();
    let path = table_path(&dir);
    let good = std::fs::read(table(&path, &texts, 100).path).unwrap();
    for cut in [0, 3, good.len() / 2, good.len() - 1] {
        std::fs::write(&path, &good[..cut]).unwrap();
        let message = message(Input::open(&path).and_then(|input| read(&[input], &small(10, 10))));
        assert!(message.contains("a.parquet: damaged or no Parquet file"), "{message}");
    }
    // Pages overwritten under a footer that is whole, and a footer that lies.
    for at in (4..good.len()).step_by(good.len() / 200) {
        let mut bad = good.clone();
        let end = (at + 8).min(bad.len());
        bad[at..end].iter_mut().for_each(|b| *b ^= 0xA5);
        std::fs::write(&path, &bad).unwrap();
        let _ = Input::open(&path)
            .and_then(|input| read(&[input], &skipping(small(10, 10))))
            .map(|read| read.records);
    }
    std::fs::write(&path, &good).unwrap();
    let input = [Input::open(&path).unwrap()];
    let other = ReadOptions { text_field: "body".into(), ..small(10, 10) };
    assert!(message(read(&input, &other)).contains(
        "no string column \"body\": choose another with --text-field (textField): it has text, o.body"
    ));
    let number = ReadOptions { text_field: "n".into(), ..small(10, 10) };
    assert!(message(read(&input, &number)).contains("no string column \"n\""));
}
