// Accounts, sessions and tokens through the official JavaScript client.
//
//   node accounts.mjs <base URL> <password>     in the folder where the client is installed
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import assert from 'node:assert/strict';
import {createRequire} from 'node:module';
import process from 'node:process';

const [base, password] = process.argv.slice(2);
const {Client4} = createRequire(`${process.cwd()}/`)('@mattermost/client');

const newClient = (token = '') => {
    const client = new Client4();
    client.setUrl(base);
    client.setToken(token);
    return client;
};

const client = newClient();
const account = (name) => ({username: name, email: `${name}@chat.example`, password});
let me;
let token;

const steps = {
    async server_is_well() {
        const health = await client.ping(true);
        assert.deepEqual([health.status, health.database_status, health.filestore_status], ['OK', 'OK', 'OK']);
        assert.match(client.serverVersion, /^\d+\.\d+\.\d+\./);
    },
    async first_account_is_created() {
        const user = await client.createUser(account('anna'), '', '');
        assert.equal(user.username, 'anna');
        assert.deepEqual(user.roles.split(' ').sort(), ['system_admin', 'system_user']);
        assert.equal(user.password, undefined);
    },
    async wrong_password_is_refused() {
        await refused(client.login('anna', `${password}x`), 401, 'api.user.login.invalid_credentials_email_username');
        assert.equal(client.getToken(), '');
    },
    async login_gives_a_token() {
        me = await client.login('anna', password);
        assert.match(client.getToken(), /^[a-z0-9]{26}$/);
    },
    async me_is_who_logged_in() {
        const user = await client.getMe();
        assert.deepEqual([user.id, user.username, user.email], [me.id, 'anna', 'anna@chat.example']);
    },
    async admin_creates_an_account() {
        const user = await client.createUser(account('bert'), '', '');
        assert.equal(user.roles, 'system_user');
    },
    async what_a_page_needs_at_its_start_is_there() {
        const [config, license] = await Promise.all([client.getClientConfig(), client.getClientLicenseOld()]);
        assert.deepEqual([config.NoAccounts, config.Version, license.IsLicensed], ['false', '11.6.0', 'false']);
        const roles = await client.getRolesByNames(me.roles.split(' '));
        assert.ok(roles.some((role) => role.permissions.includes('manage_system')));
        assert.equal((await client.getStatus(me.id)).status, 'offline');
        const preferences = await client.getMyPreferences();
        assert.ok(preferences.some((preference) => preference.category === 'tutorial_step'));
    },
    async notices_are_told_and_counted_as_viewed() {
        assert.deepEqual(await client.getInProductNotices('a'.repeat(26), 'web', '11.6.0'), []);
        assert.equal((await client.updateNoticesAsViewed(['some_notice', 'another'])).status, 'OK');
        await refused(client.getInProductNotices('view', 'web', '11.6.0'), 400, 'api.context.invalid_url_param.app_error');
    },
    async preferences_are_saved() {
        const preference = {user_id: me.id, category: 'display_settings', name: 'use_military_time', value: 'true'};
        await client.savePreferences(me.id, [preference]);
        const found = (await client.getMyPreferences()).find((other) => other.name === preference.name);
        assert.equal(found.value, 'true');
    },
    async a_team_is_founded() {
        const team = await client.createTeam({name: 'crew', display_name: 'The crew', type: 'O'});
        assert.deepEqual((await client.getMyTeams()).map((mine) => mine.id), [team.id]);
        assert.equal((await client.getMyTeamMembers())[0].user_id, me.id);
        assert.equal((await client.getTeamByName('crew')).display_name, 'The crew');
    },
    async a_profile_is_patched_and_people_are_found() {
        assert.equal((await client.patchMe({nickname: 'Nan'})).nickname, 'Nan');
        const found = await client.searchUsers('an', {});
        assert.deepEqual(found.map((user) => user.username), ['anna']);
        assert.equal((await client.getUserByUsername('bert')).username, 'bert');
    },
    async sessions_are_listed() {
        const sessions = await client.getSessions(me.id);
        assert.equal(sessions.length, 1);
        assert.deepEqual([sessions[0].user_id, sessions[0].roles], [me.id, me.roles]);
    },
    async token_is_created() {
        token = await client.createUserAccessToken(me.id, 'for the build server');
        assert.match(token.token, /^[a-z0-9]{26}$/);
        assert.deepEqual([token.user_id, token.description, token.is_active], [me.id, 'for the build server', true]);
    },
    async token_is_listed_without_its_secret() {
        const tokens = await client.getUserAccessTokensForUser(me.id);
        assert.deepEqual(tokens.map((listed) => listed.id), [token.id]);
        assert.ok(!tokens[0].token);
    },
    async token_logs_in() {
        assert.equal((await newClient(token.token).getMe()).id, me.id);
    },
    async token_is_revoked() {
        assert.equal((await client.revokeUserAccessToken(token.id)).status, 'OK');
        assert.deepEqual(await client.getUserAccessTokensForUser(me.id), []);
    },
    async revoked_token_is_refused() {
        await refused(newClient(token.token).getMe(), 401, 'api.context.session_expired.app_error');
    },
    async logout_ends_the_session() {
        const spent = client.getToken();
        const response = await client.logout();
        assert.equal(response.status, 200);
        assert.equal(client.getToken(), '');
        client.setToken(spent);
    },
    async ended_session_is_refused() {
        await refused(client.getMe(), 401, 'api.context.session_expired.app_error');
    },
};

async function refused(call, status, id) {
    const error = await call.then(() => assert.fail('it was not refused'), (refusal) => refusal);
    assert.deepEqual([error.status_code, error.server_error_id], [status, id], error.message);
}

for (const [step, run] of Object.entries(steps)) {
    try {
        await run();
        console.log(JSON.stringify({step}));
    } catch (error) {
        console.error(`${step}: ${error.stack}`);
        process.exit(1);
    }
}
