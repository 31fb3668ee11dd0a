import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { SystemClock } from '#kernel/clock.js';

import { removeTree } from '../../../../../test/support/odd-tree.js';
import { temporaryFolder } from '../../../../../test/support/temporary-folder.js';

import { excludeTest } from '../../domain/excludes.js';
import { selectionTrees } from '../../domain/selections.js';
import type { Note } from '../../domain/notes.js';

import { AheadStore } from '../read-ahead/ahead-store.js';
import type { EntryStore } from './entry-store.js';
import { fastestStatCalls, nodeStatCalls, type FileStat, type StatCalls } from './file-stat.js';
import { FileSystems } from './file-systems.js';
import { openFolderCount, wayTo } from './open-folder.js';
import { ReaderContext } from './reader-context.js';
import { Walk } from './walk.js';

let folder: string;
let trees = 0;

beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => removeTree(folder));

/** A new tree with these files, each of which holds its own path in it. */
function makeTree(...files: readonly string[]): string {
  const root = `${folder}/tree-${++trees}`;
  for (const file of files) {
    mkdirSync(`${root}/${file}`.replace(/\/[^/]*$/, ''), { recursive: true });
    writeFileSync(`${root}/${file}`, file);
  }
  return root;
}

/** The calls of the system, with something that happens behind the first look at a path that ends so. */
function lookedAt(end: string, happens: () => void, calls = fastestStatCalls()): StatCalls {
  let happened = false;
  const then = (path: string): void => {
    if (happened || !path.endsWith(end)) return;
    happened = true;
    happens();
  };
  return {
    ...calls,
    lstat: (path, into) => {
      calls.lstat(path, into);
      then(path);
    },
    lstatIn:
      calls.lstatIn &&
      ((open, entry, into) => {
        calls.lstatIn!(open, entry, into);
        then(entry.path);
      }),
  };
}

interface Walked {
  /** What each path held, below the root; of what is no file its type. */
  readonly found: Record<string, string>;
  readonly stats: Record<string, FileStat>;
  readonly kept: readonly string[];
  readonly notes: readonly Note[];
  /** At most, at one time. */
  readonly openFolders: number;
}

/** Walks it all, with the files read when they are stored. */
function walk(root: string, stats: StatCalls = fastestStatCalls(), isAhead = false): Walked {
  const notes: Note[] = [];
  const [found, seen, kept] = [
    {} as Record<string, string>,
    {} as Record<string, FileStat>,
    [] as string[],
  ];
  let openFolders = 0;
  const context = new ReaderContext(new SystemClock(), (message) => {
    if (message.type === 'note') notes.push(message.note);
  });
  const below = (path: string) => path.slice(root.length + 1);
  const add: EntryStore['add'] = (path, stat, at) => {
    openFolders = Math.max(openFolders, openFolderCount());
    seen[below(path)] = { ...stat };
    found[below(path)] = stat.type === 'f' ? readFileSync(wayTo(path, at), 'utf8') : stat.type;
  };
  const store = { add, keepWithin: (path: string) => void kept.push(below(path)) };
  const never = { start: () => undefined, giveUp: () => undefined };
  const ahead = isAhead ? new AheadStore(store, never, context, 0, 0) : undefined;
  const walking = new Walk({
    context,
    store: ahead ?? store,
    stats,
    fileSystems: new FileSystems(),
    excluded: excludeTest([]),
    crossMountPoints: false,
  });
  for (const tree of selectionTrees([root])) walking.selection(tree);
  ahead?.finish();
  return { found, stats: seen, kept, notes, openFolders };
}

describe.each([
  ['as a rule', fastestStatCalls],
  ['without the calls of the C library', () => nodeStatCalls],
])('the walk, %s', (_, calls) => {
  it('follows no symlink that takes the place of a folder behind its back', () => {
    const root = makeTree('a/file', 'd/theirs', 'z');
    const secret = makeTree('theirs', 'secret');
    const exchange = () => {
      renameSync(`${root}/d`, `${root}/d-before`);
      symlinkSync(secret, `${root}/d`);
    };
    const { found, kept, notes } = walk(root, lookedAt('/d', exchange, calls()));
    expect(found).toEqual({ '': 'd', a: 'd', 'a/file': 'a/file', z: 'z' });
    expect(kept).toEqual(['d']); // it is there, whatever it is
    expect(notes).toEqual([
      {
        level: 'warning',
        text: `${root}/d: became something else before it was read and is not in the image`,
      },
    ]);
  });

  it('stays in a folder whose place another one takes, wherever that leads', () => {
    const root = makeTree('d/1', 'd/2/file', 'd/3', 'z');
    const secret = makeTree('1', '2/file', '2/secret', '3');
    const exchange = () => {
      renameSync(`${root}/d`, `${root}/d-before`);
      symlinkSync(secret, `${root}/d`);
    };
    const { found, notes } = walk(root, lookedAt('/d/1', exchange, calls()));
    expect(found).toEqual({
      ...{ '': 'd', d: 'd', 'd/1': 'd/1', 'd/2': 'd' },
      ...{ 'd/2/file': 'd/2/file', 'd/3': 'd/3', z: 'z' },
    });
    expect(notes).toEqual([]);
  });

  it('stores a folder as the one that it reads', () => {
    const root = makeTree('d/of the one', 'other/of the other');
    const other = walk(root).stats.other!;
    const exchange = () => {
      renameSync(`${root}/d`, `${root}/d-before`);
      renameSync(`${root}/other`, `${root}/d`);
    };
    const { found, stats, notes } = walk(root, lookedAt('/d', exchange, calls()));
    expect(found).toEqual({ '': 'd', d: 'd', 'd/of the other': 'other/of the other' });
    expect(stats.d!.inode).toBe(other.inode);
    expect(notes).toEqual([
      { level: 'warning', text: `${root}/other: vanished before it was read` },
    ]);
  });
});

describe('deep trees', () => {
  /** Files `a` and `z` on each of so many levels, each below the one before. */
  const makeDeep = (levels: number): string => {
    const paths = Array.from({ length: levels }, (_, n) => `${'m/'.repeat(n)}`);
    return makeTree(...paths.flatMap((path) => [`${path}a`, `${path}z`]));
  };

  it('are walked with some 64 folders open', () => {
    const before = openFolderCount();
    const { found, notes, openFolders } = walk(makeDeep(200));
    const files = Object.entries(found).filter(([, what]) => what !== 'd');
    expect(files.length).toBe(400);
    expect(files.every(([path, content]) => path === content)).toBe(true);
    expect(notes).toEqual([]);
    expect(openFolders - before).toBeLessThan(70);
    expect(openFolderCount()).toBe(before);
  });

  it('are told where a part was moved away meanwhile, and all else is stored', () => {
    const root = makeDeep(120);
    const at = `${root}/${'m/'.repeat(80)}`.slice(0, -1);
    const away = () => renameSync(at, `${root}/moved`);
    const { found, kept, notes } = walk(root, lookedAt(`${'/m'.repeat(110)}/a`, away));
    const lost = notes.map(({ text }) => text.split(':')[0]!.slice(root.length + 1));
    expect(notes[0]!.text).toMatch(/was moved while it was read; the rest of it is not in/);
    // From the one above to the first that had not stayed open.
    expect(lost[0]).toBe('m/'.repeat(79).slice(0, -1));
    expect(lost).toEqual(kept);
    expect(lost.length).toBeLessThan(20);
    const files = Object.keys(found).filter((path) => found[path] !== 'd');
    expect(files.length).toBe(240 - lost.length);
    expect(found.z).toBe('z');
  });
});

describe('folders of files that wait', () => {
  it('stay open, but not too many of them', () => {
    const before = openFolderCount();
    const names = Array.from({ length: 600 }, (_, n) => `${n}/file`);
    const { found, openFolders } = walk(makeTree(...names), fastestStatCalls(), true);
    for (const name of names) expect(found[name]).toBe(name);
    expect(openFolders).toBeGreaterThan(200);
    expect(openFolders).toBeLessThan(260);
    expect(openFolderCount()).toBe(before);
  });
});
