//! The derivation of triggers is pinned by golden vectors. To write them anew:
//! `cargo run -p saligate-keys --example trigger_vectors > keys/tests/vectors/trigger.txt`.

mod vectors;

use std::collections::BTreeMap;

use vectors::Outcome;

const FILE: &str = include_str!("vectors/trigger.txt");

#[test]
fn triggers_agree_with_the_golden_vectors() {
    let mut records = 0;
    for record in FILE.split("\n\n") {
        let mut fields: BTreeMap<&str, &str> = BTreeMap::new();
        for line in record.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.split_once(" = ").expect(line);
            assert!(fields.insert(name, value).is_none(), "{name} twice");
        }
        if fields.is_empty() {
            continue;
        }
        let mut take = |name| fields.remove(name).unwrap_or_else(|| panic!("no {name}"));
        let spec = take("spec");
        let outcome = Outcome::of(
            &vectors::secret(take("secret")),
            serde_json::from_str(spec).unwrap(),
            vectors::shape(take("shape")),
        );
        let expected = Outcome {
            key_id: take("key-id").to_owned(),
            cells: take("cells").to_owned(),
            applied: take("applied").to_owned(),
        };
        assert_eq!(outcome, expected, "{spec}");
        assert!(fields.is_empty(), "unused: {fields:?}");
        records += 1;
    }
    assert_eq!(records, 8);
}
