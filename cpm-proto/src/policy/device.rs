//! What a Device registered that it can do.

use crate::service::{Listed, Service, services};

/// The feature parameters of one registered contact, as far as standalone messages are concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Capability {
    /// It registered `oma.cpm.msg`.
    pub(crate) messages: bool,
    /// It registered service identifiers at all. One that did not is no CPM client.
    pub(crate) tagged: bool,
}

impl Capability {
    /// Reads the parameters of a Contact header field: names, and values without quotes.
    // spec: CONV-TAG-003, CONV-REG-004
    pub(crate) fn of_params<'a>(params: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut capability = Self::default();
        for (name, value) in params {
            if name.eq_ignore_ascii_case("+g.3gpp.icsi-ref") {
                capability.tagged = true;
                // CONV-TAG-004: whoever takes a message takes a group message.
                capability.messages |= services(value)
                    .any(|listed| matches!(listed, Listed::Known(Service::Message | Service::MessageGroup)));
            }
        }
        capability
    }

    /// Whether a standalone message may go to this Device. A client that registered no service at all takes
    /// plain messages where the operator allows it; one that registered other services only does not.
    // spec: CONV-PF-040, CONV-PM-041
    pub(crate) fn is_suitable(&self, accept_plain: bool) -> bool {
        self.messages || (accept_plain && !self.tagged)
    }
}

#[cfg(test)]
mod tests {
    use super::Capability;

    fn of(params: &[(&str, &str)]) -> Capability {
        Capability::of_params(params.iter().copied())
    }

    // test: CONV-PF-040, CONV-TAG-003
    #[test]
    fn suitability_follows_the_registered_services() {
        let escaped = "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg";
        let literal = "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.msg";
        let session = "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.session";
        let longer = "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msgx";
        let both = format!("{session}, {escaped}");
        type Row<'a> = (&'a [(&'a str, &'a str)], bool, bool);
        let table: [Row<'_>; 8] = [
            (&[("+g.3gpp.icsi-ref", escaped)], true, true),
            (&[("+G.3GPP.ICSI-REF", literal)], true, true),
            (&[("+g.3gpp.icsi-ref", &both)], true, true),
            (&[("+g.3gpp.icsi-ref", session)], false, false),
            (&[("+g.3gpp.icsi-ref", longer)], false, false),
            (&[("+g.3gpp.icsi-ref", "")], false, false),
            (&[("expires", "60"), ("+org.example.specs", "x")], true, false),
            (&[], true, false),
        ];
        for (params, plain_on, plain_off) in table {
            assert_eq!(of(params).is_suitable(true), plain_on, "{params:?}");
            assert_eq!(of(params).is_suitable(false), plain_off, "{params:?}");
        }
    }
}
