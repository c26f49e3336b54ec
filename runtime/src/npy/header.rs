//! The header: a Python dictionary with the keys `descr`, `fortran_order` and `shape`.

use super::NpyError;

const MAGIC: &[u8] = b"\x93NUMPY";
const VERSION: [u8; 2] = [1, 0];
/// The element type that is written.
const ELEMENT_TYPE: &str = "<f4";
/// The values start at a multiple of this many bytes.
const ALIGNMENT: usize = 64;

/// Everything before the values. The caller has bounded the number of axes, so the length fits its
/// 16 bits.
pub(super) fn encode(shape: &[usize]) -> Vec<u8> {
    let axes: String = match shape {
        [only] => format!("{only},"),
        axes => axes.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
    };
    let dictionary =
        format!("{{'descr': '{ELEMENT_TYPE}', 'fortran_order': False, 'shape': ({axes}), }}");
    let prefix = MAGIC.len() + VERSION.len() + size_of::<u16>();
    let length = (prefix + dictionary.len() + 1).next_multiple_of(ALIGNMENT) - prefix;

    let mut bytes =
        [MAGIC, &VERSION, &(length as u16).to_le_bytes(), dictionary.as_bytes()].concat();
    bytes.resize(prefix + length - 1, b' ');
    bytes.push(b'\n');
    bytes
}

/// What a header says of the values after it.
pub(super) struct Header {
    pub(super) element: Element,
    /// Whether the first axis varies fastest.
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<usize>,
}

/// How a value is stored.
#[derive(Clone, Copy)]
pub(super) enum Element {
    /// `<f4`
    F32Little,
    /// `>f4`
    F32Big,
    /// `<f8`
    F64Little,
    /// `>f8`
    F64Big,
}

impl Element {
    fn named(name: &str) -> Option<Self> {
        match name {
            ELEMENT_TYPE => Some(Self::F32Little),
            ">f4" => Some(Self::F32Big),
            "<f8" => Some(Self::F64Little),
            ">f8" => Some(Self::F64Big),
            _ => None,
        }
    }
}

/// The header and the bytes after it.
pub(super) fn decode(bytes: &[u8]) -> Result<(Header, &[u8]), NpyError> {
    let bytes = bytes.strip_prefix(MAGIC).ok_or(NpyError::Magic)?;
    let (&[major, minor], bytes) = bytes.split_first_chunk().ok_or(NpyError::CutOff)?;
    if [major, minor] != VERSION {
        return Err(NpyError::Version { major, minor });
    }
    let (&length, bytes) = bytes.split_first_chunk().ok_or(NpyError::CutOff)?;
    let (header, data) =
        bytes.split_at_checked(usize::from(u16::from_le_bytes(length))).ok_or(NpyError::CutOff)?;

    let fields = Parser { header, at: 0 }.dictionary()?;
    let Fields { element_type, fortran_order, shape } = fields;
    let element = Element::named(&element_type);
    let element = element.ok_or(NpyError::ElementType { found: element_type })?;
    Ok((Header { element, fortran_order, shape }, data))
}

struct Fields {
    element_type: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

/// Reads the part of Python's literals that NumPy writes.
struct Parser<'a> {
    header: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    /// The three keys in any order, each once and no other, then nothing but space.
    fn dictionary(mut self) -> Result<Fields, NpyError> {
        let (mut element_type, mut fortran_order, mut shape) = (None, None, None);
        self.expect(b'{', "'{'")?;
        while !self.accept(b'}') {
            let key = self.string()?;
            self.expect(b':', "':'")?;
            match key.as_str() {
                "descr" if element_type.is_none() => element_type = Some(self.string()?),
                "fortran_order" if fortran_order.is_none() => fortran_order = Some(self.boolean()?),
                "shape" if shape.is_none() => shape = Some(self.tuple()?),
                _ => {
                    return Err(self.expected("the keys descr, fortran_order and shape, each once"));
                }
            }
            if !self.accept(b',') {
                self.expect(b'}', "',' or '}'")?;
                break;
            }
        }
        self.skip_space();
        if self.at < self.header.len() {
            return Err(self.expected("nothing after the dictionary"));
        }
        match (element_type, fortran_order, shape) {
            (Some(element_type), Some(fortran_order), Some(shape)) => {
                Ok(Fields { element_type, fortran_order, shape })
            }
            _ => Err(self.expected("the keys descr, fortran_order and shape, each once")),
        }
    }

    fn string(&mut self) -> Result<String, NpyError> {
        self.skip_space();
        let quote = match self.header.get(self.at) {
            Some(&quote @ (b'\'' | b'"')) => quote,
            _ => return Err(self.expected("a string")),
        };
        self.at += 1;
        let text = self.take_while(|byte| byte != quote && byte.is_ascii_graphic());
        self.expect(quote, "the end of the string")?;
        Ok(text)
    }

    fn boolean(&mut self) -> Result<bool, NpyError> {
        self.skip_space();
        match self.take_while(|byte| byte.is_ascii_alphanumeric()).as_str() {
            "True" => Ok(true),
            "False" => Ok(false),
            _ => Err(self.expected("True or False")),
        }
    }

    /// `()`, `(2,)`, `(2, 3)`: in Python the comma makes the tuple, so `(2)` is none.
    fn tuple(&mut self) -> Result<Vec<usize>, NpyError> {
        let mut axes = Vec::new();
        self.expect(b'(', "'('")?;
        while !self.accept(b')') {
            self.skip_space();
            let digits = self.take_while(|byte| byte.is_ascii_digit());
            axes.push(digits.parse().map_err(|_| self.expected("the length of an axis"))?);
            if !self.accept(b',') {
                if axes.len() == 1 {
                    return Err(self.expected("','"));
                }
                self.expect(b')', "',' or ')'")?;
                break;
            }
        }
        Ok(axes)
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> String {
        let start = self.at;
        while self.header.get(self.at).is_some_and(|&byte| wanted(byte)) {
            self.at += 1;
        }
        self.header[start..self.at].iter().copied().map(char::from).collect()
    }

    fn skip_space(&mut self) {
        self.take_while(|byte| byte.is_ascii_whitespace());
    }

    /// Steps over `byte`, if it is next after space.
    fn accept(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.header.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), NpyError> {
        if self.accept(byte) { Ok(()) } else { Err(self.expected(expected)) }
    }

    fn expected(&self, expected: &'static str) -> NpyError {
        NpyError::Header { expected, at: self.at }
    }
}
