import { randomBytes } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { openDatabase } from '#service/database.js';
import { startPostgres, type TestPostgres } from '../../../../../test/support/postgres.js';
import { catalogDefinition } from '../../catalog.definition.js';
import type { FileEntry } from '../../domain/files/file-view.js';
import { splitPath } from '../../domain/files/glob.js';
import { readIndexRecord } from '../../domain/files/index-record.js';
import { line, treeLines } from '../../testing/index-lines.js';
import { FileLoad } from './file-loads.js';
import { Files, type ImageFiles } from './files.js';

/** More than 10,000 entries are gone through another way than fewer. */
const ENTRIES_OF_LARGE_IMAGE = 10_500;
const PAGE = 700;

let postgres: TestPostgres;
let database: DataSource;
let files: Files;

beforeAll(async () => {
  postgres = await startPostgres();
  const config = {
    HOLDFAST_DATABASE_URL: postgres.superuserUrl,
    HOLDFAST_DATABASE_CONNECTIONS_MAX: 4,
  };
  database = await openDatabase(config, catalogDefinition.owns!);
  files = new Files(database.manager);
});
afterAll(async () => {
  await database?.destroy();
  await postgres?.stop();
});

/** Folders in each other, names at random so that nothing makes them shorter, down to 16,000 bytes. */
function deepFolders(root: string): string[] {
  const folders = [root];
  for (let path = root; path.length < 16_000;) {
    path += `/${randomBytes(180).toString('base64url')}`;
    folders.push(path);
  }
  return folders;
}

async function load(image: ImageFiles, lines: readonly string[]): Promise<void> {
  const records = lines.map((text) => readIndexRecord(text.replace(/\n$/, '')));
  for (let times = 0; times < 2; times += 1) {
    // The second time every folder is known, in an image of its own.
    const { number, client } = { ...image, number: image.number + times * 100 };
    await database.transaction(async (db) => {
      const load = new FileLoad(db, database, { image: { number, client }, fragment: 1 });
      await load.write(records);
      await load.finish();
    });
  }
}

async function pages(image: ImageFiles, prefix: string): Promise<string[]> {
  const paths: string[] = [];
  for (let after: string | undefined; ;) {
    const page = await files.list(image, { prefix, after, limit: PAGE });
    paths.push(...page.map(pathOf));
    if (page.length < PAGE) return paths;
    after = paths.at(-1);
  }
}

function pathOf({ directory, name }: FileEntry): string {
  return directory === '' ? name : `${directory}/${name}`;
}

/** So that a failure can be read. */
function short(paths: readonly string[]): string[] {
  return paths.map((path) =>
    path.length < 100 ? path : `${path.slice(0, 12)}...${path.length}...${path.slice(-12)}`,
  );
}

function byFolderThenName(a: string, b: string): number {
  const [left, right] = [splitPath(a), splitPath(b)];
  const compare = (x: string, y: string) => Buffer.compare(Buffer.from(x), Buffer.from(y));
  return compare(left.directory, right.directory) || compare(left.name, right.name);
}

describe.each([
  ['a small image', 1, 100],
  ['a large image', 2, ENTRIES_OF_LARGE_IMAGE],
])('paths of any length in %s', (_, number, others) => {
  const image = { imageId: `web1_${number}`, number, client: 'web1' };
  const twins = deepFolders('deep-1').concat(deepFolders('deep-2'));
  const deepest = twins.at(-1)!;
  const lines = [
    ...treeLines(others, 'a-tree'),
    ...twins.flatMap((path) => [line({ type: 'd', path }), line({ path: `${path}/file` })]),
    // The same first 15,000 bytes, and then a difference.
    ...['x', 'y', 'z'].map((end) => line({ path: `${deepest}-${end}/file` })),
  ];
  const paths = lines.map((text) => text.split('\t')[1]!).sort(byFolderThenName);

  it('are taken, and listed in order and page by page', async () => {
    await load(image, lines);
    expect(short(await pages(image, ''))).toEqual(short(paths));
    const [{ count }] = await database.query<[{ count: string }]>(
      'SELECT count(*) FROM (SELECT 1 FROM directory GROUP BY client, path HAVING count(*) > 1) d',
    );
    expect(count).toBe('0');
  });

  it('can be prefixes', async () => {
    for (const prefix of [twins[1]!, twins.at(-3)!, deepest, `${deepest}-y`]) {
      const below = paths.filter((path) => path === prefix || path.startsWith(`${prefix}/`));
      const listed = await pages(image, prefix);
      expect(short([...listed].sort(byFolderThenName))).toEqual(short(below));
    }
  });

  it('can be looked for', async () => {
    const found = await files.list(image, {
      prefix: `${deepest}-z/file`,
      after: undefined,
      limit: 9,
    });
    expect(short(found.map(pathOf))).toEqual(short([`${deepest}-z/file`]));
  });
});
