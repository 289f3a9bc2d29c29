"""The document that the API serves, as a judge of its answers."""
import re
import sys
from urllib.parse import urlsplit

import jsonschema
import yaml

sys.setrecursionlimit(2000)  # JSON may be 950 deep, and the frames of pytest's own come before that


def json_schema(shape):
    """JSON Schema of a schema of Swagger 2.0 with our extensions; an object has no member that isn't declared."""
    if isinstance(shape, list):
        return [json_schema(each) for each in shape]
    if not isinstance(shape, dict):
        return shape
    if 'x-any-of' in shape:
        return {'anyOf': json_schema(shape['x-any-of'])}
    made = {key: json_schema(value) for key, value in shape.items() if key not in ('x-nullable', 'format', 'default')}
    if isinstance(shape.get('properties'), dict):
        made['properties'] = {name: json_schema(value) for name, value in shape['properties'].items()}
        made['additionalProperties'] = False
    if shape.get('format') == 'uuid':
        made['pattern'] = '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    return {'anyOf': [made, {'type': 'null'}]} if shape.get('x-nullable') else made


class Document:
    def __init__(self, text):
        self.content = yaml.safe_load(text)
        definitions = {name: json_schema(shape) for name, shape in self.content['definitions'].items()}
        self._resolver = jsonschema.RefResolver('', {'definitions': definitions})
        self._paths = []
        for path, operations in self.content['paths'].items():
            pattern = re.escape(path).replace(r'\{', '{').replace(r'\}', '}')
            pattern = re.sub(r'\{\w+_uuid\}', '[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}', pattern)
            self._paths.append((path, re.compile(re.sub(r'\{[a-z_]+\}', '[^/]+', pattern)), operations))
        # What is fixed wins over parameters.
        self._paths.sort(key=lambda each: each[0].count('{'))

    def find(self, method, path):
        """(path template, operation), or (None, None) for what the document doesn't have."""
        for template, pattern, operations in self._paths:
            if pattern.fullmatch(path):
                found = operations.get(method.lower())
                if found is None and method == 'HEAD':
                    found = operations.get('get')
                return (template, found) if found else (None, None)
        return None, None

    def complaint(self, answer, base):
        """What the document doesn't say of an answer of requests; None when all is well."""
        path = urlsplit(answer.request.url).path[len(base) :]
        template, operation = self.find(answer.request.method, path)
        if operation is None:
            return None
        media = answer.headers.get('Content-Type', '').split(';')[0]
        switched_off = answer.status_code == 404 and '<title>404 Not Found</title>' in answer.text
        if media == 'text/html' and (switched_off or 'text/html' not in operation.get('produces', ())):
            return None  # nginx's own
        what = f'{answer.request.method} {template} answered {answer.status_code}'
        declared = operation['responses'].get(str(answer.status_code))
        if declared is None:
            return f'{what}, which is not in the document: {answer.text[:300]}'
        if answer.request.method == 'HEAD':
            return None
        if 'schema' not in declared:
            expected = 'produces' in operation and answer.status_code in (200, 302)
            return None if expected or not answer.content else f'{what} with a body: {answer.text[:300]}'
        if media == 'text/html':
            return None  # declared: see above
        if media != 'application/json':
            return f'{what} with {media or "no type"}: {answer.text[:300]!r}'
        checker = jsonschema.Draft7Validator(json_schema(declared['schema']), resolver=self._resolver)
        error = next(checker.iter_errors(answer.json()), None)
        return error and f'{what}, and the document says otherwise: {error.message}\n{answer.text[:1000]}'
