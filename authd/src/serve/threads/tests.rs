use std::net::Ipv4Addr;

use bytes::Bytes;
use http_body_util::Empty;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;
use crate::listen::Reading;

#[tokio::test]
async fn what_a_thread_opened_is_of_use_to_others_until_all_have_answered() {
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let database = TcpListener::bind(here).await.expect("a port is free");
    let (to, stop) = (database.local_addr().expect("it is bound"), CancellationToken::new());
    let (opened, mut pool) = mpsc::unbounded_channel();
    let answer = move |_, _| {
        let opened = opened.clone();
        async move {
            let connection = TcpStream::connect(to).await.expect("it listens");
            opened.send(connection).expect("the test waits for it");
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    };
    let threads = Threads::start("test", here, &Protocol::plain(Reading::Strict), &stop, answer).expect("it starts");

    let mut proxy = TcpStream::connect(threads.address).await.expect("it listens");
    let request = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
    proxy.write_all(request).await.expect("it is taken");
    let mut connection = pool.recv().await.expect("a thread opens one");
    let (mut other_end, _) = database.accept().await.expect("somebody connects");
    drop(proxy);
    stop.cancel();
    threads.have_answered().await;

    other_end.write_all(b"still there").await.expect("it is open");
    let mut heard = [0; 11];
    connection
        .read_exact(&mut heard)
        .await
        .expect("its thread has not ended");
    assert_eq!(&heard, b"still there");
    threads.end();
    other_end.write_all(b"and now").await.expect("it is open");
    connection
        .read_exact(&mut heard[..7])
        .await
        .expect_err("its thread has ended");
}
