//! Reading files with secrets, and passphrases.

use std::fs::File;
use std::io::{self, IsTerminal, stdin};
use std::path::{Path, PathBuf};

use saligate_keys::{Error, KeyFile, Kind, Passphrase, SecretFile, SecretFileError, StoredSecret};
use zeroize::Zeroizing;

use crate::args::{PassphraseArgs, ProtectArgs, SealArgs};
use crate::error::CliError;
use crate::{emit, outputs};

/// Reads a key file, with a warning where others can read it too.
pub(crate) fn key(path: &Path, args: &PassphraseArgs) -> Result<KeyFile, CliError> {
    opened(stored(path)?, path, args)
}

/// Reads several key files.
pub(crate) fn keys(paths: &[PathBuf], args: &PassphraseArgs) -> Result<Vec<KeyFile>, CliError> {
    paths.iter().map(|path| key(path, args)).collect()
}

/// Reads a file that may be sealed, without opening it, with a warning where others can read it too.
pub(crate) fn stored<K: Kind>(path: &Path) -> Result<StoredSecret<K>, CliError> {
    let stored = StoredSecret::read(path)?;
    if stored.permissions_too_open() {
        eprintln!("saligate: warning: others can read {}; try: chmod 600", path.display());
    }
    Ok(stored)
}

/// Opens what was [`stored`] at a path, which may take a passphrase.
pub(crate) fn opened<K: Kind>(
    stored: StoredSecret<K>,
    path: &Path,
    args: &PassphraseArgs,
) -> Result<SecretFile<K>, CliError> {
    match stored {
        StoredSecret::Open(file) => Ok(file),
        StoredSecret::Sealed(sealed) => {
            let passphrase = match &args.passphrase_file {
                Some(file) => from_file(file)?,
                None if stdin().is_terminal() => {
                    Passphrase::new(prompt(&format!("Passphrase of {}: ", path.display()))?)?
                }
                None => {
                    return Err(CliError::from(SecretFileError::Sealed)
                        .in_file(path)
                        .hint("--passphrase-file FILE, or run this at a terminal"));
                }
            };
            sealed.open(&passphrase).map_err(|error| CliError::from(error).in_file(path))
        }
    }
}

/// Writes a new file, sealed if that is asked for.
pub(crate) fn write_new<K: Kind>(
    file: &SecretFile<K>,
    path: &Path,
    seal: &SealArgs,
) -> Result<(), CliError> {
    let passphrase = match (&seal.passphrase_file, seal.passphrase) {
        (Some(file), _) => from_file(file)?,
        (None, true) => new_passphrase()?,
        (None, false) => return Ok(file.write_new(path)?),
    };
    Ok(file.write_new_sealed(path, &passphrase)?)
}

/// Writes a sealed copy of a file.
pub(crate) fn protect<K: Kind>(args: &ProtectArgs) -> Result<(), CliError> {
    let ProtectArgs { file, new, passphrase_file, old_passphrase_file } = args;
    outputs::check_new(new)?;
    let is_input = |file: &Option<PathBuf>| file.as_deref() == Some(Path::new("-"));
    if is_input(passphrase_file) && is_input(old_passphrase_file) {
        return Err(CliError::new("standard input cannot hold both passphrases")
            .hint("a file for one of them"));
    }
    let stored = stored::<K>(file)?;
    if stored.is_sealed() && old_passphrase_file.is_none() && !stdin().is_terminal() {
        return Err(CliError::from(SecretFileError::Sealed)
            .in_file(file)
            .hint("--old-passphrase-file FILE, or run this at a terminal"));
    }
    let old = PassphraseArgs { passphrase_file: old_passphrase_file.clone() };
    let secret = opened(stored, file, &old)?;
    let passphrase = passphrase_file.as_deref().map_or_else(new_passphrase, from_file)?;
    secret.write_new_sealed(new, &passphrase)?;
    emit(&format!(
        "wrote {}, sealed; {} is as it was: remove it once the new one works",
        new.display(),
        file.display()
    ))
}

fn new_passphrase() -> Result<Passphrase, CliError> {
    let (first, second) = (prompt("New passphrase: ")?, prompt("The same again: ")?);
    if *first != *second {
        return Err(CliError::new("the two passphrases differ").hint("again"));
    }
    Ok(Passphrase::new(first)?)
}

fn from_file(path: &Path) -> Result<Passphrase, CliError> {
    let file = if path == Path::new("-") { standard_input() } else { File::open(path) };
    let read = file.map_err(Error::from).and_then(Passphrase::read_from);
    read.map_err(|error| {
        CliError::new(format!("{}: cannot read the passphrase: {error}", path.display()))
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

fn prompt(question: &str) -> Result<Zeroizing<String>, CliError> {
    if !stdin().is_terminal() {
        return Err(CliError::new("there is no terminal to ask for the passphrase at")
            .hint("--passphrase-file FILE"));
    }
    ask(question)
        .map(Zeroizing::new)
        .map_err(|error| CliError::new(format!("cannot ask for the passphrase: {error}")))
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
