import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { pathOf, readFileLines } from '#archive/file-lines.js';
import { useDatabase } from '#service/testing/use-database.js';
import { catalogDefinition } from '../../catalog.definition.js';
import { planFind, splitPath } from '../../domain/files/glob.js';
import type { IndexRecord } from '../../domain/files/index-record.js';
import { compareText } from '../../domain/files/tree-key.js';
import { shareBlocks } from './block-locks.js';
import { FileFinds } from './file-finds.js';
import { FileLoad } from './file-loads.js';
import { FileSweeps } from './file-sweeps.js';
import { removeTrees } from './file-trees.js';
import { compareEntries, Files } from './files.js';

const database = await useDatabase(catalogDefinition.owns!, 10);

/** Path to size; null: deleted since the base. */
type Entries = ReadonlyMap<string, number | null>;

interface ModelImage {
  readonly imageId: string;
  readonly number: number;
  readonly client: string;
  readonly backupTime: number;
  readonly entries: Entries;
}

/** The world beside which the tables are held: what each client has, and what its images took of it. */
class World {
  readonly images: ModelImage[] = [];
  readonly disks: ReadonlyMap<string, Map<string, number>>;
  private time = 1_700_000_000;

  constructor(readonly clients: readonly string[]) {
    this.disks = new Map(clients.map((client) => [client, new Map<string, number>()]));
  }

  /** What a backup finds: all of the disk, or what differs from an earlier image's state. */
  taken(client: string, base: Entries | undefined): Entries {
    const disk = this.disks.get(client)!;
    if (!base) return new Map(disk);
    const changes = new Map<string, number | null>();
    for (const [path, size] of disk) if (base.get(path) !== size) changes.set(path, size);
    for (const [path, size] of base) {
      if (size !== null && !disk.has(path)) changes.set(path, null);
    }
    return changes;
  }

  async add(client: string, entries: Entries): Promise<ModelImage> {
    const backupTime = (this.time += 1);
    const imageId = `${client}_${backupTime}`;
    const [row] = await database.query<{ number: string }[]>(
      `INSERT INTO image (image_id, client, policy, schedule, kind, backup_time, retention,
         chain_length, selections, selection_set, begun_at)
       VALUES ($1, $2, 'p', 's', 'full', $3, '1d', 1, '{}', '{}', now()) RETURNING number`,
      [imageId, client, backupTime],
    );
    const image = { imageId, number: Number(row!.number), client, backupTime, entries };
    this.images.push(image);
    return image;
  }
}

function toRecord([path, size]: readonly [string, number | null]): IndexRecord {
  return {
    ...{ type: size === null ? 'x' : 'f', ...splitPath(path), size: String(size ?? 0) },
    ...{ mtimeNs: '0', mode: 0o644, uid: '0', gid: '0', offset: '0', length: '0' },
    ...{ flags: '', extra: '' },
  };
}

function inArchiveOrder(entries: Entries): (readonly [string, number | null])[] {
  const key = (path: string) => path.replaceAll('/', '\u0001');
  return [...entries].sort(([a], [b]) => compareText(key(a), key(b)));
}

class Undone extends Error {}

/** One catalog that loads one fragment, in two batches. */
async function loadFragment(
  image: ModelImage,
  fragment: number,
  { records, isUndone }: { records: readonly IndexRecord[]; isUndone: boolean },
): Promise<void> {
  try {
    await database.transaction(async (db) => {
      await shareBlocks(db, [image.client]);
      const load = new FileLoad(db, database, { image, fragment });
      const middle = records.length >> 1;
      await load.write(records.slice(0, middle));
      await load.write(records.slice(middle));
      await load.finish();
      if (isUndone) throw new Undone();
    });
  } catch (error) {
    if (!(error instanceof Undone)) throw error;
  }
}

/** Fragments that are cut anywhere, loaded at once, in some order; some of them only at the second try. */
async function load(image: ModelImage, cuts: readonly number[], undone: boolean): Promise<void> {
  const records = inArchiveOrder(image.entries).map(toRecord);
  const places = [...new Set(cuts.map((cut) => cut % (records.length + 1)))].sort((a, b) => a - b);
  const ends = [...places, records.length];
  const parts = ends.map((end, n) => records.slice(n === 0 ? 0 : ends[n - 1], end));
  const order = parts.map((_, n) => n).sort((a, b) => ((a * 7) % 5) - ((b * 7) % 5));
  const loadAll = (isUndone: boolean) =>
    Promise.all(order.map((n) => loadFragment(image, n + 1, { records: parts[n]!, isUndone })));
  if (undone) await loadAll(true);
  await loadAll(false);
}

function sweep(client: string): Promise<number | undefined> {
  return database.transaction((db) => new FileSweeps(db).sweep(client));
}

const LIMITS = (
  [
    [10_000, 512, [320_000, 480_000], 1_000, 10_000],
    [0, 1, [1, 1], 3, 0],
    [0, 4, [100, 900], 2, 20],
  ] as const
).map(([smallImageEntries, pages, text, paths, smallOfFinds]) => ({
  files: { smallImageEntries, pages, text },
  finds: { paths, smallImageEntries: smallOfFinds },
}));

async function textLines(files: Files, image: ModelImage, prefix: string): Promise<string[]> {
  const { text, next } = await files.text(image, { prefix, after: undefined });
  let all = text;
  for (let at = next; at;) {
    const page = await files.text(image, { prefix, after: pathOf(at).slice(1) });
    all += page.text;
    at = page.next;
  }
  return readFileLines(all).map((line) => `${pathOf(line).slice(1)} ${line.type} ${line.size}`);
}

async function checkLists(world: World, prefix: string, pageLength: number): Promise<void> {
  for (const image of world.images) {
    const isBelow = (path: string) =>
      prefix === '' || path === prefix || path.startsWith(`${prefix}/`);
    const places = [...image.entries]
      .filter(([path]) => isBelow(path))
      .map(([path, size]) => ({ ...splitPath(path), path, size }))
      .sort(compareEntries);
    // The entry itself stands first, whatever folder it is in.
    const expected = [
      ...places.filter(({ path }) => path === prefix),
      ...places.filter(({ path }) => path !== prefix),
    ];
    for (const limits of LIMITS) {
      const files = new Files(database.manager, limits.files);
      const listed: string[] = [];
      for (let after: string | undefined; ;) {
        const page = await files.list(image, { prefix, after, limit: pageLength });
        const paths = page.map(({ directory, name }) =>
          directory === '' ? name : `${directory}/${name}`,
        );
        listed.push(...page.map(({ size, type }, n) => `${paths[n]} ${type} ${size}`));
        if (page.length < pageLength) break;
        after = paths.at(-1);
      }
      const lines = expected.map(
        ({ path, size }) => `${path} ${size === null ? 'x' : 'f'} ${size ?? 0}`,
      );
      expect(listed).toEqual(lines);
      expect(await textLines(files, image, prefix)).toEqual(lines);
    }
  }
}

/** A pattern, as a person would read it. */
function fits(pattern: string, path: string): boolean {
  const { name } = splitPath(path);
  const source = pattern.replace(/^\//, '').replaceAll('*', '.*').replaceAll('?', '.');
  const whole = pattern.includes('/');
  return new RegExp(`^${source}$`, 'su').test(whole ? path : name);
}

async function checkFinds(world: World, patterns: readonly string[], limit: number): Promise<void> {
  for (const pattern of patterns) {
    const expected = [...world.images]
      .sort((a, b) => b.backupTime - a.backupTime)
      .flatMap((image) =>
        [...image.entries]
          .filter(([path]) => fits(pattern, path))
          .map(([path, size]) => ({ ...splitPath(path), size, image }))
          .sort(compareEntries)
          .map(({ directory, name, size }) => `${image.imageId} ${directory}/${name} ${size ?? 0}`),
      )
      .slice(0, limit);
    for (const limits of LIMITS) {
      const finds = new FileFinds(database.manager, limits.finds);
      const found = await finds.find(planFind(pattern), { clients: world.clients, limit });
      expect(
        found.map(
          ({ imageId, directory, name, size }) => `${imageId} ${directory}/${name} ${size}`,
        ),
      ).toEqual(expected);
    }
  }
}

const component = fc.constantFrom('a', 'a-', 'b', 'é', '\u{1f600}', '\uffee', 'x', 'y');
const path = fc
  .array(component, { minLength: 1, maxLength: 4 })
  .map((components) => components.join('/'));
/** Enough entries that pages end somewhere. */
const change = fc.record({
  client: fc.nat(1),
  changed: fc.array(fc.tuple(path, fc.nat(3)), { maxLength: 12 }),
  folder: fc.option(fc.tuple(path, fc.integer({ min: 1, max: 90 })), { nil: undefined }),
  removed: fc.nat(30),
});
const step = fc.oneof(
  fc.record({ do: fc.constant('change' as const), change }),
  fc.record({
    do: fc.constant('backup' as const),
    client: fc.nat(1),
    base: fc.option(fc.nat(5), { nil: undefined }),
    cuts: fc.array(fc.nat(400), { maxLength: 3 }),
    undone: fc.boolean(),
    sweeping: fc.boolean(),
  }),
  fc.record({ do: fc.constant('remove' as const), which: fc.nat(10), sweeping: fc.boolean() }),
);

type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function applyChange(world: World, { client, changed, folder, removed }: Change) {
  const disk = world.disks.get(world.clients[client]!)!;
  for (const [where, size] of changed) disk.set(where, size);
  if (folder) {
    for (let n = 0; n < folder[1]; n += 1) disk.set(`${folder[0]}/file-${n}`, n);
  }
  for (const gone of [...disk.keys()].filter((_, n) => removed > 0 && n % (removed + 3) === 0)) {
    disk.delete(gone);
  }
}

async function run(world: World, one: Step): Promise<void> {
  switch (one.do) {
    case 'change':
      return applyChange(world, one.change);
    case 'backup': {
      const client = world.clients[one.client]!;
      const own = world.images.filter((image) => image.client === client);
      const base = one.base === undefined ? undefined : own[one.base % Math.max(own.length, 1)];
      const image = await world.add(client, world.taken(client, base?.entries));
      const sweeping = one.sweeping ? [sweep(client), sweep(client)] : [];
      await Promise.all([load(image, one.cuts, one.undone), ...sweeping]);
      return;
    }
    case 'remove': {
      if (world.images.length === 0) return;
      const [image] = world.images.splice(one.which % world.images.length, 1);
      await removeTrees(database.manager, [image!.imageId]);
      if (one.sweeping) await sweep(image!.client);
      return;
    }
    default:
      return one satisfies never;
  }
}

describe('the files of images', () => {
  let runs = 0;

  it('are listed and found as a plain model has them, whatever was loaded and removed in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 4, maxLength: 14 }),
        path,
        fc.integer({ min: 1, max: 50 }),
        async (steps, some, limit) => {
          runs += 1;
          const world = new World([`c${runs}-1`, `c${runs}-2`]);
          for (const one of steps) await run(world, one);
          for (const client of world.clients) await sweep(client);
          const known = world.images.flatMap(({ entries }) => [...entries.keys()]);
          await checkLists(world, '', limit);
          for (const prefix of [some, splitPath(known[0] ?? 'a').directory]) {
            await checkLists(world, prefix, limit);
          }
          const name = splitPath(some).name;
          const patterns = [`/${some}`, name, `${name}*`, '*1', `/${some[0]}*`, '*/b/*', 'file-??'];
          if (known.length > 0) patterns.push(`/${known.at(-1)}`);
          await checkFinds(world, patterns, limit);
          await checkFinds(world, patterns, 10_000);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('leave nothing behind when the last image is gone', async () => {
    const world = new World(['gone']);
    applyChange(world, { client: 0, changed: [], folder: ['a/b', 500], removed: 0 });
    for (let n = 0; n < 3; n += 1) {
      await load(await world.add('gone', world.taken('gone', undefined)), [100, 300], n === 1);
      world.disks.get('gone')!.set(`a/b/file-${n}`, 1_000);
    }
    const every = `SELECT 1 FROM file_block WHERE client = 'gone'`;
    const blocks = async () => (await database.query<unknown[]>(every)).length;
    const before = await blocks();
    expect(await sweep('gone')).toBe(0);
    expect(await blocks()).toBe(before);
    await removeTrees(database.manager, [world.images[1]!.imageId]);
    expect(await sweep('gone')).toBeGreaterThan(0);
    await removeTrees(
      database.manager,
      world.images.map(({ imageId }) => imageId),
    );
    await sweep('gone');
    expect(await blocks()).toBe(0);
  });

  it('are not swept while a load is at work for their client', async () => {
    const world = new World(['busy', 'idle']);
    await database.transaction(async (db) => {
      await shareBlocks(db, ['busy']);
      expect(await sweep('busy')).toBeUndefined();
      expect(await sweep('idle')).toBe(0);
    });
    expect(await sweep('busy')).toBe(0);
    expect(world.images).toEqual([]);
  });

  it('are loaded in a transaction that does not count as idle while batches come', async () => {
    const world = new World(['slow']);
    const image = await world.add('slow', new Map([['a/0', 1]]));
    await database.transaction(async (db) => {
      const [{ pid }] = await db.query<[{ pid: number }]>('SELECT pg_backend_pid() AS pid');
      const idleSince = `SELECT state_change::text AS at FROM pg_stat_activity WHERE pid = ${pid}`;
      const load = new FileLoad(db, database, { image, fragment: 1 });
      const moments = new Set<string>();
      for (let n = 0; n < 12; n += 1) {
        await load.write([toRecord([`a/${n}`, 1])]);
        moments.add((await database.query<[{ at: string }]>(idleSince))[0].at);
      }
      expect(moments.size).toBe(12);
      await load.finish();
    });
    const [row] = await database.query<{ entries: string }[]>(
      'SELECT entries FROM file_tree WHERE image_number = $1',
      [image.number],
    );
    expect(row).toEqual({ entries: '12' });
  });

  it('are not loaded twice for one fragment', async () => {
    const world = new World(['twice']);
    applyChange(world, { client: 0, changed: [['a', 1]], folder: undefined, removed: 0 });
    const image = await world.add('twice', world.taken('twice', undefined));
    await load(image, [], false);
    await expect(load(image, [], false)).rejects.toThrow('duplicate key');
    await checkLists(world, '', 10);
  });

  it('cost next to nothing when nothing has changed', async () => {
    const world = new World(['same']);
    for (let folder = 0; folder < 400; folder += 1) {
      applyChange(world, { client: 0, changed: [], folder: [`srv/f${folder}`, 10], removed: 0 });
    }
    const rows = async () =>
      (
        await database.query<Record<string, string>[]>(
          `SELECT (SELECT count(*) FROM file_block) AS blocks, (SELECT count(*) FROM file_name) AS names,
             (SELECT count(*) FROM directory) AS folders`,
        )
      )[0];
    await load(await world.add('same', world.taken('same', undefined)), [1_000], false);
    const first = await rows();
    await load(await world.add('same', world.taken('same', undefined)), [1_000], false);
    expect(await rows()).toEqual(first);
  });
});
