// The configuration through the official JavaScript client, as the System Console does it.
//
//   node config.mjs <base URL> <password>     in the folder where the client is installed
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import assert from 'node:assert/strict';
import {createRequire} from 'node:module';
import process from 'node:process';

const [base, password] = process.argv.slice(2);
const {Client4} = createRequire(`${process.cwd()}/`)('@mattermost/client');

const client = new Client4();
client.setUrl(base);

const PLACEHOLDER = '*'.repeat(32);
let config;

const steps = {
    async administrator_logs_in() {
        await client.createUser({username: 'anna', email: 'anna@chat.example', password}, '', '');
        await client.login('anna', password);
    },
    async configuration_is_read() {
        config = await client.getConfig();
        assert.equal(config.TeamSettings.SiteName, 'Mattermost');
        assert.equal(config.SqlSettings.DataSource, PLACEHOLDER);
    },
    async one_setting_is_patched() {
        const patch = {TeamSettings: {SiteName: 'The bridge'}, EmailSettings: {SMTPPassword: 'open-sesame'}};
        const patched = await client.patchConfig(patch);
        assert.equal(patched.TeamSettings.SiteName, 'The bridge');
        assert.equal(patched.EmailSettings.SMTPPassword, PLACEHOLDER);
    },
    async patch_is_seen_and_nothing_else_changed() {
        const expected = structuredClone(config);
        expected.TeamSettings.SiteName = 'The bridge';
        expected.EmailSettings.SMTPPassword = PLACEHOLDER;
        config = await client.getConfig();
        assert.deepEqual(config, expected);
        assert.equal((await client.getClientConfig()).SiteName, 'The bridge');
    },
    async whole_configuration_is_sent_back_unchanged() {
        assert.deepEqual(await client.updateConfig(config), config);
        assert.deepEqual(await client.getConfig(), config);
    },
    async one_value_of_the_whole_is_changed() {
        config.ServiceSettings.EnableUserAccessTokens = true;
        assert.deepEqual(await client.updateConfig(config), config);
        assert.deepEqual(await client.getConfig(), config);
    },
    async broken_configuration_is_refused() {
        const call = client.patchConfig({PasswordSettings: {MinimumLength: 1}});
        const error = await call.then(() => assert.fail('it was not refused'), (refusal) => refusal);
        const id = 'model.config.is_valid.password_length.app_error';
        assert.deepEqual([error.status_code, error.server_error_id], [400, id], error.message);
        assert.deepEqual(await client.getConfig(), config);
    },
    async reload_changes_nothing() {
        assert.equal((await client.reloadConfig()).status, 'OK');
        assert.deepEqual(await client.getConfig(), config);
    },
    async audit_trail_tells_what_was_done() {
        const [newest, ...earlier] = await client.getAudits(0, 60);
        const keys = ['action', 'create_at', 'extra_info', 'id', 'ip_address', 'session_id', 'user_id'];
        assert.deepEqual(Object.keys(newest).sort(), keys);
        assert.deepEqual([newest.action, newest.extra_info], ['/api/v4/config/reload', 'configReload success']);
        assert.equal(earlier.at(-1).extra_info, 'createUser success');
        assert.deepEqual(await client.getAudits(9, 60), []);
    },
    async mail_settings_are_tried_before_they_are_saved() {
        const refused = (call) => call.then(() => assert.fail('it was not refused'), (refusal) => refusal);
        // No server listens there.
        const tried = {...config, EmailSettings: {...config.EmailSettings, SMTPServer: '127.0.0.1', SMTPPort: '1'}};
        const hidden = await refused(client.testEmail(tried));
        const id = 'api.admin.test_email.reenter_password';
        assert.deepEqual([hidden.status_code, hidden.server_error_id], [400, id], hidden.message);
        tried.EmailSettings.SMTPPassword = 'open-sesame';
        const failed = await refused(client.testEmail(tried));
        const failure = 'app.admin.test_email.failure';
        assert.deepEqual([failed.status_code, failed.server_error_id], [500, failure], failed.message);
        assert.match(failed.message, /connect: the server cannot be reached/);
        assert.deepEqual(await client.getConfig(), config);
    },
    async storage_settings_are_tried_before_they_are_saved() {
        assert.equal((await client.testS3Connection()).status, 'OK');
        assert.equal((await client.testS3Connection(config)).status, 'OK');
        const tried = {...config, FileSettings: {...config.FileSettings, DriverName: 'amazons3'}};
        const refusal = await client.testS3Connection(tried).then(() => assert.fail('it was not refused'), (refusal) => refusal);
        assert.deepEqual([refusal.status_code, refusal.server_error_id], [400, 'api.admin.test_s3.missing_s3_bucket']);
        assert.deepEqual(await client.getConfig(), config);
    },
    async own_site_is_a_live_site() {
        assert.equal((await client.testSiteURL(client.getUrl())).status, 'OK');
    },
    async test_notification_is_sent() {
        assert.equal((await client.sendTestNotificaiton()).status, 'OK');
    },
    async pinned_settings_are_marked() {
        const pinned = await client.getEnvironmentConfig();
        assert.equal(pinned.SqlSettings.DataSource, true);
        assert.equal(pinned.TeamSettings, undefined);
    },
};

for (const [step, run] of Object.entries(steps)) {
    try {
        await run();
        console.log(JSON.stringify({step}));
    } catch (error) {
        console.error(`${step}: ${error.stack}`);
        process.exit(1);
    }
}
