"""Data connections that are not of their login: a stranger's ticket, none at all, a port that somebody else has taken."""

import socket
import ssl

from peer import DATA, Control, connect, context, end, enter, everything, is_dropped, run

FOREIGN = "resumed the TLS session of another login"
FRESH = "did not resume the control connection's TLS session"
SETTING = "lftp ftp:ssl-copy-sid"
NO_TLS = "TLS on the data connection failed: "


def strangers_ticket(place, version):
    """Another login's ticket opens neither way, and the session that was stolen from goes on."""
    place.put("a")
    place.put("old", b"old")
    made = context(version)
    anna = enter(place.address, made=made)
    rob = enter(place.address, user="rob", made=made)
    another = enter(place.address, user="rob", made=made)
    for session in [rob.sock.session, another.sock.session]:
        assert session.has_ticket
        anna.refused("RETR a", session, FOREIGN)
        anna.refused("MLSD", session, FOREIGN)
        anna.refused("STOR old", session, FOREIGN)
        assert place.holds("old") == b"old"
    # By a data connection of his, too.
    link = rob.begin("RETR a")
    assert everything(link) == DATA
    session = link.session
    end(link)
    rob.hear(226)
    anna.refused("RETR a", session, FOREIGN)
    assert anna.fetch("RETR a") == DATA
    assert rob.fetch("RETR a") == DATA


def ticket_from_elsewhere(place, version):
    """The same account from another address is another login."""
    place.put("a")
    made = context(version)
    here = enter(place.address, made=made)
    there = enter(place.address, made=made, source="127.0.0.2")
    here.refused("RETR a", there.sock.session, FOREIGN)
    there.refused("RETR a", here.sock.session, FOREIGN)
    assert here.fetch("RETR a") == DATA
    assert there.fetch("RETR a") == DATA


def ticket_of_nobody(place, version):
    """A session in which nobody has logged in, or from which somebody has logged out, is no login's."""
    place.put("a")
    made = context(version)
    anna = enter(place.address, made=made)
    nobody = Control(place.address)
    nobody.auth(made)
    nobody.expect("NOOP", 200)
    anna.refused("RETR a", nobody.sock.session, FOREIGN)
    gone = enter(place.address, made=made)
    gone.expect("REIN", 220)
    anna.refused("RETR a", gone.sock.session, FOREIGN)
    gone.expect("USER anna", 331)
    gone.expect("PASS secret", 230)
    assert anna.fetch("RETR a", gone.sock.session) == DATA
    gone.expect("USER anna", 331)
    anna.refused("RETR a", gone.sock.session, FOREIGN)
    assert anna.fetch("RETR a") == DATA


def ticket_of_the_dead(place, version):
    """A ticket goes with the last session of its login; then it is as good as none."""
    place.put("a")
    made = context(version)
    gone = enter(place.address, made=made)
    session = gone.sock.session
    gone.expect("QUIT", 221)
    is_dropped(gone.sock.unwrap())
    anna = enter(place.address, made=made)
    anna.refused("RETR a", session, FRESH)
    assert anna.fetch("RETR a") == DATA


def siblings_ticket(place, version):
    """Sessions of one login may use each other's; a client with many at once keeps one store of tickets."""
    place.put("a")
    made = context(version)
    one, other = enter(place.address, made=made), enter(place.address, made=made)
    for _ in range(3):
        assert one.fetch("RETR a", other.sock.session) == DATA
        assert other.store("STOR b", DATA, one.sock.session)[0] == 226
        assert place.holds("b") == DATA
    # One that has ended: what it was given is good as long as another session of the login is there.
    gone = enter(place.address, made=made)
    session = gone.sock.session
    gone.expect("QUIT", 221)
    is_dropped(gone.sock.unwrap())
    assert one.fetch("RETR a", session) == DATA
    # A session that began by resuming another one, which has gone since.
    third = enter(place.address, made=made, session=one.sock.session)
    assert third.sock.session_reused
    session = one.sock.session
    one.expect("QUIT", 221)
    assert third.fetch("RETR a", session) == DATA
    assert third.fetch("RETR a") == DATA


def sibling_that_leaves(place, version):
    """A sibling that leaves in the middle of the handshake was one when its ticket was shown."""
    place.put("a")
    made = context(version)
    for _ in range(3):
        anna, other = enter(place.address, made=made), enter(place.address, made=made)
        link = anna.passive()
        anna.expect("RETR a", 150)
        coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = made.wrap_bio(coming, going, session=other.sock.session)
        shaken = False
        while not shaken:
            try:
                tls.do_handshake()
                shaken = True
            except ssl.SSLWantReadError:
                link.sendall(going.read())
                coming.write(link.recv(16384))
        assert tls.session_reused
        # The server waits for our last word.
        other.expect("REIN", 220)
        link.sendall(going.read())
        sent = everything(link)
        anna.hear(226)
        assert len(sent) > len(DATA)


def fresh_handshake(place, version):
    place.put("a")
    place.put("old", b"old")
    anna = enter(place.address, version)
    for _ in range(3):
        anna.refused("RETR a", None, FRESH, SETTING)
        anna.refused("STOR old", None, FRESH, SETTING)
        assert place.holds("old") == b"old"
        assert anna.fetch("RETR a") == DATA


def stolen_port(place, version):
    """Somebody at the client's own address was quicker, and speaks no TLS."""
    place.put("a")
    place.put("old", b"old")
    anna = enter(place.address, version)
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for command in ["RETR a", "STOR old"]:
        for thief, why in [(request, "what came was no TLS"), (b"", "closed in the handshake")]:
            port = anna.epsv()
            link = connect(port)
            link.sendall(thief)
            link.shutdown(socket.SHUT_WR)
            anna.denied(command, NO_TLS, why)
            # An alert is all that he may get.
            try:
                got = everything(link)
            except ConnectionError:
                got = b""
            assert len(got) <= 7 and got[:1] in (b"", b"\x15"), got
            assert place.holds("old") == b"old"
            assert anna.fetch("RETR a") == DATA


def stolen_by_silence(place, version):
    """He says nothing at all, or half of what TLS begins with: it does not last."""
    place.put("a")
    anna = enter(place.address, version)
    for thief in [b"", b"\x16\x03\x01\x02\x00\x01"]:
        link = connect(anna.epsv())
        link.sendall(thief)
        anna.denied("RETR a", NO_TLS, "did not end within 1 seconds")
        assert DATA[:64] not in everything(link)
        assert anna.fetch("RETR a") == DATA


def stolen_from_elsewhere(place, version):
    """Somebody of another address is dropped, before and after him the right client is awaited."""
    place.put("a")
    anna = enter(place.address, version)
    for _ in range(3):
        port = anna.epsv()
        thief = connect(port, "127.0.0.2")
        link = connect(port)
        anna.expect("RETR a", 150)
        link = anna.wrap(link)
        assert everything(link) == DATA
        end(link)
        anna.hear(226)
        is_dropped(thief)


def prefer(place, version):
    """With data-resumption = prefer a new session is let in, another login's is not."""
    place.put("a")
    made = context(version)
    anna, rob = enter(place.address, made=made), enter(place.address, user="rob", made=made)
    assert anna.fetch("RETR a", None) == DATA
    assert anna.store("STOR b", DATA, None)[0] == 226 and place.holds("b") == DATA
    anna.refused("RETR a", rob.sock.session, FOREIGN)
    assert anna.fetch("RETR a") == DATA


def off(place, version):
    """With data-resumption = off anybody's is let in."""
    place.put("a")
    made = context(version)
    anna, rob = enter(place.address, made=made), enter(place.address, user="rob", made=made)
    assert anna.fetch("RETR a", None) == DATA
    assert anna.fetch("RETR a", rob.sock.session) == DATA
    assert anna.store("STOR b", DATA, rob.sock.session)[0] == 226 and place.holds("b") == DATA
    assert anna.fetch("RETR a") == DATA


run({
    check.__name__: check
    for check in [
        strangers_ticket,
        ticket_from_elsewhere,
        ticket_of_nobody,
        ticket_of_the_dead,
        siblings_ticket,
        sibling_that_leaves,
        fresh_handshake,
        stolen_port,
        stolen_by_silence,
        stolen_from_elsewhere,
        prefer,
        off,
    ]
})
