"""Just enough of a mail server: it takes a mail, asks for a password, and speaks TLS.

Belongs here: the server, and a certificate for it. Does not belong here: any expectation.
"""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

ADDRESS = "127.0.0.1"


class MailServer(socketserver.ThreadingTCPServer):
    """Takes a mail, or turns it away with the code that it was told.

    Attributes:
        codes: answers to the next senders instead of yes.
        mails: what was sent, headers and all.
        words: the first word of every line that is no mail.
        encrypted: of each mail, whether it came encrypted.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(
        self,
        tls: Literal["none", "starttls", "tls"] = "none",
        context: ssl.SSLContext | None = None,
        account: tuple[str, str] | None = None,
    ) -> None:
        super().__init__((ADDRESS, 0), _Smtp)
        self.tls, self.context, self.account = tls, context, account
        self.codes: list[int] = []
        self.mails: list[str] = []
        self.words: list[str] = []
        self.encrypted: list[bool] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away because of the certificate is what some tests are about."""


class _Smtp(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        if self.server.tls == "tls":
            self._encrypt()
        signed_in = self.server.account is None
        self._say("220 ready")
        while line := self.rfile.readline():
            word, *rest = line.decode().split() or [""]
            self.server.words.append(word.upper())
            match word.upper():
                case "EHLO":
                    self._greet()
                case "STARTTLS":
                    self._say("220 go on")
                    self._encrypt()
                case "AUTH":
                    signed_in = _plain(rest[-1]) == self.server.account
                    self._say("235 you are" if signed_in else "535 you are not")
                case "MAIL" if not signed_in:
                    self._say("530 who are you")
                case "MAIL" if self.server.codes:
                    self._say(f"{self.server.codes.pop(0)} not now")
                case "DATA":
                    self._take()
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 ok")

    def _greet(self) -> None:
        plain = not isinstance(self.connection, ssl.SSLSocket)
        offered = ["STARTTLS"] if self.server.tls == "starttls" and plain else []
        offered += ["AUTH PLAIN"] if self.server.account else []
        lines = ["here", *offered]
        for text in lines[:-1]:
            self._say(f"250-{text}")
        self._say(f"250 {lines[-1]}")

    def _take(self) -> None:
        self._say("354 go on")
        lines = []
        while (text := self.rfile.readline()) != b".\r\n":
            lines.append(text.decode())
        self.server.mails.append("".join(lines))
        self.server.encrypted.append(isinstance(self.connection, ssl.SSLSocket))
        self._say("250 taken")

    def _encrypt(self) -> None:
        assert self.server.context is not None, "a server that encrypts has a certificate"
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


def _plain(told: str) -> tuple[str, str]:
    _, user, password = base64.b64decode(told).decode().split("\0")
    return user, password


@contextmanager
def serving(server: MailServer) -> Iterator[MailServer]:
    """Let a server answer for as long as the block lasts."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def certificate(folder: Path) -> Path:
    """A certificate of its own making for this machine, with its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail server of a test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(ADDRESS))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path
