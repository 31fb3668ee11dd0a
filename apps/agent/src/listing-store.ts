import { mkdirSync, readdirSync, renameSync, rmSync, existsSync } from 'node:fs';
import { join } from 'node:path';

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

  /** Where a backup that runs writes its own. */
  draft(policy: string, imageId: string): string {
    mkdirSync(join(this.folder, 'listings', policy), { recursive: true, mode: 0o700 });
    return `${this.path(policy, imageId)}.draft`;
  }

  /** The image is safe: its listing counts from now on, and those that nothing needs go. */
  keep(policy: string, imageId: string, needed: readonly string[]): void {
    renameSync(`${this.path(policy, imageId)}.draft`, this.path(policy, imageId));
    const kept = new Set([imageId, ...needed].map((id) => `${id}.tsv`));
    this.drop(policy, (name) => !kept.has(name));
  }

  /** The backup failed: what it wrote so far is of no use. */
  discard(policy: string, imageId: string): void {
    this.drop(policy, (name) => name === `${imageId}.tsv.draft`);
  }

  private drop(policy: string, unwanted: (name: string) => boolean): void {
    const folder = join(this.folder, 'listings', policy);
    for (const name of readdirSync(folder).filter(unwanted)) rmSync(join(folder, name));
  }

  private path(policy: string, imageId: string): string {
    return join(this.folder, 'listings', policy, `${imageId}.tsv`);
  }
}
