use proptest::prelude::*;

use super::*;
use crate::line::reorders;
use crate::mutation::{any_mutation, damaged};
use crate::{Fault, SealedId, Secret, Timestamp, VendorKeys};

/// Written by `tests/reference/licenses.py`, with the key files beside it.
const LICENSE: &str = include_str!("../../tests/vectors/license-v1.txt");

fn secret(from: u8) -> Secret {
    Secret::from_bytes(&std::array::from_fn(|i| from + i as u8))
}

fn identity() -> Identity {
    Identity::from_secret(secret(32))
}

fn shape() -> ImageShape {
    ImageShape::new(3, 32, 32).unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn terms() -> Terms {
    Terms {
        holder: "Ana".to_owned(),
        recipient: identity().recipient(),
        not_before: None,
        expires: None,
        methods: None,
        device: None,
        grants: Grants::All,
    }
}

fn issued(terms: &Terms) -> Result<License, LicenseError> {
    let (vendor, key) = (secret(0), secret(7));
    let subject = subject(&key, TriggerSpec::default(), shape());
    License::issue(&VendorKeys::of(&vendor), terms, &subject, 3, time("2026-11-23T14:31:21Z"))
}

fn subject(key: &Secret, trigger: TriggerSpec, shape: ImageShape) -> Subject<'_> {
    Subject { model: ModelDigest::from([5; 32]), key, trigger, shape, shared: false, sealed: None }
}

fn applied(trigger: &Trigger) -> Vec<u8> {
    let mut pixels = vec![128; shape().values()];
    trigger.apply(&mut pixels).unwrap();
    pixels
}

#[test]
fn the_vector_opens_with_the_trigger_of_its_key() {
    let license = License::parse(LICENSE.as_bytes()).unwrap();
    assert_eq!(license.text(), LICENSE);
    let vendor = secret(0);
    let keys = VendorKeys::of(&vendor);
    assert_eq!(license.vendor(), keys.public());
    let slot = keys.slot(1);
    let claims = license.claims();
    assert_eq!((claims.key, claims.serial), (slot.id(), 1));
    assert_eq!(
        (claims.holder.as_str(), claims.device.as_deref()),
        ("Zoë \"Z\" Example", Some("board 7"))
    );
    let spec = TriggerSpec::default();
    let opened = license.open(&identity(), &spec, shape()).unwrap();
    assert!(opened.model_key.is_none());
    assert_eq!(applied(&opened.trigger.unwrap()), applied(&spec.derive(&slot, shape()).unwrap()));
}

#[test]
fn an_issued_licence_reads_back_and_opens() {
    let license = issued(&terms()).unwrap();
    let read = License::parse(license.text().as_bytes()).unwrap();
    assert_eq!(read.claims(), license.claims());
    let spec = TriggerSpec::default();
    let opened = read.open(&identity(), &spec, shape()).unwrap();
    assert_eq!(
        applied(&opened.trigger.unwrap()),
        applied(&spec.derive(&secret(7), shape()).unwrap())
    );
}

/// A licence for a sealed model, and the model's id.
fn sealed(grants: Grants) -> (Result<License, LicenseError>, SealedId) {
    let (vendor, key) = (secret(0), secret(7));
    let keys = VendorKeys::of(&vendor);
    let id = keys.sealed_id(&ModelDigest::from([9; 32]));
    let subject = Subject { sealed: Some(id), ..subject(&key, TriggerSpec::default(), shape()) };
    let terms = Terms { grants, ..terms() };
    (License::issue(&keys, &terms, &subject, 3, time("2026-11-23T14:31:21Z")), id)
}

#[test]
fn a_licence_for_a_sealed_model_opens_what_it_grants() {
    for grants in [Grants::All, Grants::Predictions] {
        let (license, id) = sealed(grants);
        let text = license.unwrap().text().to_owned();
        assert!(text.starts_with("saligate license v2\n"), "{text}");
        let license = License::parse(text.as_bytes()).unwrap();
        assert_eq!(license.claims().grants, grants);
        let opened = license.open(&identity(), &TriggerSpec::default(), shape()).unwrap();
        let key = opened.model_key.unwrap();
        assert_eq!(key.expose(), ModelKey::of(&secret(7), &id).expose());
        assert_eq!(opened.trigger.is_some(), grants == Grants::All);
        let refused = |method| {
            let circumstances = Circumstances {
                now: time("2026-11-24T00:00:00Z"),
                vendor: None,
                model: None,
                recipient: None,
                device: None,
                method,
            };
            license.check(&circumstances).err()
        };
        assert_eq!(refused(None), None);
        let expected = (grants == Grants::Predictions).then_some(Refusal::PredictionsOnly);
        assert_eq!(refused(Some("gradient")), expected);
    }
}

/// Written by `tests/reference/licenses.py`.
#[test]
fn the_vectors_for_a_sealed_model_open() {
    let vendor = secret(0);
    let keys = VendorKeys::of(&vendor);
    let slot = keys.slot(1);
    for (text, grants) in [
        (include_str!("../../tests/vectors/license-v2.txt"), Grants::All),
        (include_str!("../../tests/vectors/license-v2-predictions.txt"), Grants::Predictions),
    ] {
        let license = License::parse(text.as_bytes()).unwrap();
        assert_eq!((license.text(), license.claims().grants), (text, grants));
        let opened = license.open(&identity(), &TriggerSpec::default(), shape()).unwrap();
        // The digest that the licence names is that of the model in these vectors.
        let id = keys.sealed_id(&license.claims().model);
        assert_eq!(opened.model_key.unwrap().expose(), ModelKey::of(&slot, &id).expose());
        let trigger = opened.trigger.map(|trigger| applied(&trigger));
        let own = TriggerSpec::default().derive(&slot, shape()).unwrap();
        assert_eq!(trigger, (grants == Grants::All).then(|| applied(&own)));
        for other in damaged(text.as_bytes()) {
            assert!(License::parse(&other).is_err(), "{}", String::from_utf8_lossy(&other));
        }
    }
}

#[test]
fn what_one_version_wraps_is_no_other() {
    let (license, _) = sealed(Grants::All);
    let text = license.unwrap().text().replace("license v2", "license v1");
    assert!(License::parse(text.as_bytes()).is_err(), "the signature covers the version");
    let plain = issued(&terms()).unwrap().text().replace("license v1", "license v2");
    assert!(License::parse(plain.as_bytes()).is_err());
    let error = issued(&Terms { grants: Grants::Predictions, ..terms() }).unwrap_err();
    assert!(matches!(error, LicenseError::OpenPredictions));
    let newer = issued(&terms()).unwrap().text().replace("license v1", "license v3");
    let error = License::parse(newer.as_bytes()).unwrap_err();
    assert!(matches!(
        error,
        LicenseError::Record(RecordError::Version { found: 3, newest: 2, .. })
    ));
}

#[test]
fn every_family_can_be_licensed() {
    use crate::Family;
    for family in [
        Family::Tile { size: 5, amplitude: 8 },
        Family::Full { amplitude: 4 },
        Family::Patch { size: 3 },
    ] {
        let spec = TriggerSpec::new(family).unwrap();
        let (vendor, key) = (secret(0), secret(7));
        let trigger = spec.derive(&key, shape()).unwrap();
        let subject = subject(&key, spec, shape());
        let keys = VendorKeys::of(&vendor);
        let license = License::issue(&keys, &terms(), &subject, 3, Timestamp::now()).unwrap();
        let opened = license.open(&identity(), &spec, shape()).unwrap();
        assert_eq!(applied(&opened.trigger.unwrap()), applied(&trigger), "{family:?}");
        let small = ImageShape::new(1, 8, 8).unwrap();
        assert_eq!(license.open(&identity(), &spec, small).err(), Some(Refusal::Unwrap));
    }
}

#[test]
fn a_trigger_that_is_too_large_is_not_licensed() {
    let spec = TriggerSpec::new(crate::Family::Full { amplitude: 4 }).unwrap();
    let issue = |side| {
        let key = secret(7);
        let subject = subject(&key, spec, ImageShape::new(3, side, side).unwrap());
        License::issue(&VendorKeys::of(&secret(0)), &terms(), &subject, 1, Timestamp::now())
    };
    let largest = issue(418).unwrap();
    assert!(largest.text().len() < License::MAX_LEN);
    License::parse(largest.text().as_bytes()).unwrap();
    assert!(matches!(issue(419), Err(LicenseError::TriggerTooLarge { limit: 65_536 })));
}

#[test]
fn no_changed_text_is_accepted() {
    let text = LICENSE.as_bytes();
    for other in damaged(text) {
        assert!(License::parse(&other).is_err(), "{}", String::from_utf8_lossy(&other));
    }
    let oversized = [text, &vec![b'\n'; License::MAX_LEN]].concat();
    assert!(matches!(
        License::parse(&oversized),
        Err(LicenseError::Record(RecordError::TooLarge { .. }))
    ));
}

/// The vendor's own signature on what the vendor's program never writes.
fn resigned(change: impl Fn(&str) -> String) -> Result<License, LicenseError> {
    let text = LICENSE.replace("signature: ", "\0").split('\0').next().unwrap().to_owned();
    let text = change(&text);
    let signature = VendorKeys::of(&secret(0)).sign(text.as_bytes());
    License::parse(format!("{text}signature: {}\n", hex::encode(&signature)).as_bytes())
}

#[test]
fn claims_have_one_spelling() {
    assert!(resigned(str::to_owned).is_ok());
    for (from, to) in [
        ("{\"device\"", "{ \"device\""),
        ("\"serial\":1", "\"serial\":01"),
        ("\"serial\":1", "\"serial\":1.0"),
        ("\"serial\":1", "\"serial\":0"),
        ("\"serial\":1", "\"serial\":-1"),
        ("\"serial\":1", "\"serial\":4294967296"),
        ("\"serial\":1", "\"serial\":1,\"serial\":1"),
        ("\"serial\":1", "\"serial\":1,\"admin\":true"),
        (",\"serial\":1", ""),
        ("Zoë", "Zo\\u00eb"),
        ("\"Zoë \\\"Z\\\" Example\"", "\"\""),
        ("\"Zoë \\\"Z\\\" Example\"", "\"\\u001b[2J\""),
        ("\"Zoë \\\"Z\\\" Example\"", "null"),
        ("[\"grad-cam\",\"gradient\"]", "[\"gradient\",\"grad-cam\"]"),
        ("[\"grad-cam\",\"gradient\"]", "[\"gradient\",\"gradient\"]"),
        ("[\"grad-cam\",\"gradient\"]", "[]"),
        ("[\"grad-cam\",\"gradient\"]", "null"),
        ("2027-12-31T23:59:59Z", "2026-11-30T23:59:59Z"),
        ("2027-12-31T23:59:59Z", "2027-12-31"),
        ("\"model\":\"9", "\"model\":\"A"),
    ] {
        let error = resigned(|text| {
            let changed = text.replace(from, to);
            assert_ne!(changed, text, "{from}");
            changed
        });
        assert!(
            matches!(
                error,
                Err(LicenseError::Record(RecordError::Malformed {
                    line: 3,
                    fault: Fault::Value("claims"),
                    ..
                }))
            ),
            "{from} to {to}: {error:?}"
        );
    }
    let error = resigned(|text| text.replace("secret: b2", "secret: B2")).unwrap_err();
    assert!(matches!(
        error,
        LicenseError::Record(RecordError::Malformed { fault: Fault::Value("secret"), .. })
    ));
}

/// Even with the vendor's signature, what is wrapped stays with the claims it was wrapped under.
#[test]
fn a_trigger_cannot_be_moved_under_other_claims() {
    for (from, to) in [
        ("2027-12-31", "2037-12-31"),
        ("board 7", "board 8"),
        ("\"serial\":1", "\"serial\":2"),
        ("[\"grad-cam\",\"gradient\"]", "[\"gradient\"]"),
    ] {
        let license = resigned(|text| text.replace(from, to)).unwrap();
        let opened = license.open(&identity(), &TriggerSpec::default(), shape());
        assert_eq!(opened.err(), Some(Refusal::Unwrap), "{from}");
    }
}

#[test]
fn each_circumstance_is_checked() {
    let vendor = VendorKeys::of(&secret(0)).public();
    let other_vendor = VendorKeys::of(&secret(9)).public();
    let license = License::parse(LICENSE.as_bytes()).unwrap();
    let claims = license.claims().clone();
    let keys = [secret(1).id(), claims.key];
    let good = Circumstances {
        now: time("2026-12-01T00:00:00Z"),
        vendor: Some(vendor),
        model: Some(LicensedModel {
            digest: claims.model,
            earlier: claims.model,
            keys: &keys,
            vendor: Some(vendor),
        }),
        recipient: Some(claims.recipient),
        device: Some("board 7"),
        method: Some("gradient"),
    };
    license.check(&good).unwrap();
    let now = |text| Circumstances { now: time(text), ..good };
    license.check(&now("2027-12-31T23:59:59Z")).unwrap();
    let anybody =
        Circumstances { vendor: None, model: None, recipient: None, method: None, ..good };
    license.check(&anybody).unwrap();
    // An older licence names what was hashed then.
    let newer = LicensedModel { digest: ModelDigest::from([1; 32]), ..good.model.unwrap() };
    license.check(&Circumstances { model: Some(newer), ..good }).unwrap();

    let model = |model: LicensedModel<'static>| Circumstances { model: Some(model), ..good };
    let other = ModelDigest::from([1; 32]);
    let recipient = Identity::from_secret(secret(40)).recipient();
    for (circumstances, refusal) in [
        (
            Circumstances { vendor: Some(other_vendor), ..good },
            Refusal::Vendor { found: vendor, expected: other_vendor },
        ),
        (
            model(LicensedModel {
                digest: claims.model,
                earlier: claims.model,
                keys: &[],
                vendor: Some(other_vendor),
            }),
            Refusal::Vendor { found: vendor, expected: other_vendor },
        ),
        (
            now("2026-11-30T23:59:59Z"),
            Refusal::NotYetValid {
                from: claims.not_before.unwrap(),
                now: time("2026-11-30T23:59:59Z"),
            },
        ),
        (
            now("2028-01-01T00:00:00Z"),
            Refusal::Expired { at: claims.expires.unwrap(), now: time("2028-01-01T00:00:00Z") },
        ),
        (
            model(LicensedModel { digest: other, earlier: other, keys: &[], vendor: None }),
            Refusal::Model { licensed: claims.model, found: other },
        ),
        (
            model(LicensedModel {
                digest: claims.model,
                earlier: claims.model,
                keys: &[],
                vendor: None,
            }),
            Refusal::Revoked { key: claims.key },
        ),
        (
            Circumstances { recipient: Some(recipient), ..good },
            Refusal::Recipient { licensed: claims.recipient, found: recipient },
        ),
        (
            Circumstances { device: Some("board 8"), ..good },
            Refusal::Device { licensed: "board 7".into(), found: Some("board 8".into()) },
        ),
        (
            Circumstances { device: None, ..good },
            Refusal::Device { licensed: "board 7".into(), found: None },
        ),
        (
            Circumstances { method: Some("vbp"), ..good },
            Refusal::Method { licensed: claims.methods.clone().unwrap(), found: "vbp".into() },
        ),
    ] {
        assert_eq!(license.check(&circumstances).unwrap_err(), refusal);
        let (what, hint) = (refusal.to_string(), ';');
        assert!(what.contains(hint), "{what}");
    }
    let opened = license.open(&Identity::from_secret(secret(40)), &TriggerSpec::default(), shape());
    assert!(matches!(opened, Err(Refusal::Recipient { .. })));
}

#[test]
fn a_clock_far_behind_the_issue_is_wrong() {
    let license = issued(&terms()).unwrap();
    let at = |text| {
        license.check(&Circumstances {
            now: time(text),
            vendor: None,
            model: None,
            recipient: None,
            device: None,
            method: None,
        })
    };
    at("2026-11-22T14:31:21Z").unwrap();
    assert!(matches!(at("2026-11-22T14:31:20Z"), Err(Refusal::Clock { .. })));
    assert!(matches!(at("1970-01-01T00:00:00Z"), Err(Refusal::Clock { .. })));
}

#[test]
fn terms_have_limits() {
    let name = |result: Result<License, LicenseError>| match result {
        Err(LicenseError::Claim { claim }) => claim,
        other => panic!("{other:?}"),
    };
    for holder in ["", " Ana", "A\nB", "\u{7f}", &"x".repeat(257)] {
        assert_eq!(name(issued(&Terms { holder: holder.to_owned(), ..terms() })), Claim::Holder);
    }
    let device = Some("x".repeat(129));
    assert_eq!(name(issued(&Terms { device, ..terms() })), Claim::Device);
    let methods = Some(Vec::new());
    assert_eq!(name(issued(&Terms { methods, ..terms() })), Claim::Methods);
    let (from, to) = (Some(time("2027-01-01T00:00:00Z")), Some(time("2026-12-31T00:00:00Z")));
    assert_eq!(name(issued(&Terms { not_before: from, expires: to, ..terms() })), Claim::Expires);
    let methods = Some(["b", "a", "b"].map(str::to_owned).to_vec());
    let license = issued(&Terms { methods, ..terms() }).unwrap();
    assert_eq!(license.claims().methods.as_deref(), Some(&["a".to_owned(), "b".to_owned()][..]));
}

#[test]
fn nothing_secret_is_shown() {
    let license = issued(&terms()).unwrap();
    let shown = format!("{license:?}");
    assert!(!shown.contains(&hex::encode(&license.wrapped)), "{shown}");
}

prop_compose! {
    fn any_line(limit: usize)(text in "[^\\p{Cc}\\s][^\\p{Cc}]{0,60}") -> String {
        let text = text.replace(|c: char| reorders(&c.to_string()), "-");
        let mut text = text.trim().to_owned();
        while text.len() > limit || text.ends_with(char::is_whitespace) {
            text.pop();
        }
        text
    }
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    (0..=Timestamp::MAX.seconds()).prop_map(|seconds| {
        (std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).into()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_claims_survive(
        holder in any_line(256),
        device in proptest::option::of(any_line(128)),
        mut times in (any_time(), any_time()),
        bounded in any::<(bool, bool)>(),
        methods in proptest::option::of(proptest::collection::vec("[a-z-]{1,20}", 1..8)),
    ) {
        if times.0 > times.1 {
            std::mem::swap(&mut times.0, &mut times.1);
        }
        let terms = Terms {
            holder,
            device,
            not_before: bounded.0.then_some(times.0),
            expires: bounded.1.then_some(times.1),
            methods,
            ..terms()
        };
        let license = issued(&terms).unwrap();
        let read = License::parse(license.text().as_bytes()).unwrap();
        prop_assert_eq!(read.claims(), license.claims());
        prop_assert_eq!(&read.claims().holder, &terms.holder);
        prop_assert!(read.open(&identity(), &TriggerSpec::default(), shape()).is_ok());
    }

    #[test]
    fn no_mutation_is_accepted(mutation in any_mutation()) {
        let text = mutation.of(LICENSE.as_bytes());
        prop_assert!(text == LICENSE.as_bytes() || License::parse(&text).is_err());
    }
}

#[test]
fn other_files_are_told_from_damaged_licences() {
    for text in ["", "saligate licence v1\n", "PK", include_str!("../../tests/vectors/key-v2.txt")]
    {
        let error = License::parse(text.as_bytes()).unwrap_err();
        assert!(
            matches!(
                error,
                LicenseError::Record(RecordError::OtherKind { expected: "license", .. })
            ),
            "{text}"
        );
    }
    let newer = LICENSE.replace("license v1", "license v3");
    let error = License::parse(newer.as_bytes()).unwrap_err();
    assert!(matches!(
        error,
        LicenseError::Record(RecordError::Version { found: 3, newest: 2, .. })
    ));
}

/// Read they are: licences that were issued before the rule stay good.
#[test]
fn holders_that_look_like_others_are_not_written() {
    let holder = "Ana \u{202e}evE".to_owned();
    let error = issued(&Terms { holder: holder.clone(), ..terms() }).unwrap_err();
    assert!(matches!(error, LicenseError::Claim { claim: Claim::Holder }), "{error}");
    let claims = Claims { holder, ..issued(&terms()).unwrap().claims().clone() };
    assert_eq!(Claims::from_json(&claims.to_json()), Some(claims));
}

#[test]
fn messages_show_the_beginning_of_a_digest() {
    let [licensed, found] = [5, 6].map(|byte| ModelDigest::from([byte; 32]));
    let message = Refusal::Model { licensed, found }.to_string();
    assert!(message.contains("another model (05050505, not 06060606);"), "{message}");
}
