import { describe, expect, it } from '@jest/globals';
import { catalogFiles, catalogFind } from '#contracts/image.js';
import { until } from '../../../../test/support/until.js';
import { FileSweeper } from './file-sweeper.js';
import { useCatalog } from '../testing/use-catalog.js';

const { cluster, catalog, maker } = await useCatalog();

describe('the files of an image', () => {
  const sweeper = catalog.app.get(FileSweeper);
  const round = () => sweeper.round(new AbortController().signal);

  async function reportDeleted(fragmentId: string): Promise<void> {
    await cluster.database.query(
      `UPDATE fragment SET state = 'DELETED', deleted_at = now() WHERE fragment_id = $1`,
      [fragmentId],
    );
  }

  async function filesOf(imageId: string): Promise<number> {
    return (await maker.operator.call(catalogFiles, { imageId, limit: 9 })).files.length;
  }

  async function blocks(): Promise<number> {
    return (await cluster.database.query<unknown[]>('SELECT 1 FROM file_block')).length;
  }

  it('are forgotten once all its fragments are gone, and those of others not', async () => {
    const { imageId, fragmentIds } = await maker.backup(2);
    const { imageId: other } = await maker.backup(1);
    await reportDeleted(fragmentIds[0]!);
    await round();
    expect(await filesOf(imageId)).toBe(2);
    // That of the first fragment is the other image's, too.
    expect(await blocks()).toBe(2);
    await reportDeleted(fragmentIds[1]!);
    await until(() => round().then(blocks), { is: (left) => left === 1 });
    expect(await filesOf(imageId)).toBe(0);
    expect(await filesOf(other)).toBe(1);
    const find = { pattern: 'file-2', limit: 9 };
    expect(await maker.operator.call(catalogFind, find)).toEqual({ files: [], truncated: false });
    // Should the bytes come back, there is an index to load.
    const loaded = 'SELECT 1 FROM fragment WHERE image_id = $1 AND index_loaded_at IS NOT NULL';
    expect(await cluster.database.query(loaded, [imageId])).toEqual([]);
  });
});
