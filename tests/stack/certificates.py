"""Certificate authorities of the tests' own, and what they sign."""

import dataclasses
import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclasses.dataclass
class Issued:
    """PEM files of a certificate and of its key."""

    cert: pathlib.Path
    key: pathlib.Path


class Authority:
    """An authority whose files lie in `folder`; `cert` is the file that who trusts it has."""

    def __init__(self, folder: pathlib.Path, name: str):
        self._folder, self._name = (
            folder,
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
        )
        self._key = ec.generate_private_key(ec.SECP256R1())
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        certificate = self._sign(self._name, self._key, [(constraints, True)])
        self.cert = self._write(f"{name}.pem", certificate.public_bytes(_PEM))

    def issue(self, name: str) -> Issued:
        """A certificate of a server on this machine and of a client, which may be either."""
        key = ec.generate_private_key(ec.SECP256R1())
        hosts = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = self._sign(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
            key,
            [(x509.SubjectAlternativeName(hosts), False), (x509.ExtendedKeyUsage(usage), False)],
        )
        pkcs8 = key.private_bytes(
            _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Issued(
            self._write(f"{name}.pem", certificate.public_bytes(_PEM)),
            self._write(f"{name}.key", pkcs8),
        )

    def _sign(self, subject, key, extensions) -> x509.Certificate:
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
        )
        for extension, is_critical in extensions:
            builder = builder.add_extension(extension, is_critical)
        return builder.sign(self._key, hashes.SHA256())

    def _write(self, name, content: bytes) -> pathlib.Path:
        file = self._folder / name.replace(" ", "_")
        file.write_bytes(content)
        return file


_PEM = serialization.Encoding.PEM
