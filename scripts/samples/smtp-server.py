"""Mail server: takes every message and throws it away.

usage: smtp-server.py ADDRESS NAME
"""

import sys
import time

from aiosmtpd.controller import Controller


class Nowhere:
    async def handle_DATA(self, server, session, envelope):
        return "250 Ok"


Controller(Nowhere(), hostname=sys.argv[1], port=25, server_hostname=sys.argv[2]).start()
while True:
    time.sleep(60)
