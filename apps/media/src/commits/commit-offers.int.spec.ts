import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { COMMITS_PER_MESSAGE_MAX, type FragmentReceipt } from '#contracts/fragment.js';
import { FixedClock } from '#kernel/clock.js';
import { testFolder, type TestFolder } from '#storage/testing/small-volume.js';
import { until } from '../../../../test/support/until.js';
import { CommitOffers, PUBLISHES_IN_FLIGHT_MAX } from './commit-offers.js';
import { MemoryCatalog } from '../testing/memory-catalog.js';
import { sampleManifest } from '../testing/sample-manifest.js';
import type { Volume } from '../volumes/volume.js';
import { Volumes } from '../volumes/volumes.js';

const CLOCK = new FixedClock(new Date('2026-11-01T00:00:00Z'));

describe('The commit offers', () => {
  let folder: TestFolder;
  let volumes: Volumes;
  let volume: Volume;
  let catalog: MemoryCatalog;
  let offers: CommitOffers;
  let clock: FixedClock;

  const begin = async () => {
    volumes = await Volumes.open({
      mediaId: 'media1',
      volumes: [{ path: folder.path, pool: 'disk' }],
      volumeReserveBytes: 0,
      clock: CLOCK,
    });
    [volume] = [...volumes] as [Volume];
    offers = new CommitOffers({
      ...{ publisher: catalog, inquiry: catalog, places: volumes, clock, chance: () => 1 },
      settings: { tickMs: 2 },
    });
    catalog.onReceipt = (receipt) => offers.onReceipts([receipt]);
    offers.start(volumes);
  };
  const end = async () => {
    await offers.stop();
    await volumes.close();
  };
  beforeEach(async () => {
    folder = testFolder();
    catalog = new MemoryCatalog();
    clock = new FixedClock(new Date('2026-11-01T00:00:00Z'));
    await begin();
  });
  afterEach(async () => {
    await end();
    folder.dispose();
  });

  const seal = async (number: number) => {
    const manifest = sampleManifest(number);
    const { fragmentId, imageId, copy, attempt } = manifest;
    await volume.ledger.intent({ fragmentId, imageId, copy, number, attempt });
    await volume.ledger.sealed(manifest, '2026-11-01T00:00:00.000Z');
    offers.add(fragmentId, volume);
    return fragmentId;
  };
  const pause = () => new Promise((resolve) => setTimeout(resolve, 25));

  it('offer until the receipt is in the journal, then tell and stop', async () => {
    const fragmentId = await seal(1);
    expect(await offers.verdict(fragmentId)).toBe('COMMITTED');
    expect(volume.ledger.find(fragmentId)).toMatchObject({
      phase: 'JUDGED',
      catalogEpoch: 'epoch-1',
    });
    expect(offers.open).toBe(0);
    clock.advance(600_000);
    await pause();
    expect(catalog.published).toBe(1);
    expect(await offers.verdict(fragmentId)).toBe('COMMITTED');
  });

  it('offer again when the broker acknowledged and forgot, after half a minute', async () => {
    catalog.losesCommits = true;
    const fragmentId = await seal(1);
    await until(() => catalog.published === 1);
    catalog.losesCommits = false;
    clock.advance(29_000);
    await pause();
    expect(catalog.published).toBe(1);
    clock.advance(1_000);
    expect(await offers.verdict(fragmentId)).toBe('COMMITTED');
    expect(catalog.published).toBe(2);
  });

  it('ask the catalog when two receipts did not come', async () => {
    catalog.losesReceipts = true;
    const fragmentId = await seal(1);
    await until(() => catalog.published === 1);
    clock.advance(30_000);
    await until(() => catalog.published === 2);
    expect(catalog.asked).toBe(0);
    clock.advance(60_000);
    expect(await offers.verdict(fragmentId)).toBe('COMMITTED');
    expect(catalog.asked).toBe(1);
  });

  it('offer past the broker what the catalog does not know when it is asked', async () => {
    catalog.losesCommits = true;
    const fragmentId = await seal(1);
    await until(() => catalog.published === 1);
    clock.advance(30_000);
    await until(() => catalog.published === 2);
    clock.advance(60_000);
    expect(await offers.verdict(fragmentId)).toBe('COMMITTED');
    expect([catalog.asked, catalog.offered]).toEqual([1, 1]);
  });

  it('offer directly whatever verdict there is, and nothing that is condemned', async () => {
    const fragmentId = await seal(1);
    await offers.verdict(fragmentId);
    catalog.committed.clear();
    expect(await offers.offerDirectly([fragmentId])).toBe(1);
    expect(catalog.committed.size).toBe(1);
    await volume.ledger.condemned(fragmentId, '01920000-0000-7000-8000-0000000000aa');
    expect(await offers.offerDirectly([fragmentId])).toBe(0);
  });

  it('have nothing to offer any more of what was removed', async () => {
    catalog.brokerDown = true;
    const fragmentId = await seal(1);
    await until(() => catalog.published === 1);
    offers.forget(fragmentId);
    catalog.brokerDown = false;
    offers.onReconnect();
    await pause();
    expect([offers.open, catalog.published]).toEqual([0, 1]);
  });

  it('change nothing while nobody answers, for however long', async () => {
    catalog.brokerDown = true;
    catalog.inquiryDown = true;
    const fragmentId = await seal(1);
    for (let round = 0; round < 20; round += 1) {
      const { publishFailed, askFailed } = offers.counters;
      clock.advance(400_000);
      await until(
        () => offers.counters.publishFailed + offers.counters.askFailed > publishFailed + askFailed,
      );
    }
    expect(volume.ledger.find(fragmentId)).toMatchObject({ phase: 'SEALED' });
    expect(offers.open).toBe(1);
    expect(offers.counters.publishFailed).toBeGreaterThan(5);
    expect(offers.counters.askFailed).toBeGreaterThan(2);
    expect(offers.lastError).not.toBe('');
    catalog.brokerDown = false;
    offers.onReconnect();
    expect(await offers.verdict(fragmentId)).toBe('COMMITTED');
  });

  it('offer everything at once when the broker is back, a bounded number at a time', async () => {
    catalog.brokerDown = true;
    for (let number = 1; number <= 400; number += 1) await seal(number);
    await until(() => catalog.published === 400);
    catalog.brokerDown = false;
    let inFlight = 0;
    let most = 0;
    const sizes: number[] = [];
    const publish = catalog.publish.bind(catalog);
    catalog.publish = async (commits) => {
      sizes.push(commits.length);
      inFlight += 1;
      most = Math.max(most, inFlight);
      await new Promise((resolve) => setImmediate(resolve));
      await publish(commits);
      inFlight -= 1;
    };
    offers.onReconnect();
    await until(() => offers.open === 0);
    expect(catalog.committed.size).toBe(400);
    expect(most).toBe(PUBLISHES_IN_FLIGHT_MAX);
    expect(Math.max(...sizes)).toBe(COMMITS_PER_MESSAGE_MAX);
    expect(sizes.length).toBeLessThan(20);
  });

  it('begin again after a restart with what has no verdict, and with nothing else', async () => {
    await offers.verdict(await seal(1));
    catalog.brokerDown = true;
    const open = await seal(2);
    await end();
    catalog.brokerDown = false;
    catalog.published = 0;
    await begin();
    expect(await offers.verdict(open)).toBe('COMMITTED');
    expect(catalog.published).toBe(1);
    expect(volumes.countByState()).toEqual({ COMMITTED: 2 });
  });

  it('take receipts that come twice, late or for strangers, and keep the first COMMITTED', async () => {
    const fragmentId = await seal(1);
    await offers.verdict(fragmentId);
    const receipt = (over: Partial<FragmentReceipt>): FragmentReceipt => ({
      ...{ fragmentId, mediaId: 'media1', verdict: 'COMMITTED', catalogEpoch: 'epoch-1' },
      ...over,
    });
    await offers.onReceipts([receipt({})]);
    await offers.onReceipts([receipt({ verdict: 'FENCED' })]);
    await offers.onReceipts([receipt({ fragmentId: sampleManifest(99).fragmentId })]);
    expect(volume.ledger.find(fragmentId)).toMatchObject({ verdict: 'COMMITTED' });
  });

  it('take receipts that contradict each other in one message as if they had come one by one', async () => {
    catalog.losesReceipts = true;
    const fragmentId = await seal(1);
    const said = (['SUPERSEDED', 'COMMITTED', 'FENCED'] as const).map((verdict) => ({
      ...{ fragmentId, mediaId: 'media1', verdict, catalogEpoch: 'epoch-1' },
    }));
    await offers.onReceipts(said);
    expect(volume.ledger.find(fragmentId)).toMatchObject({ verdict: 'COMMITTED' });
  });

  it('ask the catalog when a receipt of another epoch contradicts', async () => {
    const fragmentId = await seal(1);
    await offers.verdict(fragmentId);
    const contradiction = { verdict: 'FENCED', catalogEpoch: 'epoch-2' } as const;
    await offers.onReceipts([{ fragmentId, mediaId: 'media1', ...contradiction }]);
    await until(() => catalog.asked === 1);
    expect(volume.ledger.find(fragmentId)).toMatchObject({ verdict: 'COMMITTED' });
  });

  it('go on while the catalog does not know the image, and tell whoever waits', async () => {
    catalog.judge = () => 'UNKNOWN_IMAGE';
    const fragmentId = await seal(1);
    const told = offers.verdict(fragmentId);
    for (let round = 1; round <= 5; round += 1) {
      await until(() => offers.counters.receipts === round);
      clock.advance(300_000);
    }
    expect(await told).toBe('UNKNOWN_IMAGE');
    expect(volume.ledger.find(fragmentId)).toMatchObject({ phase: 'SEALED' });
    catalog.judge = () => 'COMMITTED';
    clock.advance(300_000);
    expect(await offers.verdict(fragmentId)).toBe('COMMITTED');
  });
});
