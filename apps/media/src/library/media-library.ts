import type { LibraryView, LibraryVolume } from '#contracts/media/library.js';
import type { Clock } from '#kernel/clock.js';
import { InvalidInput, NotFound, PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { libraryFolder, openFileLibrary } from '#storage/file-library/open-library.js';
import { chooseToRead } from '#storage/library-books/choose-volume.js';
import { volumeState, type VolumeBooks } from '#storage/library-books/library-state.js';
import type { ChangerInventory, MediaChanger } from '#storage/sequential/media-changer.js';
import { CartridgeBusy, NothingThere } from '#storage/sequential/sequential-errors.js';
import { SequentialFragmentStore } from '#storage/sequential/sequential-fragment-store.js';
import { SequentialLibrary, type LibraryStep } from '#storage/sequential/sequential-library.js';
import { saysUnclear } from '#storage/sequential/volume-keeper.js';
import { jobAtWork, type JobAtWork } from './job-at-work.js';
import { cartridgeView, placesOf, volumeView } from './library-view.js';
import { MountRequests } from './mount-requests.js';

export interface MediaLibraryOptions {
  readonly path: string;
  readonly pool: string;
  readonly mediaId: string;
  /** Left free on the file systems of spool and cartridges. */
  readonly reserveBytes: number;
  /** What the spool may hold. */
  readonly spoolBytesMax: number;
  readonly mountTimeoutMs: number;
  readonly clock: Clock;
  readonly log: (severity: 'info' | 'warning', text: string) => void;
  readonly onStep: (step: LibraryStep) => void;
}

const toldToWait = new WeakSet<JobAtWork>();

/** Says of the job at work that it waits until others have left the spool; in its log once. */
function waitForSpool(): () => void {
  const job = jobAtWork();
  if (!job) return () => undefined;
  if (!toldToWait.has(job)) job.log('info', 'waiting for room in the spool, beside other streams');
  toldToWait.add(job);
  return job.waitFor('room in the spool');
}

/** A library of this media server, with what an operator does about it. */
export class MediaLibrary {
  private constructor(
    readonly pool: string,
    readonly path: string,
    readonly drives: number,
    readonly store: SequentialFragmentStore,
    readonly mounts: MountRequests,
    private readonly library: SequentialLibrary,
  ) {}

  /** Owns the library's changer from here on. Throws `VolumeUnusable` with the reason. */
  static async open(options: MediaLibraryOptions): Promise<MediaLibrary> {
    const { path, pool, clock, reserveBytes, mountTimeoutMs: timeoutMs } = options;
    const { changer, drives } = await openFileLibrary(path, reserveBytes);
    const mounts = new MountRequests({ pool, clock, timeoutMs });
    const { mediaId, log, onStep } = options;
    let library: SequentialLibrary | undefined;
    try {
      const ledgerFolder = await libraryFolder(path, 'ledger');
      const given = { ledgerFolder, changer, mounts, mediaId, pool, clock, log, onStep };
      library = await SequentialLibrary.open(given);
      const spoolFolder = await libraryFolder(path, 'spool');
      const store = await SequentialFragmentStore.open({
        ...{ library, spoolFolder, spoolReserveBytes: reserveBytes },
        ...{ spoolBytesMax: options.spoolBytesMax, onWait: waitForSpool },
        onScratch: () => mounts.arrived(),
      });
      return new MediaLibrary(pool, path, drives, store, mounts, library);
    } catch (error) {
      await (library ?? changer).close();
      throw error;
    }
  }

  /** Set when the ledger could not be written. */
  get failure(): Error | undefined {
    return this.library.ledger.failure;
  }

  room(): Promise<{ freeBytes: number; totalBytes: number }> {
    return this.library.room();
  }

  async view(): Promise<LibraryView> {
    const { pool, path, library } = this;
    const inventory = await library.desk.inventory();
    const nameOf = (barcode: string | undefined) =>
      barcode === undefined ? null : library.nameOf(barcode);
    const drives = inventory.drives.map(({ drive, barcode }) => {
      return { drive, volume: nameOf(barcode) };
    });
    const slots = inventory.slots.map(({ slot, barcode }) => ({ slot, volume: nameOf(barcode) }));
    const places = placesOf(inventory);
    const volumes = [
      ...[...library.state.volumes.values()].map((volume) => volumeView(volume, places)),
      ...[...library.state.others.values()].map((other) => cartridgeView(other, places)),
    ].sort((a, b) => (a.volume < b.volume ? -1 : 1));
    return { pool, path, drives, slots, mail: [...inventory.mail], volumes };
  }

  /** Reads the labels of cartridges that the ledger does not know. @returns their barcodes. */
  async inventory(): Promise<string[]> {
    const { library } = this;
    try {
      const { slots, drives } = await library.desk.withChanger((changer) => changer.inventory());
      const here = [...slots, ...drives].flatMap(({ barcode }) => barcode ?? []);
      const found = here.filter((barcode) => library.isOpen(barcode));
      // One that was taken for somebody else's may have been mended, or changed for another one.
      const isForeign = (barcode: string) => library.state.others.get(barcode)?.kind === 'foreign';
      for (const barcode of [...found, ...here.filter(isForeign)]) await library.lookAt(barcode);
      return found;
    } finally {
      // Also where one could not be looked at: others may have come.
      this.mounts.arrived();
    }
  }

  /** Takes what lies in the mail slot into free slots. @returns the barcodes. */
  async importMail(): Promise<string[]> {
    try {
      return await this.moveMail();
    } finally {
      // Of those that did come in, too, when the next one could not.
      await this.inventory();
    }
  }

  private moveMail(): Promise<string[]> {
    return this.library.desk.withChanger(async (changer) => {
      const { slots, drives, mail } = await changer.inventory();
      const loaded = drives.filter(({ barcode }) => barcode !== undefined).length;
      // What is in a drive has to get back.
      const free = slots.filter(({ barcode }) => barcode === undefined).slice(loaded);
      if (mail.length > free.length) {
        throw new CartridgeBusy(
          `${mail.length} cartridges are in the mail slot, there is room for ${free.length}`,
        );
      }
      for (const [at, barcode] of mail.entries()) await changer.import(barcode, free[at]!.slot);
      return [...mail];
    });
  }

  /** Puts a volume into the mail slot. Throws `CartridgeBusy` while somebody works with it. */
  async eject(volume: string): Promise<string> {
    const { library } = this;
    const { barcode } = this.find(volume);
    await library.desk.withChanger(async (changer) => {
      if (await this.export(changer, barcode)) return;
      throw new NothingThere(`the library with label or barcode "${volume}"`);
    });
    return barcode;
  }

  /**
   * Takes a cartridge out of use that holds nothing: into the mail slot, if it is in a slot or drive, and
   * then out of the ledger. Throws status 97 for one that holds, or may hold, anything.
   */
  async retire(volume: string): Promise<{ barcode: string; place: 'mail' | 'outside' }> {
    const { desk, keeper } = this.library;
    const { barcode } = this.find(volume);
    const place = await desk.withChanger(async (changer) => {
      keeper.expectRetirable(barcode);
      await this.export(changer, barcode);
      await keeper.retire(barcode);
      return (await changer.inventory()).mail.includes(barcode) ? 'mail' : 'outside';
    });
    // Whoever would have written to it asks for others now.
    this.mounts.arrived();
    return { barcode, place };
  }

  /** Labels the cartridge in a slot. Refused for one that holds, or may hold, anything of anybody's. */
  async label(slot: number, label: string): Promise<LibraryVolume> {
    const { library } = this;
    const { slots } = await library.desk.withChanger((changer) => changer.inventory());
    const place = slots.find((one) => one.slot === slot);
    if (!place) throw new InvalidInput(`the library has slots 1 to ${slots.length}`, 'slot');
    if (place.barcode === undefined) throw new NothingThere(`slot ${slot}`);
    const { barcode } = place;
    this.expectNewLabel(label, barcode);
    const labelled = await library.desk.use(
      (look) => chooseToRead(look, { barcode, label }),
      (medium) => library.keeper.begin(medium, label),
      { onNone: () => new NothingThere(`slot ${slot}`), isLook: true },
    );
    if (!labelled) throw this.refusal(barcode);
    return this.viewOf(labelled);
  }

  async setState(volume: string, reason: string | null): Promise<LibraryVolume> {
    const { keeper, state } = this.library;
    if (reason !== null && saysUnclear(reason)) {
      throw new InvalidInput(
        'The library itself gives this reason: say it in other words.',
        'reason',
      );
    }
    const { barcode } = this.find(volume);
    const books = state.volumeOn(barcode);
    if (books) await keeper.suspend(books, reason);
    // Whoever waits for another one may write to it now, or may no more.
    this.mounts.arrived();
    const changed = state.volumeOn(barcode);
    if (changed) return this.viewOf(changed);
    throw new PermanentError(
      STATUS.notFound,
      `Cartridge ${volume} has no label of ours.`,
      'volume',
    );
  }

  close(): Promise<void> {
    return this.library.close();
  }

  /** From its slot or drive to the mail slot. For `withChanger` only. @returns false if it is in neither */
  private async export(changer: MediaChanger, barcode: string): Promise<boolean> {
    await this.library.desk.unload(barcode);
    const { slots } = await changer.inventory();
    const slot = slots.find((one) => one.barcode === barcode);
    if (slot) await changer.export(slot.slot);
    return slot !== undefined;
  }

  private async viewOf(volume: VolumeBooks): Promise<LibraryVolume> {
    const inventory: ChangerInventory = await this.library.desk.inventory();
    return volumeView(volume, placesOf(inventory));
  }

  /** By its barcode, of which there is one; or by its label, if no other one bears that. */
  private find(volume: string): { readonly barcode: string } {
    const { volumes, others } = this.library.state;
    const known = [...volumes.values(), ...others.values()];
    const found = known.find(({ barcode }) => barcode === volume);
    const labelled = [...volumes.values()].filter(({ label }) => label === volume);
    if (!found && labelled.length > 1) {
      const barcodes = labelled.map(({ barcode }) => barcode).join(', ');
      const hint = `Cartridges ${barcodes} bear the label "${volume}": name one by its barcode.`;
      throw new InvalidInput(hint, 'volume');
    }
    const one = found ?? labelled[0];
    if (one) return one;
    throw new NotFound('volume', volume, STATUS.notFound, `See "holdfast library show".`);
  }

  /** A blank cartridge will bear its barcode as its label. */
  private expectNewLabel(label: string, barcode: string): void {
    const { volumes, others } = this.library.state;
    const names = [...volumes.values(), ...others.values()].flatMap((one) => {
      if (one.barcode === barcode) return [];
      return 'label' in one ? [one.barcode, one.label] : [one.barcode];
    });
    if (!names.includes(label)) return;
    throw new PermanentError(
      STATUS.alreadyExists,
      `There is a volume "${label}" already.`,
      'label',
    );
  }

  private refusal(barcode: string): PermanentError {
    const books = this.library.state.volumeOn(barcode);
    const other = this.library.state.others.get(barcode);
    const state = books && volumeState(books);
    const holds = `holds ${books?.holds.size} fragments; it can be labelled anew when their deletion was granted and their trash emptied`;
    const why =
      state === 'suspended' ? `is suspended: ${books?.suspended}` : books ? holds : other?.reason;
    return new PermanentError(
      STATUS.mediaInUse,
      `Cartridge ${barcode} ${why || 'is not blank'}.`,
      'slot',
    );
  }
}
