"""A mail server."""
import email
import email.policy

from .paths import CHECKOUT
from .ports import ADDRESS
from .process import Server
from .wait import wait_until


class MailServer(Server):
    """aiosmtpd over t/support/mail_server.py, which says how it can be made to misbehave."""

    name = 'mail'

    def __init__(self, folder, port, *options):
        super().__init__(folder)
        self.port = port
        self.options = options
        self.mailbox = self.folder / 'mailbox'

    def prepare(self):
        self.mailbox.mkdir(exist_ok=True)

    def argv(self):
        return [
            '/usr/bin/python3',
            CHECKOUT / 't/support/mail_server.py',
            ADDRESS,
            self.port,
            self.folder,
            *self.options,
        ]

    def order(self, name, given=True):
        """Misbehave like this from now on, or no longer."""
        order = self.folder / name
        order.write_text(str(given)) if given else order.unlink(missing_ok=True)

    def messages(self, recipient=None):
        """What came, oldest first, as email.message.EmailMessage; `recipient`: the envelope's."""
        found = [
            email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            for path in sorted(self.mailbox.iterdir())
        ]
        return [message for message in found if recipient in (None, message['X-Envelope-To'])]

    def wait_for(self, recipient, count=1, timeout=15):
        """The last of `count` messages to this recipient."""
        wait_until(lambda: len(self.messages(recipient)) >= count, timeout, f'mail {count} to {recipient}', 0.05)
        return self.messages(recipient)[-1]
