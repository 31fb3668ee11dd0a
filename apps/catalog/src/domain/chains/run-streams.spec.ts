import { describe, expect, it } from '@jest/globals';
import { missingStreams, orderedChains, streamSets, type Run } from './run-streams.js';

const run = (streams: number, ...sets: string[]): Run => ({
  streams,
  sets: sets.map((path) => [path]),
});
const of = (...runs: Run[]) => streamSets(runs).flat().sort();

describe('the streams of a client as it was', () => {
  it('are those of the newest run, when there is an image of each', () => {
    expect(of(run(2, '/a', '/b'), run(3, '/a', '/b', '/dropped'))).toEqual(['/a', '/b']);
    expect(of(run(1, '/a'), run(2, '/b', '/c'))).toEqual(['/a']);
  });

  it('include those of the runs before, while some of the newest have no image', () => {
    expect(of(run(3, '/a'), run(3, '/a', '/b'), run(3, '/a', '/b', '/c'), run(1, '/old'))).toEqual([
      ...['/a', '/b', '/c'],
    ]);
    expect(of(run(2, '/a'))).toEqual(['/a']);
  });

  it('are fewer than the newest run has, where there never was an image of some', () => {
    const missing = (...runs: Run[]) => missingStreams(runs, streamSets(runs));
    expect(missing(run(3, '/a'), run(3, '/b'))).toBe(1);
    expect(missing(run(3, '/a'), run(3, '/a', '/b', '/c'))).toBe(0);
    expect(missing(run(1, '/a'), run(3, '/b'))).toBe(0);
    expect(missing()).toBe(0);
  });
});

describe('the chains of several streams', () => {
  const image = (second: number) => ({
    imageId: `w_${second}`,
    backupTime: new Date(second * 1_000).toISOString(),
  });

  it('end with the newest', () => {
    const chains = orderedChains([[image(1), image(9)], [image(2), image(7)], [image(8)]]);
    expect(chains.flat().map(({ imageId }) => imageId)).toEqual([
      'w_2',
      'w_7',
      'w_8',
      'w_1',
      'w_9',
    ]);
  });

  it('are refused where no restore could read them all', () => {
    const long = Array.from({ length: 300 }, (_, at) => image(at + 1));
    expect(() => orderedChains([long, long.slice(1)])).toThrow(
      'The 2 streams of that time need 599 images',
    );
  });
});
