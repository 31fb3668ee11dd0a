import { describe, expect, it, jest } from '@jest/globals';
import { ChunkPlaces } from './chunk-places.js';
import { MemoryChunkIndex } from './index/memory-chunk-index.js';

const CHUNKS = 8_000;

describe('A container that heals many chunks of another one', () => {
  const ids = Array.from({ length: CHUNKS }, (_, nth) => {
    const id = Buffer.alloc(32);
    id.writeUInt32LE(nth);
    return id;
  });

  it('has what names them follow at once, and what is not lost stay', async () => {
    const places = new ChunkPlaces(new MemoryChunkIndex(), []);
    const held = places.hold();
    await places.add({ id: 'lost', domain: 'web1', ids }, held);
    const isLost = (ordinal: number) => ordinal % 4 !== 0;
    places.losses.add('lost', [...ids.keys()].filter(isLost));
    const move = jest.spyOn(held, 'move');
    const sound = ids.map(() => true);
    await places.add({ id: 'new', domain: 'web1', ids }, places.hold(), { sound });
    // Each rebuilds all that the map has of a container: of 6,000 the event loop would stand still.
    expect(move.mock.calls.map(([container]) => container)).toEqual(['new', 'lost']);
    const [stay, moved] = [[...held.ordinals('lost')], [...held.ordinals('new')]];
    expect(stay).toEqual([...ids.keys()].filter((ordinal) => !isLost(ordinal)));
    expect(moved).toEqual([...ids.keys()].filter(isLost));
    expect(places.losses.isEmpty).toBe(true);
  });
});
