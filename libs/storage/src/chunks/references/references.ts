import type { FragmentName } from '../../fragment-name.js';
import { InvalidInput } from '#kernel/errors.js';
import type { ChunkPlaces } from '../chunk-places.js';
import type { ChunkMap } from '../index/chunk-map.js';
import type { RecipeReader } from '../recipes/recipe-reader.js';
import type { ReferenceLedger } from './reference-ledger.js';

/** Called between two steps that are durable each; tests stop there, as a crash would. */
export type Between = (step: string) => Promise<void>;

/**
 * Raises and lowers counts. The ledger says what is to count, before anything else does; the index has
 * the sums. A crash in between is made up for by `catchUp`, from the recipe.
 */
export class References {
  constructor(
    private readonly ledger: ReferenceLedger,
    private readonly places: ChunkPlaces,
    private readonly between: Between,
  ) {}

  /** Counts the chunks of a map for a fragment, durably. */
  async raise(name: FragmentName, map: ChunkMap): Promise<void> {
    const { fragmentId, number, imageId, copy } = name;
    await this.ledger.add({ type: 'HELD', fragmentId, number, imageId, copy });
    await this.between('raise: the ledger has it, the index not yet');
    await this.places.change(fragmentId, 'held', map);
    await this.between('raise: both have it');
  }

  /** From here on the chunks of a map, which are its, do not count for a fragment, whatever fails. */
  async release(fragmentId: string, tombstoneId: string, map: ChunkMap): Promise<void> {
    await this.ledger.add({ type: 'RELEASED', fragmentId, tombstoneId });
    await this.between('release: the ledger has it, the index not yet');
    await this.places.change(fragmentId, 'released', map);
    await this.between('release: both have it, the trash is there');
  }

  /** Adds a recipe's chunks to a held map. Says how many are not there. */
  async hold(recipe: RecipeReader, map: ChunkMap): Promise<number> {
    let missing = 0;
    for await (const chunks of recipe.chunks()) {
      const ids = chunks.map(({ id }) => id);
      const found = await this.places.find(recipe.head.domain, ids, map);
      missing += found.filter((place) => place === undefined).length;
    }
    return missing;
  }

  /** Like `hold`, but throws `InvalidInput` if one is not there. */
  async holdAll(recipe: RecipeReader, map: ChunkMap): Promise<void> {
    const missing = await this.hold(recipe, map);
    if (missing > 0) throw new InvalidInput(`names ${missing} chunks that are not here`, 'recipe');
  }
}
