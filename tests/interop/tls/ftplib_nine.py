"""Python's ftplib over TLS. Called as: ftplib_nine.py HOST PORT USER PASSWORD AUTHORITY VERSION BEGINS MODE MOVE...

MOVE is r:NAME or s:NAME, to fetch or to store a file of the folder in which this runs. What fails raises; at the end it
prints "ok".
"""

import ftplib
import ssl
import sys

HOST, PORT, USER, PASSWORD, AUTHORITY, VERSION, BEGINS, MODE, *MOVES = sys.argv[1:]


class Resuming(ftplib.FTP_TLS):
    """What everybody who has met such a server has written: data connections resume the control connection's session."""

    def ntransfercmd(self, cmd, rest=None):
        conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        if self._prot_p:
            conn = self.context.wrap_socket(conn, server_hostname=self.host, session=self.sock.session)
            assert conn.session_reused
        return conn, size


class Implicit(Resuming):
    """TLS from the first byte, likewise."""

    @property
    def sock(self):
        return self._sock

    @sock.setter
    def sock(self, value):
        if value is not None and not isinstance(value, ssl.SSLSocket):
            value = self.context.wrap_socket(value, server_hostname=self.host)
        self._sock = value


context = ssl.create_default_context(cafile=AUTHORITY)
context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, "TLSv" + VERSION.replace(".", "_"))
ftp = (Implicit if BEGINS == "implicit" else Resuming)(context=context, timeout=20)
ftp.connect(HOST, int(PORT))
ftp.login(USER, PASSWORD)
ftp.prot_p()
ftp.set_pasv(MODE == "passive")
names = []
ftp.retrlines("NLST", names.append)
assert "r0.bin" in names, names
for move in MOVES:
    way, name = move.split(":")
    if way == "r":
        with open(name, "wb") as file:
            assert ftp.retrbinary("RETR " + name, file.write).startswith("226")
    else:
        with open(name, "rb") as file:
            assert ftp.storbinary("STOR " + name, file).startswith("226")
assert dict(ftp.mlsd(facts=["size"]))["s0.bin"]["size"] == "300001"
ftp.quit()
print("ok")
