//! Reading files with secrets, and passphrases.

use std::fs::File;
use std::io::{self, IsTerminal, stdin};
use std::path::{Path, PathBuf};

use saligate_keys::{Error, KeyFile, Kind, Passphrase, SecretFile, SecretFileError, StoredSecret};
use zeroize::Zeroizing;

use crate::{Failure, emit, outputs};

/// Reads a key file, with a warning where others can read it too.
pub fn key(path: &Path, passphrase_file: Option<&Path>) -> Result<KeyFile, Failure> {
    opened(stored(path)?, path, passphrase_file)
}

/// Reads several key files.
pub fn keys(paths: &[PathBuf], passphrase_file: Option<&Path>) -> Result<Vec<KeyFile>, Failure> {
    paths.iter().map(|path| key(path, passphrase_file)).collect()
}

/// Reads a file that may be sealed, without opening it, with a warning where others can read it too.
pub fn stored<K: Kind>(path: &Path) -> Result<StoredSecret<K>, Failure> {
    let stored = StoredSecret::read(path)?;
    if stored.permissions_too_open() {
        eprintln!("warning: others can read {}; try: chmod 600", path.display());
    }
    Ok(stored)
}

/// Opens what was [`stored`] at a path, which may take a passphrase.
pub fn opened<K: Kind>(
    stored: StoredSecret<K>,
    path: &Path,
    passphrase_file: Option<&Path>,
) -> Result<SecretFile<K>, Failure> {
    match stored {
        StoredSecret::Open(file) => Ok(file),
        StoredSecret::Sealed(sealed) => {
            let passphrase = match passphrase_file {
                Some(file) => from_file(file)?,
                None if stdin().is_terminal() => {
                    Passphrase::new(prompt(&format!("Passphrase of {}: ", path.display()))?)?
                }
                None => {
                    return Err(Failure::from(SecretFileError::Sealed)
                        .in_file(path)
                        .hint("--passphrase-file FILE, or run this at a terminal"));
                }
            };
            sealed.open(&passphrase).map_err(|error| Failure::from(error).in_file(path))
        }
    }
}

/// Whether a new file is sealed with a passphrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seal {
    /// It is not.
    No,
    /// With one that is asked for at the terminal.
    Ask,
    /// With the one in this file; - is standard input.
    FromFile(PathBuf),
}

/// What is sealed anew.
#[derive(Clone, Debug)]
pub struct Resealing<'a> {
    /// The file that is read.
    pub file: &'a Path,
    /// The file that is written; must not exist.
    pub new: &'a Path,
    /// File with the passphrase of the new one; asked for where absent.
    pub passphrase_file: Option<&'a Path>,
    /// File with the passphrase of the old one, if it is sealed; asked for where absent.
    pub old_passphrase_file: Option<&'a Path>,
}

/// Writes a new file, sealed if that is asked for.
pub fn write_new<K: Kind>(file: &SecretFile<K>, path: &Path, seal: &Seal) -> Result<(), Failure> {
    let passphrase = match seal {
        Seal::No => return Ok(file.write_new(path)?),
        Seal::Ask => new_passphrase()?,
        Seal::FromFile(file) => from_file(file)?,
    };
    Ok(file.write_new_sealed(path, &passphrase)?)
}

/// Writes a sealed copy of a file.
pub fn protect<K: Kind>(what: &Resealing<'_>) -> Result<(), Failure> {
    let Resealing { file, new, passphrase_file, old_passphrase_file } = *what;
    outputs::check_new(new)?;
    let is_input = |file: Option<&Path>| file == Some(Path::new("-"));
    if is_input(passphrase_file) && is_input(old_passphrase_file) {
        return Err(Failure::new("standard input cannot hold both passphrases")
            .hint("a file for one of them"));
    }
    let stored = stored::<K>(file)?;
    if stored.is_sealed() && old_passphrase_file.is_none() && !stdin().is_terminal() {
        return Err(Failure::from(SecretFileError::Sealed)
            .in_file(file)
            .hint("--old-passphrase-file FILE, or run this at a terminal"));
    }
    let secret = opened(stored, file, old_passphrase_file)?;
    let passphrase = passphrase_file.map_or_else(new_passphrase, from_file)?;
    secret.write_new_sealed(new, &passphrase)?;
    emit(&format!(
        "wrote {}, sealed; {} is as it was: remove it once the new one works",
        new.display(),
        file.display()
    ))
}

fn new_passphrase() -> Result<Passphrase, Failure> {
    let (first, second) = (prompt("New passphrase: ")?, prompt("The same again: ")?);
    if *first != *second {
        return Err(Failure::new("the two passphrases differ").hint("again"));
    }
    Ok(Passphrase::new(first)?)
}

fn from_file(path: &Path) -> Result<Passphrase, Failure> {
    let file = if path == Path::new("-") { standard_input() } else { File::open(path) };
    let read = file.map_err(Error::from).and_then(Passphrase::read_from);
    read.map_err(|error| {
        Failure::new(format!("{}: cannot read the passphrase: {error}", path.display()))
    })
}

/// Standard input without a buffer, in which a passphrase would stay.
#[cfg(unix)]
fn standard_input() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(stdin().as_fd().try_clone_to_owned()?.into())
}

#[cfg(windows)]
fn standard_input() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(stdin().as_handle().try_clone_to_owned()?.into())
}

fn prompt(question: &str) -> Result<Zeroizing<String>, Failure> {
    if !stdin().is_terminal() {
        return Err(Failure::new("there is no terminal to ask for the passphrase at")
            .hint("--passphrase-file FILE"));
    }
    ask(question)
        .map(Zeroizing::new)
        .map_err(|error| Failure::new(format!("cannot ask for the passphrase: {error}")))
}

/// Asks at the terminal. Ctrl-C ends the program as ever, but only once the terminal shows what is
/// typed again: rpassword raises the signal while it still does not.
#[cfg(unix)]
fn ask(question: &str) -> io::Result<String> {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, OnceLock};

    use signal_hook::consts::SIGINT;
    use signal_hook::{flag, low_level};

    // One for all prompts: a handler stays registered when its prompt is over.
    static SIGNAL_ENDS: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    let signal_ends = SIGNAL_ENDS.get_or_init(Arc::default);
    signal_ends.store(false, Ordering::SeqCst);
    flag::register_conditional_default(SIGINT, Arc::clone(signal_ends))?;
    let answer = rpassword::prompt_password(question);
    signal_ends.store(true, Ordering::SeqCst);
    if answer.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {
        low_level::raise(SIGINT)?;
    }
    answer
}

#[cfg(not(unix))]
fn ask(question: &str) -> io::Result<String> {
    rpassword::prompt_password(question)
}
