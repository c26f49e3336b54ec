//! `saligate revoke`: mark a licence, and take its key out of the model.

use std::path::{Path, PathBuf};

use saligate_console::{Failure, emit, outputs, shown};
use saligate_files::ModelFile;
use saligate_keys::{Error, KeyId, Ledger, LedgerError, LedgerWriter};
use serde_json::json;

use crate::args::RevokeArgs;
use crate::shared::licenses;

pub(crate) fn run(args: &RevokeArgs) -> Result<(), Failure> {
    let path = ledger(args)?;
    #[cfg(feature = "lock")]
    let new = args.out.as_deref();
    // A program for devices writes no models.
    #[cfg(not(feature = "lock"))]
    let new: Option<&Path> = None;
    let read = args.model.as_deref().into_iter().chain([path.as_path()]);
    #[cfg(feature = "lock")]
    let secrets = args.key.iter().chain(&args.secrets.passphrase_file).map(PathBuf::as_path);
    #[cfg(not(feature = "lock"))]
    let secrets = std::iter::empty();
    outputs::check(new, read.chain(secrets))?;
    let folder = new.and_then(Path::parent).filter(|folder| *folder != Path::new(""));
    if let Some(missing) = folder.filter(|folder| !folder.is_dir()) {
        return Err(Failure::new(format!("there is no folder {}", missing.display()))
            .hint("make it first, or choose another name"));
    }
    // Before anything is entered.
    let model = args.model.as_deref().map(Subject::open).transpose()?;
    let mut writer = LedgerWriter::open_existing(&path)?;
    let serial = args.serial;
    let issued = writer.ledger().get(serial).ok_or(LedgerError::Serial { serial })?;
    issued.verify().map_err(|error| Failure::from(error).in_file(&path))?;
    let key = issued.claims().key;
    #[cfg(feature = "lock")]
    let closed = match (&model, new) {
        (Some(model), Some(new)) => Some((model.without(&key, args)?, new)),
        _ => None,
    };
    #[cfg(not(feature = "lock"))]
    let closed: Option<(ModelFile, &Path)> = None;
    let revoked = writer.revoke(serial);
    if revoked.is_ok() {
        licenses::tell_of_torn(&writer, &path);
    }
    let is_new = match revoked {
        Ok(_) => true,
        // Whoever asks again may have lost the command, or the new model.
        Err(Error::Ledger(LedgerError::AlreadyRevoked { .. })) => false,
        Err(error) => return Err(error.into()),
    };
    if let Some((closed, new)) = &closed {
        closed.save(new)?;
    }
    let written = closed.map(|(_, new)| new);
    let report = Report { args, ledger: writer.ledger(), path: &path, key, is_new, written };
    report.print(model.as_ref())?;
    match revoked {
        Err(error) if written.is_none() => Err(error.into()),
        _ => Ok(()),
    }
}

/// The ledger that is named, or the only one in the working folder.
fn ledger(args: &RevokeArgs) -> Result<PathBuf, Failure> {
    if let Some(path) = &args.ledger {
        return Ok(path.clone());
    }
    let entries = std::fs::read_dir(".").into_iter().flatten().flatten();
    let paths = entries.map(|entry| PathBuf::from(entry.file_name()));
    let ledgers: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|e| e == "ledger")).collect();
    match &ledgers[..] {
        [only] => Ok(only.clone()),
        [] => Err(Failure::new("there is no ledger here").hint("--ledger FILE")),
        _ => Err(Failure::new("there are several ledgers here").hint("--ledger FILE")),
    }
}

/// A model that a licence was issued for.
struct Subject<'a> {
    path: &'a Path,
    #[cfg(feature = "lock")]
    file: ModelFile,
    keys: Vec<KeyId>,
    is_sealed: bool,
}

impl<'a> Subject<'a> {
    fn open(path: &'a Path) -> Result<Self, Failure> {
        let file = ModelFile::open(path)?;
        let gate = file.manifest().gate.as_ref().ok_or_else(|| {
            Failure::no("this model has no gate, and so no key to take out").in_file(path)
        })?;
        let keys = gate.keys.clone();
        let is_sealed = file.manifest().sealed.is_some();
        Ok(Self {
            path,
            #[cfg(feature = "lock")]
            file,
            keys,
            is_sealed,
        })
    }

    #[cfg(feature = "lock")]
    fn without(&self, key: &KeyId, args: &RevokeArgs) -> Result<ModelFile, Failure> {
        use crate::shared::sealing::Unsealed;

        match Unsealed::open(&self.file, self.path, &args.key, args.secrets.file())? {
            None => self.closed(self.file.clone(), key),
            Some(unsealed) => {
                let truth = self.closed(unsealed.truth.clone(), key)?;
                unsealed.sealed_again(None, &truth, unsealed.precision())
            }
        }
    }

    #[cfg(feature = "lock")]
    fn closed(&self, model: ModelFile, key: &KeyId) -> Result<ModelFile, Failure> {
        use saligate_lock::LockError;
        saligate_lock::revoke(model, key).map_err(|error| match error {
            LockError::UnknownKey { .. } | LockError::OnlyKey { .. } => {
                Failure::no(error.to_string()).in_file(self.path)
            }
            error => Failure::new(error.to_string()).in_file(self.path),
        })
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> Result<String, Failure> {
    let text = path.to_string_lossy();
    let quoted = shlex::try_quote(&text);
    quoted.map(Into::into).map_err(|error| Failure::new(error.to_string()).in_file(path))
}

/// What was done.
struct Report<'a> {
    args: &'a RevokeArgs,
    ledger: &'a Ledger,
    path: &'a Path,
    key: KeyId,
    is_new: bool,
    written: Option<&'a Path>,
}

impl Report<'_> {
    fn print(&self, model: Option<&Subject<'_>>) -> Result<(), Failure> {
        let Self { args, ledger, key, .. } = self;
        let others = ledger.of_key(key).filter(|issued| issued.revoked.is_none());
        let others: Vec<u32> = others.map(|issued| issued.claims().serial).collect();
        let opens = model.map(|model| model.keys.contains(key));
        let is_only = model.is_some_and(|model| model.keys[..] == [*key]);
        let name = model.map_or(Ok("MODEL".to_owned()), |model| quoted(model.path))?;
        let key_file = model.filter(|model| model.is_sealed).map_or("", |_| " --key FILE");
        let command = format!(
            "saligate revoke {} --ledger {} --model {name}{key_file} -o NEW.onnx",
            args.serial,
            quoted(self.path)?
        );
        let is_left = opens != Some(false) && !is_only && self.written.is_none();
        let command = is_left.then_some(command);
        if args.json {
            let line = json!({
                "schema": 1,
                "serial": args.serial,
                "key": key,
                "opens": opens,
                "shared_with": others,
                "command": command,
                "out": self.written.map(shown),
            });
            return emit(&line.to_string());
        }
        if self.is_new {
            emit(&format!("licence {} is revoked, from now on in the ledger", args.serial))?;
        }
        match (command, self.written) {
            (_, Some(new)) => {
                emit(&format!("wrote {}, which its key {key} does not open", new.display()))?;
                emit("sign and compile the new model again, and ship it")?;
            }
            (Some(command), _) => {
                emit(&format!("its key {key} opens the model until it is taken out:"))?;
                emit(&format!("  {command}"))?;
                emit("then sign and compile the new model again, and ship it")?;
            }
            _ if is_only => emit(&format!(
                "its key {key} is the only one of the model: lock the clean model anew with another \
                 key file and --slots, and issue new licences"
            ))?,
            _ => emit(&format!("its key {key} does not open {name}, which stays as it is"))?,
        }
        if others.is_empty() {
            return Ok(());
        }
        let others: Vec<_> = others.iter().map(u32::to_string).collect();
        let shared = ledger.of_key(key).any(|issued| issued.shared);
        let why = if shared { "the key is shared" } else { "renewals have the same key" };
        emit(&format!("{why}: this also ends licence {}", others.join(", ")))?;
        match model {
            None if shared => emit(
                "where it is the model's only key, lock the clean model anew instead, with --slots, \
                 and issue new licences",
            ),
            _ => Ok(()),
        }
    }
}
