"""What stands between a service and the instance, and does to answers what a network may do, or a bad proxy."""

import http.client
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


class Cut(Exception):
    """The connection is to be cut in the middle of this event."""


@contextmanager
def spoiled(
    target: str,
    spoil: Callable[[bytes, int], bytes] = lambda event, _: event,
    *,
    forgets: bool = False,
    hold: Callable[[str], object] = lambda _: None,
    change: Callable[[bytes, str], bytes] = lambda answer, _: answer,
    tls: ssl.SSLContext | None = None,
) -> Iterator[str]:
    """Stands between a service and the instance, and does to answers what a network may do, or a bad proxy.

    `spoil` says what is sent in place of an event of the change feed; with `forgets`, nothing of where the service was reaches the
    instance; answers are held until `hold` is done; `change` says what is sent in place of another answer. With `tls`, it speaks
    by that.
    """
    upstream = httpx.URL(target)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def _forward(self) -> None:
            connection = http.client.HTTPConnection(upstream.host, upstream.port, timeout=10)
            try:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                kept = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
                if forgets:
                    kept = {name: value for name, value in kept.items() if name.lower() != "last-event-id"}
                connection.request(self.command, self.path, body, kept)
                answer = connection.getresponse()
                hold(self.path)
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "content-length", "date", "server"):
                        self.send_header(name, value)
                self.send_header("connection", "close")
                self.end_headers()
                self.close_connection = True
                if self.path.startswith("/v1/changes"):
                    self._spoil(answer)
                else:
                    self.wfile.write(change(answer.read(), self.path))
            except OSError:
                self.close_connection = True
            finally:
                connection.close()

        def _spoil(self, answer: http.client.HTTPResponse) -> None:
            received, number = b"", 0
            while piece := answer.read1(65536):
                *events, received = (received + piece).split(b"\n\n")
                for event in events:
                    number += 1
                    try:
                        self.wfile.write(spoil(event + b"\n\n", number))
                    except Cut:
                        self.wfile.write(event[: len(event) // 2])
                        return

        do_GET = do_POST = _forward

    class Server(ThreadingHTTPServer):
        # As many connections at once as a test makes.
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
