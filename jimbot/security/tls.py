"""TLS for what other machines reach: modern settings alone, and a certificate that may be renewed.

A renewed pair of files is taken for the connections that come; those that are there go on.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtensionOID, NameOID

from jimbot.appliance.home import Home
from jimbot.appliance.security import Security
from jimbot.security import secrets
from jimbot.security.errors import CertificateError, SecretError

_log = logging.getLogger(__name__)

# Of TLS 1.2, where it is allowed: forward secrecy and authenticated encryption.
_SUITES: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True)
class Certificate:
    """What people want to know of a certificate."""

    path: Path
    subject: str
    issuer: str
    names: tuple[str, ...]
    begins: datetime
    ends: datetime
    sha256: str

    @property
    def days_left(self) -> float:
        return (self.ends - datetime.now(UTC)).total_seconds() / 86_400


def describe(path: Path) -> Certificate:
    """The first certificate of a PEM file.

    Raises:
        CertificateError: there is none.
    """
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())[0]
    except OSError as error:
        raise CertificateError(
            f"cannot read the certificate {path}: {error.strerror}",
            hint="Name it in [security.tls], or make one: jimbot certs init",
        ) from error
    except (ValueError, IndexError) as error:
        raise CertificateError(f"{path} holds no certificate in PEM", hint="Replace it") from error
    names: tuple[str, ...] = ()
    try:
        extension = found.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    except (x509.ExtensionNotFound, ValueError):
        pass
    else:
        assert isinstance(extension.value, x509.SubjectAlternativeName)
        names = tuple(str(name.value) for name in extension.value)
    return Certificate(
        path,
        _name(found.subject),
        _name(found.issuer),
        names,
        found.not_valid_before_utc,
        found.not_valid_after_utc,
        found.fingerprint(hashes.SHA256()).hex(),
    )


def server_context(certificate: Path, key: Path, minimum: str = "1.3") -> ssl.SSLContext:
    """A context for a server.

    Raises:
        CertificateError: the files do not hold a certificate and its key.
        SecretError: others may read the key.
    """
    described = describe(certificate)
    secrets.check(key)
    context = _bare(minimum)
    try:
        # Without a password there is no prompt at a terminal for an encrypted key.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ssl.SSLError) as error:
        raise CertificateError(
            f"{key} is not the key of {certificate}", hint="Put a matching pair there"
        ) from error
    if described.days_left <= 0:
        _log.error("the certificate %s ended on %s", certificate, described.ends.date())
    return context


class Renewing:
    """The context of a certificate that is looked at again from time to time.

    Raises:
        CertificateError, SecretError: at first the files must hold; later ones that do not are
            logged, and the certificate before is kept.
    """

    def __init__(self, security: Security, home: Home) -> None:
        certificate, key = security.certificate(home), security.key(home)
        if certificate is None or key is None:
            raise CertificateError(
                "there is no place for a certificate here",
                hint="Name one in [security.tls], or make one: jimbot certs init",
            )
        self._certificate, self._key = certificate, key
        self._minimum = security.tls.minimum
        self._look_s = security.tls.look_s
        self._seen = self._stamps()
        self._current = server_context(certificate, key, self._minimum)
        self.context = server_context(certificate, key, self._minimum)
        """What a server is given; each handshake goes on with the newest certificate."""
        self.context.sni_callback = self._choose

    def look(self) -> bool:
        """Take a pair of files that has changed; whether it has been."""
        seen = self._stamps()
        if seen == self._seen:
            return False
        try:
            self._current = server_context(self._certificate, self._key, self._minimum)
        except (CertificateError, SecretError) as error:
            _log.error("the certificate before is kept: %s", error)
            return False
        self._seen = seen
        ends = describe(self._certificate).ends.isoformat()
        _log.info("took a renewed certificate", extra={"fields": {"ends": ends}})
        return True

    async def follow(self) -> None:
        """Look, for ever."""
        while True:
            await asyncio.sleep(self._look_s)
            await asyncio.to_thread(self.look)

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        connection.context = self._current

    def _stamps(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_stamp(path) for path in (self._certificate, self._key))


def _bare(minimum: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[minimum]
    context.set_ciphers(_SUITES)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    return context


def _name(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(common[0].value) if common else name.rfc4514_string()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
