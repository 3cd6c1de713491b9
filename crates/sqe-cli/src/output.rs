//! Standard output with a buffer, which remembers why a write failed: the formats between it and
//! the caller turn an IO error into text.

use std::io::{self, BufWriter, Stdout, Write};

use crate::error::{Error, Result};

const BUFFER_BYTES: usize = 64 << 10;

pub(crate) struct Output<W: Write = Stdout> {
    inner: BufWriter<W>,
    failure: Option<io::Error>,
}

impl Output {
    pub(crate) fn stdout() -> Self {
        Self::new(io::stdout())
    }
}

impl<W: Write> Output<W> {
    fn new(inner: W) -> Self {
        Self { inner: BufWriter::with_capacity(BUFFER_BYTES, inner), failure: None }
    }

    /// Writes out what is buffered. Errors: the first failure of any write since the last call.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let flushed = self.inner.flush();
        match self.failure.take() {
            Some(failure) => Err(Error::Write(failure)),
            None => flushed.map_err(Error::Write),
        }
    }

    fn remember<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            let kind = error.kind();
            if kind != io::ErrorKind::Interrupted {
                self.failure.get_or_insert(error);
            }
            kind.into()
        })
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.inner.write(bytes);
        self.remember(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.inner.flush();
        self.remember(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn closed_pipe_is_remembered() {
        let mut output = Output::new(Closed);
        assert!(output.write_all(&vec![b'x'; 2 * BUFFER_BYTES]).is_err());
        let error = output.finish().expect_err("the write failed");
        assert!(error.is_broken_pipe());
    }
}
