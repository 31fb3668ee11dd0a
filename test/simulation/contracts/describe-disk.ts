import { describe, expect, it } from '@jest/globals';

/** `Disk` as anything can offer it. */
export interface DiskUnderTest {
  create(path: string): Promise<void>;
  append(path: string, text: string): Promise<void>;
  truncate(path: string, length: number): Promise<void>;
  read(path: string): Promise<string>;
  exists(path: string): Promise<boolean>;
  list(folder: string): Promise<string[]>;
  sync(path: string): Promise<void>;
  syncFolder(folder: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** The process that writes is killed; another one looks. */
  killWriter(): Promise<void>;
  dispose(): Promise<void>;
}

/** Proves the laws of `Disk` for the simulated one and a real folder. */
export function describeDisk(name: string, make: () => Promise<DiskUnderTest>): void {
  const use = async (test: (disk: DiskUnderTest) => Promise<void>): Promise<void> => {
    const disk = await make();
    try {
      await test(disk);
    } finally {
      await disk.dispose();
    }
  };

  describe(`${name} keeps the laws of a disk: it`, () => {
    it('reads back what was appended, also after the writer was killed', () =>
      use(async (disk) => {
        await disk.create('f/one');
        await disk.append('f/one', 'ab');
        await disk.append('f/one', 'cd');
        await disk.killWriter();
        await disk.append('f/one', 'e');
        expect(await disk.read('f/one')).toBe('abcde');
      }));

    it('refuses to create what is there, and to touch what is not', () =>
      use(async (disk) => {
        await disk.create('f/one');
        await expect(disk.create('f/one')).rejects.toMatchObject({ code: 'EEXIST' });
        await expect(disk.read('f/two')).rejects.toMatchObject({ code: 'ENOENT' });
        await expect(disk.append('f/two', 'x')).rejects.toMatchObject({ code: 'ENOENT' });
        await expect(disk.rename('f/two', 'f/three')).rejects.toMatchObject({ code: 'ENOENT' });
        await expect(disk.remove('f/two')).rejects.toMatchObject({ code: 'ENOENT' });
        await expect(disk.sync('f/two')).rejects.toMatchObject({ code: 'ENOENT' });
        expect(await disk.exists('f/two')).toBe(false);
      }));

    it('moves a file within and between folders, over another one too', () =>
      use(async (disk) => {
        await disk.create('f/one');
        await disk.append('f/one', 'first');
        await disk.create('g/two');
        await disk.append('g/two', 'second');
        await disk.rename('f/one', 'g/two');
        await disk.syncFolder('g');
        await disk.syncFolder('f');
        expect(await disk.read('g/two')).toBe('first');
        expect(await disk.exists('f/one')).toBe(false);
        await disk.rename('g/two', 'g/three');
        expect(await disk.list('g')).toEqual(['three']);
      }));

    it('lists the names of a folder in order, and forgets what was removed', () =>
      use(async (disk) => {
        expect(await disk.list('f')).toEqual([]);
        for (const file of ['c', 'a', 'b']) await disk.create(`f/${file}`);
        await disk.create('f/deeper/d');
        expect(await disk.list('f')).toEqual(['a', 'b', 'c', 'deeper']);
        await disk.remove('f/b');
        await disk.killWriter();
        expect(await disk.list('f')).toEqual(['a', 'c', 'deeper']);
        await disk.create('f/b');
        expect(await disk.read('f/b')).toBe('');
      }));

    it('cuts a file, and goes on behind the cut', () =>
      use(async (disk) => {
        await disk.create('f/one');
        await disk.append('f/one', 'abcdef');
        await disk.truncate('f/one', 2);
        await disk.append('f/one', 'z');
        await disk.sync('f/one');
        expect(await disk.read('f/one')).toBe('abz');
      }));
  });
}
