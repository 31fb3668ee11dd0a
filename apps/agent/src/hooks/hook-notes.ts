import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { z } from 'zod';

import { jobHook } from '#contracts/jobs/hooks.js';
import { jobNumber } from '#contracts/names.js';
import { codeOf, messageOf } from '#kernel/errors.js';

/** What the hook after a backup needs when nobody remembers the backup. */
const hookNote = z.object({
  version: z.literal(1),
  job: jobNumber,
  attempt: z.int().min(1),
  policy: z.string(),
  schedule: z.string().optional(),
  after: jobHook,
  /** The hook that runs now, if one does. */
  process: z.object({ pid: z.int(), startedAt: z.string().nullable() }).nullable(),
});
export type HookNote = z.infer<typeof hookNote>;

const NAME = /^(\d+)-(\d+)\.json$/;

/**
 * The hooks that have to run yet, one small file for each attempt at a backup. A note is safe on the disk when `write`
 * resolves, so that neither a crash nor a loss of power makes the agent forget a thaw.
 */
export class HookNotes {
  private readonly logger = new Logger('hooks');
  private readonly folder: string;

  /** @param agentFolder where the agent keeps what it remembers */
  constructor(agentFolder: string) {
    this.folder = join(agentFolder, 'outstanding-hooks');
  }

  async write(note: HookNote): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const path = this.path(note);
    const file = await open(`${path}.part`, 'w', 0o600);
    try {
      await file.writeFile(JSON.stringify(note));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.part`, path);
    await this.syncFolder();
  }

  async remove(note: HookNote): Promise<void> {
    await rm(this.path(note), { force: true });
    await this.syncFolder();
  }

  /** The notes that are there, the oldest job first. One that cannot be read is left alone and told of. */
  async all(): Promise<HookNote[]> {
    const names = (await this.names()).filter((name) => NAME.test(name));
    const notes = await Promise.all(names.map((name) => this.read(join(this.folder, name))));
    return notes
      .filter((note) => note !== undefined)
      .sort((a, b) => a.job - b.job || a.attempt - b.attempt);
  }

  /** Those of one job. */
  async ofJob(job: number): Promise<HookNote[]> {
    return (await this.all()).filter((note) => note.job === job);
  }

  private async names(): Promise<string[]> {
    try {
      return await readdir(this.folder);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return [];
      throw error;
    }
  }

  private async read(path: string): Promise<HookNote | undefined> {
    try {
      return hookNote.parse(JSON.parse(await readFile(path, 'utf8')));
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined; // its hook has run meanwhile
      this.logger.error(
        `${path} is damaged (${messageOf(error)}): run the hook that it names, and remove the file.`,
      );
      return undefined;
    }
  }

  private path({ job, attempt }: HookNote): string {
    return join(this.folder, `${job}-${attempt}.json`);
  }

  private async syncFolder(): Promise<void> {
    const folder = await open(this.folder);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}
