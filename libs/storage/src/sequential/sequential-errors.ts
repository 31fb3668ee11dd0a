import { messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { VolumeFull } from '../errors.js';

/** No further block fits on the volume. What was written before it is as it was. */
export class EndOfMedium extends Error {
  override readonly name = 'EndOfMedium';

  constructor(barcode: string) {
    super(`the end of volume ${barcode} is reached`);
  }
}

/** A record cannot be read as it was written. */
export class BlockUnreadable extends Error {
  override readonly name = 'BlockUnreadable';

  constructor(barcode: string, position: number, reason: string) {
    super(`block ${position} of volume ${barcode} ${reason}`);
  }
}

/** There is no volume in the drive, or somebody works with it. Status 83. */
export class DriveUnusable extends Unavailable {
  override readonly name = 'DriveUnusable';

  constructor(drive: string, reason: string) {
    super(`media open error: drive ${drive} ${reason}`, STATUS.mediaOpenError);
  }
}

/** A cartridge was mounted and cannot be opened or labelled: its volume is damaged, or no volume at all. Status 83. */
export class CartridgeUnusable extends PermanentError {
  override readonly name = 'CartridgeUnusable';

  constructor(
    readonly barcode: string,
    cause: unknown,
  ) {
    super(STATUS.mediaOpenError, `media open error: cartridge ${barcode}: ${messageOf(cause)}`);
  }
}

/** A cartridge is open in a drive, or the place that it should go to is taken. Status 97. */
export class CartridgeBusy extends PermanentError {
  override readonly name = 'CartridgeBusy';

  constructor(what: string) {
    super(STATUS.mediaInUse, `requested media ID is in use, cannot process request: ${what}`);
  }
}

/** A cartridge was to be moved from where none is. Status 227. */
export class NothingThere extends PermanentError {
  override readonly name = 'NothingThere';

  constructor(place: string) {
    super(STATUS.notFound, `There is no cartridge in ${place}.`);
  }
}

/** Another volume was found than the books say. Nothing of it was touched. Status 93. */
export class WrongVolume extends PermanentError {
  override readonly name = 'WrongVolume';

  constructor(barcode: string, reason: string) {
    super(
      STATUS.wrongTape,
      `media manager found wrong tape in drive: cartridge ${barcode} ${reason}`,
    );
  }
}

/** No volume of the pool has room for what is to be written. Status 96. */
export class NoMediaLeft extends VolumeFull {
  constructor(pool: string) {
    super(
      `pool ${pool}`,
      STATUS.noNewMedia,
      'unable to allocate new media for backup, storage unit has none available: no volume of ' +
        `pool "${pool}" has room. Put a blank cartridge into the library and import it.`,
    );
  }
}

/** The mount request was cancelled (98), or nobody answered it in time (52). */
export class MountRefused extends PermanentError {
  override readonly name = 'MountRefused';
}
