"""Processes, ports and JSON lines for the interoperability cases."""

import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

CPM = os.environ.get("CPM", "cpm")
# Generous: the machine may be busy. Nothing waits this long when all goes well.
PATIENCE = int(os.environ.get("CPM_PATIENCE", "60"))


class Failure(Exception):
    """A case did not do what it must."""


def need(program, package):
    """The path of a program that the case cannot do without."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Failure(f"{program} is missing (Debian package {package})")
    return path


def free_port():
    """A port of 127.0.0.1 that is free for UDP and TCP."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            port = udp.getsockname()[1]
            try:
                tcp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Failure("no free port")


class World:
    """The folder and the processes of one case; all are gone when it ends."""

    def __init__(self, name):
        self.name = name
        self.folder = tempfile.mkdtemp(prefix=f"cpm-interop-{name}-")
        self.running = []
        self.failed = True

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for process in reversed(self.running):
            process.end()
        if kind is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            print(f"     logs are in {self.folder}", flush=True)
        return False

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def start(self, name, command, **options):
        process = Process(self, name, command, **options)
        self.running.append(process)
        return process


class Process:
    """A program with its output in a file; ended by its pid, never by its name."""

    def __init__(self, world, name, command, cwd=None, stdin=False, lines=False):
        self.name = name
        self.log = world.path(f"{name}.log")
        self.errors = open(self.log, "wb")
        self.child = subprocess.Popen(
            command,
            cwd=cwd or world.folder,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE if lines else self.errors,
            stderr=self.errors,
        )
        if lines:
            self.lines = queue.Queue()
            self.kept = []
            record = open(world.path(f"{name}.lines"), "wb")
            threading.Thread(target=self._read, args=(record,), daemon=True).start()

    def _read(self, record):
        for line in self.child.stdout:
            record.write(line)
            record.flush()
            try:
                self.lines.put(json.loads(line))
            except ValueError:
                self.lines.put({"event": "not json", "line": line.decode("utf-8", "replace")})
        self.lines.put(None)

    def say(self, **command):
        self.child.stdin.write(json.dumps(command).encode() + b"\n")
        self.child.stdin.flush()

    def expect(self, event, patience=PATIENCE, **fields):
        """The next line with these fields; lines of other events are kept for later."""
        wanted = {"event": event, **fields}

        def fits(line):
            return all(line.get(key) == value for key, value in wanted.items())

        for at, line in enumerate(self.kept):
            if fits(line):
                return self.kept.pop(at)
        end = time.monotonic() + patience
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise Failure(f"{self.name}: no {wanted}; came: {self.kept}") from None
            if line is None:
                raise Failure(f"{self.name} ended; wanted {wanted}; came: {self.kept}; {self.tail()}")
            if fits(line):
                return line
            self.kept.append(line)

    def tail(self):
        self.errors.flush()
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()[-2000:].strip()

    def wait(self, patience=PATIENCE):
        """Waits for a program that must end well by itself."""
        try:
            code = self.child.wait(patience)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not end: {self.tail()}") from None
        if code != 0:
            raise Failure(f"{self.name} ended with {code}: {self.tail()}")

    def end(self, with_signal=signal.SIGTERM, patience=10):
        if self.child.poll() is None:
            self.child.send_signal(with_signal)
            try:
                self.child.wait(patience)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.errors.close()
        return self.child.returncode


def serve(world, users, config=None):
    """`cpm serve` for these users, and the address it listens on."""
    command = [CPM, "serve", "--domain", "example.test", "--sip", "127.0.0.1:0"]
    command += ["--data", world.path("data"), "--runtime", "tokio"]
    listed = "".join(f"sip:{user}@example.test:{user}-secret\n" for user in users)
    command += ["--users", world.write("users", listed)]
    if config:
        command += ["--config", world.write("cpm.toml", config)]
    server = world.start("serve", command, lines=True)
    return server.expect("ready")["sip"]


def client(world, user, server, transport, instance):
    """A registered `cpm client`."""
    command = [CPM, "client", "--json", "--address", f"sip:{user}@example.test"]
    command += ["--password-file", world.write(f"{user}.password", f"{user}-secret\n")]
    # The other runtime than the server's: both meet the peers.
    command += ["--server", server, "--transport", transport, "--runtime", "smol"]
    command += ["--instance", f"urn:uuid:00000000-0000-4000-8000-{instance:012x}"]
    device = world.start(f"{user}-{transport}", command, stdin=True, lines=True)
    device.expect("registered")
    return device


def quit_well(device):
    """`quit` unregisters and ends with 0."""
    device.say(cmd="quit")
    device.expect("unregistered")
    device.wait()


def check(condition, what):
    if not condition:
        raise Failure(what)
