import type { DataSource } from 'typeorm';
import { SystemClock } from '#kernel/clock.js';
import { openDatabase } from '#service/database.js';
import { catalogDefinition } from '../../apps/catalog/src/catalog.definition.js';
import { planFind } from '../../apps/catalog/src/domain/files/glob.js';
import { shareBlocks } from '../../apps/catalog/src/persistence/files/block-locks.js';
import { FileFinds } from '../../apps/catalog/src/persistence/files/file-finds.js';
import { FileLoad } from '../../apps/catalog/src/persistence/files/file-loads.js';
import { FileSweeps } from '../../apps/catalog/src/persistence/files/file-sweeps.js';
import { removeTrees } from '../../apps/catalog/src/persistence/files/file-trees.js';
import { Files } from '../../apps/catalog/src/persistence/files/files.js';
import { RestoreChains } from '../../apps/catalog/src/restore-chains.js';
import { startPostgres } from '../support/postgres.js';
import { GeneratedDisk } from './generated-disk.js';
import { below, atMost, measurement, NO_GOAL, type Measurement } from './measurement.js';

/** What Bacula 9.6 stores for each file version, with its indexes. */
const BACULA_BYTES = 154;
const GOAL_MS = 100;
const QUESTIONS = 200;
const LINES_PER_BATCH = 4_000;
/** Share of the files that is edited between two images. */
const CHANGED_SHARE = Number(process.env['BENCH_CATALOG_CHANGED'] ?? 0.01);

/** `BENCH_CATALOG_MILLIONS` of file versions; a small number makes a short run. */
const MILLIONS = Number(process.env['BENCH_CATALOG_MILLIONS'] ?? 100);
const FILES_PER_CLIENT = Number(process.env['BENCH_CATALOG_FILES'] ?? 1_000_000);
const IMAGES_PER_CLIENT = 25;
/**
 * The last of so many images is an incremental, of what was edited since the others. Those are fulls, and
 * nothing has changed between them.
 */
const INCREMENTAL_EVERY = 5;

/** Of one client with little more than that. */
const INCREMENTALS = Number(process.env['BENCH_CATALOG_INCREMENTALS'] ?? 2_000);
const INCREMENTAL_FILES = 100_000;
const INCREMENTAL_SHARE = 0.001;
const HOURLY = 1_000_000;

interface Bench {
  readonly database: DataSource;
  /** Of file versions that were loaded. */
  versions: number;
  images: BenchImage[];
}

interface BenchImage {
  readonly imageId: string;
  readonly number: number;
  readonly client: string;
  readonly backupTime: number;
  readonly isFull: boolean;
}

/** Bytes for each file version, and 95th percentiles of questions, with generated file trees. */
export async function catalogBench(): Promise<Measurement[]> {
  const postgres = await startPostgres();
  const database = await openDatabase(
    { HOLDFAST_DATABASE_URL: postgres.url, HOLDFAST_DATABASE_CONNECTIONS_MAX: 6 },
    catalogDefinition.owns!,
  );
  try {
    const bench: Bench = { database, versions: 0, images: [] };
    const first = await loadFirst(bench);
    await fill(bench);
    const bytes = (await sizeOf(database)) / bench.versions;
    const millions = (bench.versions / 1e6).toFixed(1);
    const images = bench.images.length;
    return [
      ...first,
      measurement(
        {
          ...{
            measure: `${millions} million versions in ${images} images: each`,
            unit: 'bytes',
            ours: bytes,
          },
          peers: { Bacula: BACULA_BYTES },
        },
        atMost(BACULA_BYTES, 'bytes'),
      ),
      ...(await questions(bench)),
      await hourly(bench),
      await removal(bench),
    ];
  } finally {
    await database.destroy();
    await postgres.stop();
  }
}

/** A first full, a second one of the same, and one after a change. */
async function loadFirst(bench: Bench): Promise<Measurement[]> {
  const disk = new GeneratedDisk(0, FILES_PER_CLIENT);
  const measured = async (what: () => Promise<void>) => {
    const [size, begun, cpu] = [
      await sizeOf(bench.database),
      performance.now(),
      process.cpuUsage(),
    ];
    await what();
    const { user, system } = process.cpuUsage(cpu);
    return {
      bytes: (await sizeOf(bench.database)) - size,
      seconds: (performance.now() - begun) / 1_000,
      cpu: (user + system) / 1e6,
    };
  };
  const full = await measured(() => load(bench, disk, true));
  const same = await measured(() => load(bench, disk, true));
  disk.change(CHANGED_SHARE);
  const changed = await measured(() => load(bench, disk, true));
  const files = disk.files;
  const peers = { Bacula: files * BACULA_BYTES };
  const say = (measure: string, ours: number, limit: number) =>
    measurement({ measure, unit: 'bytes', ours, peers }, atMost(limit, 'bytes'));
  return [
    measurement(
      { measure: `first full of ${files} files adds`, unit: 'bytes', ours: full.bytes, peers },
      NO_GOAL,
    ),
    say('second full, nothing changed, adds', same.bytes, files * 0.1),
    say(
      `third full, ${CHANGED_SHARE * 100} % edited, adds`,
      changed.bytes,
      files * BACULA_BYTES * 0.5,
    ),
    ...[
      ['first full: catalog CPU', full.cpu],
      ['second full: catalog CPU', same.cpu],
      ['third full: catalog CPU', changed.cpu],
      ['first full: wall', full.seconds],
      ['second full: wall', same.seconds],
    ].map(([measure, ours]) =>
      measurement({ measure: String(measure), unit: 's', ours: Number(ours) }, NO_GOAL),
    ),
  ];
}

async function fill(bench: Bench): Promise<void> {
  for (let client = 1; bench.versions < MILLIONS * 1e6; client += 1) {
    const disk = new GeneratedDisk(client, FILES_PER_CLIENT);
    for (let n = 0; n < IMAGES_PER_CLIENT && bench.versions < MILLIONS * 1e6; n += 1) {
      const isFull = (n + 1) % INCREMENTAL_EVERY !== 0;
      if (!isFull) disk.change(CHANGED_SHARE);
      if (isFull && n % INCREMENTAL_EVERY !== 0) await repeat(bench);
      else await load(bench, disk, isFull);
    }
    console.error(`${(bench.versions / 1e6).toFixed(1)} million file versions`);
  }
}

/** Another full with nothing changed, as loading it would leave it: the rows of the last one again. */
async function repeat(bench: Bench): Promise<void> {
  const last = bench.images.at(-1)!;
  const image = await newImage(bench, last.client, true);
  const [row] = await bench.database.query<{ entries: string }[]>(
    `WITH copied AS (
       INSERT INTO file_tree (image_number, fragment, part, root, height, entries, filter)
       SELECT $1, fragment, part, root, height, entries, filter FROM file_tree
       WHERE image_number = $2 RETURNING entries
     ) SELECT sum(entries) AS entries FROM copied`,
    [image.number, last.number],
  );
  bench.versions += Number(row!.entries);
}

/** One image, in fragments whose ends are other ones in each. */
async function load(bench: Bench, disk: GeneratedDisk, isFull: boolean): Promise<void> {
  const { database } = bench;
  const client = `client-${disk.number}.example.com`;
  const image = await newImage(bench, client, isFull);
  const perFragment = Math.floor(disk.files / 4) + bench.images.length * 37;
  let fragment = 1;
  for (const part of disk.parts(isFull, perFragment)) {
    await database.transaction(async (db) => {
      await shareBlocks(db, [client]);
      const files = new FileLoad(db, database, { image, fragment });
      for (const batch of part(LINES_PER_BATCH)) {
        await files.write(batch);
        bench.versions += batch.length;
      }
      await files.finish();
    });
    fragment += 1;
  }
}

async function newImage(bench: Bench, client: string, isFull: boolean): Promise<BenchImage> {
  const { database } = bench;
  const backupTime = 1_700_000_000 + (bench.images.length + 1) * 3_600;
  const imageId = `${client}_${backupTime}`;
  const [row] = await database.query<{ number: string }[]>(
    `INSERT INTO image (image_id, client, policy, schedule, kind, backup_time, retention, chain_length,
       base_image_id, selections, selection_set, begun_at, finished_at, fragments_expected, files, bytes)
     VALUES ($1, $2, 'p', 's', $4, $3, '1d', 1, $5, '{}', '{}', now(), now(), 1, 1, 1) RETURNING number`,
    [imageId, client, backupTime, isFull ? 'full' : 'differential', baseOf(bench, client, isFull)],
  );
  await database.query(
    `INSERT INTO image_copy (image_id, copy, attempt, job_attempt, unit, pool, media_id)
     VALUES ($1, 1, 1, 1, 'u', 'p', 'm')`,
    [imageId],
  );
  await database.query(
    `INSERT INTO fragment (fragment_id, image_id, copy, number, attempt, media_id, pool, archive_offset,
       archive_bytes, stored_bytes, digest, index_bytes, index_digest, frames, last, sealed_at, index_loaded_at)
     VALUES (gen_random_uuid(), $1, 1, 1, 1, 'm', 'p', 0, 1, 1, '', 1, '', 1, true, now(), now())`,
    [imageId],
  );
  const image = { imageId, number: Number(row!.number), client, backupTime, isFull };
  bench.images.push(image);
  return image;
}

function baseOf(bench: Bench, client: string, isFull: boolean): string | null {
  const own = bench.images.filter((image) => image.client === client);
  return isFull ? null : (own.findLast((image) => image.isFull)?.imageId ?? null);
}

async function questions({ database, images }: Bench): Promise<Measurement[]> {
  await database.query('VACUUM ANALYZE');
  const files = new Files(database.manager);
  const finds = new FileFinds(database.manager);
  const chains = new RestoreChains(database, new SystemClock());
  const fulls = images.filter(({ isFull }) => isFull);
  const clients = await finds.clients();
  const pick = <T>(from: readonly T[], n: number) => from[(n * 7_919) % from.length]!;
  const place = (n: number) => {
    const image = pick(fulls, n);
    const number = Number(/^client-(\d+)/.exec(image.client)![1]);
    return { image, path: new GeneratedDisk(number, FILES_PER_CLIENT).pathOf(n * 104_729) };
  };
  const folderOf = (path: string) => path.slice(0, path.lastIndexOf('/'));
  const asked: [string, (n: number) => Promise<unknown[]>][] = [
    [
      'browse a folder',
      (n) => {
        const { image, path } = place(n);
        const page = { prefix: folderOf(path), after: undefined, limit: 100 };
        return files.list(image, page);
      },
    ],
    [
      'a page of 1,000 anywhere in an image',
      (n) => {
        const { image, path } = place(n);
        return files.list(image, { prefix: '', after: path, limit: 1_000 });
      },
    ],
    [
      'find a path over all images',
      (n) => finds.find(planFind(`/${place(n).path}`), { clients, limit: 101 }),
    ],
    [
      'find a rare name over all images',
      (n) => finds.find(planFind(place(n).path.split('/').at(-1)!), { clients, limit: 101 }),
    ],
    [
      'images for a restore by time',
      async (n) => {
        const { image } = place(n);
        const at = new Date((image.backupTime + 1_800) * 1_000).toISOString();
        return (await chains.of({ client: image.client, at })).images;
      },
    ],
  ];
  const measurements: Measurement[] = [];
  for (const [what, ask] of asked) measurements.push(await askOften(what, ask));
  return measurements;
}

async function askOften(
  what: string,
  ask: (n: number) => Promise<unknown[]>,
): Promise<Measurement> {
  const times: number[] = [];
  for (let n = 0; n < QUESTIONS; n += 1) {
    const begun = performance.now();
    const answer = await ask(n);
    times.push(performance.now() - begun);
    if (answer.length === 0) throw new Error(`${what}: nothing was found`);
  }
  times.sort((a, b) => a - b);
  const ours = times[Math.floor(times.length * 0.95)]!;
  const middle = times[times.length >> 1]!.toFixed(1);
  return measurement(
    { measure: `${what}, 95th percentile (median ${middle})`, unit: 'ms', ours },
    below(GOAL_MS, 'ms'),
  );
}

/** A path in one full and hardly any of the incrementals behind it, each of which has to be asked. */
async function hourly(bench: Bench): Promise<Measurement> {
  const disk = new GeneratedDisk(HOURLY, INCREMENTAL_FILES);
  await load(bench, disk, true);
  for (let n = 0; n < INCREMENTALS; n += 1) {
    disk.change(INCREMENTAL_SHARE);
    await load(bench, disk, false);
  }
  await bench.database.query('VACUUM ANALYZE');
  const finds = new FileFinds(bench.database.manager);
  const clients = await finds.clients();
  return askOften(`find a path of a client with ${INCREMENTALS} incrementals`, (n) =>
    finds.find(planFind(`/${disk.pathOf(n * 104_729)}`), { clients, limit: 101 }),
  );
}

/** An image of the first client goes, and what only it had. */
async function removal({ database, images }: Bench): Promise<Measurement> {
  const { imageId, client } = images[0]!;
  const begun = performance.now();
  await removeTrees(database.manager, [imageId]);
  await database.transaction((db) => new FileSweeps(db).sweep(client));
  return measurement(
    {
      measure: 'remove the files of a full and sweep its client',
      unit: 's',
      ours: (performance.now() - begun) / 1_000,
    },
    NO_GOAL,
  );
}

/** Tables of the file index with all that belongs to them. */
async function sizeOf(database: DataSource): Promise<number> {
  const [row] = await database.query<{ bytes: string }[]>(
    `SELECT sum(pg_total_relation_size(oid)) AS bytes FROM pg_class
     WHERE relname IN ('file_block', 'file_tree', 'file_name', 'directory') AND relkind = 'r'`,
  );
  return Number(row!.bytes);
}
