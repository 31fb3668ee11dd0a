import { randomFillSync } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { compareArchivePaths } from '#archive/archive-order.js';
import { PaxReader } from '#archive/pax-reader.js';

import { compareTrees, type Difference } from '../../../../test/support/compare-trees.js';
import { noise, OddTreeMaker, sparse } from '../../../../test/support/odd-tree-maker.js';
import { makeOddTree, mutateOddTree, removeTree } from '../../../../test/support/odd-tree.js';
import { temporaryFolder } from '../../../../test/support/temporary-folder.js';

import { setXattr } from '../posix/posix.js';

import { checkpointPath, commitListing, listingPartPath } from './listing-file.js';
import type { OpenEntry } from './reader-state.js';
import { BackupLab, clockTick, shell } from './testing/backup-lab.js';
import { ResumeLab } from './testing/resume-lab.js';

let folder: string;

beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => removeTree(folder));

/** Frames of 8 KiB, each a fragment of its own: so there is a boundary at every place there can be one. */
const TINY = { fragmentBytesMax: 10_000, common: { ring: { buffers: 3, bufferBytes: 8192 } } };

/** A small tree with one of everything that can lie across a boundary. */
function makeSmallTree(root: string): void {
  const maker = new OddTreeMaker(root);
  maker.folder('a-folder/deep');
  maker.file('a-folder/deep/large', noise(140_000, 1));
  for (let at = 0; at < 20; at++) maker.file(`a-folder/small-${at}`, noise(700 * at, at));
  maker.link('a-folder/deep/large', 'link-of-large');
  maker.link('a-folder/small-19', 'link-of-small');
  const long = `long/${'n'.repeat(200)}/${'m'.repeat(200)}`;
  maker.folder(long);
  maker.file(`${long}/${'o'.repeat(200)}`, noise(3_000, 3));
  sparse(maker, 'sparse', 400_000, [
    [40_000, noise(12_000, 4)],
    [200_000, noise(20_000, 5)],
  ]);
  maker.symlink('t'.repeat(3_000), 'symlink');
  maker.file('with-attributes', noise(100, 6));
  for (let at = 0; at < 3; at++) {
    maker.attempt('xattr', () =>
      setXattr(maker.path('with-attributes'), `user.${at}`, noise(1_100, 7)),
    );
  }
  maker.folder('z-folder/empty');
  maker.file('z-folder/last', noise(9_000, 8));
}

describe('a backup that was cut off', () => {
  let whole: ResumeLab;
  beforeAll(async () => {
    makeSmallTree(`${folder}/small`);
    await clockTick();
    whole = new ResumeLab(`${folder}/whole`, [`${folder}/small`], TINY);
    await whole.attempt({ keep: Number.POSITIVE_INFINITY });
  });

  it('goes on behind every fragment as if nothing had been', async () => {
    const fragments = whole.seals().length;
    expect(fragments).toBeGreaterThan(30);
    const [archive, index] = [whole.archive(), whole.index()];
    for (let kept = 1; kept <= fragments; kept++) {
      const lab = whole.copy(`${folder}/behind-${kept}`, kept);
      const result = await lab.attempt();
      expect(result).toMatchObject({
        status: 0,
        fragments,
        files: index.length,
        notes: { untold: 0 },
      });
      expect(lab.archive().equals(archive)).toBe(true);
      expect(lab.index()).toEqual(index);
      expect(lab.listingText()).toBe(whole.listingText());
      rmSync(lab.folder, { recursive: true });
    }
  });

  it('may be cut off again and again', async () => {
    const lab = new ResumeLab(`${folder}/again`, whole.selections, TINY);
    for (let keep = 2; keep < whole.seals().length; keep += 3) await lab.attempt({ keep });
    expect(await lab.attempt()).toMatchObject({ status: 0, fragments: whole.seals().length });
    expect(lab.archive().equals(whole.archive())).toBe(true);
    expect(lab.index()).toEqual(whole.index());
    expect(lab.listingText()).toBe(whole.listingText());
    await commitListing(lab.listing);
    expect(existsSync(checkpointPath(lab.listing))).toBe(false);
  });
});

describe('a tree of odd files', () => {
  it('comes back whole from a backup in many attempts, and from the incremental after it', async () => {
    const tree = await makeOddTree(`${folder}/odd`);
    await clockTick();
    const options = { fragmentBytesMax: 3 * 2 ** 20, common: {} };
    const isSocket = (path: string) => tree.sockets.includes(path);
    const selections = [tree.root];
    const full = new ResumeLab(`${folder}/odd-full`, selections, options);
    for (let keep = 1; keep < 4; keep++) await full.attempt({ keep });
    expect(await full.attempt()).toMatchObject({ status: 0 });
    const once = new ResumeLab(`${folder}/odd-once`, selections, options);
    expect(await once.attempt()).toMatchObject({ status: 0 });
    expect(full.index()).toEqual(once.index());
    expect(full.listingText()).toBe(once.listingText());
    await commitListing(full.listing);
    mkdirSync(`${folder}/odd-restored`);
    extract(full, `${folder}/odd-restored`);
    const restored = `${folder}/odd-restored${tree.root}`;
    expect(await compareTrees(tree.root, restored, { ignore: isSocket })).toEqual([]);

    mutateOddTree(tree);
    await clockTick();
    const after = {
      fragmentBytesMax: 8_700,
      common: {
        kind: 'differential' as const,
        baseListingPath: full.listing,
        ring: TINY.common.ring,
      },
    };
    const next = new ResumeLab(`${folder}/odd-next`, selections, after);
    await next.attempt({ keep: Number.POSITIVE_INFINITY });
    const fragments = next.seals().length;
    expect(fragments).toBeGreaterThan(3);
    for (let kept = 1; kept < fragments; kept++) {
      const lab = next.copy(`${folder}/odd-next-${kept}`, kept);
      expect(await lab.attempt()).toMatchObject({ status: 0, kind: 'differential' });
      expect(lab.archive().equals(next.archive())).toBe(true);
      expect(lab.index()).toEqual(next.index());
      expect(lab.listingText()).toBe(next.listingText());
    }
  });
});

function extract(lab: ResumeLab, into: string): void {
  const tar =
    'tar -xpf - -C "$2" --same-owner --numeric-owner --xattrs --xattrs-include=\'*\' --acls';
  shell(`cat "$1"/*.tar.zst | zstd -dcq | ${tar}`, lab.folder, into);
}

describe('what cannot be gone on with', () => {
  const makeCut = async (name: string): Promise<ResumeLab> => {
    const root = `${folder}/${name}`;
    mkdirSync(root);
    writeFileSync(`${root}/file`, randomFillSync(Buffer.alloc(60_000)));
    const lab = new ResumeLab(`${root}-image`, [root], TINY);
    await lab.attempt({ keep: 3 });
    return lab;
  };

  it('is an image of which the agent knows nothing', async () => {
    const lab = await makeCut('unknown');
    rmSync(checkpointPath(lab.listing));
    await expect(lab.attempt()).rejects.toThrow(/cannot be gone on with: .*behind fragment 3/);
  });

  it('is one at another place of the archive', async () => {
    const lab = await makeCut('elsewhere');
    const resume = { nextNumber: 4, archiveOffset: 999 };
    await expect(lab.attempt({ resume })).rejects.toThrow(/at 999 for the catalog/);
  });

  it('is one whose listing is lost or cut short', async () => {
    const lab = await makeCut('unlisted');
    const listing = readFileSync(listingPartPath(lab.listing));
    writeFileSync(listingPartPath(lab.listing), listing.subarray(1));
    await expect(lab.attempt()).rejects.toThrow(/listing was cut short/);
    rmSync(listingPartPath(lab.listing));
    await expect(lab.attempt()).rejects.toThrow(/listing is lost/);
  });

  it('is one whose checkpoint has a flipped bit, or is torn', async () => {
    const lab = await makeCut('flipped');
    const path = checkpointPath(lab.listing);
    const sound = readFileSync(path);
    for (const at of [5, Math.floor(sound.length / 2), sound.length - 4]) {
      const flipped = Buffer.from(sound);
      flipped[at]! ^= 1;
      writeFileSync(path, flipped);
      await expect(lab.attempt()).rejects.toThrow(/cannot be gone on with/);
    }
    writeFileSync(path, sound.subarray(0, -1));
    await expect(lab.attempt()).rejects.toThrow(/cannot be gone on with/);
    writeFileSync(path, sound);
    expect(await lab.attempt()).toMatchObject({ status: 0 });
  });

  it('is an incremental whose base has no listing any more', async () => {
    const base = await makeCut('base');
    await base.attempt();
    await commitListing(base.listing);
    writeFileSync(`${folder}/base/more`, randomFillSync(Buffer.alloc(60_000)));
    const common = { ...TINY.common, kind: 'differential' as const, baseListingPath: base.listing };
    const lab = new ResumeLab(`${folder}/base-next`, base.selections, { ...TINY, common });
    await lab.attempt({ keep: 2 });
    rmSync(base.listing);
    await expect(lab.attempt()).rejects.toThrow(/the listing of its base image/);
  });
});

/** Places and files at which each change is tried. More of them take longer and find no more. */
const SEEDS_EACH = 1;

/** What may happen to a file while no backup runs. */
const CHANGES: Readonly<Record<string, (path: string) => void>> = {
  grows: (path) => appendFileSync(path, randomFillSync(Buffer.alloc(5_000))),
  shrinks: (path) => truncateSync(path, Math.floor(statSync(path).size / 3)),
  'is emptied': (path) => truncateSync(path, 0),
  'is gone': (path) => rmSync(path),
  'is rewritten': (path) => writeFileSync(path, randomFillSync(Buffer.alloc(statSync(path).size))),
  'is replaced': (path) => {
    writeFileSync(`${path}.new`, randomFillSync(Buffer.alloc(7_000)));
    renameSync(`${path}.new`, path);
  },
  'gets another mode': (path) => chmodSync(path, 0o4711),
  'becomes a folder': (path) => {
    rmSync(path);
    mkdirSync(path);
    writeFileSync(`${path}/inside`, 'in a folder');
  },
  'becomes a symlink': (path) => {
    rmSync(path);
    symlinkSync('elsewhere', path);
  },
  'gets company': (path) => {
    writeFileSync(`${path}-after`, 'new, and behind it');
    writeFileSync(path.replace(/[^/]*$/, '.before'), 'new, and in front of it');
  },
};

/** The entry that lies across the boundary behind the last fragment that is there. */
function openEntry(lab: ResumeLab): Pick<OpenEntry, 'path' | 'type' | 'offset' | 'headerBytes'> {
  const lines = readFileSync(checkpointPath(lab.listing), 'latin1').split('\n');
  const last = lines.findLast((line) => line.startsWith('S'))!;
  const { entry } = JSON.parse(last.split('\t')[3]!) as { entry: ReturnType<typeof openEntry> };
  return entry;
}

describe('files that change between the attempts', () => {
  const restoreAll = (images: readonly ResumeLab[], into: string): void => {
    for (const lab of images) new BackupLab(folder).restore({ sink: lab }, into);
  };

  const checkSound = (lab: ResumeLab, files: number): void => {
    const archive = lab.archive();
    const lines = lab.indexLines();
    expect(lines.length).toBe(files);
    const listed = shell('cat "$1"/*.tar.zst | zstd -dcq | tar -tf - | wc -l', lab.folder);
    expect(Number(listed)).toBe(files);
    for (const [at, { own, type, path }] of lines.entries()) {
      if (at > 0) expect(compareArchivePaths(lines[at - 1]!.path, path)).toBeLessThan(0);
      const events = [
        ...new PaxReader(own.offset).push(archive.subarray(own.offset, own.offset + own.length)),
      ];
      expect(events[0]).toMatchObject({ kind: 'entry', entry: { type, path } });
      expect(events.at(-1)).toEqual({ kind: 'done', archiveEnd: own.offset + own.length });
    }
  };

  const regular = (root: string): string[] =>
    readdirSync(root, { recursive: true, encoding: 'utf8' })
      .map((name) => `${root}/${name}`)
      .filter((path) => lstatSync(path).isFile());

  it.each(
    Object.keys(CHANGES).flatMap((change, at) =>
      Array.from({ length: SEEDS_EACH }, (_, seed) => [change, 100 * seed + at] as const),
    ),
  )('leave a sound image, and all is in the next incremental (%s, %i)', async (change, seed) => {
    const random = (below: number): number => noise(4, 100 * seed + below).readUInt32LE() % below;
    const name = `changed-${seed}`;
    const root = `${folder}/${name}`;
    makeSmallTree(root);
    await clockTick();
    const full = new ResumeLab(`${root}-full`, [root], TINY);
    await full.attempt({ keep: 1 + random(45) });
    const open = openEntry(full);
    const files = regular(root);
    const touched = new Set([
      files[random(files.length)]!,
      files[random(7 * files.length) % files.length]!,
    ]);
    if (open.type === 'f') touched.add(open.path);
    for (const path of touched) CHANGES[change]!(path);
    await clockTick();
    const notes: string[] = [];
    const result = await full.attempt({ onNote: ({ text }) => notes.push(text) });
    expect([0, 1]).toContain(result!.status);
    expect(result!.status).toBe(notes.length > 0 ? 1 : 0);
    checkSound(full, result!.files);
    await commitListing(full.listing);
    await clockTick();
    const common = { ...TINY.common, kind: 'differential' as const, baseListingPath: full.listing };
    const next = new ResumeLab(`${root}-next`, [root], { ...TINY, common });
    expect(await next.attempt()).toMatchObject({ status: 0 });
    restoreAll([full, next], `${name}-restored`);
    const stored = new Set(next.indexLines().map(({ path }) => path));
    const differences = await compareTrees(root, `${folder}/${name}-restored${root}`);
    const ofTar = ({ what, path }: Difference) =>
      what === 'mtime' && !stored.has(`${root}/${path}`.slice(1).replace(/\/$/, ''));
    expect(differences.filter((difference) => !ofTar(difference))).toEqual([]);
  });

  it.each([
    ['grows', [/large: grew from 140000 to 145000 bytes/], 'sound'],
    ['is rewritten', [/large: changed while it was read/], 'other'],
    ['shrinks', [/large: ended at byte/, /large: shrank from 140000 to 46666/], 'zeros'],
    ['is gone', [/large: vanished while it was read; zeros/], 'zeros'],
    ['is replaced', [/large: was replaced while it was read; zeros/], 'zeros'],
    ['becomes a folder', [/large: became something else while it was read; zeros/], 'zeros'],
  ] as const)(
    'go on at the byte that was reached: a large one that %s',
    async (change, notes, rest) => {
      const name = change.replaceAll(' ', '-');
      const root = `${folder}/large-${name}`;
      makeSmallTree(root);
      await clockTick();
      const lab = new ResumeLab(`${root}-image`, [root], TINY);
      await lab.attempt({ keep: 9 });
      const { path, offset, headerBytes } = openEntry(lab);
      const large = `${root}/a-folder/deep/large`;
      expect(path).toBe(large);
      const before = readFileSync(large);
      CHANGES[change]!(large);
      await clockTick();
      const texts: string[] = [];
      const result = await lab.attempt({ onNote: ({ text }) => texts.push(text) });
      expect(result!.status).toBe(1);
      expect(texts.filter((text) => text.startsWith(`${large}:`))).toEqual(
        notes.map((note) => expect.stringMatching(note)),
      );
      const archive = lab.archive();
      const content = archive.subarray(offset + headerBytes, offset + headerBytes + before.length);
      const reached = 9 * 8192 - offset - headerBytes;
      expect(content.subarray(0, reached).equals(before.subarray(0, reached))).toBe(true);
      const after = content.subarray(reached);
      if (rest === 'sound') expect(after.equals(before.subarray(reached))).toBe(true);
      else if (rest === 'zeros') expect(after.equals(Buffer.alloc(after.length))).toBe(true);
      else expect(after.equals(readFileSync(large).subarray(reached))).toBe(true);
      const line = lab
        .listingText()
        .split('\n')
        .find((one) => one.includes('/deep/large\t'))!;
      expect(line.split('\t')[7]).toBe('0'); // to be read again
    },
  );

  it('and have several links: what was stored before is not linked to what they are now', async () => {
    const root = `${folder}/linked`;
    makeSmallTree(root);
    await clockTick();
    const full = new ResumeLab(`${root}-full`, [root], TINY);
    await full.attempt({ keep: 33 });
    appendFileSync(`${root}/a-folder/deep/large`, 'more');
    chmodSync(`${root}/a-folder/small-19`, 0o600);
    await clockTick();
    expect(await full.attempt()).toMatchObject({ status: 0 });
    const kinds = (lab: ResumeLab) =>
      lab
        .indexLines()
        .filter(({ path }) => /large$|small-19$|link-of/.test(path))
        .map(({ path, type }) => `${type} ${path.slice(path.lastIndexOf('/') + 1)}`);
    expect(kinds(full)).toEqual(['f large', 'f small-19', 'f link-of-large', 'h link-of-small']);
    await commitListing(full.listing);
    const common = { ...TINY.common, kind: 'differential' as const, baseListingPath: full.listing };
    const next = new ResumeLab(`${root}-next`, [root], { ...TINY, common });
    await next.attempt();
    expect(kinds(next)).toEqual(['f large', 'f small-19', 'h link-of-large', 'h link-of-small']);
  });
});
