"""A mail server for tests. Its argument, a JSON object, sets its behaviour. It prints one JSON object for each event.

security     "", "STARTTLS" or "TLS"
certificate, key      files, with TLS
username, password    the credentials of senders; without them, all may send
mechanisms   the mechanisms for logging in
refuse       one of "sender", "recipient", "data"
"""

import asyncio
import json
import logging
import ssl
import sys
import warnings

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

# The server is unusual on purpose, so warnings are turned off.
warnings.simplefilter("ignore")
logging.disable()

WISH = json.loads(sys.argv[1])

WORDS = {
    "sender": "553 5.1.8 this sender is not welcome",
    "recipient": "550 5.1.1 nobody is called {0} here",
    "data": "452 4.3.1 the disk is full",
}


def tell(**what):
    print(json.dumps(what), flush=True)


class Handler:
    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        kept = [line for line in responses[:-1] if not line.startswith("250-AUTH")]
        # The server may offer mechanisms that it does not support.
        offered = WISH.get("mechanisms", ["PLAIN", "LOGIN"]) if "username" in WISH else []
        auth = ["250-AUTH " + " ".join(offered)] if offered else []
        return kept + auth + responses[-1:]

    def answer(self, step, about=""):
        return WORDS[step].format(about) if WISH.get("refuse") == step else "250 fine"

    async def handle_MAIL(self, server, session, envelope, address, options):
        envelope.mail_from = address
        return self.answer("sender")

    async def handle_RCPT(self, server, session, envelope, address, options):
        envelope.rcpt_tos.append(address)
        return self.answer("recipient", address)

    async def handle_DATA(self, server, session, envelope):
        tell(
            event="mail",
            hello=session.host_name,
            sender=envelope.mail_from,
            recipients=envelope.rcpt_tos,
            message=envelope.content.decode(),
            is_encrypted=session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None,
        )
        return self.answer("data")


async def main():
    security, username = WISH.get("security", ""), WISH.get("username")
    context = None
    if security:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(WISH["certificate"], WISH["key"])

    def authenticate(server, session, envelope, mechanism, data):
        given = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode())
        tell(event="login", mechanism=mechanism, given=given)
        is_right = given == (username, WISH["password"])
        return AuthResult(success=is_right, handled=False, auth_data=data)

    def protocol():
        return SMTP(
            Handler(),
            hostname="mail.test",
            require_starttls=security == "STARTTLS",
            tls_context=context if security == "STARTTLS" else None,
            authenticator=authenticate,
            auth_required=username is not None,
            auth_require_tls=False,
        )

    loop = asyncio.get_running_loop()
    wrapping = context if security == "TLS" else None
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=wrapping)
    tell(event="listening", port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main())
