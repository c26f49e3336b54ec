//! ONNX files by hand, with whatever a library would not write.

/// A message under construction: `onnx.proto` of ONNX 1.17 says what the fields mean.
#[derive(Clone, Debug, Default)]
pub struct Message(Vec<u8>);

impl Message {
    /// An empty message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a number.
    pub fn int(mut self, field: u64, value: i64) -> Self {
        self.varint(field << 3);
        self.varint(value as u64);
        self
    }

    /// Appends a 32-bit float.
    pub fn float(mut self, field: u64, value: f32) -> Self {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Appends text or raw bytes.
    pub fn bytes(mut self, field: u64, bytes: impl AsRef<[u8]>) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.as_ref().len() as u64);
        self.0.extend(bytes.as_ref());
        self
    }

    /// Appends another message.
    pub fn message(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }

    /// Appends many other messages.
    pub fn messages<'a>(self, field: u64, messages: impl IntoIterator<Item = &'a Self>) -> Self {
        messages.into_iter().fold(self, |all, message| all.message(field, message))
    }

    /// Appends bare numbers: keys of fields, for what no other function makes.
    pub fn varints(mut self, values: &[u64]) -> Self {
        values.iter().for_each(|&value| self.varint(value));
        self
    }

    /// The bytes so far.
    pub fn done(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// A node of the standard domain with the result `out`.
pub fn node(op: &str, operands: &[&str], out: &str, attributes: &[Message]) -> Message {
    let node = operands.iter().fold(Message::new(), |node, name| node.bytes(1, name));
    node.bytes(2, out).bytes(4, op).messages(5, attributes)
}

/// An attribute of one number.
pub fn int(name: &str, value: i64) -> Message {
    Message::new().bytes(1, name).int(3, value).int(20, 2)
}

/// An attribute of several numbers.
pub fn ints(name: &str, values: &[i64]) -> Message {
    values.iter().fold(Message::new().bytes(1, name).int(20, 7), |m, &v| m.int(8, v))
}

/// A tensor of raw bytes; 1 is the type of f32, 7 that of i64.
pub fn tensor(name: &str, dims: &[i64], kind: i64, raw: &[u8]) -> Message {
    let tensor = dims.iter().fold(Message::new(), |tensor, &size| tensor.int(1, size));
    tensor.int(2, kind).bytes(8, name).bytes(9, raw)
}

/// A tensor of f32 that repeats one value.
pub fn floats(name: &str, dims: &[i64], value: f32) -> Message {
    let count = dims.iter().product::<i64>() as usize;
    tensor(name, dims, 1, &value.to_le_bytes().repeat(count))
}

/// A list of i64.
pub fn longs(name: &str, values: &[i64]) -> Message {
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    tensor(name, &[values.len() as i64], 7, &raw)
}

/// A tensor of f32 in another file.
pub fn external(name: &str, dims: &[i64], entries: &[(&str, &str)]) -> Message {
    let tensor = dims.iter().fold(Message::new(), |tensor, &size| tensor.int(1, size));
    let entry = |(key, value): &(&str, &str)| Message::new().bytes(1, key).bytes(2, value);
    let entries: Vec<Message> = entries.iter().map(entry).collect();
    tensor.int(2, 1).bytes(8, name).messages(13, &entries).int(14, 1)
}

/// An input or output of f32.
pub fn value(name: &str, dims: &[i64]) -> Message {
    let axes: Vec<Message> = dims.iter().map(|&size| Message::new().int(1, size)).collect();
    let shape = Message::new().messages(1, &axes);
    let tensor = Message::new().int(1, 1).message(2, &shape);
    Message::new().bytes(1, name).message(2, &Message::new().message(1, &tensor))
}

/// A whole file of operations of version 17.
pub fn file(nodes: &[Message], tensors: &[Message], ends: [&Message; 2]) -> Vec<u8> {
    let graph = Message::new().messages(1, nodes).messages(5, tensors);
    model(&graph.message(11, ends[0]).message(12, ends[1]), 17)
}

/// A file around a graph.
pub fn model(graph: &Message, opset: i64) -> Vec<u8> {
    let version = Message::new().bytes(1, "").int(2, opset);
    Message::new().int(1, 8).message(7, graph).message(8, &version).done()
}
