//! Passphrases that are asked for at a terminal.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::folder::Folder;

const SIGINT: i32 = 2;

fn echoes(terminal: &OwnedFd) -> bool {
    tcgetattr(terminal).unwrap().local_modes.contains(LocalModes::ECHO)
}

#[test]
fn ctrl_c_at_a_passphrase_prompt_leaves_the_terminal_as_it_was() {
    let folder = Folder::new();
    let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    unlockpt(&keyboard).unwrap();
    let name = ptsname(&keyboard, Vec::new()).unwrap();
    let terminal = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    let stream = || terminal.try_clone().unwrap();
    assert!(echoes(&terminal));

    // A session of its own, of which this is the terminal.
    let mut program = Command::new("setsid");
    program.current_dir(folder.path("")).args(["--ctty", env!("CARGO_BIN_EXE_saligate")]);
    program.args(["key", "new", "sealed.key", "--passphrase"]);
    program.stdin(stream()).stdout(stream()).stderr(stream());
    let mut program = program.spawn().unwrap();
    let mut waits = 0..500;
    while echoes(&terminal) {
        waits.next().expect("the prompt comes within 10 seconds");
        sleep(Duration::from_millis(20));
    }
    rustix::io::write(&keyboard, b"secr\x03").map_err(io::Error::from).unwrap();
    assert_eq!(program.wait().unwrap().signal(), Some(SIGINT));
    assert!(echoes(&terminal));
    assert!(!folder.path("sealed.key").exists());
}
