"""Certificates for the rehearsal and the tests: an authority of their own, and servers that it signs for."""

import ipaddress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certified:
    """A certificate and its key, both in PEM."""

    certificate: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class Authority(Certified):
    """Who signs for others."""

    def sign_for(self, host: str) -> Certified:
        """A server that is known by this name or IP address, and by no other."""
        alternative = x509.SubjectAlternativeName([_alternative(host)])
        key = ec.generate_private_key(ec.SECP256R1())
        signer = serialization.load_pem_private_key(self.key.encode(), None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        issuer = x509.load_pem_x509_certificate(self.certificate.encode()).subject
        builder = _builder("server", issuer, key, timedelta(days=2)).add_extension(alternative, critical=False)
        return Certified(_pem(builder.sign(signer, hashes.SHA256())), _key_pem(key))


def authority(*, is_authority: bool = True, lifetime: timedelta = timedelta(days=2)) -> Authority:
    """One that signed itself; a negative lifetime ended that long ago."""
    key = ec.generate_private_key(ec.SECP256R1())
    constraints = x509.BasicConstraints(ca=is_authority, path_length=None)
    builder = _builder("authority", _name("authority"), key, lifetime).add_extension(constraints, critical=True)
    return Authority(_pem(builder.sign(key, hashes.SHA256())), _key_pem(key))


def _builder(
    subject: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, lifetime: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + lifetime)
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()
