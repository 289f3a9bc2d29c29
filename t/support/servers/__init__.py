"""Private servers on loopback: PostgreSQL, Redis, RabbitMQ, a mail server, directories and nginx with the module.

Used by `./dev run` and by the tests. Every server lives in a folder of its own, is started in a session of its own, and
is only ever signalled by a process id whose start time still is the one that was written down. A server object that is
made again over the same folder finds the running server.
"""
from .certificates import Authority
from .clock import WallClock
from .mail import MailServer
from .nginx import Nginx, nginx_program, sanitized
from .oauth2 import OAuth2Provider
from .paths import BUILD, CHECKOUT, state_folder, temporary_folder
from .pgbouncer import PgBouncer
from .ports import ADDRESS, free_port, port_answers, port_is_free
from .postgres import Postgres, postgres_program, statement
from .process import Server, ServerError, cpu_seconds, family, signal_all, start_time, user_of_servers
from .prometheus import Prometheus
from .rabbitmq import RabbitMQ
from .redis import Redis
from .settings import template_settings, write_settings
from .slapd import Slapd
from .wait import wait_until

__all__ = [
    'ADDRESS',
    'Authority',
    'BUILD',
    'CHECKOUT',
    'MailServer',
    'Nginx',
    'OAuth2Provider',
    'PgBouncer',
    'Postgres',
    'Prometheus',
    'RabbitMQ',
    'Redis',
    'Server',
    'ServerError',
    'Slapd',
    'WallClock',
    'cpu_seconds',
    'family',
    'free_port',
    'nginx_program',
    'port_answers',
    'port_is_free',
    'postgres_program',
    'sanitized',
    'signal_all',
    'start_time',
    'state_folder',
    'statement',
    'template_settings',
    'temporary_folder',
    'user_of_servers',
    'wait_until',
    'write_settings',
]
