"""What Python's ftplib does with our server. Called as: ftplib_checks.py CHECK HOST PORT USER PASSWORD ROOT

ROOT is the shared folder itself, so that a check can compare both sides. A check that fails raises; one that passes prints "ok".
"""

import ftplib
import io
import os
import sys

CHECK, HOST, PORT, USER, PASSWORD, ROOT = sys.argv[1:]
DATA = bytes(range(256)) * 1200
NAMES = ["two words.bin", "it's \"quoted\".bin", "Grüße 日本 😀.bin"]


def login(passive=True, encoding="utf-8"):
    ftp = ftplib.FTP(encoding=encoding, timeout=20)
    ftp.connect(HOST, int(PORT))
    ftp.login(USER, PASSWORD)
    ftp.set_pasv(passive)
    return ftp


def get(ftp, name, rest=None):
    got = bytearray()
    assert ftp.retrbinary("RETR " + name, got.extend, rest=rest).startswith("226")
    return bytes(got)


def put(ftp, name, data, rest=None, verb="STOR"):
    assert ftp.storbinary(verb + " " + name, io.BytesIO(data), rest=rest).startswith("226")


def refused(code, call, *args):
    try:
        call(*args)
    except ftplib.Error as error:
        assert str(error).startswith(code), error
    else:
        raise AssertionError("not refused: " + repr(args))


def disk(name):
    with open(os.path.join(ROOT, name), "rb") as file:
        return file.read()


def lists(ftp):
    ftp.mkd("folder")
    put(ftp, "one.bin", DATA)
    put(ftp, "folder/two.bin", b"2")
    lines = []
    ftp.retrlines("LIST", lines.append)
    assert len(lines) == 2 and any(line.endswith(" one.bin") and str(len(DATA)) in line for line in lines), lines
    assert sorted(ftp.nlst()) == ["folder", "one.bin"], ftp.nlst()
    assert [os.path.basename(name) for name in ftp.nlst("folder")] == ["two.bin"], ftp.nlst("folder")
    facts = dict(ftp.mlsd(facts=["type", "size", "modify"]))
    assert facts["one.bin"]["type"] == "file" and facts["one.bin"]["size"] == str(len(DATA)), facts
    assert facts["folder"]["type"] == "dir", facts
    assert [name for name, facts in ftp.mlsd("folder") if facts["type"] == "file"] == ["two.bin"]
    ftp.voidcmd("TYPE I")  # under TYPE A a size is not known before the transfer
    assert ftp.size("one.bin") == len(DATA)
    ftp.cwd("folder")
    assert ftp.pwd() == "/folder", ftp.pwd()
    ftp.cwd("..")
    assert ftp.pwd() == "/"


def moves(ftp):
    put(ftp, "a.bin", DATA)
    assert disk("a.bin") == DATA and get(ftp, "a.bin") == DATA
    assert get(ftp, "a.bin", rest=70001) == DATA[70001:]
    put(ftp, "a.bin", DATA[50003:], rest=50003)
    assert disk("a.bin") == DATA
    put(ftp, "a.bin", b"more", verb="APPE")
    assert disk("a.bin") == DATA + b"more"
    put(ftp, "a.bin", b"short")
    assert disk("a.bin") == b"short"
    put(ftp, "empty", b"")
    assert disk("empty") == b"" and get(ftp, "empty") == b""


def changes(ftp):
    put(ftp, "old.bin", DATA)
    assert ftp.mkd("made") == "/made"
    ftp.rename("old.bin", "made/new.bin")
    assert disk("made/new.bin") == DATA and not os.path.exists(os.path.join(ROOT, "old.bin"))
    refused("550", ftp.rmd, "made")
    ftp.delete("made/new.bin")
    ftp.rmd("made")
    assert os.listdir(ROOT) == []
    refused("550", ftp.delete, "nothing.bin")
    refused("550", ftp.cwd, "nothing")
    refused("550", ftp.rename, "nothing.bin", "b")
    refused("550", get, ftp, "nothing.bin")
    assert ftp.mkd('say "hello"') == '/say "hello"'
    ftp.cwd('say "hello"')
    assert ftp.pwd() == '/say "hello"'


def names(ftp):
    for name in NAMES:
        put(ftp, name, DATA)
        assert disk(name) == DATA and get(ftp, name) == DATA
        ftp.rename(name, "moved " + name)
        assert get(ftp, "moved " + name) == DATA
    assert sorted(ftp.nlst()) == sorted("moved " + name for name in NAMES), ftp.nlst()
    assert {name for name, facts in ftp.mlsd() if facts["type"] == "file"} == {"moved " + name for name in NAMES}


def lines(ftp):
    ftp.storlines("STOR text.txt", io.BytesIO(b"one\r\ntwo\r\n"))
    assert disk("text.txt") == b"one\ntwo\n", disk("text.txt")
    got = []
    ftp.retrlines("RETR text.txt", got.append)
    assert got == ["one", "two"], got


def latin1(ftp):
    # A name is bytes: what is not UTF-8 must come back as it went.
    name = "caf\xe9.bin"
    put(ftp, name, DATA)
    assert os.listdir(os.fsencode(ROOT)) == [b"caf\xe9.bin"], os.listdir(os.fsencode(ROOT))
    assert get(ftp, name) == DATA
    assert ftp.nlst() == [name], ftp.nlst()
    ftp.delete(name)
    assert os.listdir(ROOT) == []


def aborts(ftp):
    put(ftp, "a.bin", DATA * 40)
    link = ftp.transfercmd("RETR a.bin")
    link.recv(1000)
    reply = ftp.abort()
    assert reply[:3] in ("225", "226", "426"), reply
    link.close()
    # 426 for the transfer and 226 for the ABOR: ftplib has read one of them.
    if reply.startswith("426"):
        assert ftp.getmultiline().startswith("226")
    assert ftp.sendcmd("NOOP").startswith("200")
    assert get(ftp, "a.bin") == DATA * 40


def large(ftp):
    with open("got.bin", "wb") as file:
        assert ftp.retrbinary("RETR big.bin", file.write, blocksize=1 << 18).startswith("226")
    ftp.set_pasv(False)
    with open("large.bin", "rb") as file:
        assert ftp.storbinary("STOR up.bin", file, blocksize=1 << 18).startswith("226")


check, _, mode = CHECK.partition("-")
ftp = login(passive=mode != "active", encoding="latin-1" if check == "latin1" else "utf-8")
globals()[check](ftp)
assert ftp.quit().startswith("221")
print("ok")
