import {
  closeSync,
  ftruncateSync,
  lstatSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { nativePath } from './byte-path.js';
import { loadLibc } from './libc.js';
import {
  capabilities,
  dataRanges,
  deviceNumber,
  deviceParts,
  fsType,
  getXattr,
  listXattrs,
  mkfifo,
  mknod,
  readXattrs,
  removeXattr,
  setTimes,
  setTimesOfOpenFile,
  setXattr,
  setXattrOfOpenFile,
} from './posix.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'posix-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string): string => {
  const path = `${folder}/${name}`;
  writeFileSync(nativePath(path), 'content');
  return path;
};
const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('the calls of the C library', () => {
  it('are there', () => expect(capabilities.lost).toBeUndefined());

  it('keep text, binary, empty and large attributes, on names that are not UTF-8 too', () => {
    const path = file('odd-\xff\xfe');
    const values: [string, Buffer][] = [
      ['user.text', Buffer.from('value')],
      ['user.binary', Buffer.from([0, 255, 10, 0])],
      ['user.empty', Buffer.alloc(0)],
      ['user.large', Buffer.alloc(2000, 7)],
    ];
    for (const [name, value] of values) setXattr(path, name, value);
    expect(new Map([...(readXattrs(path) ?? [])].sort())).toEqual(new Map([...values].sort()));
    expect(listXattrs(path).sort()).toEqual(values.map(([name]) => name).sort());
    removeXattr(path, 'user.text');
    removeXattr(path, 'user.text');
    expect(getXattr(path, 'user.text')).toBeUndefined();
  });

  it('say that there is none', () => expect(readXattrs(file('plain'))).toBeUndefined());

  it('name the error as Node does', () => {
    expect(() => readXattrs(`${folder}/none`)).toThrow(
      expect.objectContaining({ code: 'ENOENT', syscall: 'llistxattr' }),
    );
    expect(() => mkfifo(file('taken'), 0o600)).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    expect(() => mkfifo('x'.repeat(9000), 0o600)).toThrow(
      expect.objectContaining({ code: 'ENAMETOOLONG' }),
    );
    expect(() => mkfifo('a\0b', 0o600)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });

  it('set attributes and times of an open file', () => {
    const path = file('open');
    const fd = openSync(path, 'r+');
    setXattrOfOpenFile(fd, 'user.a', Buffer.from('b'));
    setTimesOfOpenFile(fd, { atimeNs: 1n, mtimeNs: 1_700_000_000_123_456_789n });
    closeSync(fd);
    expect(getXattr(path, 'user.a')?.toString()).toBe('b');
    expect(lstatSync(path, { bigint: true }).mtimeNs).toBe(1_700_000_000_123_456_789n);
  });

  it('set times before 1970 and of a symlink itself', () => {
    const path = `${folder}/link`;
    symlinkSync('nowhere', path);
    setTimes(path, { atimeNs: 0n, mtimeNs: -1_500_000_001n });
    expect(lstatSync(path, { bigint: true }).mtimeNs).toBe(-1_500_000_001n);
    const again = file('old');
    setTimes(again, { atimeNs: 0n, mtimeNs: -86_400_000_000_000n });
    expect(lstatSync(again).mtimeMs).toBe(-86_400_000);
  });

  it('make fifos, and devices where that is allowed', () => {
    mkfifo(`${folder}/fifo`, 0o640);
    expect(lstatSync(`${folder}/fifo`).isFIFO()).toBe(true);
    const make = (): void => mknod(`${folder}/null`, 0o020600, deviceNumber(1, 3));
    if (process.getuid?.() !== 0) {
      expect(make).toThrow(expect.objectContaining({ code: 'EPERM' }));
      return;
    }
    make();
    expect(lstatSync(`${folder}/null`).isCharacterDevice()).toBe(true);
    expect(deviceParts(lstatSync(`${folder}/null`).rdev)).toEqual({ major: 1, minor: 3 });
  });

  it('find the data between holes', () => {
    const fd = openSync(`${folder}/sparse`, 'w+');
    writeSync(fd, Buffer.alloc(4096, 1), 0, 4096, 2 ** 20);
    writeSync(fd, Buffer.alloc(4096, 1), 0, 4096, 2 ** 33);
    ftruncateSync(fd, 2 ** 33 + 2 ** 20);
    expect(dataRanges(fd, 2 ** 33 + 2 ** 20)).toEqual([
      { offset: 2 ** 20, length: 4096 },
      { offset: 2 ** 33, length: 4096 },
    ]);
    ftruncateSync(fd, 0);
    ftruncateSync(fd, 2 ** 20);
    expect(dataRanges(fd, 2 ** 20)).toEqual([]);
    expect(dataRanges(fd, 0)).toEqual([]);
    closeSync(fd);
  });

  it('name file systems', () => {
    expect(fsType('/proc')).toBe('proc');
    expect(fsType('/sys')).toBe('sysfs');
  });
});

it('takes large device numbers apart and puts them together', () => {
  for (const [major, minor] of [
    [8, 1],
    [0xffff_ffff, 0xffff_ffff],
    [4095, 256],
  ] as const) {
    expect(deviceParts(deviceNumber(major, minor))).toEqual({ major, minor });
  }
});

it('says why the calls are missing on another platform', () => {
  expect(loadLibc('darwin').missing).toContain('darwin');
});
