import { codeOf, messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { hasNoInodes } from './inodes.js';

/**
 * The volume has no room left beyond its reserve. Nothing that was sealed is touched. Status 129, or
 * what fits the kind of storage better.
 */
export class VolumeFull extends PermanentError {
  override readonly name = 'VolumeFull';

  constructor(
    where: string,
    status = STATUS.diskFull,
    message = `Disk storage unit is full: ${where}. Give the volume more room or use another one.`,
  ) {
    super(status, message);
  }

  /** It may have room for bytes: it takes no further file. */
  static ofInodes(where: string): VolumeFull {
    const why = `${where} has no inodes left for further files, whatever room it has for bytes`;
    return new VolumeFull(
      where,
      STATUS.diskFull,
      `Disk storage unit is full: ${why}. Let images expire, or use another one.`,
    );
  }
}

/** The volume could not be written for a reason other than room. Status 84. */
export class VolumeWriteFailed extends Unavailable {
  override readonly name = 'VolumeWriteFailed';

  constructor(where: string, cause: unknown) {
    super(`media write error on ${where}: ${messageOf(cause)}`, STATUS.mediaWriteError, { cause });
  }
}

/** A sealed fragment is missing, is shorter than its manifest says, or cannot be read. Status 85. */
export class FragmentUnreadable extends PermanentError {
  override readonly name = 'FragmentUnreadable';

  constructor(fragmentId: string, reason: string) {
    super(STATUS.mediaReadError, `media read error: fragment ${fragmentId} ${reason}`);
  }
}

/** The host is short of something; of the fragment that says nothing. Status 83. */
export class HostExhausted extends Unavailable {
  override readonly name = 'HostExhausted';

  constructor(what: string, cause: unknown) {
    super(
      `media open error: ${what} cannot be used now: ${messageOf(cause)}`,
      STATUS.mediaOpenError,
      { cause },
    );
  }
}

const HOST_IS_SHORT = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN']);

/** What a failed read of a sealed fragment means. */
export function readError(
  fragmentId: string,
  what: string,
  cause: unknown,
): FragmentUnreadable | HostExhausted {
  if (cause instanceof FragmentUnreadable) return cause;
  if (HOST_IS_SHORT.has(codeOf(cause) ?? '')) {
    return new HostExhausted(`fragment ${fragmentId}`, cause);
  }
  return new FragmentUnreadable(fragmentId, `${what}: ${messageOf(cause)}`);
}

/** A sealed fragment is not what its manifest says. Status 1057. */
export class FragmentDamaged extends PermanentError {
  override readonly name = 'FragmentDamaged';

  constructor(
    readonly fragmentId: string,
    readonly reason: string,
  ) {
    super(
      STATUS.dataCorruption,
      `A data corruption has been detected: fragment ${fragmentId} ${reason}`,
    );
  }
}

/** A container of chunks is not what was written. Status 1057. */
export class ContainerDamaged extends PermanentError {
  override readonly name = 'ContainerDamaged';

  constructor(containerId: string, reason: string) {
    super(
      STATUS.dataCorruption,
      `A data corruption has been detected: container ${containerId} ${reason}`,
    );
  }
}

/** The folder of a volume or journal cannot be used. Status 83. */
export class VolumeUnusable extends PermanentError {
  override readonly name = 'VolumeUnusable';

  constructor(where: string, reason: string) {
    super(STATUS.mediaOpenError, `The volume ${where} cannot be used: ${reason}`);
  }
}

/** A journal cannot be replayed as it stands: of what it says none can be left out. */
export class JournalDamaged extends VolumeUnusable {
  constructor(
    readonly file: string,
    /** A clause, without a full stop. */
    readonly reason: string,
  ) {
    super(file, reason);
  }
}

/** What it means that a file of a volume cannot be opened, or read as a whole. */
export function openError(where: string, cause: unknown): VolumeUnusable | HostExhausted {
  if (cause instanceof VolumeUnusable) return cause;
  return hostError(where, cause) ?? new VolumeUnusable(where, messageOf(cause));
}

/** Where the host is short of something, which says nothing of the volume. */
export function hostError(where: string, cause: unknown): HostExhausted | undefined {
  if (cause instanceof HostExhausted) return cause;
  const isShort = HOST_IS_SHORT.has(codeOf(cause) ?? '');
  return isShort ? new HostExhausted(`volume ${where}`, cause) : undefined;
}

const NO_ROOM = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

export function isNoRoom(cause: unknown): boolean {
  return NO_ROOM.has(codeOf(cause) ?? '');
}

/** What a failed write means. */
export function writeError(where: string, cause: unknown): VolumeFull | VolumeWriteFailed {
  if (cause instanceof VolumeFull || cause instanceof VolumeWriteFailed) return cause;
  if (isNoRoom(cause))
    return hasNoInodes(where) ? VolumeFull.ofInodes(where) : new VolumeFull(where);
  return new VolumeWriteFailed(where, cause);
}
