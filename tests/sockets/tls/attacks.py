"""Connections that mean harm, or die: commands in the clear behind AUTH, ends that are none, handshakes that never end."""

import os
import resource
import select
import socket
import ssl
import subprocess
import time

from peer import DATA, Control, connect, context, enter, everything, is_dropped, is_open, reset, run

LARGE = DATA * 200
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


def hello():
    """What a client says first, whole."""
    sent = ssl.MemoryBIO()
    begun = context().wrap_bio(ssl.MemoryBIO(), sent)
    try:
        begun.do_handshake()
    except ssl.SSLWantReadError:
        return sent.read()


def injection(place):
    """What stands in the clear behind AUTH is never carried out, and ends the session: nobody goes on in TLS with it."""
    for behind in [b"USER anna\r\n", b"USER anna\r\nPASS secret\r\nDELE a\r\n", b"NOO", b"\r\n", hello()]:
        place.put("a")
        control = Control(place.address)
        control.sock.sendall(b"AUTH TLS\r\n" + behind)
        control.hear(421, "in the clear")
        is_dropped(control.sock)
        assert place.holds("a") == DATA
    # Behind the 234, too, where TLS should begin.
    for behind in [b"USER anna\r\n", b"\0" * 600, b"\x80\x2e\x01\x03\x01"]:
        control = Control(place.address)
        control.expect("AUTH TLS", 234)
        control.sock.sendall(behind)
        control.sock.shutdown(socket.SHUT_WR)
        try:
            said = everything(control.sock)
        except ConnectionError:
            said = b""
        # An alert is no answer to a command.
        assert len(said) <= 7 and said[:1] in (b"", b"\x15"), said


def nothing_carries_over(place, version):
    """What was said in the clear before AUTH counts for nothing in TLS."""
    control = Control(place.address)
    control.expect("USER anna", 331)
    control.auth(context(version))
    control.expect("PASS secret", 503)
    control.expect("PWD", 530)
    other = Control(place.address)
    other.expect("USER anna", 331)
    other.expect("PASS secret", 230)
    other.expect("TYPE I", 200)
    other.expect("REST 5", 350)
    other.auth(context(version))
    other.expect("PWD", 530)
    other.login()
    place.put("a")
    assert other.fetch("RETR a") == DATA


def truncated_upload(place, version):
    """An upload without TLS's own end is 426, and the file of that name stays what it was."""
    anna = enter(place.address, version)
    for command in ["STOR old", "APPE old", "STOR new"]:
        for how in ["fin", "reset"]:
            place.put("old", b"old")
            link = anna.begin(command)
            link.sendall(DATA)
            while f": {len(DATA)} bytes" not in anna.expect("STAT", 211):
                pass
            if how == "fin":
                # Below TLS, as somebody on the way could.
                link.shutdown(socket.SHUT_WR)
                anna.hear(426, "close_notify")
                link.close()
            else:
                reset(link)
                anna.hear(426)
            kept = {"STOR old": b"old", "APPE old": b"old" + DATA}.get(command)
            if kept is not None:
                assert place.holds("old") == kept, (command, how)
            assert sorted(name for name in os.listdir(place.root) if name not in ("old", "new")) == [], command
    assert anna.store("STOR old", b"whole")[0] == 226
    assert place.holds("old") == b"whole"


def broken_download(place, version):
    """Who breaks a download in the middle is told 426, and never 226."""
    place.put("large", LARGE)
    anna = enter(place.address, version)
    for how in ["reset", "fin"]:
        link = anna.begin("RETR large")
        got = link.recv(1000)
        while len(got) < 1000:
            got += link.recv(1000 - len(got))
        assert LARGE.startswith(got)
        if how == "fin":
            # With bytes unread this is a reset, too, but one that the system makes.
            link.shutdown(socket.SHUT_RDWR)
            link.close()
        else:
            reset(link)
        anna.hear(426)
    assert anna.fetch("RETR large") == LARGE


def renegotiation(place):
    """TLS 1.2 lets a client ask for another handshake: it is refused, and nobody else notices."""
    place.put("a")
    other = enter(place.address, "1.2")
    # From the first byte: behind STARTTLS s_client takes no orders.
    client = subprocess.Popen(
        ["openssl", "s_client", "-connect", f"{place.address[0]}:{place.more[0]}", "-tls1_2"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
    )
    printed = b""

    def until(part):
        nonlocal printed
        while part not in printed:
            more = os.read(client.stdout.fileno(), 65536)
            assert more, printed
            printed += more

    def say(line):
        try:
            client.stdin.write(line)
        except BrokenPipeError:
            # It has heard already what it asked for.
            pass

    say(b"NOOP\r\n")
    until(b"200 NOOP")
    # An R that comes by itself is for s_client, which does so with the next line at the latest.
    say(b"R\n")
    until(b"RENEGOTIATING")
    say(b"NOOP\r\n")
    until(b"no renegotiation")
    client.stdin.close()
    printed += client.stdout.read()
    client.wait()
    assert printed.count(b"RENEGOTIATING") == 1, printed
    assert other.fetch("RETR a") == DATA
    assert enter(place.address, "1.2").fetch("RETR a") == DATA


def silent_handshake(place):
    """Who falls silent in a handshake is dropped when its time is over, by AUTH and from the first byte; who speaks slowly
    has no more time."""
    implicit = (place.address[0], int(place.more[0]))

    def begin(how):
        if how == "implicit":
            return connect(implicit)
        control = Control(place.address)
        control.expect("AUTH TLS", 234)
        return control.sock

    for how in ["explicit", "implicit"]:
        for first in [b"", b"\x16", HELLO, hello()]:
            begun = time.monotonic()
            link = begin(how)
            link.sendall(first)
            try:
                said = everything(link)
            except ConnectionError:
                said = b""
            # A whole hello is answered, and then nothing more comes.
            assert (len(said) > 7) == (len(first) > 100), (first, said)
            assert 0.9 < time.monotonic() - begun < 20
        begun = time.monotonic()
        link = begin(how)
        sent = iter(hello())
        dripping = True
        while dripping:
            try:
                link.sendall(bytes([next(sent)]))
            except (ConnectionError, StopIteration):
                break
            readable, _, _ = select.select([link], [], [], 0.05)
            dripping = not readable
        assert 0.9 < time.monotonic() - begun < 20


def silence_holds_nobody_up(place):
    """While one is silent in its handshake, others come in and work."""
    place.put("a")
    silent = Control(place.address)
    silent.expect("AUTH TLS", 234)
    half = Control(place.address)
    half.expect("AUTH TLS", 234)
    half.sock.sendall(HELLO)
    other = enter(place.address)
    for _ in range(5):
        assert other.fetch("RETR a") == DATA
    assert other.store("STOR b", DATA)[0] == 226
    # The server waits for them still, for as long as a minute: nobody has waited with it.
    assert is_open(silent.sock) and is_open(half.sock)


def silent_data(place, version):
    """A client that falls silent in the handshake of its data connection is told so, and nobody has waited."""
    place.put("a")
    place.put("old", b"old")
    other = enter(place.address, version)
    anna = enter(place.address, version)
    for command in ["RETR a", "STOR old"]:
        for first in [b"", b"\x16\x03\x01", HELLO]:
            link = anna.passive()
            anna.expect(command, 150)
            link.sendall(first)
            assert other.fetch("RETR a") == DATA
            anna.hear(522, "TLS on the data connection failed", "did not end within 1 seconds")
            is_dropped(link)
            assert place.holds("old") == b"old"
            assert anna.fetch("RETR a") == DATA


def half_open(place):
    """A thousand handshakes that never end, and a client that works; beyond max-sessions the next one is told so."""
    most = 1010
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    place.put("a")
    first = enter(place.address)
    silent = []
    while len(silent) < 1000:
        some = [Control(place.address, greeted=False) for _ in range(50)]
        for control in some:
            control.hear(220)
            control.say("AUTH TLS")
        for number, control in enumerate(some):
            control.hear(234)
            if number % 2:
                control.sock.sendall(HELLO)
        silent += some
    # One that was there before, and one that comes now.
    for anna in [first, enter(place.address)]:
        assert anna.fetch("RETR a") == DATA
        assert anna.store("STOR b", DATA)[0] == 226
    assert all(is_open(control.sock) for control in silent)
    # Two clients and a thousand: eight more have room, and no ninth.
    last = [Control(place.address) for _ in range(most - 1002)]
    refused = Control(place.address, greeted=False)
    refused.hear(421, "Too many sessions")
    for control in silent + last:
        reset(control.sock)
    # Their places are free again as soon as the server has seen that they are gone.
    begun = time.monotonic()
    while True:
        control = Control(place.address, greeted=False)
        code, _ = control.reply()
        if code == 220:
            break
        assert time.monotonic() - begun < 30
    control.auth(context())
    control.login()
    assert control.fetch("RETR a") == DATA
    assert first.fetch("RETR a") == DATA


run({
    check.__name__: check
    for check in [
        injection,
        nothing_carries_over,
        truncated_upload,
        broken_download,
        renegotiation,
        silent_handshake,
        silence_holds_nobody_up,
        silent_data,
        half_open,
    ]
})
