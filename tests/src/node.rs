//! A `dgt` process in a folder of its own. Everything is waited for by an event: a line, an end of file, an exit.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::binary::{self, Ran, run};
use crate::client::Client;

/// How long a process may say nothing before a test fails.
const PATIENCE: Duration = Duration::from_secs(120);
/// The last line of the greeting: the node serves.
const SERVING: &str = "Ctrl-C stops the node.";

/// A node's folder, removed with the test.
pub struct Home {
    folder: Arc<TempDir>,
    place: PathBuf,
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

impl Home {
    /// An empty folder.
    pub fn new() -> Self {
        Self::within(&folder(), "c1/dgt1")
    }

    /// A node's folder at a place in a folder that several share.
    pub fn within(folder: &Arc<TempDir>, place: impl AsRef<Path>) -> Self {
        Self { folder: folder.clone(), place: place.as_ref().to_owned() }
    }

    /// The folder that `--home` names.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(&self.place)
    }

    /// The folder of the four files.
    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// One of the four files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.data().join(name)
    }

    /// A place for what the test itself writes.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A `dgt` command with this folder as the user's home and as working directory.
    pub fn command(&self) -> Command {
        self.at_home(binary::dgt())
    }

    fn at_home(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("HOME", self.folder.path()).current_dir(self.folder.path()).env_remove("DGT_API_URL");
        command
    }

    /// Runs a `dgt` command to its end.
    pub fn dgt<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ran {
        run(self.command().args(arguments))
    }

    /// Starts a node here.
    pub fn start(&self) -> Node {
        Start::new(self).serve()
    }

    /// Starts a node here that must refuse; its words on standard error.
    pub fn refusal(&self) -> String {
        Start::new(self).refusal()
    }

    /// What `dgt digest` prints of each of the four files of a stopped node: the digest alone, in the order of
    /// [`crate::lmdb::FILES`].
    pub fn digests(&self) -> [String; 4] {
        crate::lmdb::FILES.map(|name| {
            let printed = self.dgt([OsStr::new("digest"), self.file(name).as_os_str()]).ok();
            printed.split_whitespace().next().expect("a digest").to_owned()
        })
    }
}

/// How to start a node.
pub struct Start {
    command: Command,
    home: PathBuf,
}

impl Start {
    /// `dgt start` in a folder, with an API port that the system chooses.
    pub fn new(home: &Home) -> Self {
        Self::under(home, &[])
    }

    /// The same, run by another program such as strace: its words come first.
    pub fn under(home: &Home, wrapper: &[OsString]) -> Self {
        Self::command(home, wrapper, &["--api", "127.0.0.1:0"])
    }

    /// `dgt start` in a folder, listening where its settings say, run by another program if there are words of one.
    pub fn as_settled(home: &Home, wrapper: &[OsString]) -> Self {
        Self::command(home, wrapper, &[])
    }

    fn command(home: &Home, wrapper: &[OsString], arguments: &[&str]) -> Self {
        let mut command = match wrapper.split_first() {
            None => home.command(),
            Some((program, words)) => {
                let mut command = home.at_home(program);
                command.args(words).arg(binary::dgt());
                command
            }
        };
        command.arg("start").args(arguments).arg("--home").arg(home.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, home: home.path() }
    }

    /// With one more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Starts the process, and does not wait until it serves.
    pub fn spawn(mut self) -> Process {
        let mut child = self.command.spawn().unwrap_or_else(|error| panic!("{:?}: {error}", self.command));
        let stdout = lines(child.stdout.take().expect("invariant: piped"));
        let stderr = lines(child.stderr.take().expect("invariant: piped"));
        Process { child, stdout, stderr, seen: String::new(), home: self.home }
    }

    /// Starts a node that must come to serve.
    pub fn serve(self) -> Node {
        self.spawn().serving().unwrap_or_else(|ended| panic!("the node did not start: {ended:?}"))
    }

    /// Starts a node that must refuse; its words on standard error.
    pub fn refusal(self) -> String {
        match self.spawn().serving() {
            Ok(node) => panic!("the node starts: {:?}", node.greeting()),
            Err(ended) => ended.failed(1),
        }
    }
}

/// A process that may not serve yet.
pub struct Process {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    /// Lines of standard error that were waited through.
    seen: String,
    home: PathBuf,
}

impl Process {
    /// Waits until the node serves, or has ended.
    ///
    /// # Errors
    /// What the process left, when it ended first.
    pub fn serving(mut self) -> Result<Node, Ran> {
        let mut greeting = Vec::new();
        loop {
            match self.stdout.recv_timeout(PATIENCE) {
                Ok(line) if line == SERVING => break,
                Ok(line) => greeting.push(line),
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended(greeting.join("\n"))),
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    panic!("the node says nothing: {:?}", self.ended(greeting.join("\n")));
                }
            }
        }
        let url = greeting.iter().find_map(|line| line.trim().strip_prefix("API"));
        let url = url.unwrap_or_else(|| panic!("no API address in {greeting:?}")).trim().to_owned();
        let pid =
            std::fs::read_to_string(self.home.join("data/node.lock")).expect("a running node's lock file");
        let pid = pid.trim().parse().ok().and_then(Pid::from_raw).expect("a process id in node.lock");
        Ok(Node { client: Client::new(&url), process: self, greeting, pid })
    }

    /// Waits for a line of standard error that has these words.
    pub fn await_warning(&mut self, words: &str) {
        loop {
            let line = self.stderr.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no {words:?} in {}", self.seen));
            self.seen += &format!("{line}\n");
            if line.contains(words) {
                return;
            }
        }
    }

    /// Ends the process as `kill -9` does.
    pub fn kill(mut self) {
        self.child.kill().expect("killing the process");
        self.ended(String::new());
    }

    /// Waits for both outputs to end, and with them the process.
    fn ended(&mut self, mut stdout: String) -> Ran {
        let mut stderr = std::mem::take(&mut self.seen);
        for (lines, text) in [(&self.stdout, &mut stdout), (&self.stderr, &mut stderr)] {
            loop {
                match lines.recv_timeout(PATIENCE) {
                    Ok(line) => *text += &format!("{line}\n"),
                    Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => panic!("the process does not end: {text}"),
                }
            }
        }
        let status = self.child.wait().expect("the exit status");
        Ran { code: status.code(), stdout, stderr }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A node that serves. Dropping it kills it.
pub struct Node {
    process: Process,
    greeting: Vec<String>,
    client: Client,
    pid: Pid,
}

impl Node {
    /// What it said when it came up, line by line.
    pub fn greeting(&self) -> &[String] {
        &self.greeting
    }

    /// A client of it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Stops it with SIGTERM, which must succeed; its words on standard error.
    pub fn stop(self) -> String {
        self.stop_by(Signal::TERM)
    }

    /// Stops it with a signal, which must succeed; its words on standard error.
    pub fn stop_by(mut self, signal: Signal) -> String {
        self.signal(signal);
        let ended = self.process.ended(String::new());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.stderr
    }

    /// Stops it with SIGTERM; what it left, whatever its exit code is.
    pub fn terminate(self) -> Ran {
        self.signal(Signal::TERM);
        self.await_end()
    }

    /// Waits until it ends by itself; what it left.
    pub fn await_end(mut self) -> Ran {
        self.process.ended(String::new())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).expect("sending the signal");
    }

    /// Ends it with `kill -9`; its words on standard error.
    pub fn kill(mut self) -> String {
        self.signal(Signal::KILL);
        self.process.ended(String::new()).stderr
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A tracer that is killed lets its node live on.
        if matches!(self.process.child.try_wait(), Ok(None)) {
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }
}

/// An empty folder, removed with the test.
pub fn folder() -> Arc<TempDir> {
    Arc::new(TempDir::with_prefix("dgt-").expect("a temporary folder"))
}

/// The lines of a stream, read by a thread of their own so that the process never waits for its reader.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Copies the four files into a folder.
pub fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("making the folder");
    for name in crate::lmdb::FILES {
        std::fs::copy(from.join(name), to.join(name))
            .unwrap_or_else(|error| panic!("copying {name}: {error}"));
    }
}
