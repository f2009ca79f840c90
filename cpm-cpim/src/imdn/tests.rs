use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::{Limits, ParseKind, WriteError};

mod tracking;

fn strict() -> Limits {
    Limits::default()
}

fn parse(xml: &str) -> Result<Imdn<'_>, (ParseKind, u32)> {
    Imdn::parse(xml.as_bytes(), &strict()).map_err(|e| (e.kind, e.offset))
}

fn kind_of(xml: &str) -> ParseKind {
    parse(xml).unwrap_err().0
}

/// A document with this inside.
fn document(inner: &str) -> String {
    format!(
        "<imdn xmlns=\"urn:ietf:params:xml:ns:imdn\"><message-id>m</message-id><datetime>d</datetime>{inner}</imdn>"
    )
}

/// RFC 5438 §7.2.1.1 as printed.
const DELIVERED: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
<imdn xmlns=\"urn:ietf:params:xml:ns:imdn\">\r\n\
      <message-id>34jk324j</message-id>\r\n\
      <datetime>2008-04-04T12:16:49-05:00</datetime>\r\n\
     <recipient-uri>im:bob@example.com</recipient-uri>\r\n\
      <original-recipient-uri\r\n        >im:bob@example.com</original-recipient-uri>\r\n\
      <delivery-notification>\r\n\
         <status>\r\n\
            <delivered/>\r\n\
         </status>\r\n\
      </delivery-notification>\r\n\
    </imdn>\r\n";

// test: RFC5438-11.1 CONV-IMDN-001 CONV-IMDN-003 CONV-IMDN-004
#[test]
fn rfc5438_documents() {
    let imdn = parse(DELIVERED).unwrap();
    assert_eq!(imdn.message_id, "34jk324j");
    assert!(matches!(imdn.message_id, Cow::Borrowed(_)));
    assert_eq!(imdn.datetime, "2008-04-04T12:16:49-05:00");
    assert_eq!(imdn.recipient_uri.as_deref(), Some("im:bob@example.com"));
    assert_eq!(imdn.original_recipient_uri.as_deref(), Some("im:bob@example.com"));
    assert_eq!(imdn.subject, None);
    assert_eq!(imdn.notification, Notification::Delivery(Delivery::Delivered));

    // §7.2.1.2 and §8.1 differ in these elements only.
    let displayed = DELIVERED.replace("delivery-", "display-").replace("delivered", "displayed");
    assert_eq!(parse(&displayed).unwrap().notification, Notification::Display(Display::Displayed));
    let processed = DELIVERED.replace("delivery-", "processing-").replace("delivered", "processed");
    assert_eq!(parse(&processed).unwrap().notification, Notification::Processing(Processing::Processed));
}

/// CONV A.10.
// test: CONV-IMDN-002
#[test]
fn interworking() {
    let xml = "<imdn xmlns=\"urn:ietf:params:xml:ns:imdn\" xmlns:ci=\"urn:oma:xml:cpm:imdn-extensions:1.0\">\n\
        <message-id>4b6f0c42</message-id><datetime>2020-09-07T10:00:00Z</datetime>\n\
        <ci:interworking-notification><ci:status><ci:legacy-sms/></ci:status></ci:interworking-notification>\n</imdn>";
    assert_eq!(parse(xml).unwrap().notification, Notification::Interworking(Interworking::LegacySms));
    for (status, value) in [
        ("legacy-mms", Interworking::LegacyMms),
        ("error", Interworking::Error),
        ("forbidden", Interworking::Forbidden),
    ] {
        let xml = xml.replace("legacy-sms", status);
        assert_eq!(parse(&xml).unwrap().notification, Notification::Interworking(value));
    }
    // The same names in the IMDN namespace are not the extension.
    assert_eq!(kind_of(&xml.replace("ci:", "")), ParseKind::NoNotification);
    // A status of the wrong namespace is no status.
    let wrong = xml.replace("<ci:legacy-sms/>", "<legacy-sms/>");
    assert_eq!(kind_of(&wrong), ParseKind::UnknownStatus);
}

/// Every status under every notification: the pairs of CONV-IMDN-001 and no others.
// test: CONV-IMDN-001
#[test]
fn statuses() {
    let legal = [
        ("delivery", "delivered failed forbidden error"),
        ("display", "displayed forbidden error"),
        ("processing", "processed stored forbidden error"),
    ];
    for status in "delivered failed displayed processed stored forbidden error legacy-sms other".split(' ') {
        for (kind, statuses) in legal {
            let xml =
                document(&format!("<{kind}-notification><status><{status}/></status></{kind}-notification>"));
            let ok = statuses.split(' ').any(|s| s == status);
            match parse(&xml) {
                Ok(imdn) => {
                    assert!(ok, "{kind} {status}");
                    assert_eq!(imdn.notification.status(), status);
                    assert_eq!(imdn.notification.element(), format!("{kind}-notification"));
                }
                Err((fault, _)) => {
                    assert_eq!((ok, fault), (false, ParseKind::UnknownStatus), "{kind} {status}")
                }
            }
        }
    }
}

const NOTE: &str = "<display-notification><status><displayed/></status></display-notification>";

/// Appendix C item 5, and the tolerance that RFC 5438 §11.1 asks for.
#[test]
fn edge_cases() {
    fn read(xml: &str) -> Imdn<'_> {
        parse(xml).unwrap_or_else(|e| panic!("{xml}: {e:?}"))
    }
    // Unknown children, in known and foreign namespaces, with anything inside.
    let unknown = document(&format!(
        "<new><message-id>x</message-id></new>{NOTE}<e:x xmlns:e=\"urn:e\" a=\"b\">t<e:y/></e:x>"
    ));
    assert_eq!(read(&unknown).message_id, "m");
    // Beside the status, too.
    let beside = "<delivery-notification><status><delivered/><e:why xmlns:e=\"urn:e\">x</e:why></status></delivery-notification>";
    assert_eq!(read(&document(beside)).notification, Notification::Delivery(Delivery::Delivered));
    // None of the three but an extension.
    let extension = document("<e:read-notification xmlns:e=\"urn:e\"><e:status/></e:read-notification>");
    assert_eq!(read(&extension).notification, Notification::Extension);
    // White space around the id is no part of it; the original recipient alone is fine; no order is required.
    let spaced = format!(
        "<x:imdn xmlns:x=\"urn:ietf:params:xml:ns:imdn\">{}<x:original-recipient-uri>o</x:original-recipient-uri>\
         <x:datetime>d</x:datetime><x:message-id>\r\n\t m 1 \n</x:message-id></x:imdn>",
        NOTE.replace("</", "</x:").replace("<d", "<x:d").replace("<s", "<x:s")
    );
    let imdn = read(&spaced);
    assert_eq!((imdn.message_id.as_ref(), imdn.original_recipient_uri.as_deref()), ("m 1", Some("o")));
    assert_eq!(imdn.recipient_uri, None);
    // A comment or CDATA does not split a value (threats 4.14); references are decoded.
    let pieces = document(NOTE).replace(">m<", ">a<!-- x -->d<![CDATA[m<i]]>n&amp;&#x41;&#66;<");
    assert_eq!(read(&pieces).message_id, "adm<in&AB");
    let subject = document(&format!("<subject> a\r\nb </subject>{NOTE}"));
    assert_eq!(read(&subject).subject.as_deref(), Some(" a\nb "));
    assert_eq!(read(&format!("\u{feff}{}<?pi x?><!-- c -->\n", document(NOTE))).message_id, "m");
}

#[test]
fn faults() {
    use ParseKind::*;
    for (xml, kind) in [
        (String::new(), NotImdn),
        ("<imdn/>".to_owned(), NotImdn),
        ("<other xmlns=\"urn:ietf:params:xml:ns:imdn\"/>".to_owned(), NotImdn),
        ("<imdn xmlns=\"urn:ietf:params:xml:ns:imdn\"/>".to_owned(), MissingElement),
        (document(""), NoNotification),
        (document("<new/>"), NoNotification),
        (document(&format!("{NOTE}{NOTE}")), SeveralNotifications),
        (document(&format!("{NOTE}<delivery-notification/>")), SeveralNotifications),
        (document("<display-notification/>"), MissingElement),
        (document("<display-notification><status/></display-notification>"), UnknownStatus),
        (
            document("<display-notification><status><displayed/><error/></status></display-notification>"),
            SeveralNotifications,
        ),
        (
            document("<display-notification><status><displayed/></status><status/></display-notification>"),
            DuplicateElement,
        ),
        (document(&format!("<message-id>2</message-id>{NOTE}")), DuplicateElement),
        (document(NOTE).replace("<datetime>d</datetime>", ""), MissingElement),
        (document(NOTE).replace(">d<", "> <"), MissingElement),
        (document(NOTE).replace(">m<", "><"), MissingElement),
        (document(NOTE).replace(">m<", ">m<b/><"), UnexpectedElement),
        (document(NOTE).replace("</message-id>", "</datetime>"), Xml),
        (document(NOTE).replace("</imdn>", ""), Xml),
        (document(NOTE) + "x", Xml),
        (document(NOTE) + "<imdn/>", Xml),
        ("x".to_owned() + &document(NOTE), Xml),
        ("&amp;".to_owned() + &document(NOTE), Xml),
        ("<![CDATA[]]>".to_owned() + &document(NOTE), Xml),
        (document(NOTE).replace(">m<", ">&bomb;<"), Xml),
        (document(NOTE).replace(">m<", ">&#0;<"), Xml),
        (document(NOTE).replace(">m<", ">&#1;<"), Xml),
        (document(NOTE).replace(">m<", ">&#xFFFE;<"), Xml),
        (document(NOTE).replace(">m<", ">\u{1}<"), Xml),
        (document(NOTE).replace(">m<", ">\u{ffff}<"), Xml),
        (document(NOTE).replace("<message-id>", "<message-id a=b>"), Xml),
        (document(NOTE).replace("<message-id>", "<message-id a='1' a='2'>"), Xml),
        (document(NOTE).replace("message-id>", "u:message-id>"), Xml),
        (document(NOTE).replace(">m<", "><!-- a -- b -->m<"), Xml),
        ("<?xml version=\"1.1\"?>".to_owned() + &document(NOTE), Xml),
        ("<?xml version=\"1.0\" encoding=\"UTF-16\"?>".to_owned() + &document(NOTE), Xml),
        (" <?xml version=\"1.0\"?>".to_owned() + &document(NOTE), Xml),
        ("<!DOCTYPE imdn>".to_owned() + &document(NOTE), Doctype),
        ("<!DOCTYPE imdn [<!ENTITY m \"x\">]>".to_owned() + &document(NOTE).replace(">m<", ">&m;<"), Doctype),
    ] {
        assert_eq!(kind_of(&xml), kind, "{xml}");
    }
    assert_eq!(Imdn::parse(b"<imdn>\xff", &strict()).unwrap_err().kind, NotUtf8);
    // Offsets name the element at fault.
    let twice = document(&format!("{NOTE}{NOTE}"));
    let second = u32::try_from(twice.rfind("<display-").unwrap()).unwrap();
    assert_eq!(parse(&twice).unwrap_err(), (SeveralNotifications, second));
    let marked = format!("\u{feff}{twice}");
    assert_eq!(parse(&marked).unwrap_err(), (SeveralNotifications, second + 3));
    // Tolerant reading does without a date (CONV-IMDN-004: it is for display only).
    let lenient = Limits { lenient: true, ..strict() };
    let undated = document(NOTE).replace("<datetime>d</datetime>", "");
    assert_eq!(Imdn::parse(undated.as_bytes(), &lenient).unwrap().datetime, "");
}

#[test]
fn limits() {
    let deep = |n: usize| document(&format!("{NOTE}{}{}", "<a>".repeat(n), "</a>".repeat(n)));
    for (depth, ok) in [(30, true), (31, true), (32, false)] {
        // The root is one level.
        let result = parse(&deep(depth)).map_err(|e| e.0).map(drop);
        assert_eq!(result, if ok { Ok(()) } else { Err(ParseKind::TooDeep) }, "{depth}");
    }
    let wide = |n: usize| {
        let mut attributes = String::new();
        for i in 0..n {
            let _ = write!(attributes, " a{i}=\"\"");
        }
        document(&format!("{NOTE}<a{attributes}/>"))
    };
    for (count, ok) in [(63, true), (64, true), (65, false)] {
        let result = parse(&wide(count)).map_err(|e| e.0).map(drop);
        assert_eq!(result, if ok { Ok(()) } else { Err(ParseKind::TooManyAttributes) }, "{count}");
    }
    let xml = document(NOTE);
    for (cap, ok) in [(xml.len() - 1, false), (xml.len(), true), (xml.len() + 1, true)] {
        let limits = Limits { xml_bytes: cap, ..strict() };
        let result = Imdn::parse(xml.as_bytes(), &limits).map(drop).map_err(|e| e.kind);
        assert_eq!(result, if ok { Ok(()) } else { Err(ParseKind::TooLarge) });
    }
}

#[test]
fn written() {
    let mut imdn = Imdn::new(
        "a<b>&\"'",
        "2006-04-04T12:16:49-05:00",
        Notification::Interworking(Interworking::LegacyMms),
    );
    imdn.recipient_uri = Some("sip:b@x.test".into());
    imdn.subject = Some("1 ]]> 2\r\n".into());
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <imdn xmlns=\"urn:ietf:params:xml:ns:imdn\" xmlns:cpm=\"urn:oma:xml:cpm:imdn-extensions:1.0\">\n\
        <message-id>a&lt;b&gt;&amp;\"'</message-id>\n\
        <datetime>2006-04-04T12:16:49-05:00</datetime>\n\
        <recipient-uri>sip:b@x.test</recipient-uri>\n\
        <subject>1 ]]&gt; 2&#13;\n</subject>\n\
        <cpm:interworking-notification><cpm:status><cpm:legacy-mms/></cpm:status></cpm:interworking-notification>\n\
        </imdn>\n";
    assert_eq!(imdn.write().unwrap(), expected);
    let bad = Imdn::new("\u{1}", "", Notification::Extension);
    assert_eq!(bad.write(), Err(WriteError::XmlCharacter));
}

fn any_notification() -> impl Strategy<Value = Notification> {
    proptest::sample::select(STATUSES.map(|(_, _, n)| n).to_vec())
}

/// Text that XML can carry and that no trimming changes.
fn value() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|s| {
        let s: String =
            s.chars().filter(|c| matches!(c, '\t' | '\n' | ' '..='\u{fffd}' | '\u{10000}'..)).collect();
        format!("v{s}v")
    })
}

proptest! {
    #[test]
    fn round_trip(
        id in value(),
        datetime in value(),
        recipient in proptest::option::of(value()),
        original in proptest::option::of(value()),
        subject in proptest::option::of(value()),
        notification in any_notification(),
    ) {
        let mut imdn = Imdn::new(id, datetime, notification);
        imdn.recipient_uri = recipient.map(Cow::Owned);
        imdn.original_recipient_uri = original.map(Cow::Owned);
        imdn.subject = subject.map(Cow::Owned);
        let xml = imdn.write().unwrap();
        prop_assert_eq!(&parse(&xml).unwrap(), &imdn);
        prop_assert_eq!(parse(&xml).unwrap().into_owned(), imdn);
        agree(&xml);
    }

    /// Documents put together at random from pieces: this reader and roxmltree see the same.
    #[test]
    fn against_roxmltree(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..6), complete in any::<bool>(), closed in any::<bool>()) {
        let mut xml = "<imdn xmlns=\"urn:ietf:params:xml:ns:imdn\" xmlns:c=\"urn:oma:xml:cpm:imdn-extensions:1.0\">".to_owned();
        if complete {
            xml.push_str("<message-id>m</message-id><datetime>d</datetime>");
        }
        xml.extend(pieces);
        if closed {
            xml.push_str("</imdn>");
        }
        agree(&xml);
    }

    #[test]
    fn any_bytes(xml in proptest::collection::vec(any::<u8>(), 0..200), text in "[<>/a-z!&;'\"= -]{0,60}") {
        let _ = Imdn::parse(&xml, &strict());
        let _ = parse(&text);
        let _ = parse(&document(&text));
    }
}

const PIECES: &[&str] = &[
    "<message-id>m</message-id>",
    "<datetime>d&amp;</datetime>",
    "<recipient-uri> r </recipient-uri>",
    "<original-recipient-uri>o<!-- c -->o</original-recipient-uri>",
    "<subject>s<![CDATA[<]]></subject>",
    "<delivery-notification><status><delivered/></status></delivery-notification>",
    "<display-notification><status><displayed></displayed></status></display-notification>",
    "<c:interworking-notification><c:status><c:error/></c:status></c:interworking-notification>",
    "<c:status><c:error/></c:status>",
    "<delivery-notification><c:status/><status><failed/><x xmlns=\"urn:x\"/></status></delivery-notification>",
    "<display-notification><status><stored/></status></display-notification>",
    "<message-id xmlns=\"\">none</message-id>",
    "<x:message-id xmlns:x=\"urn:ietf:params:xml:ns:imdn\">x</x:message-id>",
    "<any/>",
    " text ",
    "<open>",
    "</imdn>",
    "&undefined;",
    "<?pi?>",
];

/// What a DOM reader makes of a document, by the rules of RFC 5438 §11.1, written without this module.
fn oracle(xml: &str) -> Option<Vec<String>> {
    let tree = roxmltree::Document::parse(xml).ok()?;
    let root = tree.root_element();
    let ns = "urn:ietf:params:xml:ns:imdn";
    let ext = "urn:oma:xml:cpm:imdn-extensions:1.0";
    if !root.has_tag_name((ns, "imdn")) {
        return None;
    }
    let mut out = Vec::new();
    for name in ["message-id", "datetime", "recipient-uri", "original-recipient-uri", "subject"] {
        let all: Vec<_> = root.children().filter(|n| n.has_tag_name((ns, name))).collect();
        if all.len() > 1 || all.iter().any(|n| n.children().any(|c| c.is_element())) {
            return None;
        }
        let text: Option<String> =
            all.first().map(|n| n.children().filter(|c| c.is_text()).filter_map(|c| c.text()).collect());
        let text = text
            .map(|t| if name == "subject" { t } else { t.trim_matches([' ', '\t', '\r', '\n']).to_owned() });
        match &text {
            Some(text) if name.len() > 10 || !text.is_empty() || name == "subject" => {}
            None if name.len() > 10 || name == "subject" => {}
            _ => return None,
        }
        out.push(format!("{text:?}"));
    }
    let rules = [
        (ns, "delivery-notification", "delivered failed forbidden error"),
        (ns, "display-notification", "displayed forbidden error"),
        (ns, "processing-notification", "processed stored forbidden error"),
        (ext, "interworking-notification", "legacy-sms legacy-mms forbidden error"),
    ];
    let mut notes = Vec::new();
    for (space, name, statuses) in rules {
        for note in root.children().filter(|n| n.has_tag_name((space, name))) {
            let status: Vec<_> = note.children().filter(|n| n.has_tag_name((space, "status"))).collect();
            let [status] = status[..] else { return None };
            let mut found = Vec::new();
            let mut foreign = false;
            for child in status.children().filter(|n| n.is_element()) {
                let tag = child.tag_name();
                if tag.namespace() == Some(space) && statuses.split(' ').any(|s| s == tag.name()) {
                    found.push(tag.name());
                } else if matches!(tag.namespace(), None | Some(""))
                    || tag.namespace() == Some(ns)
                    || tag.namespace() == Some(ext)
                {
                    return None;
                } else {
                    foreign = true;
                }
            }
            match found[..] {
                [one] => notes.push(one.to_owned()),
                [] if foreign => notes.push(String::new()),
                _ => return None,
            }
        }
    }
    let foreign = root.children().any(|n| {
        n.is_element() && !matches!(n.tag_name().namespace(), None | Some("" | "urn:ietf:params:xml:ns:imdn"))
    });
    match notes.len() {
        1 => out.push(notes[0].clone()),
        0 if foreign => out.push(String::new()),
        _ => return None,
    }
    Some(out)
}

fn agree(xml: &str) {
    let ours = parse(xml).ok().map(|imdn| {
        let text = |t: Option<Cow<'_, str>>| format!("{:?}", t.map(Cow::into_owned));
        vec![
            text(Some(imdn.message_id)),
            text(Some(imdn.datetime)),
            text(imdn.recipient_uri),
            text(imdn.original_recipient_uri),
            text(imdn.subject),
            imdn.notification.status().to_owned(),
        ]
    });
    assert_eq!(ours, oracle(xml), "{xml}");
}

#[test]
fn agrees_on_known_documents() {
    agree(DELIVERED);
    agree(&document(NOTE));
    assert!(oracle(DELIVERED).is_some());
}
