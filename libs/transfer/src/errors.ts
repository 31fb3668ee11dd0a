import { PermanentError, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

/** Status of a HELLO of a session that the server does not know (yet). */
export const STATUS_UNKNOWN_TOKEN = STATUS.handshakeFailed;
/** Status of a token that was used before, has run out, is for another role, or was not proved. */
export const STATUS_TOKEN_REFUSED = STATUS.accessNotAllowed;

/** The connection was cut before the work was done. Status 40. */
export class ConnectionBroken extends Unavailable {
  override readonly name = 'ConnectionBroken';

  constructor(message: string, options?: ErrorOptions) {
    super(message, STATUS.connectionBroken, options);
  }
}

/**
 * Who listens there did not prove that it knows the session's token: a process that has taken the port of a server
 * that is gone. It is as if nobody were there. Status 25.
 */
export class ServerUnproven extends Unavailable {
  override readonly name = 'ServerUnproven';

  constructor(where: string, reason: string) {
    super(
      `what listens at ${where} does not prove that it is the server: ${reason} Nothing was sent to it.`,
      STATUS.cannotConnect,
    );
  }
}

/** Nothing was heard from the other end for too long. Status 41. */
export class PeerSilent extends Unavailable {
  override readonly name = 'PeerSilent';

  constructor(message: string) {
    super(message, STATUS.connectionTimedOut);
  }
}

/** The other end gave up and said why (message ERROR). The status is the one that it gave. */
export class PeerFailure extends PermanentError {
  override readonly name = 'PeerFailure';
}

/** The other end sent what the protocol does not allow at this point. Status 26. */
export class ProtocolError extends PermanentError {
  override readonly name = 'ProtocolError';

  constructor(message: string) {
    super(STATUS.handshakeFailed, message);
  }
}

/** One range could not be read at the other end; the connection goes on. Status mostly 85. */
export class RangeUnreadable extends PermanentError {
  override readonly name = 'RangeUnreadable';
}
