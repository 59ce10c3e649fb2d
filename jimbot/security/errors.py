"""The errors of this room.

::

    SecurityError
    ├── AuditError         the audit log cannot be written or read
    ├── SecretError        a file of secrets is missing, or others may read it
    ├── TokenError         tokens, or the file that keeps them
    └── CertificateError   certificates and keys
"""

from __future__ import annotations

from jimbot.errors import JimbotError


class SecurityError(JimbotError):
    """Something that would be unsafe to go on with."""


class AuditError(SecurityError):
    """The audit log cannot be written or read."""


class SecretError(SecurityError):
    """A file of secrets cannot be used, or should not be."""


class TokenError(SecurityError):
    """A token, or the file that keeps the tokens, does not hold."""


class CertificateError(SecurityError):
    """A certificate or its key cannot be used."""
