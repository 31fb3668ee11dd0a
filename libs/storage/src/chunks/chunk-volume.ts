import type { DirectoryFragmentStore } from '../directory/directory-fragment-store.js';
import type { SpaceGate } from '../space-gate.js';
import type { ChunkPlaces } from './chunk-places.js';
import type { LookOver } from './collection/look-over.js';
import type { ContainerFiles } from './containers/container-files.js';
import type { RecipeFiles } from './recipe-files.js';
import type { ReferenceLedger } from './references/reference-ledger.js';
import type { Between, References } from './references/references.js';

/** What everyone who works on a volume of chunks has in common. */
export interface ChunkVolume {
  readonly files: ContainerFiles;
  readonly recipes: DirectoryFragmentStore;
  readonly recipeFiles: RecipeFiles;
  readonly gate: SpaceGate;
  /** Of collections, which may take of the reserve: they give more back. */
  readonly collectingGate: SpaceGate;
  readonly places: ChunkPlaces;
  readonly lookOver: LookOver;
  readonly ledger: ReferenceLedger;
  readonly references: References;
  readonly between: Between;
  /** Containers whose table could not be read at the start: nothing is known to be in them. */
  readonly unread: readonly string[];
  /** Containers that are being written now. */
  readonly writing: Set<string>;
}
