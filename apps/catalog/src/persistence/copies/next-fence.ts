import { ERA } from '../catalog-epoch.js';

/**
 * The fence of the next attempt at a copy, in SQL. Behind a fence of an earlier era there may be others
 * that the database has forgotten since. The next one must be none of them, or what they still offer
 * would pass for its own: it is the time in seconds, which all of them are below, however often the
 * database goes back.
 */
export function nextFence(copy: string): string {
  return `CASE WHEN ${copy}.granted_in = ${ERA} THEN ${copy}.attempt + 1
    ELSE greatest(${copy}.attempt + 1, extract(epoch FROM now())::bigint) END`;
}
