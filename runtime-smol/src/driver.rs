//! The turn loop of one shard (architecture §10): stamp, read, fire timers, carry out outputs, wait.

use crate::datagrams::Datagrams;
use crate::events::Events;
use crate::handle::{Order, Queue};
use crate::streams::Streams;
use cpm_base::shell::{Shell, ShellInput, ShellOutput};
use cpm_base::{FlowInfo, FlowMachine, Machine, Now, Transport};
use cpm_runtime_common::driver::{
    Key, Pause, TURN_ACCEPTS, TURN_ORDERS, TURN_OUTPUTS, TURN_SOCKETS, TURN_TIMERS,
};
use cpm_runtime_common::net::{self, Bound};
use cpm_runtime_common::ready::{ReadyQueue, ReadyWaker};
use cpm_runtime_common::{DriverStats, Handler, RunError, probes, stamp};
use smol::channel::Sender;
use smol::{Async, Timer};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

struct Listener {
    socket: Async<TcpListener>,
    accept: ReadyWaker<Key>,
    pause: Pause,
}

/// Until when the driver goes on after the order to stop, and whether it still reads.
#[derive(Clone, Copy)]
struct Stop {
    until: Instant,
    read: bool,
}

/// One shard.
pub(crate) struct Driver<M: FlowMachine, H: Handler<M>> {
    shell: Shell<M>,
    handler: H,
    ready: ReadyQueue<Key>,
    listeners: Vec<Listener>,
    datagrams: Vec<Datagrams>,
    streams: Streams,
    order_queue: Queue<Order<M, H::Command>>,
    orders: VecDeque<Order<M, H::Command>>,
    input_queue: Queue<M::Input>,
    inputs: VecDeque<M::Input>,
    events: Events<H::Event>,
    stop: Option<Stop>,
    stats: DriverStats,
}

impl<M: FlowMachine, H: Handler<M>> Driver<M, H> {
    pub(crate) fn new(
        shell: Shell<M>,
        handler: H,
        order_queue: Queue<Order<M, H::Command>>,
        input_queue: Queue<M::Input>,
        events: Sender<H::Event>,
    ) -> Self {
        Self {
            shell,
            handler,
            ready: ReadyQueue::default(),
            listeners: Vec::new(),
            datagrams: Vec::new(),
            streams: Streams::new(),
            order_queue,
            orders: VecDeque::new(),
            input_queue,
            inputs: VecDeque::new(),
            events: Events::new(events),
            stop: None,
            stats: DriverStats::default(),
        }
    }

    /// Runs until it is stopped.
    pub(crate) async fn run(
        mut self,
        bound: Vec<Bound>,
        towards: Option<SocketAddr>,
    ) -> Result<(), RunError> {
        let now = stamp();
        for socket in bound {
            // The system had let us bind it; what fails here is beyond repair for this socket only.
            if let Err(error) = self.register(now, socket, towards) {
                tracing::error!("a bound socket could not be registered: {error}");
            }
        }
        if let Some(event) = self.handler.started(now, &mut self.shell) {
            self.events.push(event);
        }
        let mut timer = Timer::never();
        let end = loop {
            let now = stamp();
            let busy = self.turn(now);
            if let Some(end) = self.end(now) {
                break end;
            }
            if busy {
                // Lets the runtime look at the sockets between two turns.
                smol::future::yield_now().await;
            } else {
                self.wait(&mut timer).await;
            }
        };
        self.streams.shut_all();
        let Self { handler, streams, datagrams, listeners, .. } = self;
        drop((streams, datagrams, listeners));
        handler.ended();
        end
    }

    fn register(&mut self, now: Now, socket: Bound, towards: Option<SocketAddr>) -> io::Result<()> {
        match socket {
            Bound::Tcp(socket) => {
                let accept = self.ready.waker(Key::Accept(self.listeners.len()));
                accept.again();
                let socket = Async::new(socket)?;
                self.listeners.push(Listener { socket, accept, pause: Pause::default() });
            }
            Bound::Udp(socket) => {
                let local = net::concrete(socket.local_addr()?, towards);
                let info = FlowInfo {
                    transport: Transport::Udp,
                    local,
                    remote: None,
                    accepted: false,
                    trusted: false,
                };
                let index = self.datagrams.len();
                if let Some(flow) = self.shell.attach(now, info) {
                    self.datagrams.push(Datagrams::new(socket, flow, &self.ready, index)?);
                }
            }
        }
        Ok(())
    }

    /// One turn; true if the next one should follow at once.
    fn turn(&mut self, now: Now) -> bool {
        self.stats.turns += 1;
        let mut busy = self.take_orders(now);
        if !self.events.is_full() || self.stop.is_some() {
            busy |= self.serve_sockets(now);
        }
        self.expire(now);
        busy |= self.shell.handle_timeout(now, TURN_TIMERS);
        busy |= self.carry_out(now);
        while let Some(probe) = self.handler.probe(&mut self.shell) {
            probes::emit(probe);
        }
        busy
    }

    fn take_orders(&mut self, now: Now) -> bool {
        for taken in 0.. {
            let Some(input) = self.inputs.pop_front().or_else(|| self.input_queue.take()) else {
                break;
            };
            if self.shell.handle_input(now, ShellInput::Machine(input)).is_err() {
                self.stats.input_errors += 1;
            }
            if taken == TURN_ORDERS {
                return true;
            }
        }
        for _ in 0..TURN_ORDERS {
            let Some(order) = self.orders.pop_front().or_else(|| self.order_queue.take()) else {
                return false;
            };
            match order {
                Order::Command(command) => {
                    if let Some(event) = self.handler.command(now, &mut self.shell, command) {
                        self.events.push(event);
                    }
                }
                Order::Inspect(look) => look(self.shell.machine(), self.statistics()),
                Order::Stop => self.begin_stop(now),
            }
        }
        true
    }

    fn begin_stop(&mut self, now: Now) {
        if self.stop.is_none() {
            self.listeners.clear();
            let stopping = self.handler.stopping(now, &mut self.shell);
            self.stop = Some(Stop { until: now.mono + stopping.within, read: stopping.read });
        }
    }

    /// Whether to end here: the order to stop has come and nothing is outstanding, or its time is over.
    fn end(&self, now: Now) -> Option<Result<(), RunError>> {
        let stop = self.stop?;
        let unsent = self.streams.is_writing() || self.datagrams.iter().any(Datagrams::is_sending);
        if !unsent && self.handler.may_end(self.shell.machine()) {
            return Some(Ok(()));
        }
        (now.mono >= stop.until).then_some(Err(RunError::Unfinished))
    }

    fn statistics(&self) -> DriverStats {
        let mut stats = self.stats;
        stats.input_errors += self.streams.input_errors;
        stats.streams = self.streams.len();
        stats.flows = self.shell.flows();
        stats.shell = self.shell.stats();
        for socket in &self.datagrams {
            stats.udp.add(socket.stats());
        }
        stats
    }

    fn serve_sockets(&mut self, now: Now) -> bool {
        let read = self.stop.is_none_or(|stop| stop.read);
        for _ in 0..TURN_SOCKETS {
            match self.ready.pop() {
                None => return false,
                Some(Key::Accept(index)) => self.accept(now, index),
                Some(Key::Receive(index)) if read => self.receive(now, index),
                Some(Key::Read(flow)) if read => self.streams.readable(now, &mut self.shell, flow),
                Some(Key::Receive(_) | Key::Read(_)) => {}
                Some(Key::Send(index)) => {
                    if let Some(socket) = self.datagrams.get_mut(index) {
                        socket.flush();
                    }
                }
                Some(Key::Write(flow)) => self.streams.writable(now, &mut self.shell, flow),
            }
        }
        true
    }

    fn accept(&mut self, now: Now, index: usize) {
        for _ in 0..TURN_ACCEPTS {
            let Some(listener) = self.listeners.get_mut(index) else { return };
            match listener.socket.get_ref().accept() {
                Ok((socket, remote)) => {
                    listener.pause.clear();
                    self.accepted(now, socket, remote);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if listener.socket.poll_readable(&mut listener.accept.context()).is_ready() {
                        listener.accept.again();
                    }
                    return;
                }
                Err(error) if net::is_one_connection(&error) => {}
                Err(_) => {
                    self.stats.exhausted += 1;
                    listener.pause.begin(now.mono);
                    return;
                }
            }
        }
        if let Some(listener) = self.listeners.get(index) {
            listener.accept.again();
        }
    }

    fn accepted(&mut self, now: Now, socket: TcpStream, remote: SocketAddr) {
        // Each fails only when the peer has gone again.
        let (Ok(local), Ok(())) = (socket.local_addr(), socket.set_nodelay(true)) else { return };
        let Ok(socket) = Async::new(socket) else { return };
        let info = FlowInfo {
            transport: Transport::Tcp,
            local,
            remote: Some(remote),
            accepted: true,
            trusted: false,
        };
        match self.shell.attach(now, info) {
            Some(flow) => {
                self.stats.accepted += 1;
                self.streams.accepted(&self.ready, flow, socket);
            }
            None => self.stats.refused += 1,
        }
    }

    fn receive(&mut self, now: Now, index: usize) {
        let Some(socket) = self.datagrams.get_mut(index) else { return };
        let (flow, shell, errors) = (socket.flow, &mut self.shell, &mut self.stats.input_errors);
        let granted = socket.receive(now.mono, |from, data| {
            if shell.handle_input(now, ShellInput::Datagram { flow, from, data }).is_err() {
                *errors += 1;
            }
        });
        self.stats.exhausted += u64::from(!granted);
    }

    fn expire(&mut self, now: Now) {
        self.streams.expire(now);
        for listener in &mut self.listeners {
            if listener.pause.over(now.mono) {
                listener.accept.again();
            }
        }
        for socket in &mut self.datagrams {
            socket.expire(now.mono);
        }
    }

    /// Carries out what the shell wants; true if there is more.
    fn carry_out(&mut self, now: Now) -> bool {
        let mut left = TURN_OUTPUTS;
        loop {
            while let Some(output) = self.shell.poll_output() {
                self.output(now, output);
                left -= 1;
                if left == 0 {
                    break;
                }
            }
            if left == 0 || !self.streams.end_half_closed(now, &mut self.shell) {
                break;
            }
        }
        for socket in &mut self.datagrams {
            socket.flush();
        }
        left == 0
    }

    fn output(&mut self, now: Now, output: ShellOutput<M::Rest>) {
        match output {
            ShellOutput::Connect { flow, transport, remote, .. } => {
                if let Err(reason) = self.streams.connect(&self.ready, flow, transport, remote) {
                    let failed = ShellInput::ConnectFailed { flow, reason };
                    self.stats.input_errors += u64::from(self.shell.handle_input(now, failed).is_err());
                }
            }
            ShellOutput::Write { flow, segments } => {
                self.streams.write(now, &mut self.shell, flow, segments);
            }
            ShellOutput::Datagram { flow, to, data } => {
                if let Some(socket) = self.datagrams.iter_mut().find(|socket| socket.flow == flow) {
                    socket.push(to, data);
                }
            }
            ShellOutput::Shutdown { flow } => self.streams.shutdown(now, flow),
            ShellOutput::PauseRead { flow } => self.streams.pause(flow),
            ShellOutput::ResumeRead { flow } => self.streams.resume(flow),
            ShellOutput::Rest(rest) => {
                if let Some(event) = self.handler.rest(now, &mut self.shell, rest) {
                    self.events.push(event);
                }
            }
            _ => {}
        }
    }

    /// The next moment at which something is due.
    fn deadline(&self) -> Option<Instant> {
        [
            self.shell.poll_timeout().map(|(at, _)| at),
            self.streams.next_deadline(),
            self.stop.map(|stop| stop.until),
        ]
        .into_iter()
        .chain(self.listeners.iter().map(|listener| listener.pause.until()))
        .chain(self.datagrams.iter().map(Datagrams::next_deadline))
        .flatten()
        .min()
    }

    /// Sleeps until a socket is ready, the timer fires, an order or an answer comes, or events have room again.
    async fn wait(&mut self, timer: &mut Timer) {
        let deadline = self.deadline();
        match deadline {
            Some(at) => timer.set_at(at),
            None => timer.clear(),
        }
        poll_fn(|cx| {
            let mut awake = self.poll_queues(cx);
            let was_full = self.events.is_full();
            let drained = self.events.poll_drained(cx);
            awake |= was_full && drained;
            if drained || self.stop.is_some() {
                awake |= self.ready.poll_ready(cx);
            }
            awake |= deadline.is_some() && Pin::new(&mut *timer).poll(cx).is_ready();
            if awake { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn poll_queues(&mut self, cx: &mut Context<'_>) -> bool {
        let mut awake = false;
        match self.order_queue.poll_take(cx) {
            Poll::Ready(Some(order)) => self.orders.push_back(order),
            // The last handle is gone.
            Poll::Ready(None) if self.stop.is_none() => self.orders.push_back(Order::Stop),
            _ => {}
        }
        awake |= !self.orders.is_empty();
        if let Poll::Ready(Some(input)) = self.input_queue.poll_take(cx) {
            self.inputs.push_back(input);
        }
        awake | !self.inputs.is_empty()
    }
}
