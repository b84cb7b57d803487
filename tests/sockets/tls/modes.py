"""What else there is to do in TLS: CCC, ALPN, AUTH SSL, TLS from the first byte, ABOR, MODE B, MODE Z, tickets."""

import socket
import ssl
import zlib

from peer import DATA, PATIENCE, Control, connect, context, end, enter, everything, is_dropped, run

LARGE = DATA * 200


def clears(place, version):
    """Behind CCC commands go in the clear, and data as privately as before."""
    place.put("a")
    control = enter(place.address, version)
    session = control.sock.session
    control.expect("CCC", 200)
    control.sock = control.sock.unwrap()
    control.expect("PWD", 257)
    for command in ["PROT C", "AUTH TLS", "PBSZ 0"]:
        control.expect(command, 503)
    for _ in range(3):
        assert control.fetch("RETR a", session) == DATA
        assert control.store("STOR b", DATA, session)[0] == 226
        assert place.holds("b") == DATA
    control.refused("RETR a", None, "did not resume")
    # A data connection in the clear is none.
    link = control.passive()
    control.expect("RETR a", 150)
    link.sendall(b"\r\n\r\n\r\n")
    control.hear(522, "what came was no TLS")
    control.expect("QUIT", 221)
    is_dropped(control.sock)


class Bare(Control):
    """A control connection whose TLS is written by hand, so that what stands behind its end may share a segment with it."""

    def secure(self, context, name=None, session=None):
        self.coming, self.going = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.coming, self.going)
        self.link, self.sock = self.sock, self
        self.patiently(self.tls.do_handshake)

    def patiently(self, step, *args):
        while True:
            try:
                done = step(*args)
                self.link.sendall(self.going.read())
                return done
            except ssl.SSLWantReadError:
                self.link.sendall(self.going.read())
                more = self.link.recv(16384)
                assert more, "the server closed"
                self.coming.write(more)

    def sendall(self, data):
        self.patiently(self.tls.write, data)

    def recv(self, most):
        return self.patiently(self.tls.read, most)

    def clear(self, behind):
        """Ends TLS, with bytes in the clear right behind; what the server sends behind its own end stays unread."""
        try:
            self.tls.unwrap()
            ended = True
        except ssl.SSLWantReadError:
            ended = False
        self.sock = self.link
        self.sock.sendall(self.going.read() + behind)
        if not ended:
            # The server's own end is one record; what follows is in the clear.
            header = self.exactly(5)
            assert header[0] in (21, 23), header
            self.exactly(int.from_bytes(header[3:], "big"))

    def exactly(self, count):
        got = b""
        while len(got) < count:
            got += self.sock.recv(count - len(got))
        return got


def clears_in_one_segment(place, version):
    """Not a byte behind the end of TLS is taken for TLS."""
    control = Bare(place.address)
    control.auth(context(version))
    control.login()
    control.expect("CCC", 200)
    control.clear(b"PWD\r\nNOOP\r\nTYPE A\r\n")
    control.hear(257)
    control.hear(200)
    control.hear(200)
    control.expect("QUIT", 221)


def clears_not(place, version):
    """Without ccc = true CCC is refused, and all goes on in TLS."""
    place.put("a")
    control = enter(place.address, version)
    control.say("CCC")
    assert control.reply()[0] // 100 == 5
    control.expect("PWD", 257)
    assert control.fetch("RETR a") == DATA


def is_of_alpn(error):
    """Python writes the alert in one of two ways."""
    return "no application protocol" in str(error).lower().replace("_", " ")


def alpn(place, version):
    """Who was meant for another server is turned away; who says ftp is answered so, and who says nothing comes in."""
    place.put("a")
    for protocols in [["http/1.1"], ["h2", "http/1.1"], ["smtp", "imap"], ["ftp-data"]]:
        control = Control(place.address)
        try:
            control.auth(context(version, alpn=protocols))
        except ssl.SSLError as error:
            assert is_of_alpn(error), error
        else:
            raise AssertionError(protocols)
    for protocols in [["ftp"], ["http/1.1", "ftp"]]:
        made = context(version, alpn=protocols)
        control = enter(place.address, made=made)
        assert control.sock.selected_alpn_protocol() == "ftp"
        assert control.fetch("RETR a") == DATA
        made.set_alpn_protocols(["ftp-data"])
        link = control.begin("RETR a")
        assert link.selected_alpn_protocol() == "ftp-data"
        assert everything(link) == DATA
        end(link)
        control.hear(226)
        # What was made for the web does not get at files either.
        made.set_alpn_protocols(["http/1.1"])
        link = control.passive()
        control.expect("RETR a", 150)
        try:
            control.wrap(link)
        except ssl.SSLError as error:
            assert is_of_alpn(error), error
        else:
            raise AssertionError("a data connection for http/1.1")
        control.hear(522, "ALPN")
    assert enter(place.address, version).sock.selected_alpn_protocol() is None


def auth_ssl(place, version):
    """AUTH SSL is AUTH TLS with data private from the start."""
    place.put("a")
    control = Control(place.address)
    control.auth(context(version), mechanism="SSL")
    control.expect("USER anna", 331)
    control.expect("PASS secret", 230)
    control.expect("TYPE I", 200)
    assert control.fetch("RETR a") == DATA
    assert control.store("STOR b", DATA)[0] == 226
    assert place.holds("b") == DATA


def prot(place, version):
    """Data goes as PROT has it, one transfer in TLS and the next in the clear."""
    place.put("a")
    control = enter(place.address, version)
    for _ in range(2):
        control.expect("PROT C", 200)
        link = control.passive()
        control.expect("RETR a", 150)
        assert everything(link) == DATA
        control.hear(226)
        control.expect("PROT P", 200)
        assert control.fetch("RETR a") == DATA


def implicit(place, version):
    """TLS with the first byte: the greeting comes in it, and data is private without a word."""
    place.put("a")
    address = (place.address[0], int(place.more[0]))
    control = Control(address, greeted=False)
    control.secure(context(version))
    control.hear(220)
    control.expect("AUTH TLS", 503)
    control.expect("USER anna", 331)
    control.expect("PASS secret", 230)
    control.expect("TYPE I", 200)
    assert control.fetch("RETR a") == DATA
    assert control.store("STOR b", DATA)[0] == 226
    assert place.holds("b") == DATA
    control.refused("RETR a", None, "did not resume")
    # What many clients say all the same.
    control.private()
    assert control.fetch("RETR a") == DATA
    # Words in the clear are no TLS, and are not answered by any.
    link = connect(address)
    link.sendall(b"USER anna\r\nPASS secret\r\n")
    try:
        said = everything(link)
    except ConnectionError:
        said = b""
    assert len(said) <= 7 and said[:1] in (b"", b"\x15"), said


def abort(place, version):
    """ABOR stops a download in TLS: 426 and 226; the data connection does not end as one does that is whole."""
    place.put("large", LARGE)
    place.put("a")
    control = enter(place.address, version)
    for _ in range(3):
        link = control.begin("RETR large")
        got = link.recv(1000)
        assert got and LARGE.startswith(got)
        control.say("ABOR")
        control.hear(426)
        control.hear(226)
        try:
            everything(link)
        except (ssl.SSLError, ConnectionError):
            pass
        else:
            raise AssertionError("it ended by close_notify")
        assert control.fetch("RETR a") == DATA
    # An upload that was stopped is not kept.
    place.put("old", b"old")
    link = control.begin("STOR old")
    link.sendall(DATA)
    control.say("ABOR")
    control.hear(426)
    control.hear(226)
    assert place.holds("old") == b"old"
    assert control.fetch("RETR a") == DATA


def deflated(place, version):
    """MODE Z: what is deflated is what TLS carries."""
    place.put("a")
    control = enter(place.address, version)
    control.expect("MODE Z", 200)
    for _ in range(3):
        sent = control.fetch("RETR a")
        assert len(sent) < len(DATA) and zlib.decompress(sent) == DATA
        code, text = control.store("STOR b", zlib.compress(DATA[::-1]))
        assert code == 226, text
        assert place.holds("b") == DATA[::-1]
        assert b"a" in zlib.decompress(control.fetch("NLST"))


def exactly(link, count):
    got = b""
    while len(got) < count:
        piece = link.recv(count - len(got))
        assert piece, "the connection ended in a block"
        got += piece
    return got


def unblocked(link):
    """One file out of blocks: descriptor, length, bytes; 64 is the mark of the last."""
    got = bytearray()
    while True:
        descriptor, high, low = exactly(link, 3)
        got += exactly(link, high << 8 | low)
        if descriptor == 64:
            return bytes(got)
        assert descriptor == 0, descriptor


def blocked(data):
    pieces = [data[at : at + 50_000] for at in range(0, len(data), 50_000)] + [b""]
    marks = [0] * (len(pieces) - 1) + [64]
    return b"".join(bytes([mark]) + len(piece).to_bytes(2, "big") + piece for mark, piece in zip(marks, pieces))


def blocks(place, version):
    """MODE B: many files, both ways, over one data connection that shook hands once."""
    place.put("a")
    place.put("empty", b"")
    control = enter(place.address, version)
    control.expect("MODE B", 200)
    link = control.begin("RETR a")
    assert link.session_reused
    assert unblocked(link) == DATA
    control.hear(250)
    for turn in range(3):
        control.expect(f"STOR b{turn}", 125)
        link.sendall(blocked(DATA[turn:]))
        control.hear(250)
        assert place.holds(f"b{turn}") == DATA[turn:]
        control.expect("RETR empty", 125)
        assert unblocked(link) == b""
        control.hear(250)
        control.expect("RETR nothing", 550)
        control.expect("MLSD", 125)
        assert b"; empty\r\n" in unblocked(link)
        control.hear(250)
    # Asked for in one flight.
    control.sock.sendall(b"RETR a\r\nRETR empty\r\nRETR a\r\n")
    assert [unblocked(link) for _ in range(3)] == [DATA, b"", DATA]
    for code in [125, 250] * 3:
        control.hear(code)
    # Half a file is none.
    place.put("old", b"old")
    control.expect("STOR old", 125)
    link.sendall(blocked(DATA)[:-1000])
    try:
        end(link)
    except (ssl.SSLError, ConnectionError):
        # The server does not call that an end either.
        pass
    control.hear(426)
    assert place.holds("old") == b"old"
    link = control.begin("RETR a")
    assert unblocked(link) == DATA
    control.hear(250)


def unread_tickets(place):
    """Under TLS 1.3 a client that stores gets no tickets that it would have to read: with something unread in it its
    connection would be reset when it is closed. Who begins TLS before 150 does read them, and needs them (curl)."""

    def waits(link):
        link.setblocking(False)
        try:
            return socket.socket.recv(link, 1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return False
        finally:
            link.settimeout(PATIENCE)

    control = enter(place.address, "1.3")
    for _ in range(3):
        link = control.begin("STOR a")
        link.sendall(DATA)
        # When the bytes are there, so is all that the handshake brings.
        while f": {len(DATA)} bytes" not in control.expect("STAT", 211):
            pass
        assert not waits(link)
        end(link)
        control.hear(226)
        assert place.holds("a") == DATA

        link = control.passive()
        coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
        early = control.context.wrap_bio(coming, going, session=control.sock.session)
        try:
            early.do_handshake()
        except ssl.SSLWantReadError:
            link.sendall(going.read())
        control.say("STOR b")
        while True:
            coming.write(link.recv(16384))
            try:
                early.do_handshake()
                break
            except ssl.SSLWantReadError:
                pass
        link.sendall(going.read())
        # The tickets are there before the word to send is.
        control.hear(150)
        assert waits(link)
        coming.write(link.recv(16384))
        early.write(DATA)
        try:
            early.read(1)
        except ssl.SSLWantReadError:
            pass
        assert early.session.id != control.sock.session.id
        try:
            early.unwrap()
        except ssl.SSLWantReadError:
            pass
        link.sendall(going.read())
        control.hear(226)
        assert place.holds("b") == DATA
        link.close()


run({
    check.__name__: check
    for check in [
        clears,
        clears_in_one_segment,
        clears_not,
        alpn,
        auth_ssl,
        prot,
        implicit,
        abort,
        deflated,
        blocks,
        unread_tickets,
    ]
})
