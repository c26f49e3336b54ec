//! Files that hold a secret.

mod error;
mod kind;
#[cfg(feature = "passphrase")]
mod seal;
#[cfg(test)]
mod tests;
mod text;
mod v1;

use std::fmt;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use zeroize::Zeroizing;

pub use error::SecretFileError;
pub use kind::{IdentityKind, Kind, VendorKind};
#[cfg(feature = "passphrase")]
pub use seal::Passphrase;
pub use v1::{LineFault, V1Error};

use crate::file::{self, read_capped};
use crate::line::{is_line, reorders};
use crate::{Error, Identity, Secret, Timestamp};

/// A vendor's secret with its optional label: what locks a model and signs licences.
pub type KeyFile = SecretFile<VendorKind>;
/// An [`Identity`] with its optional label: what opens licences.
pub type IdentityFile = SecretFile<IdentityKind>;

/// A secret with its optional label, as a text file:
///
/// ```text
/// saligate key v2
/// id: cb119eaac5a19582
/// created: 2026-11-23T14:31:21Z
/// label: bench by the window
/// secret: 000102…1e1f
/// checksum: 9d9c9b7b1ef30f71
/// ```
///
/// `docs/format.md` has every field and limit. There are two kinds, [`KeyFile`] and
/// [`IdentityFile`], and each can be [sealed](Self::write_new_sealed) with a passphrase.
pub struct SecretFile<K: Kind> {
    secret: Secret,
    about: About<K>,
    permissions_too_open: bool,
}

/// What a file says of its secret, none of which is secret.
#[derive(Clone, Debug)]
pub struct About<K: Kind> {
    /// The public half: a [`KeyId`](crate::KeyId) or a [`Recipient`](crate::Recipient).
    pub public: K::Public,
    /// When the file was made; version 1 did not say it in a way that is read.
    pub created: Option<Timestamp>,
    /// A name for people.
    pub label: Option<String>,
}

/// A file as it was read, which may be sealed.
pub enum StoredSecret<K: Kind> {
    /// The secret is there.
    Open(SecretFile<K>),
    /// The secret needs a passphrase.
    Sealed(SealedSecret<K>),
}

/// A secret that needs a passphrase.
pub struct SealedSecret<K: Kind> {
    about: About<K>,
    #[cfg_attr(not(feature = "passphrase"), expect(dead_code))]
    body: text::SealedBody,
    permissions_too_open: bool,
}

impl<K: Kind> SecretFile<K> {
    /// The most bytes such a file may have. It is some ten times what is ever written, and small
    /// enough to read before looking.
    pub const MAX_LEN: usize = 4096;
    /// The most bytes a label may have.
    pub const MAX_LABEL_LEN: usize = 128;

    /// A file to be written, created now and without a label.
    fn of(secret: Secret, public: K::Public) -> Self {
        let about = About { public, created: Some(Timestamp::now()), label: None };
        Self { secret, about, permissions_too_open: false }
    }

    /// Sets a name for people, which is not secret: one line of 1 to 128 bytes, without control
    /// characters, those of the direction of text among them, or blanks at its ends.
    ///
    /// # Errors
    /// [`SecretFileError::Label`] when it is not such a line.
    pub fn with_label(mut self, label: &str) -> Result<Self, SecretFileError> {
        if !is_label(label) || reorders(label) {
            return Err(SecretFileError::Label { limit: Self::MAX_LABEL_LEN });
        }
        self.about.label = Some(label.to_owned());
        Ok(self)
    }

    /// Reads a file that is not sealed.
    ///
    /// # Errors
    /// [`SecretFileError::Sealed`] for one that is, and those of [`StoredSecret::read`], within
    /// [`Error::At`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        match StoredSecret::read(path.as_ref())? {
            StoredSecret::Open(file) => Ok(file),
            StoredSecret::Sealed(_) => Err(Error::from(SecretFileError::Sealed).at(path.as_ref())),
        }
    }

    /// Reads the text of a file that is not sealed.
    ///
    /// # Errors
    /// [`SecretFileError::Sealed`] for one that is, and those of [`StoredSecret::read_from`].
    pub fn read_from(reader: impl Read) -> Result<Self, Error> {
        match StoredSecret::read_from(reader)? {
            StoredSecret::Open(file) => Ok(file),
            StoredSecret::Sealed(_) => Err(SecretFileError::Sealed.into()),
        }
    }

    /// Writes a new file of mode 0600.
    ///
    /// The file appears with all its content or not at all, and is on the disk when this returns.
    ///
    /// # Errors
    /// [`FileError`](crate::FileError), within [`Error::At`].
    pub fn write_new(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        file::write_new(path.as_ref(), &text::render(self))
    }

    /// [`write_new`](Self::write_new), sealed: whoever finds the file needs the passphrase too.
    ///
    /// # Errors
    /// As there, or [`SecretFileError::Secret`].
    #[cfg(feature = "passphrase")]
    pub fn write_new_sealed(
        &self,
        path: impl AsRef<Path>,
        passphrase: &Passphrase,
    ) -> Result<(), Error> {
        let path = path.as_ref();
        file::refuse_existing(path)?;
        file::write_new(path, &text::render_sealed(self, passphrase)?)
    }

    /// Writes the text of the file, for example to standard output.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn write_to(&self, mut writer: impl Write) -> Result<(), Error> {
        writer.write_all(text::render(self).as_bytes())?;
        Ok(writer.flush()?)
    }

    /// What the file says of its secret.
    pub fn about(&self) -> &About<K> {
        &self.about
    }

    /// The name for people.
    pub fn label(&self) -> Option<&str> {
        self.about.label.as_deref()
    }

    /// Whether this was [read](Self::read) from a file that other users may read or write, of which
    /// a program should warn.
    ///
    /// Always false where files have no Unix permissions.
    pub fn permissions_too_open(&self) -> bool {
        self.permissions_too_open
    }
}

impl KeyFile {
    /// A file to be written, created now and without a label.
    pub fn new(secret: Secret) -> Self {
        let id = secret.id();
        Self::of(secret, id)
    }

    /// The secret.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The secret alone.
    pub fn into_secret(self) -> Secret {
        self.secret
    }
}

impl IdentityFile {
    /// A file to be written, created now and without a label.
    pub fn new(identity: Identity) -> Self {
        let recipient = identity.recipient();
        Self::of(identity.into_secret(), recipient)
    }

    /// The identity alone.
    pub fn into_identity(self) -> Identity {
        Identity::of_pair(self.secret, self.about.public)
    }
}

impl<K: Kind> fmt::Debug for SecretFile<K> {
    /// Shows what is public only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretFile").field("about", &self.about).finish_non_exhaustive()
    }
}

impl<K: Kind> StoredSecret<K> {
    /// Reads a file.
    ///
    /// # Errors
    /// Any of the errors of [`read_from`](Self::read_from), within [`Error::At`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let read = || {
            let file = File::open(path)?;
            let too_open = others_may_use(&file)?;
            let mut stored = Self::read_from(file)?;
            match &mut stored {
                Self::Open(file) => file.permissions_too_open = too_open,
                Self::Sealed(sealed) => sealed.permissions_too_open = too_open,
            }
            Ok(stored)
        };
        read().map_err(|error: Error| error.at(path))
    }

    /// Reads the text of a file, for example from standard input.
    ///
    /// # Errors
    /// - [`SecretFileError::Record`] when it is something else, damaged, or too large, which is
    ///   found before all is read;
    /// - [`SecretFileError::PublicHalf`] when its public half belongs to another secret;
    /// - [`SecretFileError::V1`] for key files of version 1 that are damaged;
    /// - [`Error::File`].
    pub fn read_from(reader: impl Read) -> Result<Self, Error> {
        // All room at once leaves no unwiped copies.
        let mut text = Zeroizing::new(vec![0; SecretFile::<K>::MAX_LEN + 1]);
        let len = read_capped(reader, &mut text)?;
        let fits = len <= SecretFile::<K>::MAX_LEN;
        let len = if fits { file::as_written(&mut text[..len]) } else { len };
        Ok(text::parse(&text[..len])?)
    }

    /// What the file says of its secret.
    pub fn about(&self) -> &About<K> {
        match self {
            Self::Open(file) => &file.about,
            Self::Sealed(sealed) => &sealed.about,
        }
    }

    /// Whether other users may read or write the file.
    pub fn permissions_too_open(&self) -> bool {
        match self {
            Self::Open(file) => file.permissions_too_open,
            Self::Sealed(sealed) => sealed.permissions_too_open,
        }
    }

    /// Whether the secret needs a passphrase.
    pub fn is_sealed(&self) -> bool {
        matches!(self, Self::Sealed(_))
    }
}

impl<K: Kind> SealedSecret<K> {
    /// Opens it. This takes about as long and as much memory as a guess costs an attacker.
    ///
    /// # Errors
    /// [`SecretFileError::WrongPassphrase`], also for a file that was damaged and given a new
    /// checksum, or [`SecretFileError::PublicHalf`].
    #[cfg(feature = "passphrase")]
    pub fn open(self, passphrase: &Passphrase) -> Result<SecretFile<K>, SecretFileError> {
        let secret = self.body.open(passphrase)?;
        let opened = text::checked(self.about, secret)?;
        Ok(SecretFile { permissions_too_open: self.permissions_too_open, ..opened })
    }
}

fn is_label(text: &str) -> bool {
    is_line(text, KeyFile::MAX_LABEL_LEN)
}

#[cfg(unix)]
fn others_may_use(file: &File) -> std::io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    const GROUP_AND_WORLD: u32 = 0o077;
    Ok(file.metadata()?.permissions().mode() & GROUP_AND_WORLD != 0)
}

#[cfg(not(unix))]
fn others_may_use(_: &File) -> std::io::Result<bool> {
    Ok(false)
}
