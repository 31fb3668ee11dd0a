import { lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { emptyEntry } from '#archive/archive-entry.js';
import { temporaryFolder } from '../../../../../test/support/temporary-folder.js';
import type { PlannedEntry } from '../restore-plan.js';
import type { Level } from '../writer/folder-stack.js';
import { BATCH_BYTES_MAX, makeBatch, type BatchJob } from './file-batch.js';
import { FilesBeside, type FileBeside } from './files-beside.js';
import { makeFile } from './make-file.js';

const MTIME = { mtimeSeconds: 1_700_000_000, mtimeNanos: 123_456_789 };

describe('Files that another thread makes', () => {
  let folder: string;
  let level: Level;
  let jobs: BatchJob[];
  let again: string[];
  let released: number;
  let beside: FilesBeside;
  beforeAll(async () => {
    folder = await temporaryFolder();
  });
  beforeEach(() => {
    const path = `${folder}/${Math.random()}`;
    mkdirSync(path);
    level = { base: `${path}/`, path: 'in', users: 0 } as Level;
    [jobs, again, released] = [[], [], 0];
    beside = besideOf(0);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** What it is told lies there until `work` is called, as if the other thread were behind. */
  const besideOf = (filesBefore: number) =>
    new FilesBeside(
      { start: (job) => void jobs.push(job) },
      {
        again: ({ name }, content) => void again.push(`${name}: ${content.toString()}`),
        release: () => void (released += 1),
      },
      filesBefore,
    );
  const work = () => {
    for (const job of jobs.splice(0)) makeBatch(job, makeFile);
  };
  const file = (name: string, content: Buffer, mode = 0o640): FileBeside => ({
    entry: { ...emptyEntry(), ...MTIME, mode, size: content.length },
    planned: { path: `in/${name}` } as PlannedEntry,
    name,
    level,
  });
  const add = (name: string, content = Buffer.from(`this is ${name}`), mode?: number): boolean => {
    if (!beside.begin(file(name, content, mode))) return false;
    if (content.length > 0) beside.write(content);
    return beside.finish();
  };
  const drain = () => {
    beside.flush();
    work();
    beside.collect();
  };

  it('are there with content, mode and times, and their folder is released for each', () => {
    const contents = Array.from({ length: 300 }, (_, n) => Buffer.from(`${n} `.repeat(n)));
    contents.forEach((content, n) => {
      expect(add(`file-${n}`, content)).toBe(true);
      // Two batches may wait to be made and to be collected.
      if (n % 50 === 49) work();
    });
    expect(level.users).toBeGreaterThan(0);
    drain();
    expect(beside.isBusy).toBe(false);
    expect([again, released]).toEqual([[], 300]);
    expect(beside.bytesWritten).toBe(contents.reduce((sum, { length }) => sum + length, 0));
    contents.forEach((content, n) => {
      const path = `${level.base}file-${n}`;
      expect(readFileSync(path).equals(content)).toBe(true);
      const { mode, mtimeNs } = lstatSync(path, { bigint: true });
      expect(Number(mode) & 0o7777).toBe(0o640);
      expect(mtimeNs).toBe(1_700_000_000_123_456_789n);
    });
  });

  it('come back to be made again where something is there, or the folder does not take them', () => {
    writeFileSync(`${level.base}there`, 'somebody else’s');
    for (const name of ['first', 'there', 'no/folder', 'last']) add(name);
    drain();
    expect(again).toEqual(['there: this is there', 'no/folder: this is no/folder']);
    expect(readFileSync(`${level.base}there`, 'utf8')).toBe('somebody else’s');
    expect(readFileSync(`${level.base}last`, 'utf8')).toBe('this is last');
    expect(released).toBe(4);
    expect(beside.bytesWritten).toBe('this is firstthis is last'.length);
  });

  it('are not more than the other thread comes after with: then the first one makes them', () => {
    let added = 0;
    while (add(`file-${added}`)) added += 1;
    // Of three batches the first is begun early.
    expect(added).toBe(16 + 2 * 64);
    work();
    expect(add('one more')).toBe(true);
    drain();
    expect(released).toBe(added + 1);
  });

  it('are small ones, and none at the beginning of a restore', () => {
    expect(add('large', Buffer.alloc(128 * 1024 + 1))).toBe(false);
    for (let n = 0; n < (3 * BATCH_BYTES_MAX) / 131_072 + 1; n += 1) {
      expect(add(`as large as can be ${n}`, Buffer.alloc(128 * 1024))).toBe(true);
      work();
    }
    beside = besideOf(2);
    expect(['a', 'b', 'c'].map((name) => add(name))).toEqual([false, false, true]);
  });

  it('are nothing of the other thread’s when one is abandoned', () => {
    expect(beside.begin(file('begun', Buffer.from('x')))).toBe(true);
    beside.abandon();
    expect(beside.write(Buffer.from('x'))).toBe(false);
    expect(beside.finish()).toBe(false);
    expect(level.users).toBe(0);
  });
});
