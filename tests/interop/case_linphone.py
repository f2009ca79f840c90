"""linphone registers at cpm serve and exchanges a text with a cpm client; both see delivered and displayed."""

import os
import sys

from harness import check, client, quit_well, serve

HERE = os.path.dirname(os.path.abspath(__file__))


def run(world):
    server = serve(world, ["alice", "dave"])
    for transport in ("tcp", "udp"):
        alice = client(world, "alice", server, transport, 0xA1)
        command = [sys.executable, "-B", os.path.join(HERE, "linphone_peer.py"), "sip:dave@example.test",
                   "dave-secret", f"sip:{server};transport={transport}", world.path(f"linphone-{transport}")]
        dave = world.start(f"dave-{transport}", command, stdin=True, lines=True)
        dave.expect("registered")

        dave.say(cmd="send", to="sip:alice@example.test", text="hi alice, äöü")
        message = alice.expect("message", direction="in")
        check(message["text"] == "hi alice, äöü", f"the text is {message['text']!r}")
        check(message["from"] == "sip:dave@example.test", f"the sender is {message['from']}")
        check(message["conversation_id"] and message["contribution_id"], "the border supplies the identifiers")
        dave.expect("state", state="DeliveredToUser")
        alice.say(cmd="read", message_id=message["message_id"])
        dave.expect("state", state="Displayed")

        alice.say(cmd="send", to="sip:dave@example.test", text="hi dave, ß", want=["delivery", "display"], ref="1")
        accepted = alice.expect("accepted", ref="1", status=200)
        there = dave.expect("message")
        check(there["text"] == "hi dave, ß", f"the text is {there['text']!r}")
        check(there["from"].startswith("sip:alice@example.test"), f"the sender is {there['from']}")
        alice.expect("delivered", message_id=accepted["message_id"], by="sip:dave@example.test")
        alice.expect("displayed", message_id=accepted["message_id"], by="sip:dave@example.test")

        dave.say(cmd="quit")
        dave.wait()
        quit_well(alice)
