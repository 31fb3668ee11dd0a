import { createCipheriv, createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILES = 12;
const FILES_PER_FOLDER = 4;
const FILE_BYTES = 1024 * 1024;
/** Files that are other ones in the next generation: some fragments' worth. */
const CHANGES = 4;
/** Of generation 0, unix seconds. */
const BEGAN = 1_780_000_000;
const GENERATION_SECONDS = 60;

/** A part of the tree that can be backed up alone, and the whole of it. */
export const SELECTIONS = { all: '', left: 'folder-0', right: 'folder-1' } as const;

/**
 * Makes the tree that is backed up, or brings it to another generation, durably. Nothing but the generation decides what is
 * in it, so that it can be made a second time, to be compared with. Its bytes cannot be compressed.
 */
export function makeSourceTree(root: string, generation: number): void {
  for (let file = 0; file < FILES; file += 1) {
    const folder = join(root, `folder-${Math.floor(file / FILES_PER_FOLDER)}`);
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    const version = versionOf(file, generation);
    const path = join(folder, `file-${file}`);
    if (isThere(path, version)) continue;
    writeFileSync(path, noise(`file ${file} version ${version}`), { mode: 0o644 });
    setTime(path, version);
  }
  for (const folder of readdirSync(root)) setTime(join(root, folder), 0);
  setTime(root, 0);
  execFileSync('sync', ['-f', root]);
}

function isThere(path: string, version: number): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats?.size === FILE_BYTES && stats.mtimeMs === timeOf(version) * 1_000;
}

/** The last generation in which a file changed. */
function versionOf(file: number, generation: number): number {
  for (let at = generation; at > 0; at -= 1) {
    const first = (at * CHANGES) % FILES;
    const behind = (file - first + FILES) % FILES;
    if (behind < CHANGES) return at;
  }
  return 0;
}

function noise(name: string): Buffer {
  const key = createHash('sha256').update(name).digest().subarray(0, 16);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(FILE_BYTES));
}

function setTime(path: string, version: number): void {
  utimesSync(path, timeOf(version), timeOf(version));
}

function timeOf(version: number): number {
  return BEGAN + version * GENERATION_SECONDS;
}
