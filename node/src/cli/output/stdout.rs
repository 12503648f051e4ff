use std::io::{self, ErrorKind, Write};

/// Standard output that remembers whether its reader went away, as `head` does.
pub(in crate::cli) struct Stdout {
    stdout: io::Stdout,
    is_closed: bool,
}

impl Stdout {
    /// The process's standard output.
    pub(in crate::cli) fn new() -> Self {
        Self { stdout: io::stdout(), is_closed: false }
    }

    /// Whether the reader went away. What fails then is no failure of the command.
    pub(in crate::cli) fn is_closed(&self) -> bool {
        self.is_closed
    }

    fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        self.is_closed |= result.as_ref().is_err_and(|error| error.kind() == ErrorKind::BrokenPipe);
        result
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.stdout.write(bytes);
        self.note(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.stdout.flush();
        self.note(flushed)
    }
}
