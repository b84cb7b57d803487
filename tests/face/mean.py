"""A server with TLS that means no good, or is broken in one way: MANNER CERT KEY [CERT2 KEY2]. It prints its port, and serves
sessions one after the other."""

import socket
import ssl
import sys
import threading

MANNER = sys.argv[1]
FILE = bytes(range(256)) * 1000


def context(cert, key):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(cert, key)
    if MANNER == "old":
        made.minimum_version = ssl.TLSVersion.TLSv1
        made.maximum_version = ssl.TLSVersion.TLSv1_1
        made.set_ciphers("ALL:@SECLEVEL=0")
    return made


def carry(listener, context):
    """The file over one data connection, ended as the manner has it."""
    link, _ = listener.accept()
    listener.close()
    if MANNER == "silent-data":
        link.recv(65536)
        # It hears, and says nothing, until the client gives up.
        while link.recv(65536):
            pass
        return
    if context:
        link = context.wrap_socket(link, server_side=True)
    link.sendall(FILE[:1000] if MANNER == "cut" else FILE)
    if MANNER in ("cut", "unended"):
        # The connection ends, and TLS does not.
        raw = socket.socket(fileno=link.detach())
        raw.shutdown(socket.SHUT_WR)
        while raw.recv(65536):
            pass
        raw.close()
    else:
        try:
            link.unwrap() if context else link.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        link.close()


def session(link):
    secure = context(*sys.argv[2:4])
    data = context(*sys.argv[4:6]) if len(sys.argv) > 5 else secure
    private = None
    listener = None
    say = lambda text: link.sendall(text.encode() + b"\r\n")
    say("220 hello")
    lines = b""
    while True:
        while b"\r\n" not in lines:
            more = link.recv(4096)
            if not more:
                return
            lines += more
        line, lines = lines.split(b"\r\n", 1)
        verb = line.split(b" ")[0].decode().upper()
        if verb == "AUTH":
            if MANNER == "hangs-up":
                return link.close()
            if MANNER == "swallows":
                continue
            if MANNER == "injects":
                say("234 go on\r\n331 already known")
            else:
                say("234 go on")
            if MANNER == "babbles":
                link.recv(4096)
                say("this is no TLS at all, however long it is looked at")
                return link.close()
            if MANNER in ("stubborn", "mute"):
                # What it would answer is swallowed: where segments are large, or in any case.
                if MANNER == "mute" or link.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) > 1300:
                    while link.recv(65536):
                        pass
                    return
            link = secure.wrap_socket(link, server_side=True)
            say = lambda text: link.sendall(text.encode() + b"\r\n")
        elif verb == "USER":
            say("331 password")
        elif verb == "PASS":
            say("230 in")
        elif verb == "PROT":
            if MANNER == "clear-data":
                say("536 not here")
            else:
                private = data
                say("200 ok")
        elif verb == "EPSV":
            listener = socket.create_server(("127.0.0.1", 0))
            say("229 ok (|||%d|)" % listener.getsockname()[1])
        elif verb == "SIZE":
            say("213 %d" % len(FILE))
        elif verb == "RETR":
            say("150 here")
            try:
                carry(listener, private)
                say("226 done")
            except OSError as fault:
                say("426 broken")
        elif verb == "QUIT":
            say("221 bye")
            return link.close()
        elif verb in ("TYPE", "PBSZ", "OPTS"):
            say("200 ok")
        else:
            say("502 what?")


def serve(link):
    try:
        session(link)
    except OSError:
        pass


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    link, _ = listener.accept()
    threading.Thread(target=serve, args=(link,), daemon=True).start()
