import { mkdir, rename, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidInput } from '#kernel/errors.js';
import { namesIn } from '../directory/read-folder.js';
import { makeFolders, syncFolder } from '../directory/sync-folder.js';
import { lockFolder, type FolderLock } from '../journal/folder-lock.js';
import type { ChangerInventory, MediaChanger } from '../sequential/media-changer.js';
import { CartridgeBusy, DriveUnusable, NothingThere } from '../sequential/sequential-errors.js';
import type { SequentialMedium, TapeDrive } from '../sequential/sequential-medium.js';
import { SpaceGate } from '../space-gate.js';
import { makeCartridge } from './cartridge-files.js';
import { FileMedium } from './file-medium.js';

const BARCODE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;
const MAIL = 'mail';

export interface FileChangerOptions {
  /** Of the library; must be there. */
  readonly folder: string;
  readonly slots: number;
  readonly drives: number;
  /** Left free on the file system, for journals. Default 0. */
  readonly reserveBytes?: number;
}

/**
 * A library in a folder: `slots/<number>`, `drives/<number>` and `mail` are its places, and a
 * cartridge is where its folder is. A move is one rename, so nothing can disagree about it.
 */
export class FileChanger implements MediaChanger {
  private readonly drives = new Map<number, FileDrive>();

  private constructor(
    private readonly options: FileChangerOptions,
    private readonly lock: FolderLock,
  ) {
    const { folder, reserveBytes = 0 } = options;
    const measure = async () => {
      const { bavail, bsize } = await statfs(folder);
      return bavail * bsize;
    };
    const gate = new SpaceGate(`library ${folder}`, measure, reserveBytes);
    for (const drive of numbers(options.drives)) {
      this.drives.set(drive, new FileDrive(this.place('drives', drive), drive, gate));
    }
  }

  /** Throws `VolumeUnusable` while another process owns the library. */
  static async open(options: FileChangerOptions): Promise<FileChanger> {
    const { folder } = options;
    const lock = await lockFolder(folder);
    try {
      for (const slot of numbers(options.slots)) await makeFolders(folder, ['slots', nameOf(slot)]);
      for (const one of numbers(options.drives)) await makeFolders(folder, ['drives', nameOf(one)]);
      await makeFolders(folder, [MAIL]);
    } catch (error) {
      await lock.release();
      throw error;
    }
    return new FileChanger(options, lock);
  }

  /** Makes a blank cartridge in an empty slot. */
  async addCartridge(
    slot: number,
    what: { readonly barcode: string; readonly capacityBytes: number },
  ): Promise<void> {
    if (!BARCODE.test(what.barcode)) throw new InvalidInput('is not a barcode', 'barcode');
    const place = this.place('slots', slot);
    await this.expectEmpty(place);
    await this.expectNew(what.barcode, (await this.inventory()).mail);
    // Whole before it is seen: a cartridge appears under its name when it is one.
    const partial = join(place, `.${what.barcode}.partial`);
    await mkdir(partial, { recursive: true, mode: 0o700 });
    await makeCartridge(partial, what);
    await rename(partial, join(place, what.barcode));
    await syncFolder(place);
  }

  async inventory(): Promise<ChangerInventory> {
    const slots = numbers(this.options.slots).map(async (slot) => {
      return { slot, ...(await seen(this.place('slots', slot))) };
    });
    const drives = numbers(this.options.drives).map(async (drive) => {
      return { drive, ...(await seen(this.place('drives', drive))) };
    });
    const mail = (await namesIn(this.mail)).filter((name) => BARCODE.test(name));
    return { slots: await Promise.all(slots), drives: await Promise.all(drives), mail };
  }

  load(slot: number, drive: number): Promise<void> {
    return this.moveAll(this.place('slots', slot), this.place('drives', drive));
  }

  unload(drive: number, slot: number): Promise<void> {
    const from = this.place('drives', drive);
    if (this.drives.get(drive)!.isBusy) {
      throw new CartridgeBusy(`the volume in drive ${drive} is open`);
    }
    return this.moveAll(from, this.place('slots', slot));
  }

  async export(slot: number): Promise<void> {
    const from = this.place('slots', slot);
    const { barcode } = await seen(from);
    if (barcode === undefined) throw new NothingThere(`slot ${slot}`);
    await this.move(barcode, from, this.mail);
  }

  async import(barcode: string, slot: number): Promise<void> {
    const to = this.place('slots', slot);
    if (!BARCODE.test(barcode) || !(await namesIn(this.mail)).includes(barcode)) {
      throw new NothingThere(`the mail slot with barcode "${barcode}"`);
    }
    await this.expectEmpty(to);
    await this.expectNew(barcode);
    await this.move(barcode, this.mail, to);
  }

  drive(drive: number): TapeDrive {
    this.place('drives', drive);
    return this.drives.get(drive)!;
  }

  async close(): Promise<void> {
    for (const drive of this.drives.values()) await drive.close();
    await this.lock.release();
  }

  private get mail(): string {
    return join(this.options.folder, MAIL);
  }

  private place(kind: 'slots' | 'drives', number: number): string {
    if (!Number.isInteger(number) || number < 1 || number > this.options[kind]) {
      throw new InvalidInput(`the library has ${kind} 1 to ${this.options[kind]}`, kind);
    }
    return join(this.options.folder, kind, nameOf(number));
  }

  private async moveAll(from: string, to: string): Promise<void> {
    const { barcode } = await seen(from);
    if (barcode === undefined) throw new NothingThere(from);
    await this.expectEmpty(to);
    await this.move(barcode, from, to);
  }

  private async expectEmpty(place: string): Promise<void> {
    const { barcode } = await seen(place);
    if (barcode !== undefined) throw new CartridgeBusy(`cartridge ${barcode} is in ${place}`);
  }

  /** Two cartridges of one barcode would be taken for each other. */
  private async expectNew(barcode: string, mail: readonly string[] = []): Promise<void> {
    const { slots, drives } = await this.inventory();
    const isThere = [...slots, ...drives].some((place) => place.barcode === barcode);
    if (!isThere && !mail.includes(barcode)) return;
    throw new CartridgeBusy(`the library has a cartridge with barcode ${barcode} already`);
  }

  /** A folder that is not empty is never replaced by a rename. */
  private async move(barcode: string, from: string, to: string): Promise<void> {
    await rename(join(from, barcode), join(to, barcode));
    await syncFolder(to);
    await syncFolder(from);
  }
}

class FileDrive implements TapeDrive {
  private medium: FileMedium | undefined;

  constructor(
    private readonly folder: string,
    private readonly number: number,
    private readonly gate: SpaceGate,
  ) {}

  get isBusy(): boolean {
    return this.medium?.isOpen ?? false;
  }

  async open(): Promise<SequentialMedium> {
    if (this.isBusy) throw new DriveUnusable(String(this.number), 'is in use');
    const { barcode } = await seen(this.folder);
    if (barcode === undefined) throw new DriveUnusable(String(this.number), 'is empty');
    this.medium = await FileMedium.open(join(this.folder, barcode), this.gate);
    return this.medium;
  }

  async close(): Promise<void> {
    await this.medium?.close();
  }
}

async function seen(place: string): Promise<{ barcode?: string }> {
  const barcode = (await namesIn(place)).find((name) => BARCODE.test(name));
  return barcode === undefined ? {} : { barcode };
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at + 1);
}

function nameOf(number: number): string {
  return String(number).padStart(3, '0');
}
