"""The gate's reader of documents says of each operation what the one of this folder says, which is another program."""
import checkouts
import gate

NEEDS = {'none': 'open', 'token': 'token', None: 'token'}


def test_the_tables_are_equal(daemon):
    table, warnings = gate.routes(daemon.files, [checkouts.overlay(daemon.name)], daemon.prefix)
    assert not warnings
    read = {(each['method'], each['path']): each for each in table}
    assert len(read) == len(table) == len(daemon.corrected)
    for each in daemon.corrected:
        need = NEEDS.get(each.access, 'acl')
        found = read[each.method, each.path]
        accesses = [each.access] if need == 'acl' else []
        assert (found['need'], found['accesses'], found['token_in_query']) == (need, accesses, each.query), each


def test_a_glob_finds_the_files(daemon):
    """As conf/ has it: a folder's files are those that the daemon merges."""
    files = [f'{checkouts.checkout(daemon.name)}/wazo_*/plugins/*/api.yml']
    if len(daemon.files) == 1:
        files = [str(daemon.files[0])]
    overlays = [checkouts.overlay(daemon.name)]
    assert gate.routes(files, overlays, daemon.prefix) == gate.routes(sorted(daemon.files), overlays, daemon.prefix)


def test_without_corrections_what_is_not_understood_is_warned_about(daemon):
    """And is closed, or asks for a token: never open."""
    table, warnings = gate.routes(daemon.files, [], daemon.prefix)
    stated = {(each.method, each.path): each.access for each in daemon.bare}
    for each in table:
        if each['need'] == 'open' and each['stated_by'] != 'security':
            assert stated[each['method'], each['path']] == 'none'
    assert len([each for each in table if each['need'] == 'closed']) <= len(warnings)
