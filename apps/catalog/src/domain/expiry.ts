import type { ExpiryDecision } from '#contracts/catalog/expiry.js';
import { isOver } from './retention.js';

/** One copy as far as its expiration depends on it. Deleted copies are left out. */
export interface CopyFacts {
  readonly copy: number;
  /** Every fragment of the image is ACTIVE in it. */
  readonly isGood: boolean;
  /** All that is left of it is on its way out already. */
  readonly isMarked: boolean;
  readonly fragments: number;
  readonly storedBytes: number;
  /** Jobs that read it now. */
  readonly pins: number;
  /** A job writes it now. */
  readonly isBeingWritten?: boolean | undefined;
}

export interface ImageFacts {
  readonly imageId: string;
  /** Its backup still runs. */
  readonly isBeingMade: boolean;
  /** Null: it never expires by itself. */
  readonly expiresAt: Date | null;
  readonly holds: readonly string[];
  /** Images that build on it and are still needed themselves. */
  readonly dependents: readonly string[];
  readonly copies: readonly CopyFacts[];
}

/** Names that a reason lists at most; the rest is counted. */
const NAMES_SHOWN_MAX = 3;

/**
 * What becomes of an image's copies: of all of them when the image's time is over, of one when `copy`
 * names it. Each reason stands by itself, so that a preview can show them all. An image that is still
 * needed (not expired, or another one builds on it) always keeps a good copy; where there is none, it
 * keeps them all, for what they hold together.
 */
export function planExpiry(
  image: ImageFacts,
  request: { readonly copy?: number | undefined },
  now: Date,
): ExpiryDecision[] {
  const isExpired = isOver(image.expiresAt, now);
  const isNeeded = isStillNeeded(image, now);
  let good = image.copies.filter(({ isGood, isMarked }) => isGood && !isMarked).length;
  return image.copies
    .filter(({ copy }) => request.copy === undefined || request.copy === copy)
    .map((copy) => {
      const against = [...tiesOf(image), ...obstacles(copy)];
      if (!isExpired && request.copy === undefined) against.push(untilWhen(image));
      if (isNeeded && !copy.isMarked && (good === 0 || (copy.isGood && good === 1))) {
        against.push(lastGood(image, { copy, now }));
      }
      const isToGo = against.length === 0;
      if (isToGo && copy.isGood) good -= 1;
      const { imageId } = image;
      const { fragments, storedBytes } = copy;
      return {
        ...{ imageId, copy: copy.copy, fragments, storedBytes },
        decision: isToGo ? 'delete' : 'keep',
        reasons: isToGo ? [whyItGoes(image, copy, isExpired)] : against,
      };
    });
}

/** Said of each copy where an image was to expire at once and all of it is kept: so does the time until when. */
export function keptUntil(
  decisions: readonly ExpiryDecision[],
  image: Pick<ImageFacts, 'expiresAt'>,
): ExpiryDecision[] {
  const still = `nothing of the image goes, so it still ${untilWhen(image)}`;
  return decisions.map((each) => ({ ...each, reasons: [...each.reasons, still] }));
}

/** Whether without this copy an image that is still needed would have no good one. */
export function isLastGood(image: ImageFacts, copy: number, now: Date): boolean {
  return isStillNeeded(image, now) && hasNoOther(image, copy);
}

/** Whether no other copy is good and there to stay. */
export function hasNoOther({ copies }: ImageFacts, copy: number): boolean {
  return !copies.some((each) => each.copy !== copy && each.isGood && !each.isMarked);
}

/** Whether its time is not over, or another image that is needed builds on it. */
export function isStillNeeded({ expiresAt, dependents }: ImageFacts, now: Date): boolean {
  return !isOver(expiresAt, now) || dependents.length > 0;
}

function tiesOf({ holds, isBeingMade }: ImageFacts): string[] {
  const reasons = [];
  if (holds.length > 0) reasons.push(`on hold: ${some(holds)}`);
  if (isBeingMade) reasons.push('its backup is still running');
  return reasons;
}

function obstacles({ pins, isMarked, isBeingWritten }: CopyFacts): string[] {
  const reasons = [];
  if (isBeingWritten) reasons.push('a running job writes it');
  if (isMarked) reasons.push('marked for deletion already');
  if (pins > 0) reasons.push(`${pins} running ${pins === 1 ? 'job reads' : 'jobs read'} it`);
  return reasons;
}

function untilWhen({ expiresAt }: Pick<ImageFacts, 'expiresAt'>): string {
  return expiresAt === null ? 'never expires' : `expires ${expiresAt.toISOString()}`;
}

function lastGood(
  image: ImageFacts,
  { copy, now }: { readonly copy: CopyFacts; readonly now: Date },
): string {
  const { dependents, expiresAt } = image;
  const why = isOver(expiresAt, now)
    ? `that ${some(dependents)} ${dependents.length === 1 ? 'builds' : 'build'} on`
    : `that ${untilWhen(image)}`;
  const what = copy.isGood ? 'the last good copy' : 'there is no good copy';
  return `${what} of an image ${why}`;
}

function whyItGoes(image: ImageFacts, copy: CopyFacts, isExpired: boolean): string {
  if (isExpired) return `expired ${image.expiresAt!.toISOString()}`;
  return copy.isGood ? 'another good copy remains' : 'it is not a good copy';
}

function some(names: readonly string[]): string {
  const more = names.length - NAMES_SHOWN_MAX;
  return `${names.slice(0, NAMES_SHOWN_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
