import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

/** Where in a chain something is wrong. */
export interface DamagedPlace {
  readonly imageId: string;
  /** Of the fragment, where that is known. */
  readonly number?: number | undefined;
}

/**
 * An image has what was committed, and that is not what an image has to be. It is so in every copy, so that no
 * other source helps. Status 1057.
 */
export class ImageDamaged extends PermanentError {
  override readonly name = 'ImageDamaged';

  constructor({ imageId, number }: DamagedPlace, reason: string) {
    const where = number === undefined ? imageId : `${imageId}, fragment ${number}`;
    super(
      STATUS.dataCorruption,
      `A data corruption has been detected: image ${where}: ${reason}. No synthetic full can be ` +
        'made of it: run a full backup that reads the client.',
    );
  }
}
