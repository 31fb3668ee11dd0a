import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { Spool, type SpoolPlace } from './spool.js';

describe('The room of a spool', () => {
  const make = (bytesMax: number, free: () => number = () => Infinity) => {
    const waits: boolean[] = [];
    const onWait = () => {
      waits.push(true);
      return () => void waits.push(false);
    };
    const freeBytes = async () => free();
    return { spool: new Spool({ folder: '/spool', bytesMax, freeBytes, onWait }), waits };
  };
  /** Tells who was let in, in which order. */
  const queue = (spool: Spool) => {
    const inside: string[] = [];
    const places = new Map<string, SpoolPlace>();
    const ask = async (name: string, bytes: number, signal?: AbortSignal) => {
      const place = await spool.enter(bytes, signal);
      inside.push(name);
      places.set(name, place);
    };
    return { inside, places, ask };
  };
  const settled = async () => {
    for (let turn = 0; turn < 5; turn += 1) await setImmediate();
  };

  it('is given to whoever fits at full size beside the others, who came first before who came later', async () => {
    const { spool, waits } = make(100);
    const { inside, places, ask } = queue(spool);
    await ask('a', 60);
    void ask('b', 60);
    // It would fit, and has to wait behind b: else b could wait for ever.
    void ask('c', 40);
    await settled();
    expect([inside, waits]).toEqual([['a'], [true, true]]);
    places.get('a')!.take(60);
    places.get('a')!.leave('nothing');
    await settled();
    expect([inside, waits]).toEqual([
      ['a', 'b', 'c'],
      [true, true, false, false],
    ]);
  });

  it('counts what was left behind, and lets in who is alone however little there is', async () => {
    const { spool } = make(100);
    const { inside, places, ask } = queue(spool);
    spool.addLeft(90);
    await ask('a', 60);
    expect(() => places.get('a')!.take(11)).toThrow(/the spool \/spool/);
    places.get('a')!.take(10);
    places.get('a')!.leave('everything');
    places.get('a')!.leave('everything');
    await ask('b', 60);
    expect(() => places.get('b')!.take(1)).toThrow(/the spool \/spool/);
    expect(inside).toEqual(['a', 'b']);
  });

  it('stays with those that were let in: nobody takes more at their cost', async () => {
    const { spool } = make(100);
    const { places, ask } = queue(spool);
    await ask('a', 60);
    await ask('b', 30);
    const unasked = spool.place(0);
    unasked.take(10);
    expect(() => unasked.take(1)).toThrow(/the spool \/spool/);
    expect(() => places.get('a')!.take(61)).toThrow(/the spool \/spool/);
    places.get('a')!.take(60);
    places.get('b')!.take(30);
    unasked.leave('nothing');
    places.get('b')!.take(10);
  });

  it('is no larger than its file system, less what those who are in it have yet to write', async () => {
    let free = 100;
    const { spool } = make(1_000, () => free);
    const { inside, places, ask } = queue(spool);
    await ask('a', 60);
    void ask('b', 60);
    await settled();
    expect(inside).toEqual(['a']);
    places.get('a')!.take(50);
    free = 70;
    void ask('c', 4);
    places.get('a')!.leave('nothing');
    await settled();
    expect(inside).toEqual(['a', 'b', 'c']);
    // 64 bytes are still to come, and the indexes that belong to them.
    places.get('c')!.leave('nothing');
    void ask('d', 10);
    await settled();
    expect(inside).toEqual(['a', 'b', 'c']);
  });

  it('is not waited for by who is cancelled, and those behind it go on', async () => {
    const { spool } = make(100);
    const { inside, ask } = queue(spool);
    const over = new AbortController();
    await ask('a', 60);
    const cancelled = ask('b', 60, over.signal);
    void ask('c', 40);
    await settled();
    over.abort();
    await expect(cancelled).rejects.toMatchObject({ status: 150 });
    await settled();
    expect(inside).toEqual(['a', 'c']);
    await expect(ask('d', 60, over.signal)).rejects.toMatchObject({ status: 150 });
  });
});
