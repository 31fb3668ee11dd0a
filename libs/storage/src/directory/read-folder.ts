import { readdir, readFile } from 'node:fs/promises';
import { codeOf } from '#kernel/errors.js';

/** The names in a folder, sorted; none where there is no folder. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return [];
    throw error;
  }
}

/** A file's text; undefined where there is none, or no folder on the way. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** What could not be read of many, so that it holds up none of the others. */
export class Unread {
  private readonly failures: unknown[] = [];

  /** What `read` gives; undefined where it throws. */
  async pass<T>(read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      this.failures.push(error);
      return undefined;
    }
  }

  /** Throws the first failure that there was. */
  expectNone(): void {
    if (this.failures.length > 0) throw this.failures[0];
  }
}
