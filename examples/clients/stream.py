#!/usr/bin/env python3
"""Follows a stream, and goes on where it was: over broken connections, over restarts of the
service, and over its own.

    stream.py URL [FILE]

URL is that of a stream, as http://localhost:8080/events/stream?source_type=repo. FILE keeps the
position. What comes is printed, a line of JSON each. Python 3.9 or newer, and nothing else.
"""

import http.client
import json
import os
import random
import sys
import time
import urllib.error
import urllib.request

SILENCE = 45  # seconds: three heartbeats; a connection that is silent for longer is dead
LONGEST_PAUSE = 30


def blocks(url, position):
    """One connection, to its end: what it brings, as (name, data, position)."""
    headers = {"Accept": "text/event-stream"}
    if position:
        headers["Last-Event-ID"] = position
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=SILENCE) as answer:
        name, data, newest = "message", [], position
        for line in answer:
            field, _, value = line.decode().rstrip("\n").partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                newest = value
            elif line == b"\n":  # Only now the block is whole, and its id counts.
                yield name, "\n".join(data), newest
                name, data = "message", []


def follow(url, position=None):
    """Every block, without an end, over as many connections as it takes."""
    tries = 0
    while True:
        least = 0
        try:
            for block in blocks(url, position):
                tries, position = 0, block[2]
                yield block
        except urllib.error.HTTPError as refusal:
            problem = refusal.read().decode()
            if refusal.code < 500:
                sys.exit(f"refused: {problem}")
            print(f"not now: {problem}", file=sys.stderr)
            least = int(refusal.headers.get("Retry-After") or 0)
        except (OSError, http.client.HTTPException) as error:
            print(f"broken: {error!r}", file=sys.stderr)
        back_off = min(LONGEST_PAUSE, 2**tries) * random.uniform(0.25, 0.5)
        tries = min(tries + 1, 10)
        time.sleep(max(least, back_off))


def main(url, file=None):
    position = None
    if file and os.path.exists(file):
        with open(file) as kept:
            position = json.load(kept)["position"]
    for name, data, position in follow(url, position):
        if name == "message" and data:
            print(data, flush=True)
        elif name == "reset":
            print(f"events may be missing: {data}", file=sys.stderr)
        # After the work, never before it: what is killed in between is told again, and not lost.
        if file and position:
            keep(file, position)


def keep(file, position):
    """Whole or not at all."""
    with open(f"{file}.new", "w") as new:
        json.dump({"position": position}, new)
    os.replace(f"{file}.new", file)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        pass
