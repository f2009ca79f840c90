use std::path::Path;

use super::*;

/// Writes `data` to a file and gives the line for it and the exit code.
fn line(kind: Kind, data: &[u8]) -> (Value, ExitCode) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("message");
    fs::write(&path, data).unwrap();
    let (mut lines, code) = lines(kind, &[path]);
    (lines.remove(0), code)
}

fn lines(kind: Kind, paths: &[PathBuf]) -> (Vec<Value>, ExitCode) {
    let mut out = Vec::new();
    let code = run(kind, paths, &mut out).unwrap();
    let lines = String::from_utf8(out).unwrap();
    assert!(lines.ends_with('\n'));
    (lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), code)
}

const REQUEST: &str = "MESSAGE sip:bob@example.test SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\n\
    Max-Forwards: 70\r\nFrom: <sip:alice@example.test>;tag=1\r\nTo: <sip:bob@example.test>\r\nCall-ID: c1\r\n\
    CSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi";

#[test]
fn sip_messages() {
    let (found, code) = line(Kind::Sip, REQUEST.as_bytes());
    assert_eq!((found["ok"].as_bool(), code), (Some(true), ExitCode::SUCCESS));
    assert_eq!((&found["error"], &found["respond"]), (&Value::Null, &Value::Null));
    let summary = &found["summary"];
    assert_eq!(summary["method"], "MESSAGE");
    assert_eq!(summary["from"], "sip:alice@example.test");
    assert_eq!(summary["cseq"], "1 MESSAGE");
    assert_eq!(summary["body_bytes"], 2);

    let (found, code) = line(Kind::Sip, REQUEST.replace("Call-ID: c1\r\n", "").as_bytes());
    assert_eq!((found["ok"].as_bool(), code), (Some(false), ExitCode::FAILURE));
    assert_eq!(found["error"]["kind"], "missing_call_id");
    assert_eq!(found["respond"], 400);
    assert!(found["summary"].is_null());

    let (found, _) = line(Kind::Sip, REQUEST.replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia").as_bytes());
    assert_eq!(found["respond"], 505);
    // A response is never answered, nor is an ACK.
    let (found, _) = line(Kind::Sip, b"SIP/2.0 4294967301 better not break\r\n\r\n");
    assert_eq!((found["ok"].as_bool(), &found["respond"]), (Some(false), &Value::Null));
    let ack = REQUEST.replace("MESSAGE", "ACK").replace("Call-ID: c1\r\n", "");
    let (found, _) = line(Kind::Sip, ack.as_bytes());
    assert_eq!((found["ok"].as_bool(), &found["respond"]), (Some(false), &Value::Null));
}

#[test]
fn cpim_messages() {
    let good = "From: <sip:a@x.test>\r\nTo: <sip:b@x.test>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: m\r\n\
        DateTime: 2006-04-04T12:16:49-05:00\r\nimdn.Disposition-Notification: display\r\n\r\n\
        Content-Type: text/plain\r\n\r\nhi";
    let (found, code) = line(Kind::Cpim, good.as_bytes());
    assert_eq!((found["ok"].as_bool(), code), (Some(true), ExitCode::SUCCESS));
    assert_eq!(found["summary"]["to"], json!(["sip:b@x.test"]));
    assert_eq!(found["summary"]["message_id"], "m");
    assert_eq!(found["summary"]["disposition_notification"], json!(["display"]));
    for (bad, kind, offset) in [
        (good.replace("\r\n", "\n"), "line_end", 20),
        (good.replace("NS: imdn", "NS: x"), "undeclared_prefix", 72),
        (good.replace("From: ", "Require: x.y\r\nFrom: "), "unknown_require", 9),
    ] {
        let (found, code) = line(Kind::Cpim, bad.as_bytes());
        assert_eq!((found["ok"].as_bool(), code), (Some(false), ExitCode::FAILURE));
        assert_eq!((&found["error"]["kind"], &found["error"]["offset"]), (&json!(kind), &json!(offset)));
        assert_eq!(found["respond"], 400);
    }
}

/// RFC 5438 §7.2.1.1, alone and as the CPIM message around it.
#[test]
fn imdn_documents() {
    let xml = "<imdn xmlns=\"urn:ietf:params:xml:ns:imdn\"><message-id>34jk324j</message-id>\
        <datetime>2008-04-04T12:16:49-05:00</datetime><delivery-notification><status><delivered/></status>\
        </delivery-notification></imdn>";
    let part = format!("--b\r\nContent-type: message/imdn+xml\r\n\r\n{xml}\r\n");
    for text in [xml.to_owned(), format!("\r\nContent-type: message/imdn+xml\r\n\r\n{xml}")] {
        let text = if text.starts_with('<') { text } else { format!("From: <im:b@x>\r\n{text}") };
        let (found, code) = line(Kind::Imdn, text.as_bytes());
        assert_eq!(code, ExitCode::SUCCESS, "{found}");
        assert_eq!(found["summary"]["message_id"], "34jk324j");
        assert_eq!(found["summary"]["notification"], "delivery-notification");
        assert_eq!(found["summary"]["status"], "delivered");
    }
    let aggregate = format!(
        "From: <im:b@x>\r\n\r\nContent-type: multipart/mixed;boundary=b\r\nContent-Disposition: notification\r\n\r\n\
         {part}{part}--b--"
    );
    let (found, _) = line(Kind::Imdn, aggregate.as_bytes());
    assert_eq!(found["summary"]["aggregate"].as_array().map(Vec::len), Some(2));

    let twice = xml.replace("</imdn>", "<display-notification/></imdn>");
    let (found, code) = line(Kind::Imdn, twice.as_bytes());
    assert_eq!(code, ExitCode::FAILURE);
    assert_eq!(found["error"]["kind"], "several_notifications");
    assert_eq!(found["respond"], 400);
    // Offsets count in the file, also inside a message.
    let head = "From: <im:b@x>\r\n\r\nContent-type: message/imdn+xml\r\n\r\n";
    let (found, _) = line(Kind::Imdn, format!("{head}{twice}").as_bytes());
    let place = head.len() + twice.find("<display").unwrap();
    assert_eq!(found["error"]["offset"], json!(place));
    let (found, _) = line(Kind::Imdn, b"");
    assert_eq!(found["error"]["kind"], "not_imdn");
}

#[test]
fn several_files() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good");
    fs::write(&good, REQUEST).unwrap();
    let missing = folder.path().join("missing");
    let (found, code) = lines(Kind::Sip, &[missing.clone(), good.clone()]);
    assert_eq!(code, ExitCode::FAILURE);
    assert_eq!(found[0]["error"]["kind"], "unreadable");
    assert!(found[0]["respond"].is_null());
    assert_eq!(Path::new(found[0]["file"].as_str().unwrap()), missing);
    assert_eq!(found[1]["ok"], true);
}

#[test]
fn kind_names() {
    for (name, expected) in [
        ("MissingBlankLine", "missing_blank_line"),
        ("Missing(CallId)", "missing_call_id"),
        ("Invalid(CSeq, Number)", "invalid_cseq_number"),
        ("NotUtf8", "not_utf8"),
        ("Nul", "nul"),
    ] {
        assert_eq!(snake(name), expected);
    }
}
