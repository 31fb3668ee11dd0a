import { NotFound, PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

/** There is no image at all to make a synthetic full from. Status 607. */
export function nothingToSynthesize(client: string, policy: string): NotFound {
  const hint =
    `A synthetic full is made from a full and incrementals of the same client, policy and selections; ` +
    'run an incremental, which becomes a full where there is none.';
  return new NotFound(
    'complete image to synthesize of',
    `${client} ${policy}`,
    STATUS.nothingToSynthesize,
    hint,
  );
}

/** The newest image is a full already. Status 607. */
export function nothingSince(full: string): PermanentError {
  return new PermanentError(
    STATUS.nothingToSynthesize,
    `no images were found to synthesize: there is no incremental since ${full}, which is a full.`,
  );
}

export function notSynthesizable(imageId: string): PermanentError {
  return new PermanentError(
    STATUS.nothingToSynthesize,
    `no images were found to synthesize: ${imageId} is no incremental that is there.`,
  );
}

/** Dated behind a newer backup it would hide that one from whoever restores by time. */
export function overtaken(imageId: string): PermanentError {
  return new PermanentError(
    STATUS.nothingToSynthesize,
    `no images were found to synthesize: another backup of the same began right behind ${imageId}. ` +
      'Run it again when that one has ended.',
  );
}
