import { describe, expect, it } from '@jest/globals';
import { Deletables } from '../deletion/deletables.js';
import { KnownRows } from './known-rows.js';
import { useCatalog } from '../../testing/use-catalog.js';

const { cluster, maker } = await useCatalog({ HOLDFAST_GRANT_EVERY: '1h' });

describe('a grant that is to go out again at once', () => {
  it('goes before all that have waited for their report', async () => {
    const { fragmentIds } = await maker.backup(3);
    await cluster.database.query(
      `UPDATE fragment SET state = 'DELETING', grant_sent_at = '2026-01-01'
       WHERE fragment_id = ANY($1::uuid[])`,
      [fragmentIds],
    );
    const { manager } = cluster.database;
    await new KnownRows(manager).sendGrantsAgain([fragmentIds[1]!]);
    const [first] = await new Deletables(manager).lockUnreported(new Date(), 1);
    expect(first!.fragmentId).toBe(fragmentIds[1]);
  });
});
