import { createCipheriv } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { fetchDebianPackage } from '../../../../apps/standalone/src/servers/debian/debian-package.js';
import { lastLines, runCommand } from '../../../../apps/standalone/src/servers/system/command.js';
import type { CorpusMaker, CorpusPlace } from './corpus-maker.js';

const DEBIAN_RELEASE = 'bookworm';
const KERNEL = 'linux-source-6.1';
const KERNEL_TAR = `usr/src/${KERNEL}.tar.xz`;
/** Well compressed pictures and sounds, 1.4 GB. */
const COMPRESSED = '0ad-data';
const NPM_PACKAGES = [
  '@mui/icons-material@5.16.7',
  '@types/node@20.16.5',
  'aws-sdk@2.1691.0',
  'core-js@3.38.1',
  'date-fns@2.30.0',
  'lodash@4.17.21',
  'rxjs@7.8.1',
  'typescript@5.5.4',
];
const RANDOM_BYTES = 2 ** 30;
const PIECE_BYTES = 2 ** 22;
/** A gigabyte on a slow line. */
const FETCH_MS_MAX = 3_600_000;
const UNPACK_MS_MAX = 900_000;

/** The sources of Linux, unpacked, and some npm packages. */
export const makeSmall: CorpusMaker = {
  kind: 'files',
  findName: 'vmscan.c',
  of: [KERNEL, ...NPM_PACKAGES],
  async make(place) {
    const kernel = await kernelTar(place);
    place.say('unpacking the sources of Linux ...');
    mkdirSync(join(place.folder, 'linux'));
    await run('tar', ['-xf', kernel, '-C', join(place.folder, 'linux'), '--no-same-owner']);
    for (const name of NPM_PACKAGES) {
      const archive = await npmPackage(place, name);
      const folder = join(place.folder, 'npm', fileNameOf(name));
      mkdirSync(folder, { recursive: true });
      await run('tar', ['-xf', archive, '-C', folder, '--no-same-owner']);
    }
    await run('chmod', ['-R', 'u+rwX', place.folder]);
  },
};

/** A tar that compresses well, archives that are compressed already, and random bytes. */
export const makeLarge: CorpusMaker = {
  kind: 'large',
  findName: 'linux.tar',
  of: [`${KERNEL}, unpacked`, COMPRESSED, `${RANDOM_BYTES} bytes of AES-256-CTR`],
  async make(place) {
    const kernel = await kernelTar(place);
    const tar = join(place.folder, 'linux.tar');
    await run('sh', ['-c', 'xz -dc -T0 "$1" > "$2"', 'sh', kernel, tar]);
    const compressed = await debianPackage(place, COMPRESSED);
    copyFileSync(compressed, join(place.folder, `${COMPRESSED}.deb`));
    place.say('making random bytes ...');
    writeRandomBytes(join(place.folder, 'random.bin'), RANDOM_BYTES);
  },
};

/** The same bytes every time: what AES makes of zeros. `bytes` is a multiple of 4 MiB. */
export function writeRandomBytes(path: string, bytes: number): void {
  const cipher = createCipheriv('aes-256-ctr', Buffer.alloc(32, 7), Buffer.alloc(16));
  const zeros = Buffer.alloc(PIECE_BYTES);
  const file = openSync(path, 'w');
  for (let at = 0; at < bytes; at += PIECE_BYTES) writeSync(file, cipher.update(zeros));
  closeSync(file);
}

/** Of the newest source package in the release; it stays in the downloads. */
async function kernelTar(place: CorpusPlace): Promise<string> {
  const kept = join(place.downloads, `${KERNEL}.tar.xz`);
  if (existsSync(kept)) return kept;
  const root = join(place.downloads, 'unpacked');
  const file = await debianPackage(place, KERNEL);
  await run('dpkg-deb', ['-x', file, root]);
  renameSync(join(root, KERNEL_TAR), kept);
  rmSync(root, { recursive: true });
  rmSync(file);
  return kept;
}

async function debianPackage({ downloads, say }: CorpusPlace, name: string): Promise<string> {
  const kept = join(downloads, `${name}.deb`);
  if (existsSync(kept)) return kept;
  say(`fetching ${name} from Debian ...`);
  const fetched = await fetchDebianPackage({
    name,
    release: DEBIAN_RELEASE,
    workFolder: downloads,
    env: process.env,
    fetchMsMax: FETCH_MS_MAX,
  });
  renameSync(fetched.file, kept);
  fetched.discard();
  return kept;
}

async function npmPackage({ downloads, say }: CorpusPlace, name: string): Promise<string> {
  const kept = join(downloads, `${fileNameOf(name)}.tgz`);
  if (existsSync(kept)) return kept;
  say(`fetching ${name} from the npm registry ...`);
  const folder = join(downloads, 'npm-draft');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  await run('npm', ['pack', '--silent', '--pack-destination', folder, name], FETCH_MS_MAX);
  renameSync(join(folder, readdirSync(folder)[0]!), kept);
  rmSync(folder, { recursive: true });
  return kept;
}

function fileNameOf(npmPackage: string): string {
  return npmPackage.replace(/^@/, '').replaceAll('/', '-');
}

async function run(command: string, args: readonly string[], timeoutMs = UNPACK_MS_MAX) {
  const { code, stdout, stderr } = await runCommand(command, args, { timeoutMs });
  if (code === 0) return;
  const line = [command, ...args].join(' ');
  throw new Error(
    `The corpus cannot be made: ${line} gave ${code}:\n${lastLines(stdout + stderr)}`,
  );
}
