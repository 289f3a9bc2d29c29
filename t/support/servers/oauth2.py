"""A provider of OAuth 2 that behaves."""
from .paths import CHECKOUT
from .ports import ADDRESS
from .process import Server


class OAuth2Provider(Server):
    """npm's oauth2-mock-server: /authorize says yes at once, /token checks PKCE."""

    name = 'oauth2'

    def __init__(self, folder, port):
        super().__init__(folder)
        self.port = port
        self.base = f'http://{ADDRESS}:{port}'

    def argv(self):
        program = CHECKOUT / 'build/oauth2/node_modules/oauth2-mock-server/dist/oauth2-mock-server.js'
        return ['node', program, '-a', ADDRESS, '-p', self.port]
