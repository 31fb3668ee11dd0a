import { CHAIN_IMAGES_MAX } from '#contracts/task.js';
import type { ImageKind } from '#contracts/names.js';

/** A COMPLETE image of the same client, policy and selections. */
export interface BaseCandidate {
  readonly imageId: string;
  /** Images that a restore of it reads, itself included. */
  readonly chainLength: number;
  /** Everything that it builds on is COMPLETE, too: what builds on it can be restored. */
  readonly hasWholeChain: boolean;
}

export interface BaseChoice {
  /** What the backup becomes: an incremental without a base is a full. */
  readonly kind: ImageKind;
  readonly base: BaseCandidate | undefined;
  /** The image that it would build on, if only that could be restored. */
  readonly brokenBase?: string;
}

const FULL: BaseChoice = { kind: 'full', base: undefined };

/**
 * What a backup builds on: a differential on the last COMPLETE image of any kind, a cumulative on
 * the last COMPLETE full. A chain that would grow beyond what a restore can take begins anew, and so
 * does one of which something is missing or damaged.
 */
export function chooseBase(
  requested: ImageKind,
  last: { readonly any: BaseCandidate | undefined; readonly full: BaseCandidate | undefined },
): BaseChoice {
  switch (requested) {
    case 'full':
      return FULL;
    case 'differential':
      return buildOn(requested, last.any);
    case 'cumulative':
      return buildOn(requested, last.full);
    default:
      return requested satisfies never;
  }
}

function buildOn(kind: ImageKind, candidate: BaseCandidate | undefined): BaseChoice {
  if (!candidate || candidate.chainLength >= CHAIN_IMAGES_MAX) return FULL;
  if (!candidate.hasWholeChain) return { ...FULL, brokenBase: candidate.imageId };
  return { kind, base: candidate };
}

/** The selections as a set: in whatever order they are written, the same ones fit each other. */
export function selectionSet(selections: readonly string[]): string[] {
  return [...new Set(selections)].sort();
}

/** Images of a client that begin within one second are dated a second apart: so many may do that. */
const DATED_AHEAD_SECONDS_MAX = 600;

/**
 * Unix seconds. An image that is dated later was made while a clock was ahead, or of one that was: until then
 * nothing is built on it, or what is backed up now would be older than its base.
 */
export function latestBaseTime(now: Date): number {
  return Math.floor(now.getTime() / 1_000) + DATED_AHEAD_SECONDS_MAX;
}

/** The first second from `wanted` on that no image of the client bears yet. */
export function freeBackupTime(wanted: number, taken: Iterable<number>): number {
  const used = new Set(taken);
  let time = wanted;
  while (used.has(time)) time += 1;
  return time;
}
