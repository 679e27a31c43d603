// Tests of a client that logs in. Replace `request` with the client that you test.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startServer } from './server.mjs';

let server;

before(async () => {
    server = await startServer('--users', '2');
});

after(async () => {
    assert.equal(await server.stop(), 0);
});

function request(path, { token, body } = {}) {
    return fetch(`${server.url}/api/v4${path}`, {
        method: body ? 'POST' : 'GET',
        headers: token ? { Authorization: `Bearer ${token}` } : {},
        body: body && JSON.stringify(body),
    });
}

test('the administrator has a session', async () => {
    const me = await (await request('/users/me', { token: server.token })).json();
    assert.equal(me.username, server.admin.username);
});

test('a user logs in', async () => {
    const [user] = server.users;
    const login = await request('/users/login', { body: { login_id: user.username, password: server.password } });
    const me = await (await request('/users/me', { token: login.headers.get('token') })).json();
    assert.equal(me.id, user.id);
});

test('a wrong password is refused', async () => {
    const [, user] = server.users;
    const refused = await request('/users/login', { body: { login_id: user.username, password: 'wrong' } });
    assert.equal(refused.status, 401);
});
