#!/usr/bin/env python3
"""A gateway of your own: it hears of events by Redis, fetches them by cursor, and fills from the log
what Redis has lost.

    gateway.py SERVICE REDIS SOURCE_TYPE SOURCE_ID

as in: gateway.py http://localhost:8080 redis://localhost:6379 repo octocat/hello-world
Each event is printed as a line of JSON. Needs the package `redis`.
"""

import datetime
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import redis

FILL_EVERY = 30  # seconds: so late is the latest of what Redis has lost
GATHER = 0.005  # seconds in which cursors gather for one request
MOST = 500  # cursors in one request (reader.max_fetch)
PAGE = 1000  # events in one page of the log
PATIENCE = 10  # seconds for an answer


class Gateway:
    def __init__(self, service, source_type, source_id):
        self.service = service
        self.source = {"source_type": source_type, "source_id": source_id}
        self.position = "time:" + datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
        self.had = set()  # cursors behind the position: the log will tell of them again
        self.fill_at = 0.0

    def deliver(self, found):
        if found["cursor"] not in self.had and not self.is_past(found["cursor"]):
            self.had.add(found["cursor"])
            print(json.dumps(found), flush=True)

    def is_past(self, cursor):
        """Whether a fill has had it: of its partition, the position is as far."""
        partition, offset = cursor.split("-")
        places = dict(place.split("-", 1) for place in self.position.split(","))
        last = places.get(partition, "none")  # "none", too, where there was nothing yet
        return last != "none" and int(last) >= int(offset)

    def fetch(self, cursors):
        """The fast way: what was announced, in one request."""
        for result in self.ask("/events/fetch", {"cursors": cursors})["results"]:
            if result["status"] == "found":
                self.deliver({name: result[name] for name in ("cursor", "time", "event")})
            else:
                self.fill_at = 0.0  # not to be had now: the log will tell

    def fill(self):
        """The complete way: everything behind the position, page by page."""
        while True:
            query = urllib.parse.urlencode({**self.source, "after": self.position, "limit": PAGE})
            page = self.ask(f"/events?{query}")
            for found in page["events"]:
                self.deliver(found)
            self.position = page["next"]
            self.had = {cursor for cursor in self.had if not self.is_past(cursor)}
            if page["complete"] and len(page["events"]) < PAGE:
                self.fill_at = time.monotonic() + FILL_EVERY
                return

    def ask(self, path, body=None):
        request = urllib.request.Request(self.service + path)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def lost(self, problem):
        """Retention was faster. Goes on with what is left, and says so."""
        print(f"events are missing: {problem['detail']}", file=sys.stderr)
        self.position = problem["earliest"]


def hear(messages):
    """What has gathered: cursors, and whether some may have been missed."""
    cursors, missed = [], False
    message = messages.get_message(timeout=1)
    while message:
        if message["type"] == "subscribe":
            # At the start, and whenever the library has connected anew: nobody listened before.
            missed = True
        elif message["type"] == "message":
            cursor = json.loads(message["data"]).get("cursor")
            cursors += [cursor] if cursor else []
            missed |= cursor is None  # Kafka had it already and gave no offset
        message = messages.get_message(timeout=GATHER) if len(cursors) < MOST else None
    return cursors, missed


def run(gateway, client, channel):
    with client.pubsub() as messages:
        messages.subscribe(channel)
        while True:
            cursors, missed = hear(messages)
            try:
                if cursors:
                    gateway.fetch(cursors)
                if missed or time.monotonic() >= gateway.fill_at:
                    gateway.fill()
            except urllib.error.HTTPError as refusal:
                problem = json.load(refusal)
                if refusal.code == 410:
                    gateway.lost(problem)
                elif refusal.code < 500:
                    sys.exit(f"refused: {problem}")
                gateway.fill_at = 0.0
            except OSError as error:  # The service is away. The log keeps what comes meanwhile.
                print(f"broken: {error!r}", file=sys.stderr)
                gateway.fill_at = 0.0


def main(service, url, source_type, source_id):
    gateway = Gateway(service.rstrip("/"), source_type, source_id)
    client = redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5, health_check_interval=5)
    while True:
        try:
            run(gateway, client, f"events:{source_type}:{source_id}")
        except redis.RedisError as error:  # The next subscription fills what was lost meanwhile.
            print(f"Redis: {error!r}", file=sys.stderr)
            time.sleep(1)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        pass
