// SPDX-License-Identifier: MPL-2.0
//! The camera: a port, and a thread for each connection.

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use super::player::Writer;
use super::script::{Script, Sent};
use super::session::{Log, Session};

/// What the camera's threads share.
pub struct Shared {
    /// What each session plays, in turn.
    pub scripts: Vec<Arc<Script>>,
    /// How many sessions have begun.
    pub played: AtomicUsize,
    /// How many have come to their end.
    pub ended: AtomicUsize,
    pub log: Log,
    is_closing: AtomicBool,
    connections: Mutex<Vec<Writer>>,
}

/// A camera that serves until dropped.
pub struct ScriptedCamera {
    /// Where it is.
    pub url: String,
    address: std::net::SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl ScriptedCamera {
    /// Starts a camera on a free port of 127.0.0.1 that plays these scripts, one to each client
    /// that comes, and then refuses.
    ///
    /// # Panics
    /// When there is no free port.
    pub fn start(scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            scripts: scripts.into_iter().map(Arc::new).collect(),
            played: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            log: Log::default(),
            is_closing: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let accepted = shared.clone();
        let accepting = thread::spawn(move || accept(&listener, &accepted));
        Self {
            url: format!("rtsp://{address}/cam"),
            address,
            shared,
            accepting: Some(accepting),
        }
    }

    /// Everything that was sent whole so far, in the order sent.
    pub fn sent(&self) -> Vec<Sent> {
        self.shared
            .log
            .lock()
            .expect("no panic while noting")
            .clone()
    }

    /// How many sessions have begun.
    pub fn sessions(&self) -> usize {
        self.shared.played.load(Ordering::SeqCst)
    }

    /// Whether all scripts have been played to their ends.
    pub fn has_played(&self) -> bool {
        self.shared.ended.load(Ordering::SeqCst) == self.shared.scripts.len()
    }
}

impl Drop for ScriptedCamera {
    fn drop(&mut self) {
        self.shared.is_closing.store(true, Ordering::SeqCst);
        // A last connection, to wake up who waits for one.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        let connections = self.shared.connections.lock().expect("no panic");
        connections.iter().for_each(Writer::close);
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.is_closing.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let _ = stream.set_nodelay(true);
        let Ok(half) = stream.try_clone() else {
            continue;
        };
        let writer = Writer::new(half);
        shared
            .connections
            .lock()
            .expect("no panic")
            .push(writer.clone());
        let session = Session::new(shared.clone(), writer);
        thread::spawn(move || session.serve(stream));
    }
}
