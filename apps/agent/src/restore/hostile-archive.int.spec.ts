import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from '@jest/globals';
import { PermanentError } from '#kernel/errors.js';

import type { FragmentRead } from './restore-source.js';
import { archiveOf, dir, file, FolderReader } from './testing/image-on-disk.js';
import { useRestoreLab } from './testing/restore-lab.js';

const lab = await useRestoreLab();
const { folder, fragments, image, restore, names } = lab;

describe('an index that can be read at first, and not again', () => {
  /** Lets so many reads of indexes of an image through. */
  class Forgetful extends FolderReader {
    readonly #imageId: string;
    readsOfIndex = 0;

    constructor(
      imageId: string,
      private readonly readsMax = Infinity,
    ) {
      super(fragments);
      this.#imageId = imageId;
    }

    override async *read(what: FragmentRead): AsyncGenerator<Buffer> {
      if (what.object === 'index' && what.fragmentId.startsWith(this.#imageId)) {
        this.readsOfIndex += 1;
        if (this.readsOfIndex > this.readsMax) throw new PermanentError(85, 'it is gone');
      }
      yield* super.read(what);
    }
  }

  it('is told, since what it holds is not restored', async () => {
    const files = Array.from({ length: 10_001 }, (_, at) => file(`f-${at + 10_000}`, 'old'));
    const full = await image({ imageId: 'before', archive: archiveOf(files) });
    const later = await image({ imageId: 'later', archive: archiveOf([file('f-10007', 'new')]) });
    const counted = new Forgetful('later');
    expect(await restore([full, later], { reader: counted })).toMatchObject({ status: 0 });
    expect(readFileSync(join(lab.target, 'f-10007'), 'utf8')).toBe('new');
    expect(counted.readsOfIndex).toBeGreaterThan(1);
    for (let reads = 0; reads < counted.readsOfIndex; reads += 1) {
      lab.nextTarget();
      const result = await restore([full, later], { reader: new Forgetful('later', reads) });
      if (result.status === 0)
        expect(readFileSync(join(lab.target, 'f-10007'), 'utf8')).toBe('new');
      else
        expect(result).toMatchObject({ status: 1, notes: [expect.stringContaining('it is gone')] });
    }
  });
});

describe('a hostile archive', () => {
  it('does not lead out of the destination by its paths', async () => {
    const archive = archiveOf([
      file('../escaped'),
      file('a/../../escaped'),
      file('a/./b'),
      file('good'),
    ]);
    const absolute = await image({
      imageId: 'absolute',
      archive: archiveOf([file('etc/escaped')]),
      change: (line) => ({ ...line, path: `/${line.path}` }),
    });
    expect(await restore([absolute])).toMatchObject({ status: 5, files: 0 });
    const result = await restore([await image({ imageId: 'dots', archive })]);
    expect(result).toMatchObject({ status: 1, files: 1 });
    expect(names()).toEqual(['good']);
    expect(existsSync(join(folder, 'escaped'))).toBe(false);
    expect(existsSync('/etc/escaped')).toBe(false);
  });

  it('does not write through a symlink, whoever put it there', async () => {
    const outside = join(folder, 'outside');
    mkdirSync(outside, { recursive: true });
    const link = { entry: { path: 'a', type: 'l' as const, linkTarget: outside } };
    const archive = archiveOf([link, file('a/escaped')]);
    for (const overwrite of [false, true]) {
      const own = await restore([await image({ imageId: 'through', archive })], { overwrite });

      expect(own.status).toBe(1);
      expect(own.notes.join()).toContain('a/escaped: not restored');
      expect(readdirSync(outside)).toEqual([]);
    }
    lab.nextTarget();
    mkdirSync(lab.target);
    symlinkSync(outside, join(lab.target, 'b'));
    const other = await image({ imageId: 'b', archive: archiveOf([dir('b'), file('b/escaped')]) });
    expect(await restore([other])).toMatchObject({ status: 1 });
    expect(readdirSync(outside)).toEqual([]);
    expect(await restore([other], { overwrite: true })).toMatchObject({ status: 0, files: 2 });
    expect(lstatSync(join(lab.target, 'b')).isDirectory()).toBe(true);
    expect(readdirSync(outside)).toEqual([]);
  });

  it('does not lead out of the destination by what a link leads to', async () => {
    const outside = join(folder, 'beside');
    mkdirSync(outside, { recursive: true, mode: 0o711 });
    const linkTo = (linkTarget: string, path: string) => ({
      entry: { path, type: 'h' as const, linkTarget },
    });
    const archive = archiveOf([
      dir('../beside'),
      dir('../made'),
      file('good'),
      linkTo('../beside', 'link'),
      linkTo('../made', 'other'),
    ]);
    const leading = await image({ imageId: 'leading', archive });
    for (const overwrite of [false, true]) {
      expect(await restore([leading], { overwrite })).toMatchObject({ status: 1 });
      expect(names()).toEqual(['good']);
      expect(existsSync(join(folder, 'made'))).toBe(false);
      expect(lstatSync(outside).mode & 0o777).toBe(0o711);
    }
  });

  it('does not fill memory and log with notes by the names of its attributes', async () => {
    const names = Array.from({ length: 2_000 }, (_, i) => `made${i}.up`);
    const xattrs = new Map(names.map((name) => [name, Buffer.from('value')]));
    const entry = { ...file('marked').entry, xattrs };
    const marked = await image({ imageId: 'marked', archive: archiveOf([{ entry }]) });
    const result = await restore([marked]);
    expect(result).toMatchObject({ status: 1, files: 1 });
    expect(result.notes).toEqual([
      expect.stringMatching(/^Extended attributes of other kinds .* \(2000 times in all\)$/),
    ]);
  });

  it('is not believed when index and archive disagree', async () => {
    const lying = await image({
      imageId: 'lying',
      archive: archiveOf([file('a'), file('b')]),
      change: (line) =>
        line.path === 'a'
          ? { ...line, offset: 5120 * 100, own: { offset: 512_000, length: 1024 } }
          : { ...line, path: 'c' },
    });
    const result = await restore([lying]);
    expect(result).toMatchObject({ status: 5, files: 0 });
    expect(result.notes).toHaveLength(2);
  });
});
