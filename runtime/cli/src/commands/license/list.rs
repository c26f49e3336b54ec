//! `saligate license list`.

use std::path::Path;

use saligate_console::{Failure, emit, shown};
use saligate_keys::{IssuedLicense, Ledger, Timestamp};
use serde_json::{Value, json};

pub(super) fn run(path: &Path, as_json: bool) -> Result<(), Failure> {
    let ledger = Ledger::read(path)?;
    // A forged entry would be taken for a licence.
    ledger.verify().map_err(|error| Failure::from(error).in_file(path))?;
    let now = Timestamp::now();
    if as_json {
        let licenses: Vec<_> = ledger.issued().iter().map(|issued| row(issued, now)).collect();
        let line = json!({
            "schema": 1,
            "ledger": shown(path),
            "vendor": ledger.vendor(),
            "licenses": licenses,
        });
        return emit(&line.to_string());
    }
    emit("licence  state    expires               key               holder")?;
    ledger.issued().iter().try_for_each(|issued| {
        let claims = issued.claims();
        let expires = claims.expires.map_or_else(|| "never".to_owned(), |at| at.to_string());
        emit(&format!(
            "{:>7}  {:<7}  {expires:<20}  {}  {}",
            claims.serial,
            state(issued, now),
            claims.key,
            claims.holder
        ))
    })
}

fn state(issued: &IssuedLicense, now: Timestamp) -> &'static str {
    let claims = issued.claims();
    match issued.revoked {
        Some(_) => "revoked",
        None if claims.expires.is_some_and(|at| now > at) => "expired",
        None if claims.not_before.is_some_and(|from| now < from) => "early",
        None => "good",
    }
}

fn row(issued: &IssuedLicense, now: Timestamp) -> Value {
    json!({
        "state": state(issued, now),
        "revoked": issued.revoked,
        "shared": issued.shared,
        "claims": issued.claims(),
    })
}
