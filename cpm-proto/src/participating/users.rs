//! The served users and how an address leads to one of them.

use crate::config::{Secret, ServerConfig};
use crate::store::model::Owner;
use cpm_sip::Uri;
use std::collections::BTreeMap;

/// One served user; an index, valid for the life of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UserId(pub(crate) u32);

/// A served user.
#[derive(Debug)]
pub(crate) struct Served {
    /// The address as configured: what is asserted for the user.
    pub(crate) address: String,
    /// The address in the form under which it is compared and hashed.
    pub(crate) canonical: String,
    /// The user in the key space of the store.
    pub(crate) owner: Owner,
    /// Digest password.
    pub(crate) password: Secret,
}

/// Where an address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A user of this node.
    Local(UserId),
    /// One of our domains, but nobody there.
    Nobody,
    /// Another domain.
    Foreign,
}

/// The table of users.
#[derive(Debug, Default)]
pub(crate) struct Users {
    list: Vec<Served>,
    by_address: BTreeMap<String, UserId>,
    by_owner: BTreeMap<Owner, UserId>,
    domains: Vec<String>,
}

impl Users {
    /// The users of a configuration; an address that cannot be read, or comes twice, is left out.
    pub(crate) fn new(config: &ServerConfig) -> Self {
        let domains = config.domains.iter().map(|domain| domain.to_ascii_lowercase()).collect();
        let mut users = Self { domains, ..Self::default() };
        for user in &config.users {
            let Ok(uri) = Uri::parse(&user.address) else { continue };
            let canonical = users.key(&uri);
            if users.by_address.contains_key(&canonical) {
                continue;
            }
            let Ok(index) = u32::try_from(users.list.len()) else { break };
            let id = UserId(index);
            let owner = Owner::of(&canonical);
            users.by_address.insert(canonical.clone(), id);
            users.by_owner.insert(owner, id);
            let address = user.address.clone();
            users.list.push(Served { address, canonical, owner, password: user.password.clone() });
        }
        users
    }

    /// A user by index. Indices come from this table only.
    pub(crate) fn get(&self, id: UserId) -> Option<&Served> {
        self.list.get(id.0 as usize)
    }

    /// The digest realm: the first domain.
    pub(crate) fn realm(&self) -> &str {
        self.domains.first().map_or("localhost", String::as_str)
    }

    /// Whether a host is one of our domains.
    pub(crate) fn is_local(&self, host: &str) -> bool {
        self.domains.iter().any(|domain| domain.eq_ignore_ascii_case(host))
    }

    /// Where an address leads.
    // spec: CONV-GEN-010, CONV-GEN-022
    pub(crate) fn find(&self, uri: &Uri<'_>) -> Place {
        if let Some(id) = self.by_address.get(&self.key(uri)) {
            return Place::Local(*id);
        }
        match uri {
            Uri::Sip(sip) if self.is_local(&sip.host().to_string()) => Place::Nobody,
            Uri::Tel(_) => Place::Nobody,
            _ => Place::Foreign,
        }
    }

    /// The user at an address.
    pub(crate) fn place(&self, uri: &Uri<'_>) -> Option<UserId> {
        match self.find(uri) {
            Place::Local(id) => Some(id),
            _ => None,
        }
    }

    /// The form under which an address is compared.
    pub(crate) fn canonical(&self, uri: &Uri<'_>) -> String {
        self.key(uri)
    }

    /// All user parts, for the look-up of hashed user names.
    pub(crate) fn usernames(&self) -> impl Iterator<Item = &str> {
        self.list.iter().filter_map(|served| match Uri::parse(&served.address) {
            Ok(uri) => uri.user(),
            Err(_) => None,
        })
    }

    /// The user an address names.
    pub(crate) fn named(&self, address: &str) -> Option<UserId> {
        self.place(&Uri::parse(address).ok()?)
    }

    /// The user whose records have this owner.
    pub(crate) fn of_owner(&self, owner: Owner) -> Option<UserId> {
        self.by_owner.get(&owner).copied()
    }

    /// The user a digest user name means: a whole address, or the user part within `domain`, or else within
    /// the realm.
    pub(crate) fn of_username(&self, username: &str, domain: Option<&str>) -> Option<UserId> {
        if username.contains(':') {
            return self.named(username);
        }
        if username.contains('@') {
            return self.named(&format!("sip:{username}"));
        }
        let domain = domain.filter(|domain| self.is_local(domain)).unwrap_or_else(|| self.realm());
        self.named(&format!("sip:{username}@{domain}"))
    }

    /// The form under which addresses are compared: global numbers by number, whether they are written as tel
    /// URI or as SIP URI of ours or with `user=phone`; sips as sip.
    fn key(&self, uri: &Uri<'_>) -> String {
        if let Uri::Sip(sip) = uri {
            let phone = sip.params().value("user").is_some_and(|value| value.eq_ignore_ascii_case("phone"));
            let number = sip.user().and_then(global_number);
            if let Some(number) = number.filter(|_| phone || self.is_local(&sip.host().to_string())) {
                return format!("tel:{number}");
            }
        }
        let canonical = uri.canonical();
        match canonical.strip_prefix("sips:") {
            Some(rest) => format!("sip:{rest}"),
            None => canonical,
        }
    }
}

/// A global number without visual separators; `None` for anything else. Parameters of a telephone-subscriber
/// end it.
fn global_number(user: &str) -> Option<String> {
    let number = user.split(';').next()?.strip_prefix('+')?;
    let mut out = String::from("+");
    for letter in number.chars() {
        match letter {
            '0'..='9' => out.push(letter),
            '-' | '.' | '(' | ')' => {}
            _ => return None,
        }
    }
    (out.len() > 1).then_some(out)
}

#[cfg(test)]
#[path = "users_tests.rs"]
mod tests;
