"""What the gate's decision costs, counted: see docs/performance/gate.md."""
import pytest

from support import instructions, servers

# Where memory and the token's hash happen to lie is worth 100, and the C library has other code for other CPUs.
TOLERANCE = 1.1

pytestmark = pytest.mark.skipif(servers.sanitized(servers.BUILD), reason='sanitizers count, too')


def test_a_known_token_costs_few_instructions(stack, postgres):
    spent = instructions.count(stack.folder / 'counted', servers.BUILD, postgres)
    more = {kind: spent[kind] - spent['plain'] for kind in instructions.BARS}
    assert all(more[kind] <= TOLERANCE * bar for kind, bar in instructions.BARS.items()), (spent, more)
