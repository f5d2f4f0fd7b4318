"""Web servers of the lab: HTTP and HTTPS on each address, 8 KiB for any path.

usage: lab-server.py CERTIFICATE KEY ADDRESS...
"""

import http.server
import socket
import ssl
import sys
import threading

BODY = b"made-up content of an update file\n" * 241


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def __init__(self, address, port, context):
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.context = context
        super().__init__((address, port), Answer)

    def finish_request(self, request, client_address):
        # The handshake takes place in the connection's own thread.
        if self.context:
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, *_):
        pass  # a client that goes away


def main(certificate, key, *addresses):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    for address in addresses:
        for port, tls in ((80, None), (443, context)):
            threading.Thread(target=Server(address, port, tls).serve_forever).start()


main(*sys.argv[1:])
