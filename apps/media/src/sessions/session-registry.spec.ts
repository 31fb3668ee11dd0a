import { describe, expect, it } from '@jest/globals';
import { FixedClock } from '#kernel/clock.js';
import { sessionKeyOf } from '#transfer/handshake.js';
import { SESSIONS_EXPECTED_MAX, SessionRegistry, TOKEN_UNUSED_MS } from './session-registry.js';

const TOKEN = 'a-token-that-is-long-enough';
const hello = (token = TOKEN, role: 'write' | 'read' = 'write') =>
  ({ session: sessionKeyOf(token).session, role }) as const;
const serve = async () => undefined;
const setUp = () => {
  const clock = new FixedClock(new Date('2026-11-01T00:00:00Z'));
  return { clock, registry: new SessionRegistry(clock) };
};

describe('The registry of expected sessions', () => {
  it('admits a token once', () => {
    const { registry } = setUp();
    registry.expect({ token: TOKEN, role: 'write', serve });
    expect(registry.admit(hello())).toEqual({ session: serve });
    expect(registry.admit(hello())).toMatchObject({
      status: 46,
      message: 'the token was used before',
    });
    registry.expect({ token: TOKEN, role: 'write', serve });
    expect(registry.admit(hello())).toMatchObject({ status: 46 });
  });

  it('does not know other tokens (yet), and keeps roles apart', () => {
    const { registry } = setUp();
    registry.expect({ token: TOKEN, role: 'write', serve });
    expect(registry.admit(hello('another-token-of-some-length'))).toMatchObject({ status: 26 });
    expect(registry.admit(hello(TOKEN, 'read'))).toMatchObject({ status: 46 });
    expect(registry.admit(hello())).toEqual({ session: serve });
  });

  it('forgets a token that nobody used in 15 minutes', () => {
    const { registry, clock } = setUp();
    registry.expect({ token: TOKEN, role: 'write', serve });
    clock.advance(TOKEN_UNUSED_MS - 1);
    registry.expire();
    clock.advance(1);
    expect(registry.admit(hello())).toMatchObject({ status: 26 });
  });

  it('keeps a token of a reading task until the task is over', () => {
    const { registry, clock } = setUp();
    const LATE = 'another-token-of-some-length';
    for (const token of [TOKEN, LATE]) {
      registry.expect({ token, role: 'read', serve, untilForgotten: true });
    }
    clock.advance(24 * 60 * 60 * 1000);
    expect(registry.admit(hello(LATE, 'read'))).toEqual({ session: serve });
    for (const token of [TOKEN, LATE]) registry.forget(token);
    expect(registry.admit(hello(TOKEN, 'read'))).toMatchObject({ status: 46 });
    clock.advance(TOKEN_UNUSED_MS);
    expect(registry.admit(hello(TOKEN, 'read'))).toMatchObject({ status: 26 });
  });

  it('refuses a token that was called off', () => {
    const { registry } = setUp();
    registry.expect({ token: TOKEN, role: 'write', serve });
    registry.forget(TOKEN);
    expect(registry.admit(hello())).toMatchObject({ status: 46 });
  });

  it('keeps no token and is bounded', () => {
    const { registry } = setUp();
    for (let n = 0; n < SESSIONS_EXPECTED_MAX; n += 1) {
      registry.expect({ token: `a-token-of-some-length-${n}`, role: 'write', serve });
    }
    expect(() => registry.expect({ token: TOKEN, role: 'write', serve })).toThrow(/expected/);
    expect(JSON.stringify(registry)).not.toContain('a-token-of-some-length');
  });
});
