// The WebSocket through the official JavaScript client.
//
//   node websocket.mjs <scenario> <base URL> <direct base URL> <channel id> <password> <database>
//
// in the folder where the client is installed. The first address may fail on demand, the second is the server's own.
// Prints one JSON object for each step, and requests help with {"ask": ...}; the reply is a line.
// Ends with 1 and the reason at the first step that fails.

import assert from 'node:assert/strict';
import {createRequire} from 'node:module';
import process from 'node:process';
import readline from 'node:readline';
import {setTimeout as sleep} from 'node:timers/promises';

const [scenario, base, direct, channel, password, database] = process.argv.slice(2);
const load = createRequire(`${process.cwd()}/`);
const {Client4, WebSocketClient} = load('@mattermost/client');

// Globals of a browser.
globalThis.WebSocket = load('ws');
globalThis.CloseEvent ??= class extends Event {
    constructor(type, {code}) {
        super(type);
        this.code = code;
    }
};

const say = console.log;
console.log = console.error;

const answers = readline.createInterface({input: process.stdin})[Symbol.asyncIterator]();
const ask = async (what) => {
    say(JSON.stringify({ask: what}));
    return (await answers.next()).value;
};

const PATIENCE_MS = 20_000;
const until = async (what, isSo) => {
    for (const end = Date.now() + PATIENCE_MS; !isSo(); await sleep(10)) {
        assert.ok(Date.now() < end, `in vain: ${what}`);
    }
};

const logIn = async (name) => {
    const client = new Client4();
    client.setUrl(direct);
    const user = await client.login(name, password);
    return {client, id: user.id, token: client.getToken()};
};

// A client that records its events.
const open = (site, token) => {
    const socket = new WebSocketClient({
        minWebSocketRetryTime: 100,
        maxWebSocketRetryTime: 500,
        reconnectJitterRange: 50,
        clientPingInterval: 10_000,
    });
    const seen = {socket, events: [], first: 0, again: 0, missed: 0, closes: []};
    socket.addMessageListener((event) => seen.events.push(event));
    socket.addFirstConnectListener(() => seen.first++);
    socket.addReconnectListener(() => seen.again++);
    socket.addMissedMessageListener(() => seen.missed++);
    socket.addCloseListener(() => seen.closes.push(socket.lastErrCode));
    socket.initialize(`${site.replace('http', 'ws')}/api/v4/websocket`, token);
    return seen;
};

const reply = (run) => new Promise((resolve) => run(resolve));
const typings = ({events}) => events.filter(({event}) => event === 'typing').map(({data}) => data.parent_id);
const hellos = ({events}) => events.filter(({event}) => event === 'hello');
const typeIn = async (writer, ...texts) => {
    for (const text of texts) {
        const answer = await reply((done) => writer.socket.userTyping(channel, text, done));
        assert.equal(answer.status, 'OK', JSON.stringify(answer));
    }
};

const [anna, bert] = await Promise.all([logIn('anna'), logIn('bert')]);
let reader;
let writer;
let id;

const connect = async () => {
    reader = open(base, anna.token);
    writer = open(direct, bert.token);
    await until('both are greeted', () => hellos(reader).length === 1 && hellos(writer).length === 1);
    id = reader.socket.connectionId;
    assert.match(id, /^[a-z0-9]{26}$/);
    assert.deepEqual([reader.first, reader.again, reader.missed], [1, 0, 0]);
};

// Disconnected until `meanwhile` ends.
const drop = async (meanwhile) => {
    const closes = reader.closes.length;
    await ask('cut');
    await until('the drop is noticed', () => reader.closes.length > closes);
    await meanwhile();
    const again = reader.again;
    await ask('restore');
    await until('it is connected again', () => reader.again > again);
};

const startsAnew = async (hello) => {
    await until('it is greeted again', () => hellos(reader).length === hello);
    assert.equal(reader.missed, hello - 1);
    assert.notEqual(reader.socket.connectionId, id);
};

const scenarios = {
    lasting: {
        connect,
        async ping_is_answered() {
            const {status, data} = await reply((done) => reader.socket.ping(done));
            assert.deepEqual([status, data.text, data.version], ['OK', 'pong', '11.6.0']);
            await until('the client knows it', () => !reader.socket.waitingForPong);
        },
        async event_arrives() {
            const viewed = await reply((done) => reader.socket.updateActiveChannel(channel, done));
            assert.equal(viewed.status, 'OK');
            await typeIn(writer, 'one');
            await until('the event is there', () => typings(reader).length === 1);
            const {data, broadcast} = reader.events.find(({event}) => event === 'typing');
            assert.deepEqual([data.user_id, data.parent_id, broadcast.channel_id], [bert.id, 'one', channel]);
            assert.deepEqual(typings(writer), []);
        },
        async refusal_has_an_id() {
            const {status, error} = await reply((done) => reader.socket.userTyping('z'.repeat(26), '', done));
            assert.deepEqual([status, error.id], ['FAIL', 'api.websocket_handler.invalid_param.app_error']);
        },
        async what_was_missed_arrives_once_and_in_order() {
            await drop(() => typeIn(writer, 'two', 'three', 'four'));
            await typeIn(writer, 'five');
            await until('all events are there', () => typings(reader).length >= 5);
            await reply((done) => reader.socket.ping(done));
            assert.deepEqual(typings(reader), ['one', 'two', 'three', 'four', 'five']);
            assert.deepEqual([reader.socket.connectionId, reader.missed, hellos(reader).length], [id, 0, 1]);
        },
        async drop_without_events_is_not_noticed() {
            await drop(async () => {});
            await typeIn(writer, 'six');
            await until('the event is there', () => typings(reader).at(-1) === 'six');
            assert.deepEqual([reader.socket.connectionId, reader.missed, hellos(reader).length], [id, 0, 1]);
        },
        // A connection outlasts its server on a database that servers share.
        async restart_is_a_new_start_or_none() {
            const [closes, again] = [reader.closes.length, reader.again];
            const fresh = await ask('restart');
            assert.equal(reader.closes[closes], '1012');
            if (database === 'postgres') {
                await until('it is connected again', () => reader.again > again);
            } else {
                await startsAnew(2);
            }
            writer.socket.close();
            writer = open(fresh, bert.token);
            await until('the other is greeted', () => hellos(writer).length === 1);
            await typeIn(writer, 'seven');
            await until('the event is there', () => typings(reader).at(-1) === 'seven');
            if (database === 'postgres') {
                assert.deepEqual([reader.socket.connectionId, reader.missed, hellos(reader).length], [id, 0, 1]);
            }
        },
        async revoked_session_is_closed_at_once() {
            const client = new Client4();
            client.setUrl(base);
            await client.login('anna', password);
            const sessions = await client.getSessions(anna.id);
            // The last number is that of the client, the one before it that of the socket.
            const revoked = sessions.sort((one, other) => one.create_at - other.create_at).at(-2);
            const closes = reader.closes.length;
            const begun = Date.now();
            await client.revokeSession(anna.id, revoked.id);
            await until('the socket is closed', () => reader.closes.length > closes);
            assert.ok(Date.now() - begun < 1_000, `it took ${Date.now() - begun} ms`);
            assert.equal(reader.closes[closes], '1008');
        },
        async revoked_session_stays_refused() {
            const [closes, events] = [reader.closes.length, reader.events.length];
            await until('it tries again and again', () => reader.closes.length >= closes + 3);
            assert.equal(reader.events.length, events);
        },
    },
    moving: {
        connect,
        async what_was_missed_arrives_at_another_server() {
            await typeIn(writer, 'one');
            await until('the event is there', () => typings(reader).length === 1);
            const there = await ask('kill');
            writer.socket.close();
            writer = open(there, bert.token);
            await until('the other is greeted', () => hellos(writer).length === 1);
            await typeIn(writer, 'two', 'three');
            await ask('restore');
            await until('it is connected again', () => reader.again === 1);
            await typeIn(writer, 'four');
            await until('all events are there', () => typings(reader).length >= 4);
            await reply((done) => reader.socket.ping(done));
            assert.deepEqual(typings(reader), ['one', 'two', 'three', 'four']);
            assert.deepEqual([reader.socket.connectionId, reader.missed, hellos(reader).length], [id, 0, 1]);
        },
    },
    forgetful: {
        connect,
        async longer_drop_is_a_new_start() {
            // A socket that connects a moment after a publication gets the event too.
            const witness = open(direct, anna.token);
            await until('the witness is greeted', () => hellos(witness).length === 1);
            await drop(async () => {
                await sleep(1_500);
                await typeIn(writer, 'one');
                await until('the event is out', () => typings(witness).length === 1);
            });
            witness.socket.close();
            await startsAnew(2);
            await typeIn(writer, 'two');
            await until('the event is there', () => typings(reader).length > 0);
            assert.deepEqual(typings(reader), ['two']);
        },
    },
};

for (const [step, run] of Object.entries(scenarios[scenario])) {
    try {
        await run();
        say(JSON.stringify({step}));
    } catch (error) {
        console.error(`${step}: ${error.stack}`);
        process.exit(1);
    }
}
process.exit(0);
