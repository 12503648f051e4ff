//! What comes first on a link, before any frame: who opens it names its process, and is told whether it is heard.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::claims::ProcessId;
use super::frames::{SILENCE, StreamError};

/// The answer to a process that names itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Answer {
    /// It is heard.
    Welcome = 1,
    /// Another process with its key is heard.
    Busy = 2,
}

impl Answer {
    fn of(byte: u8) -> Option<Self> {
        [Self::Welcome, Self::Busy].into_iter().find(|answer| *answer as u8 == byte)
    }
}

/// Names this process; what the peer answers.
pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    process: ProcessId,
) -> Result<Answer, StreamError> {
    let asked = async {
        stream.write_all(&process).await?;
        stream.flush().await?;
        stream.read_u8().await
    };
    let answer = timeout(SILENCE, asked).await.map_err(|_| StreamError::Silent)??;
    Answer::of(answer).ok_or_else(|| StreamError::Junk(format!("{answer} is no answer to a process's name")))
}

/// Hears what a peer's process calls itself.
pub(super) async fn hear<S: AsyncRead + Unpin>(stream: &mut S) -> Result<ProcessId, StreamError> {
    let mut process = ProcessId::default();
    timeout(SILENCE, stream.read_exact(&mut process)).await.map_err(|_| StreamError::Silent)??;
    Ok(process)
}

/// Answers it.
pub(super) async fn answer<S: AsyncWrite + Unpin>(stream: &mut S, answer: Answer) -> Result<(), StreamError> {
    let answered = async {
        stream.write_u8(answer as u8).await?;
        stream.flush().await
    };
    timeout(SILENCE, answered).await.map_err(|_| StreamError::Stuck)??;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::frames::StreamError;
    use super::{Answer, ProcessId, answer, ask, hear};

    #[tokio::test]
    async fn every_answer_is_one_of_two_or_junk() {
        for byte in 0..=u8::MAX {
            let (mut near, mut far) = tokio::io::duplex(64);
            let process: ProcessId = [byte; 16];
            let asked = async {
                assert_eq!(hear(&mut far).await.unwrap(), process);
                match Answer::of(byte) {
                    Some(known) => answer(&mut far, known).await.unwrap(),
                    None => tokio::io::AsyncWriteExt::write_u8(&mut far, byte).await.unwrap(),
                }
            };
            let (told, ()) = tokio::join!(ask(&mut near, process), asked);
            match byte {
                1 => assert_eq!(told.unwrap(), Answer::Welcome),
                2 => assert_eq!(told.unwrap(), Answer::Busy),
                _ => assert!(told.unwrap_err().is_fault()),
            }
        }
    }

    #[tokio::test]
    async fn a_name_cut_short_is_no_name() {
        for length in 0..16 {
            let bytes = [7; 16];
            assert!(matches!(hear(&mut &bytes[..length]).await, Err(StreamError::Io(_))));
        }
    }
}
