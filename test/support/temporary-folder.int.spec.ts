import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from '@jest/globals';

import { testFolder } from '#storage/testing/small-volume.js';
import { removeFolder, temporaryFolder } from './temporary-folder.js';

// Other test processes would clear it up, too, while it is still made.
const whole = process.env['TMPDIR'];
let own: string;
beforeEach(() => {
  own = mkdtempSync(join(tmpdir(), 'holdfast-own-'));
  process.env['TMPDIR'] = own;
});
afterEach(async () => {
  if (whole === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = whole;
  await removeFolder(own);
});

it('clears up after a test run that was killed, also what it had mounted', async () => {
  // A process with this number may be alive: it did not begin at the first tick of the clock.
  const dead = join(tmpdir(), `holdfast-test-${process.ppid}.1-killed`);
  const volume = join(dead, 'data', 'volume');
  mkdirSync(volume, { recursive: true });
  // It takes a superuser; without one the folder itself is what is cleared up.
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'holdfast-test', volume]);
  writeFileSync(join(volume, 'left'), 'behind');

  const ours = await temporaryFolder();
  try {
    expect(existsSync(dead)).toBe(false);
    expect(existsSync(ours)).toBe(true);
  } finally {
    await removeFolder(ours);
  }
});

it('clears up a volume that a killed test had mounted, and leaves those of living ones alone', async () => {
  const dead = join(tmpdir(), `holdfast-test-${process.ppid}.1-mounted`);
  mkdirSync(dead);
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'holdfast-test', dead]);
  writeFileSync(join(dead, 'left'), 'behind');
  const living = testFolder();

  const ours = await temporaryFolder();
  try {
    expect(existsSync(dead)).toBe(false);
    expect(existsSync(living.path)).toBe(true);
    // Whoever clears up later finds both by the same name.
    expect(living.path.slice(0, -6)).toBe(ours.slice(0, -6));
  } finally {
    living.dispose();
    await removeFolder(ours);
  }
});
