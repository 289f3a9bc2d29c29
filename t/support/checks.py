"""What many tests say of answers, and what they put into requests so that no other test has it."""
import base64
import itertools
import time
import uuid

UNKNOWN = '00000000-0000-4000-8000-000000000000'  # nothing has this UUID
NO_TOKEN = '00000000-0000-4000-8000-00000000dead'  # nor is this a token; texts that contain it aren't a leak

_addresses = itertools.count(1)


def error(answer, status, error_id, **details):
    """The body of an error that has an id; with these details, when there are any."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body['error_id'] == error_id
    assert body['details'] == details or not details
    return body


def reason(answer, status, text=None):
    """The text of an error that has none; this one, when it is given."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert list(body) == ['reason', 'timestamp', 'status_code']
    assert body['status_code'] == status
    assert abs(body['timestamp'][0] - time.time()) < 60
    assert text is None or body['reason'] == [text]
    return body['reason'][0]


def internal_error(answer):
    assert (answer.status_code, answer.json()) == (500, {'message': 'Internal Server Error'})


def label(prefix=''):
    """A name that nothing else has; without a prefix it is short enough for a slug."""
    return f'{prefix}-{uuid.uuid4().hex[:10]}' if prefix else uuid.uuid4().hex[:10]


def address():
    """Of a client that no other test is."""
    number = next(_addresses)
    return f'198.{18 + (number >> 16)}.{number >> 8 & 255}.{number & 255}'


def elsewhere():
    """Headers of a request from there: failed logins count by address."""
    return {'X-Forwarded-For': address()}


def below(tenant):
    """Headers of a request about a tenant, given as its UUID or as the API shows it."""
    return {'Wazo-Tenant': tenant if isinstance(tenant, str) else tenant['uuid']}


def credentials(user):
    return user['username'], user['password']


def basic(login, password):
    return 'Basic ' + base64.b64encode(f'{login}:{password}'.encode()).decode()


def text_of(message):
    return message.get_content().replace('\r\n', '\n')


def within(limit, work, tries=3):
    """What work() gives, which took less than `limit` seconds at least once: a busy machine may stall meanwhile."""
    took = []
    for _ in range(tries):
        start = time.monotonic()
        result = work()
        took.append(time.monotonic() - start)
        if took[-1] < limit:
            return result
    raise AssertionError(f'it took {took} s; {limit} s would be right')
