import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { namesIn } from '../directory/read-folder.js';
import { statIfThere } from '../directory/sync-folder.js';
import { FragmentUnreadable, readError } from '../errors.js';
import {
  copyFolder,
  fileName,
  isFragmentId,
  isImageId,
  parseCopyFolder,
  parseFileName,
  PARTIAL_SUFFIX,
  type FragmentName,
} from '../fragment-name.js';
import { readInto } from '../read-range.js';
import { RecipeReader } from './recipes/recipe-reader.js';

/** A recipe's file that lies on the volume, sealed or in the trash. */
export interface FoundRecipe extends Pick<FragmentName, 'fragmentId' | 'number'> {
  readonly imageId?: string | undefined;
  readonly copy?: number | undefined;
  /** The tombstone in whose trash it is looked for first: there may be tens of thousands. */
  readonly tombstoneId?: string;
}

/** Finds the recipes of a volume wherever they lie. It only reads. */
export class RecipeFiles {
  /** @param folder The volume's. */
  constructor(private readonly folder: string) {}

  /** Gives a recipe to `use`, from its place (finished or not) or from the trash. Undefined if there is none. */
  async read<T>(
    recipe: FoundRecipe,
    use: (reader: RecipeReader) => Promise<T>,
  ): Promise<T | undefined> {
    const path = await this.find(recipe);
    return path === undefined ? undefined : readRecipe(recipe.fragmentId, path, use);
  }

  /** The path of a recipe: in its place (finished or not), or else in the trash. Undefined if there is none. */
  async find(recipe: FoundRecipe): Promise<string | undefined> {
    const file = fileName(recipe, 'recipe');
    const paths: string[] = [];
    const { imageId, copy, tombstoneId } = recipe;
    if (imageId !== undefined && copy !== undefined) {
      const path = join(this.folder, ...copyFolder({ imageId, copy }), file);
      paths.push(path, path + PARTIAL_SUFFIX);
    }
    if (tombstoneId !== undefined) paths.push(this.trashedPath(recipe, tombstoneId));
    for (const path of paths) if (await statIfThere(path)) return path;
    for (const tombstone of await this.tombstones()) {
      const path = this.trashedPath(recipe, tombstone);
      if (await statIfThere(path)) return path;
    }
    return undefined;
  }

  /** Where the recipe lies once this tombstone has brought it into the trash. */
  trashedPath(recipe: FoundRecipe, tombstoneId: string): string {
    return join(this.trashOf(tombstoneId), fileName(recipe, 'recipe'));
  }

  /** All that have a name: those in their place, and those in the trash. */
  async *all(): AsyncIterable<FoundRecipe> {
    for (const imageId of (await namesIn(join(this.folder, 'images'))).filter(isImageId)) {
      for (const name of await namesIn(join(this.folder, 'images', imageId))) {
        const copy = parseCopyFolder(name);
        if (copy === undefined) continue;
        const found = await recipesIn(join(this.folder, ...copyFolder({ imageId, copy })));
        for (const recipe of found) yield { ...recipe, imageId, copy };
      }
    }
    for (const tombstone of await this.tombstones()) {
      yield* await recipesIn(this.trashOf(tombstone));
    }
  }

  /** Where a recipe of a fragment lies that is not finished. */
  partialPath(name: FragmentName): string {
    return join(this.folder, ...copyFolder(name), fileName(name, 'recipe') + PARTIAL_SUFFIX);
  }

  /** True if all that a seal has still to do is to give names, that of the manifest last. */
  async isBeforeItsManifest(name: FragmentName): Promise<boolean> {
    const path = join(this.folder, ...copyFolder(name), fileName(name, 'manifest'));
    return (await statIfThere(path + PARTIAL_SUFFIX)) !== undefined;
  }

  /** True if the recipe lies in the trash of this tombstone. */
  async isInTrash(recipe: FoundRecipe, tombstoneId: string): Promise<boolean> {
    return (await statIfThere(this.trashedPath(recipe, tombstoneId))) !== undefined;
  }

  private async tombstones(): Promise<string[]> {
    return (await namesIn(join(this.folder, '.trash'))).filter(isFragmentId);
  }

  private trashOf(tombstoneId: string): string {
    return join(this.folder, '.trash', tombstoneId);
  }
}

/** Gives the recipe in a file to `use`. Throws `FragmentUnreadable` or `FragmentDamaged`. */
export async function readRecipe<T>(
  fragmentId: string,
  path: string,
  use: (reader: RecipeReader) => Promise<T>,
): Promise<T> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    throw readError(fragmentId, 'has a recipe that cannot be opened', error);
  }
  try {
    const read = (offset: number, length: number) => readPart(handle, offset, length);
    const { size } = await handle.stat();
    return await use(await RecipeReader.open({ fragmentId, bytes: size, read }));
  } finally {
    await handle.close();
  }

  async function readPart(file: FileHandle, offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    const filled = await readInto(bytes, file, offset).catch((error: unknown) => {
      throw readError(fragmentId, `recipe at ${offset}`, error);
    });
    if (filled < length) throw new FragmentUnreadable(fragmentId, `recipe ends at ${offset}`);
    return bytes;
  }
}

async function recipesIn(folder: string): Promise<FoundRecipe[]> {
  const files = (await namesIn(folder)).map(parseFileName);
  return files.flatMap((file) =>
    file?.file === 'recipe' && !file.partial
      ? [{ fragmentId: file.fragmentId, number: file.number }]
      : [],
  );
}
