"""The WebSocket through the Python driver.

    python websocket.py <base URL> <channel id> <password>

Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.
"""

import asyncio
import json
import sys
from urllib.parse import urlsplit

import websockets
from mattermostdriver import Driver

base, channel_id, password = sys.argv[1:]
site = urlsplit(base)


def logged_in(login_id):
    driver = Driver({
        'scheme': site.scheme,
        'url': site.hostname,
        'port': site.port,
        'login_id': login_id,
        'password': password,
        'request_timeout': 30,
        # After a second without a message the driver sends an unsolicited pong.
        'timeout': 1,
    })
    driver.login()
    return driver


def say(step):
    print(json.dumps({'step': step}), flush=True)


anna, bert = logged_in('anna'), logged_in('bert')
heard = []
writing = []


async def write():
    # Longer than the server's limit for silence.
    await asyncio.sleep(4)
    async with websockets.connect(f'ws://{site.netloc}/api/v4/websocket') as socket:
        for seq, action, data in (
            (1, 'authentication_challenge', {'token': bert.client.token}),
            (2, 'user_typing', {'channel_id': channel_id, 'parent_id': ''}),
        ):
            await socket.send(json.dumps({'seq': seq, 'action': action, 'data': data}))
            while True:
                reply = json.loads(await socket.recv())
                if reply.get('seq_reply') == seq:
                    assert reply['status'] == 'OK', reply
                    break


async def handle(text):
    message = json.loads(text)
    heard.append(message)
    if message.get('event') == 'hello':
        assert message['seq'] == 0, message
        say('hello_arrives')
        writing.append(asyncio.get_running_loop().create_task(write()))
    if message.get('event') == 'typing':
        assert message['data']['user_id'] == bert.client.userid, message
        assert message['broadcast']['channel_id'] == channel_id, message
        say('event_arrives')
        anna.disconnect()


try:
    anna.init_websocket(handle)
    assert [message.get('event') for message in heard].count('hello') == 1, heard
    assert {'status': 'OK', 'seq_reply': 1} in heard, heard
    say('disconnected')
except Exception as error:
    sys.exit(f'{type(error).__name__}: {error}')
