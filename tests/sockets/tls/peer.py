"""A client that speaks TLS and says exactly what a test wants: over Python's ssl, which is OpenSSL.

The check scripts beside this file are called as: SCRIPT CHECK HOST PORT ROOT [MORE...]
ROOT is the shared folder itself. A check that fails raises; one that passes prints "ok".
"""

import os
import re
import socket
import ssl
import struct
import sys

# How long anything may take before a check fails.
PATIENCE = 30
VERSIONS = ["1.2", "1.3"]
DATA = bytes(range(256)) * 1200


def context(version=None, alpn=None, shown=None):
    """What a connection may agree on; SHOWN are the files of the client's certificate and key."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if version:
        made.minimum_version = made.maximum_version = {
            "1.2": ssl.TLSVersion.TLSv1_2,
            "1.3": ssl.TLSVersion.TLSv1_3,
        }[version]
    if alpn:
        made.set_alpn_protocols(alpn)
    if shown:
        made.load_cert_chain(*shown)
    return made


def connect(address, source=None):
    return socket.create_connection(address, PATIENCE, (source, 0) if source else None)


def reset(link):
    """Ends a connection as a machine does that was switched off and on."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()


def everything(link):
    """All bytes until the end; in TLS an end without close_notify raises."""
    got = bytearray()
    while piece := link.recv(65536):
        got += piece
    return bytes(got)


def is_open(link):
    """Whether the other side has neither closed nor said anything."""
    link.setblocking(False)
    try:
        link.recv(1)
        return False
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
    finally:
        link.settimeout(PATIENCE)


def is_dropped(link):
    """The other side closes, orderly or not, without a byte."""
    try:
        said = link.recv(1024)
    except ConnectionError:
        said = b""
    assert said == b"", said


class Control:
    """A control connection."""

    def __init__(self, address, source=None, greeted=True):
        self.address = address
        self.sock = connect(address, source)
        self.source = source
        self.context = self.name = None
        self.unread = b""
        if greeted:
            self.hear(220)

    def say(self, line):
        self.sock.sendall(line.encode() + b"\r\n")

    def line(self):
        while b"\r\n" not in self.unread:
            more = self.sock.recv(4096)
            if not more:
                raise EOFError("the server closed instead of answering")
            self.unread += more
        line, self.unread = self.unread.split(b"\r\n", 1)
        return line.decode()

    def reply(self):
        lines = [self.line()]
        if lines[0][3:4] == "-":
            while not lines[-1].startswith(lines[0][:3] + " "):
                lines.append(self.line())
        return int(lines[0][:3]), "\n".join(lines)

    def hear(self, code, *parts):
        said = self.reply()
        assert said[0] == code, (code, said)
        for part in parts:
            assert part in said[1], (part, said)
        return said[1]

    def expect(self, line, code, *parts):
        self.say(line)
        return self.hear(code, *parts)

    def secure(self, context, name=None, session=None):
        """Shakes hands; NAME is asked for by SNI."""
        assert self.unread == b"", self.unread
        self.context, self.name = context, name
        self.sock = context.wrap_socket(
            self.sock, server_hostname=name, session=session, suppress_ragged_eofs=False
        )

    def auth(self, context, name=None, session=None, mechanism="TLS"):
        self.expect("AUTH " + mechanism, 234)
        self.secure(context, name, session)

    def login(self, user="anna", password="secret"):
        self.expect("USER " + user, 331)
        self.expect("PASS " + password, 230)
        self.private()

    def private(self):
        self.expect("PBSZ 0", 200)
        self.expect("PROT P", 200)
        self.expect("TYPE I", 200)

    def epsv(self):
        port = re.search(r"\|\|\|(\d+)\|", self.expect("EPSV", 229)).group(1)
        return self.address[0], int(port)

    def passive(self):
        return connect(self.epsv(), self.source)

    def wrap(self, link, session="own"):
        """TLS for a data connection, which resumes this control connection's session where nothing else is said."""
        return self.context.wrap_socket(
            link,
            server_hostname=self.name,
            session=self.sock.session if session == "own" else session,
            suppress_ragged_eofs=False,
        )

    def begin(self, command, session="own"):
        """A transfer until TLS is there: the data connection."""
        link = self.passive()
        self.expect(command, 150)
        return self.wrap(link, session)

    def fetch(self, command, session="own"):
        link = self.begin(command, session)
        got = everything(link)
        end(link)
        self.hear(226)
        return got

    def store(self, command, data, session="own"):
        """Stores; the final reply."""
        link = self.begin(command, session)
        link.sendall(data)
        end(link)
        return self.reply()

    def refused(self, command, session, *parts):
        """A transfer whose data connection is not let in: TLS comes about, no byte passes, and the reply says why."""
        link = self.begin(command, session)
        # An upload may find the connection closed already; what counts is what the server says.
        if command.startswith("STOR"):
            try:
                link.sendall(b"smuggled")
            except OSError:
                pass
        else:
            assert everything(link) == b""
        self.hear(522, *parts)
        link.close()

    def denied(self, command, *parts):
        """A transfer that ends with 522; who has begun TLS before the command hears no 150."""
        self.say(command)
        code, text = self.reply()
        if code == 150:
            code, text = self.reply()
        assert code == 522 and all(part in text for part in parts), text

    def close(self):
        self.sock.close()


def end(link):
    """Ends TLS in order, both ways."""
    link.unwrap().close()


def enter(address, version=None, user="anna", source=None, made=None, session=None):
    """A session in TLS, logged in, data private."""
    control = Control(address, source)
    control.auth(made or context(version), session=session)
    control.login(user)
    return control


class Place:
    """The server and its shared folder, as the command line names them."""

    def __init__(self):
        self.check, host, port, self.root, *self.more = sys.argv[1:]
        self.address = (host, int(port))

    def path(self, name):
        return os.path.join(self.root, name)

    def put(self, name, data=DATA):
        with open(self.path(name), "wb") as file:
            file.write(data)

    def holds(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()


def run(checks):
    """Runs the check that the command line names, once for each version of TLS if it wants one."""
    place = Place()
    check = checks[place.check]
    if check.__code__.co_argcount == 2:
        for version in VERSIONS:
            check(place, version)
    else:
        check(place)
    print("ok")
