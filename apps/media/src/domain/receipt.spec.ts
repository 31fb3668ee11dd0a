import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { FragmentReceipt, Verdict } from '#contracts/fragment.js';
import { sampleManifest } from '../testing/sample-manifest.js';
import { applyRecord, type FragmentState } from './journal-state.js';
import { NEW_OFFER, OFFER_DEFAULTS, stepOffer, type Offer, type OfferInput } from './offer.js';
import { decideReceipt, type ReceiptOrigin } from './receipt.js';

const manifest = sampleManifest(1);
const { fragmentId } = manifest;
const sealed: FragmentState = { phase: 'SEALED', manifest, sealedAt: '2026-11-01T00:00:00.000Z' };
const receipt = (verdict: Verdict, catalogEpoch = 'e1'): FragmentReceipt => ({
  ...{ fragmentId, mediaId: 'm1', verdict, catalogEpoch },
});
const judged = (
  verdict: Exclude<Verdict, 'UNKNOWN_IMAGE'>,
  catalogEpoch = 'e1',
): FragmentState => ({
  ...sealed,
  phase: 'JUDGED',
  verdict,
  catalogEpoch,
});

describe('A receipt', () => {
  it('is recorded for a sealed fragment, whatever its verdict', () => {
    for (const verdict of ['COMMITTED', 'SUPERSEDED', 'FENCED', 'CORRUPT'] as const) {
      expect(decideReceipt(sealed, receipt(verdict), 'stream')).toBe('record');
    }
    expect(decideReceipt(sealed, receipt('UNKNOWN_IMAGE'), 'stream')).toBe('wait');
  });

  it('is nothing for a fragment that was not sealed here', () => {
    expect(decideReceipt(undefined, receipt('COMMITTED'), 'answer')).toBe('ignore');
  });

  it('that comes twice is nothing new', () => {
    expect(decideReceipt(judged('COMMITTED'), receipt('COMMITTED'), 'stream')).toBe('ignore');
    expect(decideReceipt(judged('COMMITTED'), receipt('COMMITTED', 'e2'), 'stream')).toBe('record');
  });

  it('cannot take COMMITTED back within an epoch, but the catalog itself can', () => {
    expect(decideReceipt(judged('COMMITTED'), receipt('FENCED'), 'stream')).toBe('ignore');
    expect(decideReceipt(judged('COMMITTED'), receipt('UNKNOWN_IMAGE'), 'answer')).toBe('record');
    expect(decideReceipt(judged('FENCED'), receipt('COMMITTED'), 'stream')).toBe('record');
  });

  it('of another epoch that contradicts has the catalog asked', () => {
    expect(decideReceipt(judged('COMMITTED'), receipt('FENCED', 'e2'), 'stream')).toBe('ask');
    expect(decideReceipt(judged('COMMITTED'), receipt('UNKNOWN_IMAGE', 'e0'), 'stream')).toBe(
      'ask',
    );
  });
});

/**
 * One fragment, its media server's decisions as they are, and a world that loses, doubles, delays
 * and reorders everything between it and a catalog.
 */
class World {
  state: FragmentState = sealed;
  offer: Offer | undefined = NEW_OFFER;
  catalog: Verdict | undefined;
  readonly commits: true[] = [];
  readonly receipts: FragmentReceipt[] = [];
  private now = 0;
  private epoch = 1;
  private toAsk = false;
  applied = 0;

  constructor(private readonly fate: Exclude<Verdict, 'UNKNOWN_IMAGE'>) {}

  do(event: string, choice: number): void {
    if (event === 'publish') this.publish();
    if (event === 'deliver' && this.commits.length > 0) this.deliver(choice);
    if (event === 'loseCommit') this.commits.splice(choice % (this.commits.length || 1), 1);
    if (event === 'doubleReceipt' && this.receipts[0]) this.receipts.push(this.receipts[0]);
    if (event === 'loseReceipt') this.receipts.splice(choice % (this.receipts.length || 1), 1);
    if (event === 'receive') this.receiveOne(choice);
    if (event === 'time') this.pass(choice * 1_000);
    if (event === 'reconnect') this.step('reconnected');
    if (event === 'ask') this.ask();
    if (event === 'restart') this.restart();
    if (event === 'failover') this.epoch += 1;
    if (event === 'forget') this.forget();
  }

  publish(acknowledged = true): void {
    if (this.offer?.phase !== 'due') return;
    this.step('taken');
    this.commits.push(true);
    this.step(acknowledged ? 'published' : 'publishFailed');
  }

  deliver(choice: number): void {
    this.commits.splice(choice % this.commits.length, 1);
    if (this.catalog === undefined) this.applied += 1;
    this.catalog = this.catalog ?? this.fate;
    this.receipts.push(receipt(this.catalog, `e${this.epoch}`));
  }

  receiveOne(choice: number): void {
    const [one] = this.receipts.splice(choice % (this.receipts.length || 1), 1);
    if (one) this.take(one, 'stream');
  }

  pass(ms: number): void {
    this.now += ms;
    this.step('tick');
  }

  ask(): void {
    if (!this.toAsk) return;
    this.toAsk = false;
    if (this.catalog) this.take(receipt(this.catalog, `e${this.epoch}`), 'answer');
  }

  /** The catalog's database went back to a time before the commit. */
  private forget(): void {
    if (this.catalog === undefined) return;
    this.epoch += 1;
    this.catalog = undefined;
    this.receipts.push(receipt('UNKNOWN_IMAGE', `e${this.epoch}`));
  }

  private restart(): void {
    this.offer = this.state.phase === 'SEALED' ? NEW_OFFER : undefined;
    this.toAsk = false;
  }

  private take(one: FragmentReceipt, origin: ReceiptOrigin): void {
    const decision = decideReceipt(this.state, one, origin);
    if (decision === 'wait') this.step('unknownImage');
    if (decision === 'ask') this.toAsk = true;
    if (decision !== 'record') return;
    const { verdict, catalogEpoch } = one;
    this.state = applyRecord(this.state, { type: 'VERDICT', fragmentId, verdict, catalogEpoch });
    this.offer = this.state.phase === 'SEALED' ? NEW_OFFER : undefined;
  }

  private step(input: OfferInput): void {
    if (!this.offer) return;
    const context = { now: this.now, chance: 0.5, settings: OFFER_DEFAULTS };
    const { offer, ask } = stepOffer(this.offer, input, context);
    this.offer = offer;
    this.toAsk ||= ask;
  }
}

const events = fc.array(
  fc.tuple(
    fc.constantFrom(
      ...['publish', 'deliver', 'loseCommit', 'doubleReceipt', 'loseReceipt', 'receive', 'time'],
      ...['reconnect', 'ask', 'restart', 'failover', 'forget'],
    ),
    fc.nat(400),
  ),
  { maxLength: 60 },
);
const fates = fc.constantFrom('COMMITTED', 'SUPERSEDED', 'FENCED', 'CORRUPT');

describe('A sealed fragment in a hostile world', () => {
  it('is never without both a verdict and an offer', () => {
    fc.assert(
      fc.property(fates, events, (fate, list) => {
        const world = new World(fate);
        for (const [event, choice] of list) {
          world.do(event, choice);
          expect(world.state.phase).not.toBe('INTENT');
          expect(world.offer === undefined).toBe(world.state.phase === 'JUDGED');
        }
      }),
      { numRuns: 400 },
    );
  });

  it('believes COMMITTED only when the catalog has committed it', () => {
    fc.assert(
      fc.property(fates, events, (fate, list) => {
        const world = new World(fate);
        for (const [event, choice] of list) world.do(event, choice);
        if (world.state.phase === 'JUDGED') {
          expect(world.state.verdict).toBe(fate);
          expect(world.applied).toBeGreaterThan(0);
        }
      }),
      { numRuns: 400 },
    );
  });

  it('gets its verdict once the world heals, also when every receipt is lost', () => {
    fc.assert(
      fc.property(fates, events, fc.boolean(), (fate, list, receiptsArrive) => {
        const world = new World(fate);
        for (const [event, choice] of list) if (event !== 'forget') world.do(event, choice);
        for (let round = 0; round < 10; round += 1) {
          world.publish();
          while (world.commits.length > 0) world.deliver(0);
          while (receiptsArrive && world.receipts.length > 0) world.receiveOne(0);
          world.receipts.length = 0;
          world.pass(300_000);
          world.ask();
        }
        expect(world.state).toMatchObject({ phase: 'JUDGED', verdict: fate });
        expect(world.applied).toBe(1);
      }),
      { numRuns: 300 },
    );
  });
});
