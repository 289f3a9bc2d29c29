"""The daemon's settings, as far as they matter here. YAML is read by the commands in C++, as nginx reads it."""
import json
from dataclasses import dataclass
from typing import Optional

from .screen import Failure
from .system import run


@dataclass(frozen=True)
class RestApi:
    address: str  # "": every one
    port: int
    certificate: Optional[str] = None
    private_key: Optional[str] = None

    @classmethod
    def read(cls, places):
        if not places.config.exists():
            raise Failure(
                f'{places.config} is missing: neither the package wazo-auth nor "wazo-auth-nginx setup" has been here.'
            )
        done = run(places.program('wait'), '--print', '--config-file', places.config)
        if done.returncode:
            raise Failure(f'The settings can\'t be read:\n{done.stderr.strip()}')
        found = json.loads(done.stdout)
        address = found['listen'] or ''
        return cls(
            '' if address in ('0.0.0.0', '::', '*') else address,
            found['port'],
            found['certificate'] or None,
            found['private_key'] or None,
        )

    @property
    def tls(self):
        return bool(self.certificate and self.private_key)

    @property
    def reached_at(self):
        return self.address or '127.0.0.1'

    def __str__(self):
        return f'{self.address or "*"}:{self.port}' + (' with TLS' if self.tls else '')

    def directives(self):
        lines = [f'    listen {self.address + ":" if self.address else ""}{self.port}{" ssl" if self.tls else ""};']
        if self.tls:
            lines += [f'    ssl_certificate {self.certificate};', f'    ssl_certificate_key {self.private_key};']
        return '\n'.join(lines)
