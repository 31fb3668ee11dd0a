import {
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';

import { codeOf } from '#kernel/errors.js';

import { nativePath } from '../../apps/agent/src/posix/byte-path.js';
/** Makes files below a folder by byte path, and keeps a list of what could not be made. */
export class OddTreeMaker {
  readonly skipped: string[] = [];

  constructor(readonly root: string) {}

  path(name: string): string {
    return `${this.root}/${name}`;
  }

  /** Runs one step; a refusal of the system (not a bug of ours) is noted and passed over. */
  attempt(what: string, step: () => void): void {
    try {
      step();
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined) throw error;
      this.skipped.push(`${what}: ${code}`);
    }
  }

  folder(name: string): void {
    mkdirSync(nativePath(this.path(name)), { recursive: true });
  }

  file(name: string, content: string | Buffer = `content of ${name.slice(-40)}\n`): void {
    writeFileSync(nativePath(this.path(name)), content);
  }

  link(from: string, to: string): void {
    linkSync(nativePath(this.path(from)), nativePath(this.path(to)));
  }

  symlink(target: string, name: string): void {
    symlinkSync(nativePath(target), nativePath(this.path(name)));
  }
}

/** Bytes that look random, compress badly and are the same on each run. */
export function noise(bytes: number, seed: number): Buffer {
  const out = Buffer.alloc(bytes);
  let state = (seed * 2654435761) >>> 0 || 1;
  for (let at = 0; at < bytes; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    out[at] = state & 0xff;
  }
  return out;
}

export function sparse(
  maker: OddTreeMaker,
  name: string,
  size: number,
  data: [number, Buffer][],
): void {
  const fd = openSync(nativePath(maker.path(name)), 'w');
  for (const [offset, bytes] of data) writeSync(fd, bytes, 0, bytes.length, offset);
  ftruncateSync(fd, size);
  closeSync(fd);
}
