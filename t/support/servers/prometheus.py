"""Prometheus."""
import requests
import yaml

from .process import Server


class Prometheus(Server):
    """Scrapes /metrics of these targets each second, and evaluates the rules of a file as often."""

    name = 'prometheus'

    def __init__(self, folder, port, targets, rules):
        super().__init__(folder)
        self.port, self.targets, self.rules = port, targets, rules

    def prepare(self):
        (self.folder / self.rules.name).write_text(self.rules.read_text())
        (self.folder / 'prometheus.yml').write_text(
            yaml.safe_dump(
                {
                    'global': {'scrape_interval': '1s', 'evaluation_interval': '1s'},
                    'rule_files': [self.rules.name],
                    'scrape_configs': [{'job_name': 'wazo-auth', 'static_configs': [{'targets': self.targets}]}],
                }
            )
        )

    def argv(self):
        files = [f'--config.file={self.folder}/prometheus.yml', f'--storage.tsdb.path={self.folder}/data']
        return ['prometheus', *files, f'--web.listen-address=127.0.0.1:{self.port}']

    def ready(self):
        try:
            return requests.get(f'http://127.0.0.1:{self.port}/-/ready', timeout=2).status_code == 200
        except requests.ConnectionError:
            return False

    def query(self, expression):
        return self._ask('query', query=expression)

    def query_range(self, expression, start, end, step=1):
        return self._ask('query_range', query=expression, start=start, end=end, step=step)

    def _ask(self, what, **params):
        answer = requests.get(f'http://127.0.0.1:{self.port}/api/v1/{what}', params=params, timeout=20).json()
        assert answer['status'] == 'success', (params, answer)
        return answer['data']['result']
