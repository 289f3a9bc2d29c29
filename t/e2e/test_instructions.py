"""What the gate's decision costs, counted: see docs/performance/gate.md."""
import pytest

from support import instructions, servers

pytestmark = pytest.mark.skipif(servers.sanitized(servers.BUILD), reason='sanitizers count, too')


def test_a_known_token_costs_few_instructions(stack, postgres, psql, nginx):
    spent = instructions.count(stack.folder / 'counted', servers.BUILD, nginx.values['CONFIG'], psql)
    more = {kind: spent[kind] - spent['plain'] for kind in instructions.BARS}
    assert all(more[kind] <= bar for kind, bar in instructions.BARS.items()), (spent, more)
