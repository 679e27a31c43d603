// Starts a server for the tests of one file. It ends with the process of these tests.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export async function startServer(...options) {
    const program = process.env.QUARTERDECK ?? 'quarterdeck';
    const child = spawn(program, ['serve', '--ephemeral', ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
    const failed = once(child, 'exit').then(([code]) => {
        throw new Error(`the server did not start: exit code ${code}`);
    });
    const [line] = await Promise.race([once(createInterface(child.stdout), 'line'), failed]);
    failed.catch(() => {});
    const stop = async () => {
        const ended = once(child, 'exit');
        child.kill();
        const [code] = await ended;
        return code;
    };
    return { ...JSON.parse(line), stop };
}
