//! The one thread that starts children.
//!
//! A child asks to die with its parent, and to the kernel the parent is the *thread* that started it. Threads of the
//! runtime come and go (a worker that blocked is retired), and each would take its children along. So children are
//! started by a thread that lives as long as the process.

use std::io;
use std::sync::{Mutex, PoisonError};

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

struct Request {
    command: Command,
    runtime: Handle,
    answer: oneshot::Sender<io::Result<Child>>,
}

/// Starts take about a millisecond; more than this waiting means that the host is out of processes, and the askers wait.
const WAITING: usize = 16;

static LAUNCHER: Mutex<Option<mpsc::Sender<Request>>> = Mutex::new(None);

/// Starts `command` from the launcher thread, for the runtime of the caller.
pub(super) async fn spawn(command: Command) -> io::Result<Child> {
    let launcher = launcher()?;
    let (answer, started) = oneshot::channel();
    let request = Request { command, runtime: Handle::current(), answer };
    let gone = || io::Error::other("the launcher thread is gone");
    launcher.send(request).await.map_err(|_| gone())?;
    started.await.map_err(|_| gone())?
}

/// The way to the thread, which is started at first use and again should it ever have ended.
fn launcher() -> io::Result<mpsc::Sender<Request>> {
    let mut slot = LAUNCHER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(launcher) = slot.as_ref().filter(|launcher| !launcher.is_closed()) {
        return Ok(launcher.clone());
    }
    let (sender, receiver) = mpsc::channel(WAITING);
    std::thread::Builder::new().name("child-launcher".into()).spawn(move || serve(receiver))?;
    *slot = Some(sender.clone());
    Ok(sender)
}

fn serve(mut requests: mpsc::Receiver<Request>) {
    while let Some(mut request) = requests.blocking_recv() {
        let _runtime = request.runtime.enter();
        let child = request.command.spawn();
        // A caller that has gone meanwhile drops the child, which kills it.
        let _unclaimed = request.answer.send(child);
    }
}
