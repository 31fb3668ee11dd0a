import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';

import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';

import type { TaskResult } from '#contracts/job.js';
import type { JobHooks } from '#contracts/jobs/hooks.js';
import { SystemClock } from '#kernel/clock.js';
import { PermanentError } from '#kernel/errors.js';
import type { Requests } from '#messaging/requests.js';
import { openFiles } from '#storage/testing/small-volume.js';
import { until } from '../../../../test/support/until.js';
import { removeFolder, temporaryFolder } from '../../../../test/support/temporary-folder.js';
import { agentConfig, AgentConfig } from '../config.js';
import { AfterHooks } from './after-hooks.js';
import { BackupHooks, type HookedAttempt } from './backup-hooks.js';
import { HookRunner } from './hook-runner.js';
import { isStillRunning, processName } from './process-group.js';
import { runHook } from './run-hook.js';

let folder: string;
let hooks: string;
let count = 0;

beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => removeFolder(folder));
beforeEach(() => {
  reports = [];
  hooks = `${folder}/${(count += 1)}/hooks`;
  mkdirSync(hooks, { recursive: true, mode: 0o755 });
});

const agentFolder = () => `${folder}/${count}`;
const said = () => {
  const path = `${agentFolder()}/said`;
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
};
const notes = () => {
  const path = `${agentFolder()}/outstanding-hooks`;
  return existsSync(path) ? readdirSync(path) : [];
};

function script(name: string, body: string, mode = 0o755): string {
  writeFileSync(
    `${hooks}/${name}`,
    `#!/bin/sh\n${body.replaceAll('SAID', `${agentFolder()}/said`)}\n`,
  );
  chmodSync(`${hooks}/${name}`, mode);
  return `${hooks}/${name}`;
}

describe('a hook', () => {
  const run = async (path: string, more: Partial<Parameters<typeof runHook>[0]> = {}) => {
    const lines: string[] = [];
    const onLine = (line: string) => lines.push(line);
    const environment = { PATH: '/usr/bin:/bin' };
    const end = await runHook({ path, timeoutSeconds: 10, environment, onLine, ...more });
    return { end, lines };
  };

  it('runs without arguments or a shell, with its own environment alone', async () => {
    process.env['HOLDFAST_TEST_SECRET'] = 'secret';
    const { end, lines } = await run(
      script('env.sh', 'echo $# args; env; echo complaint >&2; exit 3'),
    );
    delete process.env['HOLDFAST_TEST_SECRET'];
    expect(end).toEqual({ type: 'exited', code: 3 });
    expect(lines).toEqual(expect.arrayContaining(['0 args', 'complaint', 'PATH=/usr/bin:/bin']));
    expect(lines.join('\n')).not.toContain('secret');
  });

  it('is ended with all that it started at its time-out, whoever ignores SIGTERM', async () => {
    const body = `trap '' TERM\necho $$ >>SAID\n(trap '' TERM; sleep 60) &\necho $! >>SAID\nwait\nwait`;
    const begun = performance.now();
    const { end } = await run(script('stuck.sh', body), { timeoutSeconds: 1, killAfterMs: 200 });
    expect(end).toEqual({ type: 'timed out', afterSeconds: 1 });
    expect(performance.now() - begun).toBeLessThan(30_000);
    const pids = said().map(Number);
    expect(pids.length).toBe(2);
    const isGone = (pid: number) =>
      !existsSync(`/proc/${pid}/stat`) || / Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    await until(() => pids.every(isGone));
  });

  it('is given up at its time-out where it runs as somebody else, whom the agent cannot end', async () => {
    const kill = jest.spyOn(process, 'kill').mockImplementation(() => {
      throw Object.assign(new Error('kill EPERM'), { code: 'EPERM' });
    });
    const begun = performance.now();
    try {
      const sudo = script('sudo.sh', 'exec sleep 12');
      const { end } = await run(sudo, { timeoutSeconds: 0.2, killAfterMs: 100 });
      expect(end).toEqual({ type: 'timed out', afterSeconds: 0.2 });
      expect(performance.now() - begun).toBeLessThan(10_000);
    } finally {
      kill.mockRestore();
    }
  });

  it('is stopped with its job, and not even begun after that', async () => {
    const abort = new AbortController();
    const running = run(script('long.sh', 'exec sleep 60'), { signal: abort.signal });
    setTimeout(() => abort.abort(), 50);
    expect((await running).end).toEqual({ type: 'stopped' });
    expect((await run(script('no.sh', 'echo x >>SAID'), { signal: abort.signal })).end).toEqual({
      type: 'stopped',
    });
    expect(said()).toEqual([]);
  });

  it('holds nobody up by what it leaves in the background', async () => {
    const begun = performance.now();
    const { end } = await run(script('daemon.sh', '(sleep 12; echo late) &\necho early'));
    expect(end).toEqual({ type: 'exited', code: 0 });
    expect(performance.now() - begun).toBeLessThan(10_000);
  });

  it('is not started when the program is not there that its first line names', async () => {
    writeFileSync(`${hooks}/odd`, '#!/no/such/shell\n', { mode: 0o755 });
    expect((await run(`${hooks}/odd`)).end).toEqual({
      type: 'not started',
      why: 'the program is not there that its first line names.',
    });
  });
});

function configOf(more: Record<string, string> = {}): AgentConfig {
  const variables = { HOLDFAST_CLIENT: 'web1', HOLDFAST_AGENT_FOLDER: agentFolder(), ...more };
  return new AgentConfig(agentConfig.parse(variables));
}

describe('a hook folder', () => {
  const objection = (name: string) => {
    const runner = new HookRunner(configOf());
    return runner.objection({ script: name, timeoutSeconds: 1 });
  };

  it('gives what its owner alone could have put there', async () => {
    script('good.sh', 'true');
    expect(await objection('good.sh')).toBeUndefined();
  });

  it('refuses everything else, and says what to do', async () => {
    expect(await objection('absent.sh')).toContain('there is no file absent.sh in the hook folder');
    chmodSync(script('open.sh', 'true'), 0o775);
    expect(await objection('open.sh')).toContain('Run: chmod go-w');
    script('plain.sh', 'true', 0o644);
    expect(await objection('plain.sh')).toContain('is not executable');
    symlinkSync('/bin/true', `${hooks}/link.sh`);
    expect(await objection('link.sh')).toContain('is no regular file');
    script('good.sh', 'true');
    chmodSync(hooks, 0o777);
    expect(await objection('good.sh')).toContain('can be written by others');
    hooks = `${folder}/nowhere`;
    const runner = new HookRunner(configOf({ HOLDFAST_AGENT_HOOKS: hooks }));
    expect(await runner.objection({ script: 'good.sh', timeoutSeconds: 1 })).toContain(
      'this client has no hook folder',
    );
  });
});

const GOOD: TaskResult = { status: 0, message: '', kind: 'full', fragments: 1, files: 1, bytes: 1 };
const both: JobHooks = {
  before: { script: 'freeze.sh', timeoutSeconds: 5 },
  after: { script: 'thaw.sh', timeoutSeconds: 5 },
};

/** What agents told the job manager by themselves. */
let reports: { lines: { text: string }[] }[] = [];

/** An agent process as far as hooks are concerned. */
function agent() {
  const config = configOf();
  const runner = new HookRunner(config);
  const call = (_: unknown, report: unknown) => {
    reports.push(report as { lines: { text: string }[] });
    return Promise.resolve({ goOn: false });
  };
  const requests = { call } as unknown as Requests;
  const afterHooks = new AfterHooks(config, runner, requests, new SystemClock());
  return { afterHooks, hooks: new BackupHooks(runner, afterHooks) };
}

function attemptOf(
  more: { hooks?: JobHooks; attempt?: number; signal?: AbortSignal } = {},
): HookedAttempt & { lines: string[]; paths: string[] } {
  const lines: string[] = [];
  const paths: string[] = [];
  return {
    task: {
      ...{ type: 'backup', job: 7, attempt: more.attempt ?? 1, token: 't'.repeat(20) },
      ...{ address: { host: 'h', port: 1 }, imageId: 'web1_1', kind: 'full', baseImageId: null },
      ...{ keepListings: [], policy: 'files', schedule: 'nightly', selections: ['/a'] },
      ...{ excludes: [], crossMountPoints: false, compressionLevel: 1, resume: null },
      hooks: more.hooks ?? both,
    },
    reporter: {
      log: (severity, text) => lines.push(`${severity}: ${text}`),
      progress: ({ currentPath }) => paths.push(currentPath ?? ''),
    },
    signal: more.signal ?? new AbortController().signal,
    ...{ lines, paths },
  };
}

describe('a backup between hooks', () => {
  beforeEach(() => {
    script('freeze.sh', 'echo freeze >>SAID; echo freezing');
    script('thaw.sh', 'echo thaw $HOLDFAST_JOB $HOLDFAST_STATUS $HOLDFAST_SCHEDULE >>SAID');
  });

  it('comes after the one and before the other, which knows how it ended', async () => {
    const attempt = attemptOf();
    const result = await agent().hooks.around(attempt, () => {
      writeFileSync(`${agentFolder()}/said`, 'backup\n', { flag: 'a' });
      expect(notes()).toEqual(['7-1.json']);
      return Promise.resolve(GOOD);
    });
    expect(result).toEqual(GOOD);
    expect(said()).toEqual(['freeze', 'backup', 'thaw 7 0 nightly']);
    expect(attempt.lines).toContain('info: freeze.sh: freezing');
    expect(attempt.paths).toEqual(['running hook freeze.sh', '', 'running hook thaw.sh', '']);
    expect(notes()).toEqual([]);
  });

  it('is thawed whatever became of it', async () => {
    const failed = agent().hooks.around(attemptOf(), () =>
      Promise.reject(new PermanentError(13, 'broken')),
    );
    await expect(failed).rejects.toThrow('broken');
    const none = { ...GOOD, status: 71 };
    expect(await agent().hooks.around(attemptOf(), () => Promise.resolve(none))).toEqual(none);
    const abort = new AbortController();
    const cancelled = agent().hooks.around(attemptOf({ signal: abort.signal }), () => {
      abort.abort();
      return Promise.reject(new Error('cut'));
    });
    await expect(cancelled).rejects.toThrow('cut');
    expect(said().filter((line) => line.startsWith('thaw'))).toEqual(
      [13, 71, 150].map((status) => `thaw 7 ${status} nightly`),
    );
  });

  it('does not begin when it cannot be frozen, or could not be thawed', async () => {
    const never = () => Promise.reject(new Error('it began'));
    script('freeze.sh', 'exit 4');
    await expect(agent().hooks.around(attemptOf(), never)).rejects.toMatchObject({
      status: 73,
      message: 'The hook freeze.sh ended with exit status 4.',
    });
    expect(said()).toEqual([]);
    expect(notes()).toEqual([]);
    script('freeze.sh', 'echo freeze >>SAID; exec sleep 60');
    const late = { ...both, before: { script: 'freeze.sh', timeoutSeconds: 1 } };
    await expect(agent().hooks.around(attemptOf({ hooks: late }), never)).rejects.toMatchObject({
      status: 74,
    });
    // Nobody knows how far the freeze had come.
    const thawed = said();
    expect(thawed.at(-1)).toBe('thaw 7 74 nightly');
    script('thaw.sh', 'true', 0o644);
    await expect(agent().hooks.around(attemptOf(), never)).rejects.toMatchObject({ status: 77 });
    expect(said()).toEqual(thawed);
  });

  it.each([
    ['exit 1', 5, 77],
    ['exec sleep 60', 0.2, 75],
  ])('is kept when the thaw fails (%s)', async (body, timeoutSeconds, status) => {
    script('thaw.sh', body);
    const hooks = { ...both, after: { script: 'thaw.sh', timeoutSeconds } };
    const result = await agent().hooks.around(attemptOf({ hooks }), () => Promise.resolve(GOOD));
    expect(result).toMatchObject({ status: 0, fragments: 1, afterwards: { status } });
    expect(notes()).toEqual([]);
  });

  it('is thawed by the next process when the agent died, once', async () => {
    // A process that froze, began, and was killed.
    void agent().hooks.around(attemptOf(), () => new Promise<TaskResult>(() => undefined));
    await until(() => said().length === 1);
    const next = agent();
    next.afterHooks.start();
    await until(() => said().length === 2 && notes().length === 0);
    expect(said()).toEqual(['freeze', 'thaw 7 50 nightly']);
    await until(() => reports.length === 1);
    expect(reports[0]).toMatchObject({ job: 7, attempt: 1, from: 'agent', instance: 'web1' });
    expect(reports[0]!.lines.map(({ text }) => text)).toEqual([
      'the agent ended before the hook thaw.sh had run: running it now',
      ...['running hook thaw.sh', 'hook thaw.sh has ended'],
    ]);
    await next.hooks.around(attemptOf({ attempt: 2 }), () => Promise.resolve(GOOD));
    expect(said()).toEqual(['freeze', 'thaw 7 50 nightly', 'freeze', 'thaw 7 0 nightly']);
  });

  it('is thawed before the next attempt freezes, and a freeze that still ran is ended', async () => {
    const dead = agent().afterHooks;
    const freeze = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
    const note = { job: 7, attempt: 1, policy: 'files', after: both.after!, process: null };
    await dead.owe({ version: 1, ...note });
    await dead.running({ version: 1, ...note }, freeze.pid!);
    const attempt = attemptOf({ attempt: 2 });
    await agent().hooks.around(attempt, () => Promise.resolve(GOOD));
    expect(said()).toEqual(['thaw 7 50', 'freeze', 'thaw 7 0 nightly']);
    await until(() => freeze.signalCode === 'SIGTERM');
    expect(attempt.lines[0]).toBe(
      'warning: the agent ended before the hook thaw.sh had run: running it now',
    );
  });

  it('is not thawed again by who had read the note before it was thawed', async () => {
    const dead = agent().afterHooks;
    const note = { job: 7, attempt: 1, policy: 'files', after: both.after!, process: null };
    await dead.owe({ version: 1, ...note });
    // A note whose reading takes until somebody writes to it.
    const slow = `${agentFolder()}/outstanding-hooks/9-1.json`;
    execFileSync('mkfifo', [slow]);
    const writer = openSync(slow, 'r+');
    const next = agent();
    const early = next.afterHooks.settleJob(7, () => undefined);
    await until(() => openFiles(slow).length > 1, { what: 'the note to be read' });
    rmSync(slow);
    await next.hooks.around(attemptOf({ attempt: 2 }), async () => {
      writeSync(writer, '{}');
      closeSync(writer);
      await early;
      expect(said()).toEqual(['thaw 7 50', 'freeze']);
      return GOOD;
    });
    expect(said()).toEqual(['thaw 7 50', 'freeze', 'thaw 7 0 nightly']);
  });

  it('keeps the note of a thaw that could not even be started', async () => {
    const attempt = attemptOf();
    const result = await agent().hooks.around(attempt, () => {
      chmodSync(`${hooks}/thaw.sh`, 0o644);
      return Promise.resolve(GOOD);
    });
    expect(result.afterwards).toMatchObject({ status: 77 });
    expect(notes()).toEqual(['7-1.json']);
    chmodSync(`${hooks}/thaw.sh`, 0o755);
    agent().afterHooks.start();
    await until(() => notes().length === 0);
    expect(said()).toEqual(['freeze', 'thaw 7 50 nightly']);
  });

  it('without hooks needs no hook folder', async () => {
    const attempt = attemptOf({ hooks: {} });
    expect(await agent().hooks.around(attempt, () => Promise.resolve(GOOD))).toEqual(GOOD);
    expect(attempt.lines).toEqual([]);
  });
});

it('a process is known by when it began', () => {
  const own = processName(process.pid);
  expect(isStillRunning(own)).toBe(true);
  expect(isStillRunning({ ...own, startedAt: '1' })).toBe(false);
});
