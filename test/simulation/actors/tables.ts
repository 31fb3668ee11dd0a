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
export const JOB = 'job';
export const STATE = 'catalog_state';

/** What the services keep, each under the key that the comment names. */
export const TABLES: readonly TableSpec[] = [
  { name: OUTBOX },
  // The image's id.
  { name: IMAGE, unique: ['job'] },
  // `image/copy`.
  { name: COPY },
  // The fragment's id.
  { name: FRAGMENT, unique: ['slot'] },
  { name: REFUSED },
  // `fragment/job`.
  { name: PIN },
  // The image's id.
  { name: HOLD },
  // The job's number.
  { name: JOB },
  { name: STATE },
];

export interface ImageRow extends Row {
  readonly imageId: string;
  readonly job: number;
  /** Unix milliseconds. */
  readonly expiresAt: number;
  readonly fragmentsExpected: number | null;
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
}

export interface FragmentRow extends Row, FragmentCommit {
  readonly state: FragmentState;
  /** `image/copy/number` while it holds its number; null when it does not any more. */
  readonly slot: string | null;
  /** Unix milliseconds. */
  readonly deletableAt: number | null;
  readonly tombstoneId: string | null;
}

export interface RefusedRow extends Row {
  readonly verdict: Verdict;
  readonly offer: FragmentCommit;
}

export interface PinRow extends Row {
  readonly fragmentId: string;
  readonly job: number;
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
