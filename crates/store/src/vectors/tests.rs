use super::*;
use arrow_array::builder::{FixedSizeListBuilder, Float32Builder, Float64Builder, ListBuilder};
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use half::{bf16, f16};
use parquet::arrow::ArrowWriter;
use std::fs::{File, write};
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::{TempDir, tempdir};

const ROWS: [[f32; 3]; 4] = [[0.5, -1.0, 2.0], [0.0, 0.25, 8.0], [1.5, 1.0, -3.0], [4.0, 0.125, 1.0]];

fn want() -> Vectors {
    Vectors { rows: 4, width: 3, data: ROWS.concat() }
}

fn npy(descr: &str, shape: &str, items: &[u8]) -> Vec<u8> {
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}").into_bytes();
    header.resize((10 + header.len() + 1).next_multiple_of(64) - 11, b' ');
    header.push(b'\n');
    let length = (header.len() as u16).to_le_bytes();
    [&b"\x93NUMPY\x01\x00"[..], &length, &header, items].concat()
}

fn place(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    write(&path, bytes).unwrap();
    path
}

fn read(path: &Path, name: Option<&str>) -> Result<Vectors, String> {
    read_vectors(&[path], name, &Job::default()).map_err(|e| e.to_string())
}

#[test]
fn arrays_of_every_float() {
    let folder = tempdir().unwrap();
    let flat = ROWS.concat();
    let bytes = |f: fn(f32) -> Vec<u8>| flat.iter().flat_map(|&x| f(x)).collect::<Vec<u8>>();
    let forms: [(&str, Vec<u8>); 6] = [
        ("<f4", bytes(|x| x.to_le_bytes().to_vec())),
        (">f4", bytes(|x| x.to_be_bytes().to_vec())),
        ("<f8", bytes(|x| f64::from(x).to_le_bytes().to_vec())),
        (">f8", bytes(|x| f64::from(x).to_be_bytes().to_vec())),
        ("<f2", bytes(|x| f16::from_f32(x).to_le_bytes().to_vec())),
        (">f2", bytes(|x| f16::from_f32(x).to_be_bytes().to_vec())),
    ];
    for (descr, items) in forms {
        let path = place(&folder, "x.npy", &npy(descr, "(4, 3)", &items));
        assert_eq!(read(&path, None), Ok(want()), "{descr}");
        for cut in [0, 5, 9, 11, 100, items.len() + 127] {
            let whole = npy(descr, "(4, 3)", &items);
            let path = place(&folder, "cut.npy", &whole[..cut.min(whole.len() - 1)]);
            assert!(read(&path, None).is_err(), "{descr} cut at {cut}");
        }
    }
    let empty = place(&folder, "empty.npy", &npy("<f4", "(0, 3)", &[]));
    assert_eq!(read(&empty, None), Ok(Vectors::default()));
    let nan =
        place(&folder, "nan.npy", &npy("<f4", "(1, 2)", &[1.0f32, f32::NAN].map(f32::to_le_bytes).concat()));
    assert!(
        read(&nan, None).unwrap_err().ends_with("nan.npy:1: number 2 of the vector is not finite in float32")
    );
}

#[test]
fn several_files_are_one_after_the_other() {
    let folder = tempdir().unwrap();
    let part = |name: &str, rows: &[[f32; 3]]| {
        let items = rows.concat().iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
        place(&folder, name, &npy("<f4", &format!("({}, 3)", rows.len()), &items))
    };
    let paths = [part("a.npy", &ROWS[..1]), part("b.npy", &[]), part("c.npy", &ROWS[1..])];
    assert_eq!(read_vectors(&paths, None, &Job::default()).unwrap(), want());
    let other = place(&folder, "d.npy", &npy("<f4", "(1, 1)", &1.0f32.to_le_bytes()));
    let error = read_vectors(&[&paths[0], &other], None, &Job::default()).unwrap_err().to_string();
    assert!(error.ends_with("d.npy: a vector of 1 numbers, where those before have 3"), "{error}");
}

#[test]
fn tensors_by_name_or_alone() {
    let folder = tempdir().unwrap();
    let tensor = |items: Vec<u8>, dtype: &str, more: &str| {
        let header = format!(
            r#"{{"bias":{{"dtype":"F32","shape":[1],"data_offsets":[{0},{1}]}},"x":{{"dtype":"{dtype}","shape":[4,3],"data_offsets":[0,{0}]}}{more}}}"#,
            items.len(),
            items.len() + 4
        );
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &items, &[0; 4]].concat()
    };
    let flat = ROWS.concat();
    let forms: [(&str, Vec<u8>); 4] = [
        ("F32", flat.iter().flat_map(|x| x.to_le_bytes()).collect()),
        ("F64", flat.iter().flat_map(|&x| f64::from(x).to_le_bytes()).collect()),
        ("F16", flat.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect()),
        ("BF16", flat.iter().flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect()),
    ];
    for (dtype, items) in forms {
        let path = place(&folder, "x.safetensors", &tensor(items, dtype, ""));
        assert_eq!(read(&path, None), Ok(want()), "{dtype}");
        assert_eq!(read(&path, Some("x")), Ok(want()), "{dtype}");
        assert!(read(&path, Some("y")).unwrap_err().contains("no tensor \"y\": it has bias, x"));
        assert!(read(&path, Some("bias")).unwrap_err().contains("rank"));
    }
    let whole = place(&folder, "x.safetensors", &tensor(vec![0; 96], "I64", ""));
    assert!(read(&whole, None).unwrap_err().contains("the type I64"));
}

#[test]
fn columns_of_lists() {
    let folder = tempdir().unwrap();
    let file = |name: &str, columns: Vec<(&str, ArrayRef)>| {
        let path = folder.path().join(name);
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.flush().unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        path
    };
    let mut small = ListBuilder::new(Float64Builder::new());
    let mut fixed = FixedSizeListBuilder::new(Float32Builder::new(), 3);
    for row in &ROWS[..2] {
        small.append_value(row.iter().map(|&x| Some(f64::from(x))));
        fixed.values().append_slice(row);
        fixed.append(true);
    }
    let twice = Vectors { rows: 4, width: 3, data: [&ROWS[..2], &ROWS[..2]].concat().concat() };
    let (small, fixed): (ArrayRef, ArrayRef) = (Arc::new(small.finish()), Arc::new(fixed.finish()));
    let text: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let one = file("one.parquet", vec![("text", text.clone()), ("e", small.clone())]);
    assert_eq!(read(&one, None), Ok(twice.clone()));
    let two = file("two.parquet", vec![("a", small), ("b", fixed)]);
    assert_eq!(read(&two, Some("b")), Ok(twice));
    assert!(read(&two, None).unwrap_err().contains("several columns of lists"));
    assert!(read(&one, Some("text")).unwrap_err().contains("no column of numbers \"text\": it has text, e"));
    let mut holes = ListBuilder::new(Float32Builder::new());
    holes.append_value([Some(1.0), Some(2.0)]);
    holes.append_value([Some(1.0), None]);
    let holes = file("holes.parquet", vec![("e", Arc::new(holes.finish()) as ArrayRef)]);
    assert!(
        read(&holes, None)
            .unwrap_err()
            .ends_with(":2: no array of numbers in the field \"e\" (it holds a null)")
    );
}

#[test]
fn fields_of_records() {
    let folder = tempdir().unwrap();
    let line = |row: &[f32; 3]| format!("{{\"embedding\":{row:?},\"m\":{{\"e\":{row:?}}}}}\n");
    let text: String = ROWS.iter().map(line).collect();
    let path = place(&folder, "x.jsonl", text.replace('\n', "\n\n").as_bytes());
    assert_eq!(read(&path, None), Ok(want()));
    assert_eq!(read(&path, Some("m.e")), Ok(want()));
    assert!(
        read(&path, Some("m"))
            .unwrap_err()
            .ends_with(":1: no array of numbers in the field \"m\" (it is an object)")
    );
    let path = place(&folder, "y.jsonl", format!("{text}{{\"embedding\":[1,2]}}\n").as_bytes());
    assert!(read(&path, None).unwrap_err().ends_with(":5: a vector of 2 numbers, where those before have 3"));
    assert!(read(&place(&folder, "x.bin", &[]), None).unwrap_err().contains("vectors are read from"));
}
