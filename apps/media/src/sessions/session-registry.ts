import type { Clock } from '#kernel/clock.js';
import { InvalidInput } from '#kernel/errors.js';
import type { Connection } from '#transfer/connection.js';
import type { Admission } from '#transfer/data-server.js';
import { STATUS_TOKEN_REFUSED, STATUS_UNKNOWN_TOKEN } from '#transfer/errors.js';
import { sessionKeyOf } from '#transfer/handshake.js';
import type { Hello } from '#transfer/payloads.js';

export type SessionRole = Hello['role'];

/** What a token stands for. */
export interface ExpectedSession {
  readonly token: string;
  readonly role: SessionRole;
  /** Takes the connection over and serves it to its end. */
  readonly serve: (connection: Connection) => Promise<void>;
  /** It is good until it is forgotten: whoever expects it forgets it in the end. */
  readonly untilForgotten?: boolean;
}

export const TOKEN_UNUSED_MS = 15 * 60 * 1000;
/** Tokens that are known at once, half a kilobyte each. A restore of 100 images has 200 of them to its end. */
export const SESSIONS_EXPECTED_MAX = 16_384;

interface Entry {
  readonly key: Buffer;
  readonly role: SessionRole;
  readonly serve: ExpectedSession['serve'];
  expiresAt: number;
  used: boolean;
}

/**
 * The tokens for which connections are expected. A token is good for one connection, within 15
 * minutes, or until it is forgotten. Tokens are not kept, but what is made of them (`sessionKeyOf`). What is looked up is
 * the name of a session, which is no secret: its timing may tell it.
 */
export class SessionRegistry {
  /** By the name of the session. */
  private readonly entries = new Map<string, Entry>();

  constructor(private readonly clock: Clock) {}

  /** Expects a connection. The same token again (a task that came twice) changes nothing. */
  expect(session: ExpectedSession): void {
    this.expire();
    const { session: name, key } = sessionKeyOf(session.token);
    if (this.entries.has(name)) return;
    if (this.entries.size >= SESSIONS_EXPECTED_MAX) {
      throw new InvalidInput(
        `More than ${SESSIONS_EXPECTED_MAX} connections are expected.`,
        'token',
      );
    }
    const { role, serve, untilForgotten = false } = session;
    const entry = { key, role, serve, expiresAt: Infinity, used: false };
    this.entries.set(name, entry);
    if (!untilForgotten) this.limit(entry);
  }

  /** Expects it no more: a connection with the token is refused. */
  forget(token: string): void {
    const entry = this.entries.get(sessionKeyOf(token).session);
    if (!entry) return;
    entry.used = true;
    if (entry.expiresAt === Infinity) this.limit(entry);
  }

  /** With what a client proves to know the token of a session. To be handed to the data server. */
  keyOf(session: string): Buffer | undefined {
    this.expire();
    return this.entries.get(session)?.key;
  }

  /** Takes a token that was proved. To be handed to the data server. */
  admit(hello: Pick<Hello, 'session' | 'role'>): Admission {
    this.expire();
    const entry = this.entries.get(hello.session);
    if (!entry) return { status: STATUS_UNKNOWN_TOKEN, message: 'the token is not known' };
    if (entry.used) return { status: STATUS_TOKEN_REFUSED, message: 'the token was used before' };
    if (entry.role !== hello.role) {
      return { status: STATUS_TOKEN_REFUSED, message: `the token is not one to ${hello.role}` };
    }
    entry.used = true;
    return { session: entry.serve };
  }

  /** Drops tokens whose time is over. Every token has a timer that calls it. */
  expire(): void {
    const now = this.now();
    for (const [key, entry] of this.entries) {
      if (entry.expiresAt <= now) this.entries.delete(key);
    }
  }

  private limit(entry: Entry): void {
    entry.expiresAt = this.now() + TOKEN_UNUSED_MS;
    setTimeout(() => this.expire(), TOKEN_UNUSED_MS + 1).unref();
  }

  private now(): number {
    return this.clock.now().getTime();
  }
}
