import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { within } from '#service/within.js';
import { temporaryFolder } from '../../../test/support/temporary-folder.js';
import { until } from '../../../test/support/until.js';
import { DataProcess } from './data-process.js';

let base: string;
beforeAll(async () => {
  base = await temporaryFolder();
  mkdirSync(join(base, 'run'));
});
afterAll(() => rmSync(base, { recursive: true }));

describe('A media server that takes long to start', () => {
  it('is waited for, and that is said', async () => {
    const main = join(base, 'slow.mjs');
    const go = join(base, 'go');
    const look = `if (existsSync(${JSON.stringify(go)})) process.send('ready');`;
    const code = `console.log('making the index anew'); setInterval(() => { ${look} }, 20);`;
    writeFileSync(main, `import { existsSync } from 'node:fs'; ${code}`);
    const said: string[] = [];
    const keep = (...words: unknown[]) => void said.push(words.join(' '));
    Logger.overrideLogger({ log: keep, warn: keep, error: keep, fatal: keep });
    const logFile = join(base, 'media.log');
    const runFolder = join(base, 'run');
    const plan = { name: 'media', app: 'media', main, env: {}, runFolder, logFile } as const;
    const media = new DataProcess({ ...plan, waitingSaidEveryMs: 100 });
    const starting = media.start();
    await until(() => said.some((line) => /waiting for it.*making the index anew/.test(line)));
    writeFileSync(go, '');
    await starting;
    await media.stop();
    Logger.overrideLogger(['error', 'warn', 'log']);
  });
});

describe('A media server whose files hang', () => {
  it('goes on with others', async () => {
    const fifo = join(base, 'hangs');
    execFileSync('mkfifo', [fifo]);
    const main = join(base, 'hangs.mjs');
    const text = `
      import { readFile } from 'node:fs/promises';
      for (let times = 0; times < 8; times += 1) void readFile(${JSON.stringify(fifo)});
      await readFile(${JSON.stringify(main)});
      process.send('ready');
    `;
    writeFileSync(main, text);
    const logFile = join(base, 'hangs.log');
    const runFolder = join(base, 'run');
    const plan = { name: 'media', app: 'media', main, env: {}, runFolder, logFile } as const;
    const media = new DataProcess(plan);
    expect(
      await within(
        20_000,
        media.start().then(() => 'ready'),
      ),
    ).toBe('ready');
    await media.stop();
  });
});

describe('A media server that does not start', () => {
  it('is quoted, with the full stop that it made itself', async () => {
    const main = join(base, 'refuses.mjs');
    writeFileSync(main, "console.log('Nobody may write to /volume.'); process.exit(1);");
    const logFile = join(base, 'refuses.log');
    const runFolder = join(base, 'run');
    const plan = { name: 'media', app: 'media', main, env: {}, runFolder, logFile } as const;
    const what = /It said: Nobody may write to \/volume\. Its log: /;
    await expect(new DataProcess(plan).start()).rejects.toThrow(what);
  });
});

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
