import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { checkoutFolder } from '../../apps/standalone/src/servers/checkout-folder.js';
import { RUN_TYPESCRIPT } from '../support/from-sources.js';
import type { Mode } from './run-seed.js';

const PROGRAM = join(checkoutFolder(), 'test/simulation/simulate.ts');
/** A thousand seeds take about 20 s of one processor; on a busy machine several times that. */
const MS_MAX = 900_000;

/**
 * Runs seeds in a process of its own: without Jest's sandbox, which makes each look at a global slow,
 * they take half the time.
 */
async function simulate(
  mode: Mode,
  from: number,
): Promise<{ failures: string[]; missed: string[] }> {
  const options = ['--mode', mode, '--from', String(from), '--seeds', '1000', '--json'];
  const command = promisify(execFile)(process.execPath, [...RUN_TYPESCRIPT, PROGRAM, ...options]);
  // It ends with 1 where seeds have failed, and still says which.
  const { stdout } = await command.catch((error: { stdout: string }) => error);
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}

describe('A thousand clusters', () => {
  it.each([
    ['keep I1 to I7 at every step, whatever happens to them', 'safety', 1],
    ['end all that is open (I8) once nothing troubles them any more', 'liveness', 1_001],
  ] as const)(
    '%s; and they meet every fault and every turn of the protocol',
    async (_, mode, from) => {
      expect(await simulate(mode, from)).toEqual({ failures: [], missed: [] });
    },
    MS_MAX,
  );
});
