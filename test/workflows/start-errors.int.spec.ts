import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { TestCluster, type ExitedUp } from '../cluster/cluster.js';
import { startNats } from '../support/nats.js';

let cluster: TestCluster;
let occupied: Server;
let port: number;

beforeAll(async () => {
  cluster = await TestCluster.prepare();
  // Takes connections and says nothing, as a stranger on that port would.
  occupied = createServer();
  await new Promise<void>((resolve) => occupied.listen(0, '127.0.0.1', resolve));
  port = (occupied.address() as AddressInfo).port;
});
afterAll(async () => {
  occupied?.close();
  await cluster?.stop();
});
afterEach(() => expect(cluster.processes()).toEqual([]));

/** One error of at most three lines, for a person; the exit code says that it is one. */
function expectError({ exitCode, said }: ExitedUp, message: RegExp): void {
  expect(exitCode).not.toBe(0);
  expect(said).toMatch(message);
  expect(said).not.toMatch(/\n\s+at \S|\.[jt]s:\d+/);
  expect(said.trim().split('\n').length).toBeLessThanOrEqual(3);
}

describe('`holdfast up` ends with a clear error and leaves no process', () => {
  it('where nothing answers at the NATS address', async () => {
    const ended = await cluster.upInVain(['--nats', 'nats://127.0.0.1:1']);
    expectError(ended, /Nothing answers at nats:\/\/127\.0\.0\.1:1/);
  });

  it('where the NATS server does not know the cluster, with the file that it needs', async () => {
    const nats = await startNats();
    try {
      const ended = await cluster.upInVain(['--nats', nats.url]);
      expectError(ended, /does not know this cluster\. Include .*nats\/users\.conf/);
    } finally {
      await nats.stop();
    }
  });

  it('where the NATS address is none', async () => {
    const ended = await cluster.upInVain(['--nats', 'nats://nowhere:port']);
    expectError(ended, /nats:\/\/nowhere:port/);
  });

  it('where nothing answers at the database address', async () => {
    const url = 'postgres://holdfast:not-a-secret@127.0.0.1:1/holdfast';
    const ended = await cluster.upInVain(['--database', url]);
    expectError(ended, /127\.0\.0\.1:1/);
    expect(ended.said).not.toContain('not-a-secret');
  });

  it('where nothing answers at that of HOLDFAST_DATABASE_URL, which no process list shows', async () => {
    const HOLDFAST_DATABASE_URL =
      'postgres://holdfast:not:a-secret@127.0.0.1:1/holdfast?password=not-a-secret';
    const ended = await cluster.upInVain([], { HOLDFAST_DATABASE_URL });
    expectError(ended, /Nothing answers at postgres:\/\/holdfast@127\.0\.0\.1:1\/holdfast\./);
    expect(ended.said).not.toContain('a-secret');
  });

  it('where a list of folders could not hold the data folder', async () => {
    const ended = await cluster.upInVain([], { HOLDFAST_DATA: `${cluster.path('work')}/a:b` });
    expectError(ended, /no "," and no ":", unlike .*a:b\. Name another one with --data\./);
  });

  it('where the database address is none', async () => {
    const ended = await cluster.upInVain(['--database', 'holdfast']);
    expectError(ended, /database|postgres/i);
  });

  it('where a port that it shall use is in use', async () => {
    for (const option of ['--nats-port', '--postgres-port']) {
      const ended = await cluster.upInVain([option, String(port)]);
      expectError(ended, new RegExp(`Port ${port}.*is in use`));
    }
  });

  it('where the data folder holds something else, which stays as it is', async () => {
    const folder = cluster.path('letters');
    mkdirSync(folder);
    writeFileSync(`${folder}/letter.txt`, 'Dear all,\n');
    const ended = await cluster.upInVain([], { HOLDFAST_DATA: folder });
    expectError(ended, /letters holds something that is not Holdfast's \("letter\.txt"\)/);
    expect(readdirSync(folder)).toEqual(['letter.txt']);
    const file = await cluster.upInVain([], { HOLDFAST_DATA: `${folder}/letter.txt` });
    expectError(file, /Cannot use .*letter\.txt as the data folder/);
  });

  it('where a setting is wrong', async () => {
    const ended = await cluster.upInVain([], { HOLDFAST_SILENCE_MS_MAX: 'long' });
    expectError(ended, /HOLDFAST_SILENCE_MS_MAX/);
    const tooLarge = await cluster.upInVain([], { HOLDFAST_DATA_BUFFER_BYTES: '2097152' });
    expectError(tooLarge, /agent did not start.*HOLDFAST_DATA_BUFFER_BYTES: .*1048576/);
    expectError(await cluster.upInVain(['--media-id', 'a b']), /media server's name/);
  });
});

describe('`holdfast up` on a data folder that exists', () => {
  beforeAll(async () => {
    await cluster.restart();
    await cluster.interrupt();
  });

  it('names the media server that its volumes belong to, and how to start as that', async () => {
    const ended = await cluster.upInVain(['--media-id', 'medai1']);
    expectError(
      ended,
      /belongs to media server "media1", this .* as "media1" \(--media-id.*--data/,
    );
  });

  it("says how PostgreSQL takes another password of its superuser where that one's is lost", async () => {
    rmSync(join(cluster.dataFolder, 'credentials/postgres-superuser.password'));
    const ended = await cluster.upInVain([]);
    expectError(ended, /PostgreSQL refuses the password in .*postgres-superuser\.password/);
    const command = ended.said.split('\n').find((line) => line.startsWith('echo "ALTER ROLE'));
    execFileSync('/bin/sh', ['-c', command!], { stdio: 'ignore' });
  });
});

describe('a second `holdfast up` on the same data folder', () => {
  it('is refused with the process that has it, and the first one goes on', async () => {
    await cluster.restart();
    const ended = await cluster.upInVain([]);
    expectError(ended, new RegExp(`Another Holdfast runs on .*process ${cluster.pid('up')}`));
    expect(await cluster.cli('status')).toMatchObject({ exitCode: 0, json: { well: true } });
    expect(await cluster.interrupt()).toMatchObject({ exitCode: 0 });
  });
});
