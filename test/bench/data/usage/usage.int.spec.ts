import { type ChildProcess, spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runCommand } from '../../../../apps/standalone/src/servers/system/command.js';
import { measureUsage, NO_SERVERS } from './usage.js';

/** Keeps a core busy for half a second of CPU time. */
const BUSY = 'while (process.cpuUsage().user + process.cpuUsage().system < 5e5);';
const MIB_TAKEN = 200;
/** Takes memory, keeps it for a moment and gives it back. */
const LARGE = `let all = Buffer.alloc(${MIB_TAKEN} * 2 ** 20, 1); setTimeout(() => (all = null), 1000);`;

const node = (script: string) => runCommand(process.execPath, ['-e', script]);

describe('what a command takes', () => {
  it('is its time and its CPU, that of its children too', async () => {
    const inner = `require('child_process').execFileSync(process.execPath, ['-e', '${BUSY}'])`;
    // What the outer one takes to start is more on a slow machine.
    const idle = await measureUsage(NO_SERVERS, () => node(''));
    const usage = await measureUsage(NO_SERVERS, () => node(inner));
    expect(usage.cpuSeconds).toBeGreaterThan(0.5);
    expect(usage.cpuSeconds).toBeLessThan(0.9 + idle.cpuSeconds);
    expect(usage.cpuOf['commands']).toBeCloseTo(usage.cpuSeconds, 5);
    expect(usage.seconds).toBeGreaterThan(0.4);
  });

  it('is the most memory it had, of several at once together', async () => {
    const one = await measureUsage(NO_SERVERS, () => node(LARGE));
    expect(one.peakMib).toBeGreaterThan(MIB_TAKEN);
    expect(one.peakMib).toBeLessThan(MIB_TAKEN + 100);
    const two = await measureUsage(NO_SERVERS, () => Promise.all([node(LARGE), node(LARGE)]));
    expect(two.peakMib).toBeGreaterThan(2 * MIB_TAKEN);
    expect(two.allPeakMib).toBeGreaterThan(2 * MIB_TAKEN);
  });

  it('fails with it', async () => {
    const failing = () => Promise.reject(new Error('no such thing'));
    await expect(measureUsage(NO_SERVERS, failing)).rejects.toThrow('no such thing');
  });
});

describe('what servers take', () => {
  /** Works on each line that it gets, and has a child that does the same. */
  const SERVER = `
    const child = process.argv[1] === 'outer' &&
      require('child_process').spawn(process.execPath, ['-e', process.env.SCRIPT, 'inner'], { stdio: ['pipe', 'inherit', 'inherit'] });
    process.stdin.on('data', (text) => {
      if (child) child.stdin.write(text);
      const before = process.cpuUsage();
      for (let used = { user: 0, system: 0 }; used.user + used.system < 3e5; ) {
        used = process.cpuUsage(before);
      }
      console.log('done');
    });`;
  let server: ChildProcess;

  beforeAll(async () => {
    const env = { ...process.env, SCRIPT: SERVER };
    server = spawn(process.execPath, ['-e', SERVER, 'outer'], { env });
    // What both take until they run is none of the work.
    await work();
  });
  afterAll(() => void server.kill());

  const work = async () => {
    let done = 0;
    const both = new Promise<void>((resolve) =>
      server.stdout!.on(
        'data',
        (text) => (done += String(text).match(/done/g)!.length) >= 2 && resolve(),
      ),
    );
    server.stdin!.write('go\n');
    await both;
  };

  it('is CPU of the work alone, and of what they started before', async () => {
    const servers = { pids: { outer: server.pid! }, dataPath: ['outer'] };
    const usage = await measureUsage(servers, work);
    expect(usage.cpuOf['outer']).toBeGreaterThan(0.55);
    expect(usage.cpuOf['outer']).toBeLessThan(0.9);
    expect(usage.cpuOf['commands']).toBe(0);
    expect(usage.peakMib).toBeGreaterThan(30);
  });
});
