# SPDX-License-Identifier: Apache-2.0
"""Certificates of clients and servers, made with the openssl command: a program that is not ours."""
import hashlib
import ssl
import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)


class Certificate:
    """Files NAME.crt and NAME.key in a folder; signed by `issuer`, or by itself."""

    def __init__(self, folder, name, issuer=None, common_name=None, extensions=(), kind="ec", days=2):
        folder.mkdir(exist_ok=True)
        self.common_name = common_name or name
        self.path = folder / f"{name}.crt"
        self.key_path = folder / f"{name}.key"
        config = folder / f"{name}.cnf"
        config.write_text("[req]\ndistinguished_name = dn\n[dn]\n[ext]\n" + "\n".join(extensions) + "\n")
        new_key = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["-newkey", "rsa:2048"]}[kind]
        request = folder / f"{name}.csr"
        openssl("req", "-new", *new_key, "-nodes", "-keyout", self.key_path, "-out", request, "-subj", f"/CN={self.common_name}",
                "-config", config)
        signing = ["-CA", issuer.path, "-CAkey", issuer.key_path, "-CAcreateserial"] if issuer else ["-signkey", self.key_path]
        openssl("x509", "-req", "-in", request, *signing, "-out", self.path, "-days", days, "-extfile", config, "-extensions", "ext")

    @property
    def pem(self):
        return self.path.read_text()

    @property
    def fingerprint(self):
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.pem)).hexdigest()

    @property
    def known(self):
        """Its line in a list of known clients."""
        return f"{self.common_name} {self.fingerprint}\n"


def authority(folder, name):
    return Certificate(folder, name, extensions=["basicConstraints = critical, CA:TRUE", "keyUsage = critical, keyCertSign, cRLSign"])


def client(folder, name, issuer=None, **options):
    return Certificate(folder, name, issuer, extensions=["basicConstraints = CA:FALSE", "extendedKeyUsage = clientAuth"], **options)


def server(folder, name, issuer=None, names=("DNS:localhost", "IP:127.0.0.1"), **options):
    return Certificate(folder, name, issuer, extensions=["basicConstraints = CA:FALSE", f"subjectAltName = {', '.join(names)}"], **options)
