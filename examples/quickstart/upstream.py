"""An application that knows nothing of signing in: it reports what reached it, and says back what it hears on a WebSocket."""

import base64
import contextlib
import hashlib
import http.server
import json
import sys
import time


class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        if self.headers.get("Upgrade", "").lower() == "websocket":
            return self.echo()
        self.skip_body()
        seen = {"method": self.command, "path": self.path, "headers": self.headers.items()}
        body = (json.dumps(seen, indent=1) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def skip_body(self):
        """To its end, so that nothing of it is taken for the next request. What stands behind one in pieces is no header."""
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        while size := int(self.rfile.readline().split(b";")[0], 16):
            self.rfile.read(size + 2)
        while self.rfile.readline().strip():
            pass

    def echo(self):
        accept = self.headers.get("Sec-WebSocket-Key", "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(accept.encode()).digest()).decode())
        self.end_headers()
        self.close_connection = True
        # authd says for how many seconds it may stay open.
        age = self.headers.get("X-Auth-Max-Age")
        ends = time.monotonic() + int(age) if age else None
        with contextlib.suppress(TimeoutError):
            while True:
                self.connection.settimeout(max(ends - time.monotonic(), 0.001) if ends else None)
                if not (heard := self.rfile.read1()):
                    break
                self.wfile.write(heard)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def log_message(self, *_):
        pass


port = int(sys.argv[1]) if len(sys.argv) > 1 else 8090
http.server.ThreadingHTTPServer(("127.0.0.1", port), Echo).serve_forever()
