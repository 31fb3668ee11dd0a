import { randomFillSync } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { compareTrees } from '../../../../test/support/compare-trees.js';
import { noise, OddTreeMaker, sparse } from '../../../../test/support/odd-tree-maker.js';
import { makeOddTree, mutateOddTree, removeTree } from '../../../../test/support/odd-tree.js';
import { temporaryFolder } from '../../../../test/support/temporary-folder.js';

import { setXattr } from '../posix/posix.js';

import { checkpointPath, commitListing, listingPartPath } from './listing-file.js';
import { shell } from './testing/backup-lab.js';
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

/** Files that have just changed are stored again by the next incremental: not so in these tests. */
const settle = () => delay(60);

describe('a backup that was cut off', () => {
  let whole: ResumeLab;
  beforeAll(async () => {
    makeSmallTree(`${folder}/small`);
    await settle();
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
      expect(result).toMatchObject({ status: 0, fragments, files: index.length, notes: { untold: 0 } });
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
    await settle();
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
