import { existsSync } from 'node:fs';
import { basename } from 'node:path';

import type { ImageKind } from '#contracts/names.js';

import { CannotResume, CheckpointFile, type ResumeAt } from './checkpoint-file.js';
import type { ReaderState } from './reader-state.js';

export interface ImageStartOptions {
  readonly kind: ImageKind;
  readonly baseListingPath?: string | undefined;
  readonly newListingPath: string;
  readonly resume?: ResumeAt | undefined;
}

/** How a backup sets out on an image, from its beginning or behind a fragment. */
export interface ImageStart {
  readonly checkpoints: CheckpointFile;
  /** What it becomes: an incremental without its base is a full. */
  readonly kind: ImageKind;
  readonly baseListingPath: string | undefined;
  readonly goOn: (ResumeAt & { readonly state: ReaderState }) | undefined;
}

/** @throws CannotResume; then what is there of the image stays as it is */
export async function startImage(options: ImageStartOptions): Promise<ImageStart> {
  const { resume, newListingPath } = options;
  if (resume && resume.nextNumber > 1) return goOn(options, resume);
  const { kind, baseListingPath } = options;
  const usable = kind !== 'full' && baseListingPath !== undefined && existsSync(baseListingPath);
  const became = usable ? kind : 'full';
  const base = usable ? basename(baseListingPath) : null;
  const checkpoints = await CheckpointFile.create(newListingPath, { kind: became, base });
  const basePath = usable ? baseListingPath : undefined;
  return { checkpoints, kind: became, baseListingPath: basePath, goOn: undefined };
}

async function goOn(options: ImageStartOptions, at: ResumeAt): Promise<ImageStart> {
  const { baseListingPath, newListingPath } = options;
  const { checkpoints, premises, state } = await CheckpointFile.goOn(newListingPath, at);
  const { kind, base } = premises;
  if (base === null)
    return { checkpoints, kind, baseListingPath: undefined, goOn: { ...at, state } };
  const isThere = baseListingPath !== undefined && existsSync(baseListingPath);
  if (isThere && basename(baseListingPath) === base) {
    return { checkpoints, kind, baseListingPath, goOn: { ...at, state } };
  }
  await checkpoints.close();
  throw new CannotResume('the listing of its base image is not here any more.');
}
