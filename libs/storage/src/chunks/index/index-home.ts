import type { ChunkIndex } from './chunk-index.js';
import { LevelChunkIndex } from './level-chunk-index.js';
import { putAside } from '../put-aside.js';

/** Where a volume's index lies. */
export interface IndexHome {
  /** Throws `IndexDamaged` for one that has to be made anew; an empty one where there is none. */
  open(): Promise<ChunkIndex>;
  /** Takes an index that nobody has open out of the way. */
  putAside(): Promise<void>;
}

/** An index on disk. */
export function levelHome(folder: string): IndexHome {
  return {
    open: () => LevelChunkIndex.open(folder),
    putAside: () => putAside(folder),
  };
}
