"""What a machine was like, to be compared byte for byte: /etc, /usr, units, the database's schema, the services' keys."""
import difflib
import hashlib

# Names, kinds, owners, modes, targets of links, contents. What ldconfig writes is new whenever it runs.
LIST = r'''
cd /
find %s -xdev -printf '%%p %%y %%M %%u:%%g %%l\n' 2>/dev/null | grep -v '^etc/ld.so.cache ' | sort
find %s -xdev -type f ! -path etc/ld.so.cache -print0 2>/dev/null | sort -z | xargs -0r sha256sum
'''
FILES = LIST % ('etc usr lib var/lib/wazo-auth root/.config', 'etc usr var/lib/wazo-auth root/.config')
# Apart, because the platform's own wazo-auth-keys writes them whenever it finds a service without one.
KEYS = LIST % (('var/lib/wazo-auth-keys',) * 2)
UNITS = 'systemctl cat wazo-auth nginx postgresql 2>/dev/null; systemctl list-unit-files --no-legend --no-pager'
SCHEMA = "su postgres -c 'pg_dump -s --restrict-key=same asterisk; psql -AtXc \"SELECT datname, rolname, setconfig FROM \
pg_db_role_setting LEFT JOIN pg_database d ON d.oid = setdatabase LEFT JOIN pg_roles r ON r.oid = setrole\" asterisk'"


def taken(machine, database=True):
    """{what: text}"""
    kept = {'files': machine(FILES, check=False), 'keys': keys(machine), 'units': machine(UNITS, check=False)}
    if database:
        kept['schema'] = machine(SCHEMA)
    return kept


def keys(machine):
    return machine(KEYS, check=False)


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(before, after):
    """Lines of a diff; none where both are the same."""
    lines = []
    for name, text in before.items():
        lines += difflib.unified_diff(
            text.splitlines(), after[name].splitlines(), f'{name} before', f'{name} after', lineterm='', n=0
        )
    return lines
