import type { Manifest } from '#archive/manifest.js';
import { Journal } from '../journal/journal.js';
import { libraryRecord, type LibraryRecord } from './library-record.js';
import { LibraryState } from './library-state.js';

/** Of a manifest with its image's details; a record has to be short. */
const MANIFEST_BYTES_MAX = 48 * 1024;

/**
 * Where on which volume each fragment lies, on the media server's own disk. Each change is durable
 * before it counts. If it is lost, reading the volumes from their labels on makes another one.
 */
export class LibraryLedger {
  private exclusive: Promise<void> = Promise.resolve();

  private constructor(
    private readonly journal: Journal<LibraryRecord>,
    readonly state: LibraryState,
  ) {}

  /** Replays the ledger in `folder`. Throws `VolumeUnusable` if it is damaged or taken. */
  static async open(folder: string): Promise<LibraryLedger> {
    const state = new LibraryState();
    const parse = (value: unknown) => libraryRecord.parse(value);
    const onRecord = (record: LibraryRecord) => state.apply(record);
    const journal = await Journal.open<LibraryRecord>({ folder, parse, onRecord });
    await journal.compactIfDue(new LibraryState());
    return new LibraryLedger(journal, state);
  }

  /** Set when it could not be written: nothing more is accepted until it is opened again. */
  get failure(): Error | undefined {
    return this.journal.failure;
  }

  /** A record that does not fit is a bug, and is thrown before it could spoil the ledger. */
  add(...records: readonly LibraryRecord[]): Promise<void> {
    return this.change(() => records);
  }

  /** Adds what follows from the state as it is then: nothing is added in between. */
  change(make: (state: LibraryState) => readonly LibraryRecord[]): Promise<void> {
    const result = this.exclusive.then(async () => {
      const records = make(this.state);
      this.state.expectFit(records);
      await this.journal.append(...records);
      for (const record of records) this.state.apply(record);
    });
    this.exclusive = result.catch(() => undefined);
    return result;
  }

  close(): Promise<void> {
    return this.journal.close();
  }
}

/** The manifest as the ledger keeps it: one whose image has very long selections goes without them. */
export function manifestToKeep(manifest: Manifest): Manifest {
  if (Buffer.byteLength(JSON.stringify(manifest)) <= MANIFEST_BYTES_MAX) return manifest;
  const { image: _, ...rest } = manifest;
  return rest;
}
