"""What `./dev run` and `./dev stop` do: t/playground.py, over servers and a folder of its own."""
import re
import socket

import playground
import pytest
import requests
from playground import Playground
from support import servers
from support.logs import SECRETS


@pytest.fixture
def folder(monkeypatch):
    folder = servers.temporary_folder()
    monkeypatch.setattr(playground, 'STATE', folder)
    return folder


def test_no_port_is_given_twice(folder, monkeypatch):
    """Those that are wanted are neighbours: who moves on to the next one mustn't take another's."""
    with socket.create_server(('127.0.0.1', 0)) as taken:
        first = taken.getsockname()[1]
        monkeypatch.setattr(Playground, 'WANTED', {name: first + i for i, name in enumerate(Playground.WANTED)})
        made = Playground()
        made._choose_ports()
        assert first not in made.ports.values()
        assert len(set(made.ports.values())) == len(made.ports)


def test_data_is_found_again(tmp_path, monkeypatch):
    """Whoever may enter the checkout by then."""
    checkout = tmp_path / 'checkout'
    (checkout / '.run').mkdir(parents=True)
    outside = servers.state_folder(checkout)
    if outside != checkout / '.run':  # too long a path here, or servers may not enter it
        (checkout / '.run/state.json').touch()
        assert servers.state_folder(checkout) == checkout / '.run'
    else:
        monkeypatch.setattr('support.servers.paths.can_enter', lambda *_: False)
        assert servers.state_folder(checkout) != checkout / '.run'
        (checkout / '.run/state.json').touch()
        assert servers.state_folder(checkout) == checkout / '.run'


def account(text, name):
    return re.search(rf'{name} with password (\S+)', text)[1]


def test_passwords_may_change(folder, monkeypatch, capsys):
    """The text shows the passwords that are right, and a later run doesn't need the administrator's."""
    monkeypatch.setattr(Playground, 'WANTED', {name: servers.free_port() for name in Playground.WANTED})
    made = Playground()
    try:
        made.run()
        text = capsys.readouterr().out
        api = re.search(r'API +(http://\S+)', text)[1]
        passwords = {name: SECRETS.password(account(text, name)) for name in ('admin', 'visitor')}
        assert 'PASSWORD' not in text
        log_in = {'auth': ('admin', passwords['admin']), 'json': {}, 'timeout': 20}
        admin = {'X-Auth-Token': requests.post(f'{api}/token', **log_in).json()['data']['token']}
        users = requests.get(f'{api}/users', headers=admin, timeout=20).json()['items']
        for name in ('visitor', 'admin'):
            (uuid,) = (user['uuid'] for user in users if user['username'] == name)
            change = {'old_password': passwords[name], 'new_password': SECRETS.password(f'{name}-changed')}
            assert (
                requests.put(f'{api}/users/{uuid}/password', json=change, headers=admin, timeout=20).status_code == 204
            )
            made = Playground()
            made.run()
            text = capsys.readouterr().out
            assert account(text, name) == 'PASSWORD'
            assert 'PASSWORD stands for one that was changed meanwhile' in text
    finally:
        made.stop()
    assert capsys.readouterr().out.count('stopping') == 6
    made.stop()
    assert capsys.readouterr().out == 'nothing runs\n'
