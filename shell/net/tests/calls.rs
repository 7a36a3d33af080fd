//! Pipelined calls.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use acre_net::frame::{Frame, HEADER_BYTES, Header, Kind};
use acre_net::limits::{BODY_BYTES_MAX, META_BYTES_MAX};
use acre_net::rpc::{Caller, Handler, Message, Server, Services, serve};
use acre_net::{CallError, DialError, Endpoint, Framed, Limits, Part, StaticBook};
use acre_types::PublicKey;
use bytes::Bytes;
use common::{ECHO, LONG, OTHER, dialing, limits, listening, peer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinSet;

async fn echo(_: PublicKey, message: Message) -> Message {
    message
}

/// Server 1 answers `ECHO` with `handler`; client 2 calls it.
async fn pair(limits: Limits, handler: impl Handler) -> (Endpoint, Server, Caller) {
    let book = Arc::new(StaticBook::new());
    let server = listening(1, &book, limits.clone()).await;
    let running = serve(&server, Services::new().calls(ECHO, handler));
    let caller = Caller::new(dialing(2, &book, limits).await, ECHO);
    (server, running, caller)
}

fn text(n: usize) -> Message {
    Message::new(n.to_string(), vec![n.to_le_bytes()[0]; n % 5000])
}

/// A handler of a type of its own: tells who called.
struct WhoAmI;

impl Handler for WhoAmI {
    async fn call(&self, peer: PublicKey, _: Message) -> Message {
        Message::new(peer.as_bytes().to_vec(), Bytes::new())
    }
}

#[tokio::test]
async fn services_of_one_endpoint_answer_each_for_itself() {
    let book = Arc::new(StaticBook::new());
    let server = listening(1, &book, limits()).await;
    let services = Services::new().calls(ECHO, echo).calls(OTHER, WhoAmI);
    let _running = serve(&server, services);
    let client = dialing(2, &book, limits()).await;
    let (echo, other) = (Caller::new(client.clone(), ECHO), Caller::new(client, OTHER));
    assert_eq!(echo.call(peer(1), text(7), LONG).await.unwrap(), text(7));
    let reply = other.call(peer(1), text(7), LONG).await.unwrap();
    assert_eq!(reply.meta, peer(2).as_bytes().as_slice());
}

#[tokio::test]
async fn thousand_calls_share_one_connection_and_are_answered_in_any_order() {
    let limits = Limits { calls_per_connection: 1000, calls_per_peer: 1000, ..limits() };
    let arrived = Arc::new(AtomicUsize::new(0));
    let all = Arc::new(Notify::new());
    // Nobody is answered before all have called; the last are answered first.
    let handler = {
        let arrived = Arc::clone(&arrived);
        move |_, message| {
            let (place, all) = (arrived.fetch_add(1, Ordering::SeqCst), Arc::clone(&all));
            async move {
                if place + 1 < 1000 {
                    all.notified().await;
                }
                all.notify_one();
                message
            }
        }
    };
    let (server, _running, caller) =
        pair(Limits { connections_per_peer: 1, ..limits }, handler).await;
    let mut calls = JoinSet::new();
    for n in 0..1000 {
        let caller = caller.clone();
        calls.spawn(async move {
            assert_eq!(caller.call(peer(1), text(n), LONG).await.unwrap(), text(n));
        });
    }
    calls.join_all().await;
    assert_eq!(arrived.load(Ordering::SeqCst), 1000);
    drop(server);
}

#[tokio::test]
async fn messages_pass_at_the_limit_and_not_past_it() {
    let (_server, _running, caller) = pair(limits(), echo).await;
    let largest = Message::new(vec![1; META_BYTES_MAX], vec![2; BODY_BYTES_MAX]);
    assert_eq!(caller.call(peer(1), largest.clone(), LONG).await.unwrap(), largest);
    for (meta, body, wrong) in
        [(META_BYTES_MAX + 1, 0, Part::Meta), (0, BODY_BYTES_MAX + 1, Part::Body)]
    {
        let error = caller.call(peer(1), Message::new(vec![1; meta], vec![2; body]), LONG).await;
        assert!(matches!(error, Err(CallError::TooLarge { part, .. }) if part == wrong));
    }
}

#[tokio::test]
async fn handler_that_breaks_or_says_too_much_costs_one_call() {
    let handler = |_, message: Message| async move {
        match message.meta.as_ref() {
            b"break" => panic!("as planned"),
            b"much" => Message::new(Bytes::new(), vec![0; BODY_BYTES_MAX + 1]),
            _ => message,
        }
    };
    let (_server, _running, caller) = pair(limits(), handler).await;
    for meta in ["break", "much"] {
        let error = caller.call(peer(1), Message::new(meta, ""), LONG).await.unwrap_err();
        assert!(matches!(error, CallError::Failed { .. }), "{error:?}");
        assert!(!error.is_unsent());
    }
    assert_eq!(caller.call(peer(1), text(3), LONG).await.unwrap(), text(3));
}

#[tokio::test]
async fn wrong_bytes_on_a_stream_close_it_and_no_other() {
    let (server, _running, caller) = pair(limits(), echo).await;
    let book = Arc::new(StaticBook::new());
    book.insert(peer(1), vec![server.local_addr().unwrap()]);
    let attacker = dialing(3, &book, limits()).await;
    let mut oversized = Header::new(Kind::Request, 1, 0, 0).unwrap().encode();
    oversized[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
    let header = |kind, call| Header::new(kind, call, 0, 0).unwrap().encode().to_vec();
    let attacks = [
        oversized.to_vec(),
        vec![0xff; 400],
        header(Kind::Request, 2),
        header(Kind::Reply, 1),
        header(Kind::Event, 0),
        header(Kind::Goodbye, 0),
        [header(Kind::Request, 1), header(Kind::Request, 1)].concat(),
    ];
    for attack in attacks {
        let mut stream = attacker.dial(peer(1), ECHO).await.unwrap();
        stream.write_all(&attack).await.unwrap();
        stream.flush().await.unwrap();
        // Whether with a reset or not, it ends; a reply to what was right may come first.
        let mut before = Vec::new();
        let _ = stream.read_to_end(&mut before).await;
        assert!(before.len() <= HEADER_BYTES, "{attack:?}");
        assert_eq!(caller.call(peer(1), text(9), LONG).await.unwrap(), text(9));
    }
}

#[tokio::test]
async fn dripped_request_times_out() {
    let brief = Limits { frame: Duration::from_millis(50), ..limits() };
    let (server, _running, caller) = pair(brief, echo).await;
    let book = Arc::new(StaticBook::new());
    book.insert(peer(1), vec![server.local_addr().unwrap()]);
    let slow = dialing(3, &book, limits()).await;
    for bytes in [5, HEADER_BYTES, HEADER_BYTES + 5] {
        let frame = Frame::new(Kind::Request, 1, "meta".into(), vec![0; 100].into()).unwrap();
        let all = [frame.header.encode().as_slice(), &frame.meta, &frame.body].concat();
        let mut stream = slow.dial(peer(1), ECHO).await.unwrap();
        stream.write_all(&all[..bytes]).await.unwrap();
        stream.flush().await.unwrap();
        let mut nothing = Vec::new();
        let _ = stream.read_to_end(&mut nothing).await;
        assert!(nothing.is_empty());
    }
    assert_eq!(caller.call(peer(1), text(1), LONG).await.unwrap(), text(1));
}

#[tokio::test]
async fn reader_that_stalls_slows_only_itself() {
    let running_max = 4;
    let limits = Limits {
        calls_per_connection: running_max,
        reply_bytes_queued: 1 << 20,
        stall: LONG,
        ..limits()
    };
    let made = Arc::new(AtomicUsize::new(0));
    let handler = {
        let made = Arc::clone(&made);
        move |_, message: Message| {
            let made = Arc::clone(&made);
            async move {
                if message.meta.as_ref() != b"give" {
                    return message;
                }
                made.fetch_add(1, Ordering::SeqCst);
                Message::new("", vec![0; 1 << 20])
            }
        }
    };
    let (server, _running, caller) = pair(limits.clone(), handler).await;
    let book = Arc::new(StaticBook::new());
    book.insert(peer(1), vec![server.local_addr().unwrap()]);
    let glutton = dialing(3, &book, limits).await;
    let mut stream = glutton.dial(peer(1), ECHO).await.unwrap();
    // 500 requests of a MiB each, and no reply is read.
    for call in 1..=500 {
        let header = Header::new(Kind::Request, call, 4, 0).unwrap().encode();
        stream.write_all(&[header.as_slice(), b"give"].concat()).await.unwrap();
    }
    stream.flush().await.unwrap();
    for n in 0..2000 {
        assert_eq!(caller.call(peer(1), text(n), LONG).await.unwrap(), text(n));
    }
    // What the kernel's buffers of both sides hold, the queue, and the calls that ran.
    let made_stalled = made.load(Ordering::SeqCst);
    assert!(made_stalled <= 30, "{made_stalled} MiB of replies for a peer that reads none");
    // It may still have all of it.
    let mut bytes = vec![0; 500 * (HEADER_BYTES + (1 << 20))];
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(made.load(Ordering::SeqCst), 500);
}

#[tokio::test]
async fn calls_past_the_budget_of_a_peer_wait_and_those_of_others_do_not() {
    let limits = Limits { calls_per_peer: 3, ..limits() };
    let (handler, mut arrivals, gate) = gated();
    let (server, _running, caller) = pair(limits.clone(), handler).await;
    let mut calls = JoinSet::new();
    for n in 0..4 {
        let caller = caller.clone();
        calls.spawn(async move { caller.call(peer(1), text(n), LONG).await.unwrap() });
    }
    for _ in 0..3 {
        assert_eq!(arrivals.recv().await, Some(peer(2)));
    }
    let book = Arc::new(StaticBook::new());
    book.insert(peer(1), vec![server.local_addr().unwrap()]);
    let other = Caller::new(dialing(3, &book, limits).await, ECHO);
    for n in 0..20 {
        assert_eq!(other.call(peer(1), text(n), LONG).await.unwrap(), text(n));
        assert_eq!(arrivals.recv().await, Some(peer(3)), "the fourth call must wait");
    }
    gate.add_permits(1);
    assert_eq!(arrivals.recv().await, Some(peer(2)));
    gate.add_permits(3);
    assert_eq!(calls.join_all().await.len(), 4);
}

/// Tells who called; answers peer 2 only when let through.
fn gated() -> (impl Handler, mpsc::UnboundedReceiver<PublicKey>, Arc<Semaphore>) {
    let (arrived, arrivals) = mpsc::unbounded_channel();
    let gate = Arc::new(Semaphore::new(0));
    let handler = {
        let gate = Arc::clone(&gate);
        move |from: PublicKey, message| {
            let (gate, arrived) = (Arc::clone(&gate), arrived.clone());
            async move {
                arrived.send(from).unwrap();
                if from == peer(2) {
                    gate.acquire().await.unwrap().forget();
                }
                message
            }
        }
    };
    (handler, arrivals, gate)
}

#[tokio::test]
async fn bytes_past_the_budget_of_a_peer_wait_and_those_of_others_do_not() {
    let limits = Limits { request_bytes_per_peer: META_BYTES_MAX + BODY_BYTES_MAX, ..limits() };
    let (handler, mut arrivals, gate) = gated();
    let (server, _running, caller) = pair(limits.clone(), handler).await;
    let call = |bytes: usize| {
        let (caller, message) = (caller.clone(), Message::new("", vec![1; bytes]));
        tokio::spawn(async move { caller.call(peer(1), message, LONG).await.unwrap() })
    };
    // At the budget both run; one byte more, and it waits.
    let first = [call(BODY_BYTES_MAX), call(META_BYTES_MAX)];
    for _ in &first {
        assert_eq!(arrivals.recv().await, Some(peer(2)));
    }
    let past = call(1);
    let book = Arc::new(StaticBook::new());
    book.insert(peer(1), vec![server.local_addr().unwrap()]);
    let other = Caller::new(dialing(3, &book, limits).await, ECHO);
    for _ in 0..20 {
        let largest = Message::new("", vec![1; BODY_BYTES_MAX]);
        assert_eq!(other.call(peer(1), largest.clone(), LONG).await.unwrap(), largest);
        assert_eq!(arrivals.recv().await, Some(peer(3)), "the call past the budget must wait");
    }
    gate.add_permits(3);
    assert_eq!(arrivals.recv().await, Some(peer(2)));
    for call in first.into_iter().chain([past]) {
        call.await.unwrap();
    }
}

#[tokio::test]
async fn call_past_those_in_flight_waits_and_was_not_sent_at_its_deadline() {
    let (handler, mut arrivals, gate) = gated();
    let (server, _running, caller) = pair(Limits { calls_in_flight: 1, ..limits() }, handler).await;
    let first = tokio::spawn({
        let caller = caller.clone();
        async move { caller.call(peer(1), text(1), LONG).await }
    });
    arrivals.recv().await.unwrap();
    let error = caller.call(peer(1), text(2), Duration::from_millis(20)).await.unwrap_err();
    assert!(matches!(error, CallError::DeadlineUnsent { .. }), "{error:?}");
    gate.add_permits(2);
    assert_eq!(first.await.unwrap().unwrap(), text(1));
    assert_eq!(caller.call(peer(1), text(3), LONG).await.unwrap(), text(3));
    drop(server);
}

#[tokio::test]
async fn late_reply_ends_the_call_and_not_the_connection() {
    let gate = Arc::new(Semaphore::new(0));
    let handler = {
        let gate = Arc::clone(&gate);
        move |_, message: Message| {
            let gate = Arc::clone(&gate);
            async move {
                if message.meta.as_ref() == b"late" {
                    gate.acquire().await.unwrap().forget();
                }
                message
            }
        }
    };
    let (server, _running, caller) = pair(limits(), handler).await;
    let within = Duration::from_millis(20);
    let error = caller.call(peer(1), Message::new("late", ""), within).await.unwrap_err();
    assert!(matches!(error, CallError::DeadlineUnknown { .. } | CallError::DeadlineUnsent { .. }));
    gate.add_permits(1);
    assert_eq!(caller.call(peer(1), text(2), LONG).await.unwrap(), text(2));
    drop(server);
}

#[tokio::test]
async fn server_at_work_is_not_taken_for_dead() {
    let limits = Limits {
        alive: Duration::from_millis(10),
        silence: Duration::from_millis(400),
        stall: Duration::from_millis(400),
        calls_per_connection: 1,
        ..limits()
    };
    let handler = |_, message: Message| async move {
        tokio::time::sleep(Duration::from_millis(700)).await;
        Message::new(message.meta, Bytes::new())
    };
    let (_server, _running, caller) = pair(limits, handler).await;
    // More than the kernel holds: most of it waits while the server is at the first.
    let mut calls = JoinSet::new();
    for _ in 0..4 {
        let (caller, message) = (caller.clone(), Message::new("ok", vec![0; BODY_BYTES_MAX]));
        calls.spawn(async move { caller.call(peer(1), message, LONG).await.unwrap().meta });
    }
    assert_eq!(calls.join_all().await, vec!["ok"; 4]);
}

#[tokio::test]
async fn silent_server_is_given_up_and_the_next_call_reconnects() {
    let limits = Limits { silence: Duration::from_millis(300), ..limits() };
    let book = Arc::new(StaticBook::new());
    let server = listening(1, &book, limits.clone()).await;
    server.offer(ECHO);
    let caller = Caller::new(dialing(2, &book, limits).await, ECHO);
    let (call, mute) = tokio::join!(caller.call(peer(1), text(1), LONG), server.accept());
    let error = call.unwrap_err();
    assert!(matches!(error, CallError::Unknown { .. }), "{error:?}");
    drop(mute);
    let _running = serve(&server, Services::new().calls(ECHO, echo));
    assert_eq!(caller.call(peer(1), text(1), LONG).await.unwrap(), text(1));
}

#[tokio::test]
async fn reconnects_after_the_server_restarted_on_its_port() {
    let book = Arc::new(StaticBook::new());
    let server = listening(1, &book, limits()).await;
    let address = server.local_addr();
    let running = serve(&server, Services::new().calls(ECHO, echo));
    let caller = Caller::new(dialing(2, &book, limits()).await, ECHO);
    assert_eq!(caller.call(peer(1), text(1), LONG).await.unwrap(), text(1));
    running.shutdown(LONG).await;
    server.close();
    assert!(server.accept().await.is_none());
    drop(server);
    // The listener is closed by a task of the endpoint: wait for its port, not for a time.
    let again = loop {
        match Endpoint::bind(&common::key(1), address, Arc::clone(&book) as _).await {
            Ok(endpoint) => break endpoint,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let _running = serve(&again, Services::new().calls(ECHO, echo));
    assert_eq!(caller.call(peer(1), text(2), LONG).await.unwrap(), text(2));
}

#[tokio::test]
async fn shutdown_answers_what_it_took_and_hands_back_the_rest() {
    let (handler, mut arrivals, gate) = gated();
    let (server, running, caller) =
        pair(Limits { calls_per_connection: 1, ..limits() }, handler).await;
    let call = |n| {
        let caller = caller.clone();
        tokio::spawn(async move { caller.call(peer(1), text(n), LONG).await })
    };
    let taken = call(1);
    arrivals.recv().await.unwrap();
    let waiting = call(2);
    let down = tokio::spawn(running.shutdown(LONG));
    // The second call was never taken, so it is tried again, where nobody serves any more.
    let error = waiting.await.unwrap().unwrap_err();
    assert!(error.is_unsent(), "{error:?}");
    gate.add_permits(1);
    assert_eq!(taken.await.unwrap().unwrap(), text(1));
    down.await.unwrap();
    assert!(arrivals.try_recv().is_err());
    drop(server);
}

#[tokio::test]
async fn failed_dial_is_not_repeated_within_its_pause() {
    let book = Arc::new(StaticBook::new());
    let limits = Limits { backoff_min: LONG, backoff_max: LONG, ..limits() };
    let caller = Caller::new(dialing(2, &book, limits.clone()).await, ECHO);
    let no_address = |error: &CallError| {
        matches!(error, CallError::Dial { source: DialError::NoAddress { .. }, .. })
    };
    let error = caller.call(peer(1), text(1), LONG).await.unwrap_err();
    assert!(no_address(&error) && error.is_unsent(), "{error:?}");
    let server = listening(1, &book, limits.clone()).await;
    let _running = serve(&server, Services::new().calls(ECHO, echo));
    assert!(no_address(&caller.call(peer(1), text(1), LONG).await.unwrap_err()));
    let fresh = Caller::new(dialing(2, &book, limits).await, ECHO);
    assert_eq!(fresh.call(peer(1), text(1), LONG).await.unwrap(), text(1));
}

#[tokio::test]
async fn unused_connections_are_closed_by_either_side() {
    for (idle_dialed, idle_accepted) in [(20, 60_000), (60_000, 20)] {
        let limits = Limits {
            idle_dialed: Duration::from_millis(idle_dialed),
            idle_accepted: Duration::from_millis(idle_accepted),
            connections_per_peer: 1,
            ..limits()
        };
        let (server, _running, caller) = pair(limits.clone(), echo).await;
        assert_eq!(caller.call(peer(1), text(1), LONG).await.unwrap(), text(1));
        // Another process with the same key gets the only place of this peer once it is free.
        let book = Arc::new(StaticBook::new());
        book.insert(peer(1), vec![server.local_addr().unwrap()]);
        let twin = Caller::new(dialing(2, &book, limits).await, ECHO);
        while twin.call(peer(1), text(2), LONG).await.is_err() {}
        // And the first finds its way again.
        while caller.call(peer(1), text(3), LONG).await.is_err() {}
    }
}

#[tokio::test]
async fn events_flow_beside_calls() {
    let book = Arc::new(StaticBook::new());
    let server = listening(1, &book, limits()).await;
    let events = |incoming: acre_net::Incoming| async move {
        let mut framed = Framed::new(incoming.stream, 64);
        for n in 0..1000_u32 {
            framed.send(n.to_le_bytes().to_vec().into()).await.unwrap();
        }
        framed.close().await.unwrap();
    };
    let _running = serve(&server, Services::new().calls(ECHO, echo).streams(OTHER, events));
    let client = dialing(2, &book, limits()).await;
    let caller = Caller::new(client.clone(), ECHO);
    let mut events = Framed::new(client.dial(peer(1), OTHER).await.unwrap(), 64);
    for n in 0..1000_u32 {
        assert_eq!(events.recv().await.unwrap().unwrap(), n.to_le_bytes().as_slice());
        if n % 100 == 0 {
            assert_eq!(caller.call(peer(1), text(4), LONG).await.unwrap(), text(4));
        }
    }
    assert_eq!(events.recv().await.unwrap(), None);
}
