//! The text of a file with a secret; `docs/format.md` describes it.

use zeroize::Zeroizing;

use super::{About, Kind, SealedSecret, SecretFile, SecretFileError, StoredSecret, is_label, v1};
use crate::record::{self, Reader};
use crate::{RecordError, Secret, Timestamp, hex};

/// What stands in a sealed file in place of the secret.
pub(super) struct SealedBody {
    /// Everything before the ciphertext, which is bound to it.
    #[cfg_attr(not(feature = "passphrase"), expect(dead_code))]
    pub(super) head: String,
    /// `m=… t=… salt=…`
    #[cfg_attr(not(feature = "passphrase"), expect(dead_code))]
    pub(super) cost: String,
    #[cfg_attr(not(feature = "passphrase"), expect(dead_code))]
    pub(super) ciphertext: [u8; CIPHERTEXT_LEN],
}

/// The secret and a tag of 16 bytes.
pub(super) const CIPHERTEXT_LEN: usize = Secret::LEN + 16;

/// The text that [`parse`] reads back.
pub(super) fn render<K: Kind>(file: &SecretFile<K>) -> Zeroizing<String> {
    // All room at once: a string that grows leaves unwiped copies behind.
    let mut text = Zeroizing::new(String::with_capacity(SecretFile::<K>::MAX_LEN));
    write_about(K::NAME, &file.about, &mut text);
    text.push_str("secret: ");
    hex::encode_into(file.secret.expose(), &mut text);
    text.push('\n');
    record::write_checksum(&mut text);
    text
}

/// The text of the sealed file.
#[cfg(feature = "passphrase")]
pub(super) fn render_sealed<K: Kind>(
    file: &SecretFile<K>,
    passphrase: &super::Passphrase,
) -> Result<Zeroizing<String>, SecretFileError> {
    let mut text = Zeroizing::new(String::with_capacity(SecretFile::<K>::MAX_LEN));
    write_about(K::SEALED, &file.about, &mut text);
    let cost = super::seal::Cost::new()?;
    record::write("argon2id", &cost.to_string(), &mut text);
    let ciphertext = cost.seal(passphrase, &text, &file.secret)?;
    record::write("sealed", &hex::encode(&ciphertext), &mut text);
    record::write_checksum(&mut text);
    Ok(text)
}

fn write_about<K: Kind>(name: &'static str, about: &About<K>, text: &mut String) {
    record::write_header(record::Kind { name, version: K::VERSION }, text);
    record::write(K::PUBLIC, &about.public.to_string(), text);
    if let Some(created) = about.created {
        record::write("created", &created.to_string(), text);
    }
    if let Some(label) = &about.label {
        record::write("label", label, text);
    }
}

/// Reads the text of a file, of which the permissions are not known.
pub(super) fn parse<K: Kind>(text: &[u8]) -> Result<StoredSecret<K>, SecretFileError> {
    if text.len() > SecretFile::<K>::MAX_LEN {
        return Err(RecordError::TooLarge { what: K::NAME, limit: SecretFile::<K>::MAX_LEN }.into());
    }
    match record::header(text) {
        Some((name, _)) if name == K::SEALED => Ok(StoredSecret::Sealed(parse_sealed(text)?)),
        // Only keys ever had a version 1 of another form, and it has no header.
        None if K::NAME == "key" && !record::was_mailed(text) => {
            let v1::Content { secret, label, stated } = v1::parse(text)?;
            let public = K::public(&secret);
            if let Some(stated) = stated.filter(|stated| stated.to_string() != public.to_string()) {
                return Err(SecretFileError::PublicHalf {
                    stated: stated.to_string(),
                    derived: public.to_string(),
                });
            }
            let about = About { public, created: None, label };
            Ok(StoredSecret::Open(SecretFile { secret, about, permissions_too_open: false }))
        }
        _ => {
            let mut reader = Reader::open(plain::<K>(), text)?;
            let about = read_about(&mut reader)?;
            let mut secret = Secret::zeros();
            let digits = reader.take("secret")?;
            reader.hex("secret", digits, secret.expose_mut())?;
            reader.take_checksum()?;
            reader.end()?;
            checked(about, secret).map(StoredSecret::Open)
        }
    }
}

fn plain<K: Kind>() -> record::Kind {
    record::Kind { name: K::NAME, version: K::VERSION }
}

fn parse_sealed<K: Kind>(text: &[u8]) -> Result<SealedSecret<K>, RecordError> {
    let kind = record::Kind { name: K::SEALED, version: K::VERSION };
    let mut reader = Reader::open(kind, text)?;
    let about = read_about(&mut reader)?;
    let cost = reader.take("argon2id")?.to_owned();
    #[cfg(feature = "passphrase")]
    cost.parse::<super::seal::Cost>().map_err(|()| reader.value("argon2id"))?;
    let head = reader.so_far().to_owned();
    let mut ciphertext = [0; CIPHERTEXT_LEN];
    let digits = reader.take("sealed")?;
    reader.hex("sealed", digits, &mut ciphertext)?;
    reader.take_checksum()?;
    reader.end()?;
    let body = SealedBody { head, cost, ciphertext };
    Ok(SealedSecret { about, body, permissions_too_open: false })
}

fn read_about<K: Kind>(reader: &mut Reader<'_>) -> Result<About<K>, RecordError> {
    let public = reader.take(K::PUBLIC)?.parse().map_err(|_| reader.value(K::PUBLIC))?;
    let created = reader.take_if("created")?;
    let created: Option<Timestamp> =
        created.map(str::parse).transpose().map_err(|_| reader.value("created"))?;
    let label = reader.take_if("label")?.map(ToOwned::to_owned);
    if label.as_deref().is_some_and(|label| !is_label(label)) {
        return Err(reader.value("label"));
    }
    Ok(About { public, created, label })
}

/// The file, if its public half is that of the secret.
pub(super) fn checked<K: Kind>(
    about: About<K>,
    secret: Secret,
) -> Result<SecretFile<K>, SecretFileError> {
    let derived = K::public(&secret);
    if about.public != derived {
        let (stated, derived) = (about.public.to_string(), derived.to_string());
        return Err(SecretFileError::PublicHalf { stated, derived });
    }
    Ok(SecretFile { secret, about, permissions_too_open: false })
}
