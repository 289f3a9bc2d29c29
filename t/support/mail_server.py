"""A mail server for tests: what it takes becomes a file in FOLDER/mailbox.

usage: mail_server.py ADDRESS PORT FOLDER [--tls CERTIFICATE | --starttls CERTIFICATE] [--login NAME:PASSWORD]

CERTIFICATE: a file with certificate and key. With --login nothing is taken from who didn't log in. What was used is in
headers: X-Login, X-TLS.

Recipients decide: refused* gets 550 at RCPT, tardy* its 250 there after 1.5 seconds, spam* 554 after DATA, busy* 451 after
DATA as long as FOLDER/busy is there. With FOLDER/no-sender it takes nothing from anybody. With FOLDER/die there it dies,
once, when a message is about to be sent. With FOLDER/slow there each answer takes as many seconds as that file says.
FOLDER/at-greeting, at-EHLO, at-MAIL, at-RCPT and at-DATA hold the answer that everybody gets there. FOLDER/greeting holds
how many seconds the greeting takes, and, if anything, the line that comes before. With --full-names RCPT is refused to who
says EHLO with a bare name, as Postfix does it. The name in EHLO is in X-EHLO.
"""
import argparse
import asyncio
import os
import ssl
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult


GREETING = '220 mail.test Python SMTP'


class Handler:
    def __init__(self, folder, full_names):
        self.folder = folder
        self.full_names = full_names
        self.count = len(os.listdir(folder / 'mailbox'))

    def answer_at(self, place):
        order = self.folder / f'at-{place}'
        return order.read_text() if order.exists() else None

    async def handle_MAIL(self, server, session, envelope, address, options):
        if answer := self.answer_at('MAIL'):
            return answer
        if (self.folder / 'no-sender').exists():
            return '553 5.7.1 not from you'
        envelope.mail_from = address
        return '250 OK'

    async def handle_RCPT(self, server, session, envelope, address, options):
        if answer := self.answer_at('RCPT'):
            return answer
        name = session.host_name
        if self.full_names and '.' not in name and not name.startswith('['):
            return f'504 5.5.2 <{name}>: Helo command rejected: need fully-qualified hostname'
        if address.startswith('refused'):
            return '550 5.1.1 no such mailbox'
        if address.startswith('tardy'):
            await asyncio.sleep(1.5)
        envelope.rcpt_tos.append(address)
        return '250 OK'

    async def handle_DATA(self, server, session, envelope):
        if answer := self.answer_at('DATA'):
            return answer
        recipient = envelope.rcpt_tos[0]
        if recipient.startswith('spam'):
            return '554 5.7.1 not this one'
        if recipient.startswith('busy') and (self.folder / 'busy').exists():
            return '451 4.3.0 later'
        self.count += 1
        headers = {'X-Envelope-From': envelope.mail_from, 'X-Envelope-To': ','.join(envelope.rcpt_tos)}
        headers['X-EHLO'] = session.host_name
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
        if status == GREETING and not await self.greets():
            return
        await super().push(status)

    async def greets(self):
        """Nothing else begins with the greeting's words."""
        if answer := self.event_handler.answer_at('greeting'):
            await super().push(answer)
            self.transport.close()
            return False
        pause = self.event_handler.folder / 'greeting'
        if pause.exists():
            seconds, _, line = pause.read_text().partition(' ')
            if line:
                await super().push(line)
            await asyncio.sleep(float(seconds))
        return True

    async def smtp_EHLO(self, hostname):
        if answer := self.event_handler.answer_at('EHLO'):
            return await self.push(answer)
        await super().smtp_EHLO(hostname)

    async def smtp_HELO(self, hostname):
        if answer := self.event_handler.answer_at('EHLO'):
            return await self.push(answer)
        await super().smtp_HELO(hostname)

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
    parser.add_argument('--full-names', action='store_true')
    given = parser.parse_args()
    options = {'enable_SMTPUTF8': False, 'hostname': 'mail.test', 'ident': 'Python SMTP'}
    if given.starttls:
        options |= {'tls_context': context_of(given.starttls), 'require_starttls': True}
    if given.login:
        options |= {'authenticator': check_of(given.login), 'auth_required': True, 'auth_require_tls': False}

    server = await asyncio.get_running_loop().create_server(
        lambda: Server(Handler(given.folder, given.full_names), **options),
        given.address,
        given.port,
        ssl=context_of(given.tls) if given.tls else None,
    )
    async with server:
        await server.serve_forever()


asyncio.run(main())
