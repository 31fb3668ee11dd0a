import type { Verdict } from '#contracts/fragment.js';
import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

/** Why a backup cannot succeed when the catalog's verdict on one of its fragments is this. */
export function refusal(
  fragmentId: string,
  verdict: Exclude<Verdict, 'COMMITTED'>,
): PermanentError {
  switch (verdict) {
    case 'SUPERSEDED':
    case 'FENCED':
      return new PermanentError(
        STATUS.outOfSequence,
        `events out of sequence: a later attempt has taken over (fragment ${fragmentId} is ` +
          `${verdict}). What was written is kept until the catalog releases it.`,
      );
    case 'CORRUPT':
      return new PermanentError(
        STATUS.dataCorruption,
        `A data corruption has been detected: the catalog has fragment ${fragmentId} with ` +
          'another digest. Both are kept.',
      );
    case 'UNKNOWN_IMAGE':
      return new PermanentError(
        STATUS.notFound,
        `The catalog does not know the image of fragment ${fragmentId}. The fragment is kept and ` +
          'goes on to be offered.',
      );
    default:
      return verdict satisfies never;
  }
}
