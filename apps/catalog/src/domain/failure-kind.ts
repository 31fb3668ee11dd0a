import { Unavailable, codeOf } from '#kernel/errors.js';

/**
 * Why a transaction failed. `outage`: the database is away or busy, every other batch would fail
 * too. `data`: the database refuses what one of the messages holds. `bug`: everything else.
 */
export type FailureKind = 'outage' | 'data' | 'bug';

/** SQLSTATE classes: connection, rollback (deadlock), resources, operator, system. */
const OUTAGE_CLASSES = new Set(['08', '25', '40', '53', '55', '57', '58']);
/** SQLSTATE classes: data exception, integrity violation. */
const DATA_CLASSES = new Set(['22', '23']);
const SQLSTATE = /^[0-9A-Z]{5}$/;

export function failureKind(error: unknown): FailureKind {
  if (error instanceof Unavailable) return 'outage';
  const code = codeOf(error);
  if (code === undefined) return isConnectionLoss(error) ? 'outage' : 'bug';
  // Codes such as ECONNRESET are the network's.
  if (!SQLSTATE.test(code)) return 'outage';
  if (OUTAGE_CLASSES.has(code.slice(0, 2))) return 'outage';
  return DATA_CLASSES.has(code.slice(0, 2)) ? 'data' : 'bug';
}

/** The driver reports a lost connection in words only. */
function isConnectionLoss(error: unknown): boolean {
  return error instanceof Error && /connection|timeout|not queryable/i.test(error.message);
}

/** Deliveries after which a message that only a bug keeps out is set aside: about five minutes. */
export const DELIVERIES_BEFORE_PARKING = 20;

/** Whether a message that fails by itself is set aside; otherwise it is delivered again. */
export function shouldPark(kind: FailureKind, deliveries: number): boolean {
  switch (kind) {
    case 'outage':
      return false;
    case 'data':
      return true;
    case 'bug':
      return deliveries >= DELIVERIES_BEFORE_PARKING;
    default:
      return kind satisfies never;
  }
}
