import { spawnSync } from 'node:child_process';
import { chmodSync, lchownSync, lstatSync, mkdirSync, renameSync, unlinkSync } from 'node:fs';
import { createServer } from 'node:net';

import { bytePathOf, nativePath } from '../../apps/agent/src/posix/byte-path.js';
import {
  deviceNumber,
  mkfifo,
  mknod,
  setTimes,
  setXattr,
} from '../../apps/agent/src/posix/posix.js';
import { aclXattr } from './acl-xattr.js';
import { noise, OddTreeMaker, sparse } from './odd-tree-maker.js';

/** What `makeOddTree` made, and what this machine or file system would not do. */
export interface OddTree {
  readonly root: string;
  /** One line for each thing that is not in the tree, with the system's reason. */
  readonly skipped: readonly string[];
  /** Paths below `root` that cannot be archived (sockets), for the comparison to leave out. */
  readonly sockets: readonly string[];
}

const MANY_FILES = 3_000;
const SPARSE_FAR = 9 * 2 ** 30;
const PATH_BYTES_MAX = 4_095;
const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;

function makeRegular(maker: OddTreeMaker): void {
  maker.folder('regular');
  maker.file('regular/text', 'a line\n'.repeat(1000));
  maker.file('regular/empty', '');
  for (const size of [1, 511, 512, 513, 1023, 1024, 10_239, 65_536]) {
    maker.file(`regular/size-${size}`, noise(size, size));
  }
  maker.file('regular/five-megabytes', noise(5 * 2 ** 20 + 17, 5));
  maker.folder('sparse');
  const block = noise(8192, 7);
  maker.attempt('sparse files', () => {
    const mib = 2 ** 20;
    sparse(maker, 'sparse/hole-at-begin', 4 * mib, [[4 * mib - 8192, block]]);
    sparse(maker, 'sparse/hole-in-middle', 4 * mib, [
      [0, block],
      [4 * mib - 8192, block],
    ]);
    sparse(maker, 'sparse/hole-at-end', 4 * mib, [[0, block]]);
    sparse(maker, 'sparse/odd-size', 3 * mib + 77, [[mib, block.subarray(0, 100)]]);
    sparse(maker, 'sparse/only-a-hole', 3 * mib + 1, []);
    sparse(
      maker,
      'sparse/many-holes',
      64 * mib,
      Array.from({ length: 300 }, (_, i): [number, Buffer] => [i * 200_704, block]),
    );
    const far: [number, Buffer][] = [
      [0, block],
      [SPARSE_FAR, block],
    ];
    sparse(maker, 'sparse/beyond-8-GiB', SPARSE_FAR + 100_000, far);
  });
}

function makeLinks(maker: OddTreeMaker): void {
  maker.folder('links/other');
  maker.file('links/first', 'shared by two in one folder\n');
  maker.link('links/first', 'links/second');
  maker.file('links/one-of-three', 'shared by three\n');
  maker.link('links/one-of-three', 'links/two-of-three');
  maker.link('links/one-of-three', 'links/other/three-of-three');
  maker.file('links/zz-made-first', 'the link that sorts first was made last\n');
  maker.link('links/zz-made-first', 'links/aa-made-last');
  maker.file('links/empty-one', '');
  maker.link('links/empty-one', 'links/empty-two');
  maker.symlink('first', 'links/soft');
  maker.symlink('no/such/file', 'links/dangling');
  maker.symlink('/etc/hostname', 'links/absolute');
  maker.symlink('other', 'links/to-folder');
  maker.symlink('..', 'links/up');
  maker.symlink('t'.repeat(100), 'links/target-of-100');
  maker.symlink('t'.repeat(101), 'links/target-of-101');
  maker.symlink(`${'long/'.repeat(600)}end`, 'links/long-target');
  maker.symlink('bytes-\xff\xfe\n\\', 'links/odd-target');
  maker.attempt('hard link to a symlink', () => maker.link('links/soft', 'links/soft-again'));
}

async function makeSpecial(maker: OddTreeMaker): Promise<string[]> {
  maker.folder('special');
  maker.attempt('fifo', () => mkfifo(maker.path('special/fifo'), 0o640));
  maker.attempt('hard link to a fifo', () => maker.link('special/fifo', 'special/fifo-again'));
  maker.attempt('character device', () =>
    mknod(maker.path('special/null'), S_IFCHR | 0o666, deviceNumber(1, 3)),
  );
  maker.attempt('block device', () =>
    mknod(maker.path('special/loop'), S_IFBLK | 0o660, deviceNumber(7, 300)),
  );
  return (await makeSocket(maker.path('special/socket'), maker)) ? ['special/socket'] : [];
}

/** Node makes a socket file by listening; closing would remove it, so it is renamed before that. */
async function makeSocket(path: string, maker: OddTreeMaker): Promise<boolean> {
  if (Buffer.byteLength(path) > 100) {
    maker.skipped.push('socket: its path would be too long');
    return false;
  }
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(`${path}.s`, resolve);
  });
  renameSync(`${path}.s`, path);
  await new Promise((resolve) => server.close(resolve));
  return true;
}

function makeModesAndOwners(maker: OddTreeMaker): void {
  maker.folder('modes');
  for (const mode of [0o000, 0o400, 0o4755, 0o2755, 0o1644, 0o7777, 0o644, 0o600]) {
    const name = `modes/${mode.toString(8).padStart(4, '0')}`;
    maker.file(name);
    maker.attempt(`owner of ${name}`, () => lchownSync(nativePath(maker.path(name)), 12, 34));
    chmodSync(maker.path(name), mode);
  }
  for (const mode of [0o1777, 0o2750, 0o500]) {
    const name = `modes/folder-${mode.toString(8)}`;
    maker.folder(name);
    maker.file(`${name}/inside`);
    chmodSync(maker.path(name), mode);
  }
  maker.file('modes/big-ids');
  maker.attempt('owner above 2097151', () =>
    lchownSync(maker.path('modes/big-ids'), 3_000_000, 4_000_000_000),
  );
  maker.symlink('nowhere', 'modes/owned-symlink');
  maker.attempt('owner of a symlink', () =>
    lchownSync(maker.path('modes/owned-symlink'), 65534, 1),
  );
}

const TIMES: readonly (readonly [string, bigint])[] = [
  ['nanoseconds', 1_700_000_000_123_456_789n],
  ['whole-second', 1_700_000_001_000_000_000n],
  ['one-nanosecond', 1n],
  ['zero', 0n],
  ['before-1970', -315_619_199_876_543_211n],
  ['just-before-1970', -1n],
  ['far-future', 13_569_465_600_123_456_789n],
  ['beyond-32-bits', 4_400_000_000_000_000_001n],
];

function makeTimes(maker: OddTreeMaker): void {
  maker.folder('times');
  for (const [name, mtimeNs] of TIMES) {
    maker.file(`times/${name}`);
    maker.folder(`times/folder-${name}`);
    maker.symlink(name, `times/symlink-${name}`);
    for (const path of [name, `folder-${name}`, `symlink-${name}`]) {
      maker.attempt(`time ${path}`, () =>
        setTimes(maker.path(`times/${path}`), { atimeNs: 0n, mtimeNs }),
      );
    }
  }
}

function makeAttributes(maker: OddTreeMaker): void {
  maker.folder('attributes/folder');
  const set = (path: string, name: string, value: Buffer): void =>
    maker.attempt(`${name} on ${path}`, () => setXattr(maker.path(path), name, value));
  for (const path of ['attributes/file', 'attributes/linked']) maker.file(path);
  maker.link('attributes/linked', 'attributes/linked-again');
  set('attributes/linked', 'user.shared', Buffer.from('by both links'));
  for (const path of ['attributes/file', 'attributes/folder']) {
    set(path, 'user.text', Buffer.from('some text'));
    set(path, 'user.binary', Buffer.from([0, 1, 0xff, 0x0a, 0x3d, 0]));
    set(path, 'user.empty', Buffer.alloc(0));
    set(path, 'user.name=with equals', Buffer.from('='));
    set(path, 'user.\u00fcnicode', Buffer.from('\u00fc'));
    set(path, 'trusted.odd', Buffer.from('root only'));
  }
  maker.file('attributes/large');
  set('attributes/large', 'user.large', noise(3_500, 3));
  maker.file('attributes/capability');
  const netBind = Buffer.from('0100000200040000000000000000000000000000', 'hex');
  set('attributes/capability', 'security.capability', netBind);

  const access = aclXattr('u::rw-,u:4012:r--,u:70000:rwx,g::r--,g:4034:-w-,m::rwx,o::---');
  const folder = aclXattr('u::rwx,u:4012:r-x,g::r-x,m::r-x,o::---');
  maker.file('attributes/acl-file');
  set('attributes/acl-file', 'system.posix_acl_access', access);
  maker.folder('attributes/acl-folder');
  set('attributes/acl-folder', 'system.posix_acl_access', folder);
  set('attributes/acl-folder', 'system.posix_acl_default', access);
  maker.file('attributes/acl-folder/inherits');
  maker.folder('attributes/acl-folder/inherits-too');
}

const NAMES: readonly string[] = [
  'new\nline',
  'tab\tin it',
  'back\\slash',
  'back\\x41slash',
  '-rf',
  '--checkpoint=1',
  "single'quote",
  'double"quote',
  ' leading and trailing ',
  '*?[glob]{a,b}',
  '$HOME `id` ; & |',
  '%s%n',
  '#comment',
  '~',
  '...',
  '.hidden',
  'del\x7f',
  'bell\x07escape\x1b[31m',
  'latin1-\xe9',
  'broken-\xc3(',
  'lone-\xff\xfe',
  'surrogate-\xed\xa0\x80',
  bytePathOf('nfc-\u00e9'),
  bytePathOf('nfd-e\u0301'),
  bytePathOf('emoji-\u{1f9f7}'),
  bytePathOf('\u202ertl'),
  'n'.repeat(99),
  'n'.repeat(100),
  'n'.repeat(101),
  'n'.repeat(255),
];

function makeNames(maker: OddTreeMaker): void {
  maker.folder('names');
  for (const name of NAMES) {
    maker.attempt(`name ${JSON.stringify(name)}`, () => maker.file(`names/${name}`));
  }
  maker.attempt('folder with an odd name', () => {
    maker.folder('names/folder \n\xff');
    maker.file('names/folder \n\xff/inside');
  });
  // Byte order and archive order differ here: '.' and '-' are below '/', '0' is above.
  maker.folder('order/a');
  for (const name of ['a/b', 'a/z', 'a.b', 'a-b', 'a0', 'a b', 'A', 'b', 'a\x01']) {
    maker.file(`order/${name}`);
  }
  for (const name of ['a/b0', 'ab', 'ab/c']) maker.folder(`order/${name}`);
}

function makeShapes(maker: OddTreeMaker): void {
  maker.folder('shapes/empty/still-empty');
  maker.folder(`shapes/deep/${'d/'.repeat(200)}`);
  maker.file(`shapes/deep/${'d/'.repeat(200)}bottom`);
  maker.folder('shapes/many');
  for (let i = 0; i < MANY_FILES; i++) maker.file(`shapes/many/file-${i}`, `number ${i}\n`);
  maker.attempt('path of more than 1,000 bytes', () => longPath(maker, 'shapes/long-1000', 1_100));
  maker.attempt('path close to 4,096 bytes', () =>
    longPath(maker, 'shapes/long-4096', PATH_BYTES_MAX - 1 - maker.root.length),
  );
}

/** A file whose path below the root has `length` bytes, in folders of 200. */
function longPath(maker: OddTreeMaker, below: string, length: number): void {
  let path = below;
  while (length - path.length > 220) {
    path += `/${'p'.repeat(200)}`;
    mkdirSync(nativePath(maker.path(path)), { recursive: true });
  }
  maker.file(`${path}/${'f'.repeat(length - path.length - 1)}`, 'far away\n');
}

/**
 * Fills a folder (made if it is missing, else it should be empty) with one of every odd file that a backup meets. What the
 * machine, the user or the file system cannot do is left out and listed. Needs about 20 MB; some 3,300 entries.
 */
export async function makeOddTree(root: string): Promise<OddTree> {
  const maker = new OddTreeMaker(bytePathOf(root));
  maker.folder('');
  makeRegular(maker);
  makeLinks(maker);
  const sockets = await makeSpecial(maker);
  makeModesAndOwners(maker);
  makeAttributes(maker);
  makeNames(maker);
  makeShapes(maker);
  makeTimes(maker);
  return { root: maker.root, skipped: maker.skipped, sockets };
}

/**
 * Changes a tree that `makeOddTree` made, in every way that an incremental has to notice: edits, times, modes, owners,
 * renames, deletions, changes of kind, links that come and go.
 */
export function mutateOddTree(tree: OddTree): void {
  const maker = new OddTreeMaker(tree.root);
  const at = (name: string): string | Buffer => nativePath(maker.path(name));
  maker.file('regular/text', 'edited\n');
  maker.file('regular/new', 'new\n');
  maker.folder('regular/new-folder/below');
  maker.file('regular/new-folder/below/file');
  setTimes(maker.path('regular/size-512'), { atimeNs: 0n, mtimeNs: 1_600_000_000_000_000_001n });
  chmodSync(at('regular/size-513'), 0o4711);
  maker.attempt('chown', () => lchownSync(at('regular/size-1023'), 77, 88));
  unlinkSync(at('regular/empty'));
  renameSync(at('regular/size-1024'), at('regular/renamed'));

  unlinkSync(at('links/aa-made-last'));
  maker.link('links/first', 'links/another-of-first');
  unlinkSync(at('links/one-of-three'));
  unlinkSync(at('links/absolute'));
  maker.symlink('elsewhere', 'links/absolute');

  unlinkSync(at('order/a.b'));
  maker.folder('order/a.b/now/a');
  maker.file('order/a.b/now/a/folder');
  removeTree(maker.path('order/ab'));
  maker.file('order/ab', 'now a file\n');
  removeTree(maker.path('order/a'));
  maker.symlink('a0', 'order/a');
  removeTree(maker.path('shapes/empty'));
  renameSync(at('attributes/folder'), at('attributes/folder-renamed'));
  maker.attempt('xattr', () =>
    setXattr(maker.path('attributes/file'), 'user.text', Buffer.from('changed')),
  );
  for (let i = 0; i < MANY_FILES; i += 3) unlinkSync(at(`shapes/many/file-${i}`));
  for (let i = 1; i < MANY_FILES; i += 300) maker.file(`shapes/many/file-${i}`, `again ${i}\n`);
  unlinkSync(at('names/new\nline'));
  if (lstatSync(at('sparse/hole-at-end')).isFile()) {
    sparse(maker, 'sparse/hole-at-end', 8 * 2 ** 20, [[2 ** 20, noise(4096, 9)]]);
  }
}

/** Removes a tree, whatever the lengths and modes of its paths are. The path itself is ASCII. */
export function removeTree(path: string): void {
  const removed = spawnSync('rm', ['-rf', '--', path], { encoding: 'utf8' });
  if (removed.status === 0) return;
  spawnSync('chmod', ['-R', 'u+rwX', path], { stdio: 'ignore' });
  const again = spawnSync('rm', ['-rf', '--', path], { encoding: 'utf8' });
  if (again.status !== 0) throw new Error(`rm -rf ${path}: ${again.stderr}`);
}
