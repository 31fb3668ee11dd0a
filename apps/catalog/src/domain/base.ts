import { CHAIN_IMAGES_MAX } from '#contracts/task.js';
import type { ImageKind } from '#contracts/names.js';

/** A COMPLETE image of the same client, policy and selections. */
export interface BaseCandidate {
  readonly imageId: string;
  /** Images that a restore of it reads, itself included. */
  readonly chainLength: number;
}

export interface BaseChoice {
  /** What the backup becomes: an incremental without a base is a full. */
  readonly kind: ImageKind;
  readonly base: BaseCandidate | undefined;
}

const FULL: BaseChoice = { kind: 'full', base: undefined };

/**
 * What a backup builds on: a differential on the last COMPLETE image of any kind, a cumulative on
 * the last COMPLETE full. A chain that would grow beyond what a restore can take begins anew.
 */
export function chooseBase(
  requested: ImageKind,
  last: { readonly any: BaseCandidate | undefined; readonly full: BaseCandidate | undefined },
): BaseChoice {
  switch (requested) {
    case 'full':
      return FULL;
    case 'differential':
      return last.any && last.any.chainLength < CHAIN_IMAGES_MAX
        ? { kind: requested, base: last.any }
        : FULL;
    case 'cumulative':
      return last.full ? { kind: requested, base: last.full } : FULL;
    default:
      return requested satisfies never;
  }
}

/** The selections as a set: in whatever order they are written, the same ones fit each other. */
export function selectionSet(selections: readonly string[]): string[] {
  return [...new Set(selections)].sort();
}

/** The first second from `wanted` on that no image of the client bears yet. */
export function freeBackupTime(wanted: number, taken: Iterable<number>): number {
  const used = new Set(taken);
  let time = wanted;
  while (used.has(time)) time += 1;
  return time;
}
