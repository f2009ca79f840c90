//! Digest against the vectors of the RFCs, and the two halves against each other.

use super::digest::{Covered, Protection, ha1, response, userhash};
use super::nonce::{NonceState, Nonces, hmac_sha256};
use super::{
    Algorithm, Authenticator, Presented, Qop, Refusal, Rejected, Role, Secret, Verdict, Verifier,
    VerifierConfig,
};
use crate::header::{Challenge, Credentials};
use cpm_base::{Now, Rng};
use std::net::IpAddr;
use std::time::{Duration, Instant};

fn now() -> Now {
    Now { mono: Instant::now(), unix: Duration::from_secs(1_700_000_000) }
}

fn peer() -> IpAddr {
    "192.0.2.7".parse().unwrap()
}

/// RFC 7616 §3.9.1.
// test: RFC7616-3.4.1 RFC8760-2.4
#[test]
fn vectors_of_rfc_7616() {
    let (user, realm, password) = ("Mufasa", "http-auth@example.org", "Circle of Life");
    for (algorithm, expected) in [
        (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
        (Algorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let covered = Covered {
            method: "GET",
            uri: "/dir/index.html",
            body: b"",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            qop: Some(Protection {
                qop: Qop::Auth,
                nc: "00000001",
                cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            }),
        };
        let ha1 = ha1(algorithm, user, realm, password);
        assert_eq!(response(algorithm, &ha1, &covered).as_str(), expected);
    }
}

/// RFC 2617 §3.5.
// test: RFC7616-3.4.1
#[test]
fn vector_of_rfc_2617() {
    let covered = Covered {
        method: "GET",
        uri: "/dir/index.html",
        body: b"",
        nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        qop: Some(Protection { qop: Qop::Auth, nc: "00000001", cnonce: "0a4f113b" }),
    };
    let ha1 = ha1(Algorithm::Md5, "Mufasa", "testrealm@host.com", "Circle Of Life");
    assert_eq!(response(Algorithm::Md5, &ha1, &covered).as_str(), "6629fae49393a05397450978507c4ef1");
}

/// The definitions of RFC 7616 §3.4.1 and §3.4.3 for the forms without vector, spelled out with the hash alone.
// test: RFC7616-3.4.1
#[test]
fn auth_int_and_the_form_without_qop() {
    let md5 = |text: &str| Algorithm::Md5.hash(&[text.as_bytes()]).as_str().to_owned();
    assert_eq!(md5(""), "d41d8cd98f00b204e9800998ecf8427e", "RFC 1321 §A.5");
    assert_eq!(md5("abc"), "900150983cd24fb0d6963f7d28e17f72", "RFC 1321 §A.5");
    let ha1 = ha1(Algorithm::Md5, "u", "r", "p");
    let covered = Covered { method: "MESSAGE", uri: "sip:x", body: b"abc", nonce: "n", qop: None };
    let plain = md5(&format!("{}:n:{}", md5("u:r:p"), md5("MESSAGE:sip:x")));
    assert_eq!(response(Algorithm::Md5, &ha1, &covered).as_str(), plain);
    let qop = Some(Protection { qop: Qop::AuthInt, nc: "00000002", cnonce: "c" });
    let ha2 = md5(&format!("MESSAGE:sip:x:{}", md5("abc")));
    let whole = md5(&format!("{}:n:00000002:c:auth-int:{ha2}", md5("u:r:p")));
    assert_eq!(response(Algorithm::Md5, &ha1, &Covered { qop, ..covered }).as_str(), whole);
    assert_eq!(userhash(Algorithm::Md5, "u", "r").as_str(), md5("u:r"));
}

/// RFC 4231 §4.2 has a shorter key; padded with zeros it is the same key (RFC 2104 §2).
#[test]
fn hmac_vector_of_rfc_4231() {
    let mut key = [0u8; 32];
    key[..20].fill(0x0b);
    let mac = hmac_sha256(&key, b"Hi There");
    let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
}

fn verifier(algorithms: &[Algorithm]) -> Verifier {
    let config = VerifierConfig { algorithms: algorithms.to_vec(), ..VerifierConfig::new("example.test") };
    Verifier::new(config, [3; 32])
}

fn challenge_values(verifier: &mut Verifier, now: Now) -> Vec<String> {
    verifier.challenges(now, peer(), false)
}

fn client() -> Authenticator {
    Authenticator::new("alice", Secret::new("pw"), Some("example.test".into()))
}

fn take(client: &mut Authenticator, values: &[String]) -> Result<(), Refusal> {
    let challenges = values.iter().map(|value| Challenge::parse(value).unwrap());
    client.challenged(&mut Rng::new([9; 32]), Role::Server, challenges)
}

fn judge(verifier: &mut Verifier, now: Now, value: &str, body: &[u8], secret: Option<&Secret>) -> Verdict {
    let credentials = Credentials::parse(value).unwrap();
    let user = verifier.claimed_user(&credentials, std::iter::once("alice")).unwrap_or_default();
    let presented = Presented {
        peer: peer(),
        method: "MESSAGE",
        uri: "sip:bob@example.test",
        body,
        credentials: &credentials,
    };
    verifier.verify(now, &user, &presented, secret)
}

fn authorize(client: &mut Authenticator) -> String {
    client.authorize("MESSAGE", "sip:bob@example.test", b"hi").remove(0).value
}

// test: RFC3261-22.4 RFC8760-2.4 RFC7616-3.3
#[test]
fn challenges_stand_in_configured_order_and_sha_256_is_chosen() {
    for (order, first) in
        [([Algorithm::Sha256, Algorithm::Md5], "SHA-256"), ([Algorithm::Md5, Algorithm::Sha256], "MD5")]
    {
        let mut verifier = verifier(&order);
        let values = challenge_values(&mut verifier, now());
        let parsed: Vec<_> = values.iter().map(|value| Challenge::parse(value).unwrap()).collect();
        assert_eq!(parsed.len(), 2);
        assert_eq!(parsed[0].params.raw("algorithm"), Some(first));
        assert_eq!(parsed[0].params.value("realm").as_deref(), Some("example.test"));
        assert_eq!(parsed[0].params.value("qop").as_deref(), Some("auth"));
        assert!(parsed[0].params.value("stale").is_none());
        let mut client = client();
        take(&mut client, &values).unwrap();
        let value = authorize(&mut client);
        assert!(value.contains("algorithm=SHA-256"), "{value}");
        let verdict = judge(&mut verifier, now(), &value, b"hi", Some(&Secret::new("pw")));
        assert_eq!(verdict, Verdict::Accepted);
    }
}

/// A peer that reads the first challenge only and knows MD5 only gets along if MD5 is first.
// test: RFC8760-2.4
#[test]
fn md5_only_peer_reads_the_first_challenge() {
    let mut verifier = verifier(&[Algorithm::Md5, Algorithm::Sha256]);
    let values = challenge_values(&mut verifier, now());
    let mut client = client();
    take(&mut client, &values[..1]).unwrap();
    let value = authorize(&mut client);
    assert!(value.contains("algorithm=MD5"));
    assert_eq!(judge(&mut verifier, now(), &value, b"hi", Some(&Secret::new("pw"))), Verdict::Accepted);
    let mut strict = self::verifier(&[Algorithm::Sha256]);
    assert_eq!(
        judge(&mut strict, now(), &value, b"hi", Some(&Secret::new("pw"))),
        Verdict::Rejected(Rejected::NotOffered),
        "no downgrade"
    );
}

// test: RFC7616-3.4 RFC3261-22.3
#[test]
fn counts_go_up_and_cannot_be_used_twice() {
    let mut verifier = verifier(&[Algorithm::Sha256]);
    let values = challenge_values(&mut verifier, now());
    let mut client = client();
    take(&mut client, &values).unwrap();
    let secret = Secret::new("pw");
    let all: Vec<String> = (0..3).map(|_| authorize(&mut client)).collect();
    assert!(all[0].contains("nc=00000001") && all[2].contains("nc=00000003"));
    // Requests may overtake each other.
    for at in [0, 2, 1] {
        assert_eq!(judge(&mut verifier, now(), &all[at], b"hi", Some(&secret)), Verdict::Accepted, "{at}");
    }
    for value in &all {
        assert_eq!(judge(&mut verifier, now(), value, b"hi", Some(&secret)), Verdict::Stale);
    }
    let doubled = all[0].replace("nc=00000001", "nc=00000004");
    assert_eq!(
        judge(&mut verifier, now(), &doubled, b"hi", Some(&secret)),
        Verdict::Rejected(Rejected::Secret),
        "the count is covered"
    );
}

// test: RFC7616-3.4.1 RFC3261-22.4
#[test]
fn wrong_secret_and_unknown_user_are_the_same() {
    let mut verifier = verifier(&[Algorithm::Sha256]);
    let values = challenge_values(&mut verifier, now());
    let mut client = client();
    take(&mut client, &values).unwrap();
    let value = authorize(&mut client);
    let wrong = Verdict::Rejected(Rejected::Secret);
    assert_eq!(judge(&mut verifier, now(), &value, b"hi", Some(&Secret::new("other"))), wrong);
    assert_eq!(judge(&mut verifier, now(), &value, b"hi", None), wrong);
    let empty = {
        let mut nobody = Authenticator::new("alice", Secret::new(""), None);
        take(&mut nobody, &values).unwrap();
        authorize(&mut nobody)
    };
    assert_eq!(judge(&mut verifier, now(), &empty, b"hi", None), wrong, "an empty password opens nothing");
    assert_eq!(verifier.live_nonces(), 0, "failed tries leave nothing behind");
    assert_eq!(judge(&mut verifier, now(), &value, b"hi", Some(&Secret::new("pw"))), Verdict::Accepted);
}

// test: RFC7616-3.3
#[test]
fn nonce_ends_moves_or_is_forged() {
    let mut verifier = verifier(&[Algorithm::Sha256]);
    let secret = Secret::new("pw");
    let start = now();
    let mut client = client();
    take(&mut client, &challenge_values(&mut verifier, start)).unwrap();
    let late = start.after(Duration::from_secs(299));
    assert_eq!(judge(&mut verifier, late, &authorize(&mut client), b"hi", Some(&secret)), Verdict::Accepted);
    let over = start.after(Duration::from_secs(300));
    assert_eq!(judge(&mut verifier, over, &authorize(&mut client), b"hi", Some(&secret)), Verdict::Stale);
    let elsewhere = {
        let value = authorize(&mut client);
        let credentials = Credentials::parse(&value).unwrap();
        let presented = Presented {
            peer: "192.0.2.8".parse().unwrap(),
            method: "MESSAGE",
            uri: "sip:bob@example.test",
            body: b"hi",
            credentials: &credentials,
        };
        verifier.verify(start, "alice", &presented, Some(&secret))
    };
    assert_eq!(elsewhere, Verdict::Stale, "bound to the address");
    let forged =
        vec!["Digest realm=\"example.test\", nonce=\"AAAA\", algorithm=SHA-256, qop=\"auth\"".to_owned()];
    let mut fooled = self::client();
    take(&mut fooled, &forged).unwrap();
    assert_eq!(judge(&mut verifier, start, &authorize(&mut fooled), b"hi", Some(&secret)), Verdict::Stale);
    let values = verifier.challenges(start, peer(), true);
    assert!(values[0].ends_with(", stale=true"), "{}", values[0]);
}

/// The table of nonces in use is bounded; what falls out is stale, never accepted again.
#[test]
fn forgotten_nonces_are_stale() {
    let peer = peer();
    let mut nonces = Nonces::new([1; 32], Duration::from_secs(300), 2);
    let made: Vec<String> = (0..4).map(|_| nonces.make(now(), peer)).collect();
    let number = |nonces: &Nonces, at: usize| match nonces.check(now(), peer, &made[at]) {
        NonceState::Fresh(number) => Some(number),
        NonceState::Stale => None,
    };
    for at in [0, 1, 2] {
        let counter = number(&nonces, at).unwrap();
        assert!(nonces.accept(now(), counter, 1));
        assert!(nonces.len() <= 2);
    }
    assert_eq!(number(&nonces, 0), None);
    let two = number(&nonces, 1).unwrap();
    assert!(!nonces.accept(now(), two, 1) && nonces.accept(now(), two, 2));
    let later = now().after(Duration::from_secs(301));
    let fresh = nonces.make(later, peer);
    let NonceState::Fresh(counter) = nonces.check(later, peer, &fresh) else { panic!() };
    assert!(nonces.accept(later, counter, 1));
    assert_eq!(nonces.len(), 1, "what is too old is dropped");
}

#[test]
fn window_of_counts_is_64_wide() {
    let mut nonces = Nonces::new([1; 32], Duration::from_secs(300), 8);
    nonces.make(now(), peer());
    for (nc, taken) in [
        (1, true),
        (1, false),
        (70, true),
        (6, false),
        (7, true),
        (7, false),
        (69, true),
        (70, false),
        (u32::MAX, true),
    ] {
        assert_eq!(nonces.accept(now(), 1, nc), taken, "{nc}");
    }
}

// test: RFC3261-22.4
#[test]
fn auth_int_covers_the_body() {
    let config = VerifierConfig { offer_integrity: true, ..VerifierConfig::new("example.test") };
    let mut verifier = Verifier::new(config, [3; 32]);
    let mut client = client();
    let values: Vec<String> = challenge_values(&mut verifier, now())
        .iter()
        .map(|value| value.replace("auth,auth-int", "auth-int"))
        .inspect(|value| assert!(value.contains("qop=\"auth-int\"")))
        .collect();
    take(&mut client, &values).unwrap();
    let value = authorize(&mut client);
    assert!(value.contains("qop=auth-int"));
    let secret = Secret::new("pw");
    assert_eq!(
        judge(&mut verifier, now(), &value, b"other", Some(&secret)),
        Verdict::Rejected(Rejected::Secret)
    );
    assert_eq!(judge(&mut verifier, now(), &value, b"hi", Some(&secret)), Verdict::Accepted);
}

// test: RFC7616-3.4.4
#[test]
fn userhash_is_tolerated() {
    let mut verifier = verifier(&[Algorithm::Sha256]);
    let mut client = client();
    take(&mut client, &challenge_values(&mut verifier, now())).unwrap();
    let hashed = userhash(Algorithm::Sha256, "alice", "example.test");
    let value = authorize(&mut client)
        .replace("username=\"alice\"", &format!("username=\"{}\", userhash=true", hashed.as_str()));
    let credentials = Credentials::parse(&value).unwrap();
    let known = ["bob", "alice"];
    assert_eq!(verifier.claimed_user(&credentials, known.into_iter()).as_deref(), Some("alice"));
    assert_eq!(verifier.claimed_user(&credentials, ["bob"].into_iter()), None);
    assert_eq!(judge(&mut verifier, now(), &value, b"hi", Some(&Secret::new("pw"))), Verdict::Accepted);
}

// test: RFC3261-22.4
#[test]
fn malformed_credentials_are_named() {
    let mut verifier = verifier(&[Algorithm::Sha256]);
    let mut client = client();
    take(&mut client, &challenge_values(&mut verifier, now())).unwrap();
    let good = authorize(&mut client);
    let secret = Secret::new("pw");
    for (from, to, why) in [
        ("realm=\"example.test\"", "realm=\"other.test\"", Rejected::Realm),
        ("Digest ", "Basic ", Rejected::Realm),
        ("nc=00000001", "nc=1", Rejected::Malformed),
        ("nc=00000001", "nc=00000000", Rejected::Malformed),
        ("nc=00000001", "nc=00000001, nc=00000002", Rejected::Malformed),
        ("qop=auth, ", "", Rejected::NotOffered),
        ("qop=auth", "qop=auth-conf", Rejected::NotOffered),
        ("algorithm=SHA-256", "algorithm=MD5", Rejected::NotOffered),
        ("algorithm=SHA-256, ", "", Rejected::NotOffered),
        ("response=", "respons=", Rejected::Malformed),
    ] {
        let bad = good.replace(from, to);
        assert_ne!(bad, good, "{from}");
        assert_eq!(judge(&mut verifier, now(), &bad, b"hi", Some(&secret)), Verdict::Rejected(why), "{to}");
    }
    let config = VerifierConfig { strict_uri: true, ..VerifierConfig::new("example.test") };
    let mut strict = Verifier::new(config, [3; 32]);
    let other = client.authorize("MESSAGE", "sip:carol@example.test", b"").remove(0).value;
    assert_eq!(judge(&mut strict, now(), &other, b"", Some(&secret)), Verdict::Rejected(Rejected::Uri));
}

// test: RFC3261-22.2 RFC3261-22.3
#[test]
fn client_tries_once_per_challenge() {
    let challenge = |nonce: &str, more: &str| {
        vec![format!("Digest realm=\"example.test\", nonce=\"{nonce}\", algorithm=MD5, qop=\"auth\"{more}")]
    };
    let mut one = client();
    take(&mut one, &challenge("a", "")).unwrap();
    assert_eq!(take(&mut one, &challenge("b", "")), Err(Refusal::Rejected), "the password is wrong");
    assert!(one.authorize("MESSAGE", "sip:x", b"").is_empty(), "and nothing more is given away");
    let mut two = client();
    take(&mut two, &challenge("a", "")).unwrap();
    take(&mut two, &challenge("b", ", stale=TRUE")).unwrap();
    assert_eq!(
        take(&mut two, &challenge("c", ", stale=true")),
        Err(Refusal::Rejected),
        "no endless stale loop"
    );
    let mut three = client();
    take(&mut three, &challenge("a", "")).unwrap();
    three.passed();
    take(&mut three, &challenge("b", "")).unwrap();
    let mut four = client();
    let foreign = challenge("a", "").remove(0).replace("example.test", "evil.test");
    assert_eq!(take(&mut four, &[foreign]), Err(Refusal::NoneUsable), "no answer for another realm");
    for odd in
        ["Basic realm=\"example.test\"", "Digest realm=\"example.test\", nonce=\"a\", algorithm=SHA-512-256"]
    {
        assert_eq!(take(&mut four, &[odd.to_owned()]), Err(Refusal::NoneUsable));
    }
}

// test: RFC3261-22.3
#[test]
fn server_and_proxy_challenges_stand_beside_each_other() {
    let value = |nonce: &str| format!("Digest realm=\"example.test\", nonce=\"{nonce}\", opaque=\"o\"");
    let mut client = client();
    let mut rng = Rng::new([1; 32]);
    let (one, two) = (value("a"), value("b"));
    client.challenged(&mut rng, Role::Server, std::iter::once(Challenge::parse(&one).unwrap())).unwrap();
    client.challenged(&mut rng, Role::Proxy, std::iter::once(Challenge::parse(&two).unwrap())).unwrap();
    let both = client.authorize("MESSAGE", "sip:x", b"");
    assert_eq!(both.len(), 2);
    assert_eq!((both[0].role, both[1].role), (Role::Server, Role::Proxy));
    assert!(both[0].value.contains("nonce=\"a\"") && both[0].value.contains("opaque=\"o\""));
    assert!(!both[0].value.contains("qop="), "a challenge without qop is answered without (RFC 2069)");
    assert!(both[1].value.contains("nonce=\"b\""));
}

#[test]
fn secrets_do_not_show() {
    let shown = format!("{:?} {:?} {:?}", client(), verifier(&[Algorithm::Md5]), Secret::new("hunter2"));
    assert!(!shown.contains("pw\"") && !shown.contains("hunter2") && !shown.contains("[3, 3"), "{shown}");
}
