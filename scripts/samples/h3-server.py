"""HTTP/3 server: answers every request with a page of 40 kB.

usage: h3-server.py CERTIFICATE KEY ADDRESS...
"""

import asyncio
import sys

from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated

PAGE = b"<!doctype html><title>sample</title><p>" + b"served over HTTP/3 " * 2100


class Server(QuicConnectionProtocol):
    http = None

    def quic_event_received(self, event):
        if isinstance(event, ProtocolNegotiated) and event.alpn_protocol in H3_ALPN:
            self.http = H3Connection(self._quic)
        if self.http is None:
            return
        for answer in self.http.handle_event(event):
            if isinstance(answer, HeadersReceived):
                headers = [(b":status", b"200"), (b"content-type", b"text/html")]
                self.http.send_headers(answer.stream_id, headers)
                self.http.send_data(answer.stream_id, PAGE, end_stream=True)
                self.transmit()


async def main(certificate, key, *addresses):
    configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN)
    configuration.load_cert_chain(certificate, key)
    for address in addresses:
        await serve(address, 443, configuration=configuration, create_protocol=Server)
    await asyncio.Future()


asyncio.run(main(*sys.argv[1:]))
