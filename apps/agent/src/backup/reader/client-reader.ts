import type { Clock } from '#kernel/clock.js';

import { excludeTest } from '../../domain/excludes.js';
import { HardLinks } from '../../domain/hard-links.js';
import { ListingMerge } from '../../domain/listing-merge.js';
import { SplitLinks } from '../../domain/split-links.js';
import { selectionTrees, type SelectionTree } from '../../domain/selections.js';
import { toPathTextBytes, type ByteString } from '#archive/path-text.js';
import { capabilities } from '../../posix/posix.js';

import { ArchiveOutput } from './archive-output.js';
import { RingFiller } from '../buffer-ring.js';
import { EntryStore } from './entry-store.js';
import { emptyStat, fastestStatCalls, type StatCalls } from './file-stat.js';
import { FileSystems } from './file-systems.js';
import { ListingReader, ListingWriter, listingPartPath } from '../listing-file.js';
import { readOwnerNames } from './owner-names.js';
import { AheadStore } from '../read-ahead/ahead-store.js';
import { AHEAD } from '../read-ahead/ahead-thread.js';
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
  const context = new ReaderContext(clock, post, job.goOn);
  const stats = fastestStatCalls();
  const trees = selectionTrees(job.selections);
  if (!job.goOn) {
    if (!someExists(trees, stats)) return totalsOf(context, false);
    if (capabilities.lost !== undefined) context.say(capabilities.lost);
  }
  const listing = new ListingWriter(listingPartPath(job.newListingPath), {
    beside: job.checkpointPath,
    goOnAt: job.goOn?.listingBytes,
  });
  const hardLinks = new HardLinks(job.hardLinksTrackedMax);
  const tally = () => {
    listing.flush();
    const { files, bytes } = context;
    const counts = { listingBytes: listing.bytes, files, bytes, notes: context.notes.counts };
    return { ...counts, links: hardLinks.takeJournal() };
  };
  const output = new ArchiveOutput(new RingFiller(job.ring), post, tally, job.chunking);
  if (job.goOn && !job.goOn.entry) output.goOn(job.goOn);
  else readTrees(job, trees, { context, stats, listing, hardLinks, output });
  output.finish();
  listing.close();
  return totalsOf(context, true);
}

interface Parts {
  readonly context: ReaderContext;
  readonly stats: StatCalls;
  readonly listing: ListingWriter;
  readonly hardLinks: HardLinks;
  readonly output: ArchiveOutput;
}

/** Writes all entries, or those that are still to come, and the end of the archive. */
function readTrees(job: ReaderJob, trees: readonly SelectionTree[], parts: Parts): void {
  const { context, stats, hardLinks, output } = parts;
  const base = openBase(job.baseListingPath);
  const merge = base && new ListingMerge(base, (path) => output.indexLine(goneLine(path)));
  const followed = followedOf(trees);
  const splitLinks = new SplitLinks();
  const owners = readOwnerNames();
  const store = new EntryStore({ ...parts, owners, merge, followed, splitLinks });
  if (job.goOn) {
    replayLinks(job.checkpointPath, hardLinks);
    store.goOn(job.goOn);
  }
  // What an incremental stores lies scattered.
  const ahead = merge ? undefined : new AheadStore(store, AHEAD, context, job.readAheadAfter);
  const walk = new Walk({
    context,
    store: ahead ?? store,
    stats,
    fileSystems: new FileSystems(),
    excluded: excludeTest(job.excludes),
    crossMountPoints: job.crossMountPoints,
    behind: job.goOn?.entry,
  });
  for (const tree of trees) walk.selection(tree);
  ahead?.finish();
  merge?.finish();
  base?.close();
  if (splitLinks.count > 0) context.say(textOfSplit(splitLinks.count));
  output.endArchive();
}

function followedOf(trees: readonly SelectionTree[]): Set<ByteString> {
  const all = trees.flatMap((tree) => [tree, ...tree.inner]);
  return new Set(all.filter(({ follow }) => follow).map(({ path }) => path));
}

function replayLinks(checkpointPath: string, hardLinks: HardLinks): void {
  const lines = new ListingReader(checkpointPath);
  while (lines.next()) hardLinks.replay(lines.text());
  lines.close();
}

function totalsOf(context: ReaderContext, found: boolean): ReaderTotals {
  const { files, bytes, work, notes } = context;
  return { found, files, bytes, work, notes: notes.counts };
}

/** It was there when the image was begun; without it no deletions would be stored. */
function openBase(path: string | undefined): ListingReader | undefined {
  return path === undefined ? undefined : new ListingReader(path);
}

function goneLine(path: string): string {
  return `x\t${toPathTextBytes(path)}\t0\t0\t0\t0\t0\t-\t-\t-\t\n`;
}

function textOfSplit(count: number): string {
  return (
    `Hard links of ${count === 1 ? '1 file' : `${count} files`} lie in different images: those ` +
    'that have not changed are not stored again. A restore makes separate files of them, ' +
    'until the next full that reads the client.'
  );
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
