//! The embedder's side of a shard.

use crate::driver::Driver;
use cpm_base::FlowMachine;
use cpm_base::shell::Shell;
use cpm_runtime_common::driver::{COMMANDS, EVENTS};
use cpm_runtime_common::net::bind_all;
use cpm_runtime_common::{Address, DriverOptions, DriverStats, Ended, Ending, Handler, RunError, StartError};
use std::sync::Arc;
use tokio::sync::mpsc::{Receiver, Sender, UnboundedSender, channel, unbounded_channel};
use tokio::sync::{Mutex, oneshot};

/// A look at the machine and the driver, taken on the shard's thread.
type Look<M> = Box<dyn FnOnce(&M, DriverStats) + Send>;

/// What handles send to the shard.
pub(crate) enum Order<M, C> {
    Command(C),
    Inspect(Look<M>),
    Stop,
}

/// The way for other threads to hand inputs, such as answers to effects, to the machine. They are never refused:
/// the machine itself bounds how many it asks for.
pub struct Inputs<I> {
    sender: UnboundedSender<I>,
}

impl<I> Clone for Inputs<I> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone() }
    }
}

impl<I> std::fmt::Debug for Inputs<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inputs")
    }
}

impl<I> Inputs<I> {
    /// Hands in one input and wakes the shard. After the shard's end it is dropped.
    pub fn send(&self, input: I) {
        let _shard_ended = self.sender.send(input);
    }
}

struct Shared<M, C, E> {
    orders: Sender<Order<M, C>>,
    events: Mutex<Receiver<E>>,
    addresses: Vec<Address>,
    ended: Ended,
}

/// A running shard: a machine on a thread of its own, with its sockets. Cheap to clone. When the last clone is
/// dropped the shard ends as if it had been stopped.
pub struct DriverHandle<M, C, E> {
    shared: Arc<Shared<M, C, E>>,
}

impl<M, C, E> Clone for DriverHandle<M, C, E> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<M, C, E> std::fmt::Debug for DriverHandle<M, C, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DriverHandle")
            .field("addresses", &self.shared.addresses)
            .field("ended", &self.shared.ended.now())
            .finish()
    }
}

impl<M, C, E> DriverHandle<M, C, E>
where
    M: FlowMachine + Send + 'static,
    M::Input: Send,
    C: Send + 'static,
    E: Send + 'static,
{
    /// Binds the sockets, then runs `machine` on a new thread until it is stopped. `handler` gets the way by
    /// which other threads hand in inputs.
    pub fn spawn<H>(
        options: DriverOptions,
        machine: M,
        handler: impl FnOnce(Inputs<M::Input>) -> Result<H, StartError>,
    ) -> Result<Self, StartError>
    where
        H: Handler<M, Command = C, Event = E>,
    {
        let bound = bind_all(&options.listen)?;
        let mut addresses = Vec::with_capacity(bound.len());
        for (socket, listen) in bound.iter().zip(&options.listen) {
            let addr = socket.local_addr().map_err(|source| StartError::System { what: "socket", source })?;
            addresses.push(Address { transport: listen.transport, addr });
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|source| StartError::System { what: "runtime", source })?;
        let (orders, order_queue) = channel(COMMANDS);
        let (input_sender, inputs) = unbounded_channel();
        let (event_sender, events) = channel(EVENTS);
        let (ending, ended) = Ending::new();
        let handler = handler(Inputs { sender: input_sender })?;
        let name = options.name.clone();
        let run = move || {
            let mut ending = ending;
            let shell = Shell::new(machine, options.limits);
            let driver = Driver::new(shell, handler, order_queue, inputs, event_sender);
            let end = runtime.block_on(tokio::task::unconstrained(driver.run(bound, options.towards)));
            // Sockets still registered must go before those who wait hear of the end.
            drop(runtime);
            ending.set(end);
        };
        std::thread::Builder::new()
            .name(name)
            .spawn(run)
            .map_err(|source| StartError::System { what: "thread", source })?;
        let shared = Shared { orders, events: Mutex::new(events), addresses, ended };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Where the shard listens, in the order asked for.
    pub fn addresses(&self) -> &[Address] {
        &self.shared.addresses
    }

    /// Gives a command to the shard; waits while too many are on their way.
    pub async fn command(&self, command: C) -> Result<(), RunError> {
        self.order(Order::Command(command)).await
    }

    /// The next event; `None` once the shard has ended and all were taken. Clones share the events.
    pub async fn next_event(&self) -> Option<E> {
        self.shared.events.lock().await.recv().await
    }

    /// Looks at the machine and the counters between two turns.
    pub async fn inspect<T: Send + 'static>(
        &self,
        look: impl FnOnce(&M, DriverStats) -> T + Send + 'static,
    ) -> Result<T, RunError> {
        let (reply, answer) = oneshot::channel();
        let look = move |machine: &M, stats: DriverStats| drop(reply.send(look(machine, stats)));
        self.order(Order::Inspect(Box::new(look))).await?;
        match answer.await {
            Ok(seen) => Ok(seen),
            Err(_) => Err(self.why_ended().await),
        }
    }

    /// Lets the shard finish what is outstanding, bounded in time, and waits until its thread has let go of
    /// everything. Stopping twice is no error.
    pub async fn stop(&self) -> Result<(), RunError> {
        let _already_ended = self.shared.orders.send(Order::Stop).await;
        self.shared.ended.wait().await
    }

    /// Waits for the end of the shard without asking for it.
    pub async fn ended(&self) -> Result<(), RunError> {
        self.shared.ended.wait().await
    }

    /// Why the shard ended, or is about to, for a call that found nobody.
    pub(crate) async fn why_ended(&self) -> RunError {
        self.shared.ended.wait().await.err().unwrap_or(RunError::Stopped)
    }

    async fn order(&self, order: Order<M, C>) -> Result<(), RunError> {
        match self.shared.orders.send(order).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.why_ended().await),
        }
    }
}
