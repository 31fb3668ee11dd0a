import { Unavailable, codeOf, messageOf } from './errors.js';

/**
 * Why a transaction failed. `outage`: the database is away or busy, every other batch would fail
 * too. `data`: the database refuses what one of the messages holds. `bug`: everything else.
 */
export type FailureKind = 'outage' | 'data' | 'bug';

/** SQLSTATE classes: connection, rollback (deadlock), resources, operator, system. */
const OUTAGE_CLASSES = new Set(['08', '25', '40', '53', '55', '57', '58']);
/** SQLSTATE classes: data exception, integrity violation. */
const DATA_CLASSES = new Set(['22', '23']);
/** The system's, for a connection that is not made or is lost. */
const NETWORK_CODES = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT'],
  ...['EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'],
]);
/** Each has a digit; EPIPE is none. */
const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/;
/** The driver reports a lost connection, or one that was not to be had in time, in words only: these. */
const DRIVER_SAYS = /^Connection terminated|^timeout ex|^Query read timeout|is not queryable$/;
/** What else is said behind them, within a transaction. */
const ABOUT_CONNECTIONS = /connection|timeout|not queryable/i;

export function failureKind(error: unknown): FailureKind {
  if (error instanceof Unavailable) return 'outage';
  const code = codeOf(error);
  if (code === undefined) return ABOUT_CONNECTIONS.test(messageOf(error)) ? 'outage' : 'bug';
  // Codes such as ENOSPC are the system's.
  if (!SQLSTATE.test(code)) return 'outage';
  if (OUTAGE_CLASSES.has(code.slice(0, 2))) return 'outage';
  return DATA_CLASSES.has(code.slice(0, 2)) ? 'data' : 'bug';
}

/**
 * Whether a request failed because the database is away or busy. Where other things may have failed, too, this asks for
 * more than `failureKind`: an error of the file system is none of the database's, and a bug must not pass for an outage.
 */
export function isDatabaseAway(error: unknown): boolean {
  const code = codeOf(error);
  if (code === undefined) return DRIVER_SAYS.test(messageOf(error));
  return NETWORK_CODES.has(code) || (SQLSTATE.test(code) && OUTAGE_CLASSES.has(code.slice(0, 2)));
}
