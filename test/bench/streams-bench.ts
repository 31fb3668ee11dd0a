import { setTimeout as sleep } from 'node:timers/promises';
import { MemoryCatalog } from '../../apps/media/src/testing/memory-catalog.js';
import { TestMediaServer } from '../../apps/media/src/testing/media-server.js';
import {
  sampleBackup,
  sendFrame,
  totalsOf,
  type SampleFragment,
} from '../../apps/media/src/testing/sample-backup.js';
import { makeSmallLibrary } from '#storage/testing/small-library.js';
import { removeFolder, temporaryFolder } from '../support/temporary-folder.js';
import { atMostOf, measurement, median, NO_GOAL, type Measurement } from './measurement.js';

const MIB = 2 ** 20;
const ROUNDS = 3;
const CLIENTS = ['web1', 'web2', 'web3'];
/** What a client sends in a second: a slow disk, or a network of a fifth of a gigabit. */
const CLIENT_BYTES_PER_S = 24 * MIB;
/** Stored, of one client: eight fragments of 8 MiB and a bit. */
const SHAPE = { fragments: 8, framesEach: 16, frameBytes: MIB };

interface Run {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly mounts: number;
  /** To read one of the images back. */
  readonly readSeconds: number;
  readonly readMounts: number;
}

/** Three slow clients and a library with one drive: one after the other, and by turns. */
export async function streamsBench(): Promise<Measurement[]> {
  const backup = await sampleBackup(SHAPE);
  const alone: Run[] = [];
  const together: Run[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    alone.push(await run(backup, 1));
    together.push(await run(backup, CLIENTS.length));
  }
  const compare = (measure: string, unit: string, of: (one: Run) => number, share?: number) =>
    measurement(
      {
        ...{ measure, unit, ours: median(together.map(of)) },
        peers: { 'one after the other': median(alone.map(of)) },
      },
      share === undefined ? NO_GOAL : atMostOf(share),
    );
  return [
    compare('three streams to one drive', 's', ({ seconds }) => seconds, 0.5),
    compare('CPU time, senders included', 's', ({ cpuSeconds }) => cpuSeconds, 1.15),
    compare('mounts', '', ({ mounts }) => mounts, 1),
    compare('reading one of the images back', 's', ({ readSeconds }) => readSeconds),
    compare('mounts for that', '', ({ readMounts }) => readMounts, 1),
  ];
}

async function run(backup: readonly SampleFragment[], atOnce: number): Promise<Run> {
  const folder = await temporaryFolder();
  await makeSmallLibrary(folder, { cartridges: 2, capacityBytes: 1024 * MIB });
  const catalog = new MemoryCatalog();
  const media = await TestMediaServer.start({ folder, catalog, isLibrary: true });
  const mounts = () => media.libraryLog.filter((line) => line.startsWith('mounted')).length;
  try {
    const before = mounts();
    const cpu = process.cpuUsage();
    const begun = performance.now();
    const waiting = [...CLIENTS];
    const lane = async () => {
      for (let client = waiting.shift(); client; client = waiting.shift()) {
        await sendSlowly(media, client, backup);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, lane));
    const seconds = (performance.now() - begun) / 1_000;
    const { user, system } = process.cpuUsage(cpu);
    const written = mounts();
    const readSeconds = await readBack(media, catalog);
    return {
      ...{ seconds, cpuSeconds: (user + system) / 1e6, mounts: written - before },
      ...{ readSeconds, readMounts: mounts() - written },
    };
  } finally {
    await media.stop();
    await removeFolder(folder);
  }
}

async function sendSlowly(
  media: TestMediaServer,
  client: string,
  backup: readonly SampleFragment[],
): Promise<void> {
  const image = { imageId: imageOf(client), client, fragmentBytesMax: 32 * MIB };
  const { writer, outcome } = await media.write(image);
  const begun = performance.now();
  let sent = 0;
  let sealing = Promise.resolve();
  for (const fragment of backup) {
    for (const frame of fragment.frames) {
      sent += frame.bytes.length;
      const dueMs = (sent / CLIENT_BYTES_PER_S) * 1_000;
      await sleep(Math.max(0, dueMs - (performance.now() - begun)));
      await sendFrame(writer, frame);
    }
    for (const block of fragment.index) await writer.index(block);
    await sealing;
    sealing = writer.seal(fragment.claim);
    sealing.catch(() => undefined);
  }
  await sealing;
  await writer.finish(totalsOf(backup));
  const { status, message } = await outcome;
  if (status !== 0) throw new Error(`the stream of ${client} ended with ${status}: ${message}`);
}

async function readBack(media: TestMediaServer, catalog: MemoryCatalog): Promise<number> {
  const [client] = CLIENTS;
  const begun = performance.now();
  const { reader, outcome } = await media.read([imageOf(client!)]);
  for (const { fragmentId, imageId, storedBytes: length } of catalog.committed.values()) {
    if (imageId !== imageOf(client!)) continue;
    const range = { fragmentId, object: 'data', offset: 0, length } as const;
    let bytes = 0;
    for await (const piece of reader.read(range)) bytes += piece.length;
    if (bytes !== length) throw new Error(`fragment ${fragmentId} came back with ${bytes} bytes`);
  }
  reader.close();
  await outcome;
  return (performance.now() - begun) / 1_000;
}

function imageOf(client: string): string {
  return `${client}_1790000000`;
}
