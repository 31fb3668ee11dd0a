import { existsSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ClassicLevel } from 'classic-level';
import { describeChunkIndex, idOf } from '../../testing/describe-chunk-index.js';
import { smallVolume, testFolder } from '../../testing/small-volume.js';
import { VolumeFull } from '../../errors.js';
import { ChunkPlaces } from '../chunk-places.js';
import { IndexDamaged, IndexStopped } from './chunk-index.js';
import { holderKey } from './index-records.js';
import { LevelChunkIndex } from './level-chunk-index.js';
import { MemoryChunkIndex, MemoryIndexState } from './memory-chunk-index.js';

describeChunkIndex('An index in memory', async () => {
  const state = new MemoryIndexState();
  return {
    index: new MemoryChunkIndex(state),
    reopen: async () => new MemoryChunkIndex(state),
    dispose: async () => undefined,
  };
});

describeChunkIndex('An index on disk', async () => {
  const folder = testFolder();
  const path = join(folder.path, 'index');
  let index = await LevelChunkIndex.open(path);
  const first = index;
  return {
    index: first,
    reopen: async () => {
      await index.close();
      index = await LevelChunkIndex.open(path);
      return index;
    },
    dispose: async () => {
      await index.close();
      folder.dispose();
    },
  };
});

describe('An index on disk that has no room', () => {
  const MIB = 2 ** 20;
  const contentOf = (number: number) => ({
    id: number.toString(16).padStart(16, '0'),
    domain: 'web1',
    ids: Array.from({ length: 2_000 }, (_, nth) => idOf(number * 2_000 + nth)),
  });

  it('takes nothing behind a change that failed until it is opened again, and then has what it had', async () => {
    const folder = smallVolume(64 * MIB);
    if (!folder) return; // nothing may be mounted here
    try {
      let index = await LevelChunkIndex.open(join(folder.path, 'index'));
      const places = new ChunkPlaces(index, []);
      const add = (number: number) => places.add(contentOf(number), places.hold());
      await add(0);
      const { bavail, bsize } = statfsSync(folder.path);
      writeFileSync(join(folder.path, 'somebody'), Buffer.alloc(bavail * bsize - MIB));
      let number = 1;
      const fill = async () => {
        for (; number < 100; number += 1) await add(number);
      };
      await expect(fill()).rejects.toBeInstanceOf(VolumeFull);
      expect(number).toBeGreaterThan(1);
      await expect(add(number)).rejects.toBeInstanceOf(VolumeFull);
      expect(places.failure).toBeUndefined();
      rmSync(join(folder.path, 'somebody'));
      await expect(add(number)).rejects.toBeInstanceOf(IndexStopped);
      expect(places.failure).toBeInstanceOf(IndexStopped);
      await index.close();
      index = await LevelChunkIndex.open(join(folder.path, 'index'));
      for (let there = 0; there < number; there += 1) {
        const { id, domain, ids } = contentOf(there);
        const found = await index.lookup(domain, ids);
        expect(found).toEqual(ids.map((_, ordinal) => ({ container: id, ordinal })));
      }
      await index.add(contentOf(number + 1));
      await index.close();
    } finally {
      folder.dispose();
    }
  });
});

describe('A damaged index on disk', () => {
  const content = {
    id: '00000000000000aa',
    domain: 'web1',
    ids: Array.from({ length: 2_000 }, (_, seed) => idOf(seed)),
  };

  it('is said to be damaged and never read for something else, whatever bytes are flipped', async () => {
    const folder = testFolder();
    try {
      const first = await LevelChunkIndex.open(folder.path);
      await first.add(content);
      await first.close();
      // Opening it again turns the log into a table, which has no check of its own when it is read.
      await (await LevelChunkIndex.open(folder.path)).close();
      const name = readdirSync(folder.path).find((file) => file.endsWith('.ldb'))!;
      const whole = readFileSync(join(folder.path, name));
      let damaged = 0;
      for (let at = 1_000; at < whole.length; at += Math.floor(whole.length / 15)) {
        const flipped = Buffer.from(whole);
        flipped[at]! ^= 0x01;
        writeFileSync(join(folder.path, name), flipped);
        rmSync(join(folder.path, 'DAMAGED'), { force: true });
        if (!(await isDamagedOrRight(folder.path))) continue;
        damaged += 1;
        if (!existsSync(join(folder.path, 'DAMAGED'))) continue;
        await expect(LevelChunkIndex.open(folder.path)).rejects.toBeInstanceOf(IndexDamaged);
      }
      expect(damaged).toBeGreaterThan(0);
      rmSync(join(folder.path, 'DAMAGED'), { force: true });
      writeFileSync(join(folder.path, name), whole.subarray(0, whole.length - 10));
      expect(await isDamagedOrRight(folder.path)).toBe(true);
    } finally {
      folder.dispose();
    }
  });

  it('is noticed where it says whether somebody holds something', async () => {
    const folder = testFolder();
    try {
      const options = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const;
      const db = new ClassicLevel<Buffer, Buffer>(folder.path, options);
      await db.put(holderKey('f1'), Buffer.alloc(4));
      await db.close();
      const index = await LevelChunkIndex.open(folder.path);
      const places = new ChunkPlaces(index, []);
      await expect(places.isHolder('f1')).rejects.toBeInstanceOf(IndexDamaged);
      expect(places.failure).toBeInstanceOf(IndexDamaged);
      await index.close();
      expect(existsSync(join(folder.path, 'DAMAGED'))).toBe(true);
    } finally {
      folder.dispose();
    }
  });

  /** Every place is right or unknown, or it says that it is damaged. */
  async function isDamagedOrRight(path: string): Promise<boolean> {
    let index: LevelChunkIndex | undefined;
    try {
      index = await LevelChunkIndex.open(path);
      for (let from = 0; from < content.ids.length; from += 1_000) {
        const places = await index.lookup('web1', content.ids.slice(from, from + 1_000));
        places.forEach((place, at) => {
          if (place) expect(place).toEqual({ container: content.id, ordinal: from + at });
        });
      }
      expect(await index.counts(content.id)).toHaveLength(content.ids.length);
      return false;
    } catch (error) {
      if (!(error instanceof IndexDamaged)) throw error;
      return true;
    } finally {
      await index?.close();
    }
  }
});
