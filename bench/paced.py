# SPDX-License-Identifier: Apache-2.0
"""Requests at a steady rate: they come at random moments, as many a second as asked for, over at most so many connections, and a
request's time counts from the moment it came, not from that at which a connection was free."""
import asyncio
import json
import random
import time
import urllib.parse


class _Run:
    def __init__(self, url, bodies, rate, connections, seconds):
        parts = urllib.parse.urlsplit(url)
        self.host, self.port, self.path = parts.hostname, parts.port, parts.path
        self.requests = [self._request(body) for body in bodies]
        self.rate, self.connections, self.seconds = rate, connections, seconds
        self.took, self.n_busy, self.n_late = [], 0, 0
        self.queue = None

    def _request(self, body):
        data = json.dumps(body).encode()
        return (f"POST {self.path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(data)}\r\n\r\n").encode() + data

    async def connection(self):
        reader, writer = await asyncio.open_connection(self.host, self.port)
        while True:
            came = await self.queue.get()
            if came is None:
                break
            writer.write(random.choice(self.requests))
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"paced: {head.decode()}")
            length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(length)
            self.took.append((time.perf_counter() - came) * 1e3)
            self.n_busy -= 1
        writer.close()

    async def main(self):
        self.queue = asyncio.Queue()
        tasks = [asyncio.create_task(self.connection()) for _ in range(self.connections)]
        rng, start = random.Random(1), time.perf_counter()
        moment = start
        while moment < start + self.seconds:
            moment += rng.expovariate(self.rate)
            await asyncio.sleep(max(0.0, moment - time.perf_counter()))
            self.n_late += self.n_busy >= self.connections
            self.n_busy += 1
            self.queue.put_nowait(moment)
        for _ in tasks:
            self.queue.put_nowait(None)
        await asyncio.gather(*tasks)
        return time.perf_counter() - start


def run(url, bodies, rate, connections, seconds):
    """(requests a second, p50 in ms, p99 in ms, how many found no connection free)"""
    own = _Run(url, bodies, rate, connections, seconds)
    took = asyncio.run(own.main())
    own.took.sort()
    return len(own.took) / took, own.took[len(own.took) // 2], own.took[int(len(own.took) * .99)], own.n_late
