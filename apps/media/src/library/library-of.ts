import { InvalidInput, NotFound } from '#kernel/errors.js';
import type { MediaLibrary } from './media-library.js';

/** The library that an operator means; the only one, if no pool is named. */
export function libraryOf(
  libraries: readonly MediaLibrary[],
  pool: string | undefined,
): MediaLibrary {
  const [first, ...others] = libraries.filter((one) => pool === undefined || one.pool === pool);
  if (!first) throw new NotFound('library', pool ?? 'of this media server');
  if (others.length > 0) {
    const pools = libraries.map((one) => one.pool).join(', ');
    throw new InvalidInput(`name one of the libraries of this media server: ${pools}`, 'pool');
  }
  return first;
}
