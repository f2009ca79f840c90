use super::{Listed, Service, services};

// test: CONV-TAG-001
#[test]
fn both_forms_are_read() {
    for (text, service) in [
        ("urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg", Service::Message),
        ("urn%3aurn-7%3a3gpp-service.ims.icsi.oma.cpm.msg", Service::Message),
        ("urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg", Service::Message),
        ("URN:URN-7:3GPP-SERVICE.IMS.ICSI.OMA.CPM.MSG", Service::Message),
        ("urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg.group", Service::MessageGroup),
        (" urn%3Aurn-7:3gpp-service.ims.icsi.oma.cpm.deferred ", Service::Deferred),
        ("urn:urn-7:3gpp-service.ims.icsi.oma.cpm.systemmsg", Service::System),
    ] {
        assert_eq!(Service::of(text), Some(service), "{text}");
    }
    for service in Service::ALL {
        assert_eq!(Service::of(service.urn()), Some(service));
    }
}

// test: CONV-TAG-003
#[test]
fn a_token_counts_only_as_a_whole() {
    for text in [
        "",
        "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msgs",
        "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.ms",
        "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session",
        "xurn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg",
        "urn%3urn-7%3A3gpp-service.ims.icsi.oma.cpm.msg",
        "oma.cpm.msg",
        "ürn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg",
    ] {
        assert_eq!(Service::of(text), None, "{text}");
    }
}

// test: CONV-TAG-002
#[test]
fn one_value_lists_several() {
    let value = "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg, urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session,\
                 urn:urn-7:3gpp-service.ims.icsi.oma.cpm.deferred,";
    assert_eq!(
        services(value).collect::<Vec<_>>(),
        [
            Listed::Known(Service::Message),
            Listed::Other("urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session"),
            Listed::Known(Service::Deferred),
        ]
    );
}

// test: CONV-TAG-004, CONV-TAG-010
#[test]
fn a_group_service_asks_for_devices_of_its_base() {
    assert_eq!(
        Service::MessageGroup.accept_contact(),
        "*;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg\";require;explicit"
    );
}
