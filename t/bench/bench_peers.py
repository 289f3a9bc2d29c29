"""usage: bench_peers.py     (through ./dev bench peers)

The same job done by other means: a location that needs a valid token with an access, by nginx's auth_request and by njs,
which ask the authority each time, and by Lua, which keeps the answers of ten seconds in a shared dictionary (a revoked
token goes on for as long). The authority is an nginx of ours on the same machine; with the Python daemon in its place the
first two cost what `./dev bench daemon` says of its HEAD /token. Rates and CPU are per request at the gate; the
authority's CPU comes on top.
"""
import shutil
import sys

import bench
import load
from bench import PAIRS, SECONDS
from load import lua_requests, median, wrk

from support import servers

MODULES = '/usr/lib/nginx/modules'

CONF = f"""\
load_module {MODULES}/ndk_http_module.so;
load_module {MODULES}/ngx_http_lua_module.so;
load_module {MODULES}/ngx_http_js_module.so;
worker_cpu_affinity 01;
events {{ worker_connections 2048; }}
http {{
@TEMPORARY@
    access_log off;
    keepalive_requests 100000000;
    wazo_auth_config @CONFIG@;
    wazo_auth_zone tokens:64m;
    lua_package_path "/usr/share/lua/5.1/?.lua;;";
    lua_shared_dict answers 32m;
    js_import peers from @FOLDER@/peers.js;
    upstream authority {{ server 127.0.0.1:@AUTHORITY@; keepalive 64; keepalive_requests 100000000; }}
    server {{
        listen 127.0.0.1:@PORT@;
        location = /ungated {{ alias @FOLDER@/answer; }}
        location = /gated {{ wazo_auth on; wazo_auth_acl @REQUIRED@; alias @FOLDER@/answer; }}
        location = /auth_request {{ auth_request /ask; alias @FOLDER@/answer; }}
        location = /njs {{ js_content peers.gate; }}
        location = /lua {{
            access_by_lua_block {{
                local token = ngx.var.http_x_auth_token
                if not token then return ngx.exit(401) end
                local answers = ngx.shared.answers
                local known = answers:get(token)
                if known == nil then
                    known = ngx.location.capture("/ask").status == 204
                    answers:set(token, known, 10)
                end
                if not known then return ngx.exit(401) end
            }}
            alias @FOLDER@/answer;
        }}
        location = /ask {{
            internal;
            proxy_method HEAD;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Content-Length "";
            proxy_pass_request_body off;
            proxy_pass http://authority/0.1/token/$http_x_auth_token?scope=@REQUIRED@;
        }}
        location = /inside {{ internal; alias @FOLDER@/answer; }}
    }}
}}
"""

NJS = """\
async function gate(r) {
    const answer = await r.subrequest('/ask', {method: 'HEAD'});
    if (answer.status == 204) r.internalRedirect('/inside');
    else r.return(401);
}
export default {gate};
"""


def main():
    report = bench.Report()
    site = load.Bench(servers.BUILD)
    folder, nginx = site.folder / 'peers', None
    try:
        site.start()
        folder.mkdir()
        (folder / 'answer').write_text('answer\n')
        (folder / 'peers.js').write_text(NJS)
        values = {
            'WORKERS': 1,
            'LOG_LEVEL': 'warn',
            'PORT': servers.free_port(),
            'AUTHORITY': site.first.api_port,
            'REQUIRED': load.REQUIRED,
            'CONFIG': site.first.folder / 'config.yml',
        }
        nginx = servers.Nginx(folder, servers.BUILD, CONF, None, values)
        nginx.start()
        tokens = site.tokens()[:1000]
        load.touch(values['PORT'], '/gated', tokens)
        ways = ('ungated', 'gated', 'lua', 'auth_request', 'njs')
        runs = {way: [] for way in ways}
        for _ in range(PAIRS):
            for way in ways:
                before = sum(map(servers.cpu_seconds, site.first.workers()))
                run = wrk(nginx, values['PORT'], lua_requests('GET', f'/{way}', tokens), SECONDS)
                assert not run['errors'], (way, run)
                asked = sum(map(servers.cpu_seconds, site.first.workers())) - before
                runs[way].append({**run, 'asked_us': asked / run['count'] * 1e6})
        for way in ways:
            rate, cpu, asked = (bench.spread([run[key] for run in runs[way]]) for key in ('rate', 'cpu_us', 'asked_us'))
            report.note(way, f'{rate} req/s, {cpu} us CPU; the authority {asked} us')
            ratio = median([run['rate'] / plain['rate'] for run, plain in zip(runs[way], runs['ungated'])])
            report.note('', f'{ratio:.2f} of ungated')
    finally:
        if nginx:
            nginx.stop()
        site.close()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
