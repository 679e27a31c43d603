// Licences through the official JavaScript client, as the System Console handles them.
//
//   node licenses.mjs <base URL> <password> <file with a licence>     in the folder where the client is installed
//
// Prints one JSON object for each step. Ends with 1 and the reason at the first that fails.

import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import process from 'node:process';

const [base, password, file] = process.argv.slice(2);
const {Client4} = createRequire(`${process.cwd()}/`)('@mattermost/client');

const client = new Client4();
client.setUrl(base);

const none = {IsLicensed: 'false'};
const text = readFileSync(file, 'utf8');
const refused = (call) => call.then(() => assert.fail('it was not refused'), (refusal) => refusal);

const steps = {
    async administrator_logs_in() {
        await client.createUser({username: 'anna', email: 'anna@chat.example', password}, '', '');
        await client.login('anna', password);
        assert.deepEqual(await client.getClientLicenseOld(), none);
    },
    async broken_licence_is_refused_and_changes_nothing() {
        const refusal = await refused(client.uploadLicense(new File([text.slice(4)], 'broken.mattermost-license')));
        const id = 'api.license.add_license.invalid.app_error';
        assert.deepEqual([refusal.status_code, refusal.server_error_id], [400, id], refusal.message);
        assert.deepEqual(await client.getClientLicenseOld(), none);
    },
    async licence_is_uploaded() {
        const uploaded = await client.uploadLicense(new File([text], 'bought.mattermost-license'));
        assert.equal(uploaded.customer.company, 'Example');
        const told = await client.getClientLicenseOld();
        assert.deepEqual([told.IsLicensed, told.Id, told.Company], ['true', uploaded.id, 'Example']);
        assert.deepEqual(Object.keys(await client.getLicenseLoadMetric()), ['load']);
    },
    async licence_is_removed() {
        assert.equal((await client.removeLicense()).status, 'OK');
        assert.deepEqual(await client.getClientLicenseOld(), none);
        assert.deepEqual(await client.getPrevTrialLicense(), none);
    },
    async trial_is_asked_for() {
        const wish = {users: 10, terms_accepted: true, receive_emails_accepted: false};
        assert.equal((await client.requestTrialLicense(wish)).data.status, 'OK');
        const told = await client.getClientLicenseOld();
        assert.deepEqual([told.IsLicensed, told.IsTrial], ['true', 'true']);
        assert.equal((await client.getPrevTrialLicense()).Id, told.Id);
    },
    async second_trial_is_refused() {
        const wish = {users: 10, terms_accepted: true, receive_emails_accepted: false};
        const refusal = await refused(client.requestTrialLicense(wish));
        const id = 'api.license.request-trial.can-start-trial.not-allowed';
        assert.deepEqual([refusal.status_code, refusal.server_error_id], [400, id], refusal.message);
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
