import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILES_PER_FOLDER = 1_000;

export interface NoiseTree {
  readonly files: number;
  readonly bytesEach: number;
  /** Text of random digits: it becomes smaller, which takes long at a high level. */
  readonly compressible?: boolean;
}

/** Fills a folder with files of bytes that cannot be compressed, `folder-0/file-0` and on. */
export function makeNoiseTree(
  root: string,
  { files, bytesEach, compressible = false }: NoiseTree,
): void {
  for (let i = 0; i < files; i++) {
    const folder = join(root, `folder-${Math.floor(i / FILES_PER_FOLDER)}`);
    if (i % FILES_PER_FOLDER === 0) mkdirSync(folder, { recursive: true });
    const bytes = compressible
      ? randomBytes(bytesEach / 2).toString('hex')
      : randomBytes(bytesEach);
    writeFileSync(join(folder, `file-${i}`), bytes);
  }
}
