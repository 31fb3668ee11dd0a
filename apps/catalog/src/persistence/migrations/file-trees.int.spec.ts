import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { openDatabase } from '#service/database.js';
import { startPostgres, type TestPostgres } from '../../../../../test/support/postgres.js';
import { catalogDefinition } from '../../catalog.definition.js';
import { toFileView } from '../../domain/files/file-view.js';
import { planFind } from '../../domain/files/glob.js';
import { directoryDigest } from '../files/directory-digest.js';
import { FileFinds } from '../files/file-finds.js';
import { Files } from '../files/files.js';
import { FileTrees1769000000000 } from './1769000000000-file-trees.js';

let postgres: TestPostgres;
let database: DataSource | undefined;

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(async () => {
  await database?.destroy();
  await postgres?.stop();
});

function open(schema: NonNullable<typeof catalogDefinition.owns>): Promise<DataSource> {
  const config = {
    HOLDFAST_DATABASE_URL: postgres.url,
    HOLDFAST_DATABASE_CONNECTIONS_MAX: 2,
  };
  return openDatabase(config, schema);
}

/** The tables as they were, with two images of a client. */
async function fill(old: DataSource): Promise<void> {
  await old.query(
    `INSERT INTO image (image_id, client, policy, schedule, kind, backup_time, retention,
       chain_length, selections, selection_set, begun_at)
     SELECT 'web1_' || n, 'web1', 'p', 's', 'full', n, '1d', 1, '{}', '{}', now()
     FROM generate_series(1, 2) n ORDER BY n`,
  );
  const folders = ['', 'etc', 'etc/a', 'etc/a-b', 'etc/a/deep'];
  for (const path of folders) {
    await old.query(`INSERT INTO directory (client, path, digest) VALUES ('web1', $1, $2)`, [
      path,
      directoryDigest(path),
    ]);
  }
  await old.query(
    `INSERT INTO file_version (image_number, directory_id, name, type, size, mtime_ns, mode, uid, gid,
       archive_offset, archive_length, flags, extra)
     SELECT i.number, d.id, 'file-' || n, 'f', n, '13569465600123456789', 420, 4294967294, 0,
       n * 1024 + i.number, 1024, 'm', ''
     FROM image i, directory d, generate_series(1, 3000) n`,
  );
  await old.query(
    `INSERT INTO file_version SELECT i.number, d.id, 7, 0, 0, 512, 1024, 511, 1, 'z', 'h', '',
       '9000 512 etc/y z' FROM image i, directory d WHERE d.path = 'etc'`,
  );
}

it('makes trees of the rows that there were, with the same answers', async () => {
  const owns = catalogDefinition.owns!;
  const before = owns.migrations.filter((each) => each !== FileTrees1769000000000);
  expect(before.length).toBe(owns.migrations.length - 1);
  const old = await open({ ...owns, migrations: before });
  await fill(old);
  await old.destroy();
  database = await open(owns);
  const files = new Files(database.manager);
  for (const number of [1, 2]) {
    const image = (await files.image(`web1_${number}`))!;
    const [first, second] = await files.list(image, { prefix: 'etc', after: undefined, limit: 2 });
    expect([first, second].map((entry) => toFileView(entry!))).toMatchObject([
      { path: '/etc/file-1', size: 1, uid: 4_294_967_294, mode: '0644' },
      { path: '/etc/file-10', mtime: '2400-01-01T00:00:00.123456789Z' },
    ]);
    const [link] = await files.list(image, { prefix: 'etc/z', after: undefined, limit: 2 });
    expect(toFileView(link!)).toMatchObject({ type: 'h', target: '/etc/y z' });
    const [tree] = await database.query<{ trees: string; entries: string }[]>(
      'SELECT count(*) AS trees, sum(entries) AS entries FROM file_tree WHERE image_number = $1',
      [image.number],
    );
    expect(tree).toEqual({ trees: '1', entries: '15001' });
  }
  const scope = { clients: ['web1'], limit: 9 };
  const found = await new FileFinds(database.manager).find(planFind('/etc/a-b/file-2999'), scope);
  expect(found.map(({ imageId }) => imageId)).toEqual(['web1_2', 'web1_1']);
  const blocks = 'SELECT count(DISTINCT digest) = count(*) AS once FROM file_block';
  expect(await database.query(blocks)).toEqual([{ once: true }]);
});
