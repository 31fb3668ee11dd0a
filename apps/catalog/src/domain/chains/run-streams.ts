import { InvalidInput } from '#kernel/errors.js';
import { RESTORE_IMAGES_MAX } from '#contracts/task.js';

/** A run of a policy on a client, as far as the catalog has seen it. */
export interface Run {
  /** The selection sets of its streams of which there is an image; of a backup that stands alone the only one. */
  readonly sets: readonly (readonly string[])[];
  /** How many streams it has. */
  readonly streams: number;
}

/** Whether there is an image of each of its streams. */
export function isWhole({ sets, streams }: Run): boolean {
  return sets.length >= streams;
}

/**
 * The selection sets that make up a client as it was: those of the newest run and, while some of its streams
 * have no image (it runs still, or was cut off), those of the run before it, too. What an older, whole policy had is not taken.
 * @param runs the newest first
 */
export function streamSets(runs: readonly Run[]): string[][] {
  const sets = new Map<string, string[]>();
  for (const run of runs) {
    for (const set of run.sets) sets.set(JSON.stringify(set), [...set]);
    if (isWhole(run)) break;
  }
  return [...sets.values()];
}

/** Of how many streams of the newest run there is no image, not of an earlier run either. */
export function missingStreams(runs: readonly Run[], sets: readonly (readonly string[])[]): number {
  return Math.max((runs[0]?.streams ?? 0) - sets.length, 0);
}

/**
 * The chains of all streams, so ordered that the one with the newest image comes last: it rules where they overlap.
 * @throws InvalidInput where they have more images together than a restore can read
 */
export function orderedChains<T extends { readonly imageId: string; readonly backupTime: string }>(
  chains: readonly (readonly T[])[],
): T[][] {
  const newest = (chain: readonly T[]) => Date.parse(chain.at(-1)!.backupTime);
  const ordered = [...chains].sort((a, b) => newest(a) - newest(b)).map((chain) => [...chain]);
  const images = ordered.reduce((sum, chain) => sum + chain.length, 0);
  if (images > RESTORE_IMAGES_MAX) {
    const last = ordered.map((chain) => chain.at(-1)!.imageId).join(', ');
    throw new InvalidInput(
      `The ${ordered.length} streams of that time need ${images} images, and a restore reads ` +
        `${RESTORE_IMAGES_MAX} at the most. Restore them one by one: ${last}.`,
      'at',
    );
  }
  return ordered;
}
