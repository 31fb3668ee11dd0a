import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { removeTree } from '../../../../test/support/odd-tree.js';
import { temporaryFolder } from '../../../../test/support/temporary-folder.js';

import { BackupLab, type LabImage, type LabOptions } from './testing/backup-lab.js';

/**
 * Stands ready at a folder as `automount` does, and runs a command in its process group when the kernel asks for what
 * belongs there.
 */
const AUTOMOUNTER = `
  my ($folder, $command) = @ARGV;
  setpgrp;
  alarm 120; # should nobody end it
  $^F = 255; # mount is given the pipe
  pipe(REQUESTS, KERNEL) or die;
  my $pipe = 'fd=' . fileno(KERNEL) . ',pgrp=' . getpgrp . ',minproto=5,maxproto=5';
  system('mount', '-t', 'autofs', '-o', "$pipe,direct", 'automounter', $folder) and exit 1;
  close KERNEL;
  sysopen(FOLDER, $folder, 0) or die;
  syswrite(STDOUT, 'ready');
  while (sysread(REQUESTS, my $request, 400)) {
    my $failed = system('sh', '-ec', $command, 'sh', $folder);
    ioctl(FOLDER, $failed ? 0x9361 : 0x9360, unpack('x8 L', $request)); # AUTOFS_IOC_FAIL, _READY
  }`;
const MOUNT = 'mount -t tmpfs tmpfs "$1"; mkdir "$1/sub"; echo it >"$1/sub/file"; chmod 751 "$1"';

let folder: string;
let lab: BackupLab;
let share: string;
let automounter: ChildProcess | undefined;

/** False where it cannot be had: it takes a superuser, and autofs. */
async function standReady(command: string): Promise<boolean> {
  automounter = spawn('perl', ['-e', AUTOMOUNTER, share, command], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const said = await Promise.race([once(automounter.stdout!, 'data'), once(automounter, 'close')]);
  return String(said[0]) === 'ready';
}

beforeAll(async () => {
  folder = await temporaryFolder();
  lab = new BackupLab(folder);
});
beforeEach(() => {
  share = `${folder}/srv/share`;
  mkdirSync(share, { recursive: true });
  writeFileSync(`${folder}/srv/beside`, 'beside it');
});
afterEach(async () => {
  if (automounter?.exitCode === null && automounter.kill()) await once(automounter, 'exit');
  for (let mounts = 0; mounts < 2; mounts++) spawnSync('umount', ['--lazy', share]);
});
afterAll(() => removeTree(folder));

const linesOf = (image: LabImage) =>
  lab.index(image).map(({ type, path, mode }) => {
    return `${type}${mode.toString(8)} ${path.slice(folder.length)}`;
  });
const SHARE = ['d751 srv/share', 'd755 srv/share/sub', 'f644 srv/share/sub/file'];

describe('a selection for which an automounter stands ready', () => {
  it.each([
    ['is the only one', () => [share], {}, SHARE],
    ['ends in a slash', () => [`${share}/`], {}, SHARE],
    [
      'lies in another one',
      () => [`${folder}/srv`, share],
      {},
      ['d755 srv', 'f644 srv/beside', ...SHARE],
    ],
    [
      'lies in a folder of many',
      () => {
        for (let at = 0; at < 9; at++) mkdirSync(`${folder}/srv/z${at}`, { recursive: true });
        return [`${folder}/srv`, share];
      },
      { excludes: ['z?'] },
      ['d755 srv', 'f644 srv/beside', ...SHARE],
    ],
  ] as const)('is mounted and stored where it %s', async (_, selections, options, lines) => {
    if (!(await standReady(MOUNT))) return;
    const image = await lab.backUp(selections(), options as LabOptions);
    expect([image.result.status, image.notes]).toEqual([0, []]);
    expect(linesOf(image)).toEqual(lines);
  });

  it('is not mounted for a selection that it lies in', async () => {
    if (!(await standReady(MOUNT))) return;
    const image = await lab.backUp([`${folder}/srv`], { excludes: ['z?'] });
    expect(linesOf(image)).not.toContain('f644 srv/share/sub/file');
    expect(spawnSync('mountpoint', ['--nofollow', share]).status).toBe(0);
    expect(spawnSync('findmnt', ['-nt', 'tmpfs', share]).stdout.toString()).toBe('');
  });

  it.each([
    ['alone', () => [share]],
    ['in another one, with a slash at its end', () => [`${folder}/srv`, `${share}/`]],
  ])('is not called deleted where it cannot be mounted (%s)', async (_, selections) => {
    if (!(await standReady(`test ! -e ${folder}/away; ${MOUNT}`))) return;
    const options: LabOptions = { excludes: ['z?'] };
    const full = await lab.backUp(selections(), options);
    spawnSync('umount', [share]);
    writeFileSync(`${folder}/away`, '');
    const next = await lab.backUp(selections(), { ...options, base: full });
    spawnSync('rm', [`${folder}/away`]);
    expect(next.notes).toEqual([
      { level: 'warning', text: expect.stringMatching(/share: cannot be mounted .*\(ENOENT\)/) },
    ]);
    expect(linesOf(next)).toEqual([]);
    const again = await lab.backUp(selections(), { ...options, base: next });
    expect(again.notes).toEqual([]);
    expect(linesOf(again).filter((line) => line.startsWith('x'))).toEqual([]);
  });
});
