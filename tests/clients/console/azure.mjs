// Azure Blob Storage as scenarios use it without the console.

import {createHmac} from 'node:crypto';

const VERSION = '2021-08-06';

/** Creates the container of settings. */
export async function createContainer({AzureEndpoint, AzureStorageAccount: account, AzureAccessKey: key, AzureContainer: container}) {
  const date = new Date().toUTCString();
  const path = `/${account}/${container}`;
  const unusedHeaders = '\n'.repeat(12);
  const text = `PUT${unusedHeaders}x-ms-date:${date}\nx-ms-version:${VERSION}\n/${account}${path}\nrestype:container`;
  const signature = createHmac('sha256', Buffer.from(key, 'base64')).update(text).digest('base64');
  const headers = { 'x-ms-date': date, 'x-ms-version': VERSION, Authorization: `SharedKey ${account}:${signature}` };
  const response = await fetch(`http://${AzureEndpoint}${path}?restype=container`, { method: 'PUT', headers });
  if (response.status !== 201) throw new Error(`the container was not created: ${response.status} ${await response.text()}`);
}
