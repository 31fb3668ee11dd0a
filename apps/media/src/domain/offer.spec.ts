import { describe, expect, it } from '@jest/globals';
import { NEW_OFFER, OFFER_DEFAULTS, stepOffer, type Offer, type OfferInput } from './offer.js';

const settings = { ...OFFER_DEFAULTS, jitter: 0 };
const step = (offer: Offer, input: OfferInput, now = 0) =>
  stepOffer(offer, input, { now, chance: 1, settings });
const run = (inputs: readonly [OfferInput, number][]) => {
  let offer = NEW_OFFER;
  let asked = 0;
  for (const [input, now] of inputs) {
    const result = step(offer, input, now);
    offer = result.offer;
    asked += Number(result.ask);
  }
  return { offer, asked };
};

describe('The offer of a sealed fragment', () => {
  it('waits half a minute for its receipt and then goes out again', () => {
    const { offer } = run([
      ['taken', 0],
      ['published', 100],
    ]);
    expect(offer).toMatchObject({ phase: 'waiting', dueAt: 30_100 });
    expect(step(offer, 'tick', 30_099).offer.phase).toBe('waiting');
    expect(step(offer, 'tick', 30_100).offer.phase).toBe('due');
  });

  it('asks the catalog from the second receipt on that does not come', () => {
    const round = (at: number): [OfferInput, number][] => [
      ['taken', at],
      ['published', at],
      ['tick', at + 1_000_000],
    ];
    expect(run(round(0)).asked).toBe(0);
    expect(run([...round(0), ...round(1e7)]).asked).toBe(1);
    expect(run([...round(0), ...round(1e7), ...round(2e7)]).asked).toBe(2);
  });

  it('waits longer each time, up to five minutes', () => {
    let offer = NEW_OFFER;
    const delays: number[] = [];
    for (let round = 0; round < 7; round += 1) {
      offer = step(step(offer, 'taken').offer, 'published', 0).offer;
      delays.push(offer.dueAt);
      offer = step(offer, 'tick', offer.dueAt).offer;
    }
    expect(delays).toEqual([30, 60, 120, 240, 300, 300, 300].map((s) => s * 1_000));
  });

  it('tries again soon when the broker did not take it', () => {
    const { offer } = run([
      ['taken', 0],
      ['publishFailed', 0],
    ]);
    expect(offer).toMatchObject({ phase: 'waiting', dueAt: 1_000 });
  });

  it('does not wait for a clock that was put back, and only goes out early by one put forward', () => {
    const { offer } = run([
      ['taken', 1e12],
      ['published', 1e12],
    ]);
    expect(step(offer, 'tick', 0).offer.phase).toBe('due');
    expect(step(offer, 'tick', 2e12).offer.phase).toBe('due');
  });

  it('goes out at once when the broker is back', () => {
    const { offer } = run([
      ['taken', 0],
      ['publishFailed', 0],
      ['reconnected', 5],
    ]);
    expect(offer).toMatchObject({ phase: 'due', rounds: 0 });
  });

  it('takes "unknown image" for an answer and offers again later', () => {
    const { offer, asked } = run([
      ['taken', 0],
      ['published', 0],
      ['tick', 30_000],
      ['taken', 30_000],
      ['published', 30_000],
      ['unknownImage', 31_000],
    ]);
    expect(offer).toMatchObject({ phase: 'waiting', receiptsMissed: 0, unknownImage: 1 });
    expect(asked).toBe(0);
  });
});
