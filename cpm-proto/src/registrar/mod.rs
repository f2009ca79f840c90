//! The built-in registrar: which Devices of a user can be reached, and how (RFC 3261 §10.3, CONV-REG-004).
//!
//! A REGISTER is authenticated, judged by [`Bindings`], made durable and only then answered with 200. The
//! REGISTERs of one user take turns, so that each is judged by what the one before has left. Bindings over a
//! stream die with it; those over UDP keep the address their REGISTER came from, whatever NAT is in between.

mod register;

use crate::Limits;
use crate::config::RegistrarPolicy as Numbers;
use crate::participating::UserId;
use crate::policy::Capability;
use crate::store::model::{BindingRecord, hash128};
use cpm_base::{FlowId, FlowInfo, Now, TimerId};
use cpm_sip::NameAddr;
use cpm_sip::endpoint::Target;
use cpm_sip::register::{Binding, Bindings, RegistrarPolicy};
use register::Job;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// One Device that can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    /// Contact URI: the Request-URI of what is sent to it.
    pub(crate) contact: String,
    /// Instance-id, without quotes and brackets.
    pub(crate) instance: Option<String>,
    /// What it registered.
    pub(crate) capability: Capability,
    /// The way to it.
    pub(crate) target: Target,
    /// Preference in thousandths.
    q: u16,
}

impl Device {
    /// Whether both are the same Device (CONV-GEN-021: by instance-id, else by contact).
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.instance, &other.instance) {
            (Some(a), Some(b)) => a == b,
            _ => self.contact == other.contact,
        }
    }
}

/// The registration of one user.
#[derive(Debug, Default)]
struct Registration {
    bindings: Bindings,
    /// The way to each contact, and what it can do.
    ways: BTreeMap<String, Way>,
    /// When a Device last did more than refresh, since the Unix epoch.
    came: Duration,
    /// REGISTERs in order; the first one may be waiting for the store.
    jobs: VecDeque<Job>,
    timer: Option<TimerId>,
}

/// How a contact is reached and what it can do.
#[derive(Clone, Debug)]
struct Way {
    target: Target,
    capability: Capability,
}

impl Way {
    fn new(target: Target, binding: &Binding) -> Self {
        Self { target, capability: capability_of(binding) }
    }
}

impl Registration {
    /// Keeps the bindings that are wanted, and gives the others.
    fn keep(&mut self, wanted: impl Fn(&Binding, Option<&Target>) -> bool) -> Vec<Binding> {
        let target = |binding: &Binding| self.ways.get(&binding.uri).map(|way| &way.target);
        let all = self.bindings.list().iter().cloned();
        let (kept, gone): (Vec<_>, Vec<_>) = all.partition(|binding| wanted(binding, target(binding)));
        for binding in &gone {
            self.ways.remove(&binding.uri);
        }
        self.bindings = Bindings::of(kept);
        gone
    }
}

/// All registrations.
#[derive(Debug)]
pub(crate) struct Registrar {
    policy: RegistrarPolicy,
    by_user: BTreeMap<UserId, Registration>,
    /// Streams that are up, and who has registered over them.
    streams: BTreeMap<FlowId, BTreeSet<UserId>>,
    /// Datagram sockets, and whether they are of IPv6.
    sockets: BTreeMap<FlowId, bool>,
    next_job: u64,
}

impl Registrar {
    pub(crate) fn new(numbers: &Numbers, limits: &Limits) -> Self {
        let policy = RegistrarPolicy {
            min_expires: numbers.min_expires,
            default_expires: numbers.default_expires,
            max_expires: numbers.max_expires,
            bindings: limits.bindings,
            ..RegistrarPolicy::default()
        };
        let (streams, sockets) = (BTreeMap::new(), BTreeMap::new());
        Self { policy, by_user: BTreeMap::new(), streams, sockets, next_job: 0 }
    }

    /// The Devices of a user that can be reached now, the preferred one first. Two contacts of one Device are
    /// one Device (CONV-GEN-021).
    pub(crate) fn devices(&self, now: Now, user: UserId) -> Vec<Device> {
        let Some(registration) = self.by_user.get(&user) else { return Vec::new() };
        let mut devices: Vec<Device> = Vec::new();
        // The newest binding of a Device comes last and wins.
        for binding in registration.bindings.live(now) {
            let Some(way) = registration.ways.get(&binding.uri) else { continue };
            let device = Device {
                contact: binding.uri.clone(),
                instance: binding.instance.clone(),
                capability: way.capability,
                target: self.pin(way.target),
                q: binding.q.unwrap_or(1000),
            };
            devices.retain(|other| !other.is_same(&device));
            devices.push(device);
        }
        devices.sort_by_key(|device| std::cmp::Reverse(device.q));
        devices
    }

    /// Whether a Device of the user has come after this moment, since the Unix epoch.
    pub(crate) fn came_after(&self, user: UserId, moment: Duration) -> bool {
        self.by_user.get(&user).is_some_and(|registration| registration.came > moment)
    }

    /// The user a stream speaks for: `named` if that user registered over it, else its only user.
    pub(crate) fn user_of_flow(&self, flow: FlowId, named: Option<UserId>) -> Option<UserId> {
        let users = self.streams.get(&flow)?;
        match named {
            Some(user) if users.contains(&user) => Some(user),
            _ if users.len() == 1 => users.first().copied(),
            _ => None,
        }
    }

    /// Who registered over UDP is reached over UDP, large messages too: a NAT lets nothing else in. After a
    /// restart any socket of the family will do.
    fn pin(&self, mut target: Target) -> Target {
        if target.transport.is_reliable() || target.flow.is_some_and(|flow| self.sockets.contains_key(&flow))
        {
            return target;
        }
        let ipv6 = target.remote.is_ipv6();
        target.flow = self.sockets.iter().find(|(_, of_ipv6)| **of_ipv6 == ipv6).map(|(flow, _)| *flow);
        target
    }

    /// A flow is up.
    pub(crate) fn flow_up(&mut self, flow: FlowId, info: &FlowInfo) {
        if info.transport.is_reliable() {
            self.streams.insert(flow, BTreeSet::new());
        } else {
            self.sockets.insert(flow, info.local.is_ipv6());
        }
    }

    /// A flow is gone, and with a stream what was registered over it.
    pub(crate) fn flow_down(&mut self, flow: FlowId) -> Vec<(UserId, Vec<Binding>)> {
        self.sockets.remove(&flow);
        let users = self.streams.remove(&flow).unwrap_or_default();
        users.into_iter().map(|user| (user, self.drop_flow(user, flow))).collect()
    }

    fn drop_flow(&mut self, user: UserId, flow: FlowId) -> Vec<Binding> {
        let Some(registration) = self.by_user.get_mut(&user) else { return Vec::new() };
        registration.keep(|_, target| target.is_none_or(|target| target.flow != Some(flow)))
    }

    /// Takes out the bindings of a user that are over.
    pub(crate) fn expire(&mut self, now: Now, user: UserId) -> Vec<Binding> {
        let Some(registration) = self.by_user.get_mut(&user) else { return Vec::new() };
        registration.keep(|binding, _| binding.expires_at > now.unix_secs())
    }

    /// Takes up a binding found in the store.
    pub(crate) fn restore(&mut self, user: UserId, record: BindingRecord) {
        let registration = self.by_user.entry(user).or_default();
        let target = Target { transport: record.transport, remote: record.remote, flow: None };
        registration.ways.insert(record.binding.uri.clone(), Way::new(target, &record.binding));
        let mut list = registration.bindings.list().to_vec();
        list.push(record.binding);
        registration.bindings = Bindings::of(list);
    }

    /// Users with bindings.
    pub(crate) fn users(&self) -> Vec<UserId> {
        self.by_user.keys().copied().collect()
    }

    /// Whether nobody is registered and no REGISTER is under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_user.is_empty()
    }

    /// Number of bindings.
    pub(crate) fn len(&self) -> usize {
        self.by_user.values().map(|registration| registration.bindings.list().len()).sum()
    }

    /// Drops the entry of a user about whom there is nothing left to know.
    fn tidy(&mut self, user: UserId) {
        let Some(registration) = self.by_user.get(&user) else { return };
        if registration.bindings.list().is_empty() && registration.jobs.is_empty() {
            self.by_user.remove(&user);
        }
    }
}

/// What a contact registered that it can do.
fn capability_of(binding: &Binding) -> Capability {
    let text = format!("<{}>{}", binding.uri, binding.params);
    let Ok(address) = NameAddr::parse(&text) else { return Capability::default() };
    let params = address.params();
    let params: Vec<_> =
        params.iter().map(|param| (param.name, param.unquoted().unwrap_or_default())).collect();
    Capability::of_params(params.iter().map(|(name, value)| (*name, value.as_ref())))
}

/// The rest of the key of a binding: the Device and its flow, or the contact of one without instance-id.
fn binding_rest(binding: &Binding) -> [u8; 16] {
    match &binding.instance {
        Some(instance) => {
            hash128(&[b"instance", instance.as_bytes(), &binding.reg_id.unwrap_or(0).to_be_bytes()])
        }
        None => hash128(&[b"contact", binding.uri.as_bytes()]),
    }
}
