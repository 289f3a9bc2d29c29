"""A mail server for tests: what it takes becomes a file in FOLDER/mailbox.

usage: mail_server.py ADDRESS PORT FOLDER [--tls CERTIFICATE | --starttls CERTIFICATE] [--login NAME:PASSWORD]

CERTIFICATE: a file with certificate and key. With --login nothing is taken from who didn't log in. What was used is in
headers: X-Login, X-TLS.

Recipients decide: refused* gets 550 at RCPT, tardy* its 250 there after 1.5 seconds, spam* 554 after DATA, busy* 451 after
DATA as long as FOLDER/busy is there. With FOLDER/no-sender it takes nothing from anybody. With FOLDER/die there it dies,
once, when a message is about to be sent. With FOLDER/slow there each answer takes as many seconds as that file says.
"""
import argparse
import asyncio
import os
import ssl
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self, folder):
        self.folder = folder
        self.count = len(os.listdir(folder / 'mailbox'))

    async def handle_MAIL(self, server, session, envelope, address, options):
        if (self.folder / 'no-sender').exists():
            return '553 5.7.1 not from you'
        envelope.mail_from = address
        return '250 OK'

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith('refused'):
            return '550 5.1.1 no such mailbox'
        if address.startswith('tardy'):
            await asyncio.sleep(1.5)
        envelope.rcpt_tos.append(address)
        return '250 OK'

    async def handle_DATA(self, server, session, envelope):
        recipient = envelope.rcpt_tos[0]
        if recipient.startswith('spam'):
            return '554 5.7.1 not this one'
        if recipient.startswith('busy') and (self.folder / 'busy').exists():
            return '451 4.3.0 later'
        self.count += 1
        headers = {'X-Envelope-From': envelope.mail_from, 'X-Envelope-To': ','.join(envelope.rcpt_tos)}
        if session.auth_data:
            headers['X-Login'] = session.auth_data
        if cipher := server.transport.get_extra_info('cipher'):
            headers['X-TLS'] = cipher[1]
        lines = ''.join(f'{name}: {value}\r\n' for name, value in headers.items())
        part = self.folder / 'part'
        part.write_bytes(lines.encode() + envelope.original_content)
        part.rename(self.folder / 'mailbox' / f'{self.count:06}')
        return '250 OK'


class Server(SMTP):
    async def push(self, status):
        slow = self.event_handler.folder / 'slow'
        if slow.exists():
            await asyncio.sleep(float(slow.read_text()))
        await super().push(status)

    async def smtp_DATA(self, arg):
        order = self.event_handler.folder / 'die'
        if order.exists():
            order.unlink()
            os._exit(1)
        await super().smtp_DATA(arg)


def context_of(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def check_of(login):
    name, _, password = login.partition(':')

    def check(server, session, envelope, mechanism, data):
        right = (data.login, data.password) == (name.encode(), password.encode())
        return AuthResult(success=right, auth_data=name if right else None, handled=False)

    return check


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('address')
    parser.add_argument('port', type=int)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--tls')
    parser.add_argument('--starttls')
    parser.add_argument('--login')
    given = parser.parse_args()
    options = {'enable_SMTPUTF8': False, 'hostname': 'mail.test'}
    if given.starttls:
        options |= {'tls_context': context_of(given.starttls), 'require_starttls': True}
    if given.login:
        options |= {'authenticator': check_of(given.login), 'auth_required': True, 'auth_require_tls': False}

    server = await asyncio.get_running_loop().create_server(
        lambda: Server(Handler(given.folder), **options),
        given.address,
        given.port,
        ssl=context_of(given.tls) if given.tls else None,
    )
    async with server:
        await server.serve_forever()


asyncio.run(main())
