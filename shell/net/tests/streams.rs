//! Dialing and accepting by key.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use acre_net::{DialError, Framed, Limits, NetError, StaticBook};
use bytes::Bytes;
use common::{ECHO, OTHER, dialing, limits, listening, peer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

#[tokio::test]
async fn both_sides_see_the_key_of_the_other() {
    let book = Arc::new(StaticBook::new());
    let (server, client) = (listening(1, &book, limits()).await, dialing(2, &book, limits()).await);
    server.offer(ECHO);
    let (dialed, accepted) = tokio::join!(client.dial(server.key(), ECHO), server.accept());
    let (mut dialed, mut accepted) = (dialed.unwrap(), accepted.unwrap());
    assert_eq!((dialed.peer(), dialed.service()), (peer(1), ECHO));
    assert_eq!((accepted.peer, accepted.service), (peer(2), ECHO));
    dialed.write_all(b"to").await.unwrap();
    dialed.flush().await.unwrap();
    accepted.stream.write_all(b"fro").await.unwrap();
    accepted.stream.shutdown().await.unwrap();
    let (mut to, mut fro) = ([0; 2], Vec::new());
    accepted.stream.read_exact(&mut to).await.unwrap();
    dialed.read_to_end(&mut fro).await.unwrap();
    assert_eq!((&to, fro.as_slice()), (b"to", b"fro".as_slice()));
}

#[tokio::test]
async fn refuses_whoever_holds_another_key() {
    let book = Arc::new(StaticBook::new());
    let server = listening(1, &book, limits()).await;
    server.offer(ECHO);
    book.insert(peer(3), vec![server.local_addr().unwrap()]);
    let client = dialing(2, &book, limits()).await;
    let error = client.dial(peer(3), ECHO).await.unwrap_err();
    assert!(matches!(error, DialError::WrongKey { .. }), "{error:?}");
}

/// An address at which nobody answers: the socket holds the port and does not listen.
fn dead() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[tokio::test]
async fn finds_the_key_behind_wrong_and_dead_addresses() {
    let book = Arc::new(StaticBook::new());
    let (server, impostor) =
        (listening(1, &book, limits()).await, listening(3, &book, limits()).await);
    server.offer(ECHO);
    impostor.offer(ECHO);
    let (_held, dead) = dead();
    let (wrong, right) = (impostor.local_addr().unwrap(), server.local_addr().unwrap());
    book.insert(peer(1), vec![dead, wrong, right]);
    let client = dialing(2, &book, limits()).await;
    assert_eq!(client.dial(peer(1), ECHO).await.unwrap().peer(), peer(1));
    book.insert(peer(1), vec![wrong, dead]);
    let error = client.dial(peer(1), ECHO).await.unwrap_err();
    assert!(matches!(error, DialError::WrongKey { address, .. } if address == wrong), "{error:?}");
}

#[tokio::test]
async fn refuses_a_service_that_is_not_offered() {
    let book = Arc::new(StaticBook::new());
    let (server, client) = (listening(1, &book, limits()).await, dialing(2, &book, limits()).await);
    let refused = |error: DialError| matches!(error, DialError::Refused { .. });
    assert!(refused(client.dial(peer(1), ECHO).await.unwrap_err()));
    server.offer(ECHO);
    assert!(refused(client.dial(peer(1), OTHER).await.unwrap_err()));
    assert!(client.dial(peer(1), ECHO).await.is_ok());
    server.withdraw(ECHO);
    assert!(refused(client.dial(peer(1), ECHO).await.unwrap_err()));
}

#[tokio::test]
async fn tells_what_is_missing_to_reach_a_peer() {
    let book = Arc::new(StaticBook::new());
    let client = dialing(2, &book, limits()).await;
    let error = client.dial(peer(1), ECHO).await.unwrap_err();
    assert!(matches!(error, DialError::NoAddress { .. }), "{error:?}");
    let (_held, dead) = dead();
    book.insert(peer(1), vec![dead]);
    let error = client.dial(peer(1), ECHO).await.unwrap_err();
    assert!(matches!(error, DialError::Unreachable { tried: 1, .. }), "{error:?}");
    client.close();
    let error = client.dial(peer(1), ECHO).await.unwrap_err();
    assert!(matches!(error, DialError::Closed), "{error:?}");
}

#[tokio::test]
async fn address_that_is_taken_is_told() {
    let book = Arc::new(StaticBook::new());
    let server = listening(1, &book, limits()).await;
    let again = acre_net::Endpoint::bind(&common::key(2), server.local_addr(), book).await;
    assert!(matches!(again, Err(NetError::Listen { .. })));
}

#[tokio::test]
async fn garbage_instead_of_a_handshake_costs_only_its_sender() {
    let book = Arc::new(StaticBook::new());
    let (server, client) = (listening(1, &book, limits()).await, dialing(2, &book, limits()).await);
    server.offer(ECHO);
    let garbage: [&[u8]; 4] =
        [b"GET / HTTP/1.1\r\n\r\n", &[0; 600], &[0x16, 3, 1, 0xff, 0xff], &[]];
    for bytes in garbage {
        let mut tcp = TcpStream::connect(server.local_addr().unwrap()).await.unwrap();
        tcp.write_all(bytes).await.unwrap();
        tcp.shutdown().await.unwrap();
        // An alert or a reset may come first; then it is over.
        let _ = tcp.read_to_end(&mut Vec::new()).await;
    }
    assert!(client.dial(peer(1), ECHO).await.is_ok());
}

#[tokio::test]
async fn silent_handshakes_time_out_on_both_sides() {
    let brief = Limits { handshake: Duration::from_millis(50), ..limits() };
    let book = Arc::new(StaticBook::new());
    let server = listening(1, &book, brief.clone()).await;
    let mut tcp = TcpStream::connect(server.local_addr().unwrap()).await.unwrap();
    assert_eq!(tcp.read_to_end(&mut Vec::new()).await.unwrap(), 0);

    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    book.insert(peer(3), vec![mute.local_addr().unwrap()]);
    let client = dialing(2, &book, brief).await;
    let error = client.dial(peer(3), ECHO).await.unwrap_err();
    assert!(matches!(error, DialError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn peer_over_its_connections_is_closed_and_others_are_not() {
    let book = Arc::new(StaticBook::new());
    let server = listening(1, &book, Limits { connections_per_peer: 1, ..limits() }).await;
    server.offer(ECHO);
    let (greedy, modest) = (dialing(2, &book, limits()).await, dialing(3, &book, limits()).await);
    let _first = greedy.dial(peer(1), ECHO).await.unwrap();
    let kept = server.accept().await.unwrap();
    let mut second = greedy.dial(peer(1), ECHO).await.unwrap();
    assert!(!matches!(second.read(&mut [0; 1]).await, Ok(1..)));
    let _other = modest.dial(peer(1), ECHO).await.unwrap();
    assert_eq!(server.accept().await.unwrap().peer, peer(3));
    drop(kept);
    let _third = greedy.dial(peer(1), ECHO).await.unwrap();
    assert_eq!(server.accept().await.unwrap().peer, peer(2));
}

#[tokio::test]
async fn closed_endpoint_accepts_nothing_more() {
    let book = Arc::new(StaticBook::new());
    let (server, client) = (listening(1, &book, limits()).await, dialing(2, &book, limits()).await);
    server.offer(ECHO);
    server.close();
    assert!(server.accept().await.is_none());
    assert!(client.dial(peer(1), ECHO).await.is_err());
}

/// A framed stream each way, with these limits of a frame.
async fn framed(ours: usize, theirs: usize, limits: Limits) -> (Framed, Framed) {
    let book = Arc::new(StaticBook::new());
    let server = listening(1, &book, limits.clone()).await;
    let client = dialing(2, &book, limits).await;
    server.offer(ECHO);
    let (dialed, accepted) = tokio::join!(client.dial(peer(1), ECHO), server.accept());
    (Framed::new(dialed.unwrap(), ours), Framed::new(accepted.unwrap().stream, theirs))
}

#[tokio::test]
async fn frames_arrive_whole_and_in_order_until_closed() {
    let (mut ours, mut theirs) = framed(100_000, 100_000, limits()).await;
    let sizes = [0, 1, 20, 16_384, 99_999, 100_000];
    let sender = async {
        for size in sizes {
            ours.send(vec![7; size].into()).await.unwrap();
        }
        let past = ours.send(vec![7; 100_001].into()).await;
        assert!(matches!(past, Err(NetError::TooLarge { .. })), "{past:?}");
        ours.close().await.unwrap();
    };
    let receiver = async {
        for size in sizes {
            assert_eq!(theirs.recv().await.unwrap().unwrap().len(), size);
        }
        assert_eq!(theirs.recv().await.unwrap(), None);
    };
    tokio::join!(sender, receiver);
}

#[tokio::test]
async fn frame_over_the_limit_of_its_reader_ends_the_stream() {
    let (mut ours, mut theirs) = framed(1000, 999, limits()).await;
    ours.send(vec![1; 999].into()).await.unwrap();
    ours.send(vec![1; 1000].into()).await.unwrap();
    assert_eq!(theirs.recv().await.unwrap().unwrap().len(), 999);
    assert!(matches!(theirs.recv().await, Err(NetError::Ended { .. })));
}

#[tokio::test]
async fn dripped_frame_times_out() {
    let brief = Limits { frame: Duration::from_millis(50), ..limits() };
    let book = Arc::new(StaticBook::new());
    let (server, client) = (listening(1, &book, brief).await, dialing(2, &book, limits()).await);
    server.offer(ECHO);
    let (dialed, accepted) = tokio::join!(client.dial(peer(1), ECHO), server.accept());
    let mut dialed = dialed.unwrap();
    dialed.write_all(&[6, 0, 0]).await.unwrap();
    dialed.flush().await.unwrap();
    let mut theirs = Framed::new(accepted.unwrap().stream, 1000);
    let error = theirs.recv().await.unwrap_err();
    assert!(error.to_string().contains("longer than"), "{error}");
}

#[tokio::test]
async fn reader_that_stalls_fails_its_sender() {
    let brief = Limits { stall: Duration::from_millis(50), ..limits() };
    let (mut ours, _theirs) = framed(1 << 20, 1 << 20, brief).await;
    let frame = Bytes::from(vec![0; 1 << 20]);
    let error = loop {
        if let Err(error) = ours.send(frame.clone()).await {
            break error;
        }
    };
    assert!(error.to_string().contains("longer than"), "{error}");
}
