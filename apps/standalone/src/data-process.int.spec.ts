import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { temporaryFolder } from '../../../test/support/temporary-folder.js';
import { DataProcess } from './data-process.js';

let base: string;
beforeAll(async () => {
  base = await temporaryFolder();
  mkdirSync(join(base, 'run'));
});
afterAll(() => rmSync(base, { recursive: true }));

describe('The log of an agent or a media server', () => {
  it('that has grown large is put aside at a start', async () => {
    const main = join(base, 'main.mjs');
    const text = "console.log('began'); process.send('ready'); setInterval(() => {}, 1_000);";
    writeFileSync(main, text);
    const logFile = join(base, 'agent.log');
    const size = 11 * 1024 * 1024;
    writeFileSync(logFile, Buffer.alloc(size, '.'));
    const runFolder = join(base, 'run');
    const agent = new DataProcess({
      name: 'agent',
      app: 'agent',
      main,
      env: {},
      runFolder,
      logFile,
    });
    await agent.start();
    await agent.stop();
    expect(statSync(`${logFile}.1`).size).toBe(size);
    expect(statSync(logFile).size).toBeLessThan(1_000);
  });
});
