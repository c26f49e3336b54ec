//! Changes to a text, for tests that none of them is accepted.

use proptest::prelude::*;
use proptest::sample::Index;

/// The text with one bit flipped, for every bit.
pub(crate) fn flipped(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..8 * text.len()).map(|bit| {
        let mut other = text.to_vec();
        other[bit / 8] ^= 1 << (bit % 8);
        other
    })
}

/// The text with one line doubled, with one that is not the last removed, and with two swapped.
pub(crate) fn rearranged(text: &[u8]) -> Vec<Vec<u8>> {
    let lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
    let mut found = Vec::new();
    for at in 0..lines.len() {
        found.push([&lines[..=at], &lines[at..]].concat().concat());
        if at + 1 < lines.len() {
            found.push([&lines[..at], &lines[at + 1..]].concat().concat());
        }
        for other in 0..at {
            let mut lines = lines.clone();
            lines.swap(at, other);
            found.push(lines.concat());
        }
    }
    found
}

/// Every change of a kind that is neither random nor adds to the end: beginnings of the text,
/// flipped bits, lines in another order.
pub(crate) fn damaged(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let cut = (0..text.len()).map(|end| text[..end].to_vec());
    cut.chain(flipped(text)).chain(rearranged(text))
}

/// Some changes of a text: bytes replaced, parts doubled elsewhere, parts removed.
#[derive(Clone, Debug)]
pub(crate) struct Mutation(Vec<(Kind, Index, Index, u8)>);

#[derive(Clone, Copy, Debug)]
enum Kind {
    Replace,
    Double,
    Remove,
}

/// One to five changes.
pub(crate) fn any_mutation() -> impl Strategy<Value = Mutation> {
    let kind = prop_oneof![Just(Kind::Replace), Just(Kind::Double), Just(Kind::Remove)];
    let change = (kind, any::<Index>(), any::<Index>(), any::<u8>());
    prop::collection::vec(change, 1..6).prop_map(Mutation)
}

impl Mutation {
    pub(crate) fn of(&self, text: &[u8]) -> Vec<u8> {
        let mut text = text.to_vec();
        for (kind, a, b, byte) in &self.0 {
            if text.is_empty() {
                break;
            }
            let (a, b) = (a.index(text.len()), b.index(text.len()));
            let part = a.min(b)..a.max(b);
            match kind {
                Kind::Replace => text[a] = *byte,
                Kind::Double => {
                    let doubled = text[part].to_vec();
                    text.splice(a..a, doubled);
                }
                Kind::Remove => {
                    text.drain(part);
                }
            }
        }
        text
    }
}
