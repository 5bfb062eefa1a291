# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The certificates of a lab: a certificate authority of its own, and a server certificate it signed."""

from __future__ import annotations

import datetime
import ipaddress
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_DAYS = 30


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: str, issuer: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _write(path: Path, data: bytes) -> None:
    # Keys are this process's own business, whatever the umask says.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(data)


class Authority:
    """A certificate authority, as every installation of Proxmox VE makes one."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = "Lab PVE certificate authority"
        self.certificate = (
            _builder(self._name, self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(
                x509.KeyUsage(False, False, False, False, False, True, True, False, False),
                critical=True,
            )
            .sign(self._key, hashes.SHA256())
        )

    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, directory: Path, *hosts: str) -> tuple[Path, Path, str]:
        """Write server.pem and server.key for the addresses `hosts`; their paths, and the certificate's fingerprint."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        others = [host for host in hosts if host not in ("localhost", "127.0.0.1")]
        names += [x509.IPAddress(ipaddress.ip_address(host)) for host in others]
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        server = (
            _builder("lab", self._name, key.public_key())
            .add_extension(signer, critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        certificate, private = directory / "server.pem", directory / "server.key"
        pem = serialization.Encoding.PEM
        _write(certificate, server.public_bytes(pem))
        _write(
            private,
            key.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()),
        )
        return certificate, private, server.fingerprint(hashes.SHA256()).hex(":").upper()


def make_certificates(directory: Path, *hosts: str) -> tuple[Path, Path, Path]:
    """Write ca.pem, server.pem and server.key for the addresses `hosts`; returns their paths in that order."""
    authority = Authority()
    _write(directory / "ca.pem", authority.pem())
    certificate, private, _fingerprint = authority.issue(directory, *hosts)
    return directory / "ca.pem", certificate, private
