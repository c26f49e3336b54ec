//! Class names, as people and programs write them down.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// Names of classes, in the order of the classes: one a line; a list or an object by class number,
/// as JSON or as Python prints them. Where a class has a list, as in Keras' index of ImageNet, its
/// last entry is the name. Empty where an object leaves out a class.
pub fn parse(text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim();
    let mut rest = text.chars().peekable();
    let value = match rest.peek() {
        Some('[' | '{' | '(') => value(&mut rest, 0).filter(|_| blank(&mut rest).is_none()),
        _ => None,
    };
    match value {
        Some(Value::List(items)) => items.into_iter().map(Value::name).collect(),
        Some(Value::Object(items)) => {
            let mut names = BTreeMap::new();
            for (key, item) in items {
                let Ok(class) = key.parse::<usize>() else { return Vec::new() };
                names.insert(class, item.name());
            }
            let in_order = names.keys().copied().eq(0..names.len());
            if in_order { names.into_values().collect() } else { Vec::new() }
        }
        _ => text.lines().map(|line| line.trim().to_owned()).collect(),
    }
}

/// [`parse`] of the bytes of a file: UTF-8, or UTF-16 with a mark at its beginning.
pub fn parse_bytes(bytes: &[u8]) -> Option<Vec<String>> {
    let wide = |units: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = units.as_chunks().0.iter().map(|&pair| unit(pair)).collect();
        String::from_utf16(&units).ok()
    };
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes)?,
        bytes => str::from_utf8(bytes).ok()?.to_owned(),
    };
    Some(parse(&text))
}

enum Value {
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Value {
    fn name(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::List(mut items) => items.pop().map(Self::name).unwrap_or_default(),
            Self::Object(_) => String::new(),
        }
    }
}

/// Deepest list in a list.
const MAX_DEPTH: usize = 4;

type Rest<'a> = Peekable<Chars<'a>>;

/// The next character that is no blank.
fn blank(rest: &mut Rest<'_>) -> Option<char> {
    while rest.next_if(|c| c.is_whitespace()).is_some() {}
    rest.peek().copied()
}

fn value(rest: &mut Rest<'_>, depth: usize) -> Option<Value> {
    if depth > MAX_DEPTH {
        return None;
    }
    match blank(rest)? {
        quote @ ('"' | '\'') => quoted(rest, quote).map(Value::Text),
        '{' => {
            let mut items = Vec::new();
            between(rest, '}', |rest| {
                let key = value(rest, depth + 1)?.name();
                (blank(rest)? == ':').then(|| rest.next())?;
                items.push((key, value(rest, depth + 1)?));
                Some(())
            })?;
            Some(Value::Object(items))
        }
        open @ ('[' | '(') => {
            let mut items = Vec::new();
            let close = if open == '[' { ']' } else { ')' };
            between(rest, close, |rest| {
                items.push(value(rest, depth + 1)?);
                Some(())
            })?;
            Some(Value::List(items))
        }
        _ => {
            let mut word = String::new();
            while let Some(c) = rest.next_if(|c| c.is_alphanumeric() || "+-._".contains(*c)) {
                word.push(c);
            }
            (!word.is_empty()).then_some(Value::Text(word))
        }
    }
}

/// Items with commas between them, and one at their end in Python.
fn between(
    rest: &mut Rest<'_>,
    close: char,
    mut item: impl FnMut(&mut Rest<'_>) -> Option<()>,
) -> Option<()> {
    rest.next();
    while blank(rest)? != close {
        item(rest)?;
        match blank(rest)? {
            ',' => drop(rest.next()),
            found if found == close => {}
            _ => return None,
        }
    }
    rest.next();
    Some(())
}

/// A text in quotes; escapes are those that JSON and Python share.
fn quoted(rest: &mut Rest<'_>, quote: char) -> Option<String> {
    rest.next();
    let mut text = String::new();
    loop {
        match rest.next()? {
            c if c == quote => return Some(text),
            '\\' => text.push(match rest.next()? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'u' => {
                    let digits: String = rest.by_ref().take(4).collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
                }
                other => other,
            }),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_objects_and_lines_are_read() {
        let wanted = ["cat", "king's dog", "bird"];
        for text in [
            "cat\nking's dog\nbird\n",
            "\u{feff}cat\r\nking's dog\r\nbird\r\n\r\n",
            r#"["cat", "king's dog", "bird"]"#,
            r#"{"0": "cat", "1": "king's dog", "2": "bird"}"#,
            r#"{0: 'cat', 1: "king's dog", 2: 'bird'}"#,
            r#"['cat', 'king\'s dog', 'bird',]"#,
            r#"("cat", "king\u0027s dog", "bird")"#,
            r#"{"2": ["n3", "bird"], "0": ["n1", "cat"], "1": ["n2", "king's dog"]}"#,
        ] {
            assert_eq!(parse(text), wanted, "{text}");
        }
        let wide: Vec<u8> =
            "\u{feff}cat\r\nbird".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(parse_bytes(&wide).unwrap(), ["cat", "bird"]);
        assert_eq!(parse_bytes(&[0x63, 0xff]), None);
    }

    #[test]
    fn objects_with_gaps_say_nothing_and_broken_ones_are_lines() {
        assert!(parse(r#"{"0": "cat", "2": "dog"}"#).is_empty());
        assert!(parse(r#"{"cat": 0}"#).is_empty());
        assert_eq!(parse("[cat\ndog"), ["[cat", "dog"]);
        assert_eq!(parse(&"[".repeat(100)), ["[".repeat(100)]);
        assert_eq!(parse(""), Vec::<String>::new());
    }
}
