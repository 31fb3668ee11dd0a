import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolders, syncFolder } from '../../directory/sync-folder.js';
import { namesIn } from '../../directory/read-folder.js';
import { PARTIAL_SUFFIX } from '../../fragment-name.js';
import { CONTAINER_ID } from './container-format.js';

const SUFFIX = '.chunks';
const FOLDER = /^[0-9a-f]{2}$/;

/** The files of a volume's containers: `<2 digits>/<container id>.chunks` below `chunks/`. */
export class ContainerFiles {
  /** @param folder The `chunks` folder; must be there. */
  constructor(readonly folder: string) {}

  newId(): string {
    return randomBytes(8).toString('hex');
  }

  path(id: string): string {
    return join(this.folder, id.slice(0, 2), id + SUFFIX);
  }

  partialPath(id: string): string {
    return this.path(id) + PARTIAL_SUFFIX;
  }

  /** Makes the folder that a container's file goes to, durably. */
  makeFolder(id: string): Promise<string> {
    return makeFolders(this.folder, [id.slice(0, 2)]);
  }

  /** The ids of all closed containers. */
  closed(): AsyncIterable<string> {
    return this.list(SUFFIX);
  }

  /** The ids of containers that were begun and not closed. */
  unclosed(): AsyncIterable<string> {
    return this.list(SUFFIX + PARTIAL_SUFFIX);
  }

  /**
   * Removes a container that the index names no more: whatever was live in it is durable in another
   * one. Whoever has it open reads on.
   */
  async drop(id: string): Promise<void> {
    await rm(this.path(id), { force: true });
  }

  /** Removes what was begun and never closed, of which nobody was told anything. */
  async dropUnclosed(id: string): Promise<void> {
    await rm(this.partialPath(id), { force: true });
  }

  /** Makes the names of closed containers durable that a process which died may not have synced. */
  async settle(): Promise<void> {
    for (const name of await this.folders()) await syncFolder(join(this.folder, name));
    await syncFolder(this.folder);
  }

  private async *list(suffix: string): AsyncIterable<string> {
    for (const folder of await this.folders()) {
      for (const name of await namesIn(join(this.folder, folder))) {
        const id = name.slice(0, 16);
        if (name === id + suffix && CONTAINER_ID.test(id) && id.startsWith(folder)) yield id;
      }
    }
  }

  private async folders(): Promise<string[]> {
    return (await namesIn(this.folder)).filter((name) => FOLDER.test(name));
  }
}
