import { randomBytes } from 'node:crypto';

import { describe, expect, it } from '@jest/globals';

import { KNOWN_CUTS_MAX, KnownCuts, type KnownChunk } from './known-cuts.js';

const id = () => randomBytes(32).toString('latin1');
const chunk = (length = 700_000): KnownChunk => ({ id: id(), length });

describe('known cuts', () => {
  it('are what was learned last, also behind bytes', () => {
    const cuts = new KnownCuts();
    const [a, b] = [id(), id()];
    const [first, second, third] = [chunk(1), chunk(2 ** 21), chunk(3)];
    cuts.learn(a, first!);
    cuts.learn(b, third!);
    cuts.learn(a, second!);
    for (const one of [cuts, new KnownCuts(cuts.encode())]) {
      expect(one.after(a)).toEqual(second);
      expect(one.after(b)).toEqual(third);
      expect(one.after(id())).toBeUndefined();
    }
  });

  it('are none where the bytes are others', () => {
    const cuts = new KnownCuts();
    const a = id();
    cuts.learn(a, chunk());
    const bytes = cuts.encode();
    for (let at = 0; at < bytes.length; at += 7) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 4;
      expect(new KnownCuts(damaged).after(a)).toBeUndefined();
    }
    for (const short of [0, 10, 40, bytes.length - 1]) {
      expect(new KnownCuts(bytes.subarray(0, short)).after(a)).toBeUndefined();
    }
  });

  it('say whether there are new ones', () => {
    const cuts = new KnownCuts();
    const [a, first] = [id(), chunk()];
    expect(cuts.hasNews).toBe(false);
    cuts.learn(a, first);
    expect(cuts.hasNews).toBe(true);
    const again = new KnownCuts(cuts.encode());
    again.learn(a, { ...first });
    expect(again.hasNews).toBe(false);
    again.learn(a, chunk());
    expect(again.hasNews).toBe(true);
  });

  it('are forgotten, the oldest first, behind so many', () => {
    const cuts = new KnownCuts();
    const ids = Array.from({ length: KNOWN_CUTS_MAX + 10 }, id);
    const next = chunk();
    for (const one of ids.slice(0, KNOWN_CUTS_MAX)) cuts.learn(one, next);
    cuts.learn(ids[3]!, next);
    for (const one of ids.slice(KNOWN_CUTS_MAX)) cuts.learn(one, next);
    const known = new KnownCuts(cuts.encode());
    const forgotten = ids.filter((one) => !known.after(one));
    expect(forgotten).toEqual([...ids.slice(0, 3), ...ids.slice(4, 11)]);
  });

  it('of two backups side by side come together', () => {
    const [one, other] = [new KnownCuts(), new KnownCuts()];
    const [a, b] = [id(), id()];
    one.learn(a, chunk());
    other.learn(b, chunk());
    one.add(other);
    expect([a, b].every((each) => one.after(each))).toBe(true);
  });
});
