//! Random changes to a text, for tests that none of them is accepted.

use proptest::prelude::*;
use proptest::sample::Index;

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
