"""Configurations of SAML, one a tenant; docs/spec/federation.md section 4.1."""
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from saml2.md import entity_descriptor_from_string

from support import servers
from support.saml_idp import SamlIdp, make_key

METADATA = '<xml><h1>title</h1><body>lorem ipv5</body></xml>'
PATH = '/backends/saml'


@pytest.fixture
def make_tenant(api, admin_token):
    def make(domains=1):
        names = [f'{uuid.uuid4().hex[:12]}.example.com' for _ in range(domains)]
        answer = api.post('/tenants', admin_token, json={'name': names[0], 'domain_names': names})
        assert answer.status_code == 200, answer.text
        tenant = answer.json()['uuid']
        items = api.get(f'/tenants/{tenant}/domains', admin_token).json()['items']
        return tenant, [item['uuid'] for item in items]

    return make


@pytest.fixture
def tenant(make_tenant):
    return make_tenant()


@pytest.fixture
def send(api, admin_token):
    """A form; files: {name: (file name, content)}."""

    def send(method, tenant, fields, files=None, client=api):
        boundary = 'b' + uuid.uuid4().hex
        body = b''
        for name, value in fields.items():
            value = value if isinstance(value, bytes) else str(value).encode()
            body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b'\r\n'
        for name, (file, content) in (files or {}).items():
            content = content if isinstance(content, bytes) else content.encode()
            body += (
                (
                    f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n'
                    'Content-Type: application/xml\r\n\r\n'
                ).encode()
                + content
                + b'\r\n'
            )
        return client.request(
            method,
            PATH,
            admin_token,
            data=body + f'--{boundary}--\r\n'.encode(),
            headers={'Content-Type': f'multipart/form-data; boundary={boundary}', 'Wazo-Tenant': tenant},
        )

    return send


def fields_of(domain, **changes):
    return {'domain_uuid': domain, 'entity_id': 'wazo.dev', 'acs_url': 'https://stack.example.org/acs', **changes}


def refused(answer, status, error_id, resource='saml_config'):
    problem = answer.json()
    assert (answer.status_code, problem['error_id'], problem['resource']) == (status, error_id, resource), answer.text
    return problem


def test_its_life(api, admin_token, tenant, send, psql):
    uuid_, [domain] = tenant
    headers = {'Wazo-Tenant': uuid_}
    for path in (PATH, PATH + '/metadata'):
        assert refused(api.get(path, admin_token, headers=headers), 404, 'unknown-saml-config')['details'] == {
            'uuid': uuid_
        }
    assert refused(send('PUT', uuid_, {}), 404, 'unknown-saml-config')['details'] == {'uuid': uuid_}
    assert api.delete(PATH, admin_token, headers=headers).status_code == 204

    answer = send('POST', uuid_, fields_of(domain, tenant_uuid='0' * 36), {'metadata': ('metadata', METADATA)})
    assert (answer.status_code, list(answer.json())) == (200, ['domain_uuid', 'entity_id', 'tenant_uuid', 'acs_url'])
    assert answer.json() == fields_of(domain, tenant_uuid=uuid_)
    assert api.get(PATH, admin_token, headers=headers).json() == answer.json()
    answer = api.get(PATH + '/metadata', admin_token, headers=headers)
    assert (answer.status_code, answer.text, answer.headers['Content-Type']) == (200, METADATA, 'application/xml')
    assert answer.headers['Content-Disposition'] == 'attachment'

    conflict = refused(send('POST', uuid_, fields_of(domain), {'metadata': ('m', METADATA)}), 409, 'conflict')
    assert conflict['details'] == {
        'tenant_uuid': {'constraint_id': 'unique', 'message': 'Duplicated SAML config exists'}
    }

    answer = send('PUT', uuid_, {'entity_id': 'new'})
    assert (answer.status_code, answer.json()) == (200, {})
    assert api.get(PATH, admin_token, headers=headers).json() == fields_of(domain, tenant_uuid=uuid_, entity_id='new')
    answer = api.put(PATH, admin_token, data={'acs_url': 'https://a'}, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {})
    assert send('PUT', uuid_, {}, {'metadata': ('m', '<b>\u00e9</b>')}).status_code == 200
    assert api.get(PATH + '/metadata', admin_token, headers=headers).content == '<b>\u00e9</b>'.encode()
    assert api.get(PATH, admin_token, headers=headers).json()['acs_url'] == 'https://a'

    assert api.delete(PATH, admin_token, headers=headers).status_code == 204
    assert psql(f"SELECT count(*) FROM auth_saml_config WHERE tenant_uuid = '{uuid_}'") == '0'


@pytest.mark.parametrize(
    'name, value',
    [
        ('domain_uuid', None),
        ('domain_uuid', 'x' * 35),
        ('domain_uuid', 'x' * 39),
        ('entity_id', None),
        ('entity_id', ''),
        ('entity_id', 'x' * 513),
        ('acs_url', None),
        ('acs_url', ''),
        ('acs_url', 'x' * 513),
        ('acs_url', 'a\0b'),
        ('tenant_uuid', 'x'),
    ],
)
def test_bad_fields(api, tenant, send, admin_token, name, value):
    uuid_, [domain] = tenant
    fields = fields_of(domain)
    fields.pop(name, None)
    if value is not None:
        fields[name] = value
    problem = refused(send('POST', uuid_, fields, {'metadata': ('m', METADATA)}), 400, 'invalid-list-param', 'users')
    assert list(problem['details']) == [name] and problem['message'] == problem['details'][name]['message']
    assert api.get(PATH, admin_token, headers={'Wazo-Tenant': uuid_}).status_code == 404
    if value is not None:
        assert send('POST', uuid_, fields_of(domain), {'metadata': ('m', METADATA)}).status_code == 200
        refused(send('PUT', uuid_, {name: value}), 400, 'invalid-list-param', 'users')
        assert api.get(PATH, admin_token, headers={'Wazo-Tenant': uuid_}).json() == fields_of(domain, tenant_uuid=uuid_)


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + ''.join(f'<!ENTITY {chr(98 + i)} "{("&" + chr(97 + i) + ";") * 10}">' for i in range(9))
    + ']><x>&j;</x>'
)


@pytest.mark.parametrize(
    'file',
    [
        None,
        ('', METADATA),
        ('m', ''),
        ('m', '<a>'),
        ('m', 'x'),
        ('m', '<a/><b/>'),
        ('m', '<!DOCTYPE a><a/>'),
        ('m', BOMB),
        ('m', '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'),
        ('m', b'<a>\xff</a>'),
        ('m', '<a>\0</a>'),
        ('m', '<?xml version="1.0" encoding="UTF-16"?><a/>'),
        ('m', '<a>' * 10000),
        ('m', '<a>' * 100 + '</a>' * 100),
        ('m', '<a>' + 'x' * (3 << 20) + '</a>'),
    ],
)
def test_bad_metadata(api, tenant, send, admin_token, file):
    uuid_, [domain] = tenant
    problem = refused(
        send('POST', uuid_, fields_of(domain), {'metadata': file} if file else {'other': ('m', METADATA)}),
        400,
        'unknown-saml-config',
    )
    assert problem['details'] == {'uuid': uuid_}
    assert api.get(PATH, admin_token, headers={'Wazo-Tenant': uuid_}).status_code == 404
    assert send('POST', uuid_, fields_of(domain), {'metadata': ('m', METADATA)}).status_code == 200
    if file:
        refused(send('PUT', uuid_, {}, {'metadata': file}), 400, 'unknown-saml-config')
    assert api.get(PATH + '/metadata', admin_token, headers={'Wazo-Tenant': uuid_}).text == METADATA


@pytest.fixture(scope='module')
def idp_metadata(stack):
    """What an identity provider gives out, with changes."""
    idp = SamlIdp(stack.folder / 'idp-of-metadata', servers.free_port())
    idp.close()
    return idp.metadata


@pytest.fixture(scope='module')
def metadata_that_fails(idp_metadata):
    prefix = re.search(r'<(\w+):EntityDescriptor', idp_metadata)[1]
    space = 'xmlns="urn:oasis:names:tc:SAML:2.0:metadata"'
    start = f'<{prefix}:EntityDescriptor'
    plain = re.sub(r'<\?xml[^>]*>', '', idp_metadata)
    return {
        'its validUntil has passed': idp_metadata.replace(start, f'{start} validUntil="2020-01-01T00:00:00Z"', 1),
        'no SingleSignOnService has the binding HTTP-Redirect': idp_metadata.replace('HTTP-Redirect', 'HTTP-POST'),
        'a service provider (SPSSODescriptor), not an identity provider': idp_metadata.replace(
            'IDPSSODescriptor', 'SPSSODescriptor'
        ),
        'it describes 2 identity providers': f'<EntitiesDescriptor {space}>{plain * 2}</EntitiesDescriptor>',
        'no KeyDescriptor': idp_metadata.replace('use="signing"', 'use="encryption"'),
        'UTF-16': idp_metadata.encode('utf-16'),
    }


@pytest.mark.parametrize(
    'why',
    [
        'its validUntil has passed',
        'no SingleSignOnService has the binding HTTP-Redirect',
        'a service provider (SPSSODescriptor), not an identity provider',
        'it describes 2 identity providers',
        'no KeyDescriptor',
        'UTF-16',
    ],
)
def test_metadata_that_cannot_work(api, admin_token, tenant, send, idp_metadata, metadata_that_fails, why):
    """Refused when it is uploaded, not at each login; what was there stays."""
    uuid_, [domain] = tenant
    file = {'metadata': ('m', metadata_that_fails[why])}
    problem = refused(send('POST', uuid_, fields_of(domain), file), 400, 'unknown-saml-config')
    assert problem['message'].startswith("The metadata can't be used: ") and why in problem['message']
    assert api.get(PATH, admin_token, headers={'Wazo-Tenant': uuid_}).status_code == 404
    good = {'metadata': ('m', idp_metadata)}
    assert send('POST', uuid_, fields_of(domain), good).status_code == 200
    assert why in refused(send('PUT', uuid_, {}, file), 400, 'unknown-saml-config')['message']
    assert api.get(PATH + '/metadata', admin_token, headers={'Wazo-Tenant': uuid_}).text == idp_metadata


def test_metadata_as_a_field_is_no_file(tenant, send):
    refused(send('POST', tenant[0], fields_of(tenant[1][0], metadata=METADATA)), 400, 'unknown-saml-config')


def test_what_programs_write_before_xml(api, admin_token, tenant, send):
    text = '<?xml version="1.0" encoding="utf-8"?>\n<!-- ours -->\n<a/>'
    assert (
        send(
            'POST', tenant[0], fields_of(tenant[1][0]), {'metadata': ('m', b'\xef\xbb\xbf' + text.encode())}
        ).status_code
        == 200
    )
    stored = api.get(PATH + '/metadata', admin_token, headers={'Wazo-Tenant': tenant[0]}).text
    assert stored.endswith('<a/>')


def test_domains_of_others(tenant, make_tenant, send):
    other = make_tenant()
    for domain in (other[1][0], str(uuid.uuid4()), 'x' * 36):
        problem = refused(
            send('POST', tenant[0], fields_of(domain), {'metadata': ('m', METADATA)}), 400, 'unknown-saml-config'
        )
        assert problem['details'] == {'uuid': tenant[0]}
    assert send('POST', tenant[0], fields_of(tenant[1][0]), {'metadata': ('m', METADATA)}).status_code == 200
    refused(send('PUT', tenant[0], {'domain_uuid': other[1][0]}), 400, 'unknown-saml-config')


def test_one_a_tenant_also_when_many_ask(make_tenant, send, api, api2, psql):
    tenant, domains = make_tenant(4)
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda i: send(
                    'POST', tenant, fields_of(domains[i % 4]), {'metadata': ('m', METADATA)}, (api, api2)[i % 2]
                ).status_code,
                range(8),
            )
        )
    assert sorted(answers) == [200] + [409] * 7
    assert psql(f"SELECT count(*) FROM auth_saml_config WHERE tenant_uuid = '{tenant}'") == '1'


def test_it_goes_with_its_domain(api, admin_token, make_tenant, send):
    tenant, domains = make_tenant(2)
    assert send('POST', tenant, fields_of(domains[0]), {'metadata': ('m', METADATA)}).status_code == 200
    assert api.put(f'/tenants/{tenant}', admin_token, json={'name': 'x', 'domain_names': []}).status_code == 200
    assert api.get(PATH, admin_token, headers={'Wazo-Tenant': tenant}).status_code == 404


def test_bodies_that_are_no_forms(api, admin_token, tenant):
    uuid_, [domain] = tenant
    headers = {'Wazo-Tenant': uuid_}
    for method in ('POST', 'PUT'):
        for body, media in (
            (b'--x\r\n', 'multipart/form-data; boundary=x'),
            (b'', 'multipart/form-data'),
            (b'x' * 100000, 'multipart/form-data; boundary=x'),
        ):
            answer = api.request(method, PATH, admin_token, data=body, headers={**headers, 'Content-Type': media})
            assert answer.status_code == 400 and list(answer.json()) == ['message']
    refused(api.post(PATH, admin_token, json=fields_of(domain), headers=headers), 400, 'invalid-list-param', 'users')
    refused(api.post(PATH, admin_token, data=fields_of(domain), headers=headers), 400, 'unknown-saml-config')


def test_our_own_metadata(api, admin_token, tenant, send, stack):
    path, headers = PATH + '/sp_metadata', {'Wazo-Tenant': tenant[0]}
    key, certificate = make_key(stack.folder, 'sp-metadata')
    nginx = stack.new_nginx('sp-metadata', settings={'saml': {'key_file': str(key), 'cert_file': str(certificate)}})
    try:
        assert refused(nginx.api.get(path, admin_token, headers=headers), 404, 'unknown-saml-config')['details'] == {
            'uuid': tenant[0]
        }
        fields = fields_of(
            tenant[1][0], entity_id='https://a"&b', acs_url='https://wazo.example.org/api/auth/0.1/saml/acs'
        )
        assert send('POST', tenant[0], fields, {'metadata': ('m', METADATA)}).status_code == 200
        answer = nginx.api.get(path, admin_token, headers=headers)
        assert (answer.status_code, answer.headers['Content-Type'], answer.headers['Content-Disposition']) == (
            200,
            'application/samlmetadata+xml',
            'attachment',
        )
        assert nginx.api.get(PATH + '/sp-metadata', admin_token, headers=headers).text == answer.text
        ours = entity_descriptor_from_string(answer.text)
        [role] = ours.spsso_descriptor
        assert (ours.entity_id, role.authn_requests_signed) == (fields['entity_id'], 'true')
        assert [each.location for each in role.assertion_consumer_service] == [fields['acs_url']]
        assert [(each.location, each.binding.rpartition(':')[2]) for each in role.single_logout_service] == [
            ('https://wazo.example.org/api/auth/0.1/saml/sls', 'HTTP-Redirect'),
            ('https://wazo.example.org/api/auth/0.1/saml/sls', 'HTTP-POST'),
        ]
        assert [each.use for each in role.key_descriptor] == ['signing', 'encryption']
        for described in role.key_descriptor:
            assert described.key_info.x509_data[0].x509_certificate.text.split() == [
                line for line in certificate.read_text().split('\n') if line and '-----' not in line
            ]
        # Where no key is.
        assert refused(api.get(path, admin_token, headers=headers), 404, 'unknown-saml-config')['details'] == {
            'uuid': tenant[0]
        }
    finally:
        nginx.stop()


def test_the_template(api, admin_token):
    answer = api.get(PATH + '/acs_url_template', admin_token)
    assert answer.json() == {'acs_url': 'https://{{STACK_URL}}/api/auth/0.1/saml/acs'}


def test_metrics_say_until_when_metadata_holds(api, admin_token, tenant, send, idp_metadata, nginx, nginx2, metrics):
    """By its certificates, or by its validUntil; no longer than the configuration lives. At each nginx."""
    uuid_, (domain,) = tenant
    name = api.get(f'/tenants/{uuid_}/domains', admin_token).json()['items'][0]['name']
    key = f'wazo_auth_certificate_expiry_seconds{{certificate="SAML metadata of {name}"}}'

    def told():
        return [metrics(each).get(key, 0) for each in (nginx, nginx2)]

    def wait_for(least, most):
        servers.wait_until(lambda: all(least <= seconds <= most for seconds in told()), 40, f'{least} to {most}')

    assert send('POST', uuid_, fields_of(domain), {'metadata': ('m', idp_metadata)}).status_code == 200
    wait_for(2 * 86400 - 600, 2 * 86400)
    end = datetime.now(timezone.utc) + timedelta(hours=1)
    ends = re.sub(r'(<\w+:EntityDescriptor)', rf'\1 validUntil="{end:%Y-%m-%dT%H:%M:%SZ}"', idp_metadata, count=1)
    assert send('PUT', uuid_, {}, {'metadata': ('m', ends)}).status_code == 200
    wait_for(3600 - 120, 3600)
    # Of what is no metadata nobody can say it.
    assert send('PUT', uuid_, {}, {'metadata': ('m', METADATA)}).status_code == 200
    servers.wait_until(lambda: told() == [0, 0], 40, 'no more of it')
