import { copyFile, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { catalogBackup, catalogRestore, catalogState } from '#contracts/catalog/care.js';
import { catalogFiles, catalogImage } from '#contracts/image.js';
import { smallVolume } from '#storage/testing/small-volume.js';
import { until } from '../../../../test/support/until.js';
import { catalogTables } from '../persistence/care/catalog-tables.js';
import { useCatalog } from '../testing/use-catalog.js';

const folder = await mkdtemp(join(tmpdir(), 'holdfast-copies-'));
const { cluster, maker } = await useCatalog({
  HOLDFAST_CATALOG_BACKUP_FOLDER: join(folder, 'copies'),
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the catalog in a file', () => {
  const restore = (path: string) => maker.operator.call(catalogRestore, { path, confirm: true });

  it('comes back as it was, under a new epoch', async () => {
    const { imageId } = await maker.backup(2);
    const before = await maker.operator.call(catalogState, {});
    const copy = await maker.operator.call(catalogBackup, {});
    expect(copy).toMatchObject({ images: before.images });
    const { imageId: later } = await maker.backup(1);
    const answer = await restore(copy.path);
    expect(answer).toMatchObject({ images: copy.images, fragments: copy.fragments });
    const after = await maker.operator.call(catalogState, {});
    expect({ ...after, catalogEpoch: '' }).toEqual({ ...before, catalogEpoch: '' });
    expect(after.catalogEpoch).not.toBe(before.catalogEpoch);
    const { image } = await maker.operator.call(catalogImage, { imageId });
    expect(image).toMatchObject({ state: 'COMPLETE', fragments: 2 });
    const { files } = await maker.operator.call(catalogFiles, { imageId, limit: 9 });
    expect(files.map(({ path }) => path)).toEqual(['/etc/file-1', '/etc/file-2']);
    await expect(maker.operator.call(catalogImage, { imageId: later })).rejects.toMatchObject({
      status: 227,
    });
    // New images go on behind the old ones.
    await maker.backup(1);
  });

  it('comes back while many ask, who all have to wait for that', async () => {
    const { path } = await maker.operator.call(catalogBackup, {});
    let isBack = false;
    const askers = Array.from({ length: 16 }, async () => {
      while (!isBack) await maker.operator.call(catalogState, {});
    });
    try {
      await restore(path);
    } finally {
      isBack = true;
    }
    await Promise.all(askers);
  });

  it('comes back although somebody holds one table and waits for another', async () => {
    const { path, images } = await maker.operator.call(catalogBackup, {});
    const tables = await catalogTables(cluster.database);
    const [first, last] = [tables[0]!.name, tables.at(-1)!.name];
    // Only a superuser may wait for so long, so that the restore notices it first and gives way.
    const other = new Client({
      connectionString: cluster.postgres.superuserUrl,
      options: `-c search_path=catalog -c deadlock_timeout=1min`,
    });
    await other.connect();
    try {
      await other.query(`BEGIN; LOCK TABLE ${last} IN ROW EXCLUSIVE MODE`);
      const restored = restore(path);
      const waits = `SELECT 1 FROM pg_locks WHERE relation = '${last}'::regclass AND NOT granted`;
      await until(() => cluster.database.query<unknown[]>(waits), {
        is: (rows) => rows.length > 0,
      });
      await other.query(`LOCK TABLE ${first} IN ROW EXCLUSIVE MODE; COMMIT`);
      expect(await restored).toMatchObject({ images });
    } finally {
      await other.end();
    }
  });

  it('that cannot be written is an error, each time, and no file', async () => {
    const small = smallVolume(1024 * 1024);
    if (!small) return;
    const copies = join(folder, 'copies');
    await rm(copies, { recursive: true, force: true });
    await symlink(small.path, copies);
    // More than all that holds rows on their way to a file.
    await cluster.database.query(
      `INSERT INTO parked_message (message_id, subject, payload, reason, deliveries)
       SELECT n, 's', (SELECT string_agg(md5(random()::text), '') FROM generate_series(n, n + 999)),
         'r', 1 FROM generate_series(1, 1000) n`,
    );
    try {
      for (let tries = 0; tries < 3; tries += 1) {
        await expect(maker.operator.call(catalogBackup, {})).rejects.toMatchObject({
          status: 14,
          message: expect.stringContaining(`${copies}: ENOSPC`),
        });
      }
      expect(await readdir(small.path)).toEqual([]);
      const [row] = await cluster.database.query<{ open: string }[]>(
        `SELECT count(*) AS open FROM pg_stat_activity
         WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()`,
      );
      expect(row).toEqual({ open: '0' });
      await cluster.database.query('DELETE FROM parked_message');
      const { path } = await maker.operator.call(catalogBackup, {});
      expect(await readdir(small.path)).toEqual([basename(path)]);
    } finally {
      await rm(copies);
      small.dispose();
    }
  });

  it('leaves images to their jobs where it knew them, and else to nobody', async () => {
    const known = await maker.backup(1);
    const job = maker.nextJob();
    const begun = await maker.begin({ job });
    const unknown = await maker.backup(2);
    const runs = maker.nextJob();
    const { imageId: lost } = await maker.begin({ job: runs });
    await maker.duplicate(unknown.imageId, { job: unknown.job });
    const reader = await maker.duplicate(known.imageId);
    const { path } = await maker.operator.call(catalogBackup, {});
    // As in a database that was made anew and has made other images since.
    const ids = [unknown.imageId, lost];
    for (const table of ['image', 'image_copy']) {
      await cluster.database.query(`UPDATE ${table} SET job = NULL WHERE image_id = ANY($1)`, [
        ids,
      ]);
    }
    await cluster.database.query('DELETE FROM pin WHERE job = $1', [unknown.job]);
    await restore(path);
    const rows = (what: string, table: string) =>
      cluster.database.query(`SELECT ${what} FROM ${table} WHERE image_id = ANY($1) ORDER BY 1`, [
        [known.imageId, begun.imageId, ...ids],
      ]);
    expect(await rows('number, job::int, abandoned_at IS NULL AS open', 'image')).toMatchObject([
      { job: known.job, open: true },
      { job, open: true },
      { job: null, open: true },
      { job: null, open: false },
    ]);
    expect(await rows('image_id, copy, job::int', 'image_copy')).toEqual(
      expect.arrayContaining([
        { image_id: known.imageId, copy: 1, job: known.job },
        { image_id: known.imageId, copy: 2, job: reader.job },
        { image_id: unknown.imageId, copy: 2, job: null },
      ]),
    );
    const pins = await cluster.database.query('SELECT DISTINCT job::int FROM pin ORDER BY 1');
    expect(pins).toEqual([{ job: reader.job }]);
    // The numbers come a second time.
    expect((await maker.begin({ job: runs })).imageId).not.toBe(lost);
    const again = await maker.begin({ job: unknown.job });
    expect(again).toMatchObject({ nextNumber: 1 });
    expect(again.imageId).not.toBe(unknown.imageId);
    expect((await maker.begin({ job, attempt: 2 })).imageId).toBe(begun.imageId);
  });

  it.each([
    ['was cut off', async (path: string) => (await readFile(path)).subarray(0, 900)],
    [
      'has changed',
      async (path: string) => {
        const bytes = await readFile(path);
        bytes[Math.floor(bytes.length / 2)]! ^= 0xff;
        return bytes;
      },
    ],
    ['is something else', async () => Buffer.from('not a catalog')],
  ])('is refused whole when it %s', async (_, spoil) => {
    const before = await maker.operator.call(catalogState, {});
    const { path } = await maker.operator.call(catalogBackup, {});
    const bad = join(folder, 'bad.gz');
    await copyFile(path, bad);
    await writeFile(bad, await spoil(path));
    await expect(restore(bad)).rejects.toMatchObject({ status: 20, field: 'path' });
    expect(await maker.operator.call(catalogState, {})).toEqual(before);
  });
});
