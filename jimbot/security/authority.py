"""A private certificate authority, for games on other machines of the same owner."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from jimbot.files import write_whole
from jimbot.security import secrets
from jimbot.security.errors import CertificateError

CA_DAYS: Final = 3650
# Browsers and systems distrust longer ones.
SERVER_DAYS: Final = 397


class Files(NamedTuple):
    """Where an authority keeps what; `ca` alone is for others."""

    ca: Path
    ca_key: Path
    server: Path
    server_key: Path

    @classmethod
    def of(cls, folder: Path) -> Files:
        return cls(
            folder / "ca.pem",
            folder / "ca-key.pem",
            folder / "server.pem",
            folder / "server-key.pem",
        )


def default_names() -> list[str]:
    """What this machine is called."""
    host = socket.gethostname()
    return list(dict.fromkeys([host, f"{host.partition('.')[0]}.local", "localhost", "127.0.0.1"]))


def init(folder: Path, names: Sequence[str], days: int = SERVER_DAYS) -> Files:
    """Make an authority and a server's certificate by it; what was there is replaced.

    Raises:
        CertificateError: a name cannot be in a certificate, or the files cannot be written.
    """
    files = Files.of(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "JimBot private CA")])
    identity = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    authority = (
        _builder(name, name, key.public_key(), CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(certificates=True), critical=True)
        .add_extension(identity, critical=False)
        .sign(key, hashes.SHA256())
    )
    made = _server(authority, key, names, days)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    except OSError as error:
        raise CertificateError(
            f"cannot write into {folder}: {error.strerror}", hint="Make it writable"
        ) from error
    _write(files.ca_key, _pem_key(key), 0o600)
    _write(files.ca, _pem(authority), 0o644)
    _write_server(files, authority, *made)
    return files


def renew(folder: Path, names: Sequence[str], days: int = SERVER_DAYS) -> Files:
    """Make a new certificate, with a new key, for the server by the authority that there is.

    Raises:
        CertificateError: there is no authority here, or as `init`.
        SecretError: others may read its key.
    """
    files = Files.of(folder)
    if not (files.ca.exists() and files.ca_key.exists()):
        raise CertificateError(
            f"there is no authority in {folder}", hint="Make one: jimbot certs init"
        )
    try:
        authority = x509.load_pem_x509_certificate(files.ca.read_bytes())
        key = serialization.load_pem_private_key(secrets.read_bytes(files.ca_key), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise CertificateError(f"{files.ca} or its key is damaged", hint="Restore them") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError(f"{files.ca_key} is not a key of ours", hint="Restore it")
    _write_server(files, authority, *_server(authority, key, names, days))
    return files


def _server(
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    names: Sequence[str],
    days: int,
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    known = [_general_name(name) for name in names]
    if not known:
        raise CertificateError("a server's certificate needs a name", hint="Give --name")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    public = authority_key.public_key()
    issued = (
        _builder(name, authority.subject, key.public_key(), days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(known), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return issued, key


def _write_server(
    files: Files,
    authority: x509.Certificate,
    issued: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
) -> None:
    # The key first: a server that looks in between finds a pair that does not match, and waits.
    _write(files.server_key, _pem_key(key), 0o600)
    _write(files.server, _pem(issued) + _pem(authority), 0o644)


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # for clocks that are behind
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name.encode("idna").decode("ascii") if not name.isascii() else name)
    except (ValueError, UnicodeError) as error:
        raise CertificateError(
            f"{name!r:.80} cannot be in a certificate", hint="Give host names and addresses"
        ) from error


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    try:
        write_whole(path, data, mode=mode)
    except OSError as error:
        raise CertificateError(
            f"cannot write {path}: {error.strerror}", hint="Make its directory writable"
        ) from error
