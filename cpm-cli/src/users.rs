//! Users of `cpm serve` as people write them: `ADDRESS:PASSWORD`.

use crate::failure::{Context, Failure};
use cpm_proto::{Secret, UserSecret};
use cpm_sip::Uri;
use std::collections::BTreeSet;
use std::path::Path;

/// Reads one user. The password follows the first colon after the URI's scheme and may hold colons itself.
pub(crate) fn parse(text: &str) -> Result<UserSecret, Failure> {
    let shape =
        || Failure::new("a user is written ADDRESS:PASSWORD, for example sip:alice@example.test:secret");
    let (scheme, rest) = text.split_once(':').ok_or_else(shape)?;
    if !["sip", "sips", "tel"].iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
        return Err(shape());
    }
    let (subject, password) = rest.split_once(':').ok_or_else(shape)?;
    let address = format!("{scheme}:{subject}");
    if password.is_empty() {
        return Err(Failure::new(format!("{address} has no password")));
    }
    Uri::parse(&address).map_err(|_| Failure::new(format!("{address} is no CPM Address")))?;
    Ok(UserSecret { address, password: Secret::new(password) })
}

/// Reads a file with one user a line. Empty lines and lines that start with `#` do not count.
pub(crate) fn read(path: &Path) -> Result<Vec<UserSecret>, Failure> {
    let text = std::fs::read_to_string(path).context(format!("cannot read {}", path.display()))?;
    let mut users = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        users.push(parse(line).context(format!("{} line {}", path.display(), at + 1))?);
    }
    Ok(users)
}

/// Refuses the same address twice.
pub(crate) fn check_unique(users: &[UserSecret]) -> Result<(), Failure> {
    let mut known = BTreeSet::new();
    for user in users {
        let canonical = Uri::parse(&user.address).map(|uri| uri.canonical()).unwrap_or_default();
        if !known.insert(canonical) {
            return Err(Failure::new(format!("{} is given twice", user.address)));
        }
    }
    Ok(())
}

/// The domains of these users, each once.
pub(crate) fn domains(users: &[UserSecret]) -> Vec<String> {
    let domains: BTreeSet<String> = users
        .iter()
        .filter_map(|user| user.address.rsplit_once('@'))
        .map(|(_, host)| host.split([';', '?', ':']).next().unwrap_or(host).to_ascii_lowercase())
        .collect();
    domains.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::{check_unique, domains, parse};

    #[test]
    fn the_password_follows_the_first_colon_after_the_scheme() {
        for (text, address, password) in [
            ("sip:alice@example.test:secret", "sip:alice@example.test", "secret"),
            ("sip:alice@example.test:a:b:c", "sip:alice@example.test", "a:b:c"),
            ("tel:+12025550111:secret", "tel:+12025550111", "secret"),
            ("SIP:alice@example.test: ", "SIP:alice@example.test", " "),
        ] {
            let user = parse(text).unwrap();
            assert_eq!((user.address.as_str(), user.password.expose()), (address, password), "{text}");
        }
    }

    #[test]
    fn what_is_no_user_is_refused() {
        for text in
            ["", "alice", "alice:secret", "sip:alice@example.test", "sip:alice@example.test:", "sip::x"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn domains_come_from_the_users() {
        let users = ["sip:a@Example.test:x", "sip:b@example.test:x", "sip:c@other.test:x", "tel:+1202:x"]
            .map(|text| parse(text).unwrap());
        assert_eq!(domains(&users), ["example.test", "other.test"]);
        assert!(check_unique(&users).is_ok());
        let twice = ["sip:a@example.test:x", "sip:a@EXAMPLE.test:y"].map(|text| parse(text).unwrap());
        assert_eq!(check_unique(&twice).unwrap_err().to_string(), "sip:a@EXAMPLE.test is given twice");
    }
}
