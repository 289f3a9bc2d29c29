"""Serves a daemon's own routes, which check tokens themselves: serve_daemon.py NAME REF PORT AUTHORITY MASTER_TENANT.

Routes, the check of the token, its client and the HTTP server are the daemon's and its libraries' own code; behind each
operation stands an empty answer. AUTHORITY: the port of who says whether a token is valid, or 0: nobody is asked.
"""
import asyncio
import sys

from flask_daemon import FlaskDaemon


def main(name, ref, port, authority, master_tenant):
    asyncio.set_event_loop(asyncio.new_event_loop())
    daemon = FlaskDaemon(name, ref)
    daemon.authority.decide = lambda _: True
    import xivo.tenant_flask_helpers
    from wazo_auth_client import Client
    from wazo_auth_client.commands import TokenCommand
    from werkzeug.middleware.proxy_fix import ProxyFix
    from xivo.http_helpers import ReverseProxied
    from xivo.wsgi import DynamicWSGIServer

    def client(**_):
        made = Client('127.0.0.1', port=int(authority), prefix=None, https=False)
        made.token = TokenCommand(made)  # found by an entry point where it's installed
        return made

    if int(authority):
        xivo.tenant_flask_helpers.AuthClient = client
    daemon.app.config['auth'] = {'master_tenant_uuid': master_tenant}
    application = ReverseProxied(ProxyFix(daemon.app))
    DynamicWSGIServer(bind_addr=('127.0.0.1', int(port)), wsgi_app=application, numthreads=10, max=100).start()


if __name__ == '__main__':
    main(*sys.argv[1:])
