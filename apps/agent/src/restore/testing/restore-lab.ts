import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeEach } from '@jest/globals';

import { removeTree } from '../../../../../test/support/odd-tree.js';
import { temporaryFolder } from '../../../../../test/support/temporary-folder.js';

import type { RestoreRequest } from '../restore-request.js';
import type { RestoreImage } from '../restore-source.js';
import { runRestore, type RestoreResult } from '../run-restore.js';
import { FolderReader, writeImage, type ImageParts } from './image-on-disk.js';

/** Images whose fragments lie in one folder, and the places to which they are restored. */
export class RestoreLab {
  readonly fragments: string;
  private count = 0;

  constructor(readonly folder: string) {
    this.fragments = join(folder, 'fragments');
  }

  /** Where a restore goes to; nothing is there before. */
  get target(): string {
    return join(this.folder, `to-${this.count}`);
  }

  readonly nextTarget = (): void => {
    this.count += 1;
  };

  readonly image = (parts: ImageParts): Promise<RestoreImage> => writeImage(this.fragments, parts);

  readonly restore = (
    chain: readonly RestoreImage[],
    more: Partial<RestoreRequest> = {},
  ): Promise<RestoreResult> =>
    runRestore({
      chain,
      reader: new FolderReader(this.fragments),
      selection: [],
      destination: this.target,
      ...more,
    });

  /** The paths of all that has been restored, or of what is below one of them. */
  readonly names = (path = ''): string[] =>
    readdirSync(join(this.target, path), { recursive: true, encoding: 'utf8' }).sort();
}

/** One for all tests of a file; each restores to another place. */
export async function useRestoreLab(): Promise<RestoreLab> {
  const lab = new RestoreLab(await temporaryFolder());
  beforeEach(lab.nextTarget);
  afterAll(() => removeTree(lab.folder));
  return lab;
}
