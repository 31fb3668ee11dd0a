import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { until } from '../../../../test/support/until.js';
import { temporaryFolder } from '../../../../test/support/temporary-folder.js';
import { checkoutFolder } from './checkout-folder.js';
import { type ProcessPlan, startSupervised, stopLeftover } from './process-supervision.js';
import { identityOf, livingProcess, writePidFile } from './system/process-identity.js';

let folder: string;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function plan(script: string): ProcessPlan {
  return {
    name: 'a test process',
    command: '/bin/sh',
    args: ['-c', script],
    env: { PATH: '/usr/bin:/bin' },
    deathSignal: 'SIGKILL',
    stopSteps: [{ signal: 'SIGTERM', waitMs: 60_000 }],
    pidFile: join(folder, 'test.pid'),
    logFile: join(folder, 'test.log'),
  };
}

describe('a supervised process', () => {
  it('is asked to stop, and its pid file goes with it', async () => {
    const started = await startSupervised(
      plan('trap "exit 3" TERM; echo up; while :; do sleep 0.02; done'),
    );
    await until(() => readFileSync(join(folder, 'test.log'), 'utf8') === 'up\n');
    expect(livingProcess(join(folder, 'test.pid'))?.pid).toBe(started.pid);
    await started.stop();
    expect(await started.exited).toBe('exit code 3');
    expect(existsSync(join(folder, 'test.pid'))).toBe(false);
  });

  it('is killed where it does not listen', async () => {
    const started = await startSupervised({
      ...plan('trap "" TERM; echo up; while :; do sleep 0.02; done'),
      stopSteps: [{ signal: 'SIGTERM', waitMs: 300 }],
    });
    await until(() => readFileSync(join(folder, 'test.log'), 'utf8') === 'up\n');
    await started.stop();
    expect(await started.exited).toBe('signal SIGKILL');
  });

  it('has its log put aside while it runs, and goes on in an empty one', async () => {
    const log = join(folder, 'test.log');
    const first = Buffer.alloc(11 * 1024 * 1024, 'first\n');
    writeFileSync(log, first);
    writeFileSync(`${log}.1`, 'older');
    const script = 'until [ -e go ]; do sleep 0.02; done; echo second; sleep 60';
    const started = await startSupervised({ ...plan(script), cwd: folder, logCheckEveryMs: 20 });
    await until(() => statSync(log).size === 0);
    writeFileSync(join(folder, 'go'), '');
    await until(() => statSync(log).size > 0);
    await started.kill();
    expect(readFileSync(log, 'utf8')).toBe('second\n');
    expect(readFileSync(`${log}.1`).equals(first)).toBe(true);
  });

  it('that cannot be started is an error that names it', async () => {
    const missing = { ...plan(''), command: join(folder, 'missing') };
    const outcome = await startSupervised(missing).then(
      (started) => started.exited, // setpriv ran, and then did not find the command
      (error: Error) => error.message,
    );
    expect(outcome).toMatch(/exit code 127|Cannot start a test process/);
  });
});

describe('a process whose parent is killed with SIGKILL', () => {
  it('dies too', async () => {
    const code = pathToFileURL(
      join(checkoutFolder(), 'dist/apps/standalone/src/servers/process-supervision.js'),
    );
    const file = join(folder, 'parent.mjs');
    writeFileSync(
      file,
      `import { startSupervised } from '${code.href}';
       const plan = JSON.parse(process.argv[2]);
       console.log((await startSupervised(plan)).pid);
       setInterval(() => undefined, 1000);`,
    );
    const started = spawn(process.execPath, [file, JSON.stringify(plan('exec sleep 60'))]);
    const said: Buffer = await new Promise((resolve) => started.stdout.once('data', resolve));
    const pid = Number(said.toString());
    expect(identityOf(pid)).toBeDefined();
    started.kill('SIGKILL');
    await until(() => identityOf(pid) === undefined);
  });
});

describe('what an earlier run has left', () => {
  it('is stopped', async () => {
    const leftover = spawn('sleep', ['60']);
    const gone = new Promise((resolve) => leftover.once('exit', resolve));
    const file = join(folder, 'left.pid');
    writePidFile(file, leftover.pid ?? 0);
    expect(await stopLeftover(file, [{ signal: 'SIGTERM', waitMs: 60_000 }])).toBe(true);
    await gone;
    expect(existsSync(file)).toBe(false);
  });

  it('is not a stranger who has the same process id now', async () => {
    const stranger = spawn('sleep', ['60']);
    const file = join(folder, 'left.pid');
    writePidFile(file, stranger.pid ?? 0);
    writeFileSync(file, readFileSync(file, 'utf8').replace(/"startTime":"\d+"/, '"startTime":"1"'));
    expect(await stopLeftover(file, [])).toBe(false);
    expect(identityOf(stranger.pid ?? 0)).toBeDefined();
    stranger.kill('SIGKILL');
  });

  it('is nothing where the pid file was cut short', async () => {
    writeFileSync(join(folder, 'left.pid'), '{"pid":1,"sta');
    expect(await stopLeftover(join(folder, 'left.pid'), [])).toBe(false);
  });
});
