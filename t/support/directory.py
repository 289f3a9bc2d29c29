"""A directory with some people, for tests of logins by LDAP."""
import uuid

from support import servers
from support.checks import label
from support.logs import SECRETS

SUFFIX = servers.Slapd.suffix
PEOPLE = f'ou=people,{SUFFIX}'
SERVICE = f'cn=service,{SUFFIX}'
PASSWORD, SERVICE_PASSWORD, WRONG = (SECRETS.password(f'{name}-{uuid.uuid4().hex}') for name in ('user', 'bind', 'no'))
HASTY = {'network_timeout': 1, 'operation_timeout': 1, 'login_timeout': 2}

ENTRIES = f"""\
dn: {SUFFIX}
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: {SERVICE}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: service
userPassword: {SERVICE_PASSWORD}

dn: {PEOPLE}
objectClass: organizationalUnit
ou: people
"""
PEOPLE_THERE = {
    'alice': 'cn: Alice\nmail: Alice@Try.example',
    'bob': 'cn: Twin\nmail: bob@try.example',
    'carol': 'cn: Twin\nmail: carol@try.example',
    'nomail': 'cn: Nobody',
    'stranger': 'cn: Stranger\nmail: stranger@try.example',
    'native': 'cn: Native\nmail: native@try.example',
}
ACCESS = 'access to attrs=userPassword by anonymous auth by * none\naccess to * by * read\n'


def person(rdn, uid, more):
    """An entry: uid as it stands in a name, uid, more attributes."""
    return (
        f'\ndn: uid={rdn},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: {uid}\nsn: x\nuserPassword: {PASSWORD}\n{more}\n'
    )


def new_slapd(stack, certificate):
    """Not started yet."""
    people = ''.join(person(uid, uid, more) for uid, more in PEOPLE_THERE.items())
    folder = stack.folder / label('slapd')
    return servers.Slapd(folder, servers.free_port(), ENTRIES + people, servers.free_port(), certificate, ACCESS)
