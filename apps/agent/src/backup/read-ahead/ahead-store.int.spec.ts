import {
  appendFileSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { ByteString } from '#archive/path-text.js';

import { temporaryFolder } from '../../../../../test/support/temporary-folder.js';

import type { EntryStore } from '../reader/entry-store.js';
import { emptyStat, fastestStatCalls, type FileStat } from '../reader/file-stat.js';
import { readBatch, type BatchJob } from './ahead-batch.js';
import { AheadStore, type ReadAhead } from './ahead-store.js';
import { readFile } from './read-file.js';

interface Stored {
  readonly path: ByteString;
  readonly stat: FileStat;
  /** What it was given as read already. */
  readonly content: string | undefined;
  readonly readMs: number | undefined;
}

describe('Reading ahead', () => {
  let folder: string;
  const stats = fastestStatCalls();
  const context = { nowMs: 1_000 };
  beforeAll(async () => {
    folder = await temporaryFolder();
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const collect = () => {
    const stored: Stored[] = [];
    const kept: ByteString[] = [];
    const add: EntryStore['add'] = (path, stat, _folder, ahead) => {
      const content = ahead && Buffer.from(ahead.content).toString();
      stored.push({ path, stat: { ...stat }, content, readMs: ahead?.readMs });
    };
    return { stored, kept, store: { add, keepWithin: (path: ByteString) => void kept.push(path) } };
  };
  /** Reads when it is told to, as the other thread does, and lets the file change before. */
  const thread = (before: (job: BatchJob) => void = () => undefined): ReadAhead => ({
    start: (job) => {
      before(job);
      readBatch(job, readFile);
    },
    giveUp: () => {
      throw new Error('it was given up');
    },
  });
  const look = (path: string): FileStat => {
    const stat = emptyStat();
    stats.lstat(path, stat);
    return stat;
  };
  const make = (name: string, content: string): string => {
    const path = `${folder}/${name}`;
    writeFileSync(path, content);
    return path;
  };

  it('gives what files hold, and everything else as it was, in the same order', () => {
    const { stored, store } = collect();
    const ahead = new AheadStore(store, thread(), context, 0);
    const sub = `${folder}/sub`;
    mkdirSync(sub);
    symlinkSync('nowhere', `${folder}/link`);
    const paths = [sub, `${folder}/link`];
    for (let n = 0; n < 1_500; n += 1) paths.push(make(`file-${n}`, `${n} `.repeat(n % 900)));
    paths.push(make('large', 'x'.repeat(200_000)), make('empty', ''));
    const walked = emptyStat();
    for (const path of paths) {
      stats.lstat(path, walked);
      ahead.add(path, walked, undefined);
    }
    ahead.finish();
    expect(stored.map(({ path }) => path)).toEqual(paths);
    expect(stored.map(({ stat }) => stat)).toEqual(paths.map(look));
    for (const { path, content, readMs } of stored) {
      const [, n] = /file-(\d+)$/.exec(path) ?? [];
      const expected = n === undefined ? undefined : `${n} `.repeat(Number(n) % 900);
      expect(content).toBe(path.endsWith('empty') ? '' : expected);
      expect(readMs).toBe(content === undefined ? undefined : 1_000);
    }
  });

  it('begins behind some files', () => {
    const { stored, store } = collect();
    const ahead = new AheadStore(store, thread(), context, 2);
    for (const name of ['a', 'b', 'c', 'd'])
      ahead.add(make(name, name), look(`${folder}/${name}`), undefined);
    ahead.finish();
    expect(stored.map(({ content }) => content)).toEqual([undefined, undefined, 'c', 'd']);
  });

  it.each([
    ['grew', (path: string) => appendFileSync(path, 'more')],
    ['was written anew', (path: string) => writeFileSync(path, 'same siz2')],
    ['became shorter', (path: string) => writeFileSync(path, 'x')],
    ['vanished', (path: string) => unlinkSync(path)],
    ['was touched', (path: string) => utimesSync(path, 1, 1)],
    ['was replaced by a link', (path: string) => (unlinkSync(path), symlinkSync('kept', path))],
  ])('passes on nothing of a file that %s since the walk saw it', (_, change) => {
    const { stored, store } = collect();
    const path = make('victim', 'same size');
    utimesSync(path, 5, 5);
    const kept = make('kept', 'kept');
    const ahead = new AheadStore(
      store,
      thread(() => change(path)),
      context,
      0,
    );
    for (const each of [path, kept]) ahead.add(each, look(each), undefined);
    ahead.finish();
    expect(stored.map(({ content }) => content)).toEqual([undefined, 'kept']);
    rmSync(path, { force: true });
  });

  it('stores all that waits before it goes past what cannot be looked at', () => {
    const { stored, kept, store } = collect();
    const ahead = new AheadStore(store, thread(), context, 0);
    ahead.add(make('first', '1'), look(`${folder}/first`), undefined);
    ahead.keepWithin('/gone');
    expect(stored.length).toBe(1);
    expect(kept).toEqual(['/gone']);
  });

  it('goes on by itself when the other thread does not answer', () => {
    const { stored, store } = collect();
    let gaveUp = 0;
    let started = 0;
    const silent = { start: () => void (started += 1), giveUp: () => void (gaveUp += 1) };
    const ahead = new AheadStore(store, silent, context, 0, 50);
    const paths = Array.from({ length: 600 }, (_, n) => make(`silent-${n}`, `${n}`));
    for (const path of paths) ahead.add(path, look(path), undefined);
    ahead.finish();
    expect(stored.map(({ path }) => path)).toEqual(paths);
    expect(stored.every(({ content }) => content === undefined)).toBe(true);
    expect([gaveUp, started]).toEqual([1, 3]);
  });
});
