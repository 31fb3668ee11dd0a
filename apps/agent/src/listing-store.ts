import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { commitListing } from './backup/listing-file.js';

/** Backups of one policy that failed, and whose remains are kept for a further attempt. */
const INTERRUPTED_KEPT_MAX = 4;
/** Behind the name of an image: its listing as far as it is written, and how to go on with it. */
const REMAINS = /\.tsv\.(?:part|resume)$/;
/**
 * Nobody tells an agent that a policy was deleted or renamed. One that runs once a quarter still finds what it
 * builds on.
 */
const UNUSED_MS_MAX = 100 * 24 * 3_600_000;

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

  /** A backup of the policy begins: what is there of it stays, however old it is. */
  use(policy: string, now: Date): void {
    const folder = join(this.folder, 'listings', policy);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    utimesSync(folder, now, now);
  }

  /** Removes all of policies that no backup has used for 100 days. */
  dropUnused(now: Date): void {
    const all = join(this.folder, 'listings');
    for (const policy of readdirSync(all)) {
      const folder = join(all, policy);
      // A folder's time is that of the last backup in it, which has marked it and named its files there.
      if (now.getTime() - statSync(folder).mtimeMs <= UNUSED_MS_MAX) continue;
      try {
        rmSync(folder, { recursive: true });
      } catch {
        // No reason to fail a backup of another policy; it is tried again with the next one.
      }
    }
  }

  /** Where a backup writes its own; it does not count before `keep`. */
  pathFor(policy: string, imageId: string): string {
    mkdirSync(join(this.folder, 'listings', policy), { recursive: true, mode: 0o700 });
    return this.path(policy, imageId);
  }

  /**
   * The image is safe: its listing counts from now on, and older ones that nothing needs go; none, where nobody has
   * said what is needed. A later one is another stream's of the same policy: who said it could not know of it yet.
   */
  async keep(policy: string, imageId: string, needed: readonly string[] | null): Promise<void> {
    await commitListing(this.path(policy, imageId));
    if (needed === null) return;
    const kept = new Set([imageId, ...needed].map((id) => `${id}.tsv`));
    const folder = join(this.folder, 'listings', policy);
    const own = backupTimeOf(imageId);
    const over = readdirSync(folder).filter(
      (name) => name.endsWith('.tsv') && !kept.has(name) && !(backupTimeOf(name) > own),
    );
    for (const name of over) rmSync(join(folder, name));
  }

  /**
   * Removes what failed backups of a policy have left, but for the last few, with which a further
   * attempt may go on, and for `running` images.
   */
  clearUp(policy: string, running: readonly string[]): void {
    const folder = join(this.folder, 'listings', policy);
    if (!existsSync(folder)) return;
    const left = new Map<string, number>();
    for (const name of readdirSync(folder).filter((each) => REMAINS.test(each))) {
      const image = name.replace(REMAINS, '');
      const at = statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
      if (!running.includes(image)) left.set(image, Math.max(at, left.get(image) ?? 0));
    }
    const oldest = [...left].sort(([, a], [, b]) => b - a).slice(INTERRUPTED_KEPT_MAX);
    for (const [image] of oldest) {
      for (const end of ['part', 'resume'])
        rmSync(join(folder, `${image}.tsv.${end}`), { force: true });
    }
  }

  private path(policy: string, imageId: string): string {
    return join(this.folder, 'listings', policy, `${imageId}.tsv`);
  }
}

/** Of an image, or of a file that is named after one. */
function backupTimeOf(name: string): number {
  return Number(/_(\d+)(?:\.tsv)?$/.exec(name)?.[1] ?? 0);
}
