use super::*;

/// `numpy.lib.format.write_array(f, numpy.array([[1, -2.5]], '<f4'), version=(1, 0))`, NumPy 2.
const FROM_NUMPY: &[u8] = b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, \
    'shape': (1, 2), }                                                          \n\
    \x00\x00\x80\x3f\x00\x00\x20\xc0";

fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
}

#[test]
fn bytes_agree_with_numpy() {
    assert_eq!(encode(&[1, 2], &[1.0, -2.5]).unwrap(), FROM_NUMPY);
    assert_eq!(
        decode(FROM_NUMPY).unwrap(),
        NpyArray { shape: vec![1, 2], values: vec![1.0, -2.5] }
    );
}

#[test]
fn every_shape_and_every_bit_survives() {
    for shape in [&[][..], &[1], &[0], &[5, 0, 2], &[2, 3, 4], &[1; 32], &[100_000]] {
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count)
            .map(|i: usize| f32::from_bits((i as u32).wrapping_mul(0x9E37_79B9)))
            .collect();
        let bytes = encode(shape, &values).unwrap();
        assert_eq!((bytes.len() - 4 * count) % 64, 0, "values are not aligned");
        let array = decode(&bytes).unwrap();
        assert_eq!(array.shape, shape);
        assert!(
            array
                .values
                .iter()
                .map(|value| value.to_bits())
                .eq(values.iter().map(|value| value.to_bits()))
        );
    }
}

#[test]
fn files_are_written_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.npy");
    write_npy(&path, &[2, 1], &[0.5, -0.5]).unwrap();
    assert_eq!(read_npy(&path).unwrap(), NpyArray { shape: vec![2, 1], values: vec![0.5, -0.5] });
    assert!(matches!(read_npy(&folder.path().join("none.npy")), Err(NpyError::Read { .. })));
    assert!(matches!(
        write_npy(&folder.path().join("no/map.npy"), &[], &[1.0]),
        Err(NpyError::Write { .. })
    ));
}

#[test]
fn a_shape_that_does_not_fit_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.npy");
    assert!(matches!(write_npy(&path, &[2, 2], &[1.0]), Err(NpyError::Length { found: 1, .. })));
    assert!(matches!(write_npy(&path, &[1; 33], &[1.0]), Err(NpyError::Axes { found: 33 })));
    assert!(matches!(write_npy(&path, &[usize::MAX, 2], &[]), Err(NpyError::Length { .. })));
    assert!(!path.exists());
}

#[test]
fn headers_may_differ_in_order_and_space() {
    for header in [
        "{'shape':(2,),'fortran_order':False,'descr':'<f4'}\n",
        "{\"descr\": \"<f4\", 'fortran_order' : False , 'shape' : ( 2 , ) , }   \n",
    ] {
        assert_eq!(decode(&with_header(header, &[0; 8])).unwrap().shape, [2], "{header}");
    }
}

/// `numpy.asfortranarray(numpy.arange(6, dtype='>f8').reshape(1, 2, 3) / 4)`, written as above.
const FORTRAN: &[u8] = b"\x93NUMPY\x01\x00\x76\x00{'descr': '>f8', 'fortran_order': True, \
    'shape': (1, 2, 3), }                                                        \n\
    \x00\x00\x00\x00\x00\x00\x00\x00\x3f\xe8\x00\x00\x00\x00\x00\x00\
    \x3f\xd0\x00\x00\x00\x00\x00\x00\x3f\xf0\x00\x00\x00\x00\x00\x00\
    \x3f\xe0\x00\x00\x00\x00\x00\x00\x3f\xf4\x00\x00\x00\x00\x00\x00";

#[test]
fn fortran_order_and_big_endian_doubles_are_read() {
    let array = decode(FORTRAN).unwrap();
    assert_eq!(array.shape, [1, 2, 3]);
    assert_eq!(array.values, [0.0, 0.25, 0.5, 0.75, 1.0, 1.25]);
    for end in 0..FORTRAN.len() {
        assert!(decode(&FORTRAN[..end]).is_err(), "cut to {end} bytes");
    }
}

#[test]
fn every_element_type_is_read() {
    let read = |descr: &str, data: &[u8]| {
        let shape = "'fortran_order': False, 'shape': (2,), }";
        decode(&with_header(&format!("{{'descr': '{descr}', {shape}\n"), data))
    };
    let values = [1.5, -2.0_f32];
    let wide = values.map(f64::from);
    for (descr, data) in [
        ("<f4", values.map(f32::to_le_bytes).concat()),
        (">f4", values.map(f32::to_be_bytes).concat()),
        ("<f8", wide.map(f64::to_le_bytes).concat()),
        (">f8", wide.map(f64::to_be_bytes).concat()),
    ] {
        assert_eq!(read(descr, &data).unwrap().values, values, "{descr}");
        let error = read(descr, &data[1..]).unwrap_err();
        assert!(matches!(error, NpyError::PartOfAValue { .. }), "{descr}: {error}");
    }
    // What no f32 holds is rounded, or infinite.
    let doubles = [1e300, 0.1_f64].map(f64::to_le_bytes).concat();
    assert_eq!(read("<f8", &doubles).unwrap().values, [f32::INFINITY, 0.1]);
}

#[test]
fn any_number_of_axes_is_put_in_order() {
    for shape in [&[][..], &[4], &[0, 3], &[2, 3], &[3, 1, 2, 4]] {
        let count: usize = shape.iter().product();
        // Each value tells its own place in C order.
        let mut stored = vec![0.0; count];
        for at in 0..count {
            let (mut rest, mut place, mut step) = (at, 0, 1);
            let mut index = vec![0; shape.len()];
            for axis in (0..shape.len()).rev() {
                index[axis] = rest % shape[axis];
                rest /= shape[axis];
            }
            for axis in 0..shape.len() {
                place += index[axis] * step;
                step *= shape[axis];
            }
            stored[place] = at as f32;
        }
        let expected: Vec<f32> = (0..count).map(|at| at as f32).collect();
        assert_eq!(in_c_order(shape, &stored), expected, "{shape:?}");
    }
}

#[test]
fn other_kinds_of_arrays_are_named() {
    let header = |text: &str| decode(&with_header(text, &[0; 8])).unwrap_err().to_string();
    for descr in ["<i4", "<f2", "|O", "=f4", "f4"] {
        let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (1,), }}\n");
        assert!(header(&text).contains(&format!("found {descr}")), "{descr}");
    }
    let version = decode(b"\x93NUMPY\x02\x00\x00\x00").unwrap_err().to_string();
    assert!(version.contains("2.0"), "{version}");
}

/// A header says how long the data are, and is not believed.
#[test]
fn hostile_headers_end_at_once() {
    for axes in ["999999999999, 999999999999", "18446744073709551615, 2", "1152921504606846976,"] {
        let text = format!("{{'descr': '<f8', 'fortran_order': True, 'shape': ({axes}), }}\n");
        let error = decode(&with_header(&text, &[0; 8])).unwrap_err();
        assert!(matches!(error, NpyError::Length { found: 1, .. }), "{axes}: {error}");
    }
    for text in ["{", "(", "{'descr': "].map(|part| part.repeat(5000)) {
        let error = decode(&with_header(&text, &[])).unwrap_err();
        assert!(matches!(error, NpyError::Header { .. }), "{error}");
    }
    let ones = "1, ".repeat(1000);
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({ones}), }}\n");
    let error = decode(&with_header(&text, &[0; 4])).unwrap_err();
    assert!(matches!(error, NpyError::Axes { found: 1000 }), "{error}");
}

#[test]
fn broken_headers_are_errors() {
    for header in [
        "",
        "{",
        "{}",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,)}",
        "{'descr': '<f4', 'fortran_order': Falsehood, 'shape': (2,)}",
    ] {
        let error = decode(&with_header(header, &[0; 8])).unwrap_err();
        assert!(matches!(error, NpyError::Header { .. }), "{header}: {error}");
    }
}

#[test]
fn every_truncation_and_a_byte_too_many_are_errors() {
    for end in 0..FROM_NUMPY.len() {
        assert!(decode(&FROM_NUMPY[..end]).is_err(), "cut to {end} bytes");
    }
    assert!(decode(&[FROM_NUMPY, &[0]].concat()).is_err());
    assert!(decode(&[FROM_NUMPY, &[0; 4]].concat()).is_err());
}
