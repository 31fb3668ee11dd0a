import {
  chmodSync,
  chownSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { connect, nkeyAuthenticator } from '@nats-io/transport-node';
import { Client } from 'pg';

import { temporaryFolder } from '../../../../test/support/temporary-folder.js';
import { checkoutFolder } from './checkout-folder.js';
import { seedFile } from './credential-files.js';
import { type DataFolder, openDataFolder } from './data-folder.js';
import { freePort } from './free-port.js';
import { type LocalServers, startLocalServers } from './local-servers.js';
import { findPostgres } from './postgres-binaries.js';
import { identityOf } from './system/process-identity.js';

let base: string;
let folder: DataFolder;
beforeAll(async () => {
  base = await temporaryFolder();
});
beforeEach(() => openFolder('data'));
afterEach(() => folder.close());
afterAll(() => rmSync(base, { recursive: true, force: true }));

/** Tests share a folder where they can: making a cluster takes a second, and more on a busy machine. */
async function openFolder(name: string): Promise<void> {
  folder = await openDataFolder(join(base, name));
}

function start(env: NodeJS.ProcessEnv = {}): Promise<LocalServers> {
  return startLocalServers({
    folder,
    checkout: checkoutFolder(),
    env: { ...process.env, ...env },
    users: [{ name: 'jobs', permissions: { publish: ['>'], subscribe: ['>'] }, responds: false }],
  });
}

async function answerOf(servers: LocalServers): Promise<unknown> {
  const client = new Client({ connectionString: servers.postgres.url });
  await client.connect();
  const { rows } = await client.query<{ who: string }>(
    "select current_user || '@' || current_database() as who",
  );
  await client.end();
  const seed = readFileSync(seedFile(folder.credentials, 'jobs'));
  const nats = await connect({
    servers: servers.nats.url,
    authenticator: nkeyAuthenticator(new Uint8Array(Buffer.from(seed.toString().trim()))),
  });
  await nats.flush();
  await nats.close();
  return rows[0]?.who;
}

/** A machine need not have a PostgreSQL of its own; the one from npm is always there. */
const hasSystem = await findPostgres({
  env: { ...process.env, HOLDFAST_POSTGRES: 'system' },
  checkout: checkoutFolder(),
}).then(
  () => true,
  () => false,
);
const origins = hasSystem ? ['system', 'embedded'] : ['embedded'];

describe.each(origins)('servers of a data folder, PostgreSQL: %s', (origin) => {
  it('start, take their users, stop, and start again quickly on the same ports', async () => {
    folder.close();
    await openFolder(origin);
    const env = { HOLDFAST_POSTGRES: origin };
    const first = await start(env);
    expect(await answerOf(first)).toBe('holdfast@holdfast');
    await first.stop();
    const again = await start(env);
    expect([again.nats.url, again.postgres.url]).toEqual([first.nats.url, first.postgres.url]);
    expect(await answerOf(again)).toBe('holdfast@holdfast');
    await again.stop();
    expect(readdirSync(folder.run)).toEqual([]);
  });
});

describe('servers of a data folder', () => {
  it('keep their secrets to their owner', async () => {
    const servers = await start();
    await servers.stop();
    const names = readdirSync(folder.credentials);
    expect(names.sort()).toEqual([
      'jobs.nk',
      'postgres-superuser.password',
      'postgres.password',
      'system.nk',
    ]);
    for (const name of names) {
      expect(statSync(join(folder.credentials, name)).mode & 0o777).toBe(0o600);
    }
  });

  it('take the place of what an earlier run has left', async () => {
    const left = await start();
    const pids = readdirSync(folder.run).map(
      (name) => JSON.parse(readFileSync(join(folder.run, name), 'utf8')) as { pid: number },
    );
    const again = await start();
    expect(pids.map(({ pid }) => identityOf(pid))).toEqual([undefined, undefined]);
    expect(again.nats.url).toBe(left.nats.url);
    expect(await answerOf(again)).toBe('holdfast@holdfast');
    await again.stop();
  });

  it("start where an earlier version gave PostgreSQL's user the whole folder", async () => {
    await (await start()).stop();
    folder.close();
    if (folder.postgresUser) {
      chownSync(folder.path, folder.postgresUser.uid, folder.postgresUser.gid);
    }
    chmodSync(folder.path, 0o700);
    await openFolder('data');
    const servers = await start();
    expect(await answerOf(servers)).toBe('holdfast@holdfast');
    await servers.stop();
  });

  it('are not started where somebody else runs them', async () => {
    const servers = await startLocalServers({
      folder,
      checkout: checkoutFolder(),
      env: process.env,
      users: [{ name: 'jobs', permissions: { publish: [], subscribe: [] }, responds: false }],
      external: { nats: 'nats://127.0.0.1:1', postgres: 'postgres://a:b@127.0.0.1:1/c' },
    });
    expect(servers.nats.url).toBe('nats://127.0.0.1:1');
    expect(readdirSync(folder.run)).toEqual([]);
    // Whoever runs it has to let us in.
    expect(readFileSync(join(folder.nats, 'users.conf'), 'utf8')).toContain('# jobs\n');
    expect(readdirSync(folder.credentials)).toContain('jobs.nk');
    await servers.stop();
  });

  it('refuse a cluster of a PostgreSQL that is not here, and name it', async () => {
    await (await start()).stop();
    const file = join(folder.postgres, 'PG_VERSION');
    const major = readFileSync(file);
    writeFileSync(file, '12\n');
    await expect(start()).rejects.toThrow(/needs PostgreSQL 12, whose files .* postgresql-12/);
    writeFileSync(file, major);
  });

  it('refuse a port that is in use', async () => {
    const servers = await start();
    const port = Number(new URL(servers.nats.url).port);
    const other = await openDataFolder(join(base, 'other'));
    try {
      const plan = { checkout: checkoutFolder(), env: process.env, users: [] };
      const ports = { nats: port, postgres: await freePort() };
      await expect(startLocalServers({ ...plan, folder: other, ports })).rejects.toThrow(
        `Port ${port}, which was asked for nats, is in use`,
      );
    } finally {
      other.close();
      await servers.stop();
    }
  });

  it('that do not start say why, and the other one is stopped', async () => {
    await (await start()).stop();
    writeFileSync(join(folder.postgres, 'global/pg_control'), 'broken');
    await expect(start()).rejects.toThrow(/PostgreSQL ended at its start[^]*pg_control/);
    expect(readdirSync(folder.run)).toEqual([]);
  });
});
