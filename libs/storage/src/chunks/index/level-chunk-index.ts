import { statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { messageOf } from '#kernel/errors.js';
import { statIfThere } from '../../directory/sync-folder.js';
import { HostExhausted, isNoRoom, VolumeFull } from '../../errors.js';
import { checkIds, IDS_PER_BATCH_MAX } from '../chunk-id.js';
import {
  IndexDamaged,
  IndexStopped,
  type Added,
  type ChunkIndex,
  type CollectedContainer,
  type ContainerContent,
  type Move,
} from './chunk-index.js';
import type { ChunkMap, Place } from './chunk-map.js';
import { changedCounts, movedCounts } from './count-change.js';
import {
  checkHolder,
  chunkKeys,
  CONTAINER_KEYS,
  containerKey,
  containerOf,
  countsValue,
  HOLDER_KEYS,
  holderKey,
  holderOf,
  holderValue,
  placeValue,
  readCounts,
  readPlace,
} from './index-records.js';

/** Ids are chance, so compressing them costs time and saves next to nothing. */
const OPTIONS = {
  keyEncoding: 'buffer',
  valueEncoding: 'buffer',
  compression: false,
  // Two such buffers are in memory; its tables are mapped, and not kept in the cache.
  cacheSize: 8 * 1024 * 1024,
  writeBufferSize: 4 * 1024 * 1024,
  maxFileSize: 16 * 1024 * 1024,
} as const;

/**
 * Every change: LevelDB begins a new log now and then, and a power loss may take the end of the one
 * before while what was synced in the new one stays.
 */
const DURABLE = { sync: true };

/** A file that says, after a restart too, that the index beside it has to be made anew. */
const DAMAGED = 'DAMAGED';

/** To open it again LevelDB makes a table of its log, and a new log. Bytes. */
const OPENING_BYTES = 32 * 1024 * 1024;

type Db = ClassicLevel<Buffer, Buffer>;
type Batch = ReturnType<Db['batch']>;

/** An index on disk that scales past memory: LevelDB. Decision 22 says why. */
export class LevelChunkIndex implements ChunkIndex {
  private hasFailed = false;

  private constructor(private readonly db: Db) {}

  /** Throws `IndexDamaged` for one that has to be made anew, `HostExhausted` for one that may be whole. */
  static async open(folder: string): Promise<LevelChunkIndex> {
    if (await statIfThere(join(folder, DAMAGED))) throw new IndexDamaged('it was found to be so');
    const db = new ClassicLevel<Buffer, Buffer>(folder, OPTIONS);
    try {
      await db.open();
    } catch (error) {
      await db.close().catch(() => undefined);
      throw meaningOf(folder, error);
    }
    return new LevelChunkIndex(db);
  }

  async lookup(domain: string, ids: readonly Buffer[]): Promise<(Place | undefined)[]> {
    checkIds(ids);
    const keys = chunkKeys(domain, ids);
    return this.attempt(async () => {
      const values = await this.db.getMany(keys);
      return values.map((value, at) => value && readPlace(keys[at]!, value));
    });
  }

  async add(
    content: ContainerContent,
    isLost: (place: Place, ordinal: number) => boolean = () => false,
  ): Promise<Added | undefined> {
    if (await this.counts(content.id)) return undefined;
    await this.expectWritable();
    const batch = this.db.batch();
    const stays = (place: Place, ordinal: number) => !isLost(place, ordinal);
    const added = await this.addPlaces(batch, content, stays);
    const { moves } = added;
    const froms = new Set(moves.map(({ from }) => from.container));
    const before = new Map<string, Uint32Array>();
    for (const id of froms) before.set(id, (await this.counts(id)) ?? new Uint32Array());
    const counts = movedCounts(content.ids.length, moves, before);
    for (const [id, left] of [...before, [content.id, counts] as const]) {
      const key = containerKey(id);
      if (left.length > 0) batch.put(key, countsValue(key, left));
    }
    await this.write(batch);
    return added;
  }

  async counts(container: string): Promise<Uint32Array | undefined> {
    const key = containerKey(container);
    return this.attempt(async () => {
      const value = await this.db.get(key);
      return value && readCounts(key, value);
    });
  }

  async change(holder: string, to: 'held' | 'released', chunks: ChunkMap): Promise<void> {
    if ((await this.isHolder(holder)) === (to === 'held')) return;
    await this.expectWritable();
    const batch = this.db.batch();
    for (const container of chunks.containers()) {
      const counts = await this.counts(container);
      const key = containerKey(container);
      batch.put(key, countsValue(key, changedCounts(counts, { container, to, chunks })));
    }
    const key = holderKey(holder);
    if (to === 'held') batch.put(key, holderValue(key));
    else batch.del(key);
    await this.write(batch);
  }

  async isHolder(holder: string): Promise<boolean> {
    const key = holderKey(holder);
    return this.attempt(async () => {
      const value = await this.db.get(key);
      if (value) checkHolder(key, value);
      return value !== undefined;
    });
  }

  async replace(
    gone: readonly ContainerContent[],
    collected: readonly CollectedContainer[],
  ): Promise<void> {
    await this.expectWritable();
    const batch = this.db.batch();
    const going = new Set(gone.map(({ id }) => id));
    for (const { id, domain, ids } of gone) {
      batch.del(containerKey(id));
      for (const some of batches(ids)) {
        const places = await this.lookup(domain, some);
        chunkKeys(domain, some).forEach((key, at) => {
          if (places[at]?.container === id) batch.del(key);
        });
      }
    }
    for (const content of collected) {
      const stays = (place: Place) => !going.has(place.container);
      await this.addPlaces(batch, content, stays);
      const key = containerKey(content.id);
      batch.put(key, countsValue(key, content.counts));
    }
    await this.write(batch);
  }

  async *containers(): AsyncIterable<string> {
    for await (const key of this.keys(CONTAINER_KEYS)) yield containerOf(key);
  }

  async *holders(): AsyncIterable<string> {
    for await (const key of this.keys(HOLDER_KEYS)) yield holderOf(key);
  }

  async close(): Promise<void> {
    await this.db.close();
  }

  private async write(batch: Batch): Promise<void> {
    try {
      await this.attempt(() => batch.write(DURABLE));
    } catch (error) {
      this.hasFailed = true;
      throw error;
    }
  }

  /**
   * What a write that failed has left at the end of its log LevelDB drops when it is opened again, with all that was
   * written behind it; or it writes nothing more by itself.
   */
  private async expectWritable(): Promise<void> {
    if (!this.hasFailed) return;
    const { bavail, bsize } = await statfs(this.db.location);
    if (bavail * bsize < OPENING_BYTES) throw new VolumeFull(this.db.location);
    throw new IndexStopped();
  }

  private async addPlaces(
    batch: Batch,
    content: ContainerContent,
    stays: (place: Place, ordinal: number) => boolean,
  ): Promise<Added> {
    const own = new Map<string, Place>();
    const moves: Move[] = [];
    const now: Place[] = [];
    let first = 0;
    for (const some of batches(content.ids)) {
      const places = await this.lookup(content.domain, some);
      chunkKeys(content.domain, some).forEach((key, at) => {
        const text = key.toString('latin1');
        const from = places[at];
        const there = from && stays(from, first + at) ? from : own.get(text);
        const to = there ?? { container: content.id, ordinal: first + at };
        now.push(to);
        if (there) return;
        own.set(text, to);
        batch.put(key, placeValue(key, to));
        if (from) moves.push({ from, to });
      });
      first += some.length;
    }
    return { places: now, moves };
  }

  private async *keys(range: { gt: Buffer; lt: Buffer }): AsyncIterable<Buffer> {
    try {
      yield* this.db.keys(range);
    } catch (error) {
      throw await this.meaningOf(error);
    }
  }

  private async attempt<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw await this.meaningOf(error);
    }
  }

  private async meaningOf(error: unknown): Promise<Error> {
    const meaning = meaningOf(this.db.location, error);
    if (meaning instanceof IndexDamaged) await noteDamage(this.db.location, meaning);
    return meaning;
  }
}

async function noteDamage(folder: string, damage: IndexDamaged): Promise<void> {
  try {
    await writeFile(join(folder, DAMAGED), `${damage.message}\n`, { flag: 'a', mode: 0o600 });
  } catch {
    // The damage itself is what the caller has to hear of; it will be met again.
  }
}

function* batches(ids: readonly Buffer[]): Iterable<readonly Buffer[]> {
  for (let at = 0; at < ids.length; at += IDS_PER_BATCH_MAX) {
    yield ids.slice(at, at + IDS_PER_BATCH_MAX);
  }
}

/** LevelDB says so for what was not written so, or (invalid argument) is shorter; all else may pass. */
function meaningOf(folder: string, error: unknown): Error {
  if (error instanceof IndexDamaged) return error;
  const causes = [error, (error as { cause?: unknown }).cause];
  const text = causes.map((cause) => messageOf(cause)).join(': ');
  const isDamage =
    /corruption|checksum mismatch|does not exist|missing files|invalid argument/i.test(text);
  if (isDamage) return new IndexDamaged(text);
  if (causes.some(isNoRoom) || /no space left/i.test(text)) return new VolumeFull(folder);
  return new HostExhausted(`the chunk index in ${folder}`, new Error(text));
}
