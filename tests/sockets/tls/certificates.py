"""Which certificate the server shows, and whom it knows by theirs. Certificates lie in the folder that MORE names."""

import os
import signal
import ssl
import time

from peer import DATA, VERSIONS, Control, context, end, enter, everything, run

LARGE = DATA * 200


def named(place, name):
    """The certificate of a file, as it is sent."""
    with open(os.path.join(place.more[0], name + ".pem")) as file:
        return ssl.PEM_cert_to_DER_cert(file.read())


def pair(place, name):
    return [os.path.join(place.more[0], name + end) for end in (".pem", ".key")]


def shown(place, version, name=None, host=None):
    control = Control(place.address)
    if host:
        control.expect("HOST " + host, 220)
    control.auth(context(version), name)
    control.expect("NOOP", 200)
    return control.sock.getpeercert(binary_form=True)


def by_name(place, version):
    """The name that TLS asks for decides; where it asks for none, HOST does; where nobody asks, the first is shown."""
    one, two = named(place, "one"), named(place, "two")
    assert one != two
    assert shown(place, version) == one
    assert shown(place, version, name="one.example") == one
    assert shown(place, version, name="two.example") == two
    assert shown(place, version, name="TWO.example") == two
    assert shown(place, version, host="two.example") == two
    assert shown(place, version, host="one.example") == one
    assert shown(place, version, name="two.example", host="one.example") == two


def unknown_names(place, version):
    """A name that is nobody's is shown the first."""
    assert shown(place, version, name="three.example") == named(place, "one")
    assert shown(place, version, host="three.example") == named(place, "one")


def only_our_names(place, version):
    """Where the names are told that the server goes by, another one ends the handshake, and HOST is refused."""
    for name in ["three.example", "one.example.org"]:
        control = Control(place.address)
        try:
            control.auth(context(version), name)
        except ssl.SSLError as error:
            assert "ALERT" in str(error).upper(), error
        else:
            raise AssertionError(name)
        other = Control(place.address)
        other.expect("HOST " + name, 504)
    control = Control(place.address)
    control.auth(context(version), "two.example")
    control.expect("HOST one.example", 504)
    control.expect("HOST two.example", 220)
    control.login()
    place.put("a")
    assert control.fetch("RETR a") == DATA
    by_name(place, version)


def data_by_name(place, version):
    """A data connection that begins a session of its own is shown what its control connection was shown."""
    place.put("a")
    for name, host in [("two.example", None), (None, "two.example")]:
        control = Control(place.address)
        if host:
            control.expect("HOST " + host, 220)
        control.auth(context(version), name)
        control.login()
        link = control.passive()
        control.expect("RETR a", 150)
        link = control.wrap(link, None)
        assert link.getpeercert(binary_form=True) == named(place, "two")
        assert everything(link) == DATA
        end(link)
        control.hear(226)


def renewed(place):
    """The files are replaced, and SIGHUP: new sessions are shown the new one, and those that are there go on, with the
    transfer that runs and with those to come."""
    place.put("large", LARGE)
    place.put("a")
    server = int(place.more[1])
    old = [enter(place.address, version, user="alice") for version in VERSIONS]
    assert all(control.sock.getpeercert(binary_form=True) == named(place, "used") for control in old)
    before = named(place, "used")
    links = [control.begin("RETR large") for control in old]
    got = [link.recv(1000) for link in links]
    for new, used in zip(pair(place, "two"), pair(place, "used")):
        os.replace(new, used)
    os.kill(server, signal.SIGHUP)
    begun = time.monotonic()
    while (now := shown(place, None)) == before:
        assert time.monotonic() - begun < 30
    assert now == named(place, "used")
    for control, link, first in zip(old, links, got):
        assert first + everything(link) == LARGE
        end(link)
        control.hear(226)
        assert control.fetch("RETR a") == DATA
        assert control.store("STOR b", DATA)[0] == 226
        assert place.holds("b") == DATA
    for control in old:
        new = enter(place.address, user="alice", made=control.context)
        assert new.fetch("RETR a") == DATA
        # Old and new sessions of one login are siblings still.
        assert new.fetch("RETR a", control.sock.session) == DATA
        assert control.fetch("RETR a", new.sock.session) == DATA


def is_shown(place):
    for version in VERSIONS:
        assert shown(place, version) == named(place, "used")
    control = enter(place.address, user="alice")
    place.put("a")
    assert control.fetch("RETR a") == DATA


def secured(place, version, who):
    control = Control(place.address)
    control.auth(context(version, shown=pair(place, who) if who else None))
    return control


def known_clients(place, version):
    """anna's certificate is enough; rob's is wanted besides his password; carol's by the name that an authority vouches for."""
    place.put("a")
    for user, who in [("anna", "anna"), ("carol", "carol")]:
        control = secured(place, version, who)
        control.expect("USER " + user, 232)
        control.private()
        assert control.fetch("RETR a") == DATA
        assert control.store("STOR b", DATA)[0] == 226
    # Somebody else's certificate, one that nobody knows, and none: no account without it, and no password instead.
    for who in ["rob", "carol", "stranger", None]:
        control = secured(place, version, who)
        control.expect("USER anna", 331)
        control.expect("PASS secret", 530)
    for who in ["anna", "dave", "false-carol", None]:
        control = secured(place, version, who)
        control.expect("USER carol", 331)
        control.expect("PASS secret", 530)
    for who in ["anna", "stranger", None]:
        control = secured(place, version, who)
        control.expect("USER rob", 331)
        control.expect("PASS secret", 530)
    control = secured(place, version, "rob")
    control.expect("USER rob", 331)
    control.expect("PASS wrong", 530)
    control.expect("USER rob", 331)
    control.expect("PASS secret", 230)
    control.private()
    assert control.fetch("RETR a") == DATA
    # Without TLS there is no certificate.
    for user in ["anna", "rob"]:
        control = Control(place.address)
        control.expect("USER " + user, 331)
        control.expect("PASS secret", 530)
    # Who needs none comes in with any.
    for who in ["anna", "stranger", None]:
        control = secured(place, version, who)
        control.login("erin")
        assert control.fetch("RETR a") == DATA


def required(place, version):
    """Nobody without a certificate that is known gets as far as USER."""
    place.put("a")
    for who in ["stranger", "false-carol", None]:
        # Under TLS 1.3 the client's handshake is over before the server has judged it.
        try:
            control = secured(place, version, who)
            control.say("USER erin")
            said = control.sock.recv(1024)
        except (ssl.SSLError, ConnectionError):
            said = b""
        assert said == b"", said
    for who in ["anna", "rob", "carol", "dave"]:
        control = secured(place, version, who)
        control.login("erin")
        assert control.fetch("RETR a") == DATA
        assert control.store("STOR b", DATA)[0] == 226


run({
    check.__name__: check
    for check in [
        by_name,
        unknown_names,
        only_our_names,
        data_by_name,
        renewed,
        is_shown,
        known_clients,
        required,
    ]
})
