"""The API document of a daemon that there isn't, for questions about requests to it."""

TOYS = """\
swagger: '2.0'
info: {title: wazo-toys, version: '1.0'}
basePath: /1.0
paths:
  /toys/{toy_id}:
    get:
      parameters: [{name: toy_id, in: path, required: true, type: string}]
      description: '**Required ACL:** `toys.{toy_id}.read` or `toys.all.read`'
      responses: {}
  /open:
    get: {description: '**Required ACL:** none', responses: {}}
  /any:
    get: {x-required-acl: token, responses: {}}
"""
