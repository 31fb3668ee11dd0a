import { existsSync } from 'node:fs';

import type { Clock } from '#kernel/clock.js';

import { excludeTest } from '../../domain/excludes.js';
import { HardLinks } from '../../domain/hard-links.js';
import { ListingMerge } from '../../domain/listing-merge.js';
import { selectionTrees, type SelectionTree } from '../../domain/selections.js';
import { toPathTextBytes } from '#archive/path-text.js';
import { capabilities } from '../../posix/posix.js';

import { ArchiveOutput } from './archive-output.js';
import { RingFiller } from '../buffer-ring.js';
import { EntryStore } from './entry-store.js';
import { emptyStat, fastestStatCalls, type StatCalls } from './file-stat.js';
import { FileSystems } from './file-systems.js';
import { ListingReader, ListingWriter, listingPartPath } from '../listing-file.js';
import { readOwnerNames } from './owner-names.js';
import { ReaderContext, isGone } from './reader-context.js';
import type { ReaderJob, ReaderMessage, ReaderTotals } from '../reader-messages.js';
import { Walk } from './walk.js';

/**
 * Reads the client and fills the ring, blocking: for a thread of its own. Posts everything but the end.
 * @throws ReaderStopped, DamagedListing, InvalidInput
 */
export function readClient(
  job: ReaderJob,
  clock: Clock,
  post: (message: ReaderMessage) => void,
): ReaderTotals {
  const context = new ReaderContext(clock, post);
  const stats = fastestStatCalls();
  const trees = selectionTrees(job.selections);
  if (!someExists(trees, stats)) return totalsOf(context, false);
  if (capabilities.lost !== undefined) post(noteOfLoss(context, capabilities.lost));
  const output = new ArchiveOutput(new RingFiller(job.ring), post);
  const base = openBase(job.baseListingPath);
  const listing = new ListingWriter(listingPartPath(job.newListingPath));
  const merge =
    base &&
    new ListingMerge(
      () => base.next(),
      (path) => output.indexLine(goneLine(path)),
    );
  const hardLinks = new HardLinks(job.hardLinksTrackedMax);
  const owners = readOwnerNames();
  const store = new EntryStore({ context, output, stats, owners, hardLinks, listing, merge });
  const walk = new Walk({
    context,
    store,
    stats,
    fileSystems: new FileSystems(),
    excluded: excludeTest(job.excludes),
    crossMountPoints: job.crossMountPoints,
  });
  for (const tree of trees) walk.selection(tree);
  merge?.finish();
  output.finish();
  listing.close();
  base?.close();
  return totalsOf(context, true);
}

function totalsOf(context: ReaderContext, found: boolean): ReaderTotals {
  const { infos, warnings } = context.notes.summary();
  return { found, files: context.files, bytes: context.bytes, notes: { infos, warnings } };
}

function openBase(path: string | undefined): ListingReader | undefined {
  return path !== undefined && existsSync(path) ? new ListingReader(path) : undefined;
}

function goneLine(path: string): string {
  return `x\t${toPathTextBytes(path)}\t0\t0\t0\t0\t0\t-\t-\t-\t\n`;
}

function noteOfLoss(context: ReaderContext, text: string): ReaderMessage {
  const note = { level: 'info', text } as const;
  context.notes.add(note);
  return { type: 'note', note };
}

function someExists(trees: readonly SelectionTree[], stats: StatCalls): boolean {
  const into = emptyStat();
  return trees.some(({ path, follow }) => {
    try {
      if (follow) stats.stat(path, into);
      else stats.lstat(path, into);
      return true;
    } catch (error) {
      return !isGone(error);
    }
  });
}
