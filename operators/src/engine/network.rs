//! The channels between workers: timely's allocators over connections of our own making.

use std::any::Any;
use std::net::{Shutdown, TcpStream};

use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use timely::communication::{Config as Communication, Hooks};

use super::cluster::connect;
use super::control::Control;
use super::faults::quieten_consequences;
use super::options::Layout;
use super::{Faults, RunOptions};
use crate::{Error, Result};

/// Threads that serve timely's connections; dropping them waits for the other processes.
pub(super) type Connections = Box<dyn Any + Send>;

/// What connects this process with the others; nothing where it is alone.
///
/// Timely would make its connections itself, but for ever, talking on stdout, and without a check
/// that all processes agree on the number of workers.
pub(super) struct Network {
    /// Index of the first worker of this process over all processes.
    pub(super) first_worker: usize,
    control: Option<Control>,
    sockets: Vec<TcpStream>,
}

impl Network {
    /// Connects the processes, and returns a builder of channels for every worker of this one.
    pub(super) fn start(
        layout: Layout,
        options: &RunOptions,
        faults: &Faults,
    ) -> Result<(Vec<AllocatorBuilder>, Connections, Network)> {
        let failed = |error: String| Error::external("starting the workers", error, "");
        let mut network = Network { first_worker: 0, control: None, sockets: Vec::new() };
        let (Some(member), Communication::Cluster { zerocopy, .. }) =
            (layout.member(), &layout.communication)
        else {
            let (builders, none) = layout.communication.try_build().map_err(failed)?;
            return Ok((builders, none, network));
        };
        quieten_consequences();
        network.first_worker = member.process * member.threads;
        let cluster = connect(&member, options.connect_within)?;
        for socket in cluster.data.iter().flatten() {
            let socket = socket.try_clone().map_err(|error| failed(error.to_string()))?;
            network.sockets.push(socket);
        }
        network.control = Some(Control::start(cluster.control, faults)?);
        let hooks = Hooks::default();
        let (refill, spill) = (hooks.refill.clone(), hooks.spill.clone());
        let builders = match zerocopy {
            true => ProcessBuilder::new_bytes_vector(member.threads, refill, spill),
            false => ProcessBuilder::new_typed_vector(member.threads, refill, spill),
        };
        let (process, threads) = (member.process, member.threads);
        let (builders, connections) =
            initialize_networking_from_sockets(builders, cluster.data, process, threads, hooks)
                .map_err(|error| failed(error.to_string()))?;
        let builders = builders.into_iter().map(AllocatorBuilder::Tcp).collect();
        Ok((builders, Box::new(connections), network))
    }

    /// Tells the other processes that this one is done and waits for them.
    pub(super) fn finish(&self) {
        if let Some(control) = &self.control {
            control.finish();
        }
    }

    /// Ends all connections at once, so that threads that wait on them come to an end.
    pub(super) fn cut(&self) {
        for socket in &self.sockets {
            // A connection that is gone already is as good as cut.
            let _gone = socket.shutdown(Shutdown::Both);
        }
    }
}
