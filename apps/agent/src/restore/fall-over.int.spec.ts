import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { removeFolder, temporaryFolder } from '../../../../test/support/temporary-folder.js';
import { noise } from '../../../../test/support/odd-tree-maker.js';
import { Unavailable } from '#kernel/errors.js';

import type { RefusedSource } from './fall-over.js';
import type { RestoreRequest } from './restore-request.js';
import type { FragmentRead, RestoreFragment, RestoreImage } from './restore-source.js';
import { runRestore, type RestoreResult } from './run-restore.js';
import { archiveOf, FolderReader, fragmentFile, writeImage } from './testing/image-on-disk.js';

const MIB = 2 ** 20;
const FILES = 28;
const nameOf = (at: number): string => `file-${String(at).padStart(2, '0')}`;

let folder: string;
let fragments: string;
let target: string;
let count = 0;
/** Copy 1 on `media1`, copy 2 with the same bytes on `media2`. */
let image: RestoreImage;

beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => removeFolder(folder));

/** Five fragments in two copies; each test damages its own. */
beforeEach(async () => {
  target = join(folder, `to-${++count}`);
  fragments = join(folder, `fragments-${count}`);
  const entries = Array.from({ length: FILES }, (_, at) => ({
    entry: { path: nameOf(at), type: 'f' as const },
    content: noise(MIB / 2, at + 1).toString('latin1'),
  }));
  const one = await writeImage(fragments, {
    imageId: 'one',
    archive: archiveOf(entries),
    fragmentBytes: 5 * MIB,
  });
  image = { ...one, fragments: one.fragments.map(withSecondCopy) };
});

function withSecondCopy(fragment: RestoreFragment): RestoreFragment {
  const [first] = fragment.sources;
  const second = { fragmentId: `two-${fragment.number}`, copy: 2, mediaId: 'media2' };
  for (const object of ['data', 'index'] as const) {
    const from = fragmentFile(fragments, first!.fragmentId, object);
    copyFileSync(from, fragmentFile(fragments, second.fragmentId, object));
  }
  return { ...fragment, sources: [first!, second] };
}

async function restore(
  more: Partial<RestoreRequest> = {},
): Promise<RestoreResult & { refused: string[] }> {
  const refused: string[] = [];
  const say = ({ fragment, source, reason, damaged, next }: RefusedSource): void => {
    const what = damaged ? 'damaged' : 'away';
    refused.push(
      `${fragment.number}/${source.copy} ${what}, then ${next?.copy ?? 'none'}: ${reason}`,
    );
  };
  const result = await runRestore({
    chain: [image],
    reader: new FolderReader(fragments),
    selection: [],
    destination: target,
    onRefused: say,
    ...more,
  });
  return { ...result, refused };
}

const isWhole = (at: number): boolean =>
  readFileSync(join(target, nameOf(at))).equals(
    Buffer.from(noise(MIB / 2, at + 1).toString('latin1')),
  );
const allWhole = (): boolean =>
  Array.from({ length: FILES }, (_, at) => isWhole(at)).every(Boolean);

type ObjectKind = FragmentRead['object'];

function flip(id: string, object: ObjectKind, at: number): void {
  const path = fragmentFile(fragments, id, object);
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.at(at)! ^ 1, at < 0 ? bytes.length + at : at);
  writeFileSync(path, bytes);
}
function cut(id: string, object: ObjectKind): void {
  const path = fragmentFile(fragments, id, object);
  truncateSync(path, Math.floor(statSync(path).size / 2));
}

describe('a fragment that one copy has lost', () => {
  const damages: readonly (readonly [string, () => void, RegExp])[] = [
    ['a flipped bit in its data', () => flip('one-2', 'data', 2 * MIB), /frame 3: its digest/],
    ['a flipped bit in its index', () => flip('one-2', 'index', 20), /index is not what was/],
    ['a flipped bit in its frame table', () => flip('one-2', 'index', -5), /index is not what/],
    ['data that is cut short', () => cut('one-2', 'data'), /file ends early/],
    ['an index that is cut short', () => cut('one-2', 'index'), /file ends early/],
    [
      'nothing at all',
      () => {
        for (const object of ['data', 'index'] as const) {
          rmSync(fragmentFile(fragments, 'one-2', object));
        }
      },
      /the fragment is lost/,
    ],
  ];

  it.each(damages)('comes from the other one: %s', async (_, damage, reason) => {
    damage();
    const { refused, ...result } = await restore();
    expect(result).toMatchObject({ status: 0, files: FILES, notes: [] });
    expect(allWhole()).toBe(true);
    expect(refused).toEqual([expect.stringMatching(/^2\/1 damaged, then 2: /)]);
    expect(refused[0]).toMatch(reason);
  });

  it('comes from the other one for a part of the image, too', async () => {
    for (const id of ['one-3', 'one-4']) flip(id, 'index', -5);
    const { refused, ...result } = await restore({ selection: [nameOf(19)] });
    expect(result).toMatchObject({ status: 0, files: 1, notes: [] });
    expect(isWhole(19)).toBe(true);
    expect(refused.every((one) => /^[34]\/1 damaged, then 2/.test(one))).toBe(true);
    expect(refused.length).toBeGreaterThan(0);
  });
});

describe('a fragment that is damaged in every copy', () => {
  it('comes back whole if each range is sound in one of them', async () => {
    flip('one-2', 'data', MIB / 2);
    flip('two-2', 'data', -1000); // in another frame
    flip('one-3', 'index', 10);
    flip('two-3', 'data', 10); // nobody asks for it
    const { refused, ...result } = await restore();
    expect(result).toMatchObject({ status: 0, files: FILES, notes: [] });
    expect(allWhole()).toBe(true);
    // Whether the other copy's damage is met, too, depends on which reads were under way.
    const met = refused.map((one) => one.slice(0, 3)).filter((one) => one !== '2/2');
    expect(met.sort()).toEqual(['2/1', '3/1']);
  });

  it('costs what is damaged in all of them, and says so', async () => {
    for (const copy of ['one', 'two']) flip(`${copy}-2`, 'data', 2 * MIB);
    const { refused, ...result } = await restore();
    expect(result.status).toBe(1);
    expect(result.notes.length).toBeGreaterThan(0);
    expect(result.notes.length).toBeLessThan(5);
    for (const note of result.notes) expect(note).toMatch(/frame 3 of fragment 2 of image one is/);
    expect(readdirSync(target)).toHaveLength(FILES - result.notes.length);
    expect(refused).toEqual([
      expect.stringMatching(/^2\/1 damaged, then 2: /),
      expect.stringMatching(/^2\/2 damaged, then none: /),
    ]);
  });

  it('gives what its index still tells when that is damaged in all of them', async () => {
    for (const copy of ['one', 'two']) flip(`${copy}-2`, 'index', -5);
    const { refused, ...result } = await restore();
    expect(result.status).toBe(1);
    expect(result.notes.join()).toContain('Image one, fragment 2: the index is damaged');
    expect(refused).toHaveLength(2);
  });
});

describe('a fragment of one copy whose index is not what was committed', () => {
  const UNPROVEN = /^Image one, fragment \d: the index is damaged .*may not be what was backed up/;
  beforeEach(() => {
    const sole = ({ sources, ...one }: RestoreFragment) => ({ ...one, sources: [sources[0]!] });
    image = { ...image, fragments: image.fragments.map(sole) };
  });
  const restoreAll = async (more: Partial<RestoreRequest> = {}) => {
    const before: string[] = [];
    target = join(folder, `to-${++count}`);
    const onSurveyed = (notes: readonly string[]) => {
      expect(existsSync(target)).toBe(false);
      before.push(...notes);
    };
    return { ...(await restore({ onSurveyed, ...more })), before };
  };
  /** In the digest of its last frame. */
  const change = (number: number) => flip(`one-${number}`, 'index', -20);

  it('gives what there is, and it is said before anything is written that this proves nothing', async () => {
    change(2);
    const { before, notes, status, refused } = await restoreAll();
    expect(before).toEqual([expect.stringMatching(UNPROVEN)]);
    expect(notes[0]).toBe(before[0]);
    expect(notes.filter((note) => note === before[0])).toHaveLength(1);
    expect(status).toBe(1);
    expect(isWhole(0)).toBe(true);
    expect(refused).not.toEqual([]);
  });

  it('is found out where the restore reads a part of the index only', async () => {
    const small = (folderOf: string, content: string): Promise<RestoreImage> => {
      const entries = Array.from({ length: 900 }, (_, at) => ({
        entry: { path: `small-${at + 1_000}`, type: 'f' as const },
        content,
      }));
      const parts = { imageId: 'one', archive: archiveOf(entries), fragmentBytes: MIB / 4 };
      return writeImage(folderOf, parts);
    };
    image = await small(fragments, 'true');
    const forged = join(fragments, 'forged');
    await small(forged, 'lies');
    const forge = (number: number) => {
      for (const object of ['data', 'index'] as const) {
        const id = `one-${number}`;
        copyFileSync(fragmentFile(forged, id, object), fragmentFile(fragments, id, object));
      }
    };
    const selection = ['small-1000'];
    // Of fragments that it does not need it reads nothing.
    forge(image.fragments.length);
    expect(await restoreAll({ selection })).toMatchObject({ status: 0, files: 1, notes: [] });
    forge(1);
    const { before, ...result } = await restoreAll({ selection });
    expect(readFileSync(join(target, 'small-1000'), 'utf8')).toBe('lies');
    expect(result).toMatchObject({ status: 1, files: 1, notes: before });
    expect(before).toEqual([expect.stringMatching(UNPROVEN)]);
  });
});

describe('a media server that goes away', () => {
  /** Answers until it has given so many bytes of copy 1. */
  class Leaving extends FolderReader {
    constructor(private readonly bytesMax: number) {
      super(fragments);
    }

    override async *read(range: FragmentRead): AsyncGenerator<Buffer> {
      const isFirst = range.fragmentId.startsWith('one');
      for await (const piece of super.read(range)) {
        if (isFirst && this.dataBytes > this.bytesMax) {
          throw new Unavailable('network connection broken', 40);
        }
        yield piece;
      }
    }
  }

  it('is replaced by the other one, and that is said once', async () => {
    const { refused, ...result } = await restore({ reader: new Leaving(9 * MIB) });
    expect(result).toMatchObject({ status: 0, files: FILES, notes: [] });
    expect(allWhole()).toBe(true);
    expect(refused).toEqual([expect.stringMatching(/^\d\/1 away, then 2: network connection/)]);
  });

  it('costs only the fragments that nobody else has', async () => {
    const alone = { ...image.fragments[3]!, sources: [image.fragments[3]!.sources[0]!] };
    image = { ...image, fragments: image.fragments.with(3, alone) };
    const { refused, ...result } = await restore({ reader: new Leaving(9 * MIB) });
    expect(result.status).toBe(1);
    expect(result.notes.join('\n')).toContain('fragment 4');
    expect(result.files).toBeGreaterThan(FILES / 2);
    expect(result.files).toBeLessThan(FILES);
    expect(refused).toHaveLength(1);
  });

  it('ends the restore when there is no other', async () => {
    const only = image.fragments.map((one) => ({ ...one, sources: one.sources.slice(0, 1) }));
    image = { ...image, fragments: only };
    // More than is ever held: so something was restored before, whatever the machine does.
    const result = await restore({ reader: new Leaving(13 * MIB) });
    expect(result.status).toBe(1);
    expect(result.notes.at(-1)).toBe('The restore ended early: network connection broken');
  });
});

it('is partial when a number is in no copy at all', async () => {
  image = { ...image, fragments: image.fragments.slice(0, 2), lost: [3] };
  const result = await restore({ selection: [nameOf(1), nameOf(27)] });
  expect(result).toMatchObject({ status: 1, files: 1 });
  expect(result.notes).toContain(
    'Image one, fragment 3: no copy of it is left; files are missing.',
  );
});
