"""What stands in logs: what went wrong, and secrets, which never may."""
import re
import uuid


class Secrets:
    """Tokens and passwords that the tests used."""

    UUID = re.compile(r'[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}')

    def __init__(self):
        self.tokens = set()
        self.passwords = set()

    def token(self, value):
        if isinstance(value, str) and value:
            self.tokens.add(value.lower())
        return value

    def password(self, value):
        if isinstance(value, str) and len(value) >= 8:
            self.passwords.add(value)
        return value

    def new_password(self):
        return self.password(f'secret-{uuid.uuid4().hex}')

    def found_in(self, text):
        found = {value for value in self.UUID.findall(text) if value.lower() in self.tokens}
        return found | {value for value in self.passwords if value in text}


SECRETS = Secrets()


class LogReader:
    """What was added to a file since the last look."""

    def __init__(self, path):
        self.path = path
        self.offset = 0

    def news(self):
        try:
            with open(self.path, 'rb') as log:
                log.seek(self.offset)
                text = log.read()
        except OSError:
            return ''
        self.offset += len(text)
        return text.decode(errors='replace')


class LogWatch:
    BAD = re.compile(r'\[(?:alert|emerg|crit)\]|ERROR: AddressSanitizer|runtime error:')

    def __init__(self):
        self.readers = []
        self.expected = []

    def add(self, nginx):
        self.readers += [LogReader(nginx.error_log), LogReader(nginx.access_log), LogReader(nginx.log)]

    def complaints(self):
        found = []
        for reader in self.readers:
            text = reader.news()
            for line in text.splitlines():
                if self.BAD.search(line) and not any(pattern.search(line) for pattern in self.expected):
                    found.append(f'{reader.path}: {line}')
            secrets = SECRETS.found_in(text)
            if secrets:
                lines = [line for line in text.splitlines() if any(secret in line for secret in secrets)]
                found += [f'{reader.path}: a secret in: {line}' for line in lines[:5]]
        return found


WATCH = LogWatch()
