import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { machineCpuSeconds } from './process-figures.js';
import { command } from '../tools/command.js';
import { availableParallelism } from 'node:os';

const QUIET_LOOK_MS = 1_000;
const QUIET_SHARE = 0.1;
const QUIET_WAIT_MS_MAX = 20_000;
const SETTLE_MS = 2_000;

/** Brings the machine into the same state before each measurement. */
export class MachineState {
  private toldThatItCannot = false;

  constructor(private readonly say: (line: string) => void) {}

  /**
   * Writes out what others left to be written, so that nobody pays for it, and waits up to 20 s until
   * less than a tenth of the machine is at work.
   */
  async settle(): Promise<void> {
    await command(['sync']);
    for (let waited = 0; waited < QUIET_WAIT_MS_MAX; waited += QUIET_LOOK_MS) {
      const before = machineCpuSeconds();
      await sleep(QUIET_LOOK_MS);
      const used = machineCpuSeconds() - before;
      if (used / (QUIET_LOOK_MS / 1_000) / availableParallelism() < QUIET_SHARE) return;
    }
  }

  /**
   * Free memory, with the content of these folders in it: else what earlier steps left there would make some tools
   * slower than others. Says so once where caches cannot be dropped.
   */
  async refresh(folders: readonly string[]): Promise<void> {
    await command(['sync']);
    if (dropCaches()) await sleep(SETTLE_MS);
    else if (!this.toldThatItCannot) {
      this.toldThatItCannot = true;
      this.say('caches cannot be dropped (not root?): what writes much may take far longer');
    }
    const read = 'find "$@" -type f -print0 | xargs -0 -r cat > /dev/null';
    await command(['sh', '-c', read, 'sh', ...folders]);
  }
}

function dropCaches(): boolean {
  try {
    writeFileSync('/proc/sys/vm/drop_caches', '3');
    return true;
  } catch {
    return false; // not root, or a container that may not
  }
}
