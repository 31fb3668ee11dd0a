import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { SystemClock } from '#kernel/clock.js';
import type { CollectOptions } from '#storage/chunks/collection/chunk-collector.js';
import { VolumeFull } from '#storage/errors.js';
import { MediaConfig, mediaConfig } from '../config.js';
import type { MediaNode } from '../media-node.js';
import { ChunkCollections } from './chunk-collections.js';

const NOTHING = { gone: 0, made: 0, freedBytes: 0, damaged: [] };

/** A volume that has something to collect for ever, until it is told to end. */
function busyVolume(volumeId: string) {
  const collect = async ({ signal }: CollectOptions) => {
    while (!signal!.aborted) await sleep(1);
    return { ...NOTHING, gone: 1, isUnfinished: true };
  };
  return { volumeId, pool: 'disk', shares: true, requireAnswer: async () => {}, collect };
}

function collectionsOf(volumes: readonly object[]): ChunkCollections {
  const config = { HOLDFAST_MEDIA_ID: 'media1', HOLDFAST_MEDIA_VOLUMES: 'disk=dedup:/none' };
  return new ChunkCollections(
    { volumes } as unknown as MediaNode,
    new SystemClock(),
    new MediaConfig(mediaConfig.parse(config)),
  );
}

describe('Rounds of collections', () => {
  beforeAll(() => Logger.overrideLogger(false));
  afterAll(() => Logger.overrideLogger(['error', 'warn', 'log']));

  it('come to every volume, however busy one is, and say which they have not reached', async () => {
    const collections = collectionsOf(['a', 'b', 'c'].map(busyVolume));
    const first: string[] = [];
    for (let round = 1; round <= 4; round += 1) {
      const [one, ...others] = await collections.collect(undefined, 20);
      expect(one).toMatchObject({ gone: 1 });
      expect(one!.problem).toMatch(/the next one goes on where this one ended/);
      for (const other of others) expect(other.problem).toMatch(/the next one begins behind them/);
      expect(others).toHaveLength(2);
      first.push(one!.volumeId);
    }
    expect(first).toEqual(['a', 'b', 'c', 'a']);
  });

  it('say what a volume that is full has given back, and that it is', async () => {
    const full = new VolumeFull('/disk');
    const collect = async () => ({ ...NOTHING, gone: 3, freedBytes: 7, full });
    const collections = collectionsOf([{ ...busyVolume('a'), collect }]);
    expect(await collections.collect()).toEqual([
      {
        ...{ pool: 'disk', volumeId: 'a', gone: 3, made: 0, freedBytes: 7, damaged: [] },
        problem: full.message,
      },
    ]);
  });
});
