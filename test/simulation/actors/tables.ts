import type { FragmentCommit, Verdict } from '#contracts/fragment.js';
import type { FragmentState } from '#contracts/image.js';
import type { Row, TableSpec } from '../parts/database.js';

export const OUTBOX = 'outbox';
export const IMAGE = 'image';
export const COPY = 'copy';
export const FRAGMENT = 'fragment';
export const REFUSED = 'refused';
export const PIN = 'pin';
export const HOLD = 'hold';
export const STATE = 'catalog_state';
export const JOB = 'job';
export const ALLOCATION = 'allocation';
export const WAITING = 'waiting';

/** What the services keep, each under the key that the comment names. */
export const TABLES: readonly TableSpec[] = [
  { name: OUTBOX },
  // The image's id.
  { name: IMAGE },
  // `image/copy`.
  { name: COPY },
  // The fragment's id.
  { name: FRAGMENT, unique: ['slot'] },
  { name: REFUSED },
  // `fragment/job`.
  { name: PIN },
  // The image's id.
  { name: HOLD },
  { name: STATE },
  // The job's number.
  { name: JOB },
  // `job/attempt`.
  { name: ALLOCATION },
  { name: WAITING },
];

export interface ImageRow extends Row {
  readonly imageId: string;
  readonly job: number;
  /** Unix milliseconds. */
  readonly expiresAt: number;
  /** Null until its backup has finished it. */
  readonly fragmentsExpected: number | null;
  readonly isAbandoned: boolean;
  /** It was complete once. */
  readonly wasComplete: boolean;
}

export interface CopyRow extends Row {
  readonly imageId: string;
  readonly copy: number;
  /** The fence. */
  readonly attempt: number;
  readonly job: number;
  readonly jobAttempt: number;
  readonly mediaId: string;
  readonly pool: string;
  /** The fence under which it was counted complete last. */
  readonly completedAttempt: number | null;
}

export interface FragmentRow extends Row, FragmentCommit {
  readonly state: FragmentState;
  /** `image/copy/number` while it holds its number; null when it does not any more. */
  readonly slot: string | null;
  /** Unix milliseconds. */
  readonly deletableAt: number | null;
  readonly tombstoneId: string | null;
  /** A later attempt took its place, or it was refused. */
  readonly isGivenUp: boolean;
  readonly committedAt: number;
  /** Unix milliseconds; 0 until the grant is sent. */
  readonly grantSentAt: number;
}

export interface RefusedRow extends Row {
  readonly verdict: Verdict;
  readonly offer: FragmentCommit;
  /** Unix milliseconds. */
  readonly refusedAt: number;
}

export interface PinRow extends Row {
  readonly fragmentId: string;
  readonly job: number;
}

const LIVE: ReadonlySet<FragmentState> = new Set(['ACTIVE', 'TO_BE_DELETED']);

/** Whether its bytes may still be needed; then it holds its number. */
export function isLive({ state }: { readonly state: FragmentState }): boolean {
  return LIVE.has(state);
}

/** A fragment's row for a commit, in a state. */
export function rowOf(
  commit: FragmentCommit,
  more: Partial<FragmentRow> & { readonly state: FragmentState },
): FragmentRow {
  return {
    ...commit,
    ...{ deletableAt: null, tombstoneId: null, isGivenUp: false, grantSentAt: 0, committedAt: 0 },
    ...more,
    slot: isLive(more) ? slotOf(commit) : null,
  };
}

export function copyKey(of: { readonly imageId: string; readonly copy: number }): string {
  return `${of.imageId}/${of.copy}`;
}

export function slotOf(of: {
  readonly imageId: string;
  readonly copy: number;
  readonly number: number;
}): string {
  return `${copyKey(of)}/${of.number}`;
}
