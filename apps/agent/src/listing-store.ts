import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { commitListing, discardListing } from './backup/listing-file.js';

/**
 * The listings of earlier backups, one file for each image, a folder for each policy. They are a
 * cache: when one is gone, the next incremental becomes a full.
 */
export class ListingStore {
  constructor(private readonly folder: string) {}

  /** The listing of an image, if it is there. */
  find(policy: string, imageId: string): string | undefined {
    const path = this.path(policy, imageId);
    return existsSync(path) ? path : undefined;
  }

  /** Where a backup writes its own; it does not count before `keep`. */
  pathFor(policy: string, imageId: string): string {
    mkdirSync(join(this.folder, 'listings', policy), { recursive: true, mode: 0o700 });
    return this.path(policy, imageId);
  }

  /** The image is safe: its listing counts from now on, and those that nothing needs go. */
  async keep(policy: string, imageId: string, needed: readonly string[]): Promise<void> {
    await commitListing(this.path(policy, imageId));
    const kept = new Set([imageId, ...needed].map((id) => `${id}.tsv`));
    const folder = join(this.folder, 'listings', policy);
    const over = readdirSync(folder).filter((name) => name.endsWith('.tsv') && !kept.has(name));
    for (const name of over) rmSync(join(folder, name));
  }

  /** The backup failed: what it wrote is of no use. */
  discard(policy: string, imageId: string): Promise<void> {
    return discardListing(this.path(policy, imageId));
  }

  private path(policy: string, imageId: string): string {
    return join(this.folder, 'listings', policy, `${imageId}.tsv`);
  }
}
