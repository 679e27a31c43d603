// An upgrade through the official JavaScript client, in the order of the page of the System Console.
//
//   node upgrade.mjs <base URL> <password> <version of the release>     in the folder where the client is installed
//
// The account `admin` must exist. Prints one JSON object for each step. Ends with 1 and the reason at the first that
// fails.

import assert from 'node:assert/strict';
import {createRequire} from 'node:module';
import process from 'node:process';
import {setTimeout as pause} from 'node:timers/promises';

const [base, password, version] = process.argv.slice(2);
const {Client4} = createRequire(`${process.cwd()}/`)('@mattermost/client');

const client = new Client4();
client.setUrl(base);

const steps = {
    async administrator_logs_in() {
        await client.login('admin', password);
    },
    async upgrade_is_allowed_and_not_begun() {
        assert.equal((await client.isAllowedToUpgradeToEnterprise()).status, 'OK');
        assert.deepEqual(await client.upgradeToEnterpriseStatus(), {error: null, percentage: 0});
    },
    async upgrade_is_begun_and_followed_to_its_end() {
        assert.equal((await client.upgradeToEnterprise()).status, 'OK');
        let told;
        do {
            await pause(100);
            told = await client.upgradeToEnterpriseStatus();
            assert.equal(told.error, null);
        } while (told.percentage < 100);
    },
    async second_upgrade_is_refused() {
        const refusal = await client.upgradeToEnterprise().then(() => assert.fail('it was not refused'), (cause) => cause);
        assert.equal(refusal.status_code, 429, refusal.message);
    },
    async newer_server_answers() {
        assert.equal((await client.restartServer()).status, 'OK');
        const isNewer = async () => {
            try {
                await client.ping(false);
                return client.getServerVersion().includes(version);
            } catch {
                return false;
            }
        };
        while (!(await isNewer())) {
            await pause(100);
        }
        assert.equal((await client.getMe()).username, 'admin');
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
