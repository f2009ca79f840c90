//! The configuration file of `cpm serve` (TOML). Integers are seconds or bytes; an unknown key is an error.

use crate::failure::{Context, Failure};
use cpm_proto::{DigestAlgorithm, Policy, RegistrarPolicy};
use serde::Deserialize;
use std::path::Path;

/// What the file may hold.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    registrar: Registrar,
    policy: PolicyKeys,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Registrar {
    min_expires: Option<u32>,
    algorithms: Option<Vec<AlgorithmName>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PolicyKeys {
    standalone_max_bytes: Option<u32>,
    deferred_max_seconds: Option<u32>,
    accept_plain_messages: Option<bool>,
}

/// The names of RFC 8760, in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct AlgorithmName(DigestAlgorithm);

impl TryFrom<String> for AlgorithmName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match name.to_ascii_uppercase().as_str() {
            "SHA-256" => Ok(Self(DigestAlgorithm::Sha256)),
            "MD5" => Ok(Self(DigestAlgorithm::Md5)),
            _ => Err(format!("unknown algorithm `{name}`, known are SHA-256 and MD5")),
        }
    }
}

/// The file's settings over the defaults; the defaults alone without a file.
pub(crate) fn read(path: Option<&Path>) -> Result<(RegistrarPolicy, Policy), Failure> {
    let Some(path) = path else { return Ok(Default::default()) };
    let text = std::fs::read_to_string(path).context(format!("cannot read {}", path.display()))?;
    parse(&text).context(path.display())
}

fn parse(text: &str) -> Result<(RegistrarPolicy, Policy), Failure> {
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| 1 + text.get(..span.start).unwrap_or(text).matches('\n').count());
        let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        Failure::new(format!("{place}{}", error.message()))
    })?;
    let mut registrar = RegistrarPolicy::default();
    if let Some(min) = file.registrar.min_expires {
        if min > registrar.max_expires {
            return Err(Failure::new(format!(
                "registrar.min_expires is above {} seconds, the longest registration",
                registrar.max_expires
            )));
        }
        registrar.min_expires = min;
        registrar.default_expires = registrar.default_expires.max(min);
    }
    if let Some(names) = file.registrar.algorithms {
        if names.is_empty() {
            return Err(Failure::new("registrar.algorithms names no algorithm"));
        }
        registrar.algorithms = names.into_iter().map(|AlgorithmName(algorithm)| algorithm).collect();
    }
    let mut policy = Policy::default();
    policy.standalone_max_bytes = file.policy.standalone_max_bytes.unwrap_or(policy.standalone_max_bytes);
    policy.deferred_max_seconds = file.policy.deferred_max_seconds.unwrap_or(policy.deferred_max_seconds);
    policy.accept_plain_messages = file.policy.accept_plain_messages.unwrap_or(policy.accept_plain_messages);
    Ok((registrar, policy))
}

#[cfg(test)]
mod tests {
    use super::parse;
    use cpm_proto::DigestAlgorithm;

    #[test]
    fn every_known_key_counts() {
        let (registrar, policy) = parse(
            "[registrar]\nmin_expires = 10\nalgorithms = [\"MD5\"]\n\
             [policy]\nstandalone_max_bytes = 1000\ndeferred_max_seconds = 20\naccept_plain_messages = false\n",
        )
        .unwrap();
        assert_eq!(registrar.min_expires, 10);
        assert_eq!(registrar.algorithms, [DigestAlgorithm::Md5]);
        assert_eq!(policy.standalone_max_bytes, 1000);
        assert_eq!(policy.deferred_max_seconds, 20);
        assert!(!policy.accept_plain_messages);
    }

    #[test]
    fn an_empty_file_means_the_defaults() {
        let (registrar, policy) = parse("").unwrap();
        assert_eq!(registrar.algorithms, [DigestAlgorithm::Sha256, DigestAlgorithm::Md5]);
        assert!(policy.accept_plain_messages);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        for (text, key, line) in [
            ("[registrar]\nmin_expire = 10\n", "min_expire", "line 2"),
            ("colour = 1\n", "colour", "line 1"),
            ("\n[policy]\n\nlimit = 1\n", "limit", "line 4"),
        ] {
            let failure = parse(text).unwrap_err().to_string();
            assert!(failure.contains(&format!("`{key}`")) && failure.contains(line), "{failure}");
        }
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        for text in [
            "[registrar]\nmin_expires = -1\n",
            "[registrar]\nmin_expires = 600001\n",
            "[registrar]\nalgorithms = []\n",
            "[registrar]\nalgorithms = [\"SHA-1\"]\n",
            "[policy]\naccept_plain_messages = 1\n",
            "[policy\n",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
