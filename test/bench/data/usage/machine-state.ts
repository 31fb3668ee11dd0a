import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { machineCpuSeconds } from './process-figures.js';
import { command } from '../tools/command.js';
import { availableParallelism } from 'node:os';

const QUIET_LOOK_MS = 1_000;
const QUIET_SHARE = 0.1;
const QUIET_WAIT_MS_MAX = 20_000;
const SETTLE_MS = 2_000;

/**
 * Writes out what others left to be written, so that nobody pays for it, and waits up to 20 s until
 * less than a tenth of the machine is at work.
 */
export async function settle(): Promise<void> {
  await command(['sync']);
  for (let waited = 0; waited < QUIET_WAIT_MS_MAX; waited += QUIET_LOOK_MS) {
    const before = machineCpuSeconds();
    await sleep(QUIET_LOOK_MS);
    const share = (machineCpuSeconds() - before) / (QUIET_LOOK_MS / 1_000) / availableParallelism();
    if (share < QUIET_SHARE) return;
  }
}

/**
 * Free memory, with the content of these folders in it: writing many files costs up to five times as
 * much where memory is full of what was deleted lately. Only root can have it freed: says whether it
 * could be.
 */
export async function refresh(folders: readonly string[]): Promise<boolean> {
  await command(['sync']);
  const freed = dropCaches();
  if (freed) await sleep(SETTLE_MS);
  await command([
    'sh',
    '-c',
    'find "$@" -type f -print0 | xargs -0 -r cat > /dev/null',
    'sh',
    ...folders,
  ]);
  return freed;
}

function dropCaches(): boolean {
  try {
    writeFileSync('/proc/sys/vm/drop_caches', '3');
    return true;
  } catch {
    return false; // not root, or a container that may not
  }
}
