//! Connects the processes of a run: per pair one connection for timely and one for faults.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// Connections of one process, by process index; none to itself.
pub(super) struct Cluster {
    /// What timely sends.
    pub(super) data: Vec<Option<TcpStream>>,
    /// What a process says about its end, see [`Control`](super::control::Control).
    pub(super) control: Vec<Option<TcpStream>>,
}

/// What a process must know to take its place in the run.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// `host:port` of every process; one may list several addresses to listen on.
    pub(super) addresses: Vec<String>,
    /// Index of this process.
    pub(super) process: usize,
    /// Worker threads of every process.
    pub(super) threads: usize,
}

/// What connections begin with. The last digits change with the format of anything exchanged.
const GREETING: u64 = 0x6d65_6564_0000_0001;
const PAUSE: Duration = Duration::from_millis(20);
const DATA: u64 = 0;
const CONTROL: u64 = 1;

struct Hello {
    process: u64,
    processes: u64,
    threads: u64,
    purpose: u64,
}

/// Connects this process with all others, in any order in which they start.
///
/// # Errors
/// An address that cannot be used, processes started with other options than this one, and
/// processes that do not show up within the time `within`.
pub(super) fn connect(member: &Member, within: Duration) -> Result<Cluster> {
    let deadline = Instant::now() + within;
    let none = || member.addresses.iter().map(|_| None).collect();
    let mut cluster = Cluster { data: none(), control: none() };
    let listeners = listen(member)?;
    for other in 0..member.process {
        cluster.data[other] = Some(call(member, other, DATA, deadline)?);
        cluster.control[other] = Some(call(member, other, CONTROL, deadline)?);
    }
    let missing = |cluster: &Cluster| {
        (member.process + 1..member.addresses.len())
            .find(|other| cluster.data[*other].is_none() || cluster.control[*other].is_none())
    };
    while let Some(absent) = missing(&cluster) {
        if Instant::now() > deadline {
            return Err(absence(member, absent, within));
        }
        let mut accepted = false;
        for listener in &listeners {
            match listener.accept() {
                Ok((stream, _)) => {
                    accepted = true;
                    receive(member, stream, &mut cluster)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(lost(member, member.process, error)),
            }
        }
        if !accepted {
            std::thread::sleep(PAUSE);
        }
    }
    Ok(cluster)
}

fn listen(member: &Member) -> Result<Vec<TcpListener>> {
    let bind = |address: &str| -> std::io::Result<TcpListener> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    let addresses = member.addresses[member.process].split_whitespace();
    addresses
        .map(|address| {
            bind(address).map_err(|error| {
                Error::external(
                    format!("process {} cannot listen on {address}", member.process),
                    error,
                    "give each run its own ports in a host file (`-h <file>`, one host:port a line)",
                )
            })
        })
        .collect()
}

/// Calls a process of a lower index until it answers.
fn call(member: &Member, other: usize, purpose: u64, deadline: Instant) -> Result<TcpStream> {
    let started = Instant::now();
    loop {
        let addresses = member.addresses[other].split_whitespace();
        for address in addresses {
            match TcpStream::connect(address) {
                Ok(mut stream) => {
                    let failed = |error| lost(member, other, error);
                    let left = deadline.saturating_duration_since(Instant::now());
                    let patience = left.max(Duration::from_secs(1));
                    stream.set_nodelay(true).map_err(failed)?;
                    stream.set_read_timeout(Some(patience)).map_err(failed)?;
                    own_hello(member, purpose).write(&mut stream).map_err(failed)?;
                    let hello = Hello::read(&mut stream).map_err(failed)?;
                    check(member, hello.as_ref(), other)?;
                    stream.set_read_timeout(None).map_err(failed)?;
                    return Ok(stream);
                }
                Err(error) => tracing::debug!("process {other} at {address}: {error}"),
            }
        }
        if Instant::now() > deadline {
            return Err(absence(member, other, started.elapsed()));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Takes a connection from a process of a higher index; strangers are turned away.
fn receive(member: &Member, mut stream: TcpStream, cluster: &mut Cluster) -> Result<()> {
    let greet = |stream: &mut TcpStream| -> std::io::Result<Option<Hello>> {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let hello = Hello::read(stream)?;
        if let Some(hello) = &hello {
            own_hello(member, hello.purpose).write(stream)?;
        }
        stream.set_read_timeout(None)?;
        Ok(hello)
    };
    let Ok(Some(hello)) = greet(&mut stream) else {
        tracing::warn!("turned away a connection that is not from a process of this run");
        return Ok(());
    };
    let other = hello.process as usize;
    check(member, Some(&hello), other)?;
    let place = match hello.purpose {
        CONTROL => cluster.control.get_mut(other),
        _ => cluster.data.get_mut(other),
    };
    match place {
        Some(place) if place.is_none() && other > member.process => {
            *place = Some(stream);
            Ok(())
        }
        _ => Err(Error::usage(
            format!("two processes were started as `-p {other}`"),
            "number the processes from 0, each with its own -p",
        )),
    }
}

fn own_hello(member: &Member, purpose: u64) -> Hello {
    Hello {
        process: member.process as u64,
        processes: member.addresses.len() as u64,
        threads: member.threads as u64,
        purpose,
    }
}

impl Hello {
    fn write(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        let words = [GREETING, self.process, self.processes, self.threads, self.purpose];
        stream.write_all(&words.map(u64::to_le_bytes).concat())
    }

    /// The other side's words, or none if it speaks something else.
    fn read(stream: &mut TcpStream) -> std::io::Result<Option<Hello>> {
        let mut bytes = [0; 40];
        stream.read_exact(&mut bytes)?;
        let mut words = bytes.chunks_exact(8).map(|chunk| {
            let mut word = [0; 8];
            word.copy_from_slice(chunk);
            u64::from_le_bytes(word)
        });
        let mut next = || words.next().unwrap_or_default();
        if next() != GREETING {
            return Ok(None);
        }
        Ok(Some(Hello { process: next(), processes: next(), threads: next(), purpose: next() }))
    }
}

/// Processes that disagree on the number of workers would exchange rows with workers that do not
/// exist, so that is found out here.
fn check(member: &Member, hello: Option<&Hello>, other: usize) -> Result<()> {
    let Some(hello) = hello else {
        return Err(Error::usage(
            format!("{} is not a process of this run", member.addresses[other]),
            "another program, or another version of this one, listens there: change the host file",
        ));
    };
    let own = (member.addresses.len() as u64, member.threads as u64);
    if (hello.processes, hello.threads) != own || hello.process != other as u64 {
        return Err(Error::usage(
            format!(
                "process {} runs with -n {} -w {}, process {} with -n {} -w {}",
                member.process, own.0, own.1, hello.process, hello.processes, hello.threads
            ),
            "start every process with the same arguments; only -p differs",
        ));
    }
    Ok(())
}

fn absence(member: &Member, other: usize, waited: Duration) -> Error {
    Error::external(
        format!("process {other} at {} did not connect", member.addresses[other]),
        format!("waited for {} s", waited.as_secs()),
        format!("start it with the same arguments and `-p {other}`"),
    )
}

fn lost(member: &Member, other: usize, error: std::io::Error) -> Error {
    Error::external(
        format!("connecting with process {other} at {}", member.addresses[other]),
        error,
        "see the messages of that process",
    )
}
