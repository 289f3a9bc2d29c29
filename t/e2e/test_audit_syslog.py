"""audit.syslog: each entry arrives at a syslog daemon, whatever ends in between."""
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import uuid

import pytest

from support import servers
from support.stack import ADMIN

RSYSLOGD = shutil.which('rsyslogd', path=os.environ['PATH'] + ':/usr/sbin')
FIELDS = ('%pri%', '%app-name%', '%hostname%', '%msgid%', '%timereported:::date-rfc3339%', '%protocol-version%')
MESSAGE = re.compile(rb'<85>1 (\S+) (\S+) wazo-auth - audit - (\{.*\})\Z')
needs_rsyslogd = pytest.mark.skipif(not RSYSLOGD, reason='rsyslog is not installed')


class Audited:
    """An nginx with a database of its own, that sends its entries to syslog."""

    def __init__(self, stack, new_nginx, to, environment=None):
        self.database = f'audit_{uuid.uuid4().hex[:8]}'
        self.postgres = stack.postgres
        uri = self.postgres.create_database(self.database, 'wazo-auth')
        self.nginx = new_nginx(
            self.database,
            workers=1,
            settings={'db_uri': uri, 'audit': {'syslog': to}},
            environment=environment or {},
        )
        answer = self.nginx.api.post('/token', auth=(ADMIN['username'], ADMIN['password']))
        self.token = answer.json()['data']['token']

    def make_policy(self, **fields):
        answer = self.nginx.api.post('/policies', self.token, json={'name': uuid.uuid4().hex, **fields})
        assert answer.status_code == 200, answer.text
        return answer.json()['uuid']

    def entries(self):
        text = self.postgres.psql(self.database, "SELECT coalesce(json_agg(a), '[]') FROM wazo_auth.audit AS a")
        return {entry['id']: entry for entry in json.loads(text)}

    def wait_for_line(self, text):
        servers.wait_until(lambda: text in self.nginx.error_log.read_text(), 30, text)

    def wait_until_all_are_in(self, received):
        servers.wait_until(lambda: set(self.entries()) <= set(received()), 30, 'all entries at the daemon')


class Rsyslogd:
    def __init__(self, folder):
        self.folder = folder
        self.port = servers.free_port()
        self.process = None
        self.out = folder / 'out'
        folder.chmod(0o777)
        template = '|'.join(FIELDS) + '|%msg%\\n'
        (folder / 'rsyslog.conf').write_text(
            f'global(workDirectory="{folder}" maxMessageSize="8k")\n'
            'module(load="imuxsock" SysSock.Use="off")\nmodule(load="imudp")\nmodule(load="imtcp")\n'
            f'input(type="imuxsock" Socket="{folder}/log")\n'
            f'input(type="imudp" address="127.0.0.1" port="{self.port}")\n'
            f'input(type="imtcp" address="127.0.0.1" port="{self.port}")\n'
            f'template(name="t" type="string" string="{template}")\n'
            f'action(type="omfile" file="{self.out}" template="t")\n'
        )

    def to(self, way):
        return f'{self.folder}/log' if way == 'local' else f'{way}://127.0.0.1:{self.port}'

    def start(self):
        (self.folder / 'log').unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [RSYSLOGD, '-n', '-f', self.folder / 'rsyslog.conf', '-i', self.folder / 'pid'],
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / 'errors').open('a'),
        )
        servers.wait_until((self.folder / 'log').exists, 10, 'rsyslogd')
        servers.wait_until(lambda: servers.port_answers(self.port), 10, 'rsyslogd')
        return self

    def stop(self):
        self.process.terminate()
        self.process.wait(10)

    def received(self):
        """{id: (message's fields, entry)}"""
        lines = self.out.read_text().splitlines() if self.out.exists() else []
        parts = [line.split('|', len(FIELDS)) for line in lines if 'wazo-auth' in line]
        entries = [(dict(zip(FIELDS, part)), json.loads(part[-1])) for part in parts]
        return {entry['id']: (fields, entry) for fields, entry in entries}


@pytest.fixture
def rsyslogd():
    folder = servers.temporary_folder()
    daemon = Rsyslogd(folder).start()
    yield daemon
    daemon.stop()
    shutil.rmtree(folder)


@needs_rsyslogd
@pytest.mark.parametrize('way', ['local', 'udp', 'tcp'])
def test_rsyslog_gets_each_entry_whatever_happens(stack, new_nginx, rsyslogd, way):
    own = Audited(stack, new_nginx, rsyslogd.to(way))
    policy = own.make_policy(description='ж | "quoted"\n')
    own.wait_until_all_are_in(rsyslogd.received)
    [(fields, entry)] = [
        found
        for found in rsyslogd.received().values()
        if (found[1]['kind'], found[1]['object_uuid']) == ('policy', policy)
    ]
    assert entry['after']['description'] == 'ж | "quoted"\n'
    assert (fields['%pri%'], fields['%app-name%']) == ('85', 'wazo-auth')
    if way != 'local':
        assert (fields['%protocol-version%'], fields['%msgid%']) == ('1', 'audit')
        assert fields['%hostname%'] == socket.gethostname()
        assert fields['%timereported:::date-rfc3339%'] == entry['at']

    rsyslogd.stop()
    own.make_policy()
    own.wait_for_line('audit.syslog: ')
    own.make_policy()
    rsyslogd.start()
    own.wait_until_all_are_in(rsyslogd.received)
    own.wait_for_line('audit.syslog: it gets entries again')

    own.nginx.kill()
    own.postgres.psql(own.database, "UPDATE auth_user SET lastname = 'y'")
    own.nginx.start()
    own.wait_until_all_are_in(rsyslogd.received)


@needs_rsyslogd
@pytest.mark.parametrize('way', ['udp', 'tcp'])
def test_a_daemon_may_be_at_another_address_of_its_name(stack, new_nginx, rsyslogd, way):
    hosts = rsyslogd.folder / 'hosts'
    hosts.write_text('127.0.0.1 localhost\n127.0.0.2 syslog\n127.0.0.1 syslog\n')
    environment = {'LD_PRELOAD': 'libnss_wrapper.so', 'NSS_WRAPPER_HOSTS': str(hosts)}
    own = Audited(stack, new_nginx, f'{way}://syslog:{rsyslogd.port}', environment)
    own.make_policy()
    own.wait_until_all_are_in(rsyslogd.received)


@needs_rsyslogd
def test_an_entry_that_is_too_long_comes_without_what_was_changed(stack, new_nginx, rsyslogd):
    own = Audited(stack, new_nginx, rsyslogd.to('tcp'))
    policy = own.make_policy(description='ж' * 5000)
    own.wait_until_all_are_in(rsyslogd.received)
    [entry] = [entry for _, entry in rsyslogd.received().values() if entry['object_uuid'] == policy]
    assert (entry['action'], entry['before'], entry['after'], entry['cut']) == ('created', None, None, True)


class Listener(threading.Thread):
    """A daemon that goes away in the middle of the first connections."""

    def __init__(self, bad):
        super().__init__(daemon=True)
        self.server = socket.create_server(('127.0.0.1', 0))
        self.port = self.server.getsockname()[1]
        self.bad = bad
        self.connections = 0
        self.messages = []

    def run(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            with connection:
                self.connections += 1
                if self.connections <= self.bad:
                    connection.recv(100)  # what is unread when it is closed makes a reset
                    continue
                with connection.makefile('rb') as stream:
                    self.read(stream)

    def read(self, stream):
        while True:
            digits = b''
            while (byte := stream.read(1)) not in (b' ', b''):
                digits += byte
            if not digits:
                return
            self.messages.append(stream.read(int(digits)))

    def received(self):
        found = [MESSAGE.match(message) for message in list(self.messages)]
        assert all(found), self.messages
        return {json.loads(each[3])['id']: each for each in found}


def test_what_a_daemon_did_not_read_is_sent_again(stack, new_nginx):
    listener = Listener(bad=2)
    listener.start()
    own = Audited(stack, new_nginx, f'tcp://localhost:{listener.port}')
    own.make_policy(acl=[f'a.{i}.read' for i in range(200)])
    own.wait_until_all_are_in(listener.received)
    assert listener.connections > 2
    assert own.nginx.error_log.read_text().count('audit.syslog: it gets entries again') == 1
    for found in listener.received().values():
        assert found[1].decode() == json.loads(found[3])['at']
    listener.server.close()
