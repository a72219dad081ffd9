//! What stands beside a gateway: an API that remembers, and a wire that counts. They know nothing of any gateway.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering},
        mpsc::{Receiver, channel},
    },
    thread,
};

/// One request as it arrived, byte by byte.
pub(crate) struct Message {
    /// The first line and the headers, up to and with the empty line.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// Reads one request; none if the other side is done.
    pub(crate) fn read(stream: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let mut message = Self { head, body: Vec::new() };
        let length = message.header("content-length").map_or(0, |length| length.parse().unwrap());
        message.body.resize(length, 0);
        stream.read_exact(&mut message.body).ok()?;
        Some(message)
    }

    /// Its headers, with their names in lower case.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (String, &str)> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers().find(|(found, _)| found == name).map(|(_, value)| value)
    }
}

/// An API that says 200 to everything and tells what it was sent.
pub(crate) fn recording_api() -> (u16, Receiver<Message>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            // A gateway may look whether the port is open, and say nothing.
            let Some(message) = Message::read(&mut stream) else { continue };
            if tell.send(message).is_err() {
                break;
            }
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.get_mut().write_all(answer.as_bytes()).ok();
        }
    });
    (port, told)
}

/// Passes every connection on to `address`, and counts it.
pub(crate) fn counting(address: String) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    thread::spawn(move || {
        for near in listener.incoming() {
            let near = near.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            let far = TcpStream::connect(address.as_str()).unwrap();
            for (mut from, mut to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
                thread::spawn(move || {
                    io::copy(&mut from, &mut to).ok();
                    to.shutdown(Shutdown::Write).ok();
                });
            }
        }
    });
    (port, opened)
}

/// A port for a program to listen on. It is below those that the system gives to outgoing connections, so that none of
/// these takes it meanwhile.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(20_000 + std::process::id() * 100 % 10_000).unwrap();
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
