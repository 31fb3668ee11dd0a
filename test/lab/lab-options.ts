import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';

import { messageOf } from '#kernel/errors.js';
import { FILESYSTEMS, type VolumeFilesystem } from './machine/disk.js';

export interface LabOptions {
  /** How often the power goes, over all file systems. */
  readonly losses: number;
  readonly seed: number;
  readonly filesystems: readonly VolumeFilesystem[];
  /** Whether the lab proves first that it finds mistakes. */
  readonly proofs: boolean;
  /** Guests that run at a time. */
  readonly guests: number;
}

export const USAGE = `Usage: npm run test:lab -- [OPTIONS]
  --losses N      how often the power goes (default 20, at most 1000; 0: proofs only)
  --seed N        the losses of an earlier run again (default: new ones)
  --filesystem F  the volume's file system ext4, btrfs or bare-ext4 (default: a third of the losses on each)
  --guests N      machines at a time (default: one for each processor)
  --no-proofs     leaves out the syncs that are skipped on purpose`;

const LOSSES_MAX = 1_000;
const GUESTS_MAX = 32;
const SEED_MAX = 999_999_999;

/** Reads the command line; in words, what is wrong with it. `chance` (0 to 1) chooses a seed where none is given. */
export function labOptions(args: readonly string[], chance: number): LabOptions | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        losses: { type: 'string', default: '20' },
        seed: { type: 'string', default: String(Math.floor(chance * SEED_MAX)) },
        filesystem: { type: 'string' },
        guests: { type: 'string', default: String(availableParallelism()) },
        'no-proofs': { type: 'boolean', default: false },
      },
    });
    const filesystems = FILESYSTEMS.filter(
      (name) => values.filesystem === undefined || values.filesystem === name,
    );
    if (filesystems.length === 0) return `"${values.filesystem}" is no file system for the lab.`;
    return {
      losses: numberFrom('--losses', values.losses, LOSSES_MAX),
      seed: numberFrom('--seed', values.seed, SEED_MAX),
      filesystems,
      guests: numberFrom('--guests', values.guests, GUESTS_MAX),
      proofs: !values['no-proofs'],
    };
  } catch (error) {
    return messageOf(error);
  }
}

/** What leads to the same losses again. */
export function replayArguments({ seed, losses, filesystems }: LabOptions): string {
  const [only, another] = filesystems;
  return `--seed ${seed} --losses ${losses}${another ? '' : ` --filesystem ${only}`}`;
}

function numberFrom(option: string, text: string, max: number): number {
  if (/^\d{1,9}$/.test(text) && Number(text) <= max) return Number(text);
  throw new Error(`${option} takes a number from 0 to ${max}, not "${text}".`);
}
