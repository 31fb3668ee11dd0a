import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILES_PER_FOLDER = 1_000;

/** Fills a folder with files of bytes that cannot be compressed, `folder-0/file-0` and on. */
export function makeNoiseTree(
  root: string,
  { files, bytesEach }: { files: number; bytesEach: number },
): void {
  for (let i = 0; i < files; i++) {
    const folder = join(root, `folder-${Math.floor(i / FILES_PER_FOLDER)}`);
    if (i % FILES_PER_FOLDER === 0) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `file-${i}`), randomBytes(bytesEach));
  }
}
