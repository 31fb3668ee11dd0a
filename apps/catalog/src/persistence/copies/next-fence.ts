import { ERA } from '../catalog-epoch.js';

/**
 * The fence of the next attempt at a copy `c`, in SQL. Behind a fence of an earlier era there may be others
 * that the database has forgotten since. The next one must be none of them, or what they still offer
 * would pass for its own: it is the time in seconds, which all of them are below, however often the
 * database goes back.
 */
export const NEXT_FENCE = `CASE WHEN c.granted_in = ${ERA} THEN c.attempt + 1
    ELSE greatest(c.attempt + 1, extract(epoch FROM now())::bigint) END`;
