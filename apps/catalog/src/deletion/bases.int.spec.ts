import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { imageUndelete } from '#contracts/catalog/expiry.js';
import { tombstone } from '#contracts/fragment.js';
import { catalogChain, catalogFragments } from '#contracts/image.js';
import { until } from '../../../../test/support/until.js';
import { Images } from '../persistence/images.js';
import { useCatalog } from '../testing/use-catalog.js';

const QUICK = { HOLDFAST_GRANT_EVERY: '50ms', HOLDFAST_EXPIRE_EVERY: '200ms' };
/** Some rounds. */
const ROUNDS_MS = 500;

/** Of a fragment, all but what makes it another one. */
const COLUMNS = `image_id, number, attempt, media_id, pool, archive_offset, archive_bytes, stored_bytes,
  digest, index_bytes, index_digest, frames, last, sealed_at`;

const { cluster, catalog, maker } = await useCatalog(QUICK);
await cluster.compared(catalog);
const granted: string[] = [];
const observer = (await cluster.connect('observer')).connection;
observer.subscribe('hf.int.v1.frag.delete.>', {
  callback: (_, message) => void granted.push(tombstone.parse(message.json()).imageId),
});
await observer.flush();
let clients = 0;

describe('what an image builds on', () => {
  /** A full and so many that build on each other; all of them are marked, their grace ends in an hour. */
  async function markedChain(incrementals: number): Promise<string[]> {
    const lineage = { client: `client${(clients += 1)}`, policy: 'nightly' };
    const { imageId: full } = await maker.backup(1, lineage);
    const chain = [full];
    while (chain.length <= incrementals) {
      const { imageId } = await maker.begin({ ...lineage, kind: 'differential' });
      await maker.commit({ imageId, number: 1 });
      const said = { kind: 'differential', fragments: 1, files: 1, bytes: 1 } as const;
      await maker.finishAs(imageId, said);
      await maker.state(imageId, 'COMPLETE');
      chain.push(imageId);
    }
    await cluster.database.query('UPDATE image SET expires_at = now() WHERE image_id = ANY($1)', [
      chain,
    ]);
    for (const each of chain) await reaches(each, 'TO_BE_DELETED');
    await cluster.endGrace(chain, '1 hour');
    return chain;
  }

  async function stateOf(imageId: string): Promise<string | undefined> {
    const page = { imageId, copy: 1, all: true };
    return (await maker.operator.call(catalogFragments, page)).fragments[0]?.state;
  }

  function reaches(imageId: string, state: string) {
    return until(() => stateOf(imageId), { is: (reached) => reached === state });
  }

  /** When a fragment of the image is due, and which transaction wrote it. */
  async function rowOf(imageId: string): Promise<{ at: Date; writer: string }> {
    const [row] = await cluster.database.query<{ at: Date; writer: string }[]>(
      'SELECT deletable_at AS at, xmin::text AS writer FROM fragment WHERE image_id = $1',
      [imageId],
    );
    return row!;
  }

  it('stays for as long as that can be taken back, and is left alone until then', async () => {
    const [full, next] = (await markedChain(1)) as [string, string];
    await cluster.endGrace([full]);
    const { at } = await rowOf(next);
    const postponed = await until(() => rowOf(full), { is: (row) => row.at >= at });
    expect(postponed.at).toEqual(at);
    await delay(ROUNDS_MS);
    expect(await rowOf(full)).toEqual(postponed);
    await maker.operator.call(imageUndelete, { imageId: next });
    await cluster.endGrace([full]);
    await reaches(full, 'ACTIVE');
    const { images } = await maker.jobs.call(catalogChain, { imageId: next, exact: false });
    expect(images.map(({ imageId }) => imageId)).toEqual([full, next]);
  });

  it('goes behind it, in one round', async () => {
    const chain = await markedChain(3);
    await cluster.endGrace(chain);
    for (const each of chain) await reaches(each, 'DELETING');
    const order = () => granted.filter((imageId) => chain.includes(imageId));
    await until(() => order().length >= chain.length);
    expect(order()).toEqual([...chain].reverse());
  });

  it('goes where it builds on that in turn, as never happens', async () => {
    const chain = await markedChain(1);
    await cluster.database.query('UPDATE image SET base_image_id = $2 WHERE image_id = $1', chain);
    await cluster.endGrace(chain);
    for (const each of chain) await reaches(each, 'DELETING');
  });

  it('loses what of it is damaged and was replaced, as if nothing built on it', async () => {
    const [full, next] = (await markedChain(1)) as [string, string];
    for (const imageId of [next, full]) await maker.operator.call(imageUndelete, { imageId });
    const damaged = randomUUID();
    await cluster.database.query(
      `INSERT INTO fragment (fragment_id, copy, state, deletable_at, ${COLUMNS})
       SELECT $2, 1, 'DAMAGED', now(), ${COLUMNS} FROM fragment WHERE image_id = $1`,
      [full, damaged],
    );
    await until(() => granted.includes(full));
    expect(await stateOf(next)).toBe('ACTIVE');
  });

  it('is not gone when that is taken back, or that is refused', async () => {
    const [full, next, last] = (await markedChain(2)) as [string, string, string];
    await cluster.database.query(
      `UPDATE fragment SET state = 'DELETING', tombstone_id = fragment_id, granted_at = now(),
         deletable_at = NULL WHERE image_id = $1`,
      [full],
    );
    for (const imageId of [next, last]) {
      await expect(maker.operator.call(imageUndelete, { imageId })).rejects.toMatchObject({
        status: 227,
        message: `Image ${imageId} cannot be taken back: it builds on ${full}, which is being deleted or deleted already.`,
      });
      expect(await stateOf(imageId)).toBe('TO_BE_DELETED');
    }
  });

  it('may lack what another copy has', async () => {
    const [full, next] = (await markedChain(1)) as [string, string];
    await cluster.database.query(
      `INSERT INTO image_copy (image_id, copy, attempt, job_attempt, unit, pool, media_id)
       SELECT image_id, 2, 1, 1, unit, pool, media_id FROM image_copy WHERE image_id = $1`,
      [full],
    );
    await cluster.database.query(
      `INSERT INTO fragment (fragment_id, copy, state, ${COLUMNS})
       SELECT gen_random_uuid(), 2, 'DELETED', ${COLUMNS} FROM fragment WHERE image_id = $1`,
      [full],
    );
    expect(await maker.operator.call(imageUndelete, { imageId: next })).toMatchObject({
      fragments: 1,
    });
  });

  it('is waited for where its grant is being decided', async () => {
    const [full, next] = (await markedChain(1)) as [string, string];
    const granting = cluster.database.createQueryRunner();
    await granting.startTransaction();
    await new Images(granting.manager).hold(full);
    const undeleting = maker.operator.call(imageUndelete, { imageId: next });
    // Its failure is looked at below.
    undeleting.catch(() => undefined);
    await delay(ROUNDS_MS);
    expect(await stateOf(next)).toBe('TO_BE_DELETED');
    await granting.query(
      `UPDATE fragment SET state = 'DELETING', tombstone_id = fragment_id, granted_at = now(),
         deletable_at = NULL WHERE image_id = $1`,
      [full],
    );
    await granting.commitTransaction();
    await granting.release();
    await expect(undeleting).rejects.toMatchObject({ status: 227 });
  });
});
