"""Runs a program beside a PostgreSQL of its own: with_postgres.py PROGRAM [ARG...]

The program finds an empty database by WAZO_AUTH_TEST_DATABASE, a connection string.
"""
import os
import shutil
import subprocess
import sys

from support import servers


def main():
    folder = servers.temporary_folder()
    postgres = servers.Postgres(folder / 'postgres', servers.free_port(), durable=False)
    try:
        postgres.start()
        uri = postgres.create_database('calls', 'wazo-auth')
        return subprocess.run(sys.argv[1:], env=os.environ | {'WAZO_AUTH_TEST_DATABASE': uri}, check=False).returncode
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == '__main__':
    sys.exit(main())
