//! The process or the input with which an ephemeral server ends.

use std::io::{ErrorKind, Read};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, getppid};
use tokio::sync::watch;

/// The interval between two looks for the parent.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// The size of one read of standard input, in bytes. The content has no meaning.
const READ_BYTES: usize = 4096;

/// The process or the input with which the server ends.
pub(super) enum Owner {
    /// The parent that the process had at its start; `None` for one in another name space, whose end cannot be seen.
    Parent(Option<Pid>),
    /// Standard input. The sender is dropped when it ends.
    Input(watch::Receiver<()>),
}

impl Owner {
    /// Returns standard input. A thread reads it to its end.
    pub(super) fn input() -> std::io::Result<Self> {
        let (sender, ended) = watch::channel(());
        let read = move || {
            read_to_end();
            drop(sender);
        };
        thread::Builder::new().name("stdin".to_owned()).spawn(read)?;
        Ok(Self::Input(ended))
    }

    /// Waits for the end. Once it has come, every further call returns at once.
    ///
    /// A process whose parent ends gets another one in the same moment, so the parent's id tells the end also if it came
    /// before the first look. The kernel's signal for a parent's death is not used: it comes when the *thread* ends that
    /// started this process.
    pub(super) async fn end(&mut self) {
        match self {
            Self::Parent(None) => std::future::pending().await,
            Self::Parent(parent) => {
                while getppid() == *parent {
                    tokio::time::sleep(LOOK_INTERVAL).await;
                }
            }
            Self::Input(ended) => while ended.changed().await.is_ok() {},
        }
    }
}

/// Reads standard input to its end. An input that cannot be read has ended.
fn read_to_end() {
    let mut buffer = [0; READ_BYTES];
    let mut input = std::io::stdin().lock();
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return,
            Err(cause) if cause.kind() != ErrorKind::Interrupted => return,
            Ok(_) | Err(_) => {}
        }
    }
}
