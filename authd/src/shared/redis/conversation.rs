//! How do many ask over one connection? Questions are sent as they come, and answers come in the order of the questions.

use std::collections::VecDeque;

use tokio::sync::{mpsc, oneshot};

use super::connection::Connection;
use super::failure::{Failure, answered};
use super::resp::Reply;

/// How many questions may wait to be sent.
const MOST_WAITING: usize = 1024;

/// A connection that is asked by many.
#[derive(Clone, Debug)]
pub(super) struct Conversation {
    questions: mpsc::Sender<Question>,
}

/// A command, and who waits for what is answered.
#[derive(Debug)]
struct Question {
    command: Vec<u8>,
    answer: Option<oneshot::Sender<Result<Reply, Failure>>>,
}

impl Conversation {
    /// Begins one; it goes on for as long as the future is polled, which says why it ended.
    pub(super) fn begin(connection: Connection) -> (Self, impl Future<Output = Failure>) {
        let (questions, asked) = mpsc::channel(MOST_WAITING);
        (Self { questions }, talk(connection, asked))
    }

    /// Asks, and waits for the answer.
    pub(super) async fn ask(&self, command: Vec<u8>) -> Result<Reply, Failure> {
        let (answer, answered) = oneshot::channel();
        let answer = Some(answer);
        let sent = self.questions.send(Question { command, answer }).await;
        sent.map_err(|_| Failure::Lost)?;
        answered.await.map_err(|_| Failure::Lost)?
    }

    /// Says something without waiting. It is not said where too much waits already.
    pub(super) fn tell(&self, command: Vec<u8>) {
        let _ = self.questions.try_send(Question { command, answer: None });
    }
}

async fn talk(mut connection: Connection, mut asked: mpsc::Receiver<Question>) -> Failure {
    let mut waiting = VecDeque::new();
    loop {
        tokio::select! {
            question = asked.recv() => {
                let Some(Question { command, answer }) = question else { return Failure::Lost };
                if let Err(failure) = connection.say(&command).await {
                    return failure;
                }
                waiting.push_back(answer);
            }
            reply = connection.hear() => {
                let reply = match reply {
                    Ok(reply) => answered(reply, &connection.server),
                    Err(failure) => return failure,
                };
                // An answer that nobody asked for: whatever follows could be anybody's.
                let Some(answer) = waiting.pop_front() else { return Failure::Nonsense };
                let ending = match &reply {
                    Err(failure @ (Failure::Unfit(_) | Failure::Elsewhere(_))) => Some(failure.clone()),
                    _ => None,
                };
                if let Some(answer) = answer {
                    let _ = answer.send(reply);
                }
                if let Some(failure) = ending {
                    return failure;
                }
            }
        }
    }
}
