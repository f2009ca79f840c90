use super::*;
use crate::config::UserSecret;

fn users() -> Users {
    let user = |address: &str| UserSecret { address: address.into(), password: Secret::new("p") };
    Users::new(&ServerConfig {
        domains: vec!["Example.test".into(), "second.test".into()],
        users: ["sip:alice@example.test", "sip:bob@second.test", "tel:+1-202-555-0111", "nonsense"]
            .map(user)
            .into(),
        ..ServerConfig::default()
    })
}

fn find(address: &str) -> Place {
    users().find(&Uri::parse(address).unwrap())
}

// test: CONV-GEN-010, CONV-GEN-022
#[test]
fn addresses_lead_to_users_in_all_their_forms() {
    let (alice, bob, number) = (UserId(0), UserId(1), UserId(2));
    let table = [
        ("sip:alice@example.test", Place::Local(alice)),
        ("sip:alice@EXAMPLE.TEST:5060;transport=tcp", Place::Local(alice)),
        ("sips:alice@example.test", Place::Local(alice)),
        ("sip:%61lice@example.test", Place::Local(alice)),
        ("sip:Alice@example.test", Place::Nobody),
        ("sip:bob@second.test", Place::Local(bob)),
        ("sip:bob@example.test", Place::Nobody),
        ("sip:bob@third.test", Place::Foreign),
        ("sip:example.test", Place::Nobody),
        ("tel:+12025550111", Place::Local(number)),
        ("tel:+1(202)555.0111", Place::Local(number)),
        ("sip:+12025550111@example.test", Place::Local(number)),
        ("sip:+12025550111@elsewhere.test;user=phone", Place::Local(number)),
        ("sip:+12025550111@elsewhere.test", Place::Foreign),
        ("tel:+12025550112", Place::Nobody),
        ("mailto:alice@example.test", Place::Foreign),
    ];
    for (address, place) in table {
        assert_eq!(find(address), place, "{address}");
    }
}

#[test]
fn user_names_are_looked_up_in_the_domain_of_the_request() {
    let users = users();
    assert_eq!(users.of_username("alice", None), Some(UserId(0)));
    assert_eq!(users.of_username("bob", None), None);
    assert_eq!(users.of_username("bob", Some("second.test")), Some(UserId(1)));
    assert_eq!(users.of_username("alice", Some("third.test")), Some(UserId(0)));
    assert_eq!(users.of_username("bob@second.test", None), Some(UserId(1)));
    assert_eq!(users.of_username("+12025550111", None), Some(UserId(2)));
    assert_eq!(users.of_username("", None), None);
    assert_eq!(users.of_username("a b\r\n", None), None);
}

#[test]
fn owners_lead_back_to_users() {
    let users = users();
    let owner = users.get(UserId(2)).unwrap().owner;
    assert_eq!(users.of_owner(owner), Some(UserId(2)));
    assert_eq!(users.of_owner(Owner::of("sip:nobody@example.test")), None);
}
