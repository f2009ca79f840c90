"""sipp registers with digest, sends CPIM messages to a cpm client and receives from one; tshark reads along."""

import os
import subprocess
import time

from harness import Failure, check, client, free_port, need, quit_well, serve

HERE = os.path.dirname(os.path.abspath(__file__))
SENT = 5
BACK = 3


def sipp(world, name, scenario, server, port, transport, count, *more):
    """One sipp process; it ends by itself, with 0 if every call went well."""
    command = [need("sipp", "sip-tester"), "-sf", os.path.join(HERE, scenario)]
    command += ["-i", "127.0.0.1", "-p", str(port), "-t", "u1" if transport == "udp" else "t1"]
    command += ["-m", str(count), "-r", "20", "-nostdin", "-timeout", "60s", "-timeout_error", *more]
    if server:
        command.append(server)
    return world.start(name, command)


def over(world, transport, server):
    """The whole exchange over one transport. alice is sipp, bob is a cpm client. Each sipp process ends its
    connections with its scenario, so alice's Contact is reached over UDP in both cases."""
    user = f"alice{transport}"
    bob = client(world, f"bob{transport}", server, transport, 0xB0B if transport == "udp" else 0xB0C)
    home = free_port()
    digest = ["-s", user, "-au", user, "-ap", f"{user}-secret"]

    # What alice sends from elsewhere is copied to her Contact, and notifications about it arrive there. The
    # process that listens is up before she registers.
    notified = sipp(world, f"notified-{transport}", "receive_copies.xml", None, home, "udp", 2 * SENT)
    port = free_port()
    register = sipp(
        world, f"register-{transport}", "register.xml", server, port, "udp", 1, "-key", "home", str(home), *digest,
    )
    register.wait()
    send = sipp(
        world, f"send-{transport}", "send_cpim.xml", server, free_port(), transport, SENT,
        "-key", "peer", f"bob{transport}", "-key", "run", f"{transport}{os.getpid()}", *digest,
    )
    seen = set()
    for _ in range(SENT):
        message = bob.expect("message", direction="in")
        check(message["text"] == "hello from sipp: äöü", f"the text is {message['text']!r}")
        check(message["from"] == f"sip:{user}@example.test", f"the sender is {message['from']}")
        check(message["conversation_id"] == "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "the conversation")
        seen.add(message["message_id"])
    check(len(seen) == SENT, "a message came twice")
    send.wait()
    notified.wait()

    received = sipp(world, f"received-{transport}", "receive_text.xml", None, home, "udp", BACK)
    time.sleep(0.5)
    for number in range(BACK):
        bob.say(cmd="send", to=f"sip:{user}@example.test", text=f"back {number}", want=["delivery"],
                ref=str(number))
        bob.expect("accepted", ref=str(number), status=200)
    received.wait()
    quit_well(bob)


def decode(world, capture, ports):
    """What tshark makes of the capture: nothing malformed, and everything on these ports is SIP."""
    as_sip = [arg for port in ports for kind in ("udp", "tcp") for arg in ("-d", f"{kind}.port=={port},sip")]

    def frames(display_filter):
        command = [need("tshark", "tshark"), "-r", capture, *as_sip, "-Y", display_filter]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"tshark cannot read the capture: {done.stderr[-500:]}")
        return done.stdout.splitlines()

    malformed = frames("_ws.malformed")
    check(not malformed, f"malformed packets: {malformed[:5]}")
    registers = len(frames('sip.Method == "REGISTER"'))
    messages = len(frames('sip.Method == "MESSAGE"'))
    answers = len(frames("sip.Status-Code == 200"))
    delivered = len(frames('sip.r-uri.host == "127.0.0.1" && frame contains "<delivered/>"'))
    check(registers >= 4, f"tshark saw {registers} REGISTER")
    check(messages >= 2 * (SENT + BACK), f"tshark saw {messages} MESSAGE")
    check(delivered >= 2 * SENT, f"tshark saw {delivered} notifications on their way to sipp")
    check(answers >= messages // 2, f"tshark saw {answers} answers")
    other = frames("udp && !sip && !icmp")
    check(not other, f"datagrams that are no SIP: {other[:5]}")
    print(f"     tshark: {registers} REGISTER, {messages} MESSAGE, {answers} times 200, {delivered} notifications, "
          "nothing malformed")


def run(world):
    need("tshark", "tshark")
    users = [name + transport for name in ("alice", "bob") for transport in ("udp", "tcp")]
    # sipp knows MD5 only and answers the first challenge it sees.
    server = serve(world, users, '[registrar]\nalgorithms = ["MD5"]\n')
    port = server.rsplit(":", 1)[1]
    capture = world.path("run.pcapng")
    # Everything of this run passes the server.
    reader = world.start(
        "tshark", [need("tshark", "tshark"), "-q", "-i", "lo", "-f", f"port {port}", "-w", capture]
    )
    deadline = time.monotonic() + 30
    while not os.path.exists(capture):
        check(reader.child.poll() is None, f"tshark cannot capture: {reader.tail()}")
        check(time.monotonic() < deadline, "tshark does not begin")
        time.sleep(0.1)
    time.sleep(1)
    for transport in ("udp", "tcp"):
        over(world, transport, server)
    time.sleep(1)
    reader.end()
    decode(world, capture, [port])
