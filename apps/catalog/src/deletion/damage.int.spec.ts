import { beforeAll, describe, expect, it } from '@jest/globals';
import { catalogCopies, catalogUnpin, fragmentSuspect } from '#contracts/catalog/copy.js';
import { deleteReport } from '#contracts/catalog/expiry.js';
import { instanceSubject } from '#contracts/contract.js';
import { fragmentDamaged, tombstone, type Tombstone } from '#contracts/fragment.js';
import { catalogFragments } from '#contracts/image.js';
import { mediaVerifyFragment, type BytesState } from '#contracts/media.js';
import { uuidv7 } from '#kernel/ids.js';
import { until } from '../../../../test/support/until.js';
import { MEDIA } from '../testing/commit.js';
import { useCatalog } from '../testing/use-catalog.js';

const { cluster, catalog, maker } = await useCatalog({
  HOLDFAST_GRANT_EVERY: '50ms',
  HOLDFAST_DELETE_GRACE: '200ms',
});
await cluster.compared(catalog);

describe('damage', () => {
  /** What the media server says of its fragments; it says nothing where it knows none. */
  const bytes = new Map<string, BytesState>();
  const announced: unknown[] = [];
  const grants: Tombstone[] = [];

  beforeAll(async () => {
    const observer = (await cluster.connect('observer')).connection;
    observer.subscribe(`${fragmentDamaged.prefix}.>`, {
      callback: (_, message) => void announced.push(message.json<{ data: unknown }>().data),
    });
    observer.subscribe('hf.int.v1.frag.delete.>', {
      callback: (_, message) => void grants.push(tombstone.parse(message.json())),
    });
    observer.subscribe(instanceSubject(mediaVerifyFragment, MEDIA), {
      callback: (_, message) => {
        const { fragmentId } = message.json<{ fragmentId: string }>();
        const state = bytes.get(fragmentId);
        const answer = { bytes: state, reason: `it is ${state}`, volumes: [] };
        if (state) message.respond(JSON.stringify(answer));
      },
    });
    await observer.flush();
  });

  function suspect(fragmentId: string) {
    const request = { fragmentId, reason: 'its digest is wrong', reporter: 'agent-web1' };
    return maker.operator.call(fragmentSuspect, request);
  }

  async function shown(imageId: string) {
    const page = { imageId, all: true };
    const { fragments } = await maker.operator.call(catalogFragments, page);
    return fragments.map(({ number, state }) => `${number} ${state}`).sort();
  }

  it('is what the fragment’s own media server finds, and nobody else', async () => {
    const { imageId, fragmentIds } = await maker.backup(2);
    const [good, bad] = fragmentIds as [string, string];
    bytes.set(good, 'whole').set(bad, 'damaged');
    expect(await suspect(good)).toEqual({ state: 'ACTIVE' });
    expect(await suspect(bad)).toEqual({ state: 'DAMAGED' });
    expect(await suspect(bad)).toEqual({ state: 'DAMAGED' });
    expect(await shown(imageId)).toEqual(['1 ACTIVE', '2 DAMAGED']);
    const place = { fragmentId: bad, imageId, copy: 1, number: 2, mediaId: MEDIA };
    await until(() => announced.length > 0);
    expect(announced).toEqual([{ ...place, reason: 'it is damaged' }]);
    const { copies } = await maker.operator.call(catalogCopies, { imageId });
    expect(copies).toMatchObject([{ state: 'DEGRADED', damaged: 1, fragments: 1 }]);
    await expect(suspect(uuidv7(new Date()))).rejects.toMatchObject({ status: 227 });
  });

  it('is not assumed where the media server does not answer', async () => {
    const job = maker.nextJob();
    const { imageId } = await maker.begin({ job, mediaId: 'm2' });
    const { fragmentId } = await maker.commit({ imageId, number: 1, mediaId: 'm2' });
    await expect(suspect(fragmentId)).rejects.toMatchObject({ name: 'Unavailable' });
    expect(await shown(imageId)).toEqual(['1 ACTIVE']);
  });

  it('is retired by tombstone once another fragment has taken its place', async () => {
    const { imageId, fragmentIds } = await maker.backup(2);
    const { job } = await maker.duplicate(imageId);
    await maker.jobs.call(catalogUnpin, { job });
    const [bad] = fragmentIds as [string];
    bytes.set(bad, 'damaged');
    await suspect(bad);
    const repair = { copy: 1, pool: 'default', mediaId: MEDIA };
    const { copyAttempt: attempt } = await maker.copyBegin(imageId, repair);
    expect(grants).toEqual([]);
    const { fragmentId: good } = await maker.commit({ imageId, number: 1, attempt });
    const grant = await until(() => grants.find(({ fragmentId }) => fragmentId === bad));
    expect(grant!.reason).toBe(`it is damaged; fragment ${good} took its place`);
    const removal = { tombstoneId: grant!.tombstoneId, fragmentId: bad };
    await maker.as(MEDIA).call(deleteReport, { mediaId: MEDIA, removals: [removal] });
    expect(await shown(imageId)).toEqual(['1 ACTIVE', '1 DELETED', '2 ACTIVE']);
  });

  it('is not concluded from a removal that this catalog never granted', async () => {
    const { imageId, fragmentIds } = await maker.backup(1);
    const [fragmentId] = fragmentIds as [string];
    const removal = { tombstoneId: uuidv7(new Date()), fragmentId };
    await maker.as(MEDIA).call(deleteReport, { mediaId: MEDIA, removals: [removal] });
    expect(await shown(imageId)).toEqual(['1 ACTIVE']);
    // The bytes may still be in the trash, from where a reconciliation brings them back.
    bytes.set(fragmentId, 'trash');
    expect(await suspect(fragmentId)).toEqual({ state: 'ACTIVE' });
  });
});
