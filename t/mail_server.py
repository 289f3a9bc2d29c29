"""A mail server for tests: what it takes becomes a file in FOLDER/mailbox.

usage: mail_server.py ADDRESS PORT FOLDER

Recipients decide: refused* gets 550 at RCPT, spam* 554 after DATA, busy* 451 after DATA as long as FOLDER/busy is
there. With FOLDER/no-sender it takes nothing from anybody. With FOLDER/die there it dies, once, when a message is about to be sent.
"""
import asyncio
import os
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP


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
        envelope.rcpt_tos.append(address)
        return '250 OK'

    async def handle_DATA(self, server, session, envelope):
        recipient = envelope.rcpt_tos[0]
        if recipient.startswith('spam'):
            return '554 5.7.1 not this one'
        if recipient.startswith('busy') and (self.folder / 'busy').exists():
            return '451 4.3.0 later'
        self.count += 1
        envelope_lines = f'X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {",".join(envelope.rcpt_tos)}\r\n'
        part = self.folder / 'part'
        part.write_bytes(envelope_lines.encode() + envelope.original_content)
        part.rename(self.folder / 'mailbox' / f'{self.count:06}')
        return '250 OK'


class Server(SMTP):
    async def smtp_DATA(self, arg):
        order = self.event_handler.folder / 'die'
        if order.exists():
            order.unlink()
            os._exit(1)
        await super().smtp_DATA(arg)


async def main():
    address, port, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    server = await asyncio.get_running_loop().create_server(
        lambda: Server(Handler(folder), enable_SMTPUTF8=False, hostname='mail.test'), address, port)
    async with server:
        await server.serve_forever()


asyncio.run(main())
