//! What ends a program when the test process is killed, so that nothing is ever dropped?
//!
//! Linux sends a signal to a program once the thread that started it has ended (`PR_SET_PDEATHSIG`, set here by `setpriv`). So a
//! thread that never ends starts what is to live as long as the process.

use std::io::Result;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::process::Process;

type Order = (Command, Sender<Result<Process>>);

/// A command for a program that is killed once the thread that started it ends.
pub(crate) fn mortal(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

/// Starts a program from the thread that never ends.
pub(crate) fn start(command: Command) -> Process {
    static THREAD: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    let thread = THREAD.get_or_init(|| {
        let (orders, taken) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, reply) in taken {
                let _ = reply.send(Process::attempt(&mut command));
            }
        });
        Mutex::new(orders)
    });
    let said = format!("{command:?}");
    let (reply, started) = channel();
    thread
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send((command, reply))
        .expect("the thread never ends");
    let process = started.recv().expect("the thread never ends");
    process.unwrap_or_else(|error| panic!("{said}: {error}"))
}

/// Deletes a folder once this process has ended, however it does: a pipe closes then.
pub(crate) fn delete_at_the_end(folder: &Path) {
    let mut shell = Command::new("sh");
    shell
        .args([
            "-c",
            "trap '' INT TERM HUP; read -r never; sleep 1; exec rm -rf \"$1\"",
            "sh",
        ])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let child = shell.spawn().unwrap_or_else(|error| panic!("{shell:?}: {error}"));
    // Neither waited for nor dropped: its end of the pipe is to stay open.
    std::mem::forget(child);
}
