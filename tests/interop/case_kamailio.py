"""Kamailio as registrar and proxy: two cpm clients register at it and exchange a message."""

import os
import socket
import time

from harness import check, client, free_port, need, quit_well

HERE = os.path.dirname(os.path.abspath(__file__))


def run(world):
    kamailio = need("kamailio", "kamailio")
    port = free_port()
    with open(os.path.join(HERE, "kamailio.cfg"), encoding="utf-8") as file:
        text = file.read().replace("@PORT@", str(port)).replace("@FOLDER@", world.folder)
    config = world.write("kamailio.cfg", text)
    proxy = world.start("kamailio", [kamailio, "-DD", "-E", "-m", "32", "-M", "4", "-Y", world.folder,
                                     "-P", world.path("pid"), "-w", world.folder, "-f", config])
    deadline = time.monotonic() + 30
    while True:
        check(proxy.child.poll() is None, f"kamailio does not start: {proxy.tail()}")
        check(time.monotonic() < deadline, "kamailio does not listen")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.1)
    server = f"127.0.0.1:{port}"
    for sender, receiver in (("udp", "udp"), ("tcp", "tcp"), ("tcp", "udp")):
        alice = client(world, "alice", server, sender, 0xA1)
        bob = client(world, "bob", server, receiver, 0xB2)
        alice.say(cmd="send", to="sip:bob@example.test", text="through kamailio, ä", want=["delivery", "display"],
                  ref="k")
        accepted = alice.expect("accepted", ref="k", status=200)
        message = bob.expect("message", direction="in", message_id=accepted["message_id"])
        check(message["text"] == "through kamailio, ä", f"the text is {message['text']!r}")
        alice.expect("delivered", message_id=accepted["message_id"])
        bob.say(cmd="read", message_id=message["message_id"])
        alice.expect("displayed", message_id=accepted["message_id"])
        quit_well(alice)
        quit_well(bob)
