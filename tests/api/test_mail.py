"""Codes by mail: through a real SMTP server, and into the outbox."""

import asyncio
import email
import re
import stat
from email import policy

import pytest
from aiosmtpd.smtp import SMTP

from api.config import Mail
from api.mail import Mailer, MailFailed, is_address

CODE = re.compile(r"(?<![0-9])[0-9]{6}(?![0-9])")


class Box:
    """Keeps what the server is given."""

    def __init__(self, answer="250 OK"):
        self.envelopes = []
        self.answer = answer

    async def handle_DATA(self, server, session, envelope):
        self.envelopes.append(envelope)
        return self.answer


def with_server(box, work):
    """Runs `work(port)` while an SMTP server puts mails into the box."""
    async def run():
        server = await asyncio.get_running_loop().create_server(
            lambda: SMTP(box, hostname="localhost"), "127.0.0.1", 0)
        async with server:
            await work(server.sockets[0].getsockname()[1])
    asyncio.run(run())


def mailer(tmp_path, **settings):
    return Mailer(Mail(**settings), tmp_path)


def test_by_smtp(tmp_path):
    async def work(port):
        sender = mailer(tmp_path, mode="smtp", host="127.0.0.1", port=port,
                        sender="house@example.org")
        assert sender.takes("user@example.com")
        assert not sender.takes("user")
        await sender.send_code("user@example.com", "042137", 10)

    box = Box()
    with_server(box, work)
    envelope = box.envelopes[0]
    assert envelope.mail_from == "house@example.org"
    assert envelope.rcpt_tos == ["user@example.com"]
    assert CODE.findall(envelope.content.decode()) == ["042137"]
    message = email.message_from_bytes(envelope.content, policy=policy.default)
    assert message["To"] == "user@example.com"
    assert not (tmp_path / "outbox").exists()


def test_a_server_that_refuses(tmp_path):
    async def work(port):
        with pytest.raises(MailFailed, match="554"):
            sender = mailer(tmp_path, mode="smtp", host="127.0.0.1", port=port)
            await sender.send_code("user@example.com", "042137", 10)

    with_server(Box("554 no thanks"), work)


def test_a_password_never_goes_to_a_server_without_tls(tmp_path):
    async def work(port):
        # Not called localhost or 127.0.0.1, so it counts as another machine.
        sender = mailer(tmp_path, mode="smtp", host="127.1", port=port, user="u", password="secret")
        with pytest.raises(MailFailed, match="STARTTLS"):
            await sender.send_code("user@example.com", "042137", 10)

    with_server(Box(), work)


def test_no_server(tmp_path):
    async def work(port):
        nonlocal free_port
        free_port = port

    free_port = 0
    with_server(Box(), work)
    sender = mailer(tmp_path, mode="smtp", host="127.0.0.1", port=free_port)
    with pytest.raises(MailFailed):
        asyncio.run(sender.send_code("user@example.com", "042137", 10))


@pytest.mark.parametrize("username", ["alice", "alice@example.com", "Älice, \"the\" <miner>",
                                      "a@b, c@d", "矿工"])
def test_the_outbox_takes_any_name(tmp_path, username):
    sender = mailer(tmp_path)
    assert sender.takes(username)
    for code in ("000001", "999999"):
        asyncio.run(sender.send_code(username, code, 10))
    files = sorted((tmp_path / "outbox").iterdir())
    assert [path.suffix for path in files] == [".eml", ".eml"]
    assert [CODE.findall(path.read_text()) for path in files] == [["000001"], ["999999"]]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
    message = email.message_from_bytes(files[0].read_bytes(), policy=policy.default)
    assert len(message["To"].addresses) == 1
    address = message["To"].addresses[0]
    assert username in (address.addr_spec, address.display_name)


def test_an_outbox_that_cannot_be_written(tmp_path):
    (tmp_path / "outbox").write_text("a file")
    with pytest.raises(MailFailed):
        asyncio.run(mailer(tmp_path).send_code("alice", "123456", 10))


@pytest.mark.parametrize("text, good", [
    ("a@b", True), ("a.b+c@example.com", True), ("a@", False), ("@b", False), ("a b@c", False),
    ("a@b@c", False), ("a@b\n", False), ("ä@b", False), ("a@b, c@d", False), ("<a@b>", False),
])
def test_addresses(text, good):
    assert is_address(text) is good
