"""Events, as a client of RabbitMQ gets them."""
import json
import threading
import time
import types

import pika


class Bus:
    """Collects what comes through exchange xivo; connects again when the broker was away."""

    def __init__(self, broker):
        self._broker = broker
        self.events = []
        self._changed = threading.Condition()
        self._connected = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._connected.wait(30), 'no connection to RabbitMQ'

    def _run(self):
        while not self._stopping:
            try:
                self._consume()
            except Exception:  # whatever pika raises while the broker is away
                self._connected.clear()
                time.sleep(0.3)

    def _consume(self):
        parameters = pika.URLParameters(self._broker.uri + '?heartbeat=0&blocked_connection_timeout=5')
        connection = pika.BlockingConnection(parameters)
        channel = connection.channel()
        channel.exchange_declare('xivo', 'topic', durable=True)
        # Durable, so that nothing is missed while this consumer connects again.
        channel.queue_declare('e2e', durable=True)
        channel.queue_bind('e2e', 'xivo', '#')
        self._connected.set()
        for method, properties, body in channel.consume('e2e', auto_ack=True, inactivity_timeout=0.2):
            if self._stopping:
                connection.close()
                return
            if method:
                tree = json.loads(body)
                event = types.SimpleNamespace(
                    name=tree.get('name'),
                    key=method.routing_key,
                    headers=properties.headers or {},
                    body=tree,
                    properties=properties,
                )
                with self._changed:
                    self.events.append(event)
                    self._changed.notify_all()

    def wait(self, name, predicate=None, timeout=10):
        """The first event of this name (since clear()) for which predicate(event) is true."""
        end = time.monotonic() + timeout
        with self._changed:
            while True:
                for event in self.events:
                    if event.name == name and (predicate is None or predicate(event)):
                        return event
                left = end - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    if time.monotonic() >= end:
                        raise TimeoutError(
                            f'no event {name} within {timeout} s; there were {[e.key for e in self.events]}'
                        )

    def clear(self):
        with self._changed:
            self.events.clear()

    def wait_connected(self, timeout=30):
        assert self._connected.wait(timeout), 'no connection to RabbitMQ'

    def close(self):
        self._stopping = True
        self._thread.join(5)
